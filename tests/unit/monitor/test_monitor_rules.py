"""Rules against a plain state machine; a rolling statistic against exact arithmetic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit
from drivers.base import Quality
from tests.unit.monitor.exact import exact
from tests.unit.monitor.judged import (
    DOSE,
    HOLD,
    SECOND_NS,
    START_NS,
    Sample,
    changes,
    good,
    layout,
    limit,
    of_kind,
    run,
    text,
)
from tests.unit.monitor.rule_machine import Machine, Told, in_order, rolling

ONE = layout()
EIGHTHS = st.integers(-24, 104).map(lambda n: n / 8)
SAMPLES: st.SearchStrategy[Sample] = st.one_of(
    EIGHTHS,
    EIGHTHS,
    EIGHTHS,
    st.none(),
    st.tuples(EIGHTHS, st.sampled_from([Quality.UNCERTAIN, Quality.BAD, Quality.STALE])),
    st.sampled_from([(float("nan"), Quality.GOOD), (float("inf"), Quality.GOOD), (float("-inf"), Quality.GOOD)]),
)
STEPS = st.lists(st.tuples(st.sampled_from([1, 1, 1, 2, 5]), SAMPLES), min_size=1, max_size=40)


def level_changes(events: Iterable[Event]) -> dict[int, list[tuple[str, ...]]]:
    """Of each slot that has any."""
    told: dict[int, list[Told]] = defaultdict(list)
    for event in of_kind(events, EventKind.TRANSITION):
        value, level = event.body["value"], event.body["level"]
        if event.body["rule"] != "evaluable":
            assert value is None or isinstance(value, float)
            assert isinstance(level, float)
            words = [text(event, key) for key in ("statistic", "rule", "from", "to")]
            told[event.slot_ns].append((words[0], words[1], words[2], words[3], value, level))
    return {slot_ns: in_order(of_slot) for slot_ns, of_slot in told.items()}


@st.composite
def rows(draw: st.DrawFn, statistic: str = "value", window_s: float | None = None, offset: float = 0.0) -> dict[str, object]:
    """A row with ordered levels and a written deadband."""
    a, b, c, d = (n / 2 + offset for n in sorted(draw(st.lists(st.integers(-2, 22), min_size=4, max_size=4, unique=True))))
    par: list[float | None] = draw(st.sampled_from([[a, d], [None, d], [a, None]]))
    row: dict[str, object] = {
        "statistic": statistic,
        "window_s": window_s,
        "deadband": draw(st.sampled_from([0.0, 0.125, 0.5, 1.0])),
    }
    parts: dict[str, object] = {"par": par, "nor": [b if par[0] is not None else None, c if par[1] is not None else None]}
    parts["alarm"] = draw(st.sampled_from([{"ll": a, "l": b, "h": c, "hh": d}, {"h": c}, {"ll": a}, {"l": a, "hh": a + 0.5}]))
    kept = draw(st.lists(st.sampled_from(sorted(parts)), min_size=1, unique=True))
    return row | {name: parts[name] for name in kept}


@given(rows(), STEPS)
@settings(deadline=None)
def test_every_level_follows_its_state_machine(row: dict[str, object], steps: list[tuple[int, Sample]]) -> None:
    judge, machine = Judge(ONE, [limit(**row)]), Machine([limit(**row)])
    assert machine.enter(DOSE) == []
    at, told, expected = 0, list[Event](), {}
    for periods, sample in steps:
        at += periods
        told += run(judge, ONE, [(at, [sample], (DOSE,))])
        value = good(sample)
        if seen := machine.see("value", None if value is None else Fraction(value)):
            expected[START_NS + at * SECOND_NS] = in_order(seen)
    assert level_changes(told) == expected


PHASES = ("", "Heat", "Dose")
STAMPS = st.builds(
    Stamp,
    batch=st.sampled_from(["B-1", "B-2"]),
    phase=st.sampled_from(PHASES),
    product=st.sampled_from(["", "A", "B"]),
    recipe_version=st.sampled_from(["", "1"]),
)


@st.composite
def limit_sets(draw: st.DrawFn) -> list[Limit]:
    """Rows for one tag that differ in what they name, some with the same levels."""
    names = st.fixed_dictionaries(
        {
            "phase": st.sampled_from([None, "Heat", "Dose"]),
            "product": st.sampled_from([None, "A", "B"]),
            "recipe_version": st.sampled_from([None, "1"]),
            "unit": st.sampled_from([None, "R-201", "R-202"]),
        }
    )
    chosen = draw(st.lists(names, min_size=1, max_size=5, unique_by=lambda row: tuple(row.values())))
    shared = draw(rows())
    return [limit(**((shared if draw(st.booleans()) else draw(rows())) | name)) for name in chosen]


@given(limit_sets(), st.lists(st.tuples(SAMPLES, st.one_of(st.none(), STAMPS)), min_size=1, max_size=30))
@settings(deadline=None)
def test_the_most_specific_row_holds_and_a_level_that_stays_keeps_its_state(
    limits: list[Limit], steps: list[tuple[Sample, Stamp | None]]
) -> None:
    judge, machine, stamp = Judge(ONE, limits), Machine(limits), Stamp()
    told: list[Event] = []
    expected = {}
    for at, (sample, new) in enumerate(steps):
        stamp = new or stamp
        seen = machine.enter(stamp)
        value = good(sample)
        seen += machine.see("value", None if value is None else Fraction(value))
        told += run(judge, ONE, [(at, [sample], (stamp,))])
        if seen:
            expected[START_NS + at * SECOND_NS] = in_order(seen)
    assert level_changes(told) == expected


@given(
    st.data(),
    st.sampled_from(["mean", "min", "max", "std", "slope"]),
    st.integers(1, 6),
    st.sampled_from([0.25, 0.5, 1.0]),
    STEPS,
)
def test_a_rolling_statistic_is_judged_when_covered_and_inside_the_phase(
    data: st.DataObject, statistic: str, window: int, coverage: float, steps: list[tuple[int, Sample]]
) -> None:
    """Window (t − W, t]: W slots, of which `coverage` must be good and all belong to the phase."""
    offset = 1e-4 * 3**0.5 if statistic in ("std", "slope") else 0.0  # no level that rounding could meet
    spans = data.draw(st.booleans())
    row = limit(**data.draw(rows(statistic, float(window), offset)), min_coverage=coverage, spans_phases=spans)
    judge, machine = Judge(ONE, [row]), Machine([row])
    machine.enter(DOSE)
    stamp, since, at = DOSE, steps[0][0], 0
    seen: list[tuple[int, float | None]] = []
    told: list[Event] = []
    expected = {}
    for periods, sample in steps:
        at += periods
        if data.draw(st.integers(0, 9)) == 0:
            stamp, since = (HOLD if stamp == DOSE else DOSE), at
        seen.append((START_NS + at * SECOND_NS, good(sample)))
        past = exact(seen, window * SECOND_NS)
        judged = past.count >= coverage * window and (at - window + 1 >= since or spans)
        now = machine.see(statistic, rolling(statistic, past) if judged else None)
        told += run(judge, ONE, [(at, [sample], (stamp,))])
        if now:
            expected[START_NS + at * SECOND_NS] = in_order(now)
    assert level_changes(told) == expected


@pytest.mark.parametrize("window_s", [3.0, 2.5])
def test_a_window_that_reaches_into_the_phase_before_is_not_judged(window_s: float) -> None:
    """Both hold three slots; Hold begins at 10, so 12 is the first window inside it."""
    judge = Judge(ONE, [limit(statistic="mean", window_s=window_s, phase="Hold", nor=[None, 0])])
    told = run(judge, ONE, [(n, [5.0], (DOSE if n < 10 else HOLD,)) for n in range(15)])
    assert changes(told) == [(12, "NOR high", "outside")]


def test_a_row_that_no_longer_applies_ends_its_rules_even_on_a_bad_sample() -> None:
    judge = Judge(ONE, [limit(phase="Dose", par=[0, 10]), limit(phase="Hold", par=[0, 20])])
    told = run(judge, ONE, [(0, [15], (DOSE,)), (1, [None], (HOLD,)), (2, [15], (HOLD,))])
    assert changes(told) == [(0, "PAR high", "outside"), (1, "PAR high", "ended")]
    ended = next(event for event in told if event.body.get("to") == "ended")
    assert (ended.stamp, ended.body["value"], ended.body["level"]) == (DOSE, None, 10.0)


def test_two_windows_of_one_statistic_are_two_rules() -> None:
    short, long = (limit(statistic="mean", window_s=window_s, nor=[None, 10], deadband=0.0) for window_s in (2.0, 6.0))
    steps = [(n, [20.0 if n < 6 else 0.0], (DOSE,)) for n in range(10)]
    told = run(Judge(ONE, [short, long]), ONE, steps)
    assert changes(told) == [(n, "NOR high", to) for n, to in [(1, "outside"), (5, "outside"), (6, "inside"), (8, "inside")]]
    names = [(event.body.get("window_s"), event.body["to"]) for event in of_kind(told, EventKind.TRANSITION)]
    assert names == [(2.0, "outside"), (6.0, "outside"), (2.0, "inside"), (6.0, "inside")], "which window is it?"
