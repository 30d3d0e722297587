"""Rows that are not compacted yet, as arrays and blobs: what compaction and replays take blocks from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.store.rows import DamagedRow


@dataclass(frozen=True, slots=True, eq=False)
class Appended:
    """Scans as they were appended, n of them, ascending by their numbers. An object for each would be one more for the garbage
    collector to look at again and again."""

    numbers: NDArray[np.int64]
    """`[6, n]`: seq, slot, received, lost status, layout, stamps."""
    blobs: Sequence[bytes]

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int, int, int, int, bytes]]) -> Appended:
        """Rows as `StoredScan` has them. Raises DamagedRow for what is no number or no blob."""
        if not rows:
            return cls(np.zeros((6, 0), np.int64), ())
        *numbers, blobs = zip(*rows, strict=True)
        try:
            return cls(np.array(numbers, np.int64), blobs)
        except (ValueError, TypeError, OverflowError):
            raise DamagedRow(f"rows {rows[0][0]!r} to {rows[-1][0]!r} have columns of other types") from None

    def by_layout(self) -> dict[int, Appended]:
        """Those of each layout, by its key, in the order of the keys."""
        layouts = self.numbers[4]
        order = np.argsort(layouts, kind="stable")
        bounds = np.flatnonzero(np.diff(layouts[order])) + 1
        parts = np.split(order, bounds) if len(order) else []
        return {
            int(layouts[rows[0]]): Appended(self.numbers[:, rows], [self.blobs[row] for row in rows.tolist()]) for rows in parts
        }


def joined(parts: Sequence[Appended]) -> Appended:
    """One behind the other; at least one."""
    return Appended(np.concatenate([part.numbers for part in parts], axis=1), [blob for part in parts for blob in part.blobs])
