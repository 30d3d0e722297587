"""How long each column was outside a low and a high limit within a window: whole nanoseconds, so it is exact.

    samples     in    in    OUT   OUT   in    bad   in          a good sample answers for the time since the scan before it,
    counted      .     .     .    ███   ███    .     .          at most three periods, by what the good sample before it was

The limits themselves are inside. Time before a bad sample or beyond three periods is not known, and counts as neither.
Columns outside are few, so what is kept per scan is their indices.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.aligned import aligned
from collector.monitor.marks import Marks

MOST_PERIODS: Final = 3
_EARLIEST: Final = -(1 << 62)
_FEW: Final = 16
"""Columns that are sooner brought forward one by one."""

Floats = NDArray[np.float64]
Indices = NDArray[np.int32]
_NOBODY: Final[Indices] = np.empty(0, np.int32)


class TimeOutside:
    """Of m columns over the last `window_ns`; None: since the beginning, or since `forget`."""

    def __init__(self, window_ns: int | None, period_ns: int, low: Floats, high: Floats, out: Floats | None = None) -> None:
        """`low`, `high`: `[m]`, infinite where there is none; `out`: `[m]` to keep the seconds in."""
        self.window_ns, self._most_ns = window_ns, MOST_PERIODS * period_ns
        self.limits = (low, high)
        """May be exchanged; what came before stays judged by those of its time."""
        self.total_ns = np.zeros(len(low), np.int64)
        self.seconds = aligned(len(low)) if out is None else out
        self.seconds.fill(0.0)
        self._newest_ns = _EARLIEST
        self._counted: deque[tuple[int, int, Indices]] = deque()
        """(slot, ns, columns that were outside before it), oldest first."""
        self._outside = _NOBODY
        """Columns whose last good sample was outside."""
        self._left = Marks(len(low))

    def push(self, slot_ns: int, values: Floats, bad: NDArray[np.intp] | None = None) -> None:
        """A sample of each column but those `bad` (None: of all), of a slot after the newest."""
        elapsed_ns = min(slot_ns - self._newest_ns, self._most_ns)
        self._newest_ns = slot_ns
        before = self._outside
        self._compare(values, bad)
        while self._counted and self.window_ns is not None and self._counted[0][0] <= slot_ns - self.window_ns:
            _, ns, columns = self._counted.popleft()
            self._count(columns, -ns)  # whole numbers: subtracting leaves nothing behind
        if len(before):
            counted = before if bad is None else before[~self._marked(bad)[before]]
            self._count(counted, elapsed_ns)
            if self.window_ns is not None:
                self._counted.append((slot_ns, elapsed_ns, counted))

    def _marked(self, columns: NDArray[np.integer]) -> NDArray[np.bool_]:
        marked = np.zeros(len(self.seconds), np.bool_)
        marked[columns] = True
        return marked

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Whether the last good sample was outside, `[m]`."""
        return self._marked(self._outside)

    def forget(self, columns: NDArray[np.bool_]) -> None:
        """Begin anew for some, `[m]`: what was before is not known of them."""
        self.total_ns[columns] = 0
        self._outside = self._outside[~columns[self._outside]]
        self._counted = deque((slot_ns, ns, who[~columns[who]]) for slot_ns, ns, who in self._counted)
        np.divide(self.total_ns, 1e9, self.seconds)

    def resume(self, newest_ns: int, total_ns: NDArray[np.int64], outside: NDArray[np.bool_]) -> None:
        """Go on after the scan of `newest_ns`, with what had been counted up to there."""
        self._newest_ns = newest_ns
        np.copyto(self.total_ns, total_ns)
        self._outside = np.flatnonzero(outside).astype(np.int32)
        np.divide(self.total_ns, 1e9, self.seconds)

    def _compare(self, values: Floats, bad: NDArray[np.intp] | None) -> None:
        before = self._outside
        np.less(values, self.limits[0], self._left.below)
        np.greater(values, self.limits[1], self._left.above)
        now = self._left.places().astype(np.int32) if self._left.any() else _NOBODY
        if bad is not None and (len(now) or len(before)):  # where nothing is known, it stays as it was
            unknown = self._marked(bad)
            now = np.concatenate([now[~unknown[now]], before[unknown[before]]])
        self._outside = now

    def _count(self, columns: Indices, ns: int) -> None:
        if len(columns) > _FEW:
            self.total_ns[columns] += ns
            self.seconds[columns] = self.total_ns[columns] / 1e9  # rounded once: 300 s are 300.0, a product would be beyond it
            return
        totals, seconds = self.total_ns, self.seconds
        for column in columns.tolist():
            totals[column] = total = int(totals[column]) + ns
            seconds[column] = total / 1e9
