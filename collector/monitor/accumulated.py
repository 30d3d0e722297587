"""Time outside a range as a figure of limits: how long, and whether that can be told.

    phase    Heat                Dose                                  Hold
    sample   o   o   X   X   o   X   X   b   X   o   o                 o        o inside, X outside, b bad, 1 s apart
    in phase         0   1   2   0   1   1   1   2   2                 0        s, after each sample
    covered      all good        1/1 2/2 2/3 3/4 4/5 5/6                        of the slots since it began

More than allowed is more than allowed, however much was not seen. That it is not more can be told only where enough was: at
least `min_coverage` of the slots since the window, phase or batch began. Where that beginning was not seen, a window needs its
share of all its slots, and a phase or batch is never told to be within.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collector.monitor.catalogue import NOBODY
from collector.monitor.lasting_cells import UNKNOWN_NS, Bools, Entered, Floats, Known, Whole
from collector.monitor.outside import TimeOutside
from collector.terms import Json

_FOREVER = 1 << 62


class Coverage:
    """How many of the slots since each of m cells began had a good sample; within a window, or of all."""

    def __init__(self, cells: int, window_ns: int | None, period_ns: int) -> None:
        self._window_ns, self._period_ns = window_ns, period_ns
        self._most = _FOREVER if window_ns is None else -(-window_ns // period_ns)
        self.begin_ns = np.full(cells, UNKNOWN_NS, np.int64)
        self.bad = np.zeros(cells, np.int64)
        self._scans = self._left = 0
        """Pushed, and gone from the window."""
        self._before = np.zeros(cells, np.int64)
        """Of the scans, those before each cell began."""
        self._slots: deque[int] = deque()
        self._bad: deque[tuple[int, NDArray[np.intp]]] = deque()

    @property
    def scans(self) -> Whole:
        """Since each began, `[m]`."""
        return self._scans - (self._before if self._window_ns is None else np.maximum(self._before, self._left))

    def resume(self, begin_ns: Whole, scans: Whole, bad: Whole) -> None:
        """As it stood."""
        self.begin_ns[:], self.bad[:], self._before[:] = begin_ns, bad, -scans

    def begin(self, cells: Bools, slot_ns: int) -> None:
        """Some begin anew, with the scan of `slot_ns`."""
        self.begin_ns[cells], self.bad[cells], self._before[cells] = slot_ns, 0, self._scans
        self._bad = deque((slot, who[~cells[who]]) for slot, who in self._bad)

    def push(self, slot_ns: int, bad: NDArray[np.intp] | None) -> None:
        """A scan; `bad`: cells without a good sample."""
        self._scans += 1
        if bad is not None:
            self.bad[bad] += 1
        if self._window_ns is None:
            return
        self._slots.append(slot_ns)
        if bad is not None:
            self._bad.append((slot_ns, bad))
        edge_ns = slot_ns - self._window_ns
        while self._slots[0] <= edge_ns:
            self._slots.popleft()
            self._left += 1
        while self._bad and self._bad[0][0] <= edge_ns:
            self.bad[self._bad.popleft()[1]] -= 1

    def is_enough(self, slot_ns: int, share: Floats) -> Bools:
        """Whether good samples are that share of the slots."""
        slots = np.minimum((slot_ns - self.begin_ns) // self._period_ns + 1, self._most)
        enough: Bools = (self.scans - self.bad) / slots >= share
        return enough


class Outside:
    """Cells that sum up time outside: over a window, or since a phase or batch began."""

    def __init__(
        self, cells: int, window_ns: int | None, within: Literal["phase", "batch"] | None, period_ns: int, values: Floats
    ) -> None:
        """`values`: where the seconds stand, `[m]`."""
        self._within = within
        nowhere = np.full(cells, np.inf)
        self._time = TimeOutside(window_ns, period_ns, -nowhere, nowhere, values)
        self._coverage = Coverage(cells, window_ns, period_ns)
        self._share, self._allowed = np.ones(cells), np.full(cells, np.inf)
        self._running = np.ones(cells, np.bool_)
        """A phase or batch to sum up in."""
        self._slot_ns = UNKNOWN_NS

    def resume(self, known: Sequence[Known | None]) -> None:
        """Windows begin anew."""
        if self._within is None or not any(known):
            return
        total, outside, begin, scans, bad = (
            np.array([each.whole(name, otherwise) if each else otherwise for each in known], np.int64)
            for name, otherwise in (("total_ns", 0), ("outside", 0), ("begin_ns", UNKNOWN_NS), ("scans", 0), ("bad", 0))
        )
        self._time.resume(max(each.slot_ns for each in known if each), total, outside.astype(np.bool_))
        self._coverage.resume(begin, scans, bad)

    def enter(self, entered: Entered) -> None:
        """The range is that of the row from now on; what was outside before was so by its own."""
        fresh = self._fresh(entered)
        if fresh.any():
            self._time.forget(fresh)
            self._coverage.begin(fresh, entered.slot_ns)
        if self._within is not None:
            self._running = entered.in_phase if self._within == "phase" else entered.in_batch
        of, rows = entered.of, entered.rows
        ranged = np.where(self._running, rows, NOBODY)
        self._time.limits = of.low[ranged], of.high[ranged]
        self._share, self._allowed = of.share[rows], of.allowed_s[rows]

    def _fresh(self, entered: Entered) -> Bools:
        if self._within is not None:
            return entered.new_phase if self._within == "phase" else entered.new_batch
        return entered.begins_anew

    def push(self, slot_ns: int, values: Floats, good: Bools) -> None:
        """A sample of each cell."""
        bad = np.flatnonzero(~good)
        self._slot_ns = slot_ns
        self._time.push(slot_ns, values, bad if len(bad) else None)
        self._coverage.push(slot_ns, bad if len(bad) else None)

    def evaluable(self) -> Bools:
        """Too long for sure, or enough was seen."""
        told = self._coverage.is_enough(self._slot_ns, self._share) | (self._time.seconds > self._allowed)
        evaluable: Bools = told & self._running
        return evaluable

    def told(self) -> Mapping[str, Sequence[Json]]:
        """Whole numbers, so that a start goes on exactly."""
        coverage = self._coverage
        return {
            "total_ns": self._time.total_ns.tolist(),
            "outside": self._time.outside.astype(np.int64).tolist(),
            "begin_ns": [None if begin_ns == UNKNOWN_NS else begin_ns for begin_ns in coverage.begin_ns.tolist()],
            "scans": coverage.scans.tolist(),
            "bad": coverage.bad.tolist(),
        }
