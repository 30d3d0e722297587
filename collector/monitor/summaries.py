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

    __slots__ = ("_each", "_spread", "difference", "factors", "squares", "terms", "with_time")

    def __init__(self, columns: int) -> None:
        self.difference = aligned(columns)
        self.terms = aligned(3, columns)
        self.with_time, self.squares = self.terms[WITH_TIME:]
        self.factors = array("d", (0.0, 0.0, 0.0))  # a number is put into it at a third of what it takes to put it into numpy's
        """Of what comes newly in: share, reach, kept."""
        self._spread = np.frombuffer(self.factors)[:, None]
        self._each: Weights | None = None

    @property
    def each(self) -> Weights:
        """The same of each column."""
        if self._each is None:
            self._each = Weights(len(self.difference))
        return self._each

    def weigh(self) -> None:
        """`terms` of `difference` d: d · share, d · reach, d² · kept."""
        np.multiply(self.difference, self._spread, self.terms)
        np.multiply(self.squares, self.difference, self.squares)

    def weigh_each(self) -> None:
        """The same by what stands in `each`."""
        np.multiply(self.difference, self.each.rows, self.terms)
        np.multiply(self.squares, self.difference, self.squares)


class Summary:
    """Of a stretch of scans, `m` columns wide."""

    __slots__ = ("averages", "high", "low", "mean", "rows", "squares", "times", "with_time")

    def __init__(self, rows: Floats) -> None:
        """Of nothing yet; `rows`: `[ROWS, m]`, which this summary writes."""
        self.rows = rows
        self.averages = rows[AVERAGES]
        self.mean, self.with_time, self.squares, self.low, self.high = rows
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
            self.times.join(slot_ns, scratch.factors)
            scratch.weigh()
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
    before, after = older.times, newer.times
    alike = before.each is None and after.each is None
    if not (alike and before.count and after.count) and (before.nothing or after.nothing):  # their origins mean nothing
        only = newer if before.nothing else older
        if only is not into:
            into.take(only)
        return
    np.subtract(newer.mean, older.mean, scratch.difference)
    if alike:
        into.times.merge(before, after, scratch.factors)
        scratch.weigh()
    else:
        into.times.merge_each(before, after, scratch.each)
        scratch.weigh_each()
    np.add(scratch.with_time, newer.with_time, scratch.with_time)
    np.add(scratch.squares, newer.squares, scratch.squares)
    np.add(older.averages, scratch.terms, into.averages)
    np.minimum(older.low, newer.low, out=into.low)
    np.maximum(older.high, newer.high, out=into.high)
