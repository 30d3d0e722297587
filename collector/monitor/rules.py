"""Rules as rows: one comparison per scan for all of them, only changes come out.

A rule is outside or inside; whether it could be told at all (`evaluable`) is kept per limit row. What could not be
evaluated keeps its last state: bad data neither raises nor clears. What changed is told after its delay (`delays`).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from collector.monitor.bands import QuietBands
from collector.monitor.catalogue import IDLE, NOBODY, Catalogue
from collector.monitor.delays import Delays
from collector.monitor.figures import Figures
from collector.monitor.limits import NAMES, Rule, RuleKey
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit

_UNTOLD = -1
_NONE: NDArray[np.intp] = np.zeros(0, np.intp)
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Transition:
    """A rule changed its state at a slot."""

    slot_ns: int
    unit: str
    role: str
    statistic: str
    window_s: float | None
    rule: str
    before: str
    after: str
    """inside, outside, ended (no such limit any more)."""
    value: float | None
    level: float | None
    cpp: bool

    def event(self, stamp: Stamp) -> Event:
        """As the journal and the sinks have it."""
        body = {
            "role": self.role,
            "statistic": self.statistic,
            "window_s": self.window_s,
            "rule": self.rule,
            "from": self.before,
            "to": self.after,
            "value": self.value,
            "level": self.level,
            "cpp": self.cpp,
        }
        return Event(EventKind.TRANSITION, self.slot_ns, self.unit, stamp, body)


class RuleTable:
    """The rules in force for one scan group, and their states. Where a rule stands is where it stood under other limits, too, so
    a change of context touches the places of its units only."""

    def __init__(self, catalogue: Catalogue, figures: Figures) -> None:
        """Nothing is in force yet."""
        self._catalogue = catalogue
        places, rules = len(catalogue.column), len(catalogue.name)
        self.rows = np.full(places, NOBODY, np.intp)
        """Of each place of the catalogue `[p]` the row that holds; changed by `enter` only, as is"""
        self.held = np.zeros(places, np.bool_)
        """whether there is one."""
        self.cell = np.zeros(places, np.intp)
        """The figure that each place is about, `[p]`."""
        for key, limit in enumerate(catalogue.statistics):
            alike = catalogue.key == key
            self.cell[alike] = figures.cells_of(limit, catalogue.column[alike])
        self._cell = self.cell[catalogue.place]
        self._std = np.array([limit.statistic == "std" for limit in catalogue.statistics], np.bool_)[catalogue.key][
            catalogue.place
        ]
        self._of_raw_samples = np.flatnonzero(catalogue.raw[catalogue.place])
        self._level = IDLE[catalogue.name]
        """Of each rule `[r]`."""
        no_delay, inside = np.zeros(rules, np.int64), np.zeros(rules, np.bool_)
        self._bands = QuietBands(len(figures.values), self._cell, self._level > 0, self._level, self._level, inside.copy())
        self._delays = Delays(self._cell, no_delay, no_delay, inside.copy(), figures.period_ns)
        self.evaluable = np.zeros(places, np.bool_)
        """Which places could be evaluated on the last scan."""
        self._told = np.full(places, _UNTOLD, np.int8)
        self._is_told = self._all_told = False
        """What there is to tell of `evaluable` was told, under the limits that hold; and it is so of all."""

    def enter(self, places: Indices, rows: Indices, outside: Collection[RuleKey] = ()) -> list[Rule]:
        """Other rows hold on some places; rules with the same key keep their state, `outside` have been so in the run before.

        Returns the rules that were outside, as was told, and are no longer in force.
        """
        catalogue, rules = self._catalogue, self._catalogue.rules(places)
        before, told = self.rows[catalogue.place[rules]], self._delays.told[rules]
        self._told[places[self.rows[places] != rows]] = _UNTOLD
        self._is_told = self._all_told = False
        self.rows[places], self.held[places] = rows, rows != NOBODY
        self._forget_views()
        now = self.rows[catalogue.place[rules]]
        level, back = catalogue.levels(rules, now)
        new = level != self._level[rules]
        self._level[rules] = level
        ended = [catalogue.rule(int(rules[at]), int(before[at])) for at in np.flatnonzero(new & told).tolist()]
        resumed = np.isin(rules, [at for key in outside if (at := self._place_of(key)) is not None])
        self._delays.forget(rules[new | resumed])
        on_ns, off_ns = catalogue.rows.on_ns[now], catalogue.rows.off_ns[now]
        self._delays.put(rules, on_ns, off_ns, told & ~new | resumed)
        condition = self._bands.outside[rules] & ~new | resumed
        self._bands.put(rules, self._bound(rules, level), self._bound(rules, back), condition)
        return ended

    def _bound(self, rules: Indices, level: NDArray[np.float64]) -> NDArray[np.float64]:
        """As the cells have it, see `bound_of`."""
        bound, std = level.copy(), self._std[rules]
        with np.errstate(over="ignore"):  # a level whose square is too large is never left
            bound[std] *= np.abs(bound[std])
        return bound

    def _forget_views(self) -> None:
        for name in ("limits", "raw_columns"):
            self.__dict__.pop(name, None)

    @cached_property
    def limits(self) -> tuple[tuple[int, Limit], ...]:
        """(column, row of the limit set) on each place where one holds, for people to look at."""
        held, limits = np.flatnonzero(self.held), self._catalogue.rows.limits
        pairs = zip(self._catalogue.column[held].tolist(), self.rows[held].tolist(), strict=True)
        return tuple((column, limits[row]) for column, row in pairs)

    @cached_property
    def raw_columns(self) -> Indices:
        """Columns with rules on raw samples."""
        return np.unique(self._catalogue.column[self.held & self._catalogue.raw])

    @property
    def at_rest(self) -> bool:
        """No raw sample is outside, and nothing waits to be told."""
        raw = self._of_raw_samples
        return not (self._bands.outside[raw].any() or self._delays.told[raw].any() or self._delays.waits)

    def find(self, key: RuleKey) -> Rule | None:
        """The rule in force with that key."""
        at = self._place_of(key)
        return None if at is None else self._rule(at)

    def _place_of(self, key: RuleKey) -> int | None:
        column, measure, name, window_s, level = key
        catalogue = self._catalogue
        for place in range(*np.searchsorted(catalogue.column, [column, column + 1]).tolist()):
            if self.held[place] and catalogue.keys[catalogue.key[place]] == (measure, window_s):
                for at in range(catalogue.first_rule[place], catalogue.first_rule[place + 1]):
                    if NAMES[catalogue.name[at]] == name and self._level[at] == level:
                        return at
        return None

    def _rule(self, at: int) -> Rule:
        return self._catalogue.rule(at, int(self.rows[self._catalogue.place[at]]))

    def step(
        self, slot_ns: int, cells: NDArray[np.float64], evaluable: NDArray[np.bool_] | None
    ) -> tuple[list[tuple[Rule, bool, float]], Indices]:
        """Evaluate all rules on one scan's figures; `evaluable`: which cells can be, None: all.

        Returns what changed: (rule, outside now, operand), and which places became evaluable or no longer are.
        """
        return self._changes(slot_ns, cells, evaluable), self._evaluability(evaluable)

    def between(
        self, times_ns: NDArray[np.int64], cells: NDArray[np.float64], evaluable: NDArray[np.bool_]
    ) -> list[tuple[Rule, bool, float]]:
        """The same at a time of each cell, but whether a rule can be evaluated is told of slots alone."""
        return self._changes(times_ns, cells, evaluable)

    def _changes(
        self, now_ns: int | NDArray[np.int64], cells: NDArray[np.float64], evaluable: NDArray[np.bool_] | None
    ) -> list[tuple[Rule, bool, float]]:
        told = self._delays.step(self._bands.step(cells, evaluable), self._bands.outside, now_ns, evaluable)
        return [self._change(at, float(cells[self._cell[at]])) for at in told.tolist()]

    def still_outside(
        self, keys: Collection[RuleKey], cells: NDArray[np.float64], evaluable: NDArray[np.bool_] | None
    ) -> list[tuple[Rule, bool, float]]:
        """Of the rules with these `keys`, those that can be evaluated and are outside; as changes."""
        places = [at for key in keys if (at := self._place_of(key)) is not None]
        evaluated = [at for at in places if evaluable is None or evaluable[self._cell[at]]]
        return [self._change(at, float(cells[self._cell[at]])) for at in evaluated if self._delays.told[at]]

    def _change(self, at: int, value: float) -> tuple[Rule, bool, float]:
        return self._rule(at), bool(self._delays.told[at]), math.sqrt(value) if self._std[at] else value

    def _evaluability(self, evaluable: NDArray[np.bool_] | None) -> Indices:
        if evaluable is None and self._all_told:
            return _NONE
        before, self.evaluable = self.evaluable, np.ones_like(self.held) if evaluable is None else evaluable[self.cell]
        if self._is_told and np.array_equal(before, self.evaluable):
            return _NONE
        self._is_told, self._all_told = True, evaluable is None
        now = self.evaluable.astype(np.int8)
        # A rolling window is not full at first, a raw sample is there at first: neither is news.
        changed = np.flatnonzero(self.held & np.where(self._told == _UNTOLD, self._catalogue.raw & (now == 0), now != self._told))
        untold = ~self.held | (self._told == _UNTOLD) & ~self._catalogue.raw & (now == 0)
        self._told = np.where(untold, np.int8(_UNTOLD), now)
        return changed


def bound_of(rule: Rule, level: float) -> float:
    """As the cell has it: the variance for std, on the same side of 0."""
    return level * abs(level) if rule.limit.statistic == "std" else level
