"""What monitor, store and all above them speak of: the stamp of a sample, and an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """The batch context of a unit at a slot, put on every sample when it is read, never guessed later.

    An empty text means: nothing runs, or nobody tells.
    """

    batch: str = ""
    phase: str = ""
    product: str = ""
    recipe_version: str = ""
    mode: str = "pilot"


class EventKind(StrEnum):
    """What an event tells; its body's fields are listed in docs/reference/events.md."""

    TRANSITION = "transition"
    """A rule changed its state: role, rule, from, to, value, level, cpp."""
    EVALUABILITY = "evaluability"
    """Limits of a unit became evaluable or not: endpoint, device, group, evaluable, limits, cause, status, only, all_but."""
    ALARM = "alarm"
    """An alarm changed its state, or its condition did: role, rule, happening, from, to, priority, by, reason ..."""
    EXCURSION = "excursion"
    """A stretch of raw samples outside PAR opened, closed: role, state, first_ns, last_ns, peak, duration_s, area ..."""
    BATCH = "batch"
    """A batch or phase began or ended: what (batch | phase), state (began | ended), batch, phase."""
    GAP = "gap"
    """Slots in which nothing was read: endpoint, device, group, from_ns, to_ns, slots, cause, cause_class."""
    DEVICE = "device"
    """A device was lost or came back: endpoint, device, state, cause."""
    SUBSCRIPTION = "subscription"
    """How a subscribed scan group is read changed: endpoint, device, group, state, cause."""
    STATISTICS = "statistics"
    """Rolling statistics of roles with limits: window_s, roles -> mean, min, max, std, slope, coverage."""
    ACCUMULATED = "accumulated"
    """How figures stand that last longer than a window, so that a start goes on with them: endpoint, device, group, figures."""
    GATEWAY = "gateway"
    """Health of the daemon: read, queued, ..."""
    SINK = "sink"
    """A sink stopped or resumed taking: sink, state, cause."""
    DISK = "disk"
    """The disk stopped or resumed taking commits: state, cause."""
    ROOM = "room"
    """Room on the disk is short or enough again, its reserve was given back or made: state, cause, runway_hours, free_bytes."""
    DAEMON = "daemon"
    """The daemon started or stopped: state, version, config_hash."""
    CLOCK = "clock"
    """Plant time was moved forward to the wall clock: moved_s."""
    DAMAGE = "damage"
    """A file of the data folder was damaged or gone, and was set aside: file, kept, cause, and the rows that are lost."""
    RETENTION = "retention"
    """A daily file was taken away as the plant file says, or may not go: state, file, last_seq, samples, bytes, cause."""
    CERTIFICATE = "certificate"
    """Something is wrong with a certificate of an endpoint, or soon will be: endpoint, cause."""


class CauseClass(StrEnum):
    """What a gap is due to, for machines; its `cause` tells people more."""

    DEVICE_DOWN = "device down"
    """The device gave nothing, or nothing usable."""
    LATE = "late"
    """It answered after its slot."""
    CONNECTING = "connecting"
    """Another device had cost the connection."""
    WAITING = "waiting"
    """Another device of the connection, or another group of this one, was waited for."""
    STARTING = "starting"
    """Before the first connection."""
    STOPPING = "stopping"
    """The daemon stopped meanwhile."""
    OVERLOAD = "overload"
    """The gateway was too slow, or its disk."""
    CLOCK = "clock"
    """Plant time was moved forward over the slots."""
    GATEWAY_DOWN = "gateway down"
    """The daemon did not run."""
    DEFECT = "defect"
    """A fault of this program."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a slot, in plant time. `unit` is empty for what concerns no unit."""

    kind: EventKind
    slot_ns: int
    unit: str = ""
    stamp: Stamp = Stamp()
    body: Mapping[str, Json] = field(default_factory=dict)
