"""Windows of a finished batch whose statistics are known before it is judged.

Of columns that may leave a level the window itself has told every scan. Of the others it is known that they stay inside all
levels wherever they can be evaluated: what stands for their statistics lies between their bounds, and no event ever shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.monitor.figures import MOST_EXACT_SCANS
from collector.monitor.statistics import ROWS, SLOPE
from collector.monitor.window import PANES, Window

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]
Times = NDArray[np.int64]


class Reach:
    """How far the windows of one length reach back, of each scan of a batch."""

    def __init__(self, slots_ns: Times, window_ns: int, period_ns: int) -> None:
        self.window_ns, self.period_ns, self._slots_ns = window_ns, period_ns, slots_ns
        self.panes = window_ns > MOST_EXACT_SCANS * period_ns
        self.begins_ns: Times = slots_ns - window_ns
        """What is after it is inside."""
        if self.panes:
            pane_ns = max(1, window_ns // PANES)
            self.begins_ns = self.begins_ns // pane_ns * pane_ns
        self.oldest: Indices = np.searchsorted(slots_ns, self.begins_ns, "right")
        """The first scan inside."""
        self.count = np.arange(1, len(slots_ns) + 1) - self.oldest
        """Scans inside."""
        self.slots = -(-window_ns // period_ns)
        """That there should be."""

    def at(self, slot_ns: int) -> int:
        """The scan of a slot."""
        return int(np.searchsorted(self._slots_ns, slot_ns))


@dataclass(frozen=True, slots=True)
class Computed:
    """What the window told of some columns `[m]`, after each scan."""

    columns: Indices
    rows: Floats
    """`[n, ROWS, m]`"""
    count: Floats
    """`[n, m]`"""

    @classmethod
    def of(cls, slots_ns: Times, values: Floats, columns: Indices, reach: Reach) -> Computed:
        """Scan by scan: the statistics that the daemon would have, to the bit."""
        chosen = np.ascontiguousarray(values[:, columns])
        rows, count = np.empty((len(slots_ns), ROWS, len(columns))), np.empty(chosen.shape)
        if not len(columns):
            return cls(columns, rows, count)
        window = Window(len(columns), reach.window_ns, reach.period_ns, panes=reach.panes)
        good: Bools = np.logical_not(np.isnan(chosen))
        all_good = np.all(good, axis=1).tolist()
        for at, slot_ns in enumerate(slots_ns.tolist()):
            window.push(slot_ns, chosen[at], None if all_good[at] else good[at])
            rows[at], count[at] = window.results, window.count
        return cls(columns, rows, count)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Columns `[m]` that leave no level: between what their statistics lie, pane by pane."""

    columns: Indices
    pane: int
    """Its scans."""
    middles: Mapping[int, Floats]
    """Of each statistic that is limited, `[panes, m]`."""


@dataclass(frozen=True, slots=True)
class Rolled:
    """All that is known of the windows of one length."""

    reach: Reach
    computed: Computed
    quiet: tuple[Quiet, ...]


class RecordedWindow:
    """Goes through a batch as `Window` does, of some columns that are known."""

    def __init__(self, rolled: Rolled, columns: Indices, out: Floats) -> None:
        """`columns`: of the batch, `[m]`; `out`: `[ROWS, m]`."""
        self._rolled, self._out, self._at = rolled, out, 0
        place = {column: at for at, column in enumerate(columns.tolist())}
        out.fill(0.0)
        self._computed = _shared(rolled.computed.columns, place)
        self._quiet = [(quiet, *_shared(quiet.columns, place)) for quiet in rolled.quiet]
        self._all_quiet = np.concatenate([there for _, _, there in self._quiet]) if self._quiet else np.zeros(0, np.intp)

    def push(self, slot_ns: int, values: Floats, good: Bools | None = None) -> bool:
        """To a scan of the batch."""
        self._at = at = self._rolled.reach.at(slot_ns)
        here, there = self._computed
        self._out[:, there] = self._rolled.computed.rows[at][:, here]
        for quiet, of_quiet, places in self._quiet:
            for row, middle in quiet.middles.items():
                self._out[row, places] = middle[at // quiet.pane, of_quiet]
        if self._rolled.reach.count[at] < 2:
            self._out[SLOPE, self._all_quiet] = np.nan
        return True

    @property
    def count(self) -> Floats:
        """Good samples of each column."""
        count = np.full(self._out.shape[1], float(self._rolled.reach.count[self._at]))
        here, there = self._computed
        count[there] = self._rolled.computed.count[self._at, here]
        return count

    @property
    def begin_ns(self) -> int:
        """What is after this time is inside."""
        return int(self._rolled.reach.begins_ns[self._at])


def _shared(columns: Indices, place: Mapping[int, int]) -> tuple[Indices, Indices]:
    """Of the columns that stand in both: where in the one and where in the other."""
    pairs = [(at, place[column]) for at, column in enumerate(columns.tolist()) if column in place]
    return np.array([here for here, _ in pairs], np.intp), np.array([there for _, there in pairs], np.intp)
