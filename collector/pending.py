"""What was taken and is not yet on the disk: bounded, and nothing leaves it uncounted.

Scans and events wait apart, so that the oldest of either can be dropped at once, and are numbered, so that they go to the
disk in the order in which they came. An entry counts until a commit with it has returned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from collector.store.journal import Entry, Stamped
from collector.terms import CauseClass, Event, EventKind, Json

Numbered = tuple[int, Entry]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What will never be on the disk, for one cause, since the last commit that told it."""

    from_ns: int
    to_ns: int
    slots: int = 0
    samples: int = 0
    events: int = 0

    @classmethod
    def of(cls, entry: Entry) -> Dropped:
        """One entry."""
        if isinstance(entry, Event):
            return cls(entry.slot_ns, entry.slot_ns, events=1)
        return cls(entry.scan.slot_ns, entry.scan.slot_ns, slots=1, samples=entry.scan.samples)

    def with_(self, other: Dropped | None) -> Dropped:
        """Both together."""
        if other is None:
            return self
        return Dropped(
            min(self.from_ns, other.from_ns),
            max(self.to_ns, other.to_ns),
            self.slots + other.slots,
            self.samples + other.samples,
            self.events + other.events,
        )

    def gap(self, cause: str) -> Event:
        """As the journal has it."""
        body: dict[str, Json] = {"from_ns": self.from_ns, "to_ns": self.to_ns, "slots": self.slots}
        kind = CauseClass.OVERLOAD if cause.startswith("overload:") else CauseClass.DEFECT
        counts: dict[str, Json] = {"samples": self.samples, "events": self.events}
        return Event(EventKind.GAP, self.to_ns, body={**body, **counts, "cause": cause, "cause_class": kind.value})


class Pending:
    """Entries on their way to the disk."""

    def __init__(self) -> None:
        self.samples = 0
        """Of all scans that are not on the disk, those that are being written included."""
        self._events_held = self._changes = 0
        self._scans: deque[Numbered] = deque()
        self._events: deque[Numbered] = deque()
        self.newest = 0
        """Number of the newest entry."""
        self.dropped: dict[str, Dropped] = {}
        """By cause: not told yet."""

    def __bool__(self) -> bool:
        return bool(self._scans or self._events or self.dropped)

    def push(self, entry: Entry) -> None:
        """Add the newest."""
        self.newest += 1
        if isinstance(entry, Event):
            self._events.append((self.newest, entry))
            self._events_held += 1
        else:
            self._scans.append((self.newest, entry))
            self.samples += entry.scan.samples
            self._changes += _changes(entry)

    def trim(self, most_samples: int, most_events: int, cause: str) -> int:
        """Drop the oldest scans and events beyond the bounds, of those that are not being written; samples dropped.
        Changes between the slots take as much room as samples, and count for `most_samples`."""
        before = self.samples
        while self.samples + self._changes > most_samples and self._scans:
            self.drop(self._scans.popleft(), cause)
        while self._events_held > most_events and self._events:
            self.drop(self._events.popleft(), cause)
        return before - self.samples

    def take(self, limit: int) -> list[Numbered]:
        """At most `limit` of the oldest, in their order, to be written."""
        rows = list(islice(merge(self._scans, self._events, key=_number), limit))
        for _, entry in rows:
            (self._events if isinstance(entry, Event) else self._scans).popleft()
        return rows

    def put_back(self, rows: Sequence[Numbered]) -> None:
        """They were not written."""
        for row in reversed(rows):
            (self._events if isinstance(row[1], Event) else self._scans).appendleft(row)

    def settle(self, row: Numbered) -> None:
        """It is on the disk."""
        if isinstance(row[1], Stamped):
            self.samples -= row[1].scan.samples
            self._changes -= _changes(row[1])
        else:
            self._events_held -= 1

    def drop(self, row: Numbered, cause: str) -> None:
        """It will never be on the disk: it counts as dropped."""
        self.settle(row)
        self.tell_again(cause, Dropped.of(row[1]))

    def tell_again(self, cause: str, dropped: Dropped) -> None:
        """`dropped` is still to be told."""
        self.dropped[cause] = dropped.with_(self.dropped.get(cause))


def _number(row: Numbered) -> int:
    return row[0]


def _changes(entry: Stamped) -> int:
    return 0 if entry.scan.changes is None else len(entry.scan.changes.columns)
