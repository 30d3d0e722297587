"""The limit set as arrays: which of its rows may ever hold for each column of a scan group, and which hold now.

    column 0                         column 1                    a place is one column and statistic that some row limits; it
    place 0: value   1: mean 60 s    place 2: value   ...        stays where it is, whichever row holds on it
    0 NOR low        4 NOR high      5 PAR low        ...        rules of a place: all names that any of its rows has
    1 NOR high       ...

So a change of phase moves nothing: it looks up which rows hold on the places of the units that changed, and their levels. What
`limits.limits_for` and `limits.rules_of` say of a single column is said here of thousands, without a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.limits import DEFAULT_DEADBAND, NAMES, Rule, rules_of, side_of, specificity, terms_of
from collector.monitor.ranges import begins, members
from collector.terms import Stamp
from config.limits import Limit
from config.tags import Kind
from drivers.base import Layout

Indices = NDArray[np.intp]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Times = NDArray[np.int64]

NOBODY: Final = -1
"""No row holds."""
_ANY: Final = -1
_UNHEARD: Final = -2
IDLE: Final = np.array([-np.inf if side_of(name) == "low" else np.inf for name in range(len(NAMES))])
"""Of each name the level of a rule that is not in force: nothing is beyond it."""
_Key = tuple[str, float | None]


class LimitRows:
    """What rows say, `[n]` each; of levels `[n, NAMES]`."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.limits = limits
        self._codes: tuple[dict[str | None, int], ...] = ({None: _ANY}, {None: _ANY}, {None: _ANY})
        asked = (
            [limit.product for limit in limits],
            [limit.recipe_version for limit in limits],
            [limit.phase for limit in limits],
        )
        coded = [[codes.setdefault(text, len(codes)) for text in each] for codes, each in zip(self._codes, asked, strict=True)]
        self._asked = np.array(coded, np.intp).T
        """Product, recipe version and phase by number."""
        self.on_ns = _whole_ns([limit.on_delay_s for limit in limits])
        self.off_ns = _whole_ns([limit.off_delay_s for limit in limits])
        self.settle_ns = _whole_ns([limit.settle_s for limit in limits])
        self.coverage = np.array([limit.min_coverage for limit in limits], np.float64)
        self.spans = np.array([limit.spans_phases for limit in limits], np.bool_)
        of_rows = [terms_of(limit) for limit in limits]
        self.names = [tuple([term.name for term in terms]) for terms in of_rows]
        terms = [term for each in of_rows for term in each]
        at = np.repeat(np.arange(len(limits)), [len(each) for each in of_rows]), np.array([term.name for term in terms], np.intp)
        self.has = np.zeros((len(limits), len(NAMES)), np.bool_)
        self.has[at] = True
        self.level = np.repeat(IDLE[None], len(limits), axis=0)
        self.level[at] = [term.level for term in terms]
        self._deadband, self._most = np.zeros(self.level.shape), np.full(self.level.shape, np.nan)
        self._deadband[at] = [term.deadband for term in terms]
        self._most[at] = np.array([term.most for term in terms], np.float64)

    def fit(self, rows: Indices, stamps: Sequence[Stamp], which: Indices) -> Bools:
        """Whether each of `rows` is for the stamp that `which` names."""
        given = ((stamp.product, stamp.recipe_version, stamp.phase) for stamp in stamps)
        codes = [[self._codes[n].get(text, _UNHEARD) for n, text in enumerate(each)] for each in given]
        asked = self._asked[rows]
        fits: Bools = ((asked == _ANY) | (asked == np.array(codes, np.intp).reshape(-1, 3)[which])).all(axis=1)
        return fits

    def deadband(self, rows: Indices, names: Indices, spans: Floats) -> Floats:
        """Of levels on columns whose range has that span, NaN where it is not known."""
        default = np.minimum(DEFAULT_DEADBAND * spans, self._most[rows, names])
        return np.where(np.isnan(default), self._deadband[rows, names], default)


class _Possible:
    """The rows that may hold for columns of one role, and the places that they make."""

    def __init__(self, rows: Sequence[int], of: LimitRows, keys: dict[_Key, int]) -> None:
        """`keys`: the number of each statistic, of all columns."""
        places: dict[_Key, list[int]] = {}
        for row in rows:
            limit = of.limits[row]
            places.setdefault((limit.measure, limit.window_s), []).append(row)
        self.keys = [keys.setdefault(key, len(keys)) for key in places]
        self.names = [sorted({name for row in alike for name in of.names[row]}) for alike in places.values()]
        ranked = [(specificity(of.limits[row]), -row, place) for place, alike in enumerate(places.values()) for row in alike]
        ranked.sort()
        self.rows = [-row for _, row, _ in ranked]
        """The one that holds of several that fit is the last."""
        self.place_of_row = [place for _, _, place in ranked]


class Catalogue:
    """Of one scan group."""

    def __init__(self, layout: Layout, limits: Sequence[Limit]) -> None:
        self.rows = LimitRows(limits)
        self._layout = layout
        self._made: dict[tuple[int, int], Rule] = {}
        keys: dict[_Key, int] = {}
        columns, sorts, possible = _possible(layout, self.rows, keys)
        self.keys = tuple(keys)
        """(measure, window in seconds) of each statistic."""
        unit_at = {unit: at for at, unit in enumerate(layout.units)}
        self._units = np.array([unit_at[layout.columns[column].unit] for column in columns.tolist()], np.intp)
        self._sorts = sorts
        self._row_counts = np.array([len(each.rows) for each in possible], np.intp)
        self._rows = np.array([row for each in possible for row in each.rows], np.intp)
        self._place_of_row = np.array([place for each in possible for place in each.place_of_row], np.intp)
        self._place_counts = np.array([len(each.keys) for each in possible], np.intp)[sorts]
        self._first_place = begins(self._place_counts)
        of_sorts = np.array([key for each in possible for key in each.keys], np.intp)
        first_of_sort = begins(np.array([len(each.keys) for each in possible], np.intp))
        place_in_sorts = members(first_of_sort[sorts], self._place_counts)
        self.column = np.repeat(columns, self._place_counts)
        """Of each place `[p]` its column,"""
        self.key = of_sorts[place_in_sorts]
        """its statistic by number,"""
        self.raw = np.array([limit.statistic == "value" for limit in self.statistics], np.bool_)[self.key]
        """whether that is the raw sample,"""
        self.unit = np.repeat(self._units, self._place_counts)
        """and the place of its unit among those of the layout."""
        names = [name for each in possible for name in each.names]
        name_counts = np.array([len(name) for name in names], np.intp)
        self._rule_counts = name_counts[place_in_sorts]
        self.first_rule = begins(self._rule_counts)
        """Of each place `[p + 1]`; in the order of the columns."""
        of_names = np.array([name for each in names for name in each], np.intp)
        self.name = of_names[members(begins(name_counts)[:-1][place_in_sorts], self._rule_counts)]
        """Of each rule `[r]` its place in `NAMES`,"""
        self.place = np.repeat(np.arange(len(self.column)), self._rule_counts)
        """and its own."""
        about = layout.columns
        ranges = [
            (np.nan if low is None else low, np.nan if high is None else high) for low, high in ((c.low, c.high) for c in about)
        ]
        low, high = np.array(ranges, np.float64).reshape(-1, 2).T
        with np.errstate(over="ignore"):
            self._spans = high - low

    @cached_property
    def statistics(self) -> tuple[Limit, ...]:
        """A row on each statistic of `keys`; others on it differ in levels, not in what they limit."""
        found = {(limit.measure, limit.window_s): limit for limit in self.rows.limits}
        return tuple(found[key] for key in self.keys)

    def holding(self, units: Bools, stamps: Sequence[Stamp]) -> tuple[Indices, Indices]:
        """The places of some units, ascending, and which row holds on each with their stamps; `NOBODY`: none."""
        columns = np.flatnonzero(units[self._units])
        sorts = self._sorts[columns]
        counts = self._row_counts[sorts]
        candidates = members(begins(self._row_counts)[:-1][sorts], counts)
        rows, column = self._rows[candidates], np.repeat(columns, counts)
        fits = self.rows.fit(rows, stamps, self._units[column])
        place = self._first_place[column] + self._place_of_row[candidates]
        held = np.full(len(self.column), NOBODY, np.intp)
        held[place[fits]] = rows[fits]  # of several the last stays
        places = members(self._first_place[columns], self._place_counts[columns])
        return places, held[places]

    def rules(self, places: Indices) -> Indices:
        """Those of some places, in their order."""
        return members(self.first_rule[places], self._rule_counts[places])

    def levels(self, rules: Indices, rows: Indices) -> tuple[Floats, Floats]:
        """Of rules where these rows hold the level, and where it is inside again; `IDLE` where a row has no such level."""
        names = self.name[rules]
        level = np.where(rows == NOBODY, IDLE[names], self.rows.level[rows, names])
        deadband = self.rows.deadband(rows, names, self._spans[self.column[self.place[rules]]])
        with np.errstate(over="ignore", invalid="ignore"):  # the largest floats are ranges and deadbands, too
            return level, np.where(IDLE[names] > 0, level - deadband, level + deadband)

    def rule(self, rule: int, row: int) -> Rule:
        """A rule as it is while `row` holds, which has its level."""
        if (rule, row) not in self._made:
            column = int(self.column[self.place[rule]])
            found = rules_of(column, self.rows.limits[row], self._layout.columns[column])
            self._made[rule, row] = next(each for each in found if each.name == NAMES[self.name[rule]])
        return self._made[rule, row]


def _possible(layout: Layout, rows: LimitRows, keys: dict[_Key, int]) -> tuple[Indices, Indices, list[_Possible]]:
    """The columns that are ever limited, by number which rows may hold for each, and what those make."""
    fitting: dict[tuple[str, str | None], list[int]] = {}
    for n, limit in enumerate(rows.limits):
        fitting.setdefault((limit.role, limit.unit), []).append(n)
    sorts: dict[tuple[str, str | None], int] = {}
    possible, columns, sort = list[_Possible](), list[int](), list[int]()
    for index, column in enumerate(layout.columns):
        key = column.role, column.unit if (column.role, column.unit) in fitting else None
        if key not in fitting or column.kind not in (Kind.REAL, Kind.INTEGER):
            continue
        if key not in sorts:
            sorts[key] = len(possible)
            of_all = fitting.get((column.role, None), []) if key[1] is not None else []
            possible.append(_Possible(sorted(fitting[key] + of_all), rows, keys))
        columns.append(index)
        sort.append(sorts[key])
    return np.array(columns, np.intp), np.array(sort, np.intp), possible


def _whole_ns(seconds: Sequence[float]) -> Times:
    return np.array([round(each * 1e9) for each in seconds], np.int64)
