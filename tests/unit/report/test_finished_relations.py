"""Deviations and expressions of a finished record are counted as tags are: on the samples, by a plain loop over them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.report.finished import FinishedRecord, judged
from collector.report.recording import Batch
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit
from config.tags import Kind
from drivers.base import Column, Layout
from tests.journal_rows import SECOND_NS

PAIR = Layout("recorded", "R-1", "B-1", SECOND_NS, tuple(Column(role, role, "R-1", Kind.REAL) for role in ("a", "b")))
DEVIATION = Limit.model_validate({"role": "a", "sp_role": "b", "par": [-1, 1], "phase": "Dose"})
SUM = Limit.model_validate({"name": "sum", "expression": "a + b", "par": [None, 5], "alarm": {"hh": 6}})
ORDERED = Limit.model_validate({"name": "ordered", "expression": "a >= b"})
samples = st.sampled_from([1.0, 2.0, 2.5, 3.0, 4.0, math.nan])


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    values = np.array(draw(st.lists(st.tuples(samples, samples), min_size=1, max_size=25)))
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 3, 0]), min_size=len(values), max_size=len(values)))
    stamps = tuple(Stamp("B-1", draw(st.sampled_from(["Dose", "Dose", "Hold"]))) for _ in values)
    return Batch("R-1", "B-1", np.cumsum(steps).astype(np.int64) * SECOND_NS, values, stamps)


def counted(course: Sequence[tuple[int, float, bool]], level: float, high: bool, end_ns: int) -> tuple[int, int, float]:
    """Runs, samples and seconds; `course`: slot, figure (NaN: not known), whether the limit holds."""
    runs, samples, seconds, since = 0, 0, 0.0, None
    for slot_ns, figure, holds in course:
        if holds and math.isnan(figure):
            continue
        beyond = holds and (figure > level if high else figure < level)
        runs += beyond and since is None
        samples += beyond
        seconds += 0 if since is None else (slot_ns - since) / 1e9
        since = slot_ns if beyond else None
    return runs, samples, seconds + (0 if since is None else (end_ns - since) / 1e9)


@given(batches(), st.booleans())
def test_counts_of_relations_are_those_of_their_samples(batch: Batch, in_company: bool) -> None:
    limits = [DEVIATION, SUM, ORDERED, *([Limit.model_validate({"role": "a", "par": [2, 3]})] if in_company else [])]
    record = FinishedRecord(limits, from_begin=True)
    for _ in judged(batch, PAIR, record, limits):
        pass
    slots = batch.slots_ns.tolist()
    taken = [at for at, slot_ns in enumerate(slots) if at == 0 or slot_ns > max(slots[:at])]
    a, b = batch.values.T
    in_dose = np.array([stamp.phase == "Dose" for stamp in batch.stamps])
    ordered = np.where(np.isnan(a + b), np.nan, a >= b)
    figures = {"a deviation": (a - b, in_dose), "sum": (a + b, in_dose | True), "ordered": (ordered, in_dose | True)}
    courses = {role: [(slots[at], float(of[at]), bool(held[at])) for at in taken] for role, (of, held) in figures.items()}

    verdicts = {verdict.role: verdict for verdict in record.verdicts if verdict.role != "a"}
    bounds = {"a deviation": (-1.0, 1.0), "sum": (-math.inf, 5.0), "ordered": (-math.inf, math.inf)}
    assert set(verdicts) == {role for role, course in courses.items() if any(holds for *_, holds in course)}
    for role, verdict in verdicts.items():
        held = [(slot_ns, figure) for slot_ns, figure, holds in courses[role] if holds]
        good = [figure for _, figure in held if not math.isnan(figure)]
        low, high = bounds[role]
        assert (verdict.scans, verdict.good) == (len(held), len(good))
        assert verdict.outside == sum(not low <= figure <= high for figure in good)
        assert (verdict.low, verdict.high) == (min(good, default=None), max(good, default=None))
        assert (verdict.first_ns, verdict.last_ns) == (held[0][0], held[-1][0])

    found = {(each.role, each.statistic, each.rule): each for each in record.violations.found}
    for name, role, level, high in [
        (("a", "deviation", "PAR low"), "a deviation", -1.0, False),
        (("a", "deviation", "PAR high"), "a deviation", 1.0, True),
        (("sum", "value", "PAR high"), "sum", 5.0, True),
        (("sum", "value", "HH"), "sum", 6.0, True),
        (("ordered", "value", "condition"), "ordered", 1.0, False),
    ]:
        assert (name in found) == (role in verdicts)
        if name in found:
            of = found[name]
            assert (of.runs, of.samples, of.seconds) == counted(courses[role], level, high, max(slots))
    assert record.held == {limit for limit in limits if limit is not DEVIATION or "a deviation" in verdicts}


def test_what_is_before_the_time_that_is_asked_for_is_not_counted() -> None:
    values = np.array([[4.0, 1.0]] * 3 + [[2.0, 2.0]] * 3)
    batch = Batch("R-1", "B-1", np.arange(6) * SECOND_NS, values, (Stamp("B-1", "Dose"),) * 6)
    record = FinishedRecord([DEVIATION], 2 * SECOND_NS)
    for _ in judged(batch, PAIR, record, [DEVIATION]):
        pass
    (verdict,) = record.verdicts
    assert (verdict.first_ns, verdict.scans, verdict.outside) == (2 * SECOND_NS, 4, 1)


def test_time_outside_of_a_deviation_is_known_from_the_begin_of_a_recorded_batch_as_that_of_a_tag() -> None:
    lasting = {"statistic": "time_outside", "within": "batch", "par": [-1, 1], "allowed_outside_s": 1.5}
    limits = [Limit.model_validate({"role": "a", "sp_role": "b", **lasting}), Limit.model_validate({"role": "a", **lasting})]
    values = np.array([[0.0, 0.0], [math.nan, 0.0], [math.nan, 0.0], [0.0, 0.0], [0.0, 0.0]])
    record, told = FinishedRecord(limits, from_begin=True), list[Event]()
    for name in ("B-1", "B-2"):  # what holds for the first holds for each
        batch = Batch("R-1", name, np.arange(5) * SECOND_NS, values, (Stamp(name, "Dose"),) * 5)
        told += [event for events in judged(batch, PAIR, record, limits) for event in events]
    assert {event.kind for event in told} == {EventKind.EVALUABILITY}, "that it is no longer known is told where it was known"
    groups = {str(event.body["group"]) for event in told}
    assert groups == {"B-1", "B-1, relations"}
    of_group = [[(event.slot_ns, event.stamp.batch) for event in told if event.body["group"] == group] for group in groups]
    assert of_group[0] == of_group[1]
    assert {batch for _, batch in of_group[0]} == {"B-1", "B-2"}
