"""Rows of a recorded course in the order of time, each moment once.

A file that has the latest row first is turned round, rows that came late are put where they belong, and rows of one moment are
one: of each column the first good sample counts, as the daemon has it. What was done is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class InOrder:
    """n moments of a course."""

    slots_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    """`[n, m]`"""
    rows: NDArray[np.intp]
    """`[n]`: the row that tells the context of each."""
    late: NDArray[np.intp]
    """Rows that did not come in order."""
    double: NDArray[np.intp]
    """Rows of a moment that another row had before."""
    differing: NDArray[np.intp]
    """Those of them that say otherwise of a sample."""


MOST_DIFFERING = 0.1
"""Of the rows: where more say otherwise of a moment that another row had, the times are not those of the samples."""


def latest_first(stamps_ns: NDArray[np.int64]) -> bool:
    """Whether most rows are older than the one before."""
    steps = np.sign(np.diff(stamps_ns))
    return int(steps.sum()) < 0


def in_order(slots_ns: NDArray[np.int64], values: NDArray[np.float64]) -> InOrder:
    """Of rows `[k]` in the order of the file; NaN is a bad sample."""
    nobody = np.zeros(0, np.intp)
    steps = np.diff(slots_ns)
    if bool((steps > 0).all()):
        return InOrder(slots_ns, values, np.arange(len(slots_ns)), nobody, nobody, nobody)
    newest = np.maximum.accumulate(slots_ns)
    late = np.flatnonzero(slots_ns[1:] < newest[:-1]) + 1
    order: NDArray[np.intp] = np.argsort(slots_ns, kind="stable")
    slots, samples = slots_ns[order], values[order].copy()
    first = np.r_[True, np.diff(slots) > 0]
    begins = np.flatnonzero(first)
    moment = np.cumsum(first) - 1
    differing = []
    for at in np.flatnonzero(~first).tolist():
        kept, other = samples[begins[moment[at]]], samples[at]
        if bool((~np.isnan(kept) & ~np.isnan(other) & (kept != other)).any()):
            differing.append(order[at])
        np.copyto(kept, other, where=np.isnan(kept))
    return InOrder(slots[begins], samples[begins], order[begins], late, order[~first], np.array(differing, np.intp))


def begins_anew(stamps_ns: NDArray[np.int64]) -> list[int]:
    """The rows where time since the beginning is back at it."""
    back = np.flatnonzero(np.diff(stamps_ns) < 0) + 1
    steps = np.diff(stamps_ns)
    step = int(np.median(steps[steps > 0])) if (steps > 0).any() else 0
    found, since = [], 0
    for at in back.tolist():
        if at - since >= 2 and stamps_ns[at] <= stamps_ns[0] + step // 2:
            found.append(int(at))
            since = at
    return found
