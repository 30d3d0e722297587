"""What is doubted of how single tags move: spikes, rates, flat lines. Each holds the state of m tags; O(1) per tag and sample.

    spike        o   o   X   o   o      X jumped and is back: doubted          one sample, or `spike_samples`, of a new level
                 o   o   X   O   o      O confirms the new level: good         is doubted before it is believed
                                        (o at another height)
    rate         base ────────────┐     doubted while |v - base| > rate · (t - base's time): as soon as the process could have
                                  v     got there since the last plausible sample, it is believed
    flat line    o o o o o o o o X X    doubted once it has been within the band of where it came to rest for `flat_s`

`ok` says which of the m samples are to be looked at; the others change nothing. Times are int64 nanoseconds, one for all or one
each. After more than three periods without a sample a spike and a flat line begin anew: nothing is known of what was between.

`is_calm` is `step` for the usual scan, of which nothing is doubted: cheaper, and False where that is not sure; `ok` is None where
all samples are. `step` may follow it for the same scan: to take a sample in twice is to take it in once.
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
        self._oldest_ns, self._suspects = NEVER, False
        self._away = np.empty(len(height))

    def is_calm(self, time_ns: int, values: Floats, ok: Mask | None) -> bool:
        """Takes in a scan of which no sample jumped; else False."""
        if self._suspects or (time_ns - self._oldest_ns > self._gap_ns and _any_gap(time_ns, self._last_ns, self._gap_ns, ok)):
            return False
        if not _within(values, self._base, self._height, ok, self._away):
            return False
        _put(self._base, values, ok)
        self._oldest_ns = _seen(self._last_ns, time_ns, ok)
        return True

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
        self._oldest_ns, self._suspects = int(self._last_ns.min()), bool(self._run.any())
        return doubted


class Rates:
    """Values where the process cannot have got to yet."""

    def __init__(self, per_ns: Floats) -> None:
        """`per_ns`: the fastest, engineering units per nanosecond, `[m]`."""
        self._per_ns = per_ns
        self._base = np.full(len(per_ns), np.nan)
        self._base_ns = np.zeros(len(per_ns), np.int64)
        self._newest_ns = 0
        self._away, self._reach = np.empty(len(per_ns)), np.empty(len(per_ns))

    def is_calm(self, time_ns: int, values: Floats, ok: Mask | None) -> bool:
        """Takes in a scan whose samples are where each can have got since the newest that was plausible of any; else False."""
        np.multiply(self._per_ns, time_ns - self._newest_ns, out=self._reach)
        if not _within(values, self._base, self._reach, ok, self._away):
            return False
        _put(self._base, values, ok)
        _put(self._base_ns, time_ns, ok)
        self._newest_ns = time_ns
        return True

    def step(self, time_ns: int, values: Floats, ok: Mask) -> Mask:
        """Which of `values` are doubted, `[m]`."""
        doubted: Mask = ok & (np.abs(values - self._base) > self._per_ns * (time_ns - self._base_ns))
        plausible = ok & ~doubted
        np.copyto(self._base, values, where=plausible)
        np.copyto(self._base_ns, time_ns, where=plausible)
        self._newest_ns = time_ns
        return doubted


class FlatLines:
    """Values that do not move any more."""

    def __init__(self, band: Floats, flat_ns: Times, period_ns: int) -> None:
        """`band`: moves up to this count as none; `flat_ns`: how long none is doubted, `[m]`."""
        self._band, self._flat_ns, self._gap_ns = band, flat_ns, GAP_PERIODS * period_ns
        self._rest = np.full(len(band), np.nan)
        self._since_ns = np.zeros(len(band), np.int64)
        self._last_ns = np.full(len(band), NEVER, np.int64)
        self._oldest_ns = NEVER
        self._away = np.empty(len(band))

    def resume(self, at: int, value: float) -> None:
        """The run before had it flat, at `value`."""
        self._rest[at], self._since_ns[at], self._last_ns[at] = value, NEVER, ANY_TIME

    def is_calm(self, time_ns: int, values: Floats, ok: Mask | None) -> bool:
        """Takes in a scan of which no sample has been flat for long enough; else False."""
        if time_ns - self._oldest_ns > self._gap_ns and _any_gap(time_ns, self._last_ns, self._gap_ns, ok):
            return False
        np.subtract(values, self._rest, out=self._away)
        moved = np.abs(self._away, out=self._away) > self._band
        moved = moved if ok is None else moved & ok
        np.copyto(self._rest, values, where=moved)
        np.copyto(self._since_ns, time_ns, where=moved)
        self._oldest_ns = _seen(self._last_ns, time_ns, ok)
        due = time_ns - self._since_ns >= self._flat_ns
        return not (due if ok is None else due & ok).any()

    def step(self, times_ns: Times | int, values: Floats, ok: Mask) -> Mask:
        """Which of `values` are doubted, `[m]`."""
        rests = (times_ns - self._last_ns <= self._gap_ns) & (np.abs(values - self._rest) <= self._band)
        moved = ok & ~rests
        np.copyto(self._rest, values, where=moved)
        np.copyto(self._since_ns, times_ns, where=moved)
        np.copyto(self._last_ns, times_ns, where=ok)
        self._oldest_ns = int(self._last_ns.min())
        doubted: Mask = ok & rests & (times_ns - self._since_ns >= self._flat_ns)
        return doubted


def _within(values: Floats, base: Floats, reach: Floats, ok: Mask | None, room: Floats) -> bool:
    """Whether every value is within `reach` of `base`; of one that there is not yet none is. `room` takes the distances."""
    np.subtract(values, base, out=room)
    near = np.abs(room, out=room) <= reach
    return bool((near if ok is None else near | ~ok).all())


def _any_gap(time_ns: int, last_ns: Times, gap_ns: int, ok: Mask | None) -> bool:
    """Whether one that is to be looked at was not seen for longer than that."""
    gone = time_ns - last_ns > gap_ns
    return bool((gone if ok is None else gone & ok).any())


def _put(into: Floats | Times, what: Floats | int, ok: Mask | None) -> None:
    if ok is None:
        into[:] = what
    else:
        np.copyto(into, what, where=ok)


def _seen(last_ns: Times, time_ns: int, ok: Mask | None) -> int:
    """The oldest time at which one was seen, now that those of `ok` were."""
    _put(last_ns, time_ns, ok)
    return time_ns if ok is None else int(last_ns.min())
