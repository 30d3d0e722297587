"""Blobs of one layout taken apart into columns, and put together again to the byte.

What a blob holds behind its arrays (texts, changes) is kept as it is, and so is a whole blob that does not fit its layout or
that a later version wrote: taking apart and putting together never changes a byte, whatever stands in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from collector.store.rows import HAS_CHANGES, HAS_QUALITY, HAS_SOURCE, HAS_STATUS
from collector.store.strung import NONE, Strung
from drivers.base import Layout, quality_of

LOST, WHOLE = 0xFE, 0xFF
"""Kinds of rows without columns: an empty blob, and one that is kept as it is."""
_ROWS_AT_ONCE = 256
_LEAST_ALIKE = 16
"""Blobs one behind the other, on the average: fewer are put together one by one."""
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
    lengths = _lengths(columns, layout)
    bounds = _bounds(columns.kinds, lengths)
    if _LEAST_ALIKE * len(bounds) > len(lengths):
        return _one_by_one(columns, layout)
    return Strung(b"".join([piece.tobytes() for piece in _pieces(columns, layout, bounds)]), lengths)


def brings_back(columns: Columns, layout: Layout, blobs: Strung) -> bool:
    """Whether they are put together to just these blobs, to the byte."""
    lengths = _lengths(columns, layout)
    bounds = _bounds(columns.kinds, lengths)
    if _LEAST_ALIKE * len(bounds) > len(lengths):
        return _one_by_one(columns, layout).same_as(blobs)
    wanted, at = np.frombuffer(blobs.body, np.uint8), 0
    for piece in _pieces(columns, layout, bounds):
        if not np.array_equal(piece, wanted[at : at + piece.size]):
            return False
        at += piece.size
    return at == len(wanted) and np.array_equal(lengths, blobs.lengths)


def _lengths(columns: Columns, layout: Layout) -> NDArray[np.int64]:
    """`[n]`: of the blobs."""
    sizes = np.zeros(256, np.int64)
    sizes[: _MOST_FLAGS + 1] = [size_of(flags, layout) for flags in range(_MOST_FLAGS + 1)]
    lengths = sizes[columns.kinds]
    return lengths + columns.rests.lengths if len(columns.rests) else lengths


def _bounds(kinds: NDArray[np.uint8], lengths: NDArray[np.int64]) -> list[int]:
    """Where blobs of another kind or length begin, and the end: texts and qualities mostly stay as they are for a while."""
    changes = (kinds[1:] != kinds[:-1]) | (lengths[1:] != lengths[:-1])
    return [*([0] if len(kinds) else []), *(np.flatnonzero(changes) + 1).tolist(), len(kinds)]


def _pieces(columns: Columns, layout: Layout, bounds: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """All blobs one behind the other, not more at once than stay in the processor's own memory."""
    kinds, rests = columns.kinds, np.frombuffer(columns.rests.body, np.uint8)
    ends = [0, *np.cumsum(columns.rests.lengths).tolist()] if len(columns.rests) else [0] * (len(kinds) + 1)
    places = [0, *np.cumsum(kinds <= _MOST_FLAGS).tolist()]
    for begin, end in pairwise(bounds):
        for first in range(begin, end, _ROWS_AT_ONCE):
            last = min(first + _ROWS_AT_ONCE, end)
            piece = rests[ends[first] : ends[last]]
            if kinds[first] <= _MOST_FLAGS:
                where = slice(places[first], places[last])
                piece = _table(columns, layout, int(kinds[first]), where, piece.reshape(last - first, -1)).ravel()
            yield piece


def _one_by_one(columns: Columns, layout: Layout) -> Strung:
    """The same, for blobs that are all unlike each other."""
    blobs = columns.rests.apart() if len(columns.rests) else [b""] * len(columns.kinds)
    places = np.cumsum(columns.kinds <= _MOST_FLAGS) - 1
    for flags in np.unique(columns.flags).tolist():
        rows = np.flatnonzero(columns.kinds == flags)
        table = _table(columns, layout, flags, places[rows], np.zeros((len(rows), 0), np.uint8))
        begins, size = table.tobytes(), table.shape[1]
        for n, row in enumerate(rows.tolist()):
            blobs[row] = begins[n * size : (n + 1) * size] + blobs[row]
    return Strung.of(blobs)


def _table(
    columns: Columns, layout: Layout, flags: int, where: NDArray[np.intp] | slice, rests: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """`[c, size]`: blobs with these flags, which stand at `where` in the columns, and with these `rests [c, ..]`."""
    size = size_of(flags, layout)
    table = np.empty((len(rests), size + rests.shape[1]), np.uint8)
    table[:, 0] = flags
    for part, first, last in _parts(columns, flags):
        table[:, first:last].view(part.dtype)[...] = part[:, where].T
    table[:, size:] = rests
    return table
