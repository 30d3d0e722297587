"""A block: the scans of one layout in a segment, as an index of its rows and a chunk of each column.

    rows of a block   n u32 | series of seq, slot, received - slot, stamps, lost status | kinds u8 x n
                      | [series of the common source stamps] | [series of the lengths of the rests | rests]       one zstd frame
                        if bit 0 of a u8 before it             if bit 1

The index alone tells when and where each row is, so that a history reads it and the chunks of one tag only.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from collector.store import chunks, frames, integer_series
from collector.store.blobs import LOST, Columns, brings_back, put_together, take_apart
from collector.store.rows import HAS_QUALITY, HAS_SOURCE, HAS_STATUS, DamagedRow, StoredScan
from collector.store.strung import Strung
from drivers.base import Layout

_COUNT = struct.Struct("<I")
_COMMON, _RESTS = 1, 2
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The rows of a block, n of them: all but what their columns held."""

    seq: NDArray[np.int64]
    slot_ns: NDArray[np.int64]
    received_ns: NDArray[np.int64]
    stamps: NDArray[np.int64]
    lost_status: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    common_source: NDArray[np.int64] | None
    rests: Strung
    """`n` of them, or none when no row has one."""

    @property
    def lost(self) -> NDArray[np.bool_]:
        """`[n]`: rows that hold no samples."""
        lost: NDArray[np.bool_] = self.kinds == LOST
        return lost

    @property
    def with_columns(self) -> NDArray[np.bool_]:
        """`[n]`: rows that stand in the chunks."""
        held: NDArray[np.bool_] = self.kinds < LOST
        return held


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Scans of one layout, tag by tag."""

    layout: Layout
    index: Index
    columns: Columns

    def rows(self, wanted: NDArray[np.bool_]) -> Block:
        """Some of its rows, `wanted [n]`."""
        if wanted.all():
            return self
        index, columns, held = self.index, self.columns, wanted[self.index.with_columns]
        rests = index.rests.some(wanted) if len(index.rests) else index.rests
        kinds = index.kinds[wanted]
        return Block(
            self.layout,
            Index(
                index.seq[wanted],
                index.slot_ns[wanted],
                index.received_ns[wanted],
                index.stamps[wanted],
                index.lost_status[wanted],
                kinds,
                None if index.common_source is None else index.common_source[held],
                rests,
            ),
            Columns(
                kinds,
                columns.values[:, held],
                None if columns.status is None else columns.status[:, held],
                None if columns.quality is None else columns.quality[:, held],
                None if columns.source_ns is None else columns.source_ns[:, held],
                columns.integers[:, held],
                rests,
            ),
        )


def block_of(numbers: NDArray[np.int64], blobs: Strung, layout: Layout) -> Block:
    """The scans of one layout; `numbers` are those of `Appended`."""
    seq, slot, received, lost_status, _, stamps = numbers
    columns = take_apart(blobs, layout)
    common = chunks.common_source(columns)
    index = Index(seq, slot, received, stamps, lost_status, columns.kinds, common, columns.rests)
    return Block(layout, index, columns)


def rows_of(block: Block, layout_key: int) -> list[StoredScan]:
    """The scans of a block, to the byte as they were appended."""
    numbers = (block.index.seq, block.index.slot_ns, block.index.received_ns, block.index.lost_status, block.index.stamps)
    rows = zip(*(each.tolist() for each in numbers), put_together(block.columns, block.layout).apart(), strict=True)
    return [StoredScan(seq, slot, received, lost, layout_key, stamps, blob) for seq, slot, received, lost, stamps, blob in rows]


def same(block: Block, index: Index, data: Sequence[bytes], blobs: Strung) -> bool:
    """What is stored of a block brings back its rows, with these `blobs`, to the byte."""
    back = decode_block(block.layout, index, data)
    mine, theirs = block.index, index
    pairs = (
        (mine.seq, theirs.seq),
        (mine.slot_ns, theirs.slot_ns),
        (mine.received_ns, theirs.received_ns),
        (mine.stamps, theirs.stamps),
        (mine.lost_status, theirs.lost_status),
    )
    return all(np.array_equal(*pair) for pair in pairs) and brings_back(back.columns, block.layout, blobs)


def encode_index(index: Index) -> bytes:
    """What the block's row holds."""
    series = np.stack([index.seq, index.slot_ns, index.received_ns - index.slot_ns, index.stamps, index.lost_status])
    parts = [_COUNT.pack(len(index.seq)), *integer_series.encode(series, stamps=True), index.kinds.tobytes()]
    has_rests = len(index.rests) > 0
    parts.append(bytes([(_COMMON if index.common_source is not None else 0) | (_RESTS if has_rests else 0)]))
    if index.common_source is not None:
        parts += integer_series.encode(index.common_source[None], stamps=True)
    if has_rests:
        parts += [*integer_series.encode(index.rests.lengths[None]), index.rests.body]
    return frames.pack(b"".join(parts))


def decode_index(data: bytes) -> Index:
    """What `encode_index` was given. Raises DamagedRow."""
    payload = frames.unpack(data)
    try:
        return _decode_index(payload)
    except (ValueError, IndexError, struct.error) as exc:
        raise DamagedRow(f"the rows of a block are damaged: {exc}") from None


def decode_times(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Slots and kinds of a block's rows, `[n]` each: what a history needs of them. Raises DamagedRow."""
    payload = frames.unpack(data)
    try:
        (count,) = _COUNT.unpack_from(payload)
        slots, at = integer_series.decode(payload, integer_series.skip(payload, _COUNT.size, count), count)
        for _ in range(3):
            at = integer_series.skip(payload, at, count)
        return slots, np.frombuffer(payload, np.uint8, count, at)
    except (ValueError, IndexError, struct.error) as exc:
        raise DamagedRow(f"the rows of a block are damaged: {exc}") from None


def _decode_index(payload: bytes) -> Index:
    (count,) = _COUNT.unpack_from(payload)
    at, series = _COUNT.size, []
    for _ in range(5):
        numbers, at = integer_series.decode(payload, at, count)
        series.append(numbers)
    seq, slot, delay, stamps, lost_status = series
    kinds = np.frombuffer(payload, np.uint8, count, at)
    parts, at = payload[at + count], at + count + 1
    common: NDArray[np.int64] | None = None
    lengths, body = np.zeros(0, np.int64), b""
    if parts & _COMMON:
        common, at = integer_series.decode(payload, at, int((kinds < LOST).sum()))
    if parts & _RESTS:
        lengths, at = integer_series.decode(payload, at, count)
        body = payload[at : at + int(lengths.sum())]
        at += len(body)
    if at != len(payload) or len(body) != lengths.sum() or (lengths < 0).any():
        raise DamagedRow(f"the rows of a block hold {len(payload)} bytes, its parts {at}")
    return Index(seq, slot, slot + delay, stamps, lost_status, kinds, common, Strung(body, lengths))


def decode_block(layout: Layout, index: Index, data: Sequence[bytes]) -> Block:
    """A block from its index and the chunks of all its columns. Raises DamagedRow."""
    k, m = len(layout.columns), int(index.with_columns.sum())
    if len(data) != k:
        raise DamagedRow(f"layout {layout.id} has {k} columns, the block {len(data)} chunks")
    values, sources, tags = chunks.decode_all(data, m, index.common_source)
    integers = np.zeros((len(layout.integer_columns), m), np.int64)
    for n, column in enumerate(layout.integer_columns.tolist()):
        held = tags[column].integers if column in tags else None
        if held is None:
            raise DamagedRow(f"layout {layout.id}: the integers of a column are missing")
        integers[n] = held
    any_of = int(np.bitwise_or.reduce(index.kinds[index.with_columns], initial=0))
    columns = Columns(
        index.kinds,
        values,
        _filled(np.zeros((k, m), np.uint32), {at: tag.status for at, tag in tags.items()}) if any_of & HAS_STATUS else None,
        _filled(np.zeros((k, m), np.uint8), {at: tag.quality for at, tag in tags.items()}) if any_of & HAS_QUALITY else None,
        sources if any_of & HAS_SOURCE else None,
        integers,
        index.rests,
    )
    return Block(layout, index, columns)


def _filled(table: NDArray[Number], rows: Mapping[int, NDArray[Number] | None]) -> NDArray[Number]:
    """`[k, m]`, with the rows that there are."""
    for at, row in rows.items():
        if row is not None:
            table[at] = row
    return table
