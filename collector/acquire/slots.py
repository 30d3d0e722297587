"""One scan group's place in time: which slot is next, which were missed, and why.

    slots      |s0        |s1        |s2        |s3        |s4
    read        ->ok       ->.............late.. (s1 lost)   ->ok
    events                                                  gap s1..s3, before the scan of s4

Each slot ends in exactly one way: a scan, or part of a gap. A gap begins with one lost scan and ends with one event.
"""

from __future__ import annotations

from dataclasses import dataclass

from collector.acquire.pace import slot_at, spread
from collector.terms import CauseClass, Event, EventKind
from drivers.base import ScanGroup


@dataclass(frozen=True, slots=True)
class Cause:
    """Why slots were not read."""

    text: str
    kind: CauseClass


@dataclass(frozen=True, slots=True)
class Left:
    """Where the run before left a scan group: the first slot of which nothing tells, and why."""

    from_ns: int
    cause: Cause


_START = Cause("start: the first connection was being made", CauseClass.STARTING)
_OVERLOAD = Cause("overload: the slot passed before it could be read", CauseClass.OVERLOAD)
_STOPPED = Cause("stopped: the slot was due or being read", CauseClass.STOPPING)


class Slots:
    """The schedule of one scan group."""

    def __init__(self, group: ScanGroup, now_ns: int, *, first: bool) -> None:
        """`first`: read at the very slot (for groups that tell the batch context), not spread inside the period."""
        self.group, self.first = group, first
        self.period_ns = group.layout.period_ns
        self._offset_ns = 0 if first else spread(group.name, self.period_ns)
        self.next_ns = slot_at(now_ns - self._offset_ns, self.period_ns) + self.period_ns
        self._awaited_ns = self.next_ns  # the oldest slot that has not ended yet
        self._cause: Cause | None = None
        self._cause_if_none = _START

    def resume(self, left: Left) -> Event | None:
        """The gap from where the run before left this group up to the first slot of this run; None where there is none."""
        last_ns = self.next_ns - self.period_ns
        return None if last_ns < left.from_ns else self._gap(left.from_ns, last_ns, left.cause)

    @property
    def due_ns(self) -> int:
        """Plant time at which the next slot is to be read."""
        return self.next_ns + self._offset_ns

    def take(self, now_ns: int) -> int:
        """The slot to read now; slots whose time has wholly passed are left behind, and become a gap."""
        slot_ns = max(self.next_ns, slot_at(now_ns - self._offset_ns, self.period_ns))
        self.next_ns = slot_ns + self.period_ns
        return slot_ns

    def has_passed(self, now_ns: int) -> bool:
        """Whether the next slot could not be read any more."""
        return slot_at(now_ns - self._offset_ns, self.period_ns) > self.next_ns

    def skip(self, now_ns: int) -> int | None:
        """Leave all slots due by now unread; the first of them, None when there was none."""
        if self.due_ns > now_ns:
            return None
        first_ns = self.next_ns
        self.take(now_ns)
        return first_ns

    def is_late(self, slot_ns: int, received_ns: int) -> bool:
        """An answer after the next slot's time of reading belongs to no slot."""
        return received_ns >= slot_ns + self._offset_ns + self.period_ns

    def lost(self, cause: Cause) -> bool:
        """Note that the current slot is lost; True when a gap begins with it."""
        begins = self._cause is None
        self._cause = self._cause or cause
        return begins

    def arrived(self, slot_ns: int) -> Event | None:
        """Note that `slot_ns` was read; the event of the gap that it ends, if there was one."""
        awaited_ns, cause = self._awaited_ns, self._cause or self._cause_if_none
        self._awaited_ns, self._cause, self._cause_if_none = slot_ns + self.period_ns, None, _OVERLOAD
        return None if slot_ns == awaited_ns else self._gap(awaited_ns, slot_ns - self.period_ns, cause)

    def excuse(self, cause: Cause) -> None:
        """Why slots that pass from now on, until the next arrival, are not read, where nothing else tells."""
        self._cause_if_none = cause

    def unfinished(self, now_ns: int) -> Event | None:
        """The gap that is still open when collecting ends at `now_ns`."""
        passed = self.skip(now_ns) is not None
        last_ns = self.next_ns - self.period_ns
        if last_ns < self._awaited_ns:
            return None
        only_the_last = last_ns == self._awaited_ns and (not passed or self._cause_if_none == _OVERLOAD)
        cause = self._cause or (_STOPPED if only_the_last else self._cause_if_none)
        return self._gap(self._awaited_ns, last_ns, cause)

    def _gap(self, from_ns: int, to_ns: int, cause: Cause) -> Event:
        layout = self.group.layout
        return Event(
            EventKind.GAP,
            to_ns,
            body={
                "endpoint": layout.endpoint,
                "device": layout.device,
                "group": layout.group,
                "from_ns": from_ns,
                "to_ns": to_ns,
                "slots": (to_ns - from_ns) // self.period_ns + 1,
                "cause": cause.text,
                "cause_class": cause.kind.value,
            },
        )
