"""The left half of a summary: count, mean and spread of the times of its good samples.

As long as every sample was good they are the same for all columns: three floats. The first bad sample makes rows `[m]` of
them, of this summary alone, until it is cleared. The arithmetic is the same, operation by operation, so a column does not
show whether its neighbours were good.

What comes newly in, a scan or a summary, weighs:

    share       of the mean             newer count / count of both
    reach       Σ (t−t̄)(x−x̄) grows by difference · reach
    kept        Σ (x−x̄)²     grows by difference² · kept
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from collector.monitor.aligned import aligned
from collector.monitor.statistics import NS_PER_MINUTE

Floats = NDArray[np.float64]
Weight = float | Floats
"""Of all columns alike, or `[m]`."""
Bad = NDArray[np.intp]
"""Columns without a good sample."""


class Weights:
    """Of each column, when they are not alike: rows that the next step overwrites. One set serves all summaries of a window."""

    __slots__ = ("_bad", "_good", "ahead", "kept", "reach", "rows", "share", "spare")

    def __init__(self, columns: int) -> None:
        self.rows = aligned(3, columns)
        """Share, reach, kept."""
        self.share, self.reach, self.kept = self.rows
        self.ahead, self.spare = aligned(2, columns)
        self._good = np.ones(columns)
        self._bad: Bad = np.empty(0, np.intp)

    def good(self, bad: Bad | None) -> Weight:
        """1 where a sample is good, else 0."""
        if bad is None:
            return 1.0
        if bad is not self._bad:
            self._good[self._bad] = 1.0
            self._good[bad] = 0.0
            self._bad = bad
        return self._good


class Times:
    """Of the times of the good samples of each column."""

    __slots__ = ("_rows", "count", "each", "mean", "origin_ns", "spread")

    def __init__(self) -> None:
        self._rows: tuple[Floats, Floats, Floats] | None = None
        self.clear(0)

    def clear(self, origin_ns: int) -> None:
        """Of no scan."""
        self.origin_ns = origin_ns
        self.count = 0.0
        self.mean = 0.0
        """Minutes after `origin_ns`."""
        self.spread = 0.0
        """Σ (t − t̄)², min²."""
        self.each: tuple[Floats, Floats, Floats] | None = None
        """Count, mean and spread of each column, `[m]`, in place of the three floats; None: all are alike."""

    @property
    def nothing(self) -> bool:
        """No scan has joined."""
        return self.each is None and self.count == 0.0

    def take(self, other: Times) -> None:
        """Become a copy."""
        self.origin_ns = other.origin_ns
        if other.each is None:
            self.count, self.mean, self.spread, self.each = other.count, other.mean, other.spread, None
            return
        self.each = self._own(len(other.each[0]))
        for own, row in zip(self.each, other.each, strict=True):
            np.copyto(own, row)

    def join(self, slot_ns: int, factors: array[float], at: int = 0) -> None:
        """A scan joins in every column, all being alike: share, reach and kept stand in `factors` from `at` on."""
        before, mean = self.count, self.mean
        self.count = count = before + 1.0
        factors[at] = share = 1.0 / count
        factors[at + 2] = kept = before * share
        ahead = (slot_ns - self.origin_ns) / NS_PER_MINUTE - mean
        factors[at + 1] = reach = ahead * kept
        self.mean = mean + ahead * share
        self.spread += ahead * reach

    def merge(self, older: Times, newer: Times, factors: array[float]) -> None:
        """Become those of both, all being alike and of some scans; it may be one of the two. `factors` as with `join`."""
        before, after, mean = older.count, newer.count, older.mean
        count = before + after
        factors[0] = share = after / count
        factors[2] = kept = before * share
        ahead = (newer.origin_ns - older.origin_ns) / NS_PER_MINUTE + newer.mean - mean
        factors[1] = reach = ahead * kept
        self.spread = older.spread + newer.spread + ahead * reach
        self.mean = mean + ahead * share
        self.origin_ns, self.count, self.each = older.origin_ns, count, None

    def join_each(self, before: Times, slot_ns: int, bad: Bad | None, weights: Weights) -> None:
        """Become what `before` is once a scan has joined in every column but those `bad`; it may be the same."""
        count, mean, spread = before._figures()
        np.subtract((slot_ns - before.origin_ns) / NS_PER_MINUTE, mean, weights.ahead)
        self.origin_ns = before.origin_ns
        self._add(count, weights.good(bad), mean, spread, weights)

    def merge_each(self, older: Times, newer: Times, weights: Weights) -> None:
        """Become those of both; it may be one of the two."""
        count, mean, spread = older._figures()
        newer_count, newer_mean, newer_spread = newer._figures()
        ahead = weights.ahead
        np.add((newer.origin_ns - older.origin_ns) / NS_PER_MINUTE, newer_mean, ahead)
        np.subtract(ahead, mean, ahead)
        self.origin_ns = older.origin_ns
        both_spread = self._own(len(ahead))[2]
        np.add(spread, newer_spread, both_spread)
        self._add(count, newer_count, mean, both_spread, weights)

    def _add(self, count: Weight, newer_count: Weight, mean: Weight, spread: Weight, weights: Weights) -> None:
        """What is `ahead` by so much joins the times of `count`, `mean` and `spread`."""
        ahead, share, both = weights.ahead, weights.share, weights.spare
        np.add(count, newer_count, both)
        np.maximum(both, 1.0, out=share)
        np.divide(newer_count, share, share)
        np.multiply(count, share, weights.kept)
        np.multiply(ahead, weights.kept, weights.reach)
        own_count, own_mean, own_spread = self._own(len(ahead))
        weights.spare = own_count
        self._rows = self.each = (both, own_mean, own_spread)
        np.multiply(ahead, share, own_count)
        np.add(mean, own_count, own_mean)
        np.multiply(ahead, weights.reach, ahead)
        np.add(spread, ahead, own_spread)

    def _figures(self) -> tuple[Weight, Weight, Weight]:
        return self.each or (self.count, self.mean, self.spread)

    def _own(self, columns: int) -> tuple[Floats, Floats, Floats]:
        if self._rows is None:
            count, mean, spread = aligned(3, columns)
            self._rows = count, mean, spread
        return self._rows
