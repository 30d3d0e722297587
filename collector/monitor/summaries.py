"""Summaries of stretches of scans: a sample can join one, and two can be merged. Nothing is ever taken out of one.

A summary carries its own means, so there is no centre to choose, to lose digits against, or to spoil with a glitch:

    [ n, t̄, Σ(t−t̄)² | x̄, Σ(t−t̄)(x−x̄), Σ(x−x̄)², min, max ]      left: of the times, right: of each column

Adding a sample is Welford's step, merging is that of Chan, Golub and LeVeque (1979), also for the co-moment with time
that gives the slope. Both only add, so the errors stay those of rounding what is inside. A column that stands still
has exactly its value as mean, and exactly 0 as both moments.

The left half is `times`: three floats for all columns as long as no sample is bad.
"""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.aligned import aligned
from collector.monitor.times import Times, Weights

Floats = NDArray[np.float64]
Sample = tuple[int, Floats, NDArray[np.intp] | None]
"""(slot, row `[m]`, columns without a good sample, in which the row is NaN; None: all are good)."""

MEAN, WITH_TIME, SQUARES, LOW, HIGH = range(5)
ROWS: Final = 5
AVERAGES: Final = slice(MEAN, SQUARES + 1)
"""What moves with a difference from the mean, in the order of the factors: share, reach, kept."""
_NOTHING: Final = np.array([0.0, 0.0, 0.0, np.inf, -np.inf])[:, None]


class Scratch:
    """Rows that a step writes and nobody reads afterwards; one set serves all summaries of a window."""

    __slots__ = ("_each", "_factors", "_spread", "_squares", "difference", "moments", "terms")

    def __init__(self, columns: int) -> None:
        self.difference = aligned(columns)
        self.terms = aligned(3, columns)
        self.moments, self._squares = self.terms[WITH_TIME:], self.terms[SQUARES]
        self._factors = array("d", (0.0, 0.0, 0.0))  # a number is put into it at a third of what it takes to put it into numpy's
        self._spread = np.frombuffer(self._factors)[:, None]
        self._each: Weights | None = None

    @property
    def each(self) -> Weights:
        """What comes newly in, of each column."""
        if self._each is None:
            self._each = Weights(len(self.difference))
        return self._each

    def weigh(self, share: float, reach: float, kept: float) -> None:
        """`terms` of `difference` d: d · share, d · reach, d² · kept."""
        factors = self._factors
        factors[MEAN], factors[WITH_TIME], factors[SQUARES] = share, reach, kept
        np.multiply(self.difference, self._spread, self.terms)
        np.multiply(self._squares, self.difference, self._squares)

    def weigh_each(self) -> None:
        """The same by what stands in `each`."""
        np.multiply(self.difference, self.each.rows, self.terms)
        np.multiply(self._squares, self.difference, self._squares)


class Summary:
    """Of a stretch of scans, `m` columns wide."""

    __slots__ = ("averages", "high", "low", "mean", "moments", "rows", "times")

    def __init__(self, rows: Floats) -> None:
        """Of nothing yet; `rows`: `[ROWS, m]`, which this summary writes."""
        self.rows = rows
        self.averages, self.mean, self.moments = rows[AVERAGES], rows[MEAN], rows[WITH_TIME:LOW]
        self.low, self.high = rows[LOW], rows[HIGH]
        self.times = Times()
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
        if bad is None and before.times.each is None:
            if before is not self:
                self.times.take(before.times)
            scratch.weigh(*self.times.join(slot_ns))
            np.minimum(before.low, row, out=self.low)
            np.maximum(before.high, row, out=self.high)
        else:
            if bad is not None:
                scratch.difference[bad] = 0.0
            self.times.join_each(before.times, slot_ns, bad, scratch.each)
            scratch.weigh_each()
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
    if older.times.each is None and newer.times.each is None:
        scratch.weigh(*into.times.merge(older.times, newer.times))
    else:
        into.times.merge_each(older.times, newer.times, scratch.each)
        scratch.weigh_each()
    np.add(scratch.moments, newer.moments, scratch.moments)
    np.add(older.averages, scratch.terms, into.averages)
    np.minimum(older.low, newer.low, out=into.low)
    np.maximum(older.high, newer.high, out=into.high)
