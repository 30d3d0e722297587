"""Anything a journal may be given: layouts, scans, stamps and events, and what makes two of them the same to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from collector.store.journal import Entry, Stamped
from collector.store.rows import EventRow, Row, ScanRow
from collector.terms import Event, EventKind, Json, Stamp
from config.tags import Kind
from drivers.base import Changes, Column, Layout, Quality, Scan, Status, quality_of

T = TypeVar("T")

INT64 = st.integers(-(2**63), 2**63 - 1)
EXTREMES = st.sampled_from([-(2**63), 2**63 - 1, 0, -1, 2**53 + 1])
TIMES_NS = st.integers(0, 2**62)
FLOAT_BITS = st.integers(0, 2**64 - 1) | st.sampled_from(
    [
        0x8000000000000000,  # -0.0
        0x7FF0000000000000,  # inf
        0xFFF0000000000000,  # -inf
        0x7FF8000000000000,  # the quiet NaN
        0x7FF0000000000001,  # a signalling NaN
        0xFFFFFFFFFFFFFFFF,  # a NaN with all the payload there is
        0x0000000000000001,  # the least subnormal
    ]
)
CODES = st.integers(0, 2**32 - 1) | st.sampled_from([0, 0x40000000, 0x80000000, 0xFFFFFFFF])
ANY_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["", "\0", "B-24\0-017", "\ud800", "\udfff\ud800", "Ä€😀", "x" * 70_000]
)
NAME = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@st.composite
def layouts(draw: st.DrawFn, *, units: Sequence[str] = ("R-201", "R-202")) -> Layout:
    """One to eight columns of any kinds and units."""
    kinds = draw(st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=8))
    columns = tuple(
        Column(
            name=f"T-{i}",
            role=draw(NAME),
            unit=draw(st.sampled_from(units)),
            kind=kind,
            states=draw(st.sampled_from([(), ((1, "Heat"),)])),
        )
        for i, kind in enumerate(kinds)
    )
    return Layout("plc", draw(NAME), draw(NAME), draw(st.integers(5_000_000, 2**40)), columns)


def _array(bits: Sequence[int], dtype: str) -> NDArray[np.generic]:
    return np.frombuffer(b"".join(n.to_bytes(8, "little") for n in bits), dtype)


def _exactly(count: int, each: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    return st.lists(each, min_size=count, max_size=count)


@st.composite
def scans(draw: st.DrawFn, layout: Layout, *, texts: st.SearchStrategy[str] = ANY_TEXT) -> Scan:
    """Lost or not, with any bits in it."""
    slot_ns, received_ns = draw(TIMES_NS), draw(TIMES_NS)
    if draw(st.integers(0, 9)) == 0:
        return Scan.of_lost(layout, slot_ns, received_ns, draw(st.sampled_from([Status.BAD_TIMEOUT, 0xFFFFFFFF, 0x80000000])))
    k = len(layout.columns)
    status = np.array(draw(st.just([0] * k) | _exactly(k, CODES)), np.uint32)
    given_quality = draw(st.none() | _exactly(k, st.sampled_from(list(Quality))))
    source = draw(st.none() | _exactly(k, INT64 | EXTREMES))
    return Scan(
        layout,
        slot_ns,
        received_ns,
        _array(draw(_exactly(k, FLOAT_BITS)), "<f8").astype(np.float64),
        status,
        quality_of(status) if given_quality is None else np.array(given_quality, np.uint8),
        None if source is None else np.array(source, np.int64),
        np.array(draw(_exactly(len(layout.integer_columns), INT64 | EXTREMES)), np.int64),
        tuple(draw(_exactly(len(layout.text_columns), texts))),
        changes=draw(st.none() | changes(layout)),
    )


@st.composite
def changes(draw: st.DrawFn, layout: Layout) -> Changes | None:
    """Of any columns that have numbers."""
    columns = [at for at, column in enumerate(layout.columns) if column.kind is not Kind.TEXT]
    if not columns:
        return None
    rows = draw(st.lists(st.tuples(st.sampled_from(columns), INT64 | EXTREMES, FLOAT_BITS, CODES), min_size=1, max_size=6))
    return Changes(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.int64),
        _array([row[2] for row in rows], "<f8").astype(np.float64),
        np.array([row[3] for row in rows], np.uint32),
    )


LINE = st.text(st.characters(codec="utf-8"), max_size=10)
STAMPS = st.builds(Stamp, batch=LINE, phase=LINE, product=LINE, recipe_version=LINE, mode=st.sampled_from(["pilot", "gmp"]))
SCALARS: st.SearchStrategy[Json] = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | LINE
)
BODIES = st.dictionaries(
    LINE,
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LINE, inner, max_size=3), max_leaves=5),
    max_size=4,
)
EVENTS = st.builds(Event, st.sampled_from(list(EventKind)), TIMES_NS, LINE, STAMPS, BODIES)


@st.composite
def stamped(draw: st.DrawFn, of: Sequence[Layout]) -> Stamped:
    """A scan of one of the layouts, with a stamp per unit."""
    layout = draw(st.sampled_from(of))
    return Stamped(draw(scans(layout)), tuple(draw(STAMPS) for _ in layout.units))


def entries(of: Sequence[Layout]) -> st.SearchStrategy[list[Entry]]:
    """What one commit may hold."""
    return st.lists(stamped(of) | EVENTS, max_size=6)


def assert_same_scan(got: Scan, given: Scan) -> None:
    """Equal to the bit, and of the right types."""
    assert got.layout == given.layout
    assert got.layout.id == given.layout.id
    assert (got.slot_ns, got.received_ns, got.lost, got.samples) == (given.slot_ns, given.received_ns, given.lost, given.samples)
    for name, dtype in (("values", "<f8"), ("status", "<u4"), ("quality", "u1"), ("integers", "<i8")):
        assert_same_array(getattr(got, name), getattr(given, name), dtype)
    assert (got.source_ns is None) == (given.source_ns is None)
    if got.source_ns is not None and given.source_ns is not None:
        assert got.source_ns.tobytes() == given.source_ns.tobytes()
    assert got.texts == given.texts
    assert (got.changes is None) == (given.changes is None)
    if got.changes is not None and given.changes is not None:
        for name, dtype in (("columns", "<i4"), ("source_ns", "<i8"), ("values", "<f8"), ("status", "<u4")):
            assert_same_array(getattr(got.changes, name), getattr(given.changes, name), dtype)


def assert_same_array(got: NDArray[np.generic], given: NDArray[np.generic], dtype: str) -> None:
    """Of this type, and the same bit for bit."""
    assert got.dtype == given.dtype == dtype
    assert got.tobytes() == given.tobytes()


def assert_same_rows(got: Sequence[Row], given: Sequence[tuple[int, Entry]]) -> None:
    """Rows are what was appended, under its sequence numbers."""
    assert [row.seq for row in got] == [seq for seq, _ in given]
    for row, (_, entry) in zip(got, given, strict=True):
        if isinstance(row, ScanRow):
            assert isinstance(entry, Stamped)
            assert_same_scan(row.scan, entry.scan)
            assert row.stamps == entry.stamps
        else:
            assert isinstance(row, EventRow)
            assert row.event == entry
