"""The judge of one scan group: scans in, events out. This is the seam behind which the monitor's core stands.

Pure: what it gives follows from the scans and stamps it was given, in their order, and from nothing else; replaying
the journal gives the same verdicts. A change of context applies from its slot on: rules that stay keep their state,
excursions end where their limits end, and a rolling statistic counts only once its window lies inside the phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.monitor.between import rounds
from collector.monitor.evaluability import Evaluability, statistic_of
from collector.monitor.excursions import Excursion, Tracker, Trackers
from collector.monitor.figures import Figures, Windows
from collector.monitor.limit_set import LimitSets
from collector.monitor.limits import Rule, RuleKey, limits_for, rules_of
from collector.monitor.resumed import OutsideBefore
from collector.monitor.rules import RuleTable, Transition
from collector.monitor.statistics import Statistics
from collector.monitor.tail import Tail
from collector.monitor.window import Window
from collector.terms import Event, EventKind, Json, Stamp
from config.limit_statistics import DURATION
from config.limits import DEVIATION, Limit
from config.tags import Kind
from drivers.base import Changes, Layout, Quality, Scan

STATISTICS_WINDOW_NS = 60_000_000_000
"""Rolling statistics of limited roles are told once per this span, over it."""


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule that is outside now."""

    unit: str
    role: str
    statistic: str
    """`value`, or e.g. `mean 60 s`."""
    rule: str
    since_ns: int
    value: float
    level: float


class Judge:
    """Holds one scan group against the limits that apply to its units."""

    def __init__(
        self,
        layout: Layout,
        limits: Sequence[Limit],
        before: Iterable[OutsideBefore] = (),
        accumulated: Iterable[Event] = (),
        *,
        derived: bool = False,
        from_begin: bool = False,
        windows: Windows = Window,
    ) -> None:
        """`before`, `accumulated`: what the run before left outside, and how its lasting figures stood; of other scan groups
        too. `derived`: the columns are relations, and rows on relations alone are theirs. `from_begin`: a batch begins with
        the first scan. `windows`: of rolling statistics, where they are known already."""
        roles = {column.role for column in layout.columns if column.kind in (Kind.REAL, Kind.INTEGER)}
        self._layout = layout
        own = (limit for limit in limits if limit.role in roles and limit.is_derived is derived)
        self._limits = tuple(limit for limit in own if limit.statistic != DURATION)
        self._derived, self._sets = derived, LimitSets(limits)
        limited = {limit.role for limit in self._limits}
        self._columns = np.array([i for i, column in enumerate(layout.columns) if column.role in limited], np.intp)
        self._minute = Tail(len(self._columns), STATISTICS_WINDOW_NS, layout.period_ns)
        self._figures = Figures(layout, self._columns, self._limits, accumulated, from_begin=from_begin, windows=windows)
        self._stamps: tuple[Stamp, ...] | None = None
        self._recalled: tuple[Stamp, ...] | None = None
        self._stamp_of: dict[str, Stamp] = {}
        """Of each unit, since the newest scan."""
        self._since_ns: dict[str, int] = {}
        self._table = RuleTable(())
        self._evaluability: Evaluability | None = None
        """Of `_table`; made when it first has something to tell."""
        self._trackers: dict[int, Tracker] = {}
        self._tracked = Trackers({})
        self._statistics_slot = self._accumulated_slot = 0
        self._resuming = self._left_outside(before)
        """Rules that the run before left outside and that could not be evaluated since."""
        self.active: dict[RuleKey, ActiveRule] = {}
        """What is outside now."""
        self.open: dict[tuple[str, str], Excursion] = {}
        """Open excursions by (unit, role), as they stand."""

    def _left_outside(self, before: Iterable[OutsideBefore]) -> dict[RuleKey, OutsideBefore]:
        columns = {(column.unit, column.role): index for index, column in enumerate(self._layout.columns)}
        deviations = {limit.role for limit in self._limits if limit.sp_role is not None}
        return {
            (columns[each.unit, each.role], each.statistic, each.rule, each.window_s, each.level): each
            for each in before
            if each.statistic != DURATION  # told of the role `phase`, which may be a column
            and (each.unit, each.role) in columns
            and each.statistic.endswith(DEVIATION) is (each.role in deviations)
        }

    @property
    def refused(self) -> int:
        """Scans whose slot was not after the last: they were not judged."""
        return self._minute.refused

    @property
    def at_rest(self) -> bool:
        """No raw sample is outside, nothing waits to be told, and no excursion is open: good samples inside tell nothing."""
        return self._table.at_rest and not self.open

    @property
    def layout(self) -> Layout:
        """What its columns are."""
        return self._layout

    @property
    def limits_now(self) -> tuple[tuple[int, Limit], ...]:
        """(column, row of the limit set) that holds since the newest scan, for people to look at."""
        return self._table.limits

    @property
    def evaluable_now(self) -> dict[tuple[int, Limit], bool]:
        """Whether each of `limits_now` could be evaluated on the newest scan."""
        return dict(zip(self._table.limits, self._table.evaluable.tolist(), strict=True))

    @property
    def active_by_column(self) -> dict[int, list[tuple[RuleKey, ActiveRule]]]:
        """What is outside now, of each column that has anything."""
        found: dict[int, list[tuple[RuleKey, ActiveRule]]] = {}
        for key, rule in self.active.items():
            found.setdefault(key[0], []).append((key, rule))
        return found

    def judge(self, scan: Scan, stamps: tuple[Stamp, ...]) -> list[Event]:
        """Everything that changes with `scan`; slots that are not after the last are refused."""
        if not self._limits:
            return []
        good = (scan.quality == Quality.GOOD) & np.isfinite(scan.values)
        values_limited, good_limited = scan.values[self._columns], good[self._columns]
        if not self._minute.push(scan.slot_ns, values_limited, good_limited):
            return []
        self._figures.push(scan.slot_ns, values_limited, good_limited)
        events = self._judge_between(scan.slot_ns, scan.changes) if scan.changes is not None else []
        events += self._enter(scan.slot_ns, stamps) if stamps != self._stamps else []
        if self._figures.lasting is not None:
            self._figures.lasting.push(scan.slot_ns, scan.values, good)
        events += self._step(scan, self._stamp_of)
        events += self._track(scan.slot_ns, scan.values, good, self._stamp_of)
        events += self._tell_statistics(scan.slot_ns, self._stamp_of)
        events += self._tell_accumulated(scan.slot_ns) if self._figures.lasting is not None else []
        return events

    def recall(self, scan: Scan, stamps: tuple[Stamp, ...]) -> None:
        """A scan that the run before has judged: lasting figures know it from then on, and nothing else does."""
        lasting = self._figures.lasting
        if lasting is not None and scan.slot_ns > lasting.newest_ns:
            if stamps != self._recalled:
                self._recalled = stamps
                self._hold(scan.slot_ns, limits_for(self._limits, self._layout, stamps), stamps)
            lasting.push(scan.slot_ns, scan.values, (scan.quality == Quality.GOOD) & np.isfinite(scan.values))

    @property
    def accumulated(self) -> list[Event]:
        """How lasting figures stand after the newest scan, for a judge that goes on."""
        lasting = self._figures.lasting
        return [] if lasting is None else list(lasting.events())

    def _tell_accumulated(self, slot_ns: int) -> list[Event]:
        slot, before = slot_ns // STATISTICS_WINDOW_NS, self._accumulated_slot
        self._accumulated_slot = slot
        return self.accumulated if before != slot else []

    def _hold(self, slot_ns: int, now: list[tuple[int, Limit]], stamps: tuple[Stamp, ...]) -> None:
        if self._figures.lasting is not None:
            self._figures.lasting.enter(slot_ns, now, dict(zip(self._layout.units, stamps, strict=True)))

    def close(self, slot_ns: int) -> list[Event]:
        """End what is open, when the daemon stops."""
        stamps = self._stamp_of
        ended = [excursion for tracker in self._trackers.values() for excursion in tracker.end(slot_ns, "stopped")]
        self.open.clear()
        rules = self._end_rules(slot_ns, self._table, RuleTable(()), stamps)
        self._table = RuleTable(())
        return rules + [self._told(excursion, stamps.get(excursion.unit, Stamp())) for excursion in ended]

    def _judge_between(self, slot_ns: int, changes: Changes) -> list[Event]:
        """What came before `slot_ns`, under the limits that held until then; of raw values alone."""
        stamp_of = self._stamp_of
        raw = {column for column, limit in self._table.limits if limit.statistic == "value"}
        events: list[Event] = []
        for each in rounds(changes, slot_ns, self._layout, raw):
            changed = self._table.between(*self._figures.between(each))
            events += [self._rule_changed(int(each.times_ns[change[0].column]), *change, stamp_of) for change in changed]
            events += self._track(slot_ns, each.values, each.good, stamp_of, each.times_ns)
        return sorted(events, key=lambda event: event.slot_ns)

    def _enter(self, slot_ns: int, stamps: tuple[Stamp, ...]) -> list[Event]:
        """A new context: other limits."""
        before = self._stamp_of
        for unit, stamp in zip(self._layout.units, stamps, strict=True):
            if before.get(unit) != stamp:
                self._since_ns[unit] = slot_ns
        self._stamps, self._stamp_of = stamps, dict(zip(self._layout.units, stamps, strict=True))
        now = limits_for(self._limits, self._layout, stamps)
        rules = [rule for index, limit in now for rule in rules_of(index, limit, self._layout.columns[index])]
        self._figures.require(now, self._since_ns)
        self._hold(slot_ns, now, stamps)
        table, old = RuleTable(rules, self._figures, self._table, self._resuming), self._table
        self._table, self._evaluability = table, None
        return (
            self._resume(slot_ns, table, self._stamp_of)
            + self._end_rules(slot_ns, old, table, before)
            + self._end_trackers(slot_ns, now, before)
        )

    def _resume(self, slot_ns: int, table: RuleTable, stamp_of: dict[str, Stamp]) -> list[Event]:
        """What the run before left outside goes on, or ends where no such rule holds any more."""
        rules = {rule.key: rule for rule in table.rules}
        events = []
        for key, left in list(self._resuming.items()):
            if rule := rules.get(key):
                self._note(rule, left.since_ns, left.value, outside=True)
                continue
            del self._resuming[key]
            if self.active.pop(key, None) is None:  # else it ends as any other
                ended = Transition(
                    slot_ns, left.unit, left.role, left.statistic, left.window_s, left.rule, "outside", "ended", None, left.level,
                    left.cpp,
                )  # fmt: skip
                events.append(ended.event(stamp_of[left.unit]))
        return events

    def _end_rules(self, slot_ns: int, old: RuleTable, new: RuleTable, before: dict[str, Stamp]) -> list[Event]:
        kept = {rule.key for rule in new.rules}
        events = []
        for rule, outside in zip(old.rules, old.outside.tolist(), strict=True):
            if outside and rule.key not in kept:
                self.active.pop(rule.key, None)
                transition = self._transition(slot_ns, rule.column, rule.limit, rule.name, "outside", "ended", None, rule.level)
                events.append(transition.event(before.get(transition.unit, Stamp())))
        return events

    def _transition(
        self, slot_ns: int, index: int, limit: Limit, rule: str, before: str, after: str, value: float | None, level: float | None
    ) -> Transition:
        column = self._layout.columns[index]
        return Transition(
            slot_ns, column.unit, column.role, limit.measure, limit.window_s, rule, before, after, value, level, limit.cpp
        )

    def _end_trackers(self, slot_ns: int, now: list[tuple[int, Limit]], before: dict[str, Stamp]) -> list[Event]:
        wanted = {index: limit for index, limit in now if limit.statistic == "value" and limit.par}
        events = []
        for index, tracker in list(self._trackers.items()):
            column = self._layout.columns[index]
            limit = wanted.get(index)
            same_unit_context = before.get(column.unit) is not None and self._since_ns[column.unit] != slot_ns
            if limit and same_unit_context:
                continue
            for excursion in tracker.end(slot_ns, "limits changed"):
                events.append(self._told(excursion, before.get(column.unit, Stamp())))
            self.open.pop((column.unit, column.role), None)
            del self._trackers[index]
        for index, limit in wanted.items():
            if index not in self._trackers and limit.par:
                column = self._layout.columns[index]
                merge_ns = None if limit.merge_gap_s is None else round(limit.merge_gap_s * 1e9)
                about = (column.unit, column.role, limit.par.low, limit.par.high, self._layout.period_ns)
                self._trackers[index] = Tracker(*about, limit.measure, merge_ns, cpp=limit.cpp)
        self._tracked = Trackers(self._trackers)
        return events

    def _step(self, scan: Scan, stamp_of: dict[str, Stamp]) -> list[Event]:
        if not self._table.rules:
            return []
        changed, rows = self._table.step(scan.slot_ns, self._figures.values, self._figures.evaluable())
        events = self._tell_evaluability(scan, rows, stamp_of) if len(rows) else []
        events += [self._rule_changed(scan.slot_ns, *change, stamp_of) for change in changed]
        return events + self._tell_again(scan.slot_ns, stamp_of) if self._resuming else events

    def _tell_evaluability(self, scan: Scan, rows: NDArray[np.intp], stamp_of: dict[str, Stamp]) -> list[Event]:
        if self._evaluability is None:
            self._evaluability = Evaluability(self._layout, self._table.limits, derived=self._derived)
        return self._evaluability.told(scan, rows, self._table.evaluable, self._since_ns, stamp_of)

    def _tell_again(self, slot_ns: int, stamp_of: dict[str, Stamp]) -> list[Event]:
        """Of the rules that the run before left outside, those that can be evaluated for the first time and still are."""
        for key in [key for key in self._resuming if key not in self.active]:
            del self._resuming[key]  # inside, which has just been told
        again = self._table.still_outside(self._resuming, self._figures.values, self._figures.evaluable())
        for rule, _, _ in again:
            del self._resuming[rule.key]
        return [
            self._transition(slot_ns, rule.column, rule.limit, rule.name, "inside", "outside", value, rule.level).event(
                stamp_of[self._layout.columns[rule.column].unit]
            )
            for rule, _, value in again
        ]

    def _rule_changed(self, time_ns: int, rule: Rule, outside: bool, value: float, stamp_of: dict[str, Stamp]) -> Event:
        before, after = ("inside", "outside") if outside else ("outside", "inside")
        self._note(rule, time_ns, value, outside=outside)
        transition = self._transition(time_ns, rule.column, rule.limit, rule.name, before, after, value, rule.level)
        return transition.event(stamp_of[transition.unit])

    def _note(self, rule: Rule, slot_ns: int, value: float, *, outside: bool) -> None:
        if outside:
            column, statistic = self._layout.columns[rule.column], statistic_of(rule.limit)
            self.active[rule.key] = ActiveRule(column.unit, column.role, statistic, rule.name, slot_ns, value, rule.level)
        else:
            self.active.pop(rule.key, None)

    def _track(
        self,
        slot_ns: int,
        values: NDArray[np.float64],
        good: NDArray[np.bool_],
        stamp_of: dict[str, Stamp],
        times_ns: NDArray[np.int64] | None = None,
    ) -> list[Event]:
        events = []
        for index, tracker, told in self._tracked.sample(slot_ns, values, good, times_ns):
            column = self._layout.columns[index]
            events += [self._told(excursion, stamp_of[column.unit]) for excursion in told]
            if tracker.open is not None:
                self.open[column.unit, column.role] = tracker.open
            else:
                self.open.pop((column.unit, column.role), None)
        return events

    def _told(self, excursion: Excursion, stamp: Stamp) -> Event:
        return excursion.event(stamp, self._sets.hash(excursion.unit, stamp))

    def _tell_statistics(self, slot_ns: int, stamp_of: dict[str, Stamp]) -> list[Event]:
        slot = slot_ns // STATISTICS_WINDOW_NS
        if slot == self._statistics_slot:
            return []
        first, self._statistics_slot = self._statistics_slot == 0, slot
        if first or self._derived:
            return []
        statistics = self._minute.statistics()
        slots = -(-STATISTICS_WINDOW_NS // self._layout.period_ns)
        by_unit: dict[str, dict[str, Json]] = {}
        for at, index in enumerate(self._columns.tolist()):
            if statistics.count[at]:
                column = self._layout.columns[index]
                figures = _figures(statistics, at)
                figures["coverage"] = int(statistics.count[at]) / slots
                by_unit.setdefault(column.unit, {})[column.role] = figures
        return [
            Event(EventKind.STATISTICS, slot_ns, unit, stamp_of[unit], {"window_s": STATISTICS_WINDOW_NS / 1e9, "roles": roles})
            for unit, roles in by_unit.items()
        ]


def _figures(statistics: Statistics, at: int) -> dict[str, Json]:
    figures = {name: float(statistics.named(name)[at]) for name in ("mean", "min", "max", "std", "slope")}
    return {name: figure if np.isfinite(figure) else None for name, figure in figures.items()}
