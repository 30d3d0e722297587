"""The judge as a whole: the same scans give the same events, units don't touch each other, and whoever has nothing
but the events knows what the views show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.store.rows import decode, encode
from collector.terms import EventKind
from drivers.base import Quality, Scan, Status
from tests.unit.monitor.judged import (
    DOSE,
    HOLD,
    SECOND_NS,
    START_NS,
    Step,
    Told,
    agrees,
    changes,
    evaluability,
    layout,
    limit,
    of_kind,
    run,
    scan,
)
from tests.unit.monitor.two_units import LIMITS, TWO, histories

ONE = layout()


@given(histories())
def test_the_same_scans_from_the_journal_give_the_same_events(steps: list[Step]) -> None:
    live, replayed = Judge(TWO, LIMITS), Judge(TWO, LIMITS)
    for at, samples, stamps in steps:
        original = scan(TWO, START_NS + at * SECOND_NS, samples)
        stored = decode(encode(original), TWO, original.slot_ns, original.received_ns, 0)
        assert live.judge(original, stamps) == replayed.judge(stored, stamps)
        assert (live.active, live.open) == (replayed.active, replayed.open)


@given(histories(), st.lists(st.integers(0, 29), max_size=3))
def test_duplicate_and_backward_scans_change_nothing(steps: list[Step], again: list[int]) -> None:
    judge, undisturbed = Judge(TWO, LIMITS), Judge(TWO, LIMITS)
    for n, step in enumerate(steps):
        assert run(judge, TWO, [step]) == run(undisturbed, TWO, [step])
        for earlier in (steps[min(n, m)] for m in again):
            assert run(judge, TWO, [(earlier[0], (99.0,) * 4, earlier[2])]) == []
        assert (judge.active, judge.open) == (undisturbed.active, undisturbed.open)


@given(histories())
def test_the_views_are_what_the_events_say_at_every_scan(steps: list[Step]) -> None:
    judge, told = Judge(TWO, LIMITS), Told()
    for step in steps:
        for event in run(judge, TWO, [step]):
            told.hear(event)
        agrees(told, judge)
    for event in judge.close(START_NS + (steps[-1][0] + 1) * SECOND_NS):
        told.hear(event)
    agrees(told, judge)
    assert judge.open == {}


def test_two_windows_with_one_level_can_be_told_apart_by_their_events() -> None:
    rows = [limit(statistic="mean", window_s=window_s, nor=[None, 10]) for window_s in (2.0, 4.0)]
    judge, told = Judge(ONE, rows), Told()
    for event in run(judge, ONE, [(n, [20.0], (DOSE,)) for n in range(6)]):
        told.hear(event)
    assert len(judge.active) == 2
    agrees(told, judge)


def test_nobody_believes_for_ever_in_a_rule_that_was_outside_when_the_daemon_stopped() -> None:
    """It came back while the daemon did not run: nothing but the stop itself can end it."""
    told, before, after = Told(), Judge(ONE, [limit(par=[0, 10])]), Judge(ONE, [limit(par=[0, 10])])
    events = run(before, ONE, [(0, [20.0], (DOSE,))]) + before.close(START_NS + SECOND_NS)
    for event in events + run(after, ONE, [(n, [5.0], (DOSE,)) for n in range(60, 70)]):
        told.hear(event)
    agrees(told, after)


@given(histories(), st.integers(0, 30))
def test_a_stop_anywhere_and_a_start_go_on_judging(steps: list[Step], cut: int) -> None:
    """What is outside is told again by the judge that starts; a window has to fill anew."""
    before, after = Judge(TWO, LIMITS), Judge(TWO, LIMITS)
    run(before, TWO, steps[:cut])
    before.close(START_NS + SECOND_NS * (steps[:cut][-1][0] if cut else 0))
    fresh, told = Judge(TWO, LIMITS), Told()
    for step in steps[cut:]:
        events = run(after, TWO, [step])
        assert events == run(fresh, TWO, [step])
        for event in events:
            told.hear(event)
        agrees(told, after)


def alone(steps: Sequence[Step], first: int, last: int, unit: int) -> list[Step]:
    return [(at, samples[first:last], (stamps[unit],)) for at, samples, stamps in steps]


@given(histories())
def test_a_unit_is_judged_as_if_it_were_alone(steps: list[Step]) -> None:
    """Whatever the other unit of the same scan group does."""
    events = run(Judge(TWO, LIMITS), TWO, steps)
    for n, unit in enumerate(TWO.units):
        of = replace(TWO, columns=TWO.columns[2 * n : 2 * n + 2])
        by_itself = run(Judge(of, LIMITS), of, alone(steps, 2 * n, 2 * n + 2, n))
        assert [event for event in events if event.unit == unit] == by_itself


@given(histories())
def test_a_level_is_judged_as_if_it_were_the_only_row(steps: list[Step]) -> None:
    """Rows of other statistics and roles, and the order of rows, decide nothing about it."""
    events = run(Judge(TWO, list(reversed(LIMITS))), TWO, steps)
    only = run(Judge(TWO, [row for row in LIMITS if (row.role, row.statistic) == ("t", "mean")]), TWO, steps)
    assert [event for event in events if event.body.get("statistic") == "mean"] == of_kind(only, EventKind.TRANSITION)


def test_a_lost_scan_is_not_evaluable() -> None:
    judge = Judge(ONE, [limit(par=[0, 10])])
    told = run(judge, ONE, [(0, [20.0], (DOSE,))])
    told += judge.judge(Scan.of_lost(ONE, START_NS + SECOND_NS, START_NS + SECOND_NS, Status.BAD_TIMEOUT), (DOSE,))
    assert (changes(told), evaluability(told)) == ([(0, "PAR high", "outside")], [(1, "yes", "no")])
    assert len(judge.active) == len(judge.open) == 1


def test_a_change_of_context_comes_before_what_its_own_scan_shows() -> None:
    """The limits of a phase hold for the scan that tells it."""
    judge = Judge(ONE, [limit(phase="Dose", par=[0, 10]), limit(phase="Hold", par=[0, 30])])
    told = run(judge, ONE, [(0, [20.0], (DOSE,)), (1, [40.0], (HOLD,))])
    assert changes(told) == [(0, "PAR high", "outside"), (1, "PAR high", "ended"), (1, "PAR high", "outside")]
    states = [(event.body["state"], event.stamp.phase) for event in of_kind(told, EventKind.EXCURSION)]
    assert states == [("open", "Dose"), ("closed", "Dose"), ("open", "Hold")]
    assert [event.stamp.phase for event in of_kind(told, EventKind.TRANSITION)] == ["Dose", "Dose", "Hold"]


def test_without_limits_nothing_is_told() -> None:
    judge = Judge(ONE, [limit("another", par=[0, 10])])
    assert run(judge, ONE, [(n, [1e9], (DOSE,)) for n in range(200)]) == []
    assert (judge.active, judge.open, judge.limits_now, judge.close(START_NS)) == ({}, {}, (), [])


def test_limits_now_are_those_of_the_newest_scan() -> None:
    dose, any_phase = limit(phase="Dose", par=[0, 10]), limit(par=[0, 20])
    judge = Judge(ONE, [dose, any_phase])
    run(judge, ONE, [(0, [5], (DOSE,))])
    assert judge.limits_now == ((0, dose),)
    run(judge, ONE, [(1, [5], (HOLD,))])
    assert judge.limits_now == ((0, any_phase),)


def test_judging_does_not_write_into_the_scan() -> None:
    of_dose = scan(TWO, START_NS, (5, None, (99.0, Quality.UNCERTAIN), 3))
    kept = scan(TWO, START_NS, (5, None, (99.0, Quality.UNCERTAIN), 3))
    for array in (of_dose.values, of_dose.quality, of_dose.status):
        array.flags.writeable = False
    Judge(TWO, LIMITS).judge(of_dose, (DOSE, DOSE))
    np.testing.assert_array_equal(of_dose.values, kept.values)
    np.testing.assert_array_equal(of_dose.quality, kept.quality)
