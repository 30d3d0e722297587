"""Limits on EWMA and CUSUM, against a loop that does what the formulas say, over bad samples, phases and restarts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit
from tests.unit.monitor.judged import SECOND_NS, START_NS, changes, column, layout, limit, of_kind, run, scan

LAYOUT = layout()
ROWS = [
    limit(statistic="ewma", time_constant_s=0.7, nor=[2, 8], deadband=0.5),
    limit(statistic="ewma", time_constant_s=2, spans_phases=True, par=[None, 6], deadband=0),
    limit(statistic="cusum_high", phase="Dose", sp=5, slack=1, decision_interval=4, deadband=1),
    limit(statistic="cusum_high", phase="Hold", sp=3, slack=0.5, decision_interval=4, spans_phases=True),
    limit(statistic="cusum_low", sp=5, slack=1, decision_interval=6, spans_phases=True),
]
Told = tuple[int, str, str, str, float | None]
"""Second, statistic, rule, what it became, value."""


@dataclass(slots=True)
class Chart:
    """One statistic of one tag."""

    rows: list[Limit]
    value: float | None = None
    samples: int = 0
    held: bool = False
    outside: frozenset[str] = frozenset()

    def see(self, at: int, value: float | None, new_phase: bool, stamp: Stamp) -> list[Told]:
        row = next((row for row in self.rows if row.phase in (None, stamp.phase)), None)
        is_ewma = self.rows[0].statistic == "ewma"
        if (new_phase and not (row and row.spans_phases)) or not (is_ewma or self.held):
            self.value, self.samples = None, 0
        self.held = row is not None
        if value is not None:
            self.samples += 1
            self.value = self.averaged(value) if is_ewma else self.summed(row, value)
        if row is None:
            ended, self.outside = sorted(self.outside), frozenset()
            return [(at, self.rows[0].measure, rule, "ended", None) for rule in ended]
        settled = not is_ewma or self.samples >= math.ceil(3 * (row.time_constant_s or 0))
        return self.judged(row, at) if value is not None and settled else []

    def averaged(self, value: float) -> float:
        weight = 1 - math.exp(-1 / (self.rows[0].time_constant_s or math.nan))
        return value if self.value is None else self.value + weight * (value - self.value)

    def summed(self, row: Limit | None, value: float) -> float:
        if row is None or row.sp is None or row.slack is None:
            return 0.0
        beyond = value - row.sp if row.statistic == "cusum_high" else row.sp - value
        return max(0.0, (self.value or 0.0) + beyond - row.slack)

    def judged(self, row: Limit, at: int) -> list[Told]:
        assert self.value is not None
        told = list[Told]()
        for rule, side, level in levels(row):
            back = level - side * (row.deadband or 0)
            bound = back if rule in self.outside else level
            out = side * self.value > side * bound
            if out is not (rule in self.outside):
                self.outside ^= {rule}
                told.append((at, row.measure, rule, "outside" if out else "inside", round(self.value, 6)))
        return told


def levels(row: Limit) -> list[tuple[str, int, float]]:
    if row.decision_interval is not None:
        return [("decision interval", 1, row.decision_interval)]
    found = []
    for name, band in (("NOR", row.nor), ("PAR", row.par)):
        if band and band.low is not None:
            found.append((f"{name} low", -1, band.low))
        if band and band.high is not None:
            found.append((f"{name} high", 1, band.high))
    return found


def charts() -> list[Chart]:
    return [Chart([row for row in ROWS if row.measure == name]) for name in dict.fromkeys(row.measure for row in ROWS)]


def told_of(events: Sequence[Event]) -> list[Told]:
    found = list[Told]()
    for event in of_kind(events, EventKind.TRANSITION):
        value, words = event.body["value"], [str(event.body[key]) for key in ("statistic", "rule", "to")]
        told = round(value, 6) if isinstance(value, float) else None
        found.append(((event.slot_ns - START_NS) // SECOND_NS, words[0], words[1], words[2], told))
    return sorted(found, key=lambda told: told[:4])


SAMPLE = st.sampled_from([0.3, 1.3, 5.1, 7.3, 9.7, 12.1, None])
"""No sum of them lies on a level, where the last digit would decide."""
PHASE = st.sampled_from([None] * 6 + ["Heat", "Dose", "Hold"])
RESTART = st.sampled_from([False, False, False, True])
STEPS = st.lists(st.tuples(st.sampled_from([1, 1, 1, 5]), SAMPLE, PHASE, RESTART), min_size=5, max_size=60)


@given(STEPS)
def test_they_go_as_the_formulas_say_also_over_restarts(steps: list[tuple[int, float | None, str | None, bool]]) -> None:
    judge, machine, stamp, at = Judge(LAYOUT, ROWS), charts(), Stamp(batch="B-1", phase="Dose"), 0
    found, expected = list[Event](), list[Told]()
    for n, (elapsed, sample, phase, restart) in enumerate(steps):
        if restart and n and not judge.active:
            judge = Judge(LAYOUT, ROWS, (), judge.accumulated)
        at, before = at + elapsed, stamp
        stamp = Stamp(batch="B-1", phase=phase or stamp.phase)
        found += judge.judge(scan(LAYOUT, START_NS + at * SECOND_NS, [sample]), (stamp,))
        for chart in machine:
            expected += chart.see(at, sample, n > 0 and stamp != before, stamp)
    assert told_of(found) == sorted(expected, key=lambda told: told[:4])


def test_a_drift_is_found_long_before_the_value_leaves_its_range() -> None:
    rows = [
        limit(nor=[60, 70]),
        limit(statistic="ewma", time_constant_s=60, nor=[64, 66]),
        limit(statistic="cusum_high", sp=65, slack=0.5, decision_interval=20),
    ]
    dose = (Stamp(batch="B-1", phase="Dose"),)
    drifting = [(at, [65 + (at % 2) * 0.5 + max(0, at - 300) * 0.01], dose) for at in range(900)]
    when = {name: at for at, name, to in reversed(changes(run(Judge(LAYOUT, rows), LAYOUT, drifting))) if to == "outside"}
    assert when.keys() == {"NOR high", "decision interval"}
    assert 300 < when["decision interval"] < 450
    assert 300 < when["NOR high"] < 500


def test_every_tag_has_its_own() -> None:
    of = layout(column("a"), column("b"), column("c"))
    rows = [
        limit("a", statistic="cusum_low", sp=0, slack=0, decision_interval=2),
        limit("c", statistic="cusum_high", sp=0, slack=0, decision_interval=2),
        limit("c", statistic="ewma", time_constant_s=1, nor=[None, 2]),
    ]
    steps = [(at, [-1.0, 5.0, 1.0 if at < 4 else 9.0], (Stamp(phase="Dose"),)) for at in range(8)]
    told = told_of(run(Judge(of, rows), of, steps))
    assert [(at, statistic, value) for at, statistic, _, _, value in told][:2] == [(2, "cusum high", 3.0), (2, "cusum low", 3.0)]
    assert [statistic for _, statistic, *_ in told] == ["cusum high", "cusum low", "ewma 1 s"]
