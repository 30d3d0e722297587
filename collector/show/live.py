"""What is true now: the newest scan of every group, what is outside, what happened lately. For people to look at.

Kept by the recorder, read by the terminal and the page. Bounded, in memory, and nothing depends on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from collector.terms import Event, Stamp
from drivers.base import Scan

RECENT_EVENTS = 200


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What is known of a device now. `cause` is empty while it answers."""

    endpoint: str
    answers: bool | None = None
    """None: not tried yet."""
    since_ns: int = 0
    cause: str = ""


@dataclass(slots=True)
class Counters:
    """What the daemon has done since it started. Samples; see the ledger for what is durable."""

    read: int = 0
    scans: int = 0
    lost_scans: int = 0
    overflowed: int = 0
    """Samples that were dropped because the disk did not take them in time; each is in a gap event."""
    committed: int = 0


@dataclass(slots=True)
class Live:
    """The picture that people are shown."""

    counters: Counters = field(default_factory=Counters)
    scans: dict[str, Scan] = field(default_factory=dict)
    """The newest scan by layout id."""
    stamps: dict[str, Stamp] = field(default_factory=dict)
    """By unit."""
    phase_since_ns: dict[str, int] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=RECENT_EVENTS))
    """Newest last."""
    listeners: list[Callable[[Scan | Event], None]] = field(default_factory=list)
    """Called for every scan and event as it is published, before it is on the disk; must not block or raise."""

    def publish(self, what: Scan | Event) -> None:
        """Show a scan or an event."""
        if isinstance(what, Event):
            self.events.append(what)
        else:
            self.scans[what.layout.id] = what
        for listener in self.listeners:
            listener(what)
