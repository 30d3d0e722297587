"""The past of one tag as arrays: from the chunks of its column, and from the rows that are not compacted yet.

Nothing but the tag's own column is decoded: a day of one tag among thousands is a matter of milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collector.store import chunks
from collector.store.blobs import LOST, WHOLE, size_of
from collector.store.blocks import decode_times
from collector.store.daily import DailyFile
from collector.store.rows import HAS_CHANGES, HAS_QUALITY, HAS_STATUS, DamagedRow
from collector.store.scans import StoredBlock
from drivers.base import Column, Layout, Quality, quality_of

_HOT = "SELECT slot_ns, columns FROM scans WHERE seq > ? AND slot_ns >= ? AND slot_ns < ? AND layout = ?"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Samples of one layout, n ≥ 1 of them. A lost scan is one of bad quality, without a value."""

    layout: Layout
    at: int
    """The tag's column."""
    slot_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    quality: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The past of one tag, n samples, ascending by slot."""

    layout: Layout | None
    """That of the newest sample; None where there is no sample."""
    column: Column | None
    """What is known of the tag at its newest sample."""
    slot_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    quality: NDArray[np.uint8]

    @classmethod
    def of(cls, parts: Sequence[Part]) -> History:
        """All of them, in any order."""
        if not parts:
            return cls(None, None, np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint8))
        parts = sorted(parts, key=lambda part: int(part.slot_ns[0]))
        newest = max(parts, key=lambda part: int(part.slot_ns.max()))
        slots = np.concatenate([part.slot_ns for part in parts])
        values, quality = np.concatenate([part.values for part in parts]), np.concatenate([part.quality for part in parts])
        if not (slots[1:] >= slots[:-1]).all():
            order = np.argsort(slots, kind="stable")
            slots, values, quality = slots[order], values[order], quality[order]
        return cls(newest.layout, newest.layout.columns[newest.at], slots, values, quality)


def parts_of(
    file: DailyFile, layouts: Sequence[tuple[int, Layout]], name: tuple[str, str], from_ns: int, to_ns: int
) -> Iterator[Part]:
    """Of one file, with from ≤ slot < to; `layouts` are all of the file with their keys, `name` is unit and tag.

    Belongs into a snapshot of the file. Raises DamagedRow.
    """
    found = {key: (layout, at) for key, layout in layouts if (at := layout.places.get(name)) is not None}
    for block in file.scans.blocks(from_ns, to_ns, list(found)):
        part = _of_block(file, block, *found[block.layout])
        inside = (part.slot_ns >= from_ns) & (part.slot_ns < to_ns)
        if inside.all():
            yield part
        elif inside.any():
            yield replace(part, slot_ns=part.slot_ns[inside], values=part.values[inside], quality=part.quality[inside])
    compacted = file.scans.compacted_until()
    for key, (layout, at) in found.items():
        if rows := file.connection.execute(_HOT, (compacted, from_ns, to_ns, key)).fetchall():
            yield _of_rows(rows, layout, at)


def _of_block(file: DailyFile, block: StoredBlock, layout: Layout, column: int) -> Part:
    slots, kinds = decode_times(block.rows)
    if (kinds == WHOLE).any():
        raise DamagedRow(f"a scan among those of block {block.key} of {file.path.name} does not fit its layout")
    held = kinds != LOST
    tag = chunks.decode(file.scans.chunk(block, column), int(held.sum()), None)
    if held.all():
        return Part(layout, column, slots, tag.values, tag.qualities(kinds))
    values, quality = np.full(len(held), np.nan), np.full(len(held), Quality.BAD, np.uint8)
    values[held], quality[held] = tag.values, tag.qualities(kinds[held])
    return Part(layout, column, slots, values, quality)


def _of_rows(rows: Sequence[tuple[int, bytes]], layout: Layout, column: int) -> Part:
    slots = np.array([slot for slot, _ in rows], np.int64)
    values, quality = np.full(len(rows), np.nan), np.full(len(rows), Quality.BAD, np.uint8)
    kinds = np.array([blob[0] if blob else 0xFF for _, blob in rows], np.uint8)
    for flags in np.unique(kinds[[bool(blob) for _, blob in rows]]).tolist():
        at = np.flatnonzero(kinds == flags)
        blobs = [rows[row][1] for row in at.tolist()]
        size = size_of(flags, layout)
        if flags > 2 * HAS_CHANGES - 1 or min(map(len, blobs)) < size:
            raise DamagedRow(f"layout {layout.id} needs at least {size} bytes, a row has fewer")
        values[at], quality[at] = _column(blobs, flags, len(layout.columns), column)
    return Part(layout, column, slots, values, quality)


def _column(blobs: Sequence[bytes], flags: int, k: int, column: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Values and qualities of one column, `[n]` each, of blobs with the same flags."""

    def part(begin: int, size: int, dtype: str) -> NDArray[np.generic]:
        first = begin + size * column
        return np.frombuffer(b"".join([blob[first : first + size] for blob in blobs]), dtype)

    values = part(1, 8, "<f8").astype(np.float64)
    after_status = 1 + 8 * k + (4 * k if flags & HAS_STATUS else 0)
    if flags & HAS_QUALITY:
        return values, part(after_status, 1, "u1").astype(np.uint8)
    status = part(1 + 8 * k, 4, "<u4").astype(np.uint32) if flags & HAS_STATUS else np.zeros(len(blobs), np.uint32)
    return values, quality_of(status)
