"""A chunk: what one tag was in the rows of a block, compressed, with its summary.

    parts u8 | values series | status series | quality u8 x m | source series | integer series       one zstd frame

    bit 0  there are status codes          bit 3  the source stamps are those that the block keeps for all its tags
    bit 1  there are qualities             bit 4  there are integers
    bit 2  there are source stamps         bit 5  the values are the integers, and have no series of their own

m is the number of the block's rows that have columns. A series is told in `integer_series` and `value_series`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collector.store import frames, integer_series, value_series
from collector.store.blobs import Columns, qualities
from collector.store.rows import DamagedRow
from drivers.base import Layout, Quality

_STATUS, _QUALITY, _SOURCE, _COMMON_SOURCE, _INTEGERS, _FOLLOWS = 1, 2, 4, 8, 16, 32
SLAB = 1 << 15
"""Samples that are worked on at once: they stay in the processor's own memory."""


class Summary(NamedTuple):
    """Of the samples of good quality whose value is a finite number."""

    good: int
    low: float | None
    high: float | None
    total: float | None


class Chunk(NamedTuple):
    """What is stored of one tag."""

    summary: Summary
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Tag:
    """One tag of a block, of its m rows with columns; None as in `Columns`."""

    values: NDArray[np.float64]
    status: NDArray[np.uint32] | None
    quality: NDArray[np.uint8] | None
    source_ns: NDArray[np.int64] | None
    integers: NDArray[np.int64] | None

    def qualities(self, flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`[m]`; `flags [m]` are those of the rows."""
        return qualities(flags, self.values.shape, self.status, self.quality)


def common_source(columns: Columns) -> NDArray[np.int64] | None:
    """`[m]`: the source stamps that most tags of a block share, or None."""
    if columns.source_ns is None or not len(columns.source_ns):
        return None
    same = (columns.source_ns == columns.source_ns[0]).all(axis=1)
    return columns.source_ns[0] if same.sum() > 1 else None


def encode(columns: Columns, layout: Layout) -> Iterator[Chunk]:
    """A chunk of each column, in their order, some columns' work at a time."""
    common = common_source(columns)
    at_once = max(1, SLAB // max(1, columns.values.shape[1]))
    integer_at = np.full(len(layout.columns), -1)
    integer_at[layout.integer_columns] = np.arange(len(layout.integer_columns))
    for first in range(0, len(layout.columns), at_once):
        slab = slice(first, min(first + at_once, len(layout.columns)))
        yield from _encode_slab(columns, layout, slab, common, integer_at[slab])


def _encode_slab(
    columns: Columns, layout: Layout, slab: slice, common: NDArray[np.int64] | None, integer_at: NDArray[np.intp]
) -> Iterator[Chunk]:
    """`integer_at [c]`: which of the integer columns each is, -1 where it is none."""
    values = columns.values[slab]
    integers, follows = _integers(columns, values, integer_at)
    floats = np.flatnonzero(~follows)
    scalings = [(layout.columns[slab.start + n].scale, layout.columns[slab.start + n].offset) for n in floats.tolist()]
    coded = dict(zip(floats.tolist(), value_series.encode(values[floats], scalings), strict=True))
    status = {} if columns.status is None else _where_any(columns.status[slab])
    sources = [] if columns.source_ns is None else _sources(columns.source_ns[slab], common)
    quality = None if columns.quality is None else columns.quality[slab]
    for n, summary in enumerate(_summaries(columns, slab)):
        parts, body = 0, [b"", coded.get(n, b"")]
        if n in status:
            parts |= _STATUS
            body.append(status[n])
        if quality is not None and quality[n].any():
            parts |= _QUALITY
            body.append(quality[n].tobytes())
        if sources:
            parts |= _SOURCE if sources[n] else _COMMON_SOURCE
            body.append(sources[n])
        if n in integers:
            parts |= _INTEGERS if n in coded else _INTEGERS | _FOLLOWS
            body.append(integers[n])
        body[0] = bytes((parts,))
        yield Chunk(summary, frames.pack(b"".join(body)))


def _integers(
    columns: Columns, values: NDArray[np.float64], integer_at: NDArray[np.intp]
) -> tuple[dict[int, bytes], NDArray[np.bool_]]:
    """The series of the integer columns among the rows of `values`, and which rows follow from theirs to the bit."""
    follows = np.zeros(len(values), bool)
    rows = np.flatnonzero(integer_at >= 0)
    if not len(rows):
        return {}, follows
    integers = columns.integers[integer_at[rows]]
    follows[rows] = (integers.astype(np.float64).view(np.int64) == values[rows].view(np.int64)).all(axis=1)
    return dict(zip(rows.tolist(), integer_series.encode(integers), strict=True)), follows


def _where_any(status: NDArray[np.uint32]) -> dict[int, bytes]:
    """The series of the rows of `status` that are not all 0."""
    rows = np.flatnonzero(status.any(axis=1))
    return dict(zip(rows.tolist(), integer_series.encode(status[rows].astype(np.int64)), strict=True)) if len(rows) else {}


def _sources(source_ns: NDArray[np.int64], common: NDArray[np.int64] | None) -> list[bytes]:
    """The series of each row; empty for those that are the common ones."""
    if common is None:
        return integer_series.encode(source_ns, stamps=True)
    own = np.flatnonzero((source_ns != common).any(axis=1))
    coded = dict(zip(own.tolist(), integer_series.encode(source_ns[own], stamps=True), strict=True)) if len(own) else {}
    return [coded.get(row, b"") for row in range(len(source_ns))]


def _summaries(columns: Columns, slab: slice) -> list[Summary]:
    values = columns.values[slab]
    status = None if columns.status is None else columns.status[slab]
    quality = None if columns.quality is None else columns.quality[slab]
    good = np.isfinite(values)
    if status is not None or quality is not None:
        good &= qualities(columns.flags, values.shape, status, quality) == Quality.GOOD
    return summaries(values, good)


def summaries(values: NDArray[np.float64], good: NDArray[np.bool_]) -> list[Summary]:
    """Of each row of `values [c, m]`, over those that are `good`."""
    found = [Summary(0, None, None, None)] * len(values)
    if not values.shape[1]:
        return found
    whole, some = good.all(axis=1), good.any(axis=1)
    for rows, all_good in ((np.flatnonzero(whole), True), (np.flatnonzero(some & ~whole), False)):
        if len(rows):
            told = _told(values[rows], None if all_good else good[rows])
            for row, *summary in zip(rows.tolist(), *told, strict=True):
                found[row] = Summary._make(summary)
    return found


def _told(values: NDArray[np.float64], good: NDArray[np.bool_] | None) -> tuple[list[int], list[float], list[float], list[float]]:
    """Of each row how many are good, at least one, and the least, the greatest and the sum of these; None: all are good."""
    with np.errstate(over="ignore"):
        if good is None:
            counts = [values.shape[1]] * len(values)
            return counts, values.min(axis=1).tolist(), values.max(axis=1).tolist(), values.sum(axis=1).tolist()
        return (
            good.sum(axis=1).tolist(),
            np.where(good, values, np.inf).min(axis=1).tolist(),
            np.where(good, values, -np.inf).max(axis=1).tolist(),
            np.where(good, values, 0.0).sum(axis=1).tolist(),
        )


def decode(data: bytes, count: int, common: NDArray[np.int64] | None) -> Tag:
    """What `encode` made of a column of `count` rows. Raises DamagedRow."""
    with _damage():
        return _decode(frames.unpack(data), count, common)


def decode_all(
    data: Sequence[bytes], count: int, common: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64], dict[int, Tag]]:
    """Of columns of `count` rows the values and source stamps, `[k, count]` each, and all of those that are more than that.
    Columns that are coded alike are brought back together. Raises DamagedRow."""
    values, sources = np.empty((len(data), count)), np.zeros((len(data), count), np.int64)
    tags: dict[int, Tag] = {}
    coded: dict[int, bytes] = {}
    stamped: dict[int, bytes] = {}
    with _damage():
        for column, payload in enumerate(map(frames.unpack, data)):
            parts = payload[0]
            if parts & ~(_SOURCE | _COMMON_SOURCE):
                tag = tags[column] = _decode(payload, count, common)
                values[column] = tag.values
                sources[column] = 0 if tag.source_ns is None else tag.source_ns
                continue
            end = value_series.skip(payload, 1, count) if parts & _SOURCE else len(payload)
            coded[column] = payload[1:end]
            if parts & _SOURCE:
                stamped[column] = payload[end:]
            elif parts and common is not None:
                sources[column] = common
        value_series.decode_into(values, coded)
        integer_series.decode_into(sources, stamped)
    return values, sources, tags


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except (ValueError, IndexError, TypeError, struct.error) as exc:
        if isinstance(exc, DamagedRow):
            raise
        raise DamagedRow(f"a chunk is damaged: {exc}") from None


def _decode(payload: bytes, count: int, common: NDArray[np.int64] | None) -> Tag:
    parts, at = payload[0], 1
    values: NDArray[np.float64] | None = None
    status: NDArray[np.uint32] | None = None
    quality: NDArray[np.uint8] | None = None
    source: NDArray[np.int64] | None = None
    integers: NDArray[np.int64] | None = None
    if not parts & _FOLLOWS:
        values, at = value_series.decode(payload, at, count)
    if parts & _STATUS:
        codes, at = integer_series.decode(payload, at, count)
        status = codes.astype(np.uint32)
    if parts & _QUALITY:
        quality = np.frombuffer(payload, np.uint8, count, at)
        at += count
    if parts & _SOURCE:
        source, at = integer_series.decode(payload, at, count)
    elif parts & _COMMON_SOURCE:
        source = common
    if parts & _INTEGERS:
        integers, at = integer_series.decode(payload, at, count)
        if values is None:
            values = integers.astype(np.float64)
    if at != len(payload) or values is None:
        raise DamagedRow(f"a chunk holds {len(payload)} bytes, its parts {at}")
    return Tag(values, status, quality, source, integers)
