"""Parts of an array that lie one after the other: indices of the members of some of them, without a loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def begins(counts: Indices) -> Indices:
    """Where parts of so many members begin that lie one after the other, and where the last ends: `[n + 1]`."""
    found = np.zeros(len(counts) + 1, np.intp)
    np.cumsum(counts, out=found[1:])
    return found


def members(begin: Indices, counts: Indices) -> Indices:
    """`begin`, `begin + 1` ... of each part, part by part: `[sum(counts)]`."""
    before = begins(counts)
    return np.repeat(begin - before[:-1], counts) + np.arange(before[-1])
