"""Excursions against a pass over the finished list of good samples, and the cases that are easy to get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.excursions import Excursion, Tracker
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
    Step,
    column,
    good,
    layout,
    limit,
    number,
    of_kind,
    plain,
    run,
    scan,
    text,
    whole,
    with_changes,
)
from tests.unit.monitor.stretches import Figures, Record, Stretch

ONE = layout()
EIGHTHS = st.sampled_from([0.0, 10.0, 5.0, 5.0, 5.0, 10.125, 11.0, 40.0, -0.125, -3.0, 1e12, -1e12])
SAMPLES: st.SearchStrategy[Sample] = st.one_of(
    EIGHTHS,
    EIGHTHS,
    EIGHTHS,
    st.none(),
    st.tuples(EIGHTHS, st.sampled_from(list(Quality))),
    st.just((float("nan"), Quality.GOOD)),
)
STEPS = st.lists(st.tuples(st.sampled_from([1, 1, 1, 1, 2, 3, 4, 9]), SAMPLES), max_size=40)
BOUNDS = st.sampled_from([(0.0, 10.0), (None, 10.0), (0.0, None), (5.0, 5.125)])


def timed(steps: Sequence[tuple[int, Sample]]) -> list[tuple[int, Sample]]:
    at = 0
    return [(at := at + periods, sample) for periods, sample in steps]


def record(steps: Sequence[tuple[int, Sample]], low: float | None, high: float | None, period_ns: int) -> Record:
    """Of what is good in `steps`."""
    values = [(START_NS + at * period_ns, good(sample)) for at, sample in steps]
    return Record([(slot_ns, value) for slot_ns, value in values if value is not None], low, high, period_ns)


def is_of(event: Event, wanted: Figures) -> None:
    assert (whole(event, "first_ns"), whole(event, "last_ns")) == (wanted.first_ns, wanted.last_ns)
    assert number(event, "peak") == wanted.peak
    assert number(event, "area") == pytest.approx(float(wanted.area), rel=1e-12)
    assert number(event, "not_evaluable_s") == pytest.approx(float(wanted.not_evaluable), rel=1e-12)
    assert number(event, "coverage") == pytest.approx(float(wanted.coverage), rel=1e-12)
    assert number(event, "duration_s") == (wanted.last_ns - wanted.first_ns) / 1e9


def assert_told(told: Sequence[Event], judge: Judge, wanted: Record) -> None:
    stretches, events = wanted.stretches(), list(told)
    for stretch in stretches:
        opened = events.pop(0)
        first_ns, value = wanted.samples[stretch.first]
        is_of(opened, Figures(first_ns, first_ns, value, Fraction(0), Fraction(0)))
        assert (text(opened, "state"), text(opened, "ended"), opened.slot_ns) == ("open", "", first_ns)
        if wanted.is_told(stretch):
            closed = events.pop(0)
            is_of(closed, wanted.figures(stretch))
            assert (text(closed, "state"), text(closed, "ended")) == ("closed", "inside")
    assert events == []
    assert_view(judge, wanted, [stretch for stretch in stretches if not wanted.is_told(stretch)])


def assert_view(judge: Judge, wanted: Record, still_open: list[Stretch]) -> None:
    shown = list(judge.open.values())
    assert len(shown) == len(still_open) <= 1
    for excursion, stretch in zip(shown, still_open, strict=True):
        is_of(excursion.event(DOSE, ""), wanted.figures(stretch))


@given(STEPS, BOUNDS, st.sampled_from([SECOND_NS, 250_000_000, 5 * SECOND_NS]), st.floats(0, 100))
@settings(max_examples=examples(100))
def test_every_excursion_is_that_of_the_definition(
    steps: list[tuple[int, Sample]], bounds: tuple[float | None, float | None], period_ns: int, deadband: float
) -> None:
    """Bad samples are as if they were not there; a deadband is for rules only."""
    of, par = layout(period_ns=period_ns), list(bounds)
    judge, at = Judge(of, [limit(par=par, deadband=deadband)]), timed(steps)
    told = run(judge, of, [(n, [sample], (DOSE,)) for n, sample in at])
    assert_told(of_kind(told, EventKind.EXCURSION), judge, record(at, *bounds, period_ns))


@given(STEPS, BOUNDS, st.sampled_from([0.5, 2.0, 3.5, 6.0, 30.0]))
@settings(max_examples=examples(100))
def test_excursions_not_further_apart_than_the_merge_gap_are_one(
    steps: list[tuple[int, Sample]], bounds: tuple[float | None, float | None], merge_gap_s: float
) -> None:
    judge, at = Judge(ONE, [limit(par=list(bounds), merge_gap_s=merge_gap_s)]), timed(steps)
    told = run(judge, ONE, [(n, [sample], (DOSE,)) for n, sample in at])
    wanted = replace(record(at, *bounds, SECOND_NS), merge_ns=round(merge_gap_s * SECOND_NS))
    assert_told(of_kind(told, EventKind.EXCURSION), judge, wanted)


@given(st.lists(st.tuples(st.integers(1, 4), SAMPLES, st.booleans()), min_size=1, max_size=30))
@settings(max_examples=examples(100))
def test_a_change_of_phase_ends_what_is_open_and_judges_anew(steps: list[tuple[int, Sample, bool]]) -> None:
    """Each stay in a phase is a record of its own. What had come back inside before the change ended then."""
    at, stamp = 0, DOSE
    judge = Judge(ONE, [limit(par=[0, 10], phase="Dose"), limit(par=[-1, 10.5], phase="Hold")])
    told: list[Event] = []
    stays: list[tuple[Stamp, list[tuple[int, Sample]]]] = [(DOSE, [])]
    for periods, sample, changes in steps:
        at += periods
        if changes:
            stamp = HOLD if stamp == DOSE else DOSE
            stays.append((stamp, []))
        stays[-1][1].append((at, sample))
        told += run(judge, ONE, [(at, [sample], (stamp,))])
    expected = []
    for n, (phase, stay) in enumerate(stays):
        low, high = (0.0, 10.0) if phase == DOSE else (-1.0, 10.5)
        of_stay = record(stay, low, high, SECOND_NS)
        for stretch in of_stay.stretches():
            figures = of_stay.figures(stretch)
            expected.append((figures.first_ns, "", phase, figures.first_ns))
            if stretch.last is not None and (of_stay.is_told(stretch) or n + 1 < len(stays)):
                expected.append((figures.first_ns, "inside", phase, figures.last_ns))
            elif stretch.last is None and n + 1 < len(stays):
                expected.append((figures.first_ns, "limits changed", phase, START_NS + stays[n + 1][1][0][0] * SECOND_NS))
    events = of_kind(told, EventKind.EXCURSION)
    assert [(whole(e, "first_ns"), text(e, "ended"), e.stamp, whole(e, "last_ns")) for e in events] == expected


def steps_of(samples: Sequence[Sample], stamps: Sequence[Stamp] | None = None) -> list[Step]:
    """One a second, Dose where nothing else is said."""
    return [
        (n, [sample], (stamp,)) for n, (sample, stamp) in enumerate(zip(samples, stamps or [DOSE] * len(samples), strict=True))
    ]


def closed(samples: Sequence[Sample], stamps: Sequence[Stamp] | None = None, **fields: object) -> list[tuple[int, int, str]]:
    """(first, last, why) in seconds since the start, of what ended."""
    told = run(Judge(ONE, [limit(**({"par": [0, 10]} | fields))]), ONE, steps_of(samples, stamps))
    return [in_seconds(event) for event in of_kind(told, EventKind.EXCURSION) if event.body["state"] == "closed"]


def in_seconds(event: Event) -> tuple[int, int, str]:
    first, last = ((whole(event, key) - START_NS) // SECOND_NS for key in ("first_ns", "last_ns"))
    return first, last, text(event, "ended")


def test_the_bounds_are_inside() -> None:
    assert closed([10.0, 0.0, 10.0, -0.0, 5]) == []


def test_the_smallest_step_beyond_a_bound_is_outside() -> None:
    assert closed([10.000000000000002, 5, 5, -5e-324, 5, 5]) == [(0, 1, "inside"), (3, 4, "inside")]


def test_back_for_one_period_is_one_excursion_and_for_two_is_two() -> None:
    assert closed([11, 5, 11, 5, 5]) == [(0, 3, "inside")]
    assert closed([11, 5, None, 11, 5, 5]) == [(0, 1, "inside"), (3, 4, "inside")]
    assert closed([11, 5, 5, 11, 5, 5]) == [(0, 1, "inside"), (3, 4, "inside")]


def test_a_jump_from_high_to_low_is_one_excursion_and_its_peak_is_the_farthest() -> None:
    told = run(Judge(ONE, [limit(par=[0, 10])]), ONE, steps_of([12, -4, 13, 5, 5]))
    (event,) = [event for event in told if event.body.get("state") == "closed"]
    assert (number(event, "peak"), number(event, "area")) == (-4.0, (2 + 4) / 2 + (4 + 3) / 2 + 3 / 2)


def test_bad_data_neither_opens_nor_closes() -> None:
    assert closed([None, 11, None, None, 5, 5]) == [(1, 4, "inside")]
    assert closed([5, (50.0, Quality.UNCERTAIN), (50.0, Quality.STALE), 5, 5]) == []


@pytest.mark.parametrize(("dark", "not_evaluable_s", "area"), [(2, 0.0, 3.0 + 0.5), (3, 4.0, 0.5), (9, 10.0, 0.5)])
def test_more_than_three_periods_without_good_samples_are_not_evaluable(dark: int, not_evaluable_s: float, area: float) -> None:
    told = run(Judge(ONE, [limit(par=[0, 10])]), ONE, steps_of([11, *[None] * dark, 11, 5, 5]))
    (event,) = [event for event in told if event.body.get("state") == "closed"]
    assert (number(event, "not_evaluable_s"), number(event, "area")) == (not_evaluable_s, area)


def test_what_had_come_back_before_the_phase_changed_ended_inside() -> None:
    assert closed([11, 5, 5, 5], [DOSE, DOSE, HOLD, HOLD]) == [(0, 1, "inside")]


def test_what_had_come_back_before_the_daemon_stopped_ended_inside() -> None:
    judge = Judge(ONE, [limit(par=[0, 10])])
    run(judge, ONE, steps_of([11, 5]))
    (event,) = of_kind(judge.close(START_NS + 100 * SECOND_NS), EventKind.EXCURSION)
    assert in_seconds(event) == (0, 1, "inside")
    assert judge.open == {}


def test_what_is_outside_when_the_daemon_stops_is_told_so_once() -> None:
    judge = Judge(ONE, [limit(par=[0, 10])])
    run(judge, ONE, steps_of([5, 11, 12]))
    (event,) = of_kind(judge.close(START_NS + 3 * SECOND_NS), EventKind.EXCURSION)
    assert (in_seconds(event), event.stamp, number(event, "peak")) == ((1, 3, "stopped"), DOSE, 12.0)
    assert judge.open == {}
    assert judge.close(START_NS + 4 * SECOND_NS) == []


def test_the_dark_before_a_change_of_phase_is_not_evaluable() -> None:
    """Seconds 1 to 10 have no good sample: nobody knows how long it was outside."""
    told = run(Judge(ONE, [limit(par=[0, 10], phase="Dose")]), ONE, steps_of([11, *[None] * 9, 5], [DOSE] * 10 + [HOLD]))
    (event,) = [event for event in told if event.body.get("state") == "closed"]
    assert in_seconds(event) == (0, 10, "limits changed")
    assert number(event, "not_evaluable_s") == 10.0


def test_the_dark_before_the_daemon_stops_is_not_evaluable() -> None:
    judge = Judge(ONE, [limit(par=[0, 10])])
    run(judge, ONE, steps_of([11, *[None] * 9]))
    (event,) = of_kind(judge.close(START_NS + 60 * SECOND_NS), EventKind.EXCURSION)
    assert (in_seconds(event), number(event, "not_evaluable_s")) == ((0, 60, "stopped"), 60.0)
    assert number(event, "coverage") == 1 / 60


def test_coverage_is_of_the_slots_inside_it_whatever_came_between_them() -> None:
    """Outside from 0.4 s to 4 s: slots 1, 2 and 3 lie inside, of which 2 is bad; what came at 2.5 s is no slot's sample."""
    judge = Judge(ONE, [limit(par=[0, 10])])
    told = run(judge, ONE, steps_of([5.0]))
    told += judge.judge(with_changes(scan(ONE, START_NS + SECOND_NS, [12.0]), [(0, 400_000_000, 11.0)]), (DOSE,))
    told += run(judge, ONE, [(2, [None], (DOSE,))])
    told += judge.judge(with_changes(scan(ONE, START_NS + 3 * SECOND_NS, [12.0]), [(0, 500_000_000, 11.0)]), (DOSE,))
    told += run(judge, ONE, [(4, [5.0], (DOSE,)), (5, [5.0], (DOSE,))])
    assert [number(event, "coverage") for event in of_kind(told, EventKind.EXCURSION)] == [1.0, pytest.approx(2 / 3)]


def test_coverage_of_recorded_times_that_are_not_quite_a_period_apart() -> None:
    judge = Judge(ONE, [limit(par=[0, 10])])
    times = [(0, 5.0), (1_020, 12.0), (1_970, 12.0), (3_040, 12.0), (3_990, 5.0), (5_100, 5.0)]
    told = [event for ms, value in times for event in judge.judge(scan(ONE, START_NS + ms * 1_000_000, [value]), (DOSE,))]
    assert [number(event, "coverage") for event in of_kind(told, EventKind.EXCURSION)] == [1.0, 1.0]


def test_a_record_that_ends_with_a_sample_outside_has_no_slot_for_it_in_the_coverage() -> None:
    judge = Judge(ONE, [limit(par=[0, 10])])
    run(judge, ONE, steps_of([11, None, None, 11, 11]))
    (event,) = of_kind(judge.close(START_NS + 4 * SECOND_NS), EventKind.EXCURSION)
    assert (in_seconds(event), number(event, "coverage")) == ((0, 4, "stopped"), 0.5)


def test_a_change_of_phase_ends_the_coverage_at_its_slot() -> None:
    told = run(Judge(ONE, [limit(par=[0, 10], phase="Dose")]), ONE, steps_of([11, None, 11, 11, 11], [DOSE] * 4 + [HOLD]))
    (event,) = [event for event in told if event.body.get("state") == "closed"]
    assert (in_seconds(event), number(event, "coverage")) == ((0, 4, "limits changed"), 0.75)


def test_an_excursion_goes_on_in_the_next_phase_where_the_same_row_holds_and_is_of_the_one_in_which_it_began() -> None:
    told = run(Judge(ONE, [limit(par=[0, 10])]), ONE, steps_of([11, 11, 11, 5, 5], [DOSE, DOSE, HOLD, HOLD, HOLD]))
    events = of_kind(told, EventKind.EXCURSION)
    assert [(*in_seconds(event), event.stamp) for event in events] == [(0, 0, "", DOSE), (0, 3, "inside", DOSE)]


def test_two_rows_of_one_par_are_two_limits() -> None:
    rows = [limit(par=[0, 10], phase="Dose"), limit(par=[0, 10], phase="Hold")]
    told = run(Judge(ONE, rows), ONE, steps_of([11, 11, 11, 5, 5], [DOSE, DOSE, HOLD, HOLD, HOLD]))
    assert [in_seconds(event) for event in of_kind(told, EventKind.EXCURSION) if event.body["state"] == "closed"] == [
        (0, 2, "limits changed"), (2, 3, "inside"),
    ]  # fmt: skip


@pytest.mark.parametrize("other", [{"batch": "B-2"}, {"product": "P-2"}, {"recipe_version": "2"}])
def test_of_another_batch_product_or_recipe_it_is_another_one(other: dict[str, str]) -> None:
    after = replace(HOLD, **other)
    assert closed([11, 11, 11, 5, 5], [DOSE, DOSE, after, after, after]) == [(0, 2, "limits changed"), (2, 3, "inside")]


@given(STEPS, st.lists(st.integers(0, 40), max_size=4))
@settings(deadline=None, max_examples=50)
def test_of_a_row_of_every_phase_excursions_are_those_without_phases(steps: list[tuple[int, Sample]], changes: list[int]) -> None:
    at = timed(steps)
    rows = [limit(par=[0, 10]), limit(nor=[0, 10], statistic="mean", window_s=3.0, phase="Hold")]
    judge = Judge(ONE, rows)
    stamps = [HOLD if sum(n >= change for change in changes) % 2 else DOSE for n in range(len(at))]
    told = run(judge, ONE, [(n, [sample], (stamp,)) for (n, sample), stamp in zip(at, stamps, strict=True)])
    assert_told(of_kind(told, EventKind.EXCURSION), judge, record(at, 0.0, 10.0, SECOND_NS))


def test_a_phase_without_par_ends_it() -> None:
    assert closed([11, 11, 11], [DOSE, DOSE, HOLD], phase="Dose") == [(0, 2, "limits changed")]


def test_another_unit_does_not_end_it() -> None:
    two = layout(column("t", "R-201"), column("t", "R-202"))
    told = run(Judge(two, [limit(par=[0, 10])]), two, [(n, (5, 11), (HOLD if n > 1 else DOSE, DOSE)) for n in range(5)])
    assert [(event.unit, text(event, "state")) for event in of_kind(told, EventKind.EXCURSION)] == [("R-202", "open")]


def test_only_raw_samples_make_excursions() -> None:
    """A mean outside PAR is a transition of its rule."""
    judge = Judge(ONE, [limit(statistic="mean", window_s=2.0, par=[0, 10])])
    assert of_kind(run(judge, ONE, steps_of([20] * 9)), EventKind.EXCURSION) == []


@pytest.mark.parametrize("worst", [1.7976931348623157e308, -1.7976931348623157e308])
def test_the_largest_float_is_told_in_finite_numbers(worst: float) -> None:
    """Some controllers send it for "no value", with good status."""
    tracker = Tracker("R-201", "t", -1e308, 1e308, SECOND_NS, cpp=False)
    told: list[Excursion] = []
    for n, value in enumerate([worst, worst, worst, 0.0, 0.0]):
        told += tracker.sample(START_NS + n * SECOND_NS, value)
    for excursion in told:
        plain(excursion.event(DOSE, "").body)
    near = Tracker("R-201", "t", -10.0, 10.0, SECOND_NS, cpp=False)
    for n, value in enumerate([worst, worst, 0.0, 0.0]):
        for excursion in near.sample(START_NS + n * SECOND_NS, value):
            plain(excursion.event(DOSE, "").body)


def test_a_gap_between_two_that_are_one_is_not_evaluable() -> None:
    """Inside at 1 s, nothing until 7 s, inside there, outside again at 8 s; back at 9 s, known 20 s later."""
    judge = Judge(ONE, [limit(par=[0, 10], merge_gap_s=20.0)])
    told = run(
        judge, ONE, [(n, [value], (DOSE,)) for n, value in [(0, 12.0), (1, 5.0), (7, 5.0), (8, 12.0), (9, 5.0), (29, 5.0)]]
    )
    (_, closed) = of_kind(told, EventKind.EXCURSION)
    assert (number(closed, "duration_s"), number(closed, "not_evaluable_s"), number(closed, "area")) == (9.0, 6.0, 3.0)
