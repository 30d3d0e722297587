"""What the events of the judge hold: plain JSON with the documented keys, and the statistics of the last minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.terms import Event, EventKind, Json
from config.limits import Limit
from tests.unit.monitor.exact import exact
from tests.unit.monitor.judged import DOSE, HOLD, SECOND_NS, START_NS, Sample, Step, good, layout, limit, of_kind, plain, run
from tests.unit.monitor.two_units import LIMITS, SAMPLES, TWO, histories

TRANSITION = {"role", "statistic", "rule", "from", "to", "value", "level", "cpp"}
EXCURSION = {
    "role", "state", "ended", "first_ns", "last_ns", "duration_s", "peak", "area", "not_evaluable_s", "low", "high", "cpp",
    "coverage", "limits_hash",
}  # fmt: skip
EVALUABILITY = {"endpoint", "device", "group", "evaluable", "limits", "cause", "status", "only", "all_but"}
FIGURES = {"mean", "min", "max", "std", "slope", "coverage"}


def is_documented(event: Event) -> None:
    plain(event.body)
    assert orjson.loads(orjson.dumps(event.body)) == event.body
    assert type(event.slot_ns) is int
    assert event.unit in TWO.units
    if event.kind is EventKind.TRANSITION:
        assert event.body.keys() >= TRANSITION
        assert event.body["to"] in ("inside", "outside", "ended")
        assert event.body["from"] != event.body["to"]
    elif event.kind is EventKind.EXCURSION:
        assert event.body.keys() >= EXCURSION
        assert event.body["state"] == ("closed" if event.body["ended"] else "open")
    elif event.kind is EventKind.EVALUABILITY:
        assert event.body.keys() == EVALUABILITY
    else:
        assert event.kind is EventKind.STATISTICS
        assert all(figures.keys() == FIGURES for figures in roles_of(event).values())


def roles_of(event: Event) -> dict[str, dict[str, Json]]:
    return cast("dict[str, dict[str, Json]]", event.body["roles"])


@given(histories(), st.sampled_from([SECOND_NS, 10 * SECOND_NS, 47 * SECOND_NS, 3600 * SECOND_NS]))
def test_every_event_is_plain_json_with_the_documented_keys(steps: list[Step], period_ns: int) -> None:
    of = replace(TWO, period_ns=period_ns)
    rows = [row.model_copy(update={"window_s": row.window_s and row.window_s * period_ns / 1e9}) for row in LIMITS]
    judge = Judge(of, rows)
    for event in run(judge, of, steps) + judge.close(START_NS + 99 * period_ns):
        is_documented(event)


def statistics(steps: Sequence[Step], limits: Sequence[Limit] = LIMITS) -> list[Event]:
    return of_kind(run(Judge(TWO, limits), TWO, steps), EventKind.STATISTICS)


@given(st.lists(st.tuples(SAMPLES, SAMPLES), min_size=61, max_size=61), st.integers(0, 59))
@settings(deadline=None, max_examples=25)
def test_statistics_are_those_of_the_last_minute_told_once_a_minute(pairs: list[tuple[Sample, Sample]], first: int) -> None:
    steps: list[Step] = [(first + n, (*pair, *pair), (DOSE, HOLD)) for n, pair in enumerate(pairs)]
    told = statistics(steps)
    whole = START_NS + 60 * SECOND_NS
    assert {event.slot_ns for event in told} <= {whole}
    by_unit = {event.unit: event for event in told}
    for at, (unit, role) in enumerate([("R-201", "t"), ("R-201", "p"), ("R-202", "t")]):
        seen = [(START_NS + n * SECOND_NS, good(row[at])) for n, row, _ in steps if n <= 60]
        wanted = exact(seen, 60 * SECOND_NS)
        assert (unit in by_unit and role in roles_of(by_unit[unit])) is bool(wanted.count)
        if not wanted.count:
            continue
        assert by_unit[unit].stamp == (DOSE if unit == "R-201" else HOLD)
        figures = cast("Mapping[str, float]", roles_of(by_unit[unit])[role])
        assert (figures["min"], figures["max"]) == (float(min(wanted.values)), float(max(wanted.values)))
        assert abs(Fraction(figures["mean"]) - wanted.mean) <= wanted.scale
        assert abs(Fraction(figures["std"]) - wanted.std) <= wanted.scale
        assert figures["coverage"] == pytest.approx(wanted.count / 60)
        slope = figures["slope"]
        assert (slope is None) if wanted.count == 1 else (abs(Fraction(slope) - wanted.slope) <= wanted.slope_scale)


def test_coverage_counts_all_slots_of_the_minute() -> None:
    """Every 7 s: (t − 60 s, t] holds 9 slots; one of them bad is 8 of 9."""
    of = layout(period_ns=7 * SECOND_NS)
    samples = [None if n == 12 else 5.0 for n in range(30)]
    told = run(Judge(of, [limit(par=[0, 10])]), of, [(n, [sample], (DOSE,)) for n, sample in enumerate(samples)])
    coverage = [roles_of(event)["t"]["coverage"] for event in of_kind(told, EventKind.STATISTICS)]
    assert coverage == [pytest.approx(1.0), pytest.approx(8 / 9), pytest.approx(1.0)]


def test_the_largest_float_is_judged_without_noise_and_told_as_json() -> None:
    """Some controllers send it for "no value", with good status."""
    largest = 1.7976931348623157e308
    values = [5.0, largest, largest, -largest, 5.0, 5.0]
    steps: list[Step] = [(55 + n, (value, value, value, 0.0), (DOSE, DOSE)) for n, value in enumerate(values)]
    told = run(Judge(TWO, LIMITS), TWO, steps)
    assert {event.kind for event in told} == {EventKind.TRANSITION, EventKind.EXCURSION, EventKind.STATISTICS}
    for event in told:
        is_documented(event)
