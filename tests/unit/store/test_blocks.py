"""Whatever scans hold comes back from a block to the byte, and a damaged block gives nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store import chunks, frames, integer_series, value_series
from collector.store.appended import Appended, joined
from collector.store.blobs import brings_back, put_together, take_apart
from collector.store.blocks import Block, block_of, decode_block, decode_index, encode_index, rows_of
from collector.store.rows import DamagedRow, StoredScan, encode
from collector.store.strung import Strung
from config.tags import Kind
from drivers.base import Layout, Quality
from tests.journal_rows import SECOND_NS, SLOT_NS, Value, column, layout, scan
from tests.unit.store.entries import CODES, FLOAT_BITS, INT64, layouts, scans

TWO = layout(column("temperature"), column("pressure"))


def made_of(rows: Sequence[StoredScan], of: Layout) -> Block:
    """The rows are of one layout, in two pieces as compaction reads them in many."""
    as_read = [(row.seq, row.slot_ns, row.received_ns, row.lost_status, row.layout, row.stamps, row.blob) for row in rows]
    half = len(rows) // 2
    ((_, of_layout),) = joined([Appended.of(as_read[:half]), Appended.of(as_read[half:])]).by_layout().items()
    return block_of(of_layout.numbers, Strung.of(of_layout.blobs), of)


def again(rows: Sequence[StoredScan], of: Layout) -> list[StoredScan]:
    """Through the bytes that are stored."""
    block = made_of(rows, of)
    index = decode_index(encode_index(block.index))
    data = [chunk.data for chunk in chunks.encode(block.columns, of)]
    return rows_of(decode_block(of, index, data), rows[0].layout)


def stored(blobs: Sequence[bytes], slot_ns: int = SLOT_NS) -> list[StoredScan]:
    return [StoredScan(n, slot_ns + n * SECOND_NS, slot_ns + n * SECOND_NS + 5, 0, 3, 1, blob) for n, blob in enumerate(blobs)]


@st.composite
def blocks_of_rows(draw: st.DrawFn) -> tuple[list[StoredScan], Layout]:
    """Scans of any kind among blobs that are none."""
    of = draw(layouts())
    rows = []
    for seq in draw(st.lists(st.integers(1, 2**62), min_size=1, max_size=12)):
        given_scan = draw(scans(of))
        blob = draw(st.binary(max_size=60)) if draw(st.integers(0, 5)) == 0 else encode(given_scan)
        lost_status = int(given_scan.status[0]) if given_scan.lost else 0
        numbers = (given_scan.slot_ns, given_scan.received_ns, lost_status)
        rows.append(StoredScan(seq, *numbers, 7, draw(st.integers(1, 2**40)), blob))
    return rows, of


@given(blocks_of_rows())
def test_a_block_brings_back_every_row_to_the_byte(case: tuple[list[StoredScan], Layout]) -> None:
    rows, of = case
    assert again(rows, of) == rows


@given(layouts(), st.lists(st.binary(max_size=120), max_size=12))
def test_blobs_that_are_none_are_put_together_again(of: Layout, blobs: list[bytes]) -> None:
    assert put_together(take_apart(Strung.of(blobs), of), of).apart() == blobs


@st.composite
def stretches(draw: st.DrawFn) -> tuple[list[bytes], Layout]:
    """Blobs that stay alike for a while, some of them none: as texts and qualities change now and then."""
    of = draw(layouts())
    some = [encode(draw(scans(of))), draw(st.binary(max_size=40))]
    blobs: list[bytes] = []
    for _ in range(draw(st.integers(1, 5))):
        blobs += [draw(st.sampled_from(some)) + draw(st.binary(max_size=3))] * draw(st.sampled_from([1, 30, 300]))
    return blobs, of


@given(stretches(), st.integers(0), st.integers(1, 255))
def test_blobs_that_stay_alike_are_put_together_again_and_no_others(
    case: tuple[list[bytes], Layout], where: int, bits: int
) -> None:
    blobs, of = case
    strung = Strung.of(blobs)
    columns = take_apart(strung, of)
    assert put_together(columns, of).apart() == blobs
    assert brings_back(columns, of, strung)
    if strung.body:
        body = bytearray(strung.body)
        body[where % len(body)] ^= bits
        assert not brings_back(columns, of, Strung(bytes(body), strung.lengths))
    assert not brings_back(columns, of, Strung.of([*blobs, b""]))
    assert not brings_back(columns, of, Strung.of([*blobs, b"?"]))


FLAGGED = [bytes([flags]) + bytes(8 * 2 + (flags & 1) * 8 + (flags >> 1 & 1) * 2 + (flags >> 2 & 1) * 16) for flags in range(8)]


def test_parts_that_could_have_been_left_out_are_kept() -> None:
    """Status codes that are all 0, qualities that follow: another writer may have written them, and the chain counts bytes."""
    blobs = [*FLAGGED, b"", b"\x08" + bytes(30), b"\x40foreign"]
    assert [row.blob for row in again(stored(blobs), TWO)] == blobs


def test_blobs_of_one_length_and_other_parts_are_not_taken_for_alike() -> None:
    blobs = [bytes([flags]) + bytes(range(26)) for flags in (0, 1, 0x40) for _ in range(40)]
    columns = take_apart(Strung.of(blobs), TWO)
    assert put_together(columns, TWO).apart() == blobs
    assert brings_back(columns, TWO, Strung.of(blobs))


# --- series


@given(st.data())
def test_what_never_moves_is_told_once_and_comes_back(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 40))
    bits = data.draw(st.lists(FLOAT_BITS, min_size=1, max_size=6))
    scalings = [data.draw(st.sampled_from([(1.0, 0.0), (0.1, -40.0), (-0.5, -0.0)])) for _ in bits]
    values = np.repeat(np.array(bits, np.uint64).view(np.float64)[:, None], count, axis=1)
    if count > 1 and data.draw(st.booleans()):
        values[0, -1] = 17.25
    for coded, row in zip(value_series.encode(values, scalings), values, strict=True):
        back, end = value_series.decode(coded, 0, count)
        assert (back.tobytes(), end) == (row.tobytes(), len(coded))
        if count and (row.view(np.int64) == row.view(np.int64)[0]).all():
            assert len(coded) < 45


def test_more_that_never_moves_than_is_remembered_comes_back() -> None:
    for first in (0, 10_000, 0):
        values = np.repeat((first + np.arange(6000) / 4)[:, None], 3, axis=1)
        coded = value_series.encode(values, [(1.0, 0.0)] * len(values))
        assert b"".join(value_series.decode(one, 0, 3)[0].tobytes() for one in coded) == values.tobytes()


@given(st.integers(1, 3), st.integers(0, 20), st.booleans(), st.data())
def test_integers_come_back(rows: int, count: int, stamps: bool, data: st.DataObject) -> None:
    some = INT64 | st.integers(-300, 300) | st.sampled_from([10**9, 10**12, -(10**6)])
    numbers = np.array(
        data.draw(st.lists(st.lists(some, min_size=count, max_size=count), min_size=rows, max_size=rows)), np.int64
    )
    numbers = numbers.reshape(rows, count)
    for coded, one in zip(integer_series.encode(numbers, stamps=stamps), numbers, strict=True):
        back, end = integer_series.decode(b"xy" + coded, 2, count)
        assert end == 2 + len(coded)
        assert back.tolist() == one.tolist()


SCALINGS = st.sampled_from([(1.0, 0.0), (0.1, 0.0), (0.01, -50.0), (1e-300, 1e300), (0.0, 0.0)])


def courses(count: int) -> st.SearchStrategy[list[float]]:
    """As instruments give them, and as they don't."""
    anything = FLOAT_BITS.map(lambda bits: float(np.array([bits], np.uint64).view(np.float64)[0]))
    decimals = st.builds(lambda n, k: n / 10**k, st.integers(-(10**6), 10**6), st.integers(0, 5))
    singles = decimals.map(lambda value: float(np.float32(value)))
    scaled = st.integers(-(2**15), 2**15).map(lambda raw: raw * 0.01 + -50.0)
    return st.one_of([st.lists(each, min_size=count, max_size=count) for each in (anything, decimals, singles, scaled)])


@given(st.integers(0, 40), st.data())
def test_values_come_back_to_the_bit(count: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(courses(count), min_size=1, max_size=4))
    values = np.array(rows, np.float64).reshape(len(rows), count)
    scalings = [data.draw(SCALINGS) for _ in rows]
    for coded, one in zip(value_series.encode(values, scalings), values, strict=True):
        back, end = value_series.decode(coded, 0, count)
        assert end == len(coded)
        assert back.tobytes() == one.tobytes()


NOISE = np.random.default_rng(1).normal(0, 1, 3600)
FORMS = {
    "two decimals": (np.round(80 + 0.05 * NOISE, 2), (1.0, 0.0), 0.8),
    "a glitch and a NaN among decimals": (
        np.where(np.arange(3600) % 900 == 7, np.nan, np.round(80 + 0.05 * NOISE, 2)),
        (1.0, 0.0),
        0.9,
    ),
    "a register": (np.rint(800 + 2 * NOISE) * 0.1 + -20.0, (0.1, -20.0), 0.8),
    "a float32 of two decimals": (np.round(80 + 0.05 * NOISE, 2).astype(np.float32).astype(np.float64), (1.0, 0.0), 0.8),
    "a float32": ((5 + 0.02 * NOISE).astype(np.float32).astype(np.float64), (1.0, 0.0), 3.0),
    "a setpoint": (np.floor(np.arange(3600) / 900) * 5, (1.0, 0.0), 0.1),
    "nothing": (np.full(3600, np.nan), (1.0, 0.0), 0.1),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_an_instrument_gives_is_small(form: str) -> None:
    values, scaling, most = FORMS[form]
    of = layout(column("t"))
    blobs = [encode(scan(of, [value])) for value in values]
    block = made_of(stored(blobs), of)
    (coded,) = value_series.encode(values[None], [scaling])
    assert value_series.decode(coded, 0, 3600)[0].tobytes() == values.tobytes()
    assert len(frames.pack(coded)) < most * len(values)
    assert len(encode_index(block.index)) < 200


# --- summaries


@given(st.data())
def test_a_summary_is_that_of_the_good_numbers(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 20))
    numbers = st.sampled_from([1.5, -2.25, 0.0, 1e300, float("nan"), float("inf")])
    values = [data.draw(numbers) for _ in range(n)]
    status = [data.draw(CODES) for _ in range(n)]
    of = layout(column("t"))
    block = made_of(stored([encode(scan(of, [v], SLOT_NS, [s])) for v, s in zip(values, status, strict=True)]), of)
    (chunk,) = chunks.encode(block.columns, of)
    good = [v for v, s in zip(values, status, strict=True) if s >> 30 == Quality.GOOD and np.isfinite(v)]
    assert chunk.summary.good == len(good)
    expected = (min(good), max(good), pytest.approx(sum(good))) if good else (None, None, None)
    assert (chunk.summary.low, chunk.summary.high, chunk.summary.total) == expected


# --- damage


MIXED = layout(column("t"), column("n", Kind.INTEGER), column("s", Kind.TEXT))
ROWS: list[list[Value]] = [[64.93 + n / 100, n, "Dose"] for n in range(50)]


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_byte_of_a_block_is_seen(where: int, bits: int) -> None:
    block = made_of(stored([encode(scan(MIXED, values)) for values in ROWS]), MIXED)
    parts = [encode_index(block.index), *(chunk.data for chunk in chunks.encode(block.columns, MIXED))]
    n, at = where % len(parts), where // len(parts) % len(parts[where % len(parts)])
    damaged = bytearray(parts[n])
    damaged[at] ^= bits
    parts[n] = bytes(damaged)
    try:
        rows = rows_of(decode_block(MIXED, decode_index(parts[0]), parts[1:]), 3)
    except DamagedRow:
        return
    assert rows == stored([encode(scan(MIXED, values)) for values in ROWS]), "read, and wrong"
