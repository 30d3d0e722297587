"""The judge of one scan group: scans in, events out. This is the seam behind which the monitor's core stands.

Pure: what it gives follows from the scans and stamps it was given, in their order, and from nothing else; replaying
the journal gives the same verdicts. A change of context applies from its slot on: rules and excursions whose limits stay go
on, and a rolling statistic counts only once its window lies inside the phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from collector.monitor import minutes
from collector.monitor.between import rounds
from collector.monitor.catalogue import NOBODY, Catalogue
from collector.monitor.evaluability import Evaluability, statistic_of
from collector.monitor.excursions import Excursion
from collector.monitor.figures import EARLIEST, OF_ITS_OWN, Figures, Known
from collector.monitor.lasting import LASTING
from collector.monitor.limits import Rule, RuleKey
from collector.monitor.minutes import Minute
from collector.monitor.resumed import OutsideBefore
from collector.monitor.rules import RuleTable, Transition
from collector.monitor.tracking import Tracking
from collector.terms import Event, Stamp
from config.limit_statistics import DURATION
from config.limits import DEVIATION, Limit
from config.tags import Kind
from drivers.base import Changes, Layout, Scan


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
        known: Known = OF_ITS_OWN,
    ) -> None:
        """`before`, `accumulated`: what the run before left outside, and how its lasting figures stood; of other scan groups
        too. `derived`: the columns are relations, and rows on relations alone are theirs. `from_begin`: a batch begins with
        the first scan. `known`: figures that are, already."""
        roles = {column.role for column in layout.columns if column.kind in (Kind.REAL, Kind.INTEGER)}
        self._layout = layout
        own = (limit for limit in limits if limit.role in roles and limit.is_derived is derived)
        self._limits = tuple(limit for limit in own if limit.statistic != DURATION)
        self._derived = derived
        limited = {limit.role for limit in self._limits}
        self._columns = np.array([i for i, column in enumerate(layout.columns) if column.role in limited], np.intp)
        self._minute = Minute(layout, self._columns)
        self._figures = Figures(layout, self._columns, self._limits, accumulated, from_begin=from_begin, known=known)
        self._stamps: tuple[Stamp, ...] | None = None
        self._recalled: tuple[Stamp, ...] | None = None
        self._stamp_of: dict[str, Stamp] = {}
        """Of each unit, since the newest scan."""
        self._since_ns: dict[str, int] = {}
        self._catalogue = Catalogue(layout, self._limits)
        self._table = RuleTable(self._catalogue, self._figures)
        self._tracking = Tracking(layout, self._catalogue, limits)
        self._accumulated_slot = 0
        self._resuming = self._left_outside(before)
        """Rules that the run before left outside and that could not be evaluated since."""
        self.active: dict[RuleKey, ActiveRule] = {}
        """What is outside now."""

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
        return self._table.at_rest and not self._tracking.open

    @property
    def open(self) -> Mapping[tuple[str, str], Excursion]:
        """Open excursions by (unit, role), as they stand."""
        return self._tracking.open

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
        return dict(zip(self._table.limits, self._table.evaluable[self._table.held].tolist(), strict=True))

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
        good = scan.good
        values_limited, good_limited = scan.values[self._columns], good[self._columns]
        if not self._minute.push(scan.slot_ns, values_limited, good_limited):
            return []
        self._figures.push(scan.slot_ns, values_limited, good_limited)
        events = self._judge_between(scan.slot_ns, scan.changes) if scan.changes is not None else []
        events += self._enter(scan.slot_ns, stamps) if stamps != self._stamps else []
        if self._figures.lasting is not None:
            self._figures.lasting.push(scan.slot_ns, scan.values, good)
        events += self._step(scan, self._stamp_of)
        events += self._tracking.sample(scan.slot_ns, scan.values, good, self._stamp_of)
        events += [] if self._derived else self._minute.told(scan.slot_ns, self._stamp_of)
        events += self._tell_accumulated(scan.slot_ns) if self._figures.lasting is not None else []
        return events

    def recall(self, scan: Scan, stamps: tuple[Stamp, ...]) -> None:
        """A scan that the run before has judged: lasting figures know it from then on, and nothing else does."""
        lasting = self._figures.lasting
        if lasting is not None and scan.slot_ns > lasting.newest_ns:
            if stamps != self._recalled:
                self._recalled = stamps
                self._hold(scan.slot_ns, self._catalogue.holding(np.ones(len(stamps), np.bool_), stamps)[1], stamps)
            lasting.push(scan.slot_ns, scan.values, scan.good)

    @property
    def accumulated(self) -> list[Event]:
        """How lasting figures stand after the newest scan, for a judge that goes on."""
        lasting = self._figures.lasting
        return [] if lasting is None else list(lasting.events())

    def _tell_accumulated(self, slot_ns: int) -> list[Event]:
        slot, before = slot_ns // minutes.STATISTICS_WINDOW_NS, self._accumulated_slot
        self._accumulated_slot = slot
        return self.accumulated if before != slot else []

    def _hold(self, slot_ns: int, rows: NDArray[np.intp], stamps: tuple[Stamp, ...]) -> None:
        """`rows`: which holds on each place of the catalogue."""
        if self._figures.lasting is not None:
            of_cells = self._figures.lasting_rows(self._table.cell[self._lasting], rows[self._lasting])
            self._figures.lasting.enter(slot_ns, of_cells, stamps)

    @cached_property
    def _evaluability(self) -> Evaluability:
        return Evaluability(self._layout, self._catalogue, derived=self._derived)

    @cached_property
    def _lasting(self) -> NDArray[np.bool_]:
        """Places of figures that last."""
        return np.array([limit.statistic in LASTING for limit in self._catalogue.statistics], np.bool_)[self._catalogue.key]

    def close(self, slot_ns: int) -> list[Event]:
        """End what is open, when the daemon stops."""
        places = np.arange(len(self._table.rows))
        rules = self._end_rules(slot_ns, self._table.enter(places, np.full(len(places), NOBODY)), self._stamp_of)
        return rules + self._tracking.close(slot_ns)

    def _judge_between(self, slot_ns: int, changes: Changes) -> list[Event]:
        """What came before `slot_ns`, under the limits that held until then; of raw values alone."""
        stamp_of = self._stamp_of
        events: list[Event] = []
        for each in rounds(changes, slot_ns, self._layout, self._table.raw_columns):
            changed = self._table.between(*self._figures.between(each))
            events += [self._rule_changed(int(each.times_ns[change[0].column]), *change, stamp_of) for change in changed]
            events += self._tracking.sample(slot_ns, each.values, each.good, stamp_of, each.times_ns)
        return sorted(events, key=lambda event: event.slot_ns)

    def _enter(self, slot_ns: int, stamps: tuple[Stamp, ...]) -> list[Event]:
        """A new context: other limits, of the units that have another stamp."""
        before, units = self._stamp_of, self._layout.units
        changed = np.array([before.get(unit) != stamp for unit, stamp in zip(units, stamps, strict=True)], np.bool_)
        for at in np.flatnonzero(changed).tolist():
            self._since_ns[units[at]] = slot_ns
        if self._stamps is not None:
            self._forget_resumed()
        self._stamps, self._stamp_of = stamps, dict(zip(units, stamps, strict=True))
        places, rows = self._catalogue.holding(changed, stamps)
        self._require(slot_ns, places, rows)
        ended = self._table.enter(places, rows, self._resuming)
        self._hold(slot_ns, self._table.rows, stamps)
        return (
            self._resume(slot_ns, self._stamp_of)
            + self._end_rules(slot_ns, ended, before)
            + self._tracking.enter(slot_ns, places, rows, before, self._stamp_of)
        )

    def _require(self, slot_ns: int, places: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
        """What the figures of places whose units are in a context since `slot_ns` need to be evaluable."""
        held, of = rows != NOBODY, self._catalogue.rows
        cells, rows = self._table.cell[places], rows[held]
        inside_ns = np.where(of.spans[rows], EARLIEST, slot_ns - self._layout.period_ns)
        settle_ns = of.settle_ns[rows]
        self._figures.release(cells[~held])
        self._figures.require(cells[held], of.coverage[rows], inside_ns, np.where(settle_ns > 0, slot_ns + settle_ns, EARLIEST))

    def _resume(self, slot_ns: int, stamp_of: dict[str, Stamp]) -> list[Event]:
        """What the run before left outside goes on, or ends where no such rule holds any more."""
        events = []
        for key, left in list(self._resuming.items()):
            if rule := self._table.find(key):
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

    def _end_rules(self, slot_ns: int, ended: Iterable[Rule], before: dict[str, Stamp]) -> list[Event]:
        events = []
        for rule in ended:
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

    def _step(self, scan: Scan, stamp_of: dict[str, Stamp]) -> list[Event]:
        changed, rows = self._table.step(scan.slot_ns, self._figures.values, self._figures.evaluable())
        events = self._tell_evaluability(scan, rows, stamp_of) if len(rows) else []
        events += [self._rule_changed(scan.slot_ns, *change, stamp_of) for change in changed]
        return events + self._tell_again(scan.slot_ns, stamp_of) if self._resuming else events

    def _tell_evaluability(self, scan: Scan, rows: NDArray[np.intp], stamp_of: dict[str, Stamp]) -> list[Event]:
        return self._evaluability.told(scan, rows, self._table.rows, self._table.evaluable, self._since_ns, stamp_of)

    def _tell_again(self, slot_ns: int, stamp_of: dict[str, Stamp]) -> list[Event]:
        """Of the rules that the run before left outside, those that can be evaluated for the first time and still are."""
        self._forget_resumed()
        again = self._table.still_outside(self._resuming, self._figures.values, self._figures.evaluable())
        for rule, _, _ in again:
            del self._resuming[rule.key]
        return [
            self._transition(slot_ns, rule.column, rule.limit, rule.name, "inside", "outside", value, rule.level).event(
                stamp_of[self._layout.columns[rule.column].unit]
            )
            for rule, _, value in again
        ]

    def _forget_resumed(self) -> None:
        """Those that are inside, which has been told."""
        for key in [key for key in self._resuming if key not in self.active]:
            del self._resuming[key]

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
