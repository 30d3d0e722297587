"""Limits on how long phases take, against a walk through the phases one after another."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.durations import PhaseDurations
from collector.monitor.resumed import OutsideBefore
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit
from tests.unit.monitor.judged import SECOND_NS, START_NS, of_kind

HOLD = Limit.model_validate({"statistic": "duration", "phase": "Hold", "par": [4, 8], "alarm": {"h": 6}})
ANY = Limit.model_validate({"statistic": "duration", "nor": [2, 5]})
OTHER_UNIT = Limit.model_validate({"statistic": "duration", "phase": "Dose", "unit": "R-202", "par": [100, None]})
ROWS = [HOLD, ANY, OTHER_UNIT]
UPPER = {"Hold": [("H", 6), ("PAR high", 8)], "Dose": [("NOR high", 5)]}
LOWER = {"Hold": [("PAR low", 4)], "Dose": [("NOR low", 2)]}
Told = tuple[int, str, str, float | None, str]
"""Second, rule, what it became, how long it lasted, in which phase."""


def told(events: Sequence[Event]) -> list[Told]:
    found = []
    for event in of_kind(events, EventKind.TRANSITION):
        value = event.body["value"]
        assert (event.unit, event.body["role"], event.body["statistic"]) == ("R-201", "phase", "duration")
        at, lasted = (event.slot_ns - START_NS) // SECOND_NS, value if isinstance(value, float) else None
        found.append((at, str(event.body["rule"]), str(event.body["to"]), lasted, event.stamp.phase))
    return found


def run(durations: PhaseDurations, course: Sequence[tuple[int, Stamp]]) -> list[Event]:
    return [event for at, stamp in course for event in durations.judge(START_NS + at * SECOND_NS, ["R-201"], [stamp])]


def expected(course: Sequence[tuple[int, Stamp]]) -> list[Told]:
    """Phase by phase: of each scan how long the phase has lasted by then."""
    found: list[Told] = []
    begin, seen, left, before = 0, False, list[str](), None
    for at, stamp in course:
        if before is not None and (stamp.batch, stamp.phase) != (before.batch, before.phase):
            lasted = float(at - begin)
            found += [(at, rule, "ended", None, before.phase) for rule in left]
            for rule, level in LOWER.get(before.phase, []):
                if seen and lasted < level:
                    found += [(at, rule, "outside", lasted, before.phase), (at, rule, "ended", None, before.phase)]
            begin, seen, left = at, True, []
        elif before is None:
            begin = at
        before = stamp
        for rule, level in UPPER.get(stamp.phase, []):
            if at - begin > level and rule not in left:
                left.append(rule)
                found.append((at, rule, "outside", float(at - begin), stamp.phase))
    return found


STAMPS = st.builds(
    Stamp, batch=st.sampled_from(["B-1", "B-1", "B-2"]), phase=st.sampled_from(["Hold", "Dose", ""]), recipe_version=st.just("1")
)
STEP = st.tuples(st.integers(1, 5), st.one_of(st.none(), st.none(), STAMPS), st.sampled_from([False, False, True]))
COURSES = st.lists(STEP, min_size=1, max_size=40)


@given(COURSES)
def test_each_phase_is_held_against_its_row_also_over_restarts(steps: list[tuple[int, Stamp | None, bool]]) -> None:
    course, stamp, at = list[tuple[int, Stamp]](), Stamp(batch="B-1", phase="Hold"), 0
    for elapsed, changed, _ in steps:
        at, stamp = at + elapsed, changed or stamp
        course.append((at, stamp))
    durations, found = PhaseDurations(ROWS), list[Event]()
    for n, (at, stamp) in enumerate(course):
        same = n > 0 and (course[n - 1][1].batch, course[n - 1][1].phase) == (stamp.batch, stamp.phase)
        if steps[n][2] and same:
            durations = PhaseDurations(ROWS, before_of(found), durations.accumulated)
        found += run(durations, [(at, stamp)])
    assert without_repeats(told(found)) == expected(course)


def before_of(events: Sequence[Event]) -> list[OutsideBefore]:
    outside: dict[tuple[str, float], OutsideBefore] = {}
    for event in of_kind(events, EventKind.TRANSITION):
        rule, level, value = str(event.body["rule"]), event.body["level"], event.body["value"]
        assert isinstance(level, float | int)
        outside.pop((rule, level), None)
        if event.body["to"] == "outside":
            assert isinstance(value, float)
            outside[rule, level] = OutsideBefore(
                "R-201", "phase", "duration", None, rule, level, event.slot_ns, value, cpp=False
            )  # fmt: skip
    return list(outside.values())


def without_repeats(found: Sequence[Told]) -> list[Told]:
    """A start tells again what is still outside."""
    outside, once = set[str](), list[Told]()
    for each in found:
        if each[2] == "outside" and each[1] in outside:
            continue
        outside ^= {each[1]}
        once.append(each)
    return once


B_1 = [Stamp(batch="B-1", phase=phase) for phase in ("Heat", "Hold", "Cool")]


def test_the_level_itself_is_inside_and_told_at_the_first_slot_beyond() -> None:
    durations = PhaseDurations([HOLD])
    course = [(0, B_1[0]), (2, B_1[1]), (10, B_1[1]), (11, B_1[1]), (12, B_1[2])]
    assert told(run(durations, course)) == [
        (10, "H", "outside", 8.0, "Hold"),
        (11, "PAR high", "outside", 9.0, "Hold"),
        (12, "H", "ended", None, "Hold"),
        (12, "PAR high", "ended", None, "Hold"),
    ]
    assert durations.held == {HOLD}


@pytest.mark.parametrize(("from_begin", "expected"), [(False, []), (True, ["outside", "ended"])])
def test_of_a_phase_that_nobody_saw_begin_nothing_is_too_short(from_begin: bool, expected: list[str]) -> None:
    durations = PhaseDurations([HOLD], from_begin=from_begin)
    assert [to for _, _, to, _, _ in told(run(durations, [(0, B_1[1]), (2, B_1[2])]))] == expected


def test_what_a_run_left_outside_ends_where_another_phase_runs_after_the_start() -> None:
    first = PhaseDurations([HOLD])
    events = run(first, [(0, B_1[1]), (9, B_1[1])])
    second = PhaseDurations([HOLD], before_of(events), first.accumulated)
    assert told(run(second, [(20, B_1[2]), (21, B_1[1]), (22, B_1[2])])) == [
        (20, "H", "ended", None, "Cool"),
        (20, "PAR high", "ended", None, "Cool"),
        (22, "PAR low", "outside", 1.0, "Hold"),
        (22, "PAR low", "ended", None, "Hold"),
    ]


def test_when_a_phase_began_is_told_with_it_and_each_minute() -> None:
    course = [(0, B_1[0]), (1, B_1[0]), (30, B_1[1]), (59, B_1[1]), (60, B_1[1]), (61, B_1[1])]
    events = run(PhaseDurations([HOLD]), course)
    assert [(event.slot_ns - START_NS) // SECOND_NS for event in of_kind(events, EventKind.ACCUMULATED)] == [0, 30, 60]
    assert run(PhaseDurations([]), course) == []
