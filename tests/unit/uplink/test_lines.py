"""The encoder: every good sample bit for bit, every change of quality, every sample counted once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.rows import ScanRow
from collector.terms import Stamp
from collector.uplink.escape import field_name
from collector.uplink.lines import QUALITIES, Encoded, Encoder
from config.tags import Kind
from drivers.base import Column, Layout, Quality, Scan
from tests.journal_rows import BAD, SECOND_NS, SLOT_NS, UNCERTAIN, column, layout, lost_row, scan, scan_row
from tests.line_protocol import Point, bits, parse

DOSE = Stamp(batch="B-24-017", phase="Dose")
ODD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


def points(encoded: Sequence[Encoded], measurement: str = "") -> list[Point]:
    parsed = [parse(line.data) for row in encoded for line in row.lines]
    return [point for point in parsed if measurement in ("", point.measurement)]


def only_data(encoded: Sequence[Encoded]) -> list[bytes]:
    return [line.data for row in encoded for line in row.lines]


def test_the_schema_of_the_plan() -> None:
    of = layout(column("product_temperature"), column("headspace_pressure"))
    (row,) = Encoder("basel").encode([scan_row(1, scan(of, [64.93, 1.42]), DOSE)])
    process, *quality = row.lines
    assert process.data == (
        b"process,site=basel,unit=R-201,batch=B-24-017,phase=Dose "
        b"product_temperature=64.93,headspace_pressure=1.42 1732270000000000000"
    )
    assert quality[0].data == (
        b"quality,site=basel,unit=R-201,role=product_temperature,tagname=PRODUCT_TEMPERATURE "
        b'quality="good",status=0i 1732270000000000000'
    )
    assert [line.samples for line in row.lines] == [2, 0, 0]
    assert (row.seq, row.slot_ns, row.unlined) == (1, SLOT_NS, 0)


def test_each_kind_has_its_field_type() -> None:
    of = layout(
        column("t"),
        column("n", Kind.INTEGER),
        column("open", Kind.BOOLEAN),
        column("id", Kind.TEXT),
        column("shut", Kind.BOOLEAN),
    )
    (point,) = points(Encoder("s").encode([scan_row(1, scan(of, [65.0, 2**53 + 1, True, 'B "1"\\\n', False]))]), "process")
    assert point.fields == {"t": 65.0, "n": 2**53 + 1, "open": True, "id": 'B "1"\\\n', "shut": False}
    assert [type(value) for value in point.fields.values()] == [float, int, bool, str, bool]


def test_a_role_may_hold_what_formatting_takes_for_its_own() -> None:
    of = layout(column("feed_%"), column("%b%%d"), column("t"))
    encoder = Encoder("s")
    (row,) = encoder.encode([scan_row(1, scan(of, [1.0, 2.0, 3.0]))])
    assert row.lines[0].data.split()[1] == b"feed_%=1.0,%b%%d=2.0,t=3.0"
    (row,) = encoder.encode([scan_row(2, scan(of, [1.0, np.nan, 3.0]))])
    assert row.lines[0].data.split()[1] == b"feed_%=1.0,t=3.0"


def test_units_and_many_columns_have_lines_of_their_own() -> None:
    of = layout(*[column(f"r{i}", unit="R-201" if i % 2 else "R-202") for i in range(1002)])
    rows = Encoder("s").encode([scan_row(1, scan(of, list(range(1002))), Stamp(batch="A"), Stamp(batch="B"))])
    process = [(line.samples, parse(line.data)) for line in rows[0].lines if line.data.startswith(b"process")]
    assert [(samples, point.tags["unit"], point.tags["batch"], len(point.fields)) for samples, point in process] == [
        (250, "R-202", "A", 250),
        (250, "R-202", "A", 250),
        (1, "R-202", "A", 1),
        (250, "R-201", "B", 250),
        (250, "R-201", "B", 250),
        (1, "R-201", "B", 1),
    ]
    assert {name: value for _, point in process for name, value in point.fields.items()} == {
        f"r{i}": float(i) for i in range(1002)
    }


def test_a_bad_sample_is_no_field_and_an_uncertain_one_is() -> None:
    of = layout(column("a"), column("b"), column("c"))
    (row,) = Encoder("s").encode([scan_row(1, scan(of, [1.0, 2.0, 3.0], status=[0x8031_0000, 0x4090_0000, 0]))])
    (process,) = points([row], "process")
    assert process.fields == {"b": 2.0, "c": 3.0}
    assert {point.tags["role"]: (point.fields["quality"], point.fields["status"]) for point in points([row], "quality")} == {
        "a": ("bad", 0x8031_0000),
        "b": ("uncertain", 0x4090_0000),
        "c": ("good", 0),
    }
    assert row.lines[0].samples == 3


def test_quality_only_on_change_and_again_after_forget() -> None:
    of, encoder = layout(column("a"), column("b")), Encoder("s")

    def told(seq: int, status: list[int]) -> list[str]:
        rows = encoder.encode([scan_row(seq, scan(of, [1.0, 2.0], SLOT_NS + seq * SECOND_NS, status))])
        return [point.tags["role"] for point in points(rows, "quality")]

    assert told(1, [0, 0]) == ["a", "b"]
    assert told(2, [0, 0]) == []
    assert told(3, [0, 0x8031_0000]) == ["b"]
    assert told(4, [0, 0x800A_0000]) == ["b"], "the same quality, another status"
    assert told(5, [0, 0]) == ["b"]
    encoder.forget()
    assert told(6, [0, 0]) == ["a", "b"]


def test_a_lost_scan_tells_its_status_once_and_holds_no_sample() -> None:
    of, encoder = layout(column("a"), column("b")), Encoder("s")
    encoder.encode([scan_row(1, scan(of, [1.0, 2.0]))])
    first, second = encoder.encode([lost_row(2, of, SLOT_NS + SECOND_NS), lost_row(3, of, SLOT_NS + 2 * SECOND_NS)])
    assert [(p.tags["role"], p.fields) for p in points([first])] == [
        ("a", {"quality": "bad", "status": 0x8031_0000}),
        ("b", {"quality": "bad", "status": 0x8031_0000}),
    ]
    assert (first.samples, second.samples, second.lines) == (0, 0, ())


def test_samples_without_a_line_of_their_own() -> None:
    of, encoder = layout(column("a", unit="R-201"), column("b", unit="R-202")), Encoder("s")
    bad = [0x8031_0000, 0]
    first, second = encoder.encode(
        [scan_row(1, scan(of, [1.0, 2.0], status=bad)), scan_row(2, scan(of, [1.0, 2.0], SLOT_NS + 1, status=bad))]
    )
    assert [(line.samples, parse(line.data).measurement) for line in first.lines] == [
        (1, "quality"),
        (1, "process"),
        (0, "quality"),
    ]
    assert [(line.samples, parse(line.data).measurement) for line in second.lines] == [(1, "process")]
    assert second.unlined == 1


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_number_is_told_as_a_quality(odd: str) -> None:
    of, encoder = layout(column("a"), column("b")), Encoder("s")
    encoder.encode([scan_row(1, scan(of, [1.0, 2.0]))])
    rows = encoder.encode([scan_row(2, scan(of, [ODD[odd], 2.0], SLOT_NS + 1)), scan_row(3, scan(of, [1.5, 2.0], SLOT_NS + 2))])
    assert [(p.time_ns - SLOT_NS, p.fields) for p in points(rows, "process")] == [(1, {"b": 2.0}), (2, {"a": 1.5, "b": 2.0})]
    assert [(p.time_ns - SLOT_NS, p.fields["quality"]) for p in points(rows, "quality")] == [(1, odd), (2, "good")]


def test_a_bad_nan_is_bad() -> None:
    of = layout(column("a"))
    (point,) = points(Encoder("s").encode([scan_row(1, scan(of, [np.nan], status=[0x8031_0000]))]))
    assert point.fields["quality"] == "bad"


def test_without_texts_and_phase() -> None:
    of, encoder = layout(column("a"), column("id", Kind.TEXT)), Encoder("s", texts=False, phase=False)
    (row,) = encoder.encode([scan_row(1, scan(of, [1.0, "B-1"]), DOSE)])
    process, *quality = points([row])
    assert (process.tags, process.fields) == ({"site": "s", "unit": "R-201", "batch": "B-24-017"}, {"a": 1.0})
    assert [point.fields for point in quality] == [{"status": 0}, {"status": 0}]
    assert row.samples == 2


def test_a_role_named_like_a_tag_key_has_another_field() -> None:
    of = layout(column("phase", Kind.TEXT), column("time"))
    (point,) = points(Encoder("s").encode([scan_row(1, scan(of, ["Dose", 5.0]), DOSE)]), "process")
    assert point.tags["phase"] == "Dose"
    assert point.fields == {"phase_value": "Dose", "time_value": 5.0}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_real_values_come_back_bit_for_bit(values: list[float]) -> None:
    of = layout(*[column(f"r{i}") for i in range(len(values))])
    (point,) = points(Encoder("s").encode([scan_row(1, scan(of, values))]), "process")
    assert [bits(value) for value in point.fields.values()] == [bits(value) for value in values]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
INT64 = st.integers(-(2**63), 2**63 - 1)
VALUES: dict[Kind, st.SearchStrategy[float | int | bool | str]] = {
    Kind.REAL: st.floats(),
    Kind.INTEGER: INT64,
    Kind.BOOLEAN: st.booleans(),
    Kind.TEXT: st.text(st.characters(exclude_categories=["Cs"])),
}
STATUS = st.sampled_from([0, 0, 0, 0x4090_0000, 0x8031_0000, 0x800A_0000])


@st.composite
def histories(draw: st.DrawFn) -> list[ScanRow]:
    """Scans of up to two layouts, some lost, some stale, in the order of a journal."""
    layouts = [_layout(draw, group) for group in ("fast", "slow")]
    rows = []
    for seq in range(1, draw(st.integers(1, 8)) + 1):
        of, slot_ns = draw(st.sampled_from(layouts)), SLOT_NS + seq * SECOND_NS
        if draw(st.sampled_from([False, False, False, True])):
            rows.append(lost_row(seq, of, slot_ns, draw(st.sampled_from([0x8031_0000, 0x800A_0000]))))
            continue
        values = [draw(VALUES[c.kind]) for c in of.columns]
        status = [draw(STATUS) for _ in of.columns]
        quality = draw(st.none() | st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
        stamps = [Stamp(batch=draw(st.text(max_size=4)), phase=draw(st.text(max_size=4))) for _ in of.units]
        rows.append(scan_row(seq, scan(of, values, slot_ns, status, quality), *stamps))
    return rows


def _layout(draw: st.DrawFn, group: str) -> Layout:
    kinds = draw(st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=6))
    return layout(
        *[column(f"{group}_{i}", kind, draw(st.sampled_from(["R-201", "R-202"])), draw(NAMES)) for i, kind in enumerate(kinds)],
        group=group,
    )


@given(histories(), st.booleans())
def test_every_sample_is_counted_once_whatever_comes(rows: list[ScanRow], texts: bool) -> None:
    for row, encoded in zip(rows, Encoder("s", texts=texts).encode(rows), strict=True):
        assert encoded.samples == row.scan.samples
        assert encoded.unlined >= 0
        assert {line.seq for line in encoded.lines} <= {row.seq}


@given(histories())
def test_values_and_qualities_can_be_read_back_from_the_lines(rows: list[ScanRow]) -> None:
    quality: dict[tuple[str, str], tuple[object, object]] = {}
    for row, encoded in zip(rows, Encoder("s").encode(rows), strict=True):
        fields: dict[tuple[str, str], object] = {}
        for point in points([encoded]):
            assert point.time_ns == row.scan.slot_ns
            if point.measurement == "process":
                fields |= {(point.tags["unit"], name): value for name, value in point.fields.items()}
            else:
                quality[point.tags["unit"], point.tags["role"]] = (point.fields["quality"], point.fields["status"])
        for i, of in enumerate(row.scan.layout.columns):
            usable = _usable(row.scan, i)
            assert ((of.unit, field_name(of.role)) in fields) == (usable is not None)
            if usable is not None:
                assert bits(fields[of.unit, field_name(of.role)]) == bits(usable)
            assert quality[of.unit, of.role] == (_quality(row.scan, i, of), int(row.scan.status[i]))


def _usable(of: Scan, i: int) -> float | int | bool | str | None:
    """What a reader should find of column i."""
    kind = of.layout.columns[i].kind
    if of.lost or of.quality[i] >= BAD:
        return None
    if kind is Kind.TEXT:
        return of.texts[list(of.layout.text_columns).index(i)]
    if kind is Kind.INTEGER:
        return int(of.integers[list(of.layout.integer_columns).index(i)])
    value = float(of.values[i])
    if not math.isfinite(value):
        return None
    return bool(value) if kind is Kind.BOOLEAN else value


def _quality(of: Scan, i: int, column: Column) -> str:
    value = of.values[i]
    if of.quality[i] <= UNCERTAIN and column.kind in (Kind.REAL, Kind.BOOLEAN) and not np.isfinite(value):
        return "nan" if np.isnan(value) else "inf" if value > 0 else "-inf"
    return QUALITIES[Quality(of.quality[i])]
