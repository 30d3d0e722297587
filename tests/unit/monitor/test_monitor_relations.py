"""Deviations and expressions against plain Python: dictionaries of what was last good, one scan after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.monitor.relation import expression_roles
from collector.monitor.relations import Relations
from collector.monitor.resumed import OutsideBefore
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit
from drivers.base import Layout, Quality
from tests.unit.monitor.judged import (
    DOSE,
    HOLD,
    SECOND_NS,
    START_NS,
    Sample,
    Told,
    agrees,
    changes,
    column,
    evaluability,
    good,
    layout,
    limit,
    of_kind,
    scan,
)
from tests.unit.monitor.rule_machine import Level

FAST = layout(column("jacket", "R-201"), column("jacket", "R-202"), column("sp", "R-201"))
SLOW = replace(layout(column("product", "R-201"), column("product", "R-202"), period_ns=3 * SECOND_NS), device="thermostat")
NUMBERS = st.integers(0, 80).map(lambda n: n / 4)
SAMPLES: st.SearchStrategy[Sample] = st.one_of(NUMBERS, NUMBERS, NUMBERS, st.none(), st.just((5.0, Quality.UNCERTAIN)))
Row = tuple[Layout, int, Sequence[Sample], tuple[Stamp, ...]]
"""Group, seconds since the start, samples, stamp of each unit."""


def lead(**fields: object) -> Limit:
    return Limit.model_validate({"name": "lead", "expression": "jacket - product", **fields})


def told_of(relations: Relations, rows: Sequence[Row]) -> list[Event]:
    return [event for of, at, row, stamps in rows for event in relations.judge(scan(of, START_NS + at * SECOND_NS, row), stamps)]


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Both groups in the order of their slots, some of them missing, the slow one first or last of a slot."""
    rows: list[Row] = []
    slow_first = draw(st.booleans())
    for at in range(draw(st.integers(3, 30))):
        row: list[Row] = []
        if draw(st.integers(0, 5)):
            row.append((FAST, at, draw(st.tuples(SAMPLES, SAMPLES, SAMPLES)), (DOSE, DOSE)))
        if at % 3 == 0 and draw(st.integers(0, 3)):
            row.insert(0 if slow_first else len(row), (SLOW, at, draw(st.tuples(SAMPLES, SAMPLES)), (DOSE, DOSE)))
        rows += row
    return rows


@given(histories(), st.sampled_from([None, 2.0, 4.0]), st.booleans())
def test_an_expression_over_two_groups_is_judged_at_the_fast_one_with_what_is_young_enough(
    rows: list[Row], max_age_s: float | None, condition: bool
) -> None:
    levels: dict[str, object] = {} if condition else {"par": [None, 6.0], "deadband": 0.0}
    row = lead(max_age_s=max_age_s, expression="jacket - product <= 6" if condition else "jacket - product", **levels)
    relations = Relations([row])
    name = "condition" if condition else "PAR high"
    machines = {unit: Level("value", name, True, 6.0, 0.0) for unit in ("R-201", "R-202")}
    newest: dict[str, tuple[int, float]] = {}
    expected, told = list[tuple[int, str, str, str]](), list[Event]()
    begun = False
    for of, at, samples, stamps in rows:
        told += told_of(relations, [(of, at, samples, stamps)])
        begun |= of is FAST
        if not begun:
            newest.clear()  # it begins with the newest scan of each group
        for unit, sample in zip(machines, samples, strict=False):
            value, (slot, product) = good(sample), newest.get(unit, (-100, 0.0))
            if of is SLOW and value is not None:
                newest[unit] = (at, value)
            known = of is FAST and value is not None and at - slot <= (9 if max_age_s is None else max_age_s)
            if known and value is not None and machines[unit].see(Fraction(value) - Fraction(product)):
                expected.append((at, unit, name, "outside" if machines[unit].outside else "inside"))
    found = of_kind(told, EventKind.TRANSITION)
    assert [((e.slot_ns - START_NS) // SECOND_NS, e.unit, e.body["rule"], e.body["to"]) for e in found] == expected
    assert all(event.body["role"] == "lead" for event in found)


ONE_GROUP = layout(column("t"), column("sp"))
STAMPS = st.sampled_from([DOSE, DOSE, HOLD])
STEPS = st.lists(st.tuples(st.sampled_from([1, 1, 1, 2, 5]), SAMPLES, SAMPLES, STAMPS), min_size=1, max_size=30)
Steps = list[tuple[int, Sample, Sample, Stamp]]


def both(row: Limit, plain: Limit, steps: Steps) -> tuple[list[Event], list[Event]]:
    """What is told of `row` on two tags, and of `plain` on one tag that has their difference for a value."""
    relations, judge = Relations([row]), Judge(layout(), [plain])
    told, wanted, at = list[Event](), list[Event](), 0
    for periods, one, other, stamp in steps:
        at += periods
        told += told_of(relations, [(ONE_GROUP, at, [one, other], (stamp,))])
        a, b = good(one), good(other)
        difference = None if a is None or b is None else a - b
        wanted += judge.judge(scan(layout(), START_NS + at * SECOND_NS, [difference]), (stamp,))
    assert evaluability(told) == evaluability(wanted)
    return judged_levels(told), judged_levels(wanted)


def judged_levels(events: list[Event]) -> list[Event]:
    """But for the hash of the limit set, which is another one."""
    told = [event for event in events if event.kind in (EventKind.TRANSITION, EventKind.EXCURSION)]
    return [replace(event, body={key: value for key, value in event.body.items() if key != "limits_hash"}) for event in told]


FIELDS = st.sampled_from(
    [
        {"par": [-2.0, 3.0], "nor": [-1.0, 2.0], "deadband": 0.25},
        {"par": [None, 0.0], "cpp": True, "on_delay_s": 2.0, "off_delay_s": 1.0},
        {"alarm": {"ll": -8, "l": -4, "h": 4, "hh": 8}, "settle_s": 3.0},
        {"statistic": "mean", "window_s": 3.0, "par": [-2.0, 2.0], "min_coverage": 0.5},
        {"statistic": "std", "window_s": 4.0, "nor": [None, 2.3], "phase": "Hold"},
    ]
)


@given(STEPS, FIELDS)
def test_a_deviation_is_judged_as_a_tag_that_has_it_for_a_value(steps: Steps, fields: dict[str, object]) -> None:
    row, plain = limit(sp_role="sp", **fields), limit(**fields)
    told, wanted = both(row, plain, steps)
    measure = "deviation" if plain.statistic == "value" else f"{plain.statistic} deviation"
    assert told == [replace(event, body={**event.body, "statistic": measure}) for event in wanted]


@given(STEPS, FIELDS.filter(lambda fields: "statistic" not in fields))
def test_an_expression_is_judged_as_a_tag_that_has_it_for_a_value(steps: Steps, fields: dict[str, object]) -> None:
    row = Limit.model_validate({"name": "lead", "expression": "t - sp", **fields})
    told, wanted = both(row, limit(**fields), steps)
    assert told == [replace(event, body={**event.body, "role": "lead"}) for event in wanted]


@pytest.mark.parametrize("statistic", ["mean", "min", "max", "std", "slope"])
@given(steps=STEPS, spans=st.booleans())
def test_a_statistic_inside_an_expression_is_that_of_a_limit_on_it(steps: Steps, spans: bool, statistic: str) -> None:
    shared = {"nor": [None, 2.3], "min_coverage": 0.5, "spans_phases": spans}
    inside = Limit.model_validate({"name": "s", "expression": f"{statistic}(t, 4)", **shared})
    relations = Relations([inside])
    judge = Judge(layout(), [limit(statistic=statistic, window_s=4.0, deadband=0.0, **shared)])
    told, wanted, at = list[Event](), list[Event](), 0
    for periods, one, other, stamp in steps:
        at += periods
        told += told_of(relations, [(ONE_GROUP, at, [one, other], (stamp,))])
        wanted += judge.judge(scan(layout(), START_NS + at * SECOND_NS, [one]), (stamp,))
    assert changes(told) == changes(wanted)


def test_a_phase_that_begins_between_two_slots_of_a_slow_group_has_no_window_with_the_slot_before() -> None:
    """Windows of 7 s hold three slots of 3 s. Hold begins at 1: at 6 the one of 0 is in it still, which is Dose's."""
    expression = "max(product, 7) - jacket"
    row = lead(expression=expression, phase="Hold", min_coverage=0.5, nor=[None, 20], par=[None, 50], deadband=0.0)
    rows: list[Row] = []
    for at in range(12):
        stamps = (HOLD if at else DOSE,) * 2
        rows += [(SLOW, at, [30.0 if at else 100.0] * 2, stamps)] if at % 3 == 0 else []
        rows.append((FAST, at, [0.0, 0.0, 0.0], stamps))
    assert changes(told_of(Relations([row]), rows)) == [(9, "NOR high", "outside")] * 2


def test_many_units_of_one_expression_in_one_group_are_told_apart() -> None:
    units = [f"R-{n}" for n in range(201, 221)]
    many = layout(*(column(role, unit) for unit in units for role in ("a", "b")))
    relations = Relations([Limit.model_validate({"name": "lead", "expression": "a - b", "par": [None, 1.0]})])
    row = [value for n in range(20) for value in (float(n), 5.0)]
    told = of_kind(told_of(relations, [(many, 0, row, (DOSE,) * 20)]), EventKind.TRANSITION)
    assert [(event.unit, event.body["value"]) for event in told] == [(units[n], n - 5.0) for n in range(7, 20)]


def test_another_units_role_and_the_units_that_lack_one() -> None:
    row = Limit.model_validate({"name": "apart", "expression": "jacket - [R-202].product", "par": [-1, 1], "unit": "R-201"})
    anywhere = Limit.model_validate({"name": "off", "expression": "jacket - sp", "par": [-1, 1]})
    relations = Relations([row, anywhere])
    assert expression_roles([FAST, SLOW], [row, anywhere]) == {("R-201", "apart"), ("R-201", "off")}
    told = told_of(relations, [(SLOW, 0, [0, 9], (DOSE, DOSE)), (FAST, 0, [5, 0, 5], (DOSE, DOSE))])
    assert [(e.unit, e.body["role"], e.body["value"]) for e in of_kind(told, EventKind.TRANSITION)] == [("R-201", "apart", -4.0)]


def test_what_has_grown_too_old_makes_it_not_evaluable_and_neither_raises_nor_clears() -> None:
    relations = Relations([lead(par=[None, 6.0], max_age_s=2.0, unit="R-201")])
    rows: list[Row] = [(SLOW, 0, [1, 1], (DOSE, DOSE))]
    rows += [(FAST, n, [20.0 if n < 2 else 0.0, 0, 0], (DOSE, DOSE)) for n in range(5)]
    rows += [(SLOW, 5, [1, 1], (DOSE, DOSE)), (FAST, 5, [20.0, 0, 0], (DOSE, DOSE))]
    told = told_of(relations, rows)
    assert changes(told) == [(0, "PAR high", "outside"), (2, "PAR high", "inside"), (5, "PAR high", "outside")]
    assert evaluability(told) == [(3, "yes", "no"), (5, "no", "yes")]


def test_a_division_by_zero_is_not_evaluable() -> None:
    row = Limit.model_validate({"name": "ratio", "expression": "t / sp", "par": [None, 2.0]})
    told = told_of(Relations([row]), [(ONE_GROUP, n, [6.0, sp], (DOSE,)) for n, sp in enumerate([3.0, 0.0, 2.0])])
    assert evaluability(told) == [(1, "yes", "no"), (2, "no", "yes")]
    assert changes(told) == [(2, "PAR high", "outside")]


def test_a_deviation_and_the_value_itself_are_limited_side_by_side() -> None:
    rows = [limit(par=[0, 10]), limit(sp_role="sp", par=[-1, 1])]
    judge, relations, heard = Judge(ONE_GROUP, rows), Relations(rows), [Told(), Told()]
    for n, value in enumerate([5.0, 20.0, 5.0]):
        of = scan(ONE_GROUP, START_NS + n * SECOND_NS, [value, 5.0])
        for told, events in zip(heard, (judge.judge(of, (DOSE,)), relations.judge(of, (DOSE,))), strict=True):
            for event in events:
                told.hear(event)
        (_, derived), *_ = relations.judges
        agrees(heard[0], judge)
        agrees(heard[1], derived)
        assert len(judge.active) == len(derived.active) == (n == 1)
        ids = [excursion.id for each in (judge, derived) for excursion in each.open.values()]
        assert ids == (["R-201/t", "R-201/t/deviation"] if n else []), "side by side for who lists what is open"


def test_a_start_gives_each_judge_what_it_left_outside_and_no_other() -> None:
    """The rule on the value and the one on the deviation have the same unit, role, name and level."""
    rows = [limit(par=[None, 10]), limit(sp_role="sp", par=[None, 10])]
    before = [
        OutsideBefore("R-201", "t", statistic, None, "PAR high", 10.0, START_NS, 12.0, cpp=False)
        for statistic in ("value", "deviation")
    ]
    judge, relations = Judge(ONE_GROUP, rows, before), Relations(rows, before)
    of = scan(ONE_GROUP, START_NS + SECOND_NS, [30.0, 25.0])
    told = [*judge.judge(of, (DOSE,)), *relations.judge(of, (DOSE,))]
    found = [(event.body["statistic"], event.body["to"]) for event in of_kind(told, EventKind.TRANSITION)]
    assert found == [("value", "outside"), ("deviation", "inside")]


def test_a_scan_that_is_not_after_the_last_changes_nothing() -> None:
    relations = Relations([limit(sp_role="sp", par=[-1, 1])])
    told_of(relations, [(ONE_GROUP, 5, [5, 5], (DOSE,))])
    assert told_of(relations, [(ONE_GROUP, at, [50, 5], (DOSE,)) for at in (5, 4)]) == []
