"""What a sink has taken: durably settled, and, of a sink that may lose what it took, held until it is safe there.

    taken ──> held, in memory ──> hold_s later: settled, on the disk
                   └─ the sink may have died meanwhile: forgotten, so that it is sent again

Two cursors: `sent` knows all that was taken, and says what comes next; the durable one, in the registry, is what the
ledger counts. They differ by what is held. Blocking calls, safe from several threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.store.cursors import Cursor, DeadLetter, KeptLetter, Stretch
from drivers.base import Clock

COALESCED_NS = 1_000_000_000
"""What was taken within so long of each other is held as one, where it follows on."""


class Cursors(Protocol):
    """Where an uploader's progress is kept; blocking, called from threads."""

    def cursor(self, sink: str) -> Cursor:
        """How far `sink` has got."""

    def acknowledge(self, sink: str, cursor: Cursor, letters: Sequence[DeadLetter] = (), taken_up: Sequence[int] = ()) -> None:
        """Move the cursor, keep the letters, let go of those `taken_up` (ids): at once and durably."""

    def letters(self, sink: str, after_id: int = 0, limit: int = 500, *, only_retry: bool = False) -> Sequence[KeptLetter]:
        """Letters of `sink`, oldest first."""

    def refused_again(self, letters: Mapping[int, DeadLetter]) -> None:
        """Letters, by id, were tried again in vain."""


@dataclass(frozen=True, slots=True)
class _Held:
    since_ns: int
    stretch: Stretch | None
    """None: letters were taken up."""
    accepted: int
    letters: tuple[DeadLetter, ...] = ()
    taken_up: tuple[int, ...] = ()

    def on(self, cursor: Cursor) -> Cursor:
        if self.stretch is None:
            return cursor.taken_up(self.accepted)
        return cursor.settled(self.stretch, self.accepted, sum(letter.samples for letter in self.letters))

    def with_next(self, other: _Held) -> _Held | None:
        """Both as one; None where they don't follow on."""
        if not self.stretch or not other.stretch or self.stretch.until != other.stretch.after:
            return None
        whole = Stretch(self.stretch.after, other.stretch.until)
        return _Held(self.since_ns, whole, self.accepted + other.accepted, self.letters + other.letters)


class Progress:
    """Of one sink."""

    def __init__(self, name: str, cursors: Cursors, clock: Clock, hold_s: float = 0.0) -> None:
        self._name, self._cursors, self._clock = name, cursors, clock
        self._hold_ns = round(hold_s * 1e9)
        self._held: deque[_Held] = deque()
        self._lock = threading.RLock()
        self._durable: Cursor | None = None
        self._sent = Cursor()

    @property
    def sent(self) -> Cursor:
        """With all that was taken, held or settled."""
        with self._lock:
            self._known()
            return self._sent

    @property
    def newest(self) -> Cursor:
        """As `sent`, and blocks for nothing; zeros until it was looked up."""
        return self._sent

    @property
    def durable(self) -> Cursor:
        """What is settled for good; zeros until it was looked up."""
        return self._durable or Cursor()

    @property
    def holds(self) -> bool:
        """Something was taken and is not settled yet."""
        return bool(self._held)

    @property
    def held_letters(self) -> frozenset[int]:
        """Ids of letters that were taken up and are held."""
        with self._lock:
            return frozenset(number for each in self._held for number in each.taken_up)

    def settle(self, stretch: Stretch, accepted: int, letters: Sequence[DeadLetter]) -> None:
        """The rows of `stretch` were decided about: `accepted` samples taken, the rest in `letters`."""
        self._take(_Held(self._clock.monotonic_ns(), stretch, accepted, tuple(letters)))

    def take_up(self, letters: Sequence[KeptLetter]) -> None:
        """Letters were taken after all."""
        samples = sum(kept.letter.samples for kept in letters)
        self._take(_Held(self._clock.monotonic_ns(), None, samples, taken_up=tuple(kept.id for kept in letters)))

    def release(self) -> None:
        """Settle what was held long enough."""
        with self._lock:
            until_ns = self._clock.monotonic_ns() - self._hold_ns - COALESCED_NS
            due: list[_Held] = []
            for each in self._held:
                if each.since_ns > until_ns:
                    break
                due.append(each)
            self._make_durable(due)
            for _ in due:
                self._held.popleft()

    def forget_held(self) -> None:
        """The sink may have lost what is held: it is still to be sent."""
        with self._lock:
            self._held.clear()
            self._sent = self._known()

    def _take(self, taken: _Held) -> None:
        with self._lock:
            self._known()
            if not self._hold_ns:
                self._make_durable([taken])
                self._sent = self._known()
                return
            self._sent = taken.on(self._sent)
            last = self._held[-1] if self._held else None
            if last and taken.since_ns - last.since_ns < COALESCED_NS and (both := last.with_next(taken)):
                self._held[-1] = both
            else:
                self._held.append(taken)

    def _make_durable(self, taken: Sequence[_Held]) -> None:
        if not taken:
            return
        cursor = self._known()
        for each in taken:
            cursor = each.on(cursor)
        letters = [letter for each in taken for letter in each.letters]
        self._cursors.acknowledge(self._name, cursor, letters, [number for each in taken for number in each.taken_up])
        self._durable = cursor

    def _known(self) -> Cursor:
        if self._durable is None:
            self._durable = self._sent = self._cursors.cursor(self._name)
        return self._durable
