"""Figures that surely leave no level: known from bounds, which cost a hundredth of what each value does.

    EWMA     lies between the least and the greatest sample
    CUSUM    is at most the greatest rise of the running sum of its steps, were it never begun anew

Rounding is reckoned with: what comes near to a level is not sure, and is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.limits import levels_of
from collector.report.recorded_courses import Stay, needed_samples, steps_of
from config.limits import Limit

Floats = NDArray[np.float64]
NEAR: Final = 1e-9
"""Of the largest number that is reckoned with."""


def is_quiet(limit: Limit, stays: Sequence[Stay], values: Floats, period_ns: int) -> bool:
    """Whether the figure that `limit` is about has nothing to tell; `values`: of a column, all good."""
    if limit.statistic == "ewma":
        return _stays_inside(stays, values) and not _is_forgotten(limit, stays, period_ns)
    if limit.statistic == "time_outside":
        return False
    return _rises_little(stays, values, high=limit.statistic == "cusum_high")


def _stays_inside(stays: Sequence[Stay], values: Floats) -> bool:
    least, most = float(values.min()), float(values.max())
    near = NEAR * max(abs(least), abs(most))
    levels = [level for row in {stay.row for stay in stays if stay.row is not None} for level in levels_of(row)]
    return all(most + near < level if side == "high" else least - near > level for _, side, level in levels)


def _is_forgotten(limit: Limit, stays: Sequence[Stay], period_ns: int) -> bool:
    """Whether it begins anew once it could be told, and then can't be."""
    needed, samples = needed_samples(limit, period_ns), 0
    for stay in stays:
        if stay.begins_anew and samples >= needed:
            return True
        samples = (0 if stay.begins_anew else samples) + stay.end - stay.first
    return False


def _rises_little(stays: Sequence[Stay], values: Floats, *, high: bool) -> bool:
    most = 0.0
    for stay in stays:
        if stay.row is None:
            most = 0.0
            continue
        sums = np.cumsum(steps_of(stay, values[stay.first : stay.end], high=high))
        lowest = np.minimum.accumulate(np.minimum(sums, 0.0))
        near = NEAR * max(float(np.abs(sums).max()), most)
        risen = np.maximum(sums - lowest, most + sums)
        if not float(risen.max()) + near < (stay.row.decision_interval or 0.0):
            return False
        most = max(0.0, float(risen[-1])) + near
    return True
