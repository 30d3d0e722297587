"""A scan's blob: back to the bit, or refused."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from collector.store.rows import DamagedRow, decode, encode
from config.tags import Kind
from drivers.base import Changes, Layout, Quality, Scan, Status
from tests.journal_rows import column, layout, scan
from tests.unit.store.entries import assert_same_scan, layouts, scans

TEMPERATURE = layout(column("temperature"))
TEXTS = layout(column("batch_id", Kind.TEXT), column("phase", Kind.TEXT))


def again(blob: bytes, of: Scan, read_with: Layout | None = None) -> Scan:
    return decode(blob, read_with or of.layout, of.slot_ns, of.received_ns, int(of.status[0]) if of.lost else 0)


@st.composite
def blobs(draw: st.DrawFn) -> tuple[bytes, Scan]:
    given_scan = draw(scans(draw(layouts())))
    return encode(given_scan), given_scan


@given(blobs())
def test_comes_back_to_the_bit(case: tuple[bytes, Scan]) -> None:
    blob, original = case
    assert_same_scan(again(blob, original), original)


@given(blobs(), st.data())
def test_cut_short_anywhere_is_damaged(case: tuple[bytes, Scan], data: st.DataObject) -> None:
    blob, original = case
    assume(len(blob) > 1)
    with pytest.raises(DamagedRow):
        again(blob[: data.draw(st.integers(1, len(blob) - 1))], original)


def test_cut_to_nothing_gives_no_values() -> None:
    """An empty blob is a lost scan's. One whose row names no bad status never was lost: its blob is gone."""
    with pytest.raises(DamagedRow):
        decode(b"", TEMPERATURE, 0, 0, Status.GOOD)


@given(blobs(), st.binary(min_size=1, max_size=40))
def test_with_bytes_behind_it_is_damaged(case: tuple[bytes, Scan], more: bytes) -> None:
    blob, original = case
    assume(blob)
    with pytest.raises(DamagedRow):
        again(blob + more, original)


@given(st.binary(max_size=200), layouts())
def test_foreign_bytes_are_damaged_or_of_the_very_size(blob: bytes, of: Layout) -> None:
    """Never another error, and never values from a blob of another size."""
    try:
        got = decode(blob, of, 1, 2, Status.BAD_TIMEOUT)
    except DamagedRow:
        return
    if not got.lost:
        # what was made of it accounts for every byte
        fixed = 1 + 8 * len(of.columns) + 8 * len(of.integer_columns)
        fixed += (
            4 * len(of.columns) * bool(blob[0] & 1)
            + len(of.columns) * bool(blob[0] & 2)
            + 8 * len(of.columns) * bool(blob[0] & 4)
        )
        fixed += sum(4 + len(text.encode("utf-8", "surrogatepass")) for text in got.texts)
        assert len(blob) == fixed + (0 if got.changes is None else 4 + 24 * len(got.changes.columns))


NUMBERS = st.lists(st.sampled_from([Kind.REAL, Kind.INTEGER, Kind.BOOLEAN]), min_size=1, max_size=8)


@given(NUMBERS, NUMBERS, st.data())
def test_another_layout_of_another_size_is_damaged(mine: list[Kind], theirs: list[Kind], data: st.DataObject) -> None:
    of, other = (layout(*(column(f"t{i}", kind) for i, kind in enumerate(kinds))) for kinds in (mine, theirs))
    original = data.draw(scans(of).filter(lambda scan: not scan.lost and scan.changes is None))
    blob = encode(original)
    per_column = 8 + 4 * bool(blob[0] & 1) + bool(blob[0] & 2) + 8 * bool(blob[0] & 4)
    sizes = {per_column * len(kinds) + 8 * kinds.count(Kind.INTEGER) for kinds in (mine, theirs)}
    assume(len(sizes) == 2)
    with pytest.raises(DamagedRow):
        again(blob, original, other)


@pytest.mark.parametrize("flags", range(8))
@pytest.mark.parametrize("columns", [1, 3, 9])
def test_one_column_more_or_less_is_damaged(flags: int, columns: int) -> None:
    of = layout(*(column(f"t{i}") for i in range(columns)))
    original = Scan(
        of,
        1,
        2,
        np.arange(columns, dtype=np.float64),
        np.full(columns, 0x40000000 if flags & 1 else 0, np.uint32),
        np.full(columns, Quality.STALE if flags & 2 else Quality.UNCERTAIN if flags & 1 else Quality.GOOD, np.uint8),
        np.full(columns, 5, np.int64) if flags & 4 else None,
    )
    blob = encode(original)
    assert blob[0] == flags
    assert_same_scan(again(blob, original), original)
    for other in (columns - 1, columns + 1):
        if other:
            with pytest.raises(DamagedRow):
                again(blob, original, layout(*(column(f"t{i}") for i in range(other))))


def changes_of(*columns: int) -> Changes:
    n = len(columns)
    stamps, values = np.arange(n, dtype=np.int64), np.arange(n, dtype=np.float64)
    return Changes(np.array(columns, np.int32), stamps, values, np.zeros(n, np.uint32))


@pytest.mark.parametrize("flags", [0x10, 0x80, 0xFF])
def test_unknown_flags_are_damaged(flags: int) -> None:
    blob = encode(scan(TEMPERATURE, [64.93]))
    with pytest.raises(DamagedRow):
        decode(bytes([flags | blob[0]]) + blob[1:] + bytes(30), TEMPERATURE, 0, 0, 0)


def test_a_text_that_is_no_text_is_damaged() -> None:
    """The error that a reader of the journal waits for, and not whichever the codec raises."""
    blob = bytearray(encode(scan(TEXTS, ["B-24-017", "Dose"])))
    blob[-1] = 0xFF
    with pytest.raises(DamagedRow):
        decode(bytes(blob), TEXTS, 0, 0, 0)


@pytest.mark.parametrize("length", [0, 1, 7, 9, 2**31, 2**32 - 1])
def test_a_text_of_a_wrong_length_is_damaged(length: int) -> None:
    original = scan(TEXTS, ["B-24-017", "Dose"])
    blob = bytearray(encode(original))
    struct.pack_into("<I", blob, 1 + 8 * 2, length)
    with pytest.raises(DamagedRow):
        again(bytes(blob), original)


@pytest.mark.parametrize("quality", [4, 0x7F, 0xFF])
def test_a_quality_that_is_none_is_damaged(quality: int) -> None:
    """One bit of damage must not make a value that is neither good nor bad."""
    original = replace(scan(TEMPERATURE, [64.93]), quality=np.array([Quality.STALE], np.uint8))
    blob = encode(original)
    assert blob[-1] == Quality.STALE
    with pytest.raises(DamagedRow):
        again(blob[:-1] + bytes([quality]), original)


def test_a_scan_that_does_not_fit_its_layout_is_not_written() -> None:
    """It could never be read again, and would stop every sink at its row."""
    two = layout(column("a"), column("n", Kind.INTEGER), column("t", Kind.TEXT))
    whole = scan(two, [1.0, 5, "x"])
    for misfit in (
        replace(whole, values=whole.values[:1]),
        replace(whole, status=np.ones(2, np.uint32)),
        replace(whole, quality=np.full(1, Quality.STALE, np.uint8)),
        replace(whole, source_ns=np.ones(4, np.int64)),
        replace(whole, integers=np.zeros(0, np.int64)),
        replace(whole, texts=()),
        replace(whole, texts=("x", "y")),
    ):
        with pytest.raises(ValueError, match="layout"):
            encode(misfit)


@pytest.mark.parametrize("count", [0, 1, 3, 2**31, 2**32 - 1])
def test_changes_of_a_wrong_count_are_damaged(count: int) -> None:
    original = replace(scan(TEMPERATURE, [64.93]), changes=changes_of(0, 0))
    blob = bytearray(encode(original))
    assert_same_scan(again(bytes(blob), original), original)
    struct.pack_into("<I", blob, 1 + 8, count)
    with pytest.raises(DamagedRow):
        again(bytes(blob), original)


@pytest.mark.parametrize("column_index", [2, 3, 2**31, 2**32 - 1])
def test_a_change_of_no_number_is_damaged(column_index: int) -> None:
    """Neither of a column that there is not, nor of a text."""
    of = layout(column("a"), column("n", Kind.INTEGER), column("t", Kind.TEXT))
    blob = bytearray(encode(replace(scan(of, [1.0, 5, ""]), changes=changes_of(0, 1))))
    struct.pack_into("<I", blob, len(blob) - 2 * 24 + 4, column_index)
    with pytest.raises(DamagedRow, match="a column without a number"):
        decode(bytes(blob), of, 0, 0, 0)


def test_changes_that_do_not_fit_their_layout_are_not_written() -> None:
    of = layout(column("a"), column("n", Kind.INTEGER), column("t", Kind.TEXT))
    whole, two = scan(of, [1.0, 5, "x"]), changes_of(0, 1)
    for misfit in (
        replace(whole, changes=changes_of()),
        replace(whole, changes=changes_of(2)),
        replace(whole, changes=changes_of(3)),
        replace(whole, changes=changes_of(-1)),
        replace(whole, changes=replace(two, values=two.values[:1])),
        replace(Scan.of_lost(of, 5, 6, Status.BAD_TIMEOUT), changes=two),
    ):
        with pytest.raises(ValueError, match="changes"):
            encode(misfit)


def test_a_lost_scan_keeps_its_status_and_nothing_else() -> None:
    of = layout(column("a"), column("n", Kind.INTEGER), column("t", Kind.TEXT))
    lost = Scan.of_lost(of, 5, 6, Status.BAD_NO_COMMUNICATION)
    assert encode(lost) == b""
    assert_same_scan(again(b"", lost), lost)


def test_values_of_a_plain_scan_take_their_size_and_one_byte() -> None:
    """Ten thousand tags a second: what follows from elsewhere is not stored."""
    of = layout(*(column(f"t{i}") for i in range(100)))
    assert len(encode(scan(of, [1.5] * 100))) == 801


def test_what_was_read_cannot_be_changed_by_its_reader() -> None:
    """Arrays over the row's own bytes: a writable one could alter another reader's values."""
    got = again(encode(scan(TEMPERATURE, [64.93])), scan(TEMPERATURE, [64.93]))
    with pytest.raises(ValueError, match="read-only"):
        got.values[0] = 0.0
