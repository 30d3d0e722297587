"""What could be told at all: bad data, coverage, and that it is told once, whoever else changes phase."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.monitor.limits import limits_for
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit
from drivers.base import Layout, Quality, Scan, Status
from tests.unit.monitor.judged import (
    DOSE,
    HOLD,
    START_NS,
    Sample,
    Step,
    changes,
    column,
    evaluability,
    good,
    layout,
    limit,
    of_kind,
    run,
    scan,
)
from tests.unit.monitor.two_units import LIMITS, histories
from tests.unit.monitor.two_units import TWO as TWO_UNITS

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


KEYS = ("only", "all_but")


class Reader:
    """Who has the limit set and the events, and nothing else."""

    def __init__(self, of: Layout, limits: Sequence[Limit]) -> None:
        self._of, self._limits = of, limits
        self.state: dict[tuple[int, Limit], bool | None] = {}
        """None: of a window, until it is told for the first time."""

    def read(self, stamps: Sequence[Stamp], events: Sequence[Event]) -> None:
        held = limits_for(self._limits, self._of, stamps)
        self.state = {row: self.state.get(row, True if row[1].window_s is None else None) for row in held}
        for event in of_kind(events, EventKind.EVALUABILITY):
            evaluable, meant = bool(event.body["evaluable"]), [row for row in held if self._is_meant(row, event)]
            were = [self.state[row] for row in meant]
            assert were.count(not evaluable) <= int(str(event.body["limits"])) <= were.count(not evaluable) + were.count(None)
            self.state.update(dict.fromkeys(meant, evaluable))

    def _is_meant(self, row: tuple[int, Limit], event: Event) -> bool:
        column, (only, but) = self._of.columns[row[0]], (cast("Mapping[str, Sequence[str]]", event.body[key]) for key in KEYS)
        statistic = row[1].statistic if row[1].window_s is None else f"{row[1].statistic} {row[1].window_s:g} s"
        assert not only.keys() & but.keys()
        meant = column.role in only.get(statistic, ()) or (statistic in but and column.role not in but[statistic])
        return meant and column.unit == event.unit


SETTLING = [*LIMITS, limit("q", nor=[2, 8], settle_s=3.0, on_delay_s=1.0), limit("q", statistic="max", window_s=2.0, nor=[0, 9])]


@given(histories(), st.sets(st.integers(0, 24)))
@settings(deadline=None, max_examples=60)
def test_the_state_of_every_limit_follows_from_the_events(steps: list[Step], lost: set[int]) -> None:
    judge, reader = Judge(TWO_UNITS, SETTLING), Reader(TWO_UNITS, SETTLING)
    for n, (at, samples, stamps) in enumerate(steps):
        slot_ns = START_NS + at * TWO_UNITS.period_ns
        got = Scan.of_lost(TWO_UNITS, slot_ns, slot_ns, Status.BAD_TIMEOUT) if n in lost else scan(TWO_UNITS, slot_ns, samples)
        told = judge.judge(got, stamps)
        reader.read(stamps, told)
        assert {row: state for row, state in reader.state.items() if state is not None} == {
            row: evaluable for row, evaluable in judge.evaluable_now.items() if reader.state[row] is not None
        }
        causes = [(event.unit, event.body["cause"]) for event in of_kind(told, EventKind.EVALUABILITY)]
        assert len(set(causes)) == len(causes)


def test_a_lost_scan_is_one_event_that_says_why_and_names_nobody() -> None:
    wide = layout(*(column(f"t{n}") for n in range(500)))
    rows = [limit(f"t{n}", par=[0, 10]) for n in range(500)]
    judge, values = Judge(wide, rows), [5.0] * 499
    run(judge, wide, [(0, [*values, None], (DOSE,))])
    (lost,) = judge.judge(Scan.of_lost(wide, START_NS + wide.period_ns, 0, Status.BAD_TIMEOUT), (DOSE,))
    (back,) = run(judge, wide, [(2, [*values, None], (DOSE,))])
    (whole,) = run(judge, wide, [(3, [*values, 5.0], (DOSE,))])
    assert (lost.slot_ns, lost.unit, lost.stamp) == (START_NS + wide.period_ns, "R-201", DOSE)
    assert lost.body == {
        **{"endpoint": "plc", "device": "plc", "group": "main", "evaluable": False, "limits": 499},
        **{"cause": "the scan was lost", "status": Status.BAD_TIMEOUT, "only": {}, "all_but": {"value": []}},
    }
    assert (back.body["limits"], back.body["only"], back.body["all_but"]) == (499, {}, {"value": ["t499"]})
    assert (whole.body["limits"], whole.body["cause"], whole.body["status"]) == (1, "", None)


def test_causes_are_told_apart() -> None:
    two = layout(column("t"), column("p"))
    rows = [
        limit(nor=[0, 9]),
        limit(statistic="mean", window_s=1.0, min_coverage=1.0, nor=[0, 9]),
        limit("p", nor=[0, 9], settle_s=3.0),
    ]
    judge = Judge(two, rows)
    first = run(judge, two, [(0, [5, 5], (DOSE,)), (1, [5, 5], (DOSE,))])
    bad = replace(scan(two, START_NS + 2 * two.period_ns, [None, 5]), status=np.array([Status.BAD_SENSOR_FAILURE, 0], np.uint32))
    told = [(event.body["cause"], event.body["status"], event.body["only"]) for event in judge.judge(bad, (DOSE,))]
    assert [event.body["cause"] for event in of_kind(first, EventKind.EVALUABILITY)] == ["it settles after a change"]
    assert told == [
        ("the sample is not good", Status.BAD_SENSOR_FAILURE, {"value": ["t"]}),
        ("the window holds too few good samples, or begins before the phase", None, {"mean 1 s": ["t"]}),
    ]
