"""Summaries of stretches of scans: a sample can join one, and two can be merged. Nothing is ever taken out of one.

A summary carries its own means, so there is no centre to choose, to lose digits against, or to spoil with a glitch:

    [ n, t̄, Σ(t−t̄)² | x̄, Σ(t−t̄)(x−x̄), Σ(x−x̄)², min, max ]      left: of the times, right: of each column

Adding a sample is Welford's step, merging is that of Chan, Golub and LeVeque (1979), also for the co-moment with time
that gives the slope. Both only add, so the errors stay those of rounding what is inside. A column that stands still
has exactly its value as mean, and exactly 0 as both moments.

As long as every sample of a summary is good, the times are the same for all columns and the left half is three
floats. The first bad sample makes arrays `[m]` of them, of this summary alone; the arithmetic is the same.
"""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.aligned import aligned
from collector.monitor.statistics import NS_PER_MINUTE

Floats = NDArray[np.float64]
Weight = float | Floats
"""Of all columns alike, or `[m]`."""
Factors = tuple[Weight, Weight, Weight]
"""What comes newly in has this share of the mean; the factors of difference and of difference²."""
Sample = tuple[int, Floats, NDArray[np.intp] | None]
"""(slot, row `[m]`, columns without a good sample, in which the row is NaN; None: all are good)."""

MEAN, WITH_TIME, SQUARES, LOW, HIGH = range(5)
ROWS: Final = 5
AVERAGES: Final = slice(MEAN, SQUARES + 1)
"""What moves with a difference from the mean, in the order of the factors: share, reach, kept."""
_NOTHING: Final = np.array([0.0, 0.0, 0.0, np.inf, -np.inf])[:, None]


class Times:
    """The left half: of the times of the good samples of each column. Arrays are never changed in place: they may be shared."""

    __slots__ = ("count", "mean", "origin_ns", "spread")

    def __init__(self, origin_ns: int) -> None:
        self.clear(origin_ns)

    def clear(self, origin_ns: int) -> None:
        """Of no scan."""
        self.origin_ns = origin_ns
        self.count: Weight = 0.0
        self.mean: Weight = 0.0
        """Minutes after `origin_ns`."""
        self.spread: Weight = 0.0
        """Σ (t − t̄)², min²."""

    def take(self, other: Times) -> None:
        """Become a copy."""
        self.origin_ns, self.count, self.mean, self.spread = other.origin_ns, other.count, other.mean, other.spread

    @property
    def alike(self) -> bool:
        """No sample was bad: the figures are of all columns."""
        return isinstance(self.count, float)

    @property
    def nothing(self) -> bool:
        """No scan has joined."""
        return isinstance(self.count, float) and self.count == 0.0

    def join(self, slot_ns: int) -> Factors:
        """A scan joins in every column."""
        before = self.count
        count = self.count = before + 1.0
        share = 1.0 / count
        kept = before * share
        return share, self._reach(slot_ns, share, kept), kept

    def join_some(self, slot_ns: int, bad: NDArray[np.intp], columns: int) -> Factors:
        """A scan joins in every column but those `bad`."""
        good = np.ones(columns)
        good[bad] = 0.0
        before = self.count
        count = self.count = before + good
        share = good / np.maximum(count, 1.0)
        kept = before * share
        return share, self._reach(slot_ns, share, kept), kept

    def _reach(self, slot_ns: int, share: Weight, kept: Weight) -> Weight:
        ahead = (slot_ns - self.origin_ns) / NS_PER_MINUTE - self.mean
        reach = ahead * kept
        self.mean = self.mean + ahead * share
        self.spread = self.spread + ahead * reach
        return reach

    def merge(self, older: Times, newer: Times) -> Factors:
        """Become the times of both; it may be one of the two."""
        count = older.count + newer.count
        share = newer.count / (max(count, 1.0) if isinstance(count, float) else np.maximum(count, 1.0))
        kept = older.count * share
        ahead = (newer.origin_ns - older.origin_ns) / NS_PER_MINUTE + newer.mean - older.mean
        reach = ahead * kept
        self.spread = older.spread + newer.spread + ahead * reach
        self.mean = older.mean + ahead * share
        self.origin_ns, self.count = older.origin_ns, count
        return share, reach, kept


class Scratch:
    """Rows that a step writes and nobody reads afterwards; one set serves all summaries of a window."""

    __slots__ = ("_factors", "_spread", "_squares", "difference", "moments", "terms")

    def __init__(self, columns: int) -> None:
        self.difference = aligned(columns)
        self.terms = aligned(3, columns)
        self.moments, self._squares = self.terms[WITH_TIME:], self.terms[SQUARES]
        self._factors = array("d", (0.0, 0.0, 0.0))  # a number is put into it at a third of what it takes to put it into numpy's
        self._spread = np.frombuffer(self._factors)[:, None]

    def weigh(self, share: Weight, reach: Weight, kept: Weight) -> None:
        """`terms` of `difference` d: d · share, d · reach, d² · kept."""
        difference, terms = self.difference, self.terms
        if isinstance(share, float):
            factors = self._factors
            factors[MEAN], factors[WITH_TIME], factors[SQUARES] = share, reach, kept  # type: ignore[assignment]  # all alike
            np.multiply(difference, self._spread, terms)
        else:
            for factor, term in zip((share, reach, kept), terms, strict=True):
                np.multiply(difference, factor, term)
        np.multiply(self._squares, difference, self._squares)


class Summary:
    """Of a stretch of scans, `m` columns wide."""

    __slots__ = ("averages", "high", "low", "mean", "moments", "rows", "times")

    def __init__(self, rows: Floats) -> None:
        """Of nothing yet; `rows`: `[ROWS, m]`, which this summary writes."""
        self.rows = rows
        self.averages, self.mean, self.moments = rows[AVERAGES], rows[MEAN], rows[WITH_TIME:LOW]
        self.low, self.high = rows[LOW], rows[HIGH]
        self.times = Times(0)
        self.clear(0)

    @classmethod
    def empty(cls, columns: int) -> Summary:
        """In rows of its own."""
        return cls(aligned(ROWS, columns))

    def clear(self, origin_ns: int) -> None:
        """Of nothing again."""
        np.copyto(self.rows, _NOTHING)
        self.times.clear(origin_ns)

    def take(self, other: Summary) -> None:
        """Become a copy."""
        np.copyto(self.rows, other.rows)
        self.times.take(other.times)

    def add(self, sample: Sample, scratch: Scratch) -> None:
        """A scan joins."""
        self.become(self, sample, scratch)

    def become(self, before: Summary, sample: Sample, scratch: Scratch) -> None:
        """What `before` is once a scan has joined; it may be the same."""
        slot_ns, row, bad = sample
        np.subtract(row, before.mean, scratch.difference)
        times = self.times
        if before is not self:
            times.take(before.times)
        if bad is None:
            scratch.weigh(*times.join(slot_ns))
            np.minimum(before.low, row, out=self.low)
            np.maximum(before.high, row, out=self.high)
        else:
            scratch.difference[bad] = 0.0
            scratch.weigh(*times.join_some(slot_ns, bad, len(row)))
            np.fmin(before.low, row, self.low)
            np.fmax(before.high, row, self.high)
        np.add(before.averages, scratch.terms, self.averages)


def merge(older: Summary, newer: Summary, into: Summary, scratch: Scratch) -> None:
    """`into` becomes what both have; it may be one of the two."""
    if older.times.nothing or newer.times.nothing:  # their origins mean nothing
        only = newer if older.times.nothing else older
        if only is not into:
            into.take(only)
        return
    np.subtract(newer.mean, older.mean, scratch.difference)
    scratch.weigh(*into.times.merge(older.times, newer.times))
    np.add(scratch.moments, newer.moments, scratch.moments)
    np.add(older.averages, scratch.terms, into.averages)
    np.minimum(older.low, newer.low, out=into.low)
    np.maximum(older.high, newer.high, out=into.high)
