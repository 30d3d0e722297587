"""Rules as rows: one comparison per scan for all of them, only changes come out.

A rule is outside or inside; whether it could be told at all (`evaluable`) is kept per limit row. What could not be
evaluated keeps its last state: bad data neither raises nor clears. What changed is told after its delay (`delays`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from collector.monitor.bands import QuietBands
from collector.monitor.delays import Delays, Waiting
from collector.monitor.figures import Figures
from collector.monitor.limits import Rule, RuleKey
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit

_UNTOLD = -1
_NONE: NDArray[np.intp] = np.zeros(0, np.intp)
_State = tuple[bool, bool, Waiting | None]
"""The condition is outside; that was told; the change that waits to be told."""
_INSIDE: _State = (False, False, None)


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
    """The rules in force for one scan group, and their states."""

    def __init__(
        self,
        rules: Sequence[Rule],
        figures: Figures | None = None,
        before: RuleTable | None = None,
        outside: Collection[RuleKey] = (),
    ) -> None:
        """`figures`: what the rules are about; `before`: the table these rules take over from, a rule with the same key
        keeps its state; `outside`: rules that are outside from the run before."""
        self.rules = tuple(rules)
        self.limits: tuple[tuple[int, Limit], ...] = tuple(dict.fromkeys((rule.column, rule.limit) for rule in rules))
        cells = [figures.cell_of(rule.limit, rule.column) for rule in rules] if figures else []
        self._cell = np.array(cells, np.intp)
        states = before._states() if before else {}
        states |= dict.fromkeys(outside, (True, True, None))
        self._bands = QuietBands(
            len(figures.values) if figures else 0,
            self._cell,
            np.array([rule.side == "high" for rule in rules], np.bool_),
            np.array([bound_of(rule, rule.level) for rule in rules]),
            np.array([bound_of(rule, rule.level_back) for rule in rules]),
            np.array([states.get(rule.key, _INSIDE)[0] for rule in rules], np.bool_),
        )
        self._delays = Delays(
            self._cell,
            np.array([_ns(rule.limit.on_delay_s) for rule in rules], np.int64),
            np.array([_ns(rule.limit.off_delay_s) for rule in rules], np.int64),
            np.array([states.get(rule.key, _INSIDE)[1] for rule in rules], np.bool_),
            figures.period_ns if figures else 0,
        )
        waiting = ((at, states.get(rule.key, _INSIDE)[2]) for at, rule in enumerate(rules))
        self._delays.resume({at: change for at, change in waiting if change})
        first_rule: dict[tuple[int, Limit], int] = {}
        for at, rule in enumerate(rules):
            first_rule.setdefault((rule.column, rule.limit), at)
        self._row_cell = self._cell[[first_rule[row] for row in self.limits]]
        """Of each limit row: its rules share their cell."""
        self._raw = np.array([limit.statistic == "value" for _, limit in self.limits], np.bool_)
        self.evaluable = np.zeros(len(self.limits), np.bool_)
        """Which of `limits` could be evaluated on the last scan."""
        self._told = np.full(len(self.limits), _UNTOLD, np.int8)
        if before is not None:
            told = dict(zip(before.limits, before._told.tolist(), strict=True))
            self._told[:] = [told.get(row, _UNTOLD) for row in self.limits]

    def _states(self) -> dict[RuleKey, _State]:
        waiting = self._delays.waiting
        pairs = zip(self.rules, self._bands.outside.tolist(), self.outside.tolist(), strict=True)
        return {rule.key: (condition, told, waiting.get(at)) for at, (rule, condition, told) in enumerate(pairs)}

    @property
    def at_rest(self) -> bool:
        """No raw sample is outside, and nothing waits to be told."""
        raw = self._of_raw_samples
        return not (self._bands.outside[raw].any() or self._delays.told[raw].any() or self._delays.waiting)

    @cached_property
    def _of_raw_samples(self) -> NDArray[np.intp]:
        return np.flatnonzero([rule.limit.statistic == "value" for rule in self.rules])

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Of each of `rules`, as it was told."""
        return self._delays.told

    def step(
        self, slot_ns: int, cells: NDArray[np.float64], evaluable: NDArray[np.bool_] | None
    ) -> tuple[list[tuple[Rule, bool, float]], NDArray[np.intp]]:
        """Evaluate all rules on one scan's figures; `evaluable`: which cells can be, None: all.

        Returns what changed: (rule, outside now, operand), and which of `limits` became evaluable or no longer are.
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
        places = [self._at[key] for key in keys if key in self._at]
        evaluated = [at for at in places if evaluable is None or evaluable[self._cell[at]]]
        return [self._change(at, float(cells[self._cell[at]])) for at in evaluated if self.outside[at]]

    @cached_property
    def _at(self) -> dict[RuleKey, int]:
        return {rule.key: at for at, rule in enumerate(self.rules)}

    def _change(self, at: int, value: float) -> tuple[Rule, bool, float]:
        rule = self.rules[at]
        return rule, bool(self.outside[at]), math.sqrt(value) if rule.limit.statistic == "std" else value

    def _evaluability(self, evaluable: NDArray[np.bool_] | None) -> NDArray[np.intp]:
        if evaluable is None:
            self.evaluable.fill(True)
            if np.count_nonzero(self._told == 1) == len(self._told):
                return _NONE
        else:
            self.evaluable = evaluable[self._row_cell]
        now = self.evaluable.astype(np.int8)
        # A rolling window is not full at first, a raw sample is there at first: neither is news.
        changed = np.flatnonzero(np.where(self._told == _UNTOLD, self._raw & (now == 0), now != self._told))
        self._told = np.where((self._told == _UNTOLD) & ~self._raw & (now == 0), _UNTOLD, now)
        return changed


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def bound_of(rule: Rule, level: float) -> float:
    """As the cell has it: the variance for std, on the same side of 0."""
    return level * abs(level) if rule.limit.statistic == "std" else level
