"""Blobs of one layout taken apart into columns, and put together again to the byte.

What a blob holds behind its arrays (texts, changes) is kept as it is, and so is a whole blob that does not fit its layout or
that a later version wrote: taking apart and putting together never changes a byte, whatever stands in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.store.rows import HAS_CHANGES, HAS_QUALITY, HAS_SOURCE, HAS_STATUS
from collector.store.strung import NONE, Strung
from drivers.base import Layout, quality_of

LOST, WHOLE = 0xFE, 0xFF
"""Kinds of rows without columns: an empty blob, and one that is kept as it is."""
_MOST_FLAGS = HAS_STATUS | HAS_QUALITY | HAS_SOURCE | HAS_CHANGES


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """n blobs, m of them with columns; k columns, i of them integer. A part that no blob has is None."""

    kinds: NDArray[np.uint8]
    """`[n]`: the blob's flags, LOST or WHOLE."""
    values: NDArray[np.float64]
    """`[k, m]`"""
    status: NDArray[np.uint32] | None
    """`[k, m]`, 0 where a blob has none."""
    quality: NDArray[np.uint8] | None
    """`[k, m]`, 0 where a blob has none: it then follows from the status."""
    source_ns: NDArray[np.int64] | None
    """`[k, m]`, 0 where a blob has none."""
    integers: NDArray[np.int64]
    """`[i, m]`"""
    rests: Strung = NONE
    """`n` of them, or none when all are empty: what stands behind the arrays, or the whole blob."""

    @property
    def flags(self) -> NDArray[np.uint8]:
        """`[m]`: of the blobs with columns."""
        return self.kinds[self.kinds <= _MOST_FLAGS]

    def qualities(self) -> NDArray[np.uint8]:
        """`[k, m]`: each sample's quality."""
        return qualities(self.flags, self.values.shape, self.status, self.quality)


def qualities(
    flags: NDArray[np.uint8], shape: tuple[int, ...], status: NDArray[np.uint32] | None, quality: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """The quality of each sample, `[.., m]`: that of the blob where it has one, else what follows from the status."""
    derived = np.zeros(shape, np.uint8) if status is None else quality_of(status)
    if quality is None:
        return derived
    return np.where((flags & HAS_QUALITY) != 0, quality, derived)


def size_of(flags: int, layout: Layout) -> int:
    """Bytes of a blob's flags and arrays."""
    per_column = 8 + (flags & HAS_STATUS and 4) + (flags & HAS_QUALITY and 1) + (flags & HAS_SOURCE and 8)
    return 1 + per_column * len(layout.columns) + 8 * len(layout.integer_columns)


def take_apart(blobs: Strung, layout: Layout) -> Columns:
    """The columns of `blobs`."""
    sizes = np.array([size_of(flags, layout) for flags in range(_MOST_FLAGS + 1)])
    begins = blobs.begins
    kinds = _kinds(blobs, begins, sizes)
    has_columns = kinds <= _MOST_FLAGS
    places = np.cumsum(has_columns) - 1
    k, i, m = len(layout.columns), len(layout.integer_columns), int(has_columns.sum())
    found = [flags for flags in np.unique(kinds).tolist() if flags <= _MOST_FLAGS]
    any_of = int(np.bitwise_or.reduce(np.array(found, np.uint8))) if found else 0
    taken = np.where(has_columns, sizes[np.minimum(kinds, _MOST_FLAGS)], 0)
    rests = blobs.cut(begins + taken, blobs.lengths - taken)
    columns = Columns(
        kinds,
        np.zeros((k, m)),
        np.zeros((k, m), np.uint32) if any_of & HAS_STATUS else None,
        np.zeros((k, m), np.uint8) if any_of & HAS_QUALITY else None,
        np.zeros((k, m), np.int64) if any_of & HAS_SOURCE else None,
        np.zeros((i, m), np.int64),
        rests if rests.body else NONE,
    )
    for flags in found:
        rows = np.flatnonzero(kinds == flags)
        table = blobs.table(begins[rows], int(sizes[flags]))
        where = places[rows] if len(rows) < m else slice(None)
        for part, first, last in _parts(columns, flags):
            part[:, where] = np.ascontiguousarray(table[:, first:last]).view(part.dtype).T
    return columns


def _kinds(blobs: Strung, begins: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.uint8]:
    kinds = np.full(len(blobs), LOST, np.uint8)
    held = blobs.lengths > 0
    kinds[held] = np.frombuffer(blobs.body, np.uint8)[begins[held]]
    fits = (kinds <= _MOST_FLAGS) & (blobs.lengths >= sizes[np.minimum(kinds, _MOST_FLAGS)])
    kinds[held & ~fits] = WHOLE
    return kinds


def _parts(columns: Columns, flags: int) -> list[tuple[NDArray[np.generic], int, int]]:
    """The arrays of blobs with these flags, and the bytes of a blob from which to which they stand."""
    wanted: list[NDArray[np.generic] | None] = [
        columns.values,
        columns.status if flags & HAS_STATUS else None,
        columns.quality if flags & HAS_QUALITY else None,
        columns.source_ns if flags & HAS_SOURCE else None,
        columns.integers,
    ]
    parts, at = [], 1
    for part in wanted:
        if part is not None and len(part):
            parts.append((part, at, at + part.shape[0] * part.itemsize))
            at = parts[-1][2]
    return parts


def put_together(columns: Columns, layout: Layout) -> Strung:
    """The blobs of `columns`."""
    found, m, rests = np.unique(columns.kinds).tolist(), columns.values.shape[1], columns.rests
    if len(found) == 1 and found[0] <= _MOST_FLAGS and (not len(rests) or (rests.lengths == rests.lengths[0]).all()):
        fixed = _fixed(columns, layout, found[0], slice(None), m)
        table = np.concatenate([fixed, np.frombuffer(rests.body, np.uint8).reshape(m, -1)], axis=1) if len(rests) else fixed
        return Strung(table.tobytes(), np.full(m, table.shape[1]))
    blobs = rests.apart() if len(rests) else [b""] * len(columns.kinds)
    places = np.cumsum(columns.kinds <= _MOST_FLAGS) - 1
    for flags in np.unique(columns.flags).tolist():
        rows = np.flatnonzero(columns.kinds == flags)
        fixed = _fixed(columns, layout, flags, places[rows], len(rows))
        for row, begin in zip(rows.tolist(), fixed, strict=True):
            blobs[row] = begin.tobytes() + blobs[row]
    return Strung.of(blobs)


def _fixed(columns: Columns, layout: Layout, flags: int, where: NDArray[np.intp] | slice, count: int) -> NDArray[np.uint8]:
    """`[count, size]`: flags and arrays of the blobs with these flags, which stand at `where` in the columns."""
    fixed = np.empty((count, size_of(flags, layout)), np.uint8)
    fixed[:, 0] = flags
    for part, first, last in _parts(columns, flags):
        fixed[:, first:last].view(part.dtype)[...] = part[:, where].T
    return fixed
