"""Which samples of a recorded batch a judge has to see, found by comparing all of them at once.

A sample is calm when it is good and within every level of its column. Where limits are on raw values alone,

- a column that is calm throughout has nothing to tell;
- neither has a scan that is calm, as long as nothing is outside. To be seen are the one after a scan that is not calm, which ends
  what that began, and the first one of each context.

A rolling statistic needs every sample of its column; so does a limit that settles, and all columns where a limit looks at others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from collector.monitor.limits import limits_for, rules_of
from collector.report.recording import Batch
from collector.terms import Stamp
from config.limit_statistics import DURATION
from config.limits import Limit
from drivers.base import Layout

_PLAIN = frozenset(
    (
        *("product", "recipe_version", "unit", "phase", "role", "statistic", "window_s", "min_coverage", "spans_phases"),
        *("sp", "nor", "par", "alarm", "deadband", "on_delay_s", "off_delay_s", "settle_s"),
        *("cpp", "priority", "latching", "realarm_s", "suppressed_when", "rationale", "consequence", "action"),
    )
)
"""What a limit may say that looks at its own column alone."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What is to be judged of a batch."""

    loud: NDArray[np.intp]
    """Columns that may have something to tell."""
    due: NDArray[np.intp]
    """Scans that have to be seen, ascending; others only while something is outside."""
    scans: int
    in_order: bool
    """Each slot is later than the one before."""

    def next_due(self, at: int) -> int:
        """The first scan after `at` that has to be seen; `scans` when there is none."""
        place = int(np.searchsorted(self.due, at, "right"))
        return int(self.due[place]) if place < len(self.due) else self.scans


def screened(batch: Batch, layout: Layout, limits: Sequence[Limit]) -> Screen:
    """`layout`: of the batch's columns, which are of one unit."""
    scans, columns = batch.values.shape
    in_order = bool((np.diff(batch.slots_ns) > 0).all())
    plain = all(limit.model_fields_set <= _PLAIN and limit.statistic != DURATION for limit in limits)
    if not in_order or not plain:
        return Screen(np.arange(columns), np.arange(scans), scans, in_order)
    roles = {limit.role for limit in limits if limit.statistic != "value" or limit.settle_s}
    speaking = np.array([column.role in roles for column in layout.columns], np.bool_)
    calm = np.empty(batch.values.shape, np.bool_)
    first_of_context = np.zeros(scans, np.bool_)
    for first, end, stamp in stretches(batch.stamps):
        low, high = _levels(layout, limits, stamp)
        values = batch.values[first:end]
        calm[first:end] = (values >= low) & (values <= high)
        first_of_context[first] = True
    loud = np.flatnonzero(speaking | ~calm.all(axis=0))
    if speaking.any():
        return Screen(loud, np.arange(scans), scans, in_order)
    stirred: NDArray[np.bool_] = np.logical_not(np.all(calm[:, loud], axis=1))
    due = stirred | first_of_context
    due[1:] |= stirred[:-1]
    return Screen(loud, np.flatnonzero(due), scans, in_order)


def _levels(layout: Layout, limits: Sequence[Limit], stamp: Stamp) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The innermost ones of each column."""
    low, high = np.full(len(layout.columns), -np.inf), np.full(len(layout.columns), np.inf)
    for index, limit in limits_for(limits, layout, (stamp,)):
        for rule in rules_of(index, limit, layout.columns[index]):
            if rule.side == "low":
                low[index] = max(low[index], rule.level)
            else:
                high[index] = min(high[index], rule.level)
    return low, high


def stretches(stamps: Sequence[Stamp]) -> Iterator[tuple[int, int, Stamp]]:
    """(first, end, stamp): scans of one context."""
    at = 0
    for stamp, scans in groupby(stamps):
        count = sum(1 for _ in scans)
        yield at, at + count, stamp
        at += count
