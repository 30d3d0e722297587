"""The rolling recent past of some columns of a scan group, and its statistics.

Every statistic is computed anew from the samples in `(t − W, t]`, nothing is ever subtracted from a running sum: a
glitch that has left the window leaves no trace. Rows are kept twice, `rows` apart, so that any recent stretch is
one contiguous view:

    ring   | r0 r1 r2 r3 | r0 r1 r2 r3 |        newest row at i: the last n rows are [i + rows − n + 1 : i + rows + 1]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NS_PER_MINUTE = 60e9


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of m columns over one window; NaN where there is no good sample (slope: fewer than two)."""

    count: NDArray[np.int64]
    """Good samples, `[m]`."""
    mean: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    std: NDArray[np.float64]
    """ddof=0."""
    slope: NDArray[np.float64]
    """Least squares, engineering units per minute."""

    def named(self, name: str) -> NDArray[np.float64]:
        """`mean`, `min`, `max`, `std` or `slope`, `[m]`."""
        array: NDArray[np.float64] = getattr(self, name)
        return array


class Window:
    """The last `span_ns` of m columns."""

    def __init__(self, columns: int, span_ns: int, period_ns: int) -> None:
        self.rows = span_ns // period_ns + 1
        self.span_ns = span_ns
        self.refused = 0
        """Slots not after the newest: they never enter a window."""
        self._times = np.zeros(2 * self.rows, np.int64)
        self._values = np.full((2 * self.rows, columns), np.nan)
        self._pushed = 0

    def push(self, slot_ns: int, values: NDArray[np.float64], good: NDArray[np.bool_]) -> bool:
        """Add a scan, `[m]` values and which are good; False when its slot is not after the newest."""
        if self._pushed and slot_ns <= self._times[(self._pushed - 1) % self.rows]:
            self.refused += 1
            return False
        row = self._pushed % self.rows
        for at in (row, row + self.rows):
            self._times[at] = slot_ns
            self._values[at] = np.where(good, values, np.nan)
        self._pushed += 1
        return True

    def statistics(self, window_ns: int) -> Statistics:
        """Over `(t − window_ns, t]`, t being the newest slot; `window_ns` ≤ `span_ns`."""
        times, values = self._tail(window_ns)
        good = ~np.isnan(values)
        count = good.sum(axis=0)
        some = count > 0
        divisor = np.maximum(count, 1)
        low = np.where(some, np.min(values, axis=0, where=good, initial=np.inf), np.nan)
        high = np.where(some, np.max(values, axis=0, where=good, initial=-np.inf), np.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # the largest floats are data too: their std is inf
            mean = np.clip(np.sum(values, axis=0, where=good) / divisor, low, high)  # rounding never leaves the extremes
            deviation = np.where(good, values - mean, 0.0)
            variance = np.sum(deviation * deviation, axis=0) / divisor
            slope = _slope(times, deviation, good, divisor)
        return Statistics(count, mean, low, high, np.where(some, np.sqrt(variance), np.nan), slope)

    def _tail(self, window_ns: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        held = min(self._pushed, self.rows)
        stop = (self._pushed - 1) % self.rows + self.rows + 1 if held else 0
        times = self._times[stop - held : stop]
        first = int(np.searchsorted(times, times[-1] - window_ns, side="right")) if held else 0
        return times[first:], self._values[stop - held + first : stop]


def _slope(
    times: NDArray[np.int64], deviation: NDArray[np.float64], good: NDArray[np.bool_], divisor: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Σ (t − t̄)(x − x̄) / Σ (t − t̄)², over the good samples of each column; per minute."""
    if not len(times):
        return np.full(deviation.shape[1], np.nan)
    minutes = ((times - times[-1]) / NS_PER_MINUTE)[:, None]
    centred = np.where(good, minutes - np.sum(np.where(good, minutes, 0.0), axis=0) / divisor, 0.0)
    spread = np.sum(centred * centred, axis=0)
    rising = np.sum(centred * deviation, axis=0)
    return np.where(spread > 0, rising / np.where(spread > 0, spread, 1.0), np.nan)
