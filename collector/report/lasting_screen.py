"""Limits on what lasts, over a whole recorded batch: which columns have anything to tell, at which scans, and the figures then.

A column is passed over where no figure of it ever is beyond a level, and what could be told never can't be later. Of the others a
judge has to see the scans where a figure comes to lie on another side of a level, or where it changes whether it can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from collector.monitor.lasting import LASTING, lasting_cells
from collector.monitor.lasting_cells import Bools, Cell, CellKey, Floats, Indices
from collector.monitor.limits import Rule
from collector.report.contexts import Context
from collector.report.quiet_courses import is_quiet
from collector.report.recorded_courses import Course, Stay, course_of
from collector.report.recording import Batch
from collector.terms import Event, Stamp
from config.limits import Limit
from drivers.base import Layout


class LastingScreen:
    """Of one batch."""

    def __init__(
        self, batch: Batch, layout: Layout, limits: Sequence[Limit], contexts: Sequence[Context], *, from_begin: bool
    ) -> None:
        """`from_begin`: the first scan is the first of its batch."""
        self._batch, self._layout = batch, layout
        cells = lasting_cells(layout, limits)
        self._rules = [(slice(context.first, context.end), _by_cell(context.rules)) for context in contexts]
        self._stays = {cell.key: list(self._stays_of(cell, contexts, from_begin=from_begin)) for cell in cells}
        self._limits = {cell.key: cell.limit for cell in cells}
        self._courses: dict[CellKey, Course] = {}

    def _stays_of(self, cell: Cell, contexts: Sequence[Context], *, from_begin: bool) -> Iterator[Stay]:
        before: Stamp | None = None
        for context, (_, rules) in zip(contexts, self._rules, strict=True):
            stamp, holding = context.stamp, rules.get(cell.key)
            new_batch = from_begin if before is None else before.batch != stamp.batch
            new_phase = new_batch or (from_begin if before is None else before.phase != stamp.phase)
            row = holding[0].limit if holding else None
            yield Stay(context.first, context.end, stamp, row, new_phase=new_phase, new_batch=new_batch)
            before = stamp

    def _course(self, key: CellKey) -> Course:
        if key not in self._courses:
            batch, values = self._batch, self._batch.values[:, key[0]]
            self._courses[key] = course_of(self._limits[key], self._stays[key], batch.slots_ns, values, self._layout.period_ns)
        return self._courses[key]

    def loud(self, stirred: Bools) -> Bools:
        """Which columns may have something to tell, `[m]`; `stirred`: those of which that is known, and all that have a bad
        sample."""
        found, values = stirred.copy(), self._batch.values
        for key, limit in self._limits.items():
            if not found[key[0]] and not is_quiet(limit, self._stays[key], values[:, key[0]], self._layout.period_ns):
                found[key[0]] = self._tells(key)
        return found

    def _tells(self, key: CellKey) -> bool:
        course = self._course(key)
        falls = bool((course.evaluable[:-1] & ~course.evaluable[1:]).any())
        return falls or any(
            _beyond(course.values[of], rule, rule.level).any() for of, rules in self._rules for rule in rules.get(key, ())
        )

    def changes(self, loud: Bools) -> Bools:
        """The scans that have to be seen, of the columns that are shown, `[n]`."""
        found = np.zeros(len(self._batch.slots_ns), np.bool_)
        for key in self._limits:
            if not loud[key[0]]:
                continue
            course = self._course(key)
            found[1:] |= course.evaluable[1:] != course.evaluable[:-1]
            for of, rules in self._rules:
                here = found[of.start + 1 : of.stop]
                for rule in rules.get(key, ()):
                    for level in {rule.level, rule.level_back}:
                        beyond = _beyond(course.values[of], rule, level)
                        here |= beyond[1:] != beyond[:-1]
        return found

    def lasting(
        self,
        layout: Layout,
        limits: Sequence[Limit],
        cells: Sequence[Cell],
        values: Floats,
        before: Iterable[Event],
        *,
        from_begin: bool,
    ) -> RecordedLasting:
        """In place of `Lasting`, of some columns of the batch."""
        place = {column.role: at for at, column in enumerate(self._layout.columns)}
        keys = [(place[layout.columns[cell.column].role], *cell.key[1:]) for cell in cells]
        return RecordedLasting(self._batch.slots_ns, [cell.key for cell in cells], [self._course(key) for key in keys], values)


class RecordedLasting:
    """Goes through a batch as `Lasting` does; all is known."""

    def __init__(self, slots_ns: NDArray[np.int64], keys: Sequence[CellKey], courses: Sequence[Course], values: Floats) -> None:
        """`values`: where the figures of the cells `keys` stand."""
        self._slots_ns, self._values = slots_ns, values
        self._at: Mapping[CellKey, int] = {key: at for at, key in enumerate(keys)}
        self._figures = np.stack([course.values for course in courses], axis=1)
        self._evaluable = np.stack([course.evaluable for course in courses], axis=1)
        self.newest_ns = -(1 << 62)
        """The slot up to which it counted."""
        self._scan = 0

    def cell(self, limit: Limit, column: int) -> int:
        """Where the figure that `limit` is about stands among the values."""
        return self._at[column, limit.measure, limit.window_s]

    def enter(self, slot_ns: int, rows: Indices, stamps: Sequence[Stamp]) -> None:
        """Contexts are those of the batch."""

    def push(self, slot_ns: int, values: Floats, good: Bools) -> None:
        """To a scan of the batch."""
        self.newest_ns, self._scan = slot_ns, int(np.searchsorted(self._slots_ns, slot_ns))
        np.copyto(self._values, self._figures[self._scan])

    def evaluable(self) -> Bools:
        """Of each cell."""
        found: Bools = self._evaluable[self._scan]
        return found

    def events(self) -> Iterator[Event]:
        """No run goes on from a recorded batch."""
        return iter(())


def _by_cell(rules: Iterable[Rule]) -> Mapping[CellKey, list[Rule]]:
    found: dict[CellKey, list[Rule]] = {}
    for rule in rules:
        if rule.limit.statistic in LASTING:
            found.setdefault((rule.column, rule.limit.measure, rule.limit.window_s), []).append(rule)
    return found


def _beyond(values: Floats, rule: Rule, level: float) -> Bools:
    return np.asarray(values > level if rule.side == "high" else values < level, np.bool_)
