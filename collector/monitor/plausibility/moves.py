"""What is doubted of how single tags move: spikes, rates, flat lines. Each holds the state of m tags; O(1) per tag and sample.

    spike        o   o   X   o   o      X jumped and is back: doubted          one sample, or `spike_samples`, of a new level
                 o   o   X   O   o      O confirms the new level: good         is doubted before it is believed
                                        (o at another height)
    rate         base ────────────┐     doubted while |v - base| > rate · (t - base's time): as soon as the process could have
                                  v     got there since the last plausible sample, it is believed
    flat line    o o o o o o o o X X    doubted once it has been within the band of where it came to rest for `flat_s`

`ok` says which of the m samples are to be looked at; the others change nothing. Times are int64 nanoseconds, one for all or one
each. After more than three periods without a sample a spike and a flat line begin anew: nothing is known of what was between.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GAP_PERIODS = 3
"""Samples further apart than this have a gap between them."""
NEVER = -(1 << 62)
ANY_TIME = 1 << 62
"""A time to which there is no gap."""

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Spikes:
    """Jumps that no further sample has confirmed."""

    def __init__(self, height: Floats, samples: NDArray[np.int64], period_ns: int) -> None:
        """`height`: what is no jump yet; `samples`: how many of a new level are doubted, `[m]`."""
        self._height, self._samples, self._gap_ns = height, samples, GAP_PERIODS * period_ns
        self._base, self._pending = np.full(len(height), np.nan), np.full(len(height), np.nan)
        self._run = np.zeros(len(height), np.int64)
        self._last_ns = np.full(len(height), NEVER, np.int64)

    def step(self, times_ns: Times | int, values: Floats, ok: Mask) -> Mask:
        """Which of `values` are doubted, `[m]`."""
        known = ok & (times_ns - self._last_ns <= self._gap_ns)
        beyond, was_beyond = values - self._base, self._pending - self._base
        jumped = known & (np.abs(beyond) > self._height)
        goes_on = (beyond > 0) == (was_beyond > 0)
        goes_on &= (np.abs(beyond) >= np.abs(was_beyond)) | (np.abs(values - self._pending) <= self._height)
        run = np.where(goes_on & (self._run > 0), self._run + 1, 1)
        doubted: Mask = jumped & (run <= self._samples)
        np.copyto(self._base, values, where=ok & ~doubted)
        np.copyto(self._pending, values, where=doubted)
        np.copyto(self._run, np.where(doubted, run, 0), where=ok)
        np.copyto(self._last_ns, times_ns, where=ok)
        return doubted


class Rates:
    """Values where the process cannot have got to yet."""

    def __init__(self, per_ns: Floats) -> None:
        """`per_ns`: the fastest, engineering units per nanosecond, `[m]`."""
        self._per_ns = per_ns
        self._base = np.full(len(per_ns), np.nan)
        self._base_ns = np.zeros(len(per_ns), np.int64)

    def step(self, time_ns: int, values: Floats, ok: Mask) -> Mask:
        """Which of `values` are doubted, `[m]`."""
        doubted: Mask = ok & (np.abs(values - self._base) > self._per_ns * (time_ns - self._base_ns))
        plausible = ok & ~doubted
        np.copyto(self._base, values, where=plausible)
        np.copyto(self._base_ns, time_ns, where=plausible)
        return doubted


class FlatLines:
    """Values that do not move any more."""

    def __init__(self, band: Floats, flat_ns: Times, period_ns: int) -> None:
        """`band`: moves up to this count as none; `flat_ns`: how long none is doubted, `[m]`."""
        self._band, self._flat_ns, self._gap_ns = band, flat_ns, GAP_PERIODS * period_ns
        self._rest = np.full(len(band), np.nan)
        self._since_ns = np.zeros(len(band), np.int64)
        self._last_ns = np.full(len(band), NEVER, np.int64)

    def resume(self, at: int, value: float) -> None:
        """The run before had it flat, at `value`."""
        self._rest[at], self._since_ns[at], self._last_ns[at] = value, NEVER, ANY_TIME

    def step(self, times_ns: Times | int, values: Floats, ok: Mask) -> Mask:
        """Which of `values` are doubted, `[m]`."""
        rests = (times_ns - self._last_ns <= self._gap_ns) & (np.abs(values - self._rest) <= self._band)
        moved = ok & ~rests
        np.copyto(self._rest, values, where=moved)
        np.copyto(self._since_ns, times_ns, where=moved)
        np.copyto(self._last_ns, times_ns, where=ok)
        doubted: Mask = ok & rests & (times_ns - self._since_ns >= self._flat_ns)
        return doubted
