"""Rules as rows: one comparison per scan for all of them, only changes come out.

A rule is outside or inside; whether it could be told at all (`evaluable`) is kept per limit row. What could not be
evaluated keeps its last state: bad data neither raises nor clears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.monitor.limits import Rule
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit

_UNTOLD = -1

Source = tuple[str, float | None]
"""(statistic, window in seconds): where a rule's operand comes from; ("value", None) is the raw sample."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A rule, or the evaluability of a limit row, changed at a slot."""

    slot_ns: int
    unit: str
    role: str
    statistic: str
    window_s: float | None
    rule: str
    """The rule's name, or `evaluable` for the limit row as a whole."""
    before: str
    after: str
    """inside, outside, ended (no such limit any more); for `evaluable`: yes, no."""
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


@dataclass(frozen=True, slots=True)
class Operand:
    """One statistic of all columns: its value and whether it can be evaluated, each `[k]`."""

    value: NDArray[np.float64]
    evaluable: NDArray[np.bool_]


class RuleTable:
    """The rules in force for one scan group, and their states."""

    def __init__(self, rules: Sequence[Rule], before: RuleTable | None = None) -> None:
        """`before`: the table these rules take over from; a rule with the same key keeps its state."""
        self.rules = tuple(rules)
        self.limits: tuple[tuple[int, Limit], ...] = tuple(dict.fromkeys((rule.column, rule.limit) for rule in rules))
        self._sign = np.array([1.0 if rule.side == "high" else -1.0 for rule in rules])
        self._level = self._sign * np.array([rule.level for rule in rules])
        self._deadband = np.array([rule.deadband for rule in rules])
        self._column = np.array([rule.column for rule in rules], np.intp)
        self._by_source = _by_source(self.rules)
        self._on_raw = np.array([rule.limit.statistic == "value" for rule in rules], np.bool_)
        self.outside = np.zeros(len(rules), np.bool_)
        rows = {row: at for at, row in enumerate(self.limits)}
        row_of = [rows[rule.column, rule.limit] for rule in rules]
        # of each limit row: its rules share their operands
        self._first_rule = np.array([row_of.index(at) for at in range(len(rows))], np.intp)
        self._raw = np.array([limit.statistic == "value" for _, limit in self.limits], np.bool_)
        self.evaluable = np.zeros(len(rows), np.bool_)
        """Which of `limits` could be evaluated on the last scan."""
        self._told = np.full(len(rows), _UNTOLD, np.int8)
        if before is not None:
            states = dict(zip((rule.key for rule in before.rules), before.outside.tolist(), strict=True))
            self.outside[:] = [states.get(rule.key, False) for rule in rules]
            told = dict(zip(before.limits, before._told.tolist(), strict=True))
            self._told[:] = [told.get(row, _UNTOLD) for row in self.limits]

    def sources(self) -> list[Source]:
        """The operands that `step` wants."""
        return list(self._by_source)

    def step(self, operands: Mapping[Source, Operand]) -> tuple[list[tuple[Rule, bool, float]], list[tuple[int, Limit, bool]]]:
        """Evaluate all rules on one scan's operands.

        Returns what changed: (rule, outside now, operand) and (column, limit row, evaluable now).
        """
        value = np.full(len(self.rules), np.nan)
        evaluable = np.zeros(len(self.rules), np.bool_)
        for source, rows in self._by_source.items():
            operand = operands[source]
            value[rows] = operand.value[self._column[rows]]
            evaluable[rows] = operand.evaluable[self._column[rows]]
        return self._changed(value, evaluable), self._evaluability(evaluable)

    def between(self, operand: Operand) -> list[tuple[Rule, bool, float]]:
        """Raw values between two slots: what changed of the rules on raw values."""
        if not self.rules:
            return []
        return self._changed(operand.value[self._column], self._on_raw & operand.evaluable[self._column])

    def _changed(self, value: NDArray[np.float64], evaluable: NDArray[np.bool_]) -> list[tuple[Rule, bool, float]]:
        # inside: beyond the level; already outside: not yet back by the deadband
        beyond = self._sign * value > self._level - np.where(self.outside, self._deadband, 0.0)
        changed = np.flatnonzero(evaluable & (beyond != self.outside))
        self.outside[changed] = beyond[changed]
        return [(self.rules[i], bool(self.outside[i]), float(value[i])) for i in changed]

    def _evaluability(self, evaluable: NDArray[np.bool_]) -> list[tuple[int, Limit, bool]]:
        self.evaluable = evaluable[self._first_rule]
        now = self.evaluable.astype(np.int8)
        # A rolling window is not full at first, a raw sample is there at first: neither is news.
        changed = np.flatnonzero(np.where(self._told == _UNTOLD, self._raw & (now == 0), now != self._told))
        self._told = np.where((self._told == _UNTOLD) & ~self._raw & (now == 0), _UNTOLD, now)
        return [(*self.limits[at], bool(now[at])) for at in changed.tolist()]


def _by_source(rules: Sequence[Rule]) -> dict[Source, NDArray[np.intp]]:
    rows: dict[Source, list[int]] = {}
    for i, rule in enumerate(rules):
        rows.setdefault((rule.limit.statistic, rule.limit.window_s), []).append(i)
    return {source: np.array(indices, np.intp) for source, indices in rows.items()}
