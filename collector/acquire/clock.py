"""Plant time: an anchor plus the monotonic clock, so that it never jumps with the wall clock and never goes backward.

The wall clock moves it forward only, by an explicit `follow`; where the wall clock went backward, plant time goes on
evenly, ahead of it, and `offset_ns` says by how much: two samples never share a slot because a clock was set back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

TOLERANCE_NS = 100_000_000
"""Offsets up to this are left alone: following each would make uneven slots of ordinary clock discipline."""
_CLOSE_NS, _TRIES = 1_000_000, 5
"""Readings of two clocks so close together are of one moment; a process may be stopped between them, so some are taken."""


class PlantClock:
    """The `drivers.base.Clock` of the daemon."""

    def __init__(
        self,
        not_before_ns: int = 0,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Anchor at the wall clock, or at `not_before_ns` (the newest thing in the journal) where that is later."""
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._anchor_ns = max(self._wall_beyond_ns(), not_before_ns - monotonic_ns())

    def now_ns(self) -> int:
        """Plant time, nanoseconds since 1970-01-01 UTC."""
        return self._anchor_ns + self._monotonic_ns()

    def monotonic_ns(self) -> int:
        """For durations and deadlines."""
        return self._monotonic_ns()

    def offset_ns(self) -> int:
        """Wall clock − plant time; negative when the wall clock is behind."""
        return self._wall_beyond_ns() - self._anchor_ns

    def follow(self) -> int:
        """Move forward to a wall clock that is ahead by more than the tolerance; returns by how much, or 0."""
        offset = self.offset_ns()
        if offset <= TOLERANCE_NS:
            return 0
        self._anchor_ns += offset
        return offset

    def _wall_beyond_ns(self) -> int:
        """Wall clock − monotonic clock, at one moment: what passes between two readings is no step of either."""
        return min(self._readings(), key=lambda reading: reading[0])[1]

    def _readings(self) -> Iterator[tuple[int, int]]:
        """How long a reading of both took, and the difference; no more than are needed."""
        for _ in range(_TRIES):
            before_ns, wall_ns, after_ns = self._monotonic_ns(), self._wall_ns(), self._monotonic_ns()
            yield after_ns - before_ns, wall_ns - (before_ns + after_ns) // 2
            if after_ns - before_ns <= _CLOSE_NS:
                return
