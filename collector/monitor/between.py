"""What instant limits and excursions see between two slots: the good ones among a scan's changes, each at its own time.

Windows don't see them, and whether a rule can be evaluated is told of slots alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.base import GOOD, Changes, Layout, quality_of


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """The n-th good value of each column that has so many, `[k]`."""

    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    good: NDArray[np.bool_]
    """Which columns have one."""


def rounds(changes: Changes, slot_ns: int, layout: Layout, columns: NDArray[np.intp]) -> Iterator[Round]:
    """Those of `columns` before `slot_ns`: the first of each, then the second of each, and so on."""
    good = (quality_of(changes.status) == GOOD) & np.isfinite(changes.values)
    good &= np.isin(changes.columns, columns)
    rows = np.flatnonzero(good)[np.argsort(changes.columns[good], kind="stable")]
    times_ns, sorted_columns, k = changes.times_ns(slot_ns, layout.period_ns), changes.columns[rows], len(layout.columns)
    nth = np.arange(len(rows)) - np.searchsorted(sorted_columns, sorted_columns)
    for n in range(int(nth.max(initial=-1)) + 1):
        of_round = rows[nth == n]
        at = changes.columns[of_round]
        each = Round(np.zeros(k, np.int64), np.full(k, np.nan), np.zeros(k, np.bool_))
        each.times_ns[at], each.values[at], each.good[at] = times_ns[of_round], changes.values[of_round], True
        yield each
