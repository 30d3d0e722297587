"""Suppression by design (ISA-18.2): which alarms mean nothing in the condition the plant is in, by `suppressed_when` of a limit.

    scan ──> conditions, each at the slot of its fastest operand ──> the row that holds for each alarm ──> suppressed, or no more

A condition that can't be told suppresses nothing. Before it was looked at for the first time after a start, what the run before
suppressed stays so. Transitions and excursions know nothing of all this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from collector.monitor.alarms.alarm import AlarmKey
from collector.monitor.alarms.settings import rule_names
from collector.monitor.limits import holding
from collector.monitor.relation import expression_roles
from collector.monitor.relations import Relations
from collector.terms import Stamp
from config.limits import Limit
from drivers.base import GOOD, Layout, Scan

Change = tuple[AlarmKey, str, Stamp]
"""An alarm; why it is suppressed from now on, empty: no more; the context."""
_Condition = tuple[str | None, str, float | None, float]
_Group = tuple[str, str, float | None]
"""Role, measure, window_s: of its rows one holds at a time."""


class Suppressions:
    """Of the whole plant."""

    def __init__(self, limits: Sequence[Limit], keys: Iterable[AlarmKey], suppressed: Iterable[AlarmKey] = ()) -> None:
        """`keys`: every alarm there can be; `suppressed`: by the run before."""
        self._names = _named(limits)
        self._limits = [_limit(name, condition) for condition, name in self._names.items()]
        self._relations = Relations(self._limits)
        groups = {_group(limit) for limit in limits if limit.suppressed_when is not None}
        self._rows: dict[_Group, list[Limit]] = {}
        for limit in limits:
            if _group(limit) in groups:
                self._rows.setdefault(_group(limit), []).append(limit)
        self._keys: dict[str, dict[_Group, list[AlarmKey]]] = {}
        able = [key for key in keys if (key.role, key.statistic, key.window_s) in groups]
        for key in sorted(able, key=lambda key: key.id):
            self._keys.setdefault(key.unit, {}).setdefault((key.role, key.statistic, key.window_s), []).append(key)
        self._suppressed = set(suppressed)
        self._holds: dict[tuple[str, str], bool] = {}
        """(unit, name of the condition) -> it is known to hold."""
        self._stamps: dict[str, Stamp] = {}

    def judge(self, scan: Scan, stamps: Sequence[Stamp]) -> list[Change]:
        """What changes with `scan`; called for every scan of every group."""
        if not self._names:
            return []
        units = dict.fromkeys(self._looked_at(scan, tuple(stamps)))
        for unit, stamp in zip(scan.layout.units, stamps, strict=True):
            if self._stamps.get(unit) != stamp:
                self._stamps[unit] = stamp
                units[unit] = None
        return [change for unit in units if unit in self._stamps for change in self._decided(unit, self._stamps[unit])]

    def _looked_at(self, scan: Scan, stamps: tuple[Stamp, ...]) -> Iterator[str]:
        """Units of which a condition changed."""
        for made in self._relations.figures(scan, stamps):
            told = zip(made.layout.columns, made.values.tolist(), (made.quality == GOOD).tolist(), strict=True)
            for column, value, known in told:
                holds = known and value == 1.0
                if self._holds.get((column.unit, column.role)) is not holds:
                    self._holds[column.unit, column.role] = holds
                    yield column.unit

    def _decided(self, unit: str, stamp: Stamp) -> Iterator[Change]:
        for group, keys in self._keys.get(unit, {}).items():
            row = holding(self._rows[group], unit, stamp)
            holds = row is not None and row.suppressed_when is not None and self._holds.get((unit, self._names[_condition(row)]))
            if holds is None:
                continue  # not looked at yet
            rules = rule_names(row) if row and holds else []
            for key in keys:
                why = row.suppressed_when or "" if row and key.rule in rules else ""
                if bool(why) is not (key in self._suppressed):
                    self._suppressed ^= {key}
                    yield key, why, stamp

    def retired(self, layouts: Collection[Layout], stamps: Mapping[str, Stamp]) -> list[Change]:
        """At a start: what the run before suppressed, and nothing can suppress any more."""
        possible = expression_roles(layouts, self._limits)
        able = {
            key
            for unit, groups in self._keys.items()
            for group, keys in groups.items()
            if self._can(unit, group, possible)
            for key in keys
        }
        gone = sorted(self._suppressed - able, key=lambda key: key.id)
        self._suppressed &= able
        return [(key, "", stamps.get(key.unit, Stamp())) for key in gone]

    def _can(self, unit: str, group: _Group, possible: Collection[tuple[str, str]]) -> bool:
        rows = (row for row in self._rows[group] if row.suppressed_when is not None and row.unit in (None, unit))
        return any((unit, self._names[_condition(row)]) in possible for row in rows)


def _group(limit: Limit) -> _Group:
    return limit.role, limit.measure, limit.window_s


def _condition(limit: Limit) -> _Condition:
    return limit.unit, limit.suppressed_when or "", limit.max_age_s, limit.min_coverage


def _named(limits: Iterable[Limit]) -> dict[_Condition, str]:
    conditions = dict.fromkeys(_condition(limit) for limit in limits if limit.suppressed_when is not None)
    return {condition: f"suppression {n}" for n, condition in enumerate(conditions)}


def _limit(name: str, condition: _Condition) -> Limit:
    """As if it had to hold: so it is made as expressions are, by the units that have its roles."""
    unit, text, max_age_s, min_coverage = condition
    return Limit.model_validate(
        {
            "name": name,
            "unit": unit,
            "expression": text,
            "max_age_s": max_age_s,
            "min_coverage": min_coverage,
            "spans_phases": True,
        }
    )
