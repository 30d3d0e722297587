"""What lasts longer than a window, of a whole batch at once: to the bit what the daemon has scan by scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.catalogue import NOBODY
from collector.monitor.lasting import Lasting, lasting_cells
from collector.monitor.limits import limits_for
from collector.report.contexts import Contexts
from collector.report.lasting_screen import LastingScreen
from collector.report.recording import Batch
from collector.terms import Stamp
from config.limits import Limit
from tests.unit.monitor.judged import SECOND_NS, START_NS, layout

ONE = layout()
SORTS: list[dict[str, object]] = [
    {"statistic": "ewma", "time_constant_s": 1.5, "nor": [2, 4]},
    {"statistic": "cusum_high", "sp": 3.0, "slack": 0.25, "decision_interval": 2.0},
    {"statistic": "cusum_low", "sp": 3.0, "slack": 0.1, "decision_interval": 2.0},
    {"statistic": "time_outside", "par": [2, 4], "allowed_outside_s": 2.0, "min_coverage": 0.6, "window_s": 4.5},
    {"statistic": "time_outside", "nor": [None, 3.5], "allowed_outside_s": 2.0, "within": "phase"},
    {"statistic": "time_outside", "par": [2, None], "allowed_outside_s": 2.0, "within": "batch"},
]
NUMBERS = st.one_of(st.sampled_from([3.0, 3.0, 3.1, 2.0, 4.0, 4.5, float("nan")]), st.floats(-1e3, 1e3))
STAMPS = st.builds(Stamp, st.sampled_from(["B-1", "B-1", ""]), st.sampled_from(["Dose", "Hold", ""]))


@st.composite
def limits(draw: st.DrawFn) -> list[Limit]:
    """One for every phase, one for Dose, or both; of one figure."""
    sort = draw(st.sampled_from(SORTS))
    rows = []
    phases: list[list[str | None]] = [[None], ["Dose"], [None, "Dose"]]
    for phase in draw(st.sampled_from(phases)):
        fields = {"role": "t", "phase": phase, **sort}
        if "within" not in sort:
            fields["spans_phases"] = draw(st.booleans())
        if fields["statistic"] in ("cusum_high", "cusum_low") and phase is not None:
            fields["sp"] = 2.5
        rows.append(Limit.model_validate(fields))
    return rows


@st.composite
def batches(draw: st.DrawFn, numbers: st.SearchStrategy[float] = NUMBERS) -> Batch:
    steps = draw(
        st.lists(st.tuples(st.sampled_from([1, 1, 1, 1.25, 2, 5]), numbers, st.none() | STAMPS), min_size=1, max_size=40)
    )
    slots, stamps, stamp = [], [], Stamp("B-1", "Dose")
    at_ns = START_NS
    for ahead, _, changed in steps:
        at_ns += round(ahead * SECOND_NS)
        stamp = changed or stamp
        slots.append(at_ns)
        stamps.append(stamp)
    return Batch("R-201", "B-1", np.array(slots), np.array([[number] for _, number, _ in steps]), tuple(stamps))


def screen_of(batch: Batch, rows: Sequence[Limit], *, from_begin: bool) -> LastingScreen:
    return LastingScreen(batch, ONE, rows, list(Contexts(rows).of(batch, ONE)), from_begin=from_begin)


def scan_by_scan(batch: Batch, rows: list[Limit], *, from_begin: bool) -> list[tuple[float, bool]]:
    """As the daemon has it."""
    values = np.zeros(1)
    lasting = Lasting(ONE, rows, lasting_cells(ONE, rows), values, (), from_begin=from_begin)
    found: list[tuple[float, bool]] = []
    before: Stamp | None = None
    for slot_ns, row, stamp in zip(batch.slots_ns.tolist(), batch.values, batch.stamps, strict=True):
        if stamp != before:
            held = [rows.index(limit) for _, limit in limits_for(rows, ONE, (stamp,))]
            lasting.enter(slot_ns, np.array(held or [NOBODY]), (stamp,))
            before = stamp
        lasting.push(slot_ns, row, ~np.isnan(row))
        found.append((float(values[0]), bool(lasting.evaluable()[0])))
    return found


def at_once(batch: Batch, rows: list[Limit], *, from_begin: bool) -> list[tuple[float, bool]]:
    values, cells = np.zeros(1), lasting_cells(ONE, rows)
    lasting = screen_of(batch, rows, from_begin=from_begin).lasting(ONE, rows, cells, values, (), from_begin=from_begin)
    found = []
    for slot_ns, row in zip(batch.slots_ns.tolist(), batch.values, strict=True):
        lasting.push(slot_ns, row, ~np.isnan(row))
        found.append((float(values[0]), bool(lasting.evaluable()[0])))
    return found


@settings(deadline=None, max_examples=60)
@given(batches(), limits(), st.booleans())
def test_each_figure_is_that_of_the_daemon_to_the_bit(batch: Batch, rows: list[Limit], from_begin: bool) -> None:
    assert str(at_once(batch, rows, from_begin=from_begin)) == str(scan_by_scan(batch, rows, from_begin=from_begin))


NEAR = st.one_of(st.sampled_from([3.0, 3.1, 3.25, 2.75, 2.0, 4.0, 4.5, 1.5]), st.floats(1.5, 4.5))


@settings(deadline=None, max_examples=60)
@given(batches(NEAR), limits())
def test_a_column_that_is_passed_over_has_nothing_to_tell(batch: Batch, rows: list[Limit]) -> None:
    """Neither a value beyond a level nor one that can't be told any more."""
    if screen_of(batch, rows, from_begin=True).loud(np.zeros(1, np.bool_))[0]:
        return
    told = scan_by_scan(batch, rows, from_begin=True)
    assert not any(before and not after for (_, before), (_, after) in pairwise(told))
    for (value, _), stamp in zip(told, batch.stamps, strict=True):
        for _, limit in limits_for(rows, ONE, (stamp,)):
            interval = limit.nor if limit.statistic == "ewma" else None
            assert interval is None or np.isnan(value) or value in interval
            most = limit.decision_interval or (limit.allowed_outside_s if limit.statistic == "time_outside" else None)
            assert most is None or value <= most


def test_calm_columns_are_passed_over() -> None:
    """Else the screen would be of no use."""
    stamps = (Stamp("B-1", "Dose"),) * 200
    calm = Batch("R-201", "B-1", START_NS + np.arange(200) * SECOND_NS, np.tile([[3.0], [3.1], [2.9], [3.0]], (50, 1)), stamps)
    for sort in SORTS:
        rows = [Limit.model_validate({"role": "t", **sort})]
        assert not screen_of(calm, rows, from_begin=True).loud(np.zeros(1, np.bool_))[0], sort
        falls = sort["statistic"] == "cusum_low" or sort.get("par") == [2, None]
        step = np.where(np.arange(200) < 100, 0.0, -5.0 if falls else 5.0)
        left = replace(calm, values=calm.values + step[:, None])
        assert screen_of(left, rows, from_begin=True).loud(np.zeros(1, np.bool_))[0], sort
