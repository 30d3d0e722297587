"""Delays and settling times against a level with a stopwatch, one slot after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.terms import Event, EventKind, Stamp
from drivers.base import Quality
from tests.thorough import examples
from tests.unit.monitor.judged import (
    DOSE,
    HOLD,
    SECOND_NS,
    START_NS,
    Sample,
    changes,
    column,
    evaluability,
    good,
    layout,
    limit,
    of_kind,
    run,
    scan,
    with_changes,
)
from tests.unit.monitor.rule_machine import Level

ONE = layout()
NUMBERS = st.integers(-8, 8).map(lambda n: n / 4)
SAMPLES: st.SearchStrategy[Sample] = st.one_of(NUMBERS, NUMBERS, st.none(), st.just((5.0, Quality.UNCERTAIN)))
STEPS = st.lists(st.tuples(st.sampled_from([1, 1, 1, 2, 4, 9]), SAMPLES), min_size=1, max_size=40)
DELAYS = st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.5])


@dataclass(slots=True)
class Delayed:
    """A level with a stopwatch, which runs while the level is not where it was told to be."""

    level: Level
    told: bool = False
    held_s: float = 0.0
    before_s: int = field(default=-(10**9))

    def see(self, at_s: int, value: float | None, on_s: float, off_s: float) -> bool:
        """True when it is to be told."""
        elapsed_s, self.before_s = min(at_s - self.before_s, 3), at_s
        if value is None:
            return False
        if self.level.see(Fraction(value)):
            self.held_s = 0.0
        else:
            self.held_s += elapsed_s
        waits = self.level.outside != self.told
        if waits and self.held_s >= (on_s if self.level.outside else off_s):
            self.told = self.level.outside
            return True
        return False


@given(STEPS, DELAYS, DELAYS, st.sampled_from([0.0, 0.25]))
@settings(max_examples=examples(100))
def test_a_change_is_told_when_it_has_held_on_good_values(
    steps: list[tuple[int, Sample]], on_s: float, off_s: float, deadband: float
) -> None:
    row = limit(par=[None, 1.0], deadband=deadband, on_delay_s=on_s, off_delay_s=off_s)
    judge, machine = Judge(ONE, [row]), Delayed(Level("value", "PAR high", True, 1.0, deadband))
    at, expected, told = 0, [], list[Event]()
    for periods, sample in steps:
        at += periods
        told += run(judge, ONE, [(at, [sample], (DOSE,))])
        if machine.see(at, good(sample), on_s, off_s):
            expected.append((at, "PAR high", "outside" if machine.told else "inside"))
        assert [rule.rule for rule in judge.active.values()] == ["PAR high"] * machine.told
    assert changes(told) == expected


@given(STEPS, st.tuples(DELAYS, DELAYS), st.tuples(DELAYS, DELAYS), st.sampled_from([0.0, 2.0, 3.5]), st.data())
@settings(max_examples=examples(100))
def test_over_a_phase_change_a_level_goes_on_waiting_and_a_settling_row_waits_for_good_data(
    steps: list[tuple[int, Sample]], on: tuple[float, float], off: tuple[float, float], settle_s: float, data: st.DataObject
) -> None:
    """The same level in both phases, with delays of its own in each; another unit's phase changes nothing."""
    rows = [
        limit(phase=phase, par=[None, 1.0], deadband=0.0, on_delay_s=on[n], off_delay_s=off[n], settle_s=settle_s * n)
        for n, phase in enumerate(("Dose", "Hold"))
    ]
    judge, machine = Judge(ONE, rows), Delayed(Level("value", "PAR high", True, 1.0, 0.0))
    stamp, since, at, expected, told = DOSE, steps[0][0], 0, [], list[Event]()
    for periods, sample in steps:
        at += periods
        if data.draw(st.integers(0, 4)) == 0:
            stamp, since = (HOLD if stamp == DOSE else DOSE), at
        n = int(stamp == HOLD)
        judged = n == 0 or at >= since + settle_s
        told += run(judge, ONE, [(at, [sample], (stamp,))])
        if machine.see(at, good(sample) if judged else None, on[n], off[n]):
            expected.append((at, "PAR high", "outside" if machine.told else "inside"))
    assert changes(told) == expected


def test_an_excursion_has_no_delay_and_does_not_wait_until_its_row_has_settled() -> None:
    judge = Judge(ONE, [limit(par=[0, 10], on_delay_s=5.0, settle_s=5.0)])
    told = run(judge, ONE, [(n, [20.0 if n == 1 else 5.0], (DOSE,)) for n in range(9)])
    assert [event.body["state"] for event in of_kind(told, EventKind.EXCURSION)] == ["open", "closed"]
    assert changes(told) == []


def test_a_row_that_settles_is_told_as_not_evaluable_and_then_judged() -> None:
    judge = Judge(ONE, [limit(phase="Hold", par=[0, 10], settle_s=3.0)])
    told = run(judge, ONE, [(n, [20.0], (DOSE if n < 2 else HOLD,)) for n in range(9)])
    assert evaluability(told) == [(2, "yes", "no"), (5, "no", "yes")]
    assert changes(told) == [(5, "PAR high", "outside")]


@pytest.mark.parametrize("statistic", ["mean", "min", "max"])
def test_a_rolling_statistic_settles_too(statistic: str) -> None:
    row = limit(statistic=statistic, window_s=2.0, spans_phases=True, phase="Hold", nor=[0, 10], settle_s=4.0)
    told = run(Judge(ONE, [row]), ONE, [(n, [20.0], (DOSE if n < 3 else HOLD,)) for n in range(9)])
    assert changes(told) == [(7, "NOR high", "outside")]


def test_another_units_phase_forgets_no_delay() -> None:
    two = layout(column("t", "R-201"), column("t", "R-202"))
    judge = Judge(two, [limit(par=[0, 10], on_delay_s=3.0)])
    steps = [(n, [20.0, 5.0], (DOSE, Stamp(batch="B-2", phase=f"P{n}"))) for n in range(5)]
    assert changes(run(judge, two, steps)) == [(3, "PAR high", "outside")]


def test_between_two_slots_a_value_on_the_old_side_begins_the_delay_anew() -> None:
    """0 s: outside. 1.5 s: inside, 1.75 s: outside again. Two seconds of good values on end are over at 4 s."""
    judge = Judge(ONE, [limit(par=[0, 10], on_delay_s=2.0, deadband=0.0)])
    told = []
    for n in range(6):
        found = [(0, SECOND_NS // 2, 5.0), (0, SECOND_NS * 3 // 4, 20.0)] if n == 2 else []
        told += judge.judge(with_changes(scan(ONE, START_NS + n * SECOND_NS, [20.0]), found), (DOSE,))
    assert changes(told) == [(4, "PAR high", "outside")]


def test_between_two_slots_a_good_value_ends_a_delay() -> None:
    judge = Judge(ONE, [limit(par=[0, 10], on_delay_s=1.5, deadband=0.0)])
    told = run(judge, ONE, [(0, [20.0], (DOSE,)), (1, [20.0], (DOSE,))])
    told += judge.judge(with_changes(scan(ONE, START_NS + 2 * SECOND_NS, [5.0]), [(0, SECOND_NS // 2, 21.0)]), (DOSE,))
    transitions = of_kind(told, EventKind.TRANSITION)
    assert [(event.slot_ns - START_NS, event.body["to"], event.body["value"]) for event in transitions] == [
        (SECOND_NS * 3 // 2, "outside", 21.0),
        (2 * SECOND_NS, "inside", 5.0),
    ]


def test_delays_that_wait_cost_no_rule_that_does_not() -> None:
    """A level without a delay is told at once while another waits."""
    judge = Judge(ONE, [limit(par=[0, 20], on_delay_s=0.0), limit(statistic="max", window_s=2.0, nor=[0, 10], on_delay_s=9.0)])
    assert changes(run(judge, ONE, [(n, [30.0], (DOSE,)) for n in range(4)])) == [(0, "PAR high", "outside")]
