"""What could be told at all: bad data, coverage, and that it is told once, whoever else changes phase."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.terms import Stamp
from drivers.base import Quality
from tests.unit.monitor.judged import DOSE, HOLD, Sample, changes, column, evaluability, good, layout, limit, run

ONE = layout()
SAMPLES: st.SearchStrategy[Sample] = st.one_of(
    st.floats(-5, 15), st.none(), st.tuples(st.floats(-5, 15), st.sampled_from(list(Quality))), st.just((math.nan, Quality.GOOD))
)
STEPS = st.lists(st.tuples(st.sampled_from([1, 1, 1, 2, 5]), SAMPLES), min_size=1, max_size=40)


@given(STEPS)
@settings(deadline=None)
def test_a_row_is_evaluable_exactly_where_its_sample_is_good(steps: list[tuple[int, Sample]]) -> None:
    judge = Judge(ONE, [limit(par=[0, 10], nor=[2, 8])])
    at, evaluable, expected, told = 0, True, [], []
    for periods, sample in steps:
        at += periods
        told += run(judge, ONE, [(at, [sample], (DOSE,))])
        now = good(sample) is not None
        if now != evaluable:
            expected.append((at, "yes" if evaluable else "no", "yes" if now else "no"))
        evaluable = now
    assert evaluability(told) == expected


@given(st.integers(1, 100), st.integers(1, 12_000), st.lists(st.sampled_from([True, True, False]), max_size=40))
@settings(deadline=None)
def test_coverage_is_the_share_of_the_windows_slots_that_are_good(percent: int, window_ms: int, pattern: list[bool]) -> None:
    """Of all slots in (t − W, t], also where W is no multiple of the period."""
    row = limit(statistic="max", window_s=window_ms / 1000, min_coverage=percent / 100, nor=[None, 0], deadband=0.0)
    slots = -(-window_ms // 1000)
    judge = Judge(ONE, [row])
    run(judge, ONE, [(n, [None], (DOSE,)) for n in range(20)])
    for n, is_good in enumerate(pattern):
        run(judge, ONE, [(20 + n, [5.0 if is_good else None], (DOSE,))])
        enough = any(100 * sum(pattern[max(0, last - slots + 1) : last + 1]) >= percent * slots for last in range(n + 1))
        assert bool(judge.active) is enough, f"{pattern[: n + 1]}: {slots} slots, {percent} %"


def test_two_good_of_three_slots_are_no_full_coverage() -> None:
    """W of 2.5 periods holds 3 slots."""
    judge = Judge(ONE, [limit(statistic="mean", window_s=2.5, min_coverage=1.0, nor=[None, 0])])
    told = run(judge, ONE, [(n, [None if n == 4 else 5.0], (DOSE,)) for n in range(7)])
    assert changes(told) == [(2, "NOR high", "outside")]
    assert evaluability(told) == [(4, "yes", "no")]


def test_fourteen_good_of_25_slots_are_56_percent() -> None:
    """0.56 × 25 is 14.000000000000002 in floats; 14 / 25 is 0.56."""
    judge = Judge(ONE, [limit(statistic="mean", window_s=25.0, min_coverage=0.56, nor=[None, 0])])
    told = run(judge, ONE, [(n, [5.0 if n >= 11 else None], (DOSE,)) for n in range(25)])
    assert changes(told) == [(24, "NOR high", "outside")]


def test_a_filling_window_is_no_news_and_one_that_loses_its_cover_is() -> None:
    judge = Judge(ONE, [limit(statistic="mean", window_s=4.0, min_coverage=0.75, nor=[None, 9])])
    samples = [5.0] * 6 + [None] * 3 + [5.0] * 4
    told = run(judge, ONE, [(n, [sample], (DOSE,)) for n, sample in enumerate(samples)])
    assert evaluability(told) == [(7, "yes", "no"), (11, "no", "yes")]


NO_PHASE = limit(par=[0, 10])


def test_what_became_not_evaluable_in_one_phase_is_told_evaluable_in_the_next() -> None:
    """The row holds for every phase: it is the same row."""
    steps: list[tuple[Sample, Stamp]] = [(5.0, DOSE), (None, DOSE), (5.0, HOLD)]
    told = run(Judge(ONE, [NO_PHASE]), ONE, [(n, [sample], (stamp,)) for n, (sample, stamp) in enumerate(steps)])
    assert evaluability(told) == [(1, "yes", "no"), (2, "no", "yes")]


def test_what_is_not_evaluable_is_not_told_again_when_the_phase_changes() -> None:
    steps: list[tuple[Sample, Stamp]] = [(5.0, DOSE), (None, DOSE), (None, HOLD), (5.0, HOLD)]
    told = run(Judge(ONE, [NO_PHASE]), ONE, [(n, [sample], (stamp,)) for n, (sample, stamp) in enumerate(steps)])
    assert evaluability(told) == [(1, "yes", "no"), (3, "no", "yes")]


TWO = layout(column("t", "R-201"), column("t", "R-202"))


def test_another_units_phase_does_not_swallow_that_a_row_is_evaluable_again() -> None:
    judge = Judge(TWO, [NO_PHASE])
    samples: list[Sequence[Sample]] = [(5, 5), (5, None), (5, 5)]
    told = run(judge, TWO, [(n, pair, (HOLD if n == 2 else DOSE, DOSE)) for n, pair in enumerate(samples)])
    assert evaluability(told, "R-202") == [(1, "yes", "no"), (2, "no", "yes")]


def test_another_units_phase_does_not_hide_that_a_window_lost_its_cover() -> None:
    judge = Judge(TWO, [limit(statistic="mean", window_s=2.0, min_coverage=1.0, nor=[0, 10])])
    samples: list[Sequence[Sample]] = [(5, 5), (5, 5), (5, None), (5, None)]
    told = run(judge, TWO, [(n, pair, (HOLD if n >= 2 else DOSE, DOSE)) for n, pair in enumerate(samples)])
    assert evaluability(told, "R-202") == [(2, "yes", "no")]
