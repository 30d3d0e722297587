"""Figures that last longer than a window, of a whole recorded batch, each column at once.

    time outside    whole nanoseconds, so sums over any stretch are differences of running sums, and exact
    EWMA, CUSUM     each value needs the one before: one plain loop over the good samples of a column, with the same operations

They are, to the bit, what `monitor.lasting` has after each scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.drift import MOST
from collector.monitor.drifting import SETTLED
from collector.monitor.lasting_cells import AWAY
from collector.monitor.outside import MOST_PERIODS
from collector.terms import Stamp
from config.limits import Limit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Whole = NDArray[np.int64]
_LONG_AGO: Final = -(1 << 62)
_FOREVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Stay:
    """Scans `first` .. `end` − 1 in one context, and the row that holds there on one figure."""

    first: int
    end: int
    stamp: Stamp
    row: Limit | None
    new_phase: bool
    new_batch: bool

    @property
    def begins_anew(self) -> bool:
        """What is not of a phase or batch by its own words."""
        return self.new_phase and not (self.row is not None and self.row.spans_phases)


@dataclass(frozen=True, slots=True)
class Course:
    """A figure after each scan of a batch, and whether it can be told, `[n]`."""

    values: Floats
    evaluable: Bools


def course_of(limit: Limit, stays: Sequence[Stay], slots_ns: Whole, values: Floats, period_ns: int) -> Course:
    """Of the figure that `limit` is about; `values`: `[n]`, NaN is a bad sample; `stays`: all of the batch, in their order."""
    good = ~np.isnan(values)
    if limit.statistic == "ewma":
        return _average(limit, stays, values, good, period_ns)
    if limit.statistic == "time_outside":
        return _time_outside(limit, stays, slots_ns, values, good, period_ns)
    return _sum(stays, values, good, high=limit.statistic == "cusum_high")


def _average(limit: Limit, stays: Sequence[Stay], values: Floats, good: Bools, period_ns: int) -> Course:
    weight, needed = float(-np.expm1(-1.0 / _periods(limit, period_ns))[0]), needed_samples(limit, period_ns)

    def next_of(value: float, half: float) -> float:
        step = (half - value * 0.5) * weight
        return (value + step) + step

    found, count, value, samples = np.empty(len(values)), np.empty(len(values), np.int64), np.nan, 0
    for stay in stays:
        of = slice(stay.first, stay.end)
        if stay.begins_anew:
            value, samples = np.nan, 0
        here = values[of][good[of]]
        if np.isnan(value) and len(here):
            value = float(here[0])
        course = np.array(list(accumulate((here * 0.5).tolist(), next_of, initial=value)))
        seen = np.cumsum(good[of])
        found[of], count[of] = course[seen], samples + seen
        found[of][seen + samples == 0] = np.nan  # before its first good sample
        value, samples = float(course[-1]), samples + int(seen[-1])
    return Course(found, good & (count >= needed))


def needed_samples(limit: Limit, period_ns: int) -> int:
    """Good samples until an EWMA can be told."""
    return int(np.ceil(SETTLED * _periods(limit, period_ns))[0])


def _periods(limit: Limit, period_ns: int) -> Floats:
    """Of a time constant; an array, since so `drifting` has it."""
    return np.array([limit.time_constant_s], np.float64) / (period_ns / 1e9)


def _sum(stays: Sequence[Stay], values: Floats, good: Bools, *, high: bool) -> Course:
    def next_of(value: float, step: float) -> float:
        return max(value + step, 0.0)

    found, value, held = np.empty(len(values)), 0.0, False
    for stay in stays:
        of = slice(stay.first, stay.end)
        if stay.begins_anew or not held:
            value = 0.0
        held = stay.row is not None
        steps = steps_of(stay, values[of][good[of]], high=high)
        course = np.array(list(accumulate(steps.tolist(), next_of, initial=value)))
        found[of] = course[np.cumsum(good[of])]
        value = float(course[-1])
    return Course(found, good.copy())


def steps_of(stay: Stay, values: Floats, *, high: bool) -> Floats:
    """By which good samples would change a CUSUM."""
    target, slack = (stay.row.sp or 0.0, stay.row.slack or 0.0) if stay.row is not None else (0.0, AWAY)
    return np.minimum(values - (target + slack) if high else (target - slack) - values, MOST)


def _time_outside(limit: Limit, stays: Sequence[Stay], slots_ns: Whole, values: Floats, good: Bools, period_ns: int) -> Course:
    total_ns, evaluable = np.empty(len(values), np.int64), np.empty(len(values), np.bool_)
    window_ns = None if limit.window_s is None else round(limit.window_s * 1e9)
    elapsed_ns = np.minimum(np.diff(slots_ns, prepend=_LONG_AGO // 2), MOST_PERIODS * period_ns)
    for since_seen, epoch in _epochs(limit, stays):
        of = slice(epoch[0].first, epoch[-1].end)
        outside = np.concatenate([_outside(limit, stay, values[stay.first : stay.end]) for stay in epoch])
        counted_ns = np.where(good[of] & _before(outside, good[of]), elapsed_ns[of], 0)
        oldest = np.zeros(of.stop - of.start, np.intp)
        if window_ns is not None:
            oldest = np.searchsorted(slots_ns[of], slots_ns[of] - window_ns, "right")
        total_ns[of] = _since(counted_ns, oldest)
        seen = _since(good[of].astype(np.int64), oldest)
        most = _FOREVER if window_ns is None else -(-window_ns // period_ns)
        begin_ns = int(slots_ns[of.start]) if since_seen else _LONG_AGO
        slots = np.minimum((slots_ns[of] - begin_ns) // period_ns + 1, most)
        evaluable[of] = np.concatenate([_told(limit, stay, of.start, seen / slots, total_ns[of] / 1e9) for stay in epoch])
    return Course(total_ns / 1e9, evaluable)


def _epochs(limit: Limit, stays: Sequence[Stay]) -> Iterator[tuple[bool, list[Stay]]]:
    """Stays over which it is summed up; whether its beginning was seen."""
    epoch: list[Stay] = []
    seen = False
    for stay in stays:
        fresh = stay.begins_anew
        if limit.within is not None:
            fresh = stay.new_phase if limit.within == "phase" else stay.new_batch
        if fresh and epoch:
            yield seen, epoch
            epoch = []
        seen = seen or fresh
        epoch.append(stay)
    yield seen, epoch


def _runs(limit: Limit, stay: Stay) -> bool:
    """Whether there is a phase or batch to sum up in."""
    return limit.within is None or (stay.stamp.phase if limit.within == "phase" else stay.stamp.batch) != ""


def _outside(limit: Limit, stay: Stay, values: Floats) -> Bools:
    """What is beyond the range of the row."""
    interval = (stay.row.par or stay.row.nor) if stay.row is not None and _runs(limit, stay) else None
    beyond = np.zeros(len(values), np.bool_)
    if interval is not None and interval.low is not None:
        beyond |= values < interval.low
    if interval is not None and interval.high is not None:
        beyond |= values > interval.high
    return beyond


def _before(outside: Bools, good: Bools) -> Bools:
    """Whether the good sample before each was outside."""
    newest = np.maximum.accumulate(np.where(good, np.arange(len(good)), -1))
    newest = np.concatenate([[-1], newest[:-1]])
    return (newest >= 0) & outside[newest]


def _since(of: Whole, oldest: NDArray[np.intp]) -> Whole:
    """The sum from `oldest` on, of each."""
    sums = np.concatenate([[0], np.cumsum(of)])
    return np.asarray(sums[1:] - sums[oldest], np.int64)


def _told(limit: Limit, stay: Stay, begin: int, covered: Floats, seconds: Floats) -> Bools:
    """Too long for sure, or enough was seen; `covered`, `seconds`: from scan `begin` on."""
    of = slice(stay.first - begin, stay.end - begin)
    if not _runs(limit, stay):
        return np.zeros(stay.end - stay.first, np.bool_)
    share, allowed_s = (stay.row.min_coverage, stay.row.allowed_outside_s) if stay.row is not None else (1.0, np.inf)
    return np.asarray((covered[of] >= share) | (seconds[of] > (np.inf if allowed_s is None else allowed_s)), np.bool_)
