"""Bounds of panes hold what the windows that end in them come to, computed one by one; of single scans they are it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from collector.monitor.statistics import HIGH, LOW, MEAN, SLOPE, VARIANCE
from collector.report.recorded_window import Reach
from collector.report.rolling_bounds import Panes

SECOND_NS = 1_000_000_000
STATISTICS = frozenset((MEAN, VARIANCE, LOW, HIGH, SLOPE))
Course = tuple[NDArray[np.int64], NDArray[np.float64], int]


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Slots, samples of three columns, and a window in scans."""
    dice = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    scans = draw(st.integers(1, 160))
    steps = dice.choice([1, 2, 40], scans, p=[0.9, 0.08, 0.02]) if draw(st.booleans()) else np.ones(scans, np.int64)
    ramp = np.arange(scans)[:, None] * draw(st.sampled_from([0.0, 0.1, -3.0]))
    noise = draw(st.sampled_from([0.0, 0.01, 1.0])) * dice.standard_normal((scans, 3))
    values = draw(st.sampled_from([0.0, 150.0, -1e6])) + ramp + noise
    values[dice.random((scans, 3)) < 0.03] += draw(st.sampled_from([5.0, -100.0, 1e5]))
    return np.cumsum(steps).astype(np.int64) * SECOND_NS, values, draw(st.integers(2, 90))


def truth(slots_ns: NDArray[np.int64], values: NDArray[np.float64]) -> dict[int, NDArray[np.float64]]:
    """Of one window, in longer arithmetic."""
    x, t = values.astype(np.longdouble), (slots_ns - slots_ns[0]).astype(np.longdouble) / 60e9
    centred = (t - t.mean())[:, None]
    spread = (centred**2).sum()
    slope = (centred * (x - x.mean(axis=0))).sum(axis=0) / spread if spread > 0 else np.full(x.shape[1], np.nan)
    return {MEAN: x.mean(axis=0), VARIANCE: x.var(axis=0), LOW: x.min(axis=0), HIGH: x.max(axis=0), SLOPE: slope}


@given(courses(), st.sampled_from([1, 2, 4, 7, 25]))
def test_bounds_hold_every_window_of_their_pane(course: Course, pane: int) -> None:
    slots_ns, values, window = course
    reach = Reach(slots_ns, window * SECOND_NS, SECOND_NS)
    panes = Panes(slots_ns, values, pane)
    bounds = panes.bounds(reach.oldest, STATISTICS)
    scale = np.abs(values).max()
    for at in range(len(slots_ns)):
        inside = slice(reach.oldest[at], at + 1)
        for row, wanted in truth(slots_ns[inside], values[inside]).items():
            low, high = (side[at // pane] for side in bounds[row])
            known = ~np.isnan(wanted)
            assert (low[known] <= wanted[known]).all(), (row, at)
            assert (wanted[known] <= high[known]).all(), (row, at)
            if pane == 1 and row in (MEAN, LOW, HIGH):
                assert (high - low <= 1e-7 * scale).all(), "as tight as rounding lets them be"


@pytest.mark.parametrize("row", [MEAN, VARIANCE, SLOPE])
def test_a_spike_at_the_edge_of_a_window_is_reckoned_with(row: int) -> None:
    """The pane of the spike is never wholly in the window, so no sum has it."""
    values = np.zeros((40, 1))
    values[39] = 100.0
    slots_ns = np.arange(40) * SECOND_NS
    reach = Reach(slots_ns, 20 * SECOND_NS, SECOND_NS)
    (_, high) = Panes(slots_ns, values, 10).bounds(reach.oldest, frozenset((row,)))[row]
    assert high[3, 0] >= float(truth(slots_ns[20:], values[20:])[row][0]) > 0.5
    assert high[2, 0] < 1e-3
