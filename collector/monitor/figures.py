"""The figures that rules are about, of one scan group: raw values and rolling statistics in one array, one cell each.

    cells   | value of each limited column | mean, slope, variance, min, max of the columns with a window of 60 s | ... of 600 s |
            | figures that last longer |

One array, so that one comparison serves all rules. Only columns that have a limit stand in it, and only those with a limit
on a rolling statistic have a window: memory is what a gateway of 10,000 tags is short of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from collector.monitor import statistics
from collector.monitor.aligned import aligned
from collector.monitor.between import Round
from collector.monitor.catalogue import NOBODY
from collector.monitor.lasting import LASTING, Lasting, lasting_cells
from collector.monitor.lasting_cells import Cell
from collector.monitor.statistics import ROW_OF
from collector.monitor.window import Window
from collector.terms import Event, Stamp
from config.limits import Limit
from drivers.base import Layout

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]
Times = NDArray[np.int64]

Source = tuple[str, float | None]
"""(statistic, window in seconds) that a cell holds; ("value", None) is the raw sample."""

MOST_EXACT_SCANS: Final = 7_200
"""A window of more scans begins on a pane's boundary: an exact one keeps every sample, 8 bytes each."""


EARLIEST: Final = -(1 << 62)
"""Before everything."""


class RollingWindow(Protocol):
    """What figures need of a window."""

    @property
    def count(self) -> float | Floats:
        """Good samples of each column; one figure where all columns have the same."""

    @property
    def begin_ns(self) -> int:
        """What is after this time is inside."""

    def push(self, slot_ns: int, values: Floats, good: Bools | None = None) -> bool:
        """Bring the results forward to `slot_ns`."""


class Windows(Protocol):
    """Makes windows."""

    def __call__(self, columns: int, window_ns: int, period_ns: int, *, panes: bool, out: Floats) -> RollingWindow:
        """As `Window`."""


class LastingFigures(Protocol):
    """What figures and a judge need of those that last."""

    @property
    def newest_ns(self) -> int:
        """The slot up to which it counted."""

    def cell(self, limit: Limit, column: int) -> int:
        """Where the figure that `limit` is about stands among the values."""

    def enter(self, slot_ns: int, rows: Indices, stamps: Sequence[Stamp]) -> None:
        """A context before the scan of `slot_ns`: which row holds of each cell."""

    def push(self, slot_ns: int, values: Floats, good: Bools) -> None:
        """A scan, `[k]`."""

    def evaluable(self) -> Bools:
        """Of each cell."""

    def events(self) -> Iterator[Event]:
        """How all stand after the newest scan, one event for each unit."""


class Lastings(Protocol):
    """Makes them."""

    def __call__(
        self,
        layout: Layout,
        limits: Sequence[Limit],
        cells: Sequence[Cell],
        values: Floats,
        before: Iterable[Event],
        *,
        from_begin: bool,
    ) -> LastingFigures:
        """As `Lasting`."""


@dataclass(frozen=True, slots=True)
class Known:
    """Where figures come from that are known before a scan is judged, as those of a finished batch."""

    windows: Windows = Window
    lastings: Lastings = Lasting


OF_ITS_OWN: Final = Known()
"""None are: a judge has its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Required:
    """Of cells, what must be so that they can be evaluated."""

    values: Floats
    share: Floats
    """Of the slots that must be good; 0 where nothing is limited."""
    since_ns: Times
    """Before which slot a window must not reach."""

    def part(self, first: int, rows: int, columns: int) -> Required:
        """The cells from `first` on, `[rows, columns]`."""
        part = slice(first, first + rows * columns)
        share, since_ns = self.share[part].reshape(rows, columns), self.since_ns[part].reshape(rows, columns)
        return Required(self.values[part].reshape(rows, columns), share, since_ns)


class _Rolling:
    """The window of some columns, and when its statistics can be evaluated."""

    def __init__(self, columns: Indices, part: Indices | slice, window: RollingWindow, slots: int, required: Required) -> None:
        """`columns`: of the layout, `[m]`; `part`: where they stand among the limited ones."""
        self.columns, self.window = columns, window
        self._part, self._slots, self._required = part, slots, required
        self.require()

    def require(self) -> None:
        """What is required has changed."""
        required = self._required
        self._most_share, self._latest_ns = float(required.share.max(initial=0.0)), int(required.since_ns.max(initial=EARLIEST))

    def push(self, slot_ns: int, values: Floats, good: Bools | None) -> None:
        self.window.push(slot_ns, values[self._part], None if good is None else good[self._part])

    def is_wholly_evaluable(self) -> bool:
        """Of all cells at once, as it is with nearly every scan."""
        count = self.window.count
        enough = isinstance(count, float) and count / self._slots >= self._most_share
        if not enough or self.window.begin_ns < self._latest_ns:
            return False
        values = self._required.values
        return bool(np.count_nonzero(np.isfinite(values)) == values.size)

    def evaluable(self) -> Bools:
        """Enough good samples, the window inside the phase, and a number: `[ROWS, m]`."""
        enough = np.asarray(self.window.count) / self._slots >= self._required.share
        return enough & (self.window.begin_ns >= self._required.since_ns) & np.isfinite(self._required.values)


class Figures:
    """Of the limited columns of a scan group."""

    def __init__(
        self,
        layout: Layout,
        columns: Indices,
        limits: Iterable[Limit],
        accumulated: Iterable[Event] = (),
        *,
        from_begin: bool = False,
        known: Known = OF_ITS_OWN,
    ) -> None:
        """`columns`: which are limited; `limits`: every row that may ever hold; `known`: figures that are, already; for the
        others see `Lasting`."""
        limits = tuple(limits)
        self._layout = layout
        self._columns = columns
        roles: dict[float, set[str]] = {}
        for limit in limits:
            if limit.window_s is not None and limit.statistic in ROW_OF:
                roles.setdefault(limit.window_s, set()).add(limit.role)
        at = {window_s: self._standing(wanted) for window_s, wanted in roles.items()}
        lasting = lasting_cells(layout, limits)
        self._first_lasting = len(columns) + statistics.ROWS * sum(map(len, at.values()))
        self.values = aligned(self._first_lasting + len(lasting))
        self.values.fill(np.nan)
        """Of each cell; of the variance in place of std."""
        required = Required(self.values, np.zeros(len(self.values)), np.full(len(self.values), EARLIEST, np.int64))
        self._required = required
        self._first_cell: dict[float, int] = {}
        self._rolling: dict[float, _Rolling] = {}
        first = len(columns)
        for window_s, standing in at.items():
            part = required.part(first, statistics.ROWS, len(standing))
            self._rolling[window_s] = self._window(window_s, standing, part, known.windows)
            self._first_cell[window_s] = first
            first += part.values.size
        last = self.values[self._first_lasting :]
        self.lasting = known.lastings(layout, limits, lasting, last, accumulated, from_begin=from_begin) if lasting else None
        """None where no row is about such a figure."""
        self._good: Bools | None = None
        self._slot_ns = EARLIEST
        self._settled_ns = np.full(len(self.values), EARLIEST, np.int64)
        """From which slot on each cell is judged."""
        self._all_settled_ns = EARLIEST

    def _window(self, window_s: float, standing: Indices, required: Required, windows: Windows) -> _Rolling:
        window_ns, period_ns = round(window_s * 1e9), self._layout.period_ns
        panes = window_ns > MOST_EXACT_SCANS * period_ns
        window = windows(len(standing), window_ns, period_ns, panes=panes, out=required.values)
        part = slice(None) if len(standing) == len(self._columns) else standing
        return _Rolling(self._columns[standing], part, window, -(-window_ns // period_ns), required)

    @property
    def period_ns(self) -> int:
        """Of the scan group."""
        return self._layout.period_ns

    def _standing(self, roles: set[str]) -> Indices:
        layout = self._layout.columns
        return np.array([n for n, index in enumerate(self._columns.tolist()) if layout[index].role in roles], np.intp)

    def cell(self, source: Source, column: int) -> int:
        """Where the figure of a layout's column stands."""
        return int(self._cells(source, np.array([column], np.intp))[0])

    def _cells(self, source: Source, columns: Indices) -> Indices:
        statistic, window_s = source
        if window_s is None:
            return np.searchsorted(self._columns, columns)
        rolling = self._rolling[window_s]
        first = self._first_cell[window_s] + ROW_OF[statistic] * len(rolling.columns)
        return first + np.searchsorted(rolling.columns, columns)

    def cells_of(self, limit: Limit, columns: Indices) -> Indices:
        """Where the figures that a row is about stand, of some columns that it limits."""
        if self.lasting is not None and limit.statistic in LASTING:
            return np.array([self._first_lasting + self.lasting.cell(limit, column) for column in columns.tolist()], np.intp)
        return self._cells((limit.statistic, limit.window_s), columns)

    def lasting_rows(self, cells: Indices, rows: Indices) -> Indices:
        """Of each figure that lasts the row that holds, from the rows that hold on some of their `cells`."""
        found = np.full(len(self.values) - self._first_lasting, NOBODY, np.intp)
        found[cells - self._first_lasting] = rows
        return found

    def release(self, cells: Indices) -> None:
        """No limit is in force on some cells; `require` follows."""
        self._required.share[cells], self._required.since_ns[cells], self._settled_ns[cells] = 0.0, EARLIEST, EARLIEST

    def require(self, cells: Indices, share: Floats, since_ns: Times, settled_ns: Times) -> None:
        """Of cells with a limit the least coverage of their window, before which slot it must not reach, and from which slot on
        they are judged."""
        self._required.share[cells], self._required.since_ns[cells] = share, since_ns
        self._settled_ns[cells] = settled_ns
        for rolling in self._rolling.values():
            rolling.require()
        self._all_settled_ns = int(self._settled_ns.max(initial=EARLIEST))

    def push(self, slot_ns: int, values: Floats, good: Bools) -> None:
        """A scan's limited columns, `[m]`, of a slot after the newest."""
        all_good = np.count_nonzero(good) == len(good)
        self._good, self._slot_ns = None if all_good else good, slot_ns
        raw = self.values[: len(good)]
        np.copyto(raw, values)
        if not all_good:
            raw[~good] = np.nan
        for rolling in self._rolling.values():
            rolling.push(slot_ns, values, self._good)

    def evaluable(self) -> Bools | None:
        """Which cells can be evaluated on the newest scan; None: all."""
        lasting = [] if self.lasting is None else [self.lasting.evaluable()]
        settling, rolling = self._slot_ns < self._all_settled_ns, self._rolling.values()
        whole = self._good is None and not settling and all(part.all() for part in lasting)
        if whole and all(part.is_wholly_evaluable() for part in rolling):
            return None
        good = np.ones(len(self._columns), np.bool_) if self._good is None else self._good
        evaluable = np.concatenate([good, *(part.evaluable().ravel() for part in rolling), *lasting])
        return evaluable & (self._settled_ns <= self._slot_ns) if settling else evaluable

    def between(self, each: Round) -> tuple[Times, Floats, Bools]:
        """Raw values between two slots: of each cell the time, the value, and whether it can be evaluated."""
        times_ns, cells = np.zeros(len(self.values), np.int64), np.full(len(self.values), np.nan)
        evaluable = np.zeros(len(self.values), np.bool_)
        raw = slice(len(self._columns))
        times_ns[raw], cells[raw] = each.times_ns[self._columns], each.values[self._columns]
        evaluable[raw] = each.good[self._columns]
        return times_ns, cells, evaluable & (self._settled_ns <= times_ns)
