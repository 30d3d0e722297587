"""How each rule's alarm is to behave: what its limit row says, and what goes by the rule's name where it says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from collector.monitor.alarms.alarm import PRIORITIES, AlarmKey, Settings
from collector.monitor.limits import CONDITION, DECISION, holding, outside_rule
from collector.terms import Stamp
from config.limits import Limit, Priority

PRIORITY_BY_RULE: Final[Mapping[str, Priority]] = {
    "NOR low": "low", "NOR high": "low", "L": "medium", "H": "medium",
    "PAR low": "high", "PAR high": "high", "LL": "critical", "HH": "critical",
    "NOR time": "low", "PAR time": "high",
}  # fmt: skip
"""Leaving NOR is an alert, leaving PAR an action; LL and HH come last."""


def settings_of(limit: Limit, rule: str) -> Settings:
    """Of the alarm that `rule` of the row `limit` raises."""
    return Settings(
        priority=limit.priority or PRIORITY_BY_RULE.get(rule, "medium"),
        latching=limit.latching,
        realarm_s=limit.realarm_s,
        cpp=limit.cpp,
        consequence=limit.consequence or "",
        action=limit.action or "",
    )


def rule_names(limit: Limit) -> list[str]:
    """The rules that a row has."""
    if limit.is_condition:
        return [CONDITION]
    if limit.allowed_outside_s is not None:
        return [outside_rule(limit)]
    if limit.decision_interval is not None:
        return [DECISION]
    names = []
    for name, interval in (("NOR", limit.nor), ("PAR", limit.par)):
        if interval:
            names += [f"{name} {side}" for side in ("low", "high") if getattr(interval, side) is not None]
    if limit.alarm:
        names += [name.upper() for name in ("ll", "l", "h", "hh") if getattr(limit.alarm, name) is not None]
    return names


class Book:
    """The alarms that a plant's limits can raise."""

    def __init__(
        self, limits: Sequence[Limit], roles: Iterable[tuple[str, str]], doubts: Iterable[tuple[str, str, str]] = ()
    ) -> None:
        """`roles`: the (unit, role) of each tag that can be limited; `doubts`: the (unit, role, rule) of what may be doubted."""
        self._limits: dict[str, list[Limit]] = {}
        for limit in limits:
            self._limits.setdefault(limit.role, []).append(limit)
        self._doubts = frozenset(AlarmKey(unit, role, "value", None, rule) for unit, role, rule in doubts)
        self.keys = self._doubts.union(
            AlarmKey(unit, role, limit.measure, limit.window_s, rule)
            for unit, role in roles
            for limit in self._limits.get(role, ())
            if limit.unit in (None, unit)
            for rule in rule_names(limit)
        )
        """Of every product and phase."""

    def settings(self, key: AlarmKey, stamp: Stamp) -> Settings:
        """By the row that holds for a batch and phase; by the rule's name where none does."""
        if key in self._doubts:
            return self._of_doubt(key, stamp)
        rows = [row for row in self._limits.get(key.role, ()) if (row.measure, row.window_s) == (key.statistic, key.window_s)]
        row = holding(rows, key.unit, stamp)
        return settings_of(row, key.rule) if row else Settings(PRIORITY_BY_RULE.get(key.rule, "medium"))

    def _of_doubt(self, key: AlarmKey, stamp: Stamp) -> Settings:
        """As urgent as the most urgent alarm that can't come meanwhile."""
        rows: dict[tuple[str, float | None], list[Limit]] = {}
        for limit in self._limits.get(key.role, ()):
            rows.setdefault((limit.measure, limit.window_s), []).append(limit)
        holds = [row for alike in rows.values() if (row := holding(alike, key.unit, stamp))]
        hidden = [settings_of(row, rule).priority for row in holds for rule in rule_names(row)]
        return Settings(
            priority=min(hidden, key=PRIORITIES.index, default="low"),
            cpp=any(row.cpp for row in holds),
            consequence="its limits are not judged while it is doubted" if holds else "",
            action="find out whether the instrument or the process is wrong; take it for real until then",
        )
