"""Which limits hold for a unit now: the rows of the limit set that fit its product, recipe version and phase."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

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
                if key not in chosen or _specificity(limit) > _specificity(chosen[key]):
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
    return max((limit for limit in limits if fits(limit, unit, stamp)), key=_specificity, default=None)


def fits(limit: Limit, unit: str, stamp: Stamp) -> bool:
    """Whether a row is for this unit in this context."""
    asked = (limit.unit, limit.product, limit.recipe_version, limit.phase)
    given = (unit, stamp.product, stamp.recipe_version, stamp.phase)
    return all(ask is None or ask == give for ask, give in zip(asked, given, strict=True))


def _specificity(limit: Limit) -> tuple[bool, ...]:
    return (limit.phase is not None, limit.unit is not None, limit.recipe_version is not None, limit.product is not None)


def rules_of(column: int, limit: Limit, about: Column) -> list[Rule]:
    """The rules of one row of the limit set. A condition is 1 or 0, and must not be below 1."""
    if limit.is_condition:
        return [Rule(column, limit, CONDITION, "low", 1.0, 0.0)]
    if limit.allowed_outside_s is not None:
        return [Rule(column, limit, outside_rule(limit), "high", limit.allowed_outside_s, limit.deadband or 0.0)]
    if limit.decision_interval is not None:
        return [Rule(column, limit, DECISION, "high", limit.decision_interval, limit.deadband or 0.0)]
    rules = []
    for name, low, high, undamped in _levels(limit):
        band = high - low if low is not None and high is not None else None
        deadband = _deadband(limit, about, band, undamped=undamped)
        for side, level in (("low", low), ("high", high)):
            if level is not None:
                full_name = name[side == "high"] if isinstance(name, tuple) else f"{name} {side}"
                rules.append(Rule(column, limit, full_name, "low" if side == "low" else "high", level, deadband))
    return rules


def outside_rule(limit: Limit) -> str:
    """Of a row on time outside a range."""
    return "PAR time" if limit.par else "NOR time"


def levels_of(limit: Limit) -> list[tuple[str, Side, float]]:
    """(rule, side, level) of each level that a row has."""
    found: list[tuple[str, Side, float]] = []
    for name, low, high, _ in _levels(limit):
        lower, upper = name if isinstance(name, tuple) else (f"{name} low", f"{name} high")
        if low is not None:
            found.append((lower, "low", low))
        if high is not None:
            found.append((upper, "high", high))
    return found


_Level = tuple[str | tuple[str, str], float | None, float | None, bool]


def _levels(limit: Limit) -> list[_Level]:
    """(name, low, high, no default deadband) of each pair of levels that a row has."""
    levels: list[_Level] = []
    if limit.nor:
        levels.append(("NOR", limit.nor.low, limit.nor.high, False))
    if limit.par:
        levels.append(("PAR", limit.par.low, limit.par.high, limit.cpp))
    if limit.alarm:
        levels.append((("L", "H"), limit.alarm.l, limit.alarm.h, False))
        levels.append((("LL", "HH"), limit.alarm.ll, limit.alarm.hh, limit.cpp))
    return levels


def _deadband(limit: Limit, about: Column, band: float | None, *, undamped: bool) -> float:
    if limit.deadband is not None:
        return limit.deadband
    if undamped or limit.statistic not in ("value", "mean", "min", "max", "ewma") or about.low is None or about.high is None:
        return 0.0
    deadband = DEFAULT_DEADBAND * (about.high - about.low)
    return deadband if band is None else min(deadband, MOST_DEADBAND * band)
