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
_MOMENTS: Final = slice(WITH_TIME, SQUARES + 1)
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

    __slots__ = ("difference", "first", "second", "terms")

    def __init__(self, columns: int) -> None:
        self.difference = np.empty(columns)
        self.terms = np.empty((2, columns))
        self.first, self.second = self.terms


class Summary:
    """Of a stretch of scans, `m` columns wide."""

    __slots__ = ("_high", "_low", "_mean", "_moments", "rows", "times")

    def __init__(self, rows: Floats, times: Times) -> None:
        """`rows`: `[ROWS, m]`, which this summary writes."""
        self.rows = rows
        self._mean, self._moments, self._low, self._high = rows[MEAN], rows[_MOMENTS], rows[LOW], rows[HIGH]
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
        times = self.times
        minute = (slot_ns - times.origin_ns) / NS_PER_MINUTE
        difference, terms, first, second = scratch.difference, scratch.terms, scratch.first, scratch.second
        np.subtract(row, self._mean, difference)
        if bad is None:
            share, kept, reach = self._join(minute)
            np.minimum(self._low, row, out=self._low)
            np.maximum(self._high, row, out=self._high)
        else:
            difference[bad] = 0.0
            share, kept, reach = self._join_some(minute, bad)
            np.fmin(self._low, row, self._low)
            np.fmax(self._high, row, self._high)
        np.multiply(difference, reach, first)
        np.multiply(difference, kept, second)
        np.multiply(second, difference, second)
        np.add(self._moments, terms, self._moments)
        np.multiply(difference, share, first)
        np.add(self._mean, first, self._mean)

    def _join(self, minute: float) -> tuple[Weight, Weight, Weight]:
        """The times with one more of every column; its share of the mean, and the factors of the two moments."""
        times = self.times
        count = times.count + 1.0
        share = 1.0 / count
        kept = times.count * share
        ahead = minute - times.mean
        reach = ahead * kept
        self.times = Times(times.origin_ns, count, times.mean + ahead * share, times.spread + ahead * reach)
        return share, kept, reach

    def _join_some(self, minute: float, bad: NDArray[np.intp]) -> tuple[Weight, Weight, Weight]:
        """The same, but of the columns `bad`."""
        times = self.times
        good = np.ones(self.rows.shape[1])
        good[bad] = 0.0
        count = times.count + good
        share = good / np.maximum(count, 1.0)
        kept = times.count * share
        ahead = minute - times.mean
        reach = ahead * kept
        self.times = Times(times.origin_ns, count, times.mean + ahead * share, times.spread + ahead * reach)
        return share, kept, reach


def merge(older: Summary, newer: Summary, into: Summary, scratch: Scratch) -> None:
    """`into` becomes what both have; it may be one of the two."""
    if older.times.nothing or newer.times.nothing:
        only = newer if older.times.nothing else older
        if only is not into:
            into.take(only)
        return
    times, share, kept, reach = merged_times(older.times, newer.times)
    difference, terms, first, second = scratch.difference, scratch.terms, scratch.first, scratch.second
    np.subtract(newer.rows[MEAN], older.rows[MEAN], difference)
    np.multiply(difference, reach, first)
    np.multiply(difference, kept, second)
    np.multiply(second, difference, second)
    np.add(terms, newer.rows[_MOMENTS], terms)
    np.add(older.rows[_MOMENTS], terms, into.rows[_MOMENTS])
    np.multiply(difference, share, difference)
    np.add(older.rows[MEAN], difference, into.rows[MEAN])
    np.minimum(older.rows[LOW], newer.rows[LOW], out=into.rows[LOW])
    np.maximum(older.rows[HIGH], newer.rows[HIGH], out=into.rows[HIGH])
    into.times = times


def merged_times(older: Times, newer: Times) -> tuple[Times, Weight, Weight, Weight]:
    """The times of both; the newer's share of the mean, and the factors of difference² and of difference."""
    count = older.count + newer.count
    share = newer.count / (max(count, 1.0) if isinstance(count, float) else np.maximum(count, 1.0))
    kept = older.count * share
    ahead = (newer.origin_ns - older.origin_ns) / NS_PER_MINUTE + newer.mean - older.mean
    reach = ahead * kept
    spread = older.spread + newer.spread + ahead * reach
    return Times(older.origin_ns, count, older.mean + ahead * share, spread), share, kept, reach
