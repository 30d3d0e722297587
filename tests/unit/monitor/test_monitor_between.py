"""What a subscription told between the slots: seen by instant limits and excursions at its own time, by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.terms import Event, EventKind, Stamp
from drivers.base import Quality
from tests.unit.monitor.judged import (
    DOSE,
    HOLD,
    SECOND_NS,
    START_NS,
    Change,
    Sample,
    Told,
    agrees,
    column,
    good,
    layout,
    limit,
    number,
    of_kind,
    scan,
    text,
    with_changes,
)
from tests.unit.monitor.rule_machine import Machine, in_order
from tests.unit.monitor.stretches import Record
from tests.unit.monitor.test_monitor_excursions import BOUNDS, assert_told
from tests.unit.monitor.test_monitor_excursions import SAMPLES as EXCURSION_SAMPLES
from tests.unit.monitor.test_monitor_rules import SAMPLES, level_changes, rows

ONE, TWO = layout(), layout(column("t"), column("p"))
Slot = tuple[int, list[tuple[int, Sample]], Sample]
"""(periods since the slot before, (nanoseconds since then, value) of what came between, its own sample)."""
MS = 1_000_000


def slots(samples: st.SearchStrategy[Sample]) -> st.SearchStrategy[list[Slot]]:
    """Stamps are in their order, none of them twice, and lie between the slots."""
    stamps = st.lists(st.integers(1, SECOND_NS - 1) | st.sampled_from([1, SECOND_NS - 1, 500 * MS]), max_size=5, unique=True)
    between = stamps.map(sorted).flatmap(lambda found: st.tuples(*(st.tuples(st.just(since), samples) for since in found)))
    return st.lists(st.tuples(st.sampled_from([1, 1, 1, 2, 5]), between.map(list), samples), min_size=1, max_size=12)


def judged(judge: Judge, found: Sequence[Slot], stamp: Stamp = DOSE) -> tuple[list[Event], list[tuple[int, Sample]]]:
    """What `judge` tells of them, and all values with their times, but for those before the first slot: no limit held yet."""
    told, seen, at = list[Event](), list[tuple[int, Sample]](), 0
    for periods, between, sample in found:
        first, at = at == 0, at + periods
        slot_ns = START_NS + at * SECOND_NS
        told += judge.judge(with_changes(scan(ONE, slot_ns, [sample]), [(0, *each) for each in between]), (stamp,))
        seen += [] if first else [(slot_ns - SECOND_NS + since_ns, value) for since_ns, value in between]
        seen.append((slot_ns, sample))
    return told, seen


@given(slots(EXCURSION_SAMPLES), BOUNDS)
@settings(deadline=None)
def test_every_excursion_is_that_of_the_definition(found: list[Slot], bounds: tuple[float | None, float | None]) -> None:
    judge = Judge(ONE, [limit(par=list(bounds))])
    told, seen = judged(judge, found)
    values = [(time_ns, value) for time_ns, sample in seen if (value := good(sample)) is not None]
    assert_told(of_kind(told, EventKind.EXCURSION), judge, Record(values, *bounds, SECOND_NS))


@given(rows(), slots(SAMPLES))
@settings(deadline=None)
def test_every_level_follows_its_state_machine(row: dict[str, object], found: list[Slot]) -> None:
    judge, machine = Judge(ONE, [limit(**row)]), Machine([limit(**row)])
    machine.enter(DOSE)
    told, seen = judged(judge, found)
    expected = {}
    for time_ns, sample in seen:
        value = good(sample)
        if changed := machine.see("value", None if value is None else Fraction(value)):
            expected[time_ns] = in_order(changed)
    assert level_changes(told) == expected
    heard = Told()
    for event in told:
        heard.hear(event)
    agrees(heard, judge)


@given(slots(SAMPLES), st.sampled_from(["mean", "min", "max", "std", "slope"]))
@settings(deadline=None, max_examples=50)
def test_windows_and_evaluability_are_of_slots_alone(found: list[Slot], statistic: str) -> None:
    limits = [limit(statistic=statistic, window_s=3.0, min_coverage=0.5, nor=[2, 8]), limit(alarm={"h": 1e300})]
    with_, without = Judge(ONE, limits), Judge(ONE, limits)
    assert judged(with_, found)[0] == judged(without, [(periods, [], sample) for periods, _, sample in found])[0]


def test_a_value_outside_between_two_slots_inside_opens_and_closes_an_excursion() -> None:
    judge = Judge(ONE, [limit(par=[0, 10])])
    told, _ = judged(judge, [(1, [], 5.0), (1, [(400 * MS, 12.0)], 5.0), (1, [], 5.0)])
    opened, closed = of_kind(told, EventKind.EXCURSION)
    assert (text(opened, "state"), text(closed, "state"), text(closed, "ended")) == ("open", "closed", "inside")
    assert opened.slot_ns == START_NS + SECOND_NS + 400 * MS
    assert (number(closed, "duration_s"), number(closed, "peak"), number(closed, "area")) == pytest.approx((0.6, 12.0, 0.6))
    assert judge.open == {}


def test_the_limits_of_a_new_phase_hold_from_its_slot_on_and_not_before_it() -> None:
    """11 is outside in Hold only; 20 came before Hold began, with what held in Dose."""
    judge = Judge(ONE, [limit(par=[0, 15], phase="Dose"), limit(par=[0, 10], phase="Hold")])
    told = judge.judge(scan(ONE, START_NS, [5.0]), (DOSE,))
    entering = with_changes(scan(ONE, START_NS + SECOND_NS, [5.0]), [(0, 100 * MS, 11.0), (0, 200 * MS, 20.0)])
    told += judge.judge(entering, (HOLD,))
    told += judge.judge(with_changes(scan(ONE, START_NS + 2 * SECOND_NS, [5.0]), [(0, 100 * MS, 11.0)]), (HOLD,))
    found = [(event.slot_ns - START_NS, event.stamp, text(event, "state")) for event in of_kind(told, EventKind.EXCURSION)]
    assert found == [
        (200 * MS, DOSE, "open"),
        (SECOND_NS, DOSE, "closed"),
        (SECOND_NS + 100 * MS, HOLD, "open"),
    ]


def test_columns_are_judged_each_for_itself_and_told_in_the_order_of_time() -> None:
    """A server tells one tag's queue after the other's."""
    judge = Judge(TWO, [limit("t", par=[0, 10]), limit("p", par=[0, 10])])
    judge.judge(scan(TWO, START_NS, [5.0, 5.0]), (DOSE,))
    between: list[Change] = [
        (0, 200 * MS, 11.0),
        (0, 600 * MS, 5.0),
        (1, 100 * MS, 12.0),
        (1, 700 * MS, 4.0),
        (1, 800 * MS, 13.0),
    ]
    told = judge.judge(with_changes(scan(TWO, START_NS + SECOND_NS, [5.0, 5.0]), between), (DOSE,))
    levels = [(event.slot_ns - START_NS, text(event, "role"), text(event, "to")) for event in of_kind(told, EventKind.TRANSITION)]
    assert levels == [
        (100 * MS, "p", "outside"),
        (200 * MS, "t", "outside"),
        (600 * MS, "t", "inside"),
        (700 * MS, "p", "inside"),
        (800 * MS, "p", "outside"),
        (SECOND_NS, "p", "inside"),
    ]


def test_a_bad_value_between_the_slots_changes_nothing() -> None:
    judge = Judge(ONE, [limit(par=[0, 10])])
    told, _ = judged(judge, [(1, [], 5.0), (1, [(MS, None), (2 * MS, (50.0, Quality.UNCERTAIN)), (3 * MS, float("nan"))], 5.0)])
    assert told == []
