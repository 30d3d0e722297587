"""Which limits hold for a unit now: the rows of the limit set that fit its product, recipe version and phase."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, NamedTuple

from collector.terms import Stamp
from config.limit_statistics import DURATION
from config.limits import Limit
from config.tags import Kind
from drivers.base import Column, Layout

Side = Literal["low", "high"]

DEFAULT_DEADBAND = 0.01
"""Of the tag's range, where a limit gives none."""
MOST_DEADBAND = 0.1
"""Of the band that it guards: a default deadband never swallows the band."""


CONDITION = "condition"
"""The rule of an expression that must hold."""
DECISION = "decision interval"
"""The rule of a CUSUM."""
NAMES: Final = ("NOR low", "NOR high", "PAR low", "PAR high", "L", "H", "LL", "HH", CONDITION, DECISION, "PAR time", "NOR time")
"""Of rules. A column's row of the limit set has each at most once."""
PAR_LOW, PAR_HIGH = 2, 3
_LOW: Final = frozenset((0, 2, 4, 6, 8))
DAMPED: Final = ("value", "mean", "min", "max", "ewma")
"""Statistics with a default deadband."""
RuleKey = tuple[int, str, str, float | None, float]


@dataclass(frozen=True, slots=True)
class Rule:
    """One level on one side of one statistic of one column. Outside is strictly beyond the level; the level is inside.

    Once outside, the statistic must come back by `deadband` (engineering units) to be inside again.
    """

    column: int
    limit: Limit
    name: str
    """`NOR low`, `PAR high`, `LL`, `H` ..."""
    side: Side
    level: float
    deadband: float

    @property
    def level_back(self) -> float:
        """Once outside: not beyond this one is inside again."""
        return self.level - self.deadband if self.side == "high" else self.level + self.deadband

    @property
    def key(self) -> RuleKey:
        """What makes it the same rule after a change of phase: its state is then kept."""
        return (self.column, self.limit.measure, self.name, self.limit.window_s, self.level)


class Term(NamedTuple):
    """A level as a row of the limit set has it, of whatever column."""

    name: int
    """Its place in `NAMES`."""
    level: float
    deadband: float
    most: float | None
    """Not None: there is a default deadband instead, where the column's range is known, which is not more than this."""

    def deadband_on(self, about: Column) -> float:
        """Engineering units."""
        if self.most is None or about.low is None or about.high is None:
            return self.deadband
        return min(DEFAULT_DEADBAND * (about.high - about.low), self.most)


def side_of(name: int) -> Side:
    """By the place in `NAMES`."""
    return "low" if name in _LOW else "high"


def limits_for(limits: Iterable[Limit], layout: Layout, stamps: Sequence[Stamp]) -> list[tuple[int, Limit]]:
    """(column, row) for each column and statistic that is limited now. Of several rows that fit, the most specific holds:
    one that names the phase before one that does not, then unit, recipe version, product."""
    stamp_of = dict(zip(layout.units, stamps, strict=True))
    rows: dict[str, list[Limit]] = {}
    for limit in limits:
        if limit.statistic != DURATION:
            rows.setdefault(limit.role, []).append(limit)
    chosen: dict[tuple[int, str, float | None], Limit] = {}
    for index, column in enumerate(layout.columns):
        if column.kind not in (Kind.REAL, Kind.INTEGER):
            continue
        for limit in rows.get(column.role, ()):
            if fits(limit, column.unit, stamp_of[column.unit]):
                key = (index, limit.measure, limit.window_s)
                if key not in chosen or specificity(limit) > specificity(chosen[key]):
                    chosen[key] = limit
    return [(index, limit) for (index, _, _), limit in chosen.items()]


def limits_by_column(limits: Iterable[tuple[int, Limit]]) -> dict[int, list[Limit]]:
    """The rows of each column that has any."""
    found: dict[int, list[Limit]] = {}
    for column, limit in limits:
        found.setdefault(column, []).append(limit)
    return found


def holding(limits: Iterable[Limit], unit: str, stamp: Stamp) -> Limit | None:
    """Of rows for one role, statistic and window, the one that holds for a unit now."""
    return max((limit for limit in limits if fits(limit, unit, stamp)), key=specificity, default=None)


def fits(limit: Limit, unit: str, stamp: Stamp) -> bool:
    """Whether a row is for this unit in this context."""
    asked = (limit.unit, limit.product, limit.recipe_version, limit.phase)
    given = (unit, stamp.product, stamp.recipe_version, stamp.phase)
    return all(ask is None or ask == give for ask, give in zip(asked, given, strict=True))


def specificity(limit: Limit) -> tuple[bool, ...]:
    """Of several rows that fit, the one with the greatest holds."""
    return (limit.phase is not None, limit.unit is not None, limit.recipe_version is not None, limit.product is not None)


def rules_of(column: int, limit: Limit, about: Column) -> list[Rule]:
    """The rules of one row of the limit set."""
    return [
        Rule(column, limit, NAMES[term.name], side_of(term.name), term.level, term.deadband_on(about)) for term in terms_of(limit)
    ]


def terms_of(limit: Limit) -> list[Term]:
    """The levels of one row, in the order of `NAMES`. A condition is 1 or 0, and must not be below 1."""
    if limit.is_condition:
        return [Term(NAMES.index(CONDITION), 1.0, 0.0, None)]
    if limit.allowed_outside_s is not None:
        return [Term(NAMES.index(outside_rule(limit)), limit.allowed_outside_s, limit.deadband or 0.0, None)]
    if limit.decision_interval is not None:
        return [Term(NAMES.index(DECISION), limit.decision_interval, limit.deadband or 0.0, None)]
    terms = []
    for first, low, high, undamped in _pairs(limit):
        most = None if undamped or limit.deadband is not None or limit.statistic not in DAMPED else inf
        if most is not None and low is not None and high is not None:
            most = MOST_DEADBAND * (high - low)
        terms += [
            Term(name, level, limit.deadband or 0.0, most)
            for name, level in ((first, low), (first + 1, high))
            if level is not None
        ]
    return terms


def outside_rule(limit: Limit) -> str:
    """Of a row on time outside a range."""
    return "PAR time" if limit.par else "NOR time"


def levels_of(limit: Limit) -> list[tuple[str, Side, float]]:
    """(rule, side, level) of each level that a row has."""
    pairs = ((first, low, high) for first, low, high, _ in _pairs(limit))
    levels = ((name, level) for first, low, high in pairs for name, level in ((first, low), (first + 1, high)))
    return [(NAMES[name], side_of(name), level) for name, level in levels if level is not None]


_Pair = tuple[int, float | None, float | None, bool]


def _pairs(limit: Limit) -> list[_Pair]:
    """(place of the low one's name, low, high, no default deadband) of each pair of levels that a row has."""
    pairs: list[_Pair] = []
    if limit.nor:
        pairs.append((0, limit.nor.low, limit.nor.high, False))
    if limit.par:
        pairs.append((2, limit.par.low, limit.par.high, limit.cpp))
    if limit.alarm:
        pairs.append((4, limit.alarm.l, limit.alarm.h, False))
        pairs.append((6, limit.alarm.ll, limit.alarm.hh, limit.cpp))
    return pairs
