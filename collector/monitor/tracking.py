"""Excursions of a whole scan group: which columns have a PAR now, what opens and closes, as events.

    context ──> enter: what is open ends, where another row holds now ──> sample ──> events; `open`, as it stands

An excursion goes from the first good sample outside PAR to the first one inside. So it goes on in the next phase where the
same row of the limit set holds there, and is of the phase in which it began. Of another batch, product or recipe version
it never is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
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
        self._began: dict[tuple[str, str], Stamp] = {}
        """In which context."""

    def _tracker(self, column: int) -> Tracker:
        about, limit = self._layout.columns[column], self._catalogue.rows.limits[self._row[column]]
        assert limit.par is not None
        merge_ns = None if limit.merge_gap_s is None else round(limit.merge_gap_s * 1e9)
        levels = (limit.par.low, limit.par.high, self._layout.period_ns, limit.measure, merge_ns)
        return Tracker(about.unit, about.role, *levels, cpp=limit.cpp)

    def enter(
        self, slot_ns: int, places: Indices, rows: Indices, before: Mapping[str, Stamp], now: Mapping[str, Stamp]
    ) -> list[Event]:
        """A new context: all places of some units, and which row holds on each; the stamps of the units before and now."""
        catalogue = self._catalogue
        columns = np.unique(catalogue.column[places])
        has = catalogue.rows.has[rows]
        judged = (rows != NOBODY) & catalogue.raw[places] & (has[:, PAR_LOW] | has[:, PAR_HIGH])
        limited, rows = catalogue.column[places[judged]], rows[judged]
        opened = self._trackers.open_of(columns)
        held = self._row[opened]
        self._row[columns] = NOBODY
        self._row[limited] = rows
        goes_on = (self._row[opened] == held) & self._is_of_one_set(opened, before, now)
        events = self._end(opened[~goes_on], slot_ns, "limits changed")
        self._trackers.follow(columns, -np.inf, np.inf)
        self._trackers.follow(limited, catalogue.rows.level[rows, PAR_LOW], catalogue.rows.level[rows, PAR_HIGH])
        return events

    def _is_of_one_set(self, columns: Indices, before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> Bools:
        """Whether no more than phase and mode of their units have changed: it is one batch, by one limit set."""
        units = (self._layout.columns[column].unit for column in columns.tolist())
        stamps = ((before[unit], now[unit]) for unit in units)
        return np.array([replace(old, phase=new.phase, mode=new.mode) == new for old, new in stamps], np.bool_)

    def close(self, slot_ns: int) -> list[Event]:
        """End what is open, when the daemon stops."""
        return self._end(self._trackers.open_of(np.arange(len(self._row))), slot_ns, "stopped")

    def _end(self, columns: Indices, slot_ns: int, why: Literal["limits changed", "stopped"]) -> list[Event]:
        ended = self._trackers.end(columns, slot_ns, why)
        for excursion in ended:
            self.open.pop((excursion.unit, excursion.role), None)
        return [self._told(excursion) for excursion in ended]

    def sample(
        self, slot_ns: int, values: Floats, good: Bools, stamp_of: Mapping[str, Stamp], times_ns: Times | None = None
    ) -> list[Event]:
        """What a scan tells, or values between the slots, each at its time."""
        events = []
        for index, tracker, told in self._trackers.sample(slot_ns, values, good, times_ns):
            column = self._layout.columns[index]
            for excursion in told:
                if not excursion.ended:
                    self._began[excursion.unit, excursion.role] = stamp_of[excursion.unit]
                events.append(self._told(excursion))
            if tracker.open is not None:
                self.open[column.unit, column.role] = tracker.open
            else:
                self.open.pop((column.unit, column.role), None)
        return events

    def _told(self, excursion: Excursion) -> Event:
        stamp = self._began[excursion.unit, excursion.role]
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

    def open_of(self, columns: Indices) -> Indices:
        """Those of some columns that have an open excursion."""
        return columns[self._open[columns]]

    def end(self, columns: Indices, last_ns: int, why: Literal["limits changed", "stopped"]) -> list[Excursion]:
        """End what is open of some columns, each of which is."""
        self._open[columns] = False
        return [excursion for column in columns.tolist() for excursion in self._trackers.pop(column).end(last_ns, why)]

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
