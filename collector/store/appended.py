"""Rows that are not compacted yet, as arrays and blobs: what compaction and replays take blocks from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from collector.store.rows import DamagedRow
from collector.store.strung import Strung

ReadRow = tuple[int, int, int, int, int, int, bytes]
"""seq, slot, received, lost status, layout, stamps, blob."""


@dataclass(frozen=True, slots=True, eq=False)
class Appended:
    """Scans of one layout as they were appended, n of them. An object for each would be one more for the garbage collector to
    look at again and again."""

    numbers: NDArray[np.int64]
    """`[6, n]`: those of `ReadRow`."""
    blobs: Strung

    @property
    def with_samples(self) -> int:
        """How many are not lost."""
        return int(np.count_nonzero(self.blobs.lengths))


def by_layout(rows: Sequence[ReadRow]) -> dict[int, Appended]:
    """Those of each layout, by its key, in the order of the keys. Raises DamagedRow for what is no number or no blob."""
    if not rows:
        return {}
    *numbers, blobs = zip(*rows, strict=True)
    try:
        table, lengths = np.array(numbers, np.int64), np.fromiter(map(len, blobs), np.int64, len(blobs))
        order = np.argsort(table[4], kind="stable")
        table, lengths, ordered = table[:, order], lengths[order], [blobs[row] for row in order.tolist()]
        bounds = [0, *(np.flatnonzero(np.diff(table[4])) + 1).tolist(), len(rows)]
        return {
            key: Appended(table[:, first:last], Strung(b"".join(ordered[first:last]), lengths[first:last]))
            for key, (first, last) in zip(table[4, bounds[:-1]].tolist(), pairwise(bounds), strict=True)
        }
    except (ValueError, TypeError, OverflowError):
        raise DamagedRow(f"rows {rows[0][0]!r} to {rows[-1][0]!r} have columns of other types") from None


def joined(parts: Sequence[Appended]) -> Appended:
    """One behind the other; at least one."""
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([part.blobs.lengths for part in parts])
    body = b"".join([part.blobs.body for part in parts])
    return Appended(np.concatenate([part.numbers for part in parts], axis=1), Strung(body, lengths))
