"""Between what a rolling statistic of a finished batch lies at the end of each pane: rigorous, and for all columns at once.

    scans   | . . . . | . . . . | . . . . | . . . . | . . . . |       panes of P scans
    window of any scan of the last pane:
                [? ? ?|=========|=========|=========|? ? ? ?]        = : full panes F, in every such window
                                                                     ? : some of these E, at most k of them

Of F the sums are known, of E the least and the greatest sample; so

    mean    (S + k·least) / (n + k)  ..  (S + k·greatest) / (n + k), or that of F alone
    Σ(x−x̄)²  of F  ..  of F + k·D²            D: how far a sample of E lies from the mean of F
    Σ(t−t̄)(x−x̄)  of F  ±  k·w·D              w: the length of the window

With P = 1 there is no E, and the bounds are as tight as rounding lets them be. All are widened by what rounding may do here (the
sums of absolute values, N. J. Higham, Accuracy and Stability of Numerical Algorithms, 4.2) and, by a wide margin, in the window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.statistics import HIGH, LOW, MEAN, NS_PER_MINUTE, SLOPE, VARIANCE

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Bounds = tuple[Floats, Floats]
"""Least and greatest, `[panes, m]`."""

_ROUNDING: Final = 4 * float(np.finfo(np.float64).eps)
_OF_VALUES: Final = 1e-8
"""What the window's own rounding is taken to be at the most: a share of the largest value,"""
_OF_SQUARES: Final = 1e-5
"""and one of the variance or slope."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Of each pane `[panes]` the windows that end in it."""

    full: tuple[Indices, Indices]
    """First and end of the panes that every such window holds; none where they are the same."""
    partial: tuple[Indices, Indices] | None
    """First and end of those before them that it may reach into; the pane itself is one, too. None: panes are single scans."""
    n: Floats
    """Scans of the full panes; `[panes, 1]`, as are the following."""
    k: Floats
    """Most scans of the others."""
    w: Floats
    """Most minutes from the oldest scan to the newest."""


class Panes:
    """Some columns of a finished batch without a bad sample, `[n, m]`, pane by pane."""

    def __init__(self, slots_ns: NDArray[np.int64], values: Floats, scans: int) -> None:
        """`scans`: of a pane."""
        self._scans, count = scans, len(slots_ns)
        self.begins = np.arange(0, count, scans)
        """The first scan of each pane."""
        self.ends: Indices = np.minimum(self.begins + scans, count)
        self._minutes = (slots_ns - slots_ns[count // 2]) / NS_PER_MINUTE
        self._least, self._most = (_of_panes(values, scans, function.reduce) for function in (np.minimum, np.maximum))
        least, most = self._least.min(axis=0), self._most.max(axis=0)
        self._centre = least / 2 + most / 2
        self._range = most - least
        self._largest = np.maximum(np.abs(least), np.abs(most))
        self._values = values - self._centre
        self._least -= self._centre
        self._most -= self._centre
        self._error = _ROUNDING * count * count
        """Of a sum of n terms of at most 1."""
        self._sums = _running(_of_panes(self._values, scans, np.add.reduce))
        self._squares: Floats | None = None
        self._with_time: Floats | None = None

    def bounds(self, oldest: Indices, statistics: frozenset[int]) -> dict[int, Bounds]:
        """Of each of the `statistics`, by row of the results; `oldest`: of each scan the first one in its window."""
        stretch = self._stretch(oldest)
        first, end = stretch.full
        n = np.maximum(stretch.n, 1.0)
        sums = self._sums[end] - self._sums[first]
        partial = self._extremes(stretch)
        found: dict[int, Bounds] = {}
        if LOW in statistics:
            low, high = self._of_extreme(self._least, np.minimum, stretch, partial)
            found[LOW] = self._moved(low, high)
        if HIGH in statistics:
            high, low = self._of_extreme(self._most, np.maximum, stretch, partial and partial[::-1])
            found[HIGH] = self._moved(low, high)
        if MEAN in statistics:
            found[MEAN] = self._mean(sums, n, stretch, partial)
        distance = _distance(sums / n, partial) + self._error * self._range / n
        if VARIANCE in statistics:
            found[VARIANCE] = self._variance(sums, n, stretch, distance)
        if SLOPE in statistics:
            found[SLOPE] = self._slope(sums, n, stretch, distance)
        return found

    def _stretch(self, oldest: Indices) -> _Stretch:
        panes, at = np.arange(len(self.begins)), self._scans
        first_oldest, last_oldest = oldest[self.begins], oldest[self.ends - 1]
        w = (self._minutes[self.ends - 1] - self._minutes[first_oldest])[:, None]
        if at == 1:
            n = (panes + 1 - last_oldest)[:, None].astype(np.float64)
            return _Stretch((last_oldest, panes + 1), None, n, np.zeros((len(panes), 1)), w)
        first = np.minimum(-(-last_oldest // at), panes)
        n = ((panes - first) * at)[:, None].astype(np.float64)
        k = (first * at - first_oldest + self.ends - self.begins)[:, None].astype(np.float64)
        return _Stretch((first, panes), (first_oldest // at, first), n, k, w)

    def _extremes(self, stretch: _Stretch) -> Bounds | None:
        """Of the samples that a window may hold some of; None: there are none."""
        if stretch.partial is None:
            return None
        first, end = stretch.partial
        least = np.minimum(_over(np.minimum, self._least, first, end), self._least)
        return least, np.maximum(_over(np.maximum, self._most, first, end), self._most)

    def _of_extreme(self, rows: Floats, function: np.ufunc, stretch: _Stretch, partial: Bounds | None) -> Bounds:
        """Farthest and nearest; `partial`: the extreme of E that is meant, and the other one."""
        first, end = stretch.full
        full = _over(function, rows, first, end)
        if partial is None:
            return full, full
        some = stretch.n > 0
        return np.where(some, function(full, partial[0]), partial[0]), np.where(some, full, partial[1])

    def _moved(self, low: Floats, high: Floats) -> Bounds:
        """Back from the centre, and wider by what rounding may be."""
        margin = _OF_VALUES * self._largest
        return low + self._centre - margin, high + self._centre + margin

    def _mean(self, sums: Floats, n: Floats, stretch: _Stretch, partial: Bounds | None) -> Bounds:
        error = self._error * self._range / n
        alone = sums / n
        if partial is None:
            return self._moved(alone - error, alone + error)
        whole = np.maximum(stretch.n + stretch.k, 1.0)
        least, most = ((sums + stretch.k * extreme) / whole for extreme in partial)
        some = stretch.n > 0
        low, high = np.where(some, np.minimum(alone, least), least), np.where(some, np.maximum(alone, most), most)
        return self._moved(low - error, high + error)

    def _variance(self, sums: Floats, n: Floats, stretch: _Stretch, distance: Floats) -> Bounds:
        if self._squares is None:
            self._squares = _running(_of_panes(self._values, self._scans, _squares))
        first, end = stretch.full
        squares = self._squares[end] - self._squares[first] - sums * sums / n
        error = 4 * self._error * self._range * self._range
        whole = np.maximum(stretch.n + stretch.k, 1.0)
        high = np.maximum(squares / n, (squares + stretch.k * distance * distance) / whole)
        high = np.where(stretch.n > 0, high, distance * distance) + error / n
        low = np.where(stretch.n > 0, np.maximum(squares - error, 0.0) / whole, 0.0)
        margin = (_OF_VALUES * self._largest) ** 2
        return low * (1 - _OF_SQUARES) - margin, high * (1 + _OF_SQUARES) + margin

    def _slope(self, sums: Floats, n: Floats, stretch: _Stretch, distance: Floats) -> Bounds:
        minutes = self._minutes[:, None]
        if self._with_time is None:
            self._with_time = _running(_with_time(minutes, self._values, self._scans))
        first, end = stretch.full
        times, squares = (_running(_of_panes(each, self._scans, np.add.reduce)) for each in (minutes, minutes * minutes))
        of_times = times[end] - times[first]
        longest = float(np.abs(self._minutes).max())
        spread_error = 4 * self._error * longest * longest
        spread = squares[end] - squares[first] - of_times * of_times / n
        rising = self._with_time[end] - self._with_time[first] - of_times * sums / n
        error = 4 * self._error * longest * self._range + stretch.k * stretch.w * distance
        least, most = np.maximum(spread - spread_error, 0.0), spread + spread_error + stretch.k * stretch.w * stretch.w
        known = (least > 0) & (stretch.n > 1)
        low, high = (_divided(rising + side * error, least, most, side, known) for side in (-1.0, 1.0))
        margin = _OF_VALUES * self._largest / np.maximum(stretch.w, 1e-9)
        return low - margin - _OF_SQUARES * np.abs(low), high + margin + _OF_SQUARES * np.abs(high)


def _split(values: Floats, scans: int) -> tuple[Floats, Floats]:
    """`[panes, scans, m]`, and the rest as one shorter pane, or as none."""
    whole = len(values) // scans
    return values[: whole * scans].reshape(whole, scans, values.shape[1]), values[None, whole * scans :]


def _of_panes(values: Floats, scans: int, reduced: Callable[[Floats, int], Floats]) -> Floats:
    """`[panes, m]`, the last one of what is left over."""
    parts = [reduced(part, 1) for part in _split(values, scans) if part.shape[1] and len(part)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _squares(values: Floats, _axis: int) -> Floats:
    found: Floats = np.einsum("kpm,kpm->km", values, values)
    return found


def _with_time(minutes: Floats, values: Floats, scans: int) -> Floats:
    """Sums of products, `[panes, m]`; `minutes`: `[n, 1]`."""
    pairs = zip(_split(minutes, scans), _split(values, scans), strict=True)
    parts = [np.einsum("kp,kpm->km", at[:, :, 0], part) for at, part in pairs if part.shape[1] and len(part)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _running(rows: Floats) -> Floats:
    """`[panes + 1, m]`: of all before each."""
    return np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])


def _over(function: np.ufunc, rows: Floats, first: Indices, end: Indices) -> Floats:
    """Of rows first .. end − 1; of none, that of row `first` stands for it. Two stretches of a power of two cover any."""
    length = np.maximum(end - first, 1)
    exponent = np.frexp(length)[1] - 1
    found = np.empty_like(rows)
    covering = rows
    for power in range(int(exponent.max()) + 1):
        at = np.flatnonzero(exponent == power)
        if len(at):
            begin = np.minimum(first[at], len(rows) - 1)
            other = np.minimum(begin + length[at] - (1 << power), len(covering) - 1)
            found[at] = function(covering[begin], covering[other])
        half = 1 << power
        covering = function(covering[:-half], covering[half:]) if len(covering) > half else covering
    return found


def _distance(mean: Floats, partial: Bounds | None) -> Floats:
    """Of a sample of E from the mean of F; of E alone, no variance is above its square."""
    if partial is None:
        return np.zeros_like(mean)
    least, most = partial
    return np.maximum(most - np.minimum(mean, least), np.maximum(mean, most) - least)


def _divided(rising: Floats, least: Floats, most: Floats, side: float, known: NDArray[np.bool_]) -> Floats:
    """The bound of a quotient whose divisor lies between two."""
    outwards = side * rising > 0
    divisor = np.where(outwards, np.broadcast_to(least, rising.shape), np.broadcast_to(most, rising.shape))
    return np.where(known, rising / np.where(known, divisor, 1.0), side * np.inf)
