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

from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.statistics import NS_PER_MINUTE

Floats = NDArray[np.float64]
Weight = float | Floats
"""Of all columns alike, or `[m]`."""

MEAN, WITH_TIME, SQUARES, LOW, HIGH = range(5)
ROWS: Final = 5
AVERAGES: Final = slice(MEAN, SQUARES + 1)
"""What moves with a difference from the mean, in the order of the factors: share, reach, kept."""
_NOTHING: Final = np.array([0.0, 0.0, 0.0, np.inf, -np.inf])[:, None]


class Times:
    """The left half: of the times of the good samples of each column. Never changed in place, so it may be shared."""

    __slots__ = ("count", "mean", "origin_ns", "spread")

    def __init__(self, origin_ns: int, count: Weight = 0.0, mean: Weight = 0.0, spread: Weight = 0.0) -> None:
        self.origin_ns = origin_ns
        self.count = count
        self.mean = mean
        """Minutes after `origin_ns`."""
        self.spread = spread
        """Σ (t − t̄)², min²."""

    @property
    def nothing(self) -> bool:
        """No scan has joined."""
        return isinstance(self.count, float) and self.count == 0.0


class Scratch:
    """Rows that a step writes and nobody reads afterwards; one set serves all summaries of a window."""

    __slots__ = ("_factors", "_spread", "_squares", "difference", "moments", "terms")

    def __init__(self, columns: int) -> None:
        self.difference = np.empty(columns)
        self.terms = np.empty((3, columns))
        self.moments, self._squares = self.terms[WITH_TIME:], self.terms[SQUARES]
        self._factors = np.empty(3)
        self._spread = self._factors[:, None]

    def weigh(self, share: Weight, reach: Weight, kept: Weight) -> None:
        """`terms` of `difference` d: d · share, d · reach, d² · kept."""
        difference, terms = self.difference, self.terms
        if isinstance(share, float):
            factors = self._factors
            factors[MEAN], factors[WITH_TIME], factors[SQUARES] = share, reach, kept
            np.multiply(difference, self._spread, terms)
        else:
            for factor, term in zip((share, reach, kept), terms, strict=True):
                np.multiply(difference, factor, term)
        np.multiply(self._squares, difference, self._squares)


class Summary:
    """Of a stretch of scans, `m` columns wide."""

    __slots__ = ("averages", "high", "low", "mean", "moments", "rows", "times")

    def __init__(self, rows: Floats, times: Times) -> None:
        """`rows`: `[ROWS, m]`, which this summary writes."""
        self.rows = rows
        self.averages, self.mean, self.moments = rows[AVERAGES], rows[MEAN], rows[WITH_TIME:LOW]
        self.low, self.high = rows[LOW], rows[HIGH]
        self.times = times

    @classmethod
    def empty(cls, columns: int) -> Summary:
        """Of nothing yet."""
        summary = cls(np.empty((ROWS, columns)), Times(0))
        summary.clear(0)
        return summary

    def clear(self, origin_ns: int) -> None:
        """Of nothing again."""
        np.copyto(self.rows, _NOTHING)
        self.times = Times(origin_ns)

    def take(self, other: Summary) -> None:
        """Become a copy."""
        np.copyto(self.rows, other.rows)
        self.times = other.times

    def add(self, slot_ns: int, row: Floats, bad: NDArray[np.intp] | None, scratch: Scratch) -> None:
        """One scan joins: `row` `[m]`, NaN in the columns `bad` (None: all are good)."""
        np.subtract(row, self.mean, scratch.difference)
        if bad is None:
            scratch.weigh(*self.join(slot_ns))
            np.minimum(self.low, row, out=self.low)
            np.maximum(self.high, row, out=self.high)
        else:
            scratch.difference[bad] = 0.0
            scratch.weigh(*self._join_some(slot_ns, bad))
            np.fmin(self.low, row, self.low)
            np.fmax(self.high, row, self.high)
        np.add(self.averages, scratch.terms, self.averages)

    def join(self, slot_ns: int) -> tuple[Weight, Weight, Weight]:
        """A scan joins the times of every column; its share of the mean, and the factors of difference and of difference²."""
        times = self.times
        minute = (slot_ns - times.origin_ns) / NS_PER_MINUTE
        count = times.count + 1.0
        share = 1.0 / count
        kept = times.count * share
        ahead = minute - times.mean
        reach = ahead * kept
        self.times = Times(times.origin_ns, count, times.mean + ahead * share, times.spread + ahead * reach)
        return share, reach, kept

    def _join_some(self, slot_ns: int, bad: NDArray[np.intp]) -> tuple[Weight, Weight, Weight]:
        """The same, but of the columns `bad`."""
        times = self.times
        minute = (slot_ns - times.origin_ns) / NS_PER_MINUTE
        good = np.ones(self.rows.shape[1])
        good[bad] = 0.0
        count = times.count + good
        share = good / np.maximum(count, 1.0)
        kept = times.count * share
        ahead = minute - times.mean
        reach = ahead * kept
        self.times = Times(times.origin_ns, count, times.mean + ahead * share, times.spread + ahead * reach)
        return share, reach, kept


def merge(older: Summary, newer: Summary, into: Summary, scratch: Scratch) -> None:
    """`into` becomes what both have; it may be one of the two."""
    if older.times.nothing or newer.times.nothing:  # their origins mean nothing
        only = newer if older.times.nothing else older
        if only is not into:
            into.take(only)
        return
    np.subtract(newer.mean, older.mean, scratch.difference)
    into_times, share, reach, kept = _merged_times(older.times, newer.times)
    scratch.weigh(share, reach, kept)
    np.add(scratch.moments, newer.moments, scratch.moments)
    np.add(older.averages, scratch.terms, into.averages)
    np.minimum(older.low, newer.low, out=into.low)
    np.maximum(older.high, newer.high, out=into.high)
    into.times = into_times


def _merged_times(older: Times, newer: Times) -> tuple[Times, Weight, Weight, Weight]:
    """The times of both; the newer's share of the mean, and the factors of difference and of difference²."""
    count = older.count + newer.count
    share = newer.count / (max(count, 1.0) if isinstance(count, float) else np.maximum(count, 1.0))
    kept = older.count * share
    ahead = (newer.origin_ns - older.origin_ns) / NS_PER_MINUTE + newer.mean - older.mean
    reach = ahead * kept
    spread = older.spread + newer.spread + ahead * reach
    return Times(older.origin_ns, count, older.mean + ahead * share, spread), share, reach, kept
