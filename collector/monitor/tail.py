"""The recent past of some columns, for statistics that are wanted seldom: kept as it came, computed when asked.

A scan costs one copy, a sample its eight bytes; asking costs all samples of the window. What is wanted with every scan
is `window`'s business; it is held against this one in the tests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collector.monitor.statistics import NS_PER_MINUTE, Statistics


class Tail:
    """The last `span_ns` of m columns."""

    def __init__(self, columns: int, span_ns: int, period_ns: int) -> None:
        self.rows = -(-span_ns // period_ns)
        self.span_ns = span_ns
        self.refused = 0
        """Slots not after the newest: they never enter."""
        self._times = np.zeros(self.rows, np.int64)
        self._values = np.full((self.rows, columns), np.nan)
        self._pushed = 0

    def push(self, slot_ns: int, values: NDArray[np.float64], good: NDArray[np.bool_]) -> bool:
        """Add a scan, `[m]` values and which are good; False when its slot is not after the newest."""
        if self._pushed and slot_ns <= self._times[(self._pushed - 1) % self.rows]:
            self.refused += 1
            return False
        row = self._pushed % self.rows
        self._times[row] = slot_ns
        np.copyto(self._values[row], values)
        if np.count_nonzero(good) < len(good):
            self._values[row, ~good] = np.nan
        self._pushed += 1
        return True

    def statistics(self) -> Statistics:
        """Over `(t − span_ns, t]`, t being the newest slot."""
        times, values = self._inside()
        good = ~np.isnan(values)
        count = good.sum(axis=0)
        some = count > 0
        divisor = np.maximum(count, 1)
        low = np.where(some, np.min(values, axis=0, where=good, initial=np.inf), np.nan)
        high = np.where(some, np.max(values, axis=0, where=good, initial=-np.inf), np.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # the largest floats are data too: their std is inf
            mean = np.sum(values, axis=0, where=good) / divisor
            if not np.isfinite(mean).all():  # the sum is beyond the largest float
                mean = np.where(np.isfinite(mean), mean, np.sum(values / divisor, axis=0, where=good))
            mean = np.clip(mean, low, high)  # rounding never leaves the extremes
            deviation = np.where(good, values - mean, 0.0)
            variance = np.sum(deviation * deviation, axis=0) / divisor
            slope = _slope(times, deviation, good, divisor)
        return Statistics(count, mean, low, high, np.where(some, np.sqrt(variance), np.nan), slope)

    def _inside(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Oldest last or not: no statistic asks for the order."""
        if not self._pushed:
            return self._times[:0], self._values[:0]
        newest_ns = self._times[(self._pushed - 1) % self.rows]
        inside = self._times > newest_ns - self.span_ns
        inside[self._pushed :] = False
        return (self._times, self._values) if inside.all() else (self._times[inside], self._values[inside])


def _slope(
    times: NDArray[np.int64], deviation: NDArray[np.float64], good: NDArray[np.bool_], divisor: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Σ (t − t̄)(x − x̄) / Σ (t − t̄)², over the good samples of each column; per minute."""
    if not len(times):
        return np.full(deviation.shape[1], np.nan)
    minutes = ((times - times.max()) / NS_PER_MINUTE)[:, None]
    centred = np.where(good, minutes - np.sum(np.where(good, minutes, 0.0), axis=0) / divisor, 0.0)
    spread = np.sum(centred * centred, axis=0)
    rising = np.sum(centred * deviation, axis=0)
    return np.where(spread > 0, rising / np.where(spread > 0, spread, 1.0), np.nan)
