"""One unit of a scan group changes its phase: its limits change and nothing else does, as if each unit had its own judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from json import dumps

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.monitor.limits import limits_for, rules_of
from collector.terms import Event, Stamp
from config.limits import Limit
from drivers.base import Column, Layout
from tests.unit.monitor.judged import DOSE, HOLD, SECOND_NS, START_NS, Sample, changes, column, layout, limit, run, scan

UNITS = ("R-201", "R-202", "R-203")
ROLES = ("t", "p")
COLUMNS = tuple(column(role, unit, low=0.0, high=8.0) for role in ROLES for unit in UNITS)
"""Those of a unit do not stand side by side."""
TOGETHER = layout(*COLUMNS)
SAMPLES: st.SearchStrategy[Sample] = st.one_of(st.integers(-2, 10).map(float), st.none())
STAMPS = st.builds(
    Stamp,
    batch=st.sampled_from(["B-1", "B-2"]),
    phase=st.sampled_from(["", "Heat", "Dose"]),
    product=st.sampled_from(["", "A"]),
    recipe_version=st.sampled_from(["", "1"]),
)
CHANGES = st.dictionaries(st.sampled_from(UNITS), STAMPS, max_size=2)
STEPS = st.lists(
    st.tuples(st.sampled_from([1, 1, 3]), st.lists(SAMPLES, min_size=len(COLUMNS), max_size=len(COLUMNS)), CHANGES), max_size=25
)
KINDS: list[dict[str, object]] = [
    {"nor": [3, 5], "par": [2, 6], "alarm": {"l": 2, "hh": 7}},
    {"par": [2, 7], "cpp": True, "on_delay_s": 2.0},
    {"nor": [3, None], "off_delay_s": 1.0, "settle_s": 2.0},
    {"statistic": "mean", "window_s": 3.0, "nor": [3, 6]},
    {"statistic": "std", "window_s": 3.0, "nor": [None, 2], "spans_phases": True},
    {"statistic": "time_outside", "within": "phase", "allowed_outside_s": 2.0, "nor": [3, 5]},
    {"statistic": "cusum_high", "sp": 4.0, "slack": 0.5, "decision_interval": 2.0},
]
ROWS = st.builds(
    lambda role, kind, names: limit(role, **kind, **names),
    st.sampled_from(ROLES),
    st.sampled_from(KINDS),
    st.fixed_dictionaries(
        {
            "phase": st.sampled_from([None, "Heat", "Dose"]),
            "unit": st.sampled_from([None, "R-201", "R-203"]),
            "product": st.sampled_from([None, None, "A"]),
            "recipe_version": st.sampled_from([None, None, "1"]),
        }
    ),
)


def in_order(events: Sequence[Event]) -> list[str]:
    """Those of a slot have no order among units, nor have statistics in what an event says of evaluability."""
    return sorted(
        f"{event.kind} {event.slot_ns} {event.unit} {event.stamp} {dumps(event.body, sort_keys=True)}" for event in events
    )


def at_units(of: Layout) -> list[tuple[int, Column]]:
    return [(at, each) for at, each in enumerate(COLUMNS) if each in of.columns]


@given(st.lists(ROWS, min_size=1, max_size=8), STEPS)
@settings(deadline=None)
def test_units_are_judged_together_as_each_by_itself(
    limits: list[Limit], steps: list[tuple[int, list[Sample], dict[str, Stamp]]]
) -> None:
    together = Judge(TOGETHER, limits)
    apart = [Judge(layout(*(each for each in COLUMNS if each.unit == unit)), limits) for unit in UNITS]
    stamps, slot_ns = dict.fromkeys(UNITS, Stamp()), START_NS
    for periods, samples, changed in steps:
        stamps |= changed
        slot_ns += periods * SECOND_NS
        told = together.judge(scan(TOGETHER, slot_ns, samples), tuple(stamps[unit] for unit in TOGETHER.units))
        expected = [
            event
            for unit, judge in zip(UNITS, apart, strict=True)
            for event in judge.judge(
                scan(judge.layout, slot_ns, [samples[at] for at, _ in at_units(judge.layout)]), (stamps[unit],)
            )
        ]
        assert in_order(told) == in_order(expected)
    slot_ns += SECOND_NS
    assert in_order(together.close(slot_ns)) == in_order([event for judge in apart for event in judge.close(slot_ns)])


@given(st.lists(ROWS, min_size=1, max_size=8), STEPS)
@settings(deadline=None)
def test_what_holds_after_any_changes_is_what_would_hold_anew(
    limits: list[Limit], steps: list[tuple[int, list[Sample], dict[str, Stamp]]]
) -> None:
    judge, stamps, slot_ns = Judge(TOGETHER, limits), dict.fromkeys(UNITS, Stamp()), START_NS
    for periods, samples, changed in steps:
        stamps |= changed
        slot_ns += periods * SECOND_NS
        in_order_of_units = tuple(stamps[unit] for unit in TOGETHER.units)
        judge.judge(scan(TOGETHER, slot_ns, samples), in_order_of_units)
        anew = limits_for(limits, TOGETHER, in_order_of_units)
        by_column: dict[int, list[str]] = defaultdict(list)
        for index, row in anew:
            by_column[index].append(str(row))
        held: dict[int, list[str]] = defaultdict(list)
        for index, row in judge.limits_now:
            held[index].append(str(row))
        assert {at: sorted(rows) for at, rows in held.items()} == {at: sorted(rows) for at, rows in by_column.items()}
        rules = {rule.key for index, row in anew for rule in rules_of(index, row, TOGETHER.columns[index])}
        assert judge.active.keys() <= rules, "nothing is outside that is not limited"


def test_what_waited_under_the_limits_before_does_not_shorten_the_delay_of_the_new_ones() -> None:
    of = layout()
    rows = [limit(phase=phase, nor=[None, high], on_delay_s=3.0) for phase, high in (("Dose", 5), ("Hold", 6))]
    told = run(Judge(of, rows), of, [(n, [8.0], (DOSE if n < 2 else HOLD,)) for n in range(8)])
    assert changes(told) == [(5, "NOR high", "outside")]
