"""Rules as one would explain them at a whiteboard: a state machine per level, one sample at a time, exact numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from collector.terms import Stamp
from config.limits import Limit
from tests.unit.monitor.exact import Exact

Told = tuple[str, str, str, str, float | None, float | None]
"""statistic, rule, from, to, value, level."""


@dataclass(slots=True)
class Level:
    """One bound: beyond it is outside, itself is inside; once outside, only `deadband` further in is inside again."""

    statistic: str
    name: str
    high: bool
    level: float
    deadband: float
    outside: bool = False

    @property
    def key(self) -> tuple[str, str, float]:
        return (self.statistic, self.name, self.level)

    def see(self, value: Fraction) -> bool:
        """True when it changed."""
        margin = value - Fraction(self.level) if self.high else Fraction(self.level) - value
        outside = margin > -Fraction(self.deadband) if self.outside else margin > 0
        changed, self.outside = outside != self.outside, outside
        return changed


def levels_of(limit: Limit) -> list[Level]:
    """The levels of a row that writes its deadband."""
    assert limit.deadband is not None
    alarm = limit.alarm
    given = [
        ("NOR low", False, limit.nor.low if limit.nor else None),
        ("NOR high", True, limit.nor.high if limit.nor else None),
        ("PAR low", False, limit.par.low if limit.par else None),
        ("PAR high", True, limit.par.high if limit.par else None),
        ("LL", False, alarm.ll if alarm else None),
        ("L", False, alarm.l if alarm else None),
        ("H", True, alarm.h if alarm else None),
        ("HH", True, alarm.hh if alarm else None),
    ]
    return [Level(limit.statistic, name, high, level, limit.deadband) for name, high, level in given if level is not None]


def fitting(rows: Sequence[Limit], unit: str, role: str, stamp: Stamp) -> list[Limit]:
    """Of each statistic and window the row that fits best: phase counts most, then unit, recipe version, product."""
    given = {"phase": stamp.phase, "unit": unit, "recipe_version": stamp.recipe_version, "product": stamp.product}
    weights = {"phase": 8, "unit": 4, "recipe_version": 2, "product": 1}

    def fits(row: Limit) -> bool:
        return row.role == role and all(getattr(row, name) in (None, value) for name, value in given.items())

    def weight(row: Limit) -> int:
        return sum(weights[name] for name in given if getattr(row, name) is not None)

    best: dict[tuple[str, float | None], Limit] = {}
    for row in filter(fits, rows):
        best[row.statistic, row.window_s] = max(best.get((row.statistic, row.window_s), row), row, key=weight)
    return list(best.values())


@dataclass(slots=True)
class Machine:
    """All levels of one tag."""

    rows: Sequence[Limit]
    unit: str = "R-201"
    role: str = "t"
    levels: list[Level] = field(default_factory=list)

    def enter(self, stamp: Stamp) -> list[Told]:
        """A new context: a level that is still there goes on, one that is not ends."""
        old = {level.key: level for level in self.levels}
        new = [level for row in fitting(self.rows, self.unit, self.role, stamp) for level in levels_of(row)]
        self.levels = [old.get(level.key, level) for level in new]
        kept = {level.key for level in new}
        ended = [level for level in old.values() if level.outside and level.key not in kept]
        return [(level.statistic, level.name, "outside", "ended", None, level.level) for level in ended]

    def see(self, statistic: str, value: Fraction | None) -> list[Told]:
        """A value of a statistic; None can't be told, and changes nothing."""
        told: list[Told] = []
        for level in self.levels:
            if value is not None and level.statistic == statistic and level.see(value):
                before, after = ("inside", "outside") if level.outside else ("outside", "inside")
                told.append((statistic, level.name, before, after, float(value), level.level))
        return told


def rolling(statistic: str, window: Exact) -> Fraction | None:
    """A statistic of a window; None where there is none."""
    if not window.count or (statistic == "slope" and window.count < 2):
        return None
    figures = {"mean": lambda: window.mean, "std": lambda: window.std, "slope": lambda: window.slope}
    extremes = {"min": min, "max": max}
    return extremes[statistic](window.values) if statistic in extremes else figures[statistic]()


def in_order(told: Iterable[Told]) -> list[tuple[str, ...]]:
    """What happened in one slot, in an order of its own; values to nine digits, which `see` has compared exactly."""
    return sorted(
        (statistic, rule, before, after, "-" if value is None else f"{value:.9g}", f"{level}")
        for statistic, rule, before, after, value, level in told
    )
