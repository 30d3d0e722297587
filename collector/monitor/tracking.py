"""Excursions of a whole scan group: which columns have a PAR now, what opens and closes, as events.

context ──> enter: what is open of its units ends, another PAR ──> sample ──> events; `open`, as it stands
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collector.monitor.catalogue import NOBODY, Catalogue
from collector.monitor.excursions import Excursion, Tracker
from collector.monitor.limit_set import LimitSets
from collector.monitor.limits import PAR_HIGH, PAR_LOW
from collector.monitor.marks import Marks
from collector.terms import Event, Stamp
from config.limits import Limit
from drivers.base import Layout

Indices = NDArray[np.intp]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Times = NDArray[np.int64]


class Tracking:
    """Of one scan group."""

    def __init__(self, layout: Layout, catalogue: Catalogue, limits: Sequence[Limit]) -> None:
        """`limits`: the whole limit set, whose hash an excursion names."""
        self._layout, self._catalogue, self._sets = layout, catalogue, LimitSets(limits)
        self._row = np.full(len(layout.columns), NOBODY, np.intp)
        """Whose PAR each column has."""
        self._trackers = Trackers(len(layout.columns), self._tracker)
        self.open: dict[tuple[str, str], Excursion] = {}
        """Open excursions by (unit, role), as they stand."""

    def _tracker(self, column: int) -> Tracker:
        about, limit = self._layout.columns[column], self._catalogue.rows.limits[self._row[column]]
        assert limit.par is not None
        merge_ns = None if limit.merge_gap_s is None else round(limit.merge_gap_s * 1e9)
        levels = (limit.par.low, limit.par.high, self._layout.period_ns, limit.measure, merge_ns)
        return Tracker(about.unit, about.role, *levels, cpp=limit.cpp)

    def enter(self, slot_ns: int, places: Indices, rows: Indices, before: Mapping[str, Stamp]) -> list[Event]:
        """A new context: all places of some units, and which row holds on each; `before`: the stamps until now."""
        catalogue = self._catalogue
        columns = np.unique(catalogue.column[places])
        events = self._end(columns, slot_ns, "limits changed", before)
        has = catalogue.rows.has[rows]
        judged = (rows != NOBODY) & catalogue.raw[places] & (has[:, PAR_LOW] | has[:, PAR_HIGH])
        self._row[columns] = NOBODY
        self._trackers.follow(columns, -np.inf, np.inf)
        limited, rows = catalogue.column[places[judged]], rows[judged]
        self._row[limited] = rows
        self._trackers.follow(limited, catalogue.rows.level[rows, PAR_LOW], catalogue.rows.level[rows, PAR_HIGH])
        return events

    def close(self, slot_ns: int, stamp_of: Mapping[str, Stamp]) -> list[Event]:
        """End what is open, when the daemon stops."""
        return self._end(np.arange(len(self._row)), slot_ns, "stopped", stamp_of)

    def _end(
        self, columns: Indices, slot_ns: int, why: Literal["limits changed", "stopped"], stamp_of: Mapping[str, Stamp]
    ) -> list[Event]:
        ended = self._trackers.end(columns, slot_ns, why)
        for excursion in ended:
            self.open.pop((excursion.unit, excursion.role), None)
        return [self._told(excursion, stamp_of.get(excursion.unit, Stamp())) for excursion in ended]

    def sample(
        self, slot_ns: int, values: Floats, good: Bools, stamp_of: Mapping[str, Stamp], times_ns: Times | None = None
    ) -> list[Event]:
        """What a scan tells, or values between the slots, each at its time."""
        events = []
        for index, tracker, told in self._trackers.sample(slot_ns, values, good, times_ns):
            column = self._layout.columns[index]
            events += [self._told(excursion, stamp_of[column.unit]) for excursion in told]
            if tracker.open is not None:
                self.open[column.unit, column.role] = tracker.open
            else:
                self.open.pop((column.unit, column.role), None)
        return events

    def _told(self, excursion: Excursion, stamp: Stamp) -> Event:
        return excursion.event(stamp, self._sets.hash(excursion.unit, stamp))


class Trackers:
    """Follows the columns of a scan group: one comparison for all, and a tracker only of those that are outside.

    A good sample inside PAR changes nothing for a column without an open excursion.
    """

    def __init__(self, columns: int, tracker: Callable[[int], Tracker]) -> None:
        """`tracker` makes that of a column when it leaves its PAR."""
        self._make = tracker
        self._low, self._high = np.full(columns, -np.inf), np.full(columns, np.inf)
        self._open = np.zeros(columns, np.bool_)
        self._left = Marks(columns)
        self._trackers: dict[int, Tracker] = {}
        """Of columns with an open excursion."""

    def follow(self, columns: Indices, low: NDArray[np.float64] | float, high: NDArray[np.float64] | float) -> None:
        """Another PAR of some columns, infinite where there is none; what is open has been ended."""
        self._low[columns], self._high[columns] = low, high

    def end(self, columns: Indices, last_ns: int, why: Literal["limits changed", "stopped"]) -> list[Excursion]:
        """End what is open of some columns."""
        left = columns[self._open[columns]].tolist()
        self._open[columns] = False
        return [excursion for column in left for excursion in self._trackers.pop(column).end(last_ns, why)]

    def sample(
        self,
        slot_ns: int,
        values: NDArray[np.float64],
        good: NDArray[np.bool_],
        times_ns: NDArray[np.int64] | None = None,
    ) -> Iterator[tuple[int, Tracker, list[Excursion]]]:
        """Of a scan, `[k]`: each column that is or was outside, its tracker after this sample, and what that tells.
        `times_ns`: of each column's value, where they are of between the slots."""
        np.less(values, self._low, self._left.below)
        np.greater(values, self._high, self._left.above)
        if not self._trackers and not self._left.any():
            return
        due = good & (self._open | self._left.below | self._left.above)
        for column in np.flatnonzero(due).tolist():
            tracker = self._trackers.get(column) or self._make(column)
            told = tracker.sample(slot_ns, float(values[column]), None if times_ns is None else int(times_ns[column]))
            self._open[column] = tracker.open is not None
            if tracker.open is None:
                self._trackers.pop(column, None)
            else:
                self._trackers[column] = tracker
            yield column, tracker, told
