"""Which columns of a finished batch may leave a level of a rolling statistic, and at which scans there may be something to tell.

Bounds of coarse panes answer for most columns, those of single scans for most others (`rolling_bounds`). Only what is left goes
through the window itself, scan by scan; and whether a window can be evaluated is a matter of times and counts alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.monitor.limits import Rule
from collector.monitor.rules import bound_of
from collector.monitor.statistics import ROW_OF, ROWS
from collector.report.recorded_window import Computed, Quiet, Reach, Rolled
from collector.report.rolling_bounds import Bounds, Panes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]
Times = NDArray[np.int64]

PANES_OF_A_WINDOW = 24
LEAST_PANE = 4
"""Scans: shorter panes save nothing."""
LARGEST = 1e100
"""Beyond it squares may overflow, and then the window answers."""

MOST_BYTES = 512 << 20
"""What windows may tell of a batch beforehand."""

Readiness = tuple[float, bool, int]
"""Share that must be good, whether the window may span phases, and nanoseconds to settle: alike rules can be evaluated alike."""


class TooMuch(Exception):
    """More would have to be known beforehand than memory is good for: a judge goes through it, scan by scan."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Scans `first` .. `end` − 1 of a batch, which have a context in common, and its rolling rules of one window's length."""

    first: int
    end: int
    rules: Sequence[Rule]
    levels: Mapping[tuple[int, Readiness], Levels]
    """The innermost ones, by row of the statistics."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Of rules on one statistic that can be evaluated alike."""

    columns: Indices
    low: Floats
    """The innermost ones; infinite where there is none."""
    high: Floats


def innermost(rules: Iterable[Rule]) -> dict[tuple[int, Readiness], Levels]:
    """Of rules on rolling statistics of one window's length."""
    found: dict[tuple[int, Readiness], dict[int, list[float]]] = {}
    for rule in rules:
        limit = rule.limit
        row = ROW_OF[limit.statistic]
        level = bound_of(rule, rule.level)
        ready = (limit.min_coverage, limit.spans_phases, round(limit.settle_s * 1e9))
        of = found.setdefault((row, ready), {}).setdefault(rule.column, [-np.inf, np.inf])
        if rule.side == "low":
            of[0] = max(of[0], level)
        else:
            of[1] = min(of[1], level)
    return {
        key: Levels(np.array(list(of), np.intp), *(np.array([pair[side] for pair in of.values()]) for side in (0, 1)))
        for key, of in found.items()
    }


class RollingScreen:
    """The windows of one length of a batch."""

    def __init__(self, slots_ns: Times, values: Floats, reach: Reach, stretches: Sequence[Stretch], columns: Indices) -> None:
        """`columns`: those with a limit on such a window at any time. Raises TooMuch."""
        self._slots_ns, self._values, self._reach = slots_ns, values, reach
        self._stretches, self.columns = stretches, columns
        self._rows = frozenset(row for stretch in stretches for row, _ in stretch.levels)
        self._ready = {ready: self._evaluable(ready) for stretch in stretches for _, ready in stretch.levels}
        self.rolled = self._roll()

    def _evaluable(self, ready: Readiness) -> Bools:
        """At which scans rules can be evaluated whose samples are all good, `[n]`."""
        share, spans, settle_ns = ready
        found = self._reach.count / self._reach.slots >= share
        for each in self._stretches:
            of, since_ns = slice(each.first, each.end), self._slots_ns[each.first]
            if not spans:
                found[of] &= self._reach.begins_ns[of] >= since_ns - self._reach.period_ns
            found[of] &= self._slots_ns[of] >= since_ns + settle_ns
        return found

    def _roll(self) -> Rolled:
        values = self._values
        largest = np.abs(values[:, self.columns]).max(axis=0)
        left = self.columns[largest < LARGEST]  # one bad sample makes it NaN, and then it is not
        quiet = []
        pane = self._reach.slots // PANES_OF_A_WINDOW
        for scans in [*([pane] if pane >= LEAST_PANE else []), 1]:
            if not len(left):
                break
            found = self._quiet(left, scans)
            quiet.append(found)
            left = np.setdiff1d(left, found.columns)
        loud = np.setdiff1d(self.columns, np.concatenate([each.columns for each in quiet]) if quiet else [])
        if len(values) * len(loud) * ROWS * values.itemsize > MOST_BYTES:
            raise TooMuch
        return Rolled(self._reach, Computed.of(self._slots_ns, values, loud, self._reach), tuple(quiet))

    def _quiet(self, columns: Indices, scans: int) -> Quiet:
        """Those of the columns whose bounds are inside all levels wherever these can be evaluated."""
        everything = len(columns) == self._values.shape[1]
        panes = Panes(self._slots_ns, self._values if everything else self._values[:, columns], scans)
        bounds = panes.bounds(self._reach.oldest, self._rows)
        inside = np.ones(len(columns), np.bool_)
        for stretch in self._stretches:
            for (row, ready), levels in stretch.levels.items():
                due = np.zeros(len(self._slots_ns), np.bool_)
                due[stretch.first : stretch.end] = self._ready[ready][stretch.first : stretch.end]
                at = np.flatnonzero(np.logical_or.reduceat(due, panes.begins))
                if len(at):
                    inside &= _inside(bounds[row], at, columns, levels)
        kept = np.flatnonzero(inside)
        middles = {row: _middle(low[:, kept], high[:, kept]) for row, (low, high) in bounds.items()}
        return Quiet(columns[kept], scans, middles)

    @property
    def falls(self) -> bool:
        """Whether a window of good samples can be evaluated at some time, and later not."""
        return any(bool((ready[:-1] & ~ready[1:]).any()) for ready in self._ready.values())

    def changes(self) -> Bools:
        """At which scans a statistic comes to lie on another side of a level, or of where it is inside again, `[n]`."""
        found = np.zeros(len(self._slots_ns), np.bool_)
        rows, place = self.rolled.computed.rows, {c: at for at, c in enumerate(self.rolled.computed.columns.tolist())}
        for stretch in self._stretches:
            for rule in stretch.rules:
                if (column := place.get(rule.column)) is not None:
                    value = rows[stretch.first : stretch.end, ROW_OF[rule.limit.statistic], column]
                    for level in {rule.level, rule.level_back}:
                        bound = bound_of(rule, level)
                        beyond = value > bound if rule.side == "high" else value < bound
                        found[stretch.first + 1 : stretch.end] |= beyond[1:] != beyond[:-1]
        return found

    def turns(self) -> Bools:
        """At which scans it may be another than before what can be evaluated, `[n]`."""
        found = np.zeros(len(self._slots_ns), np.bool_)
        for ready in self._ready.values():
            found[1:] |= ready[1:] != ready[:-1]
        shares = sorted({share for share, _, _ in self._ready})
        computed = self.rolled.computed
        for share in shares:
            enough = computed.count / self._reach.slots >= share
            found[1:] |= (enough[1:] != enough[:-1]).any(axis=1)
        known = np.isfinite(computed.rows)
        found[1:] |= (known[1:] != known[:-1]).any(axis=(1, 2))
        return found


def _inside(bounds: Bounds, at: Indices, columns: Indices, levels: Levels) -> Bools:
    """Of the columns, whether their bounds in the panes `at` are within their levels."""
    low, high = np.full(len(columns), -np.inf), np.full(len(columns), np.inf)
    here = np.searchsorted(columns, levels.columns)
    there = (here < len(columns)) & (columns[np.minimum(here, len(columns) - 1)] == levels.columns)
    low[here[there]], high[here[there]] = levels.low[there], levels.high[there]
    least, most = bounds
    whole = len(at) == len(least)
    inside: Bools = (least if whole else least[at]).min(axis=0) >= low
    inside &= (most if whole else most[at]).max(axis=0) <= high
    return inside


def _middle(low: Floats, high: Floats) -> Floats:
    """0 where the bounds are infinite: there it can't be evaluated, or is in no rule."""
    known = np.isfinite(low) & np.isfinite(high)
    return np.where(known, low, 0.0) / 2 + np.where(known, high, 0.0) / 2
