"""What was told, kept as newest values and as changes between the slots, against a list of all that was told."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from asyncua.ua.status_codes import StatusCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from config.tags import Kind
from drivers.base import Changes, Column, Layout, Quality
from drivers.opcua import told_values
from drivers.opcua.publish import Told
from drivers.opcua.samples import Samples
from drivers.opcua.told_values import ToldValues

KINDS = (Kind.REAL, Kind.INTEGER, Kind.TEXT, Kind.REAL)
LAYOUT = Layout("e", "d", "g", 1_000_000_000, tuple(Column(f"T{i}", f"t{i}", "U", kind) for i, kind in enumerate(KINDS)))
SENSOR = int(StatusCodes.BadSensorFailure)
EDGES = st.sampled_from([2**53, -(2**53), 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 0, 7])
Row = tuple[int, float, int, int, str]
"""Column, value, status, integer, text."""
Message = list[Row]


@st.composite
def row(draw: st.DrawFn) -> Row:
    at = draw(st.integers(0, len(KINDS) - 1))
    if draw(st.integers(0, 4)) == 0:
        return at, math.nan, SENSOR, 0, ""
    integer = draw(EDGES) if KINDS[at] is Kind.INTEGER else 0
    value = {Kind.INTEGER: float(integer), Kind.TEXT: math.nan}.get(KINDS[at], draw(st.floats(allow_nan=False)))
    return at, value, 0, integer, draw(st.sampled_from(["Dose", "Heat"])) if KINDS[at] is Kind.TEXT else ""


def told(message: Sequence[Row], first_ns: int = 0) -> Told:
    kinds = [KINDS[each[0]] for each in message]
    samples = Samples(
        np.array([each[1] for each in message]),
        np.array([each[2] for each in message], np.uint32),
        first_ns + np.arange(len(message)),
        np.array([each[3] for each, kind in zip(message, kinds, strict=True) if kind is Kind.INTEGER], np.int64),
        tuple(each[4] for each, kind in zip(message, kinds, strict=True) if kind is Kind.TEXT),
        (),
    )
    return Told(np.array([each[0] for each in message], np.intp), samples)


def rows_of(changes: Changes | None) -> list[tuple[int, int, str, int]]:
    if changes is None:
        return []
    arrays = (changes.columns, changes.source_ns, changes.values, changes.status)
    return [(column, stamp, repr(value), code) for column, stamp, value, code in zip(*(a.tolist() for a in arrays), strict=True)]


def has_row(each: Row) -> bool:
    return KINDS[each[0]] is not Kind.TEXT and abs(each[3]) <= 2**53


Step = Message | str
"""A message, or `slot`, `stale slot`, `begin`."""
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.lists(row(), min_size=1, max_size=6) | st.sampled_from(["slot", "slot", "stale slot", "begin"]), max_size=14
)


@settings(deadline=None)
@given(STEPS)
def test_nothing_that_was_told_is_missing_and_nothing_is_there_twice(steps: list[Step]) -> None:
    values, stamp = ToldValues(LAYOUT), 1
    newest: dict[int, Row] = {}
    since: list[tuple[int, Row]] = []
    over = 0
    for step in steps:
        if isinstance(step, list):
            values.put(told(step, stamp))
            since += enumerate(step, stamp)
            stamp += len(step)
            newest.update((each[0], each) for each in step)
        elif step == "begin":
            values.begin()
            newest, over = {}, len(since)
        else:
            last = {each[0]: at for at, each in since}
            wanted = [(at, each) for n, (at, each) in enumerate(since) if step != "slot" or n < over or last[each[0]] != at]
            between = values.between(newest_too=step != "slot")
            assert rows_of(between.changes) == [(each[0], at, repr(each[1]), each[2]) for at, each in wanted if has_row(each)]
            assert between.without == tuple(sorted({each[0] for _, each in wanted if not has_row(each)}))
            assert between.beyond == 0
            since, over = [], 0
            assert_newest(values, newest)
    assert_newest(values, newest)


def assert_newest(values: ToldValues, newest: dict[int, Row]) -> None:
    scan = values.scan(1, 2, None)
    texts, integers = iter(scan.texts), iter(scan.integers.tolist())
    for at, kind in enumerate(KINDS):
        of_row = newest.get(at, (at, math.nan, int(StatusCodes.BadWaitingForInitialData), 0, ""))
        assert repr(float(scan.values[at])) == repr(of_row[1])
        assert scan.status[at] == of_row[2]
        if kind is Kind.INTEGER:
            assert next(integers) == of_row[3]
        if kind is Kind.TEXT:
            assert next(texts) == of_row[4]


def test_a_stale_scan_has_no_values() -> None:
    values = ToldValues(LAYOUT)
    values.put(told([(0, 1.5, 0, 0, ""), (1, 7.0, 0, 7, ""), (2, math.nan, 0, 0, "Dose")]))
    scan = values.stale(1, 2, None)
    assert np.isnan(scan.values).all()
    assert (scan.quality == Quality.STALE).all()
    assert (scan.texts, scan.integers.tolist()) == (("",), [0])


def test_more_than_can_be_kept_is_counted_and_the_newest_value_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told_values, "MOST_CHANGES", 3)
    values = ToldValues(LAYOUT)
    for n in range(4):
        values.put(told([(0, float(n), 0, 0, ""), (3, -float(n), 0, 0, "")], 10 * n))
    between = values.between(newest_too=False)
    assert rows_of(between.changes) == [(0, 0, "0.0", 0), (3, 1, "-0.0", 0)]
    assert between.beyond == 6
    assert values.scan(1, 2, None).values[[0, 3]].tolist() == [3.0, -3.0]
    assert values.between(newest_too=False).changes is None


STAMP_NS = 1_795_342_831_000_000_000
TOLD: list[Row] = [(0, 1.5, 0, 0, ""), (1, float(2**60), 0, 2**60, ""), (2, math.nan, 0, 0, "Dose"), (3, math.nan, SENSOR, 0, "")]
NOT_READABLE, OVERFLOWN = int(StatusCodes.BadNotReadable), 0x480


@pytest.mark.parametrize(
    ("read", "tolerance", "differs"),
    [
        (TOLD, 0.0, [False, False, False, False]),
        ([(0, 1.625, 0, 0, "")], 0.0, [True]),
        ([(0, 1.625, 0, 0, "")], 0.125, [False]),
        ([(0, 1.75, 0, 0, "")], 0.125, [True]),
        ([(0, 1.5, OVERFLOWN, 0, "")], 0.0, [False]),
        ([(0, 1.5, 0x4000_0000, 0, "")], 0.0, [True]),
        ([(0, math.nan, SENSOR, 0, "")], 0.0, [True]),
        ([(0, math.nan, NOT_READABLE, 0, "")], 0.0, [False]),
        ([(1, float(2**60), 0, 2**60 + 1, "")], 0.0, [True]),
        ([(1, float(2**60), 0, 2**60 + 1, "")], 1.0, [False]),
        ([(2, math.nan, 0, 0, "Heat")], 0.0, [True]),
        ([(3, 5.0, 0, 0, "")], 0.0, [True]),
        ([(2, math.nan, 0, 0, "Dose"), (0, 1.0, 0, 0, ""), (1, 7.0, 0, 7, "")], 0.0, [False, True, True]),
    ],
)
def test_what_is_read_differs_from_what_was_told(read: list[Row], tolerance: float, differs: list[bool]) -> None:
    values = ToldValues(LAYOUT)
    values.put(told(TOLD, STAMP_NS))
    columns = [each[0] for each in read]
    found = told(read, STAMP_NS + 1000).samples
    assert values.differ(columns, found, np.full(len(read), tolerance)).tolist() == differs
    older = told(read, STAMP_NS - 1000).samples
    assert not values.differ(columns, older, np.full(len(read), tolerance)).any(), "a Read that is behind proves nothing"


def test_what_was_never_told_differs_from_any_value_but_not_from_a_refusal() -> None:
    values = ToldValues(LAYOUT)
    read = told([(0, 1.5, 0, 0, ""), (3, math.nan, NOT_READABLE, 0, "")]).samples
    assert values.differ([0, 3], read, np.zeros(2)).tolist() == [True, False]


def test_a_withheld_value_is_stale_until_it_is_told() -> None:
    values = ToldValues(LAYOUT)
    values.put(told(TOLD))
    values.withhold([0, 2])
    scan = values.scan(1, 2, None)
    assert scan.quality.tolist() == [Quality.STALE, Quality.GOOD, Quality.STALE, Quality.BAD]
    assert np.isnan(scan.values[0])
    assert scan.texts == ("",)
    values.put(told(TOLD[:1]))
    scan = values.scan(1, 2, None)
    assert scan.quality.tolist() == [Quality.GOOD, Quality.GOOD, Quality.STALE, Quality.BAD]
    assert scan.values[0] == 1.5
    values.begin()
    assert not (values.scan(1, 2, None).quality == Quality.STALE).any()
