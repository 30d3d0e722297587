"""Blobs of one layout taken apart into columns, and put together again to the byte.

What a blob holds behind its arrays (texts, changes) is kept as it is, and so is a whole blob that does not fit its layout or
that a later version wrote: taking apart and putting together never changes a byte, whatever stands in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.store.rows import HAS_CHANGES, HAS_QUALITY, HAS_SOURCE, HAS_STATUS
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
    rests: tuple[bytes, ...] = ()
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


def take_apart(blobs: Sequence[bytes], layout: Layout) -> Columns:
    """The columns of `blobs`."""
    sizes = [size_of(flags, layout) for flags in range(_MOST_FLAGS + 1)]
    kinds = _kinds(blobs, np.array(sizes))
    places = np.cumsum(kinds <= _MOST_FLAGS) - 1
    k, i, m = len(layout.columns), len(layout.integer_columns), int((kinds <= _MOST_FLAGS).sum())
    found = [flags for flags in np.unique(kinds).tolist() if flags <= _MOST_FLAGS]
    any_of = int(np.bitwise_or.reduce(np.array(found, np.uint8))) if found else 0
    columns = Columns(
        kinds,
        np.zeros((k, m)),
        np.zeros((k, m), np.uint32) if any_of & HAS_STATUS else None,
        np.zeros((k, m), np.uint8) if any_of & HAS_QUALITY else None,
        np.zeros((k, m), np.int64) if any_of & HAS_SOURCE else None,
        np.zeros((i, m), np.int64),
        _rests(blobs, kinds, sizes),
    )
    for flags in found:
        rows = np.flatnonzero(kinds == flags)
        size = sizes[flags]
        of_flags = blobs if len(rows) == len(blobs) else [blobs[row] for row in rows.tolist()]
        table = np.frombuffer(b"".join([blob[:size] for blob in of_flags]), np.uint8).reshape(len(rows), size)
        where = places[rows] if len(rows) < m else slice(None)
        for part, first, last in _parts(columns, flags):
            part[:, where] = np.ascontiguousarray(table[:, first:last]).view(part.dtype).T
    return columns


def _kinds(blobs: Sequence[bytes], sizes: NDArray[np.int64]) -> NDArray[np.uint8]:
    lengths = np.array([len(blob) for blob in blobs], np.int64)
    kinds = np.frombuffer(b"".join([blob[:1] or b"\0" for blob in blobs]), np.uint8).copy()
    fits = (kinds <= _MOST_FLAGS) & (lengths >= sizes[np.minimum(kinds, _MOST_FLAGS)])
    kinds[~fits] = WHOLE
    kinds[lengths == 0] = LOST
    return kinds


def _rests(blobs: Sequence[bytes], kinds: NDArray[np.uint8], sizes: Sequence[int]) -> tuple[bytes, ...]:
    begins = [*sizes, *[0] * (255 - _MOST_FLAGS)]
    rests = tuple([blob[begins[kind] :] for blob, kind in zip(blobs, kinds.tolist(), strict=True)])
    return rests if any(rests) else ()


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


def put_together(columns: Columns, layout: Layout) -> list[bytes]:
    """The blobs of `columns`."""
    blobs = list(columns.rests) or [b""] * len(columns.kinds)
    places = np.cumsum(columns.kinds <= _MOST_FLAGS) - 1
    for flags in np.unique(columns.flags).tolist():
        rows = np.flatnonzero(columns.kinds == flags)
        where = slice(None) if len(rows) == columns.values.shape[1] else places[rows]
        size = size_of(flags, layout)
        fixed = np.empty((len(rows), size), np.uint8)
        fixed[:, 0] = flags
        for part, first, last in _parts(columns, flags):
            fixed[:, first:last].view(part.dtype)[...] = part[:, where].T
        table = fixed.tobytes()
        for n, row in enumerate(rows.tolist()):
            blobs[row] = table[n * size : (n + 1) * size] + blobs[row]
    return blobs
