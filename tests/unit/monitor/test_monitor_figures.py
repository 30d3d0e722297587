"""Which figures have a cell, and where; windows only for those that have a limit on one."""

from __future__ import annotations

import numpy as np
import pytest

from collector.monitor.figures import MOST_EXACT_SCANS, Figures
from tests.unit.monitor.judged import SECOND_NS, START_NS, column, layout, limit

THREE = layout(column("t"), column("p"), column("q"))
ALL = np.arange(3)
GOOD = np.ones(3, np.bool_)


def test_each_figure_has_its_own_cell_and_only_limited_columns_have_a_window() -> None:
    limits = [limit("t", par=[0, 1]), limit("p", statistic="mean", window_s=5.0, nor=[0, 1])]
    limits += [limit(role, statistic="max", window_s=3.0, nor=[0, 1]) for role in ("p", "q")]
    figures = Figures(THREE, ALL, limits)
    assert len(figures.values) == 3 + 5 * 1 + 5 * 2
    for n in range(8):
        figures.push(START_NS + n * SECOND_NS, np.array([1.0, 10.0 + n, 100.0 * n]), GOOD)
    wanted = {("value", None, 0): 1.0, ("value", None, 2): 700.0, ("mean", 5.0, 1): 15.0}
    wanted |= {("max", 3.0, 2): 700.0, ("min", 3.0, 1): 15.0, ("std", 3.0, 1): 2 / 3, ("slope", 5.0, 1): 60.0}
    for (statistic, window_s, index), value in wanted.items():
        cell = figures.cell((statistic, window_s), index)
        assert figures.values[cell] == pytest.approx(value, rel=1e-12), (statistic, window_s, index)
    assert len({figures.cell((statistic, window_s), index) for statistic, window_s, index in wanted}) == len(wanted)


@pytest.mark.parametrize(("scans", "begins_s"), [(MOST_EXACT_SCANS, 0), (MOST_EXACT_SCANS + 120, -70)])
def test_a_very_long_window_begins_on_a_panes_boundary(scans: int, begins_s: int) -> None:
    """A pane of 7,320 s is 122 s; the newest slot lies 70 s after one of its boundaries."""
    figures = Figures(THREE, ALL, [limit("t", statistic="min", window_s=float(scans), nor=[0, None])])
    pane_ns = 122 * SECOND_NS
    newest_ns = START_NS // pane_ns * pane_ns + 70 * SECOND_NS + scans * SECOND_NS
    newest_ns -= (newest_ns - scans * SECOND_NS) % pane_ns - 70 * SECOND_NS
    for n in range(-scans - 200, 1, 10):
        figures.push(newest_ns + n * SECOND_NS, np.full(3, float(n)), GOOD)
    lowest = figures.values[figures.cell(("min", float(scans)), 0)]
    assert lowest == next(n for n in range(-scans - 200, 1, 10) if n > -scans + begins_s)


def test_bad_values_are_in_no_cell() -> None:
    figures = Figures(THREE, ALL, [limit("t", statistic="mean", window_s=2.0, nor=[0, 1])])
    covered = np.array([figures.cell(("mean", 2.0), 0)])
    figures.require(covered, np.array([0.8]), np.array([0]), np.array([0]))
    for n in range(2):
        figures.push(START_NS + n * SECOND_NS, np.array([1.0, 1e12, 3.0]), np.array([True, False, True]))
    evaluable = figures.evaluable()
    assert evaluable is not None
    assert np.isnan(figures.values[1])
    assert evaluable[:3].tolist() == [True, False, True]
    assert evaluable[figures.cell(("mean", 2.0), 0)]
    for n in range(2, 4):
        figures.push(START_NS + n * SECOND_NS, np.array([1.0, 2.0, 3.0]), GOOD)
    assert figures.evaluable() is None
