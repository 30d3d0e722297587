"""Pasts of some columns for windows to be held against, and what exact arithmetic says of them.

Errors are allowed up to 8 · n · ε · max|x| (the slope: times the sum of its weights): below 1e-9 of the result wherever
the largest sample is not 1e5 times the result. Counts and extremes are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from collector.monitor.statistics import Statistics
from tests.unit.monitor.exact import exact
from tests.unit.monitor.judged import SECOND_NS, START_NS

NAMES = ("mean", "min", "max", "std", "slope")
FLOAT_MAX = 1.7976931348623157e308
VALUES = st.one_of(
    st.floats(-1e6, 1e6), st.sampled_from([1e12, -1e12, 0.1, -0.0, 5e-324, 1e-300, 150.0]), st.integers(-40, 200).map(float)
)


@dataclass(frozen=True, slots=True)
class History:
    """Scans of some columns, and how long a past is asked for."""

    period_ns: int
    windows_ns: tuple[int, ...]
    columns: int
    scans: tuple[tuple[int, tuple[float | None, ...]], ...]


@st.composite
def histories(draw: st.DrawFn, values: st.SearchStrategy[float] = VALUES, most_scans: int = 40) -> History:
    """Gaps, slots off the grid, bad samples; windows that are no multiple of the period; the ring goes round many times."""
    period_ns = draw(st.sampled_from([5_000_000, 333_333_333, SECOND_NS, 3600 * SECOND_NS]))
    window_ns = st.one_of(st.integers(1, 7 * period_ns), st.integers(1, 7).map(lambda n: n * period_ns))
    columns = draw(st.integers(1, 3))
    row = st.tuples(*[st.one_of(values, values, values, st.none())] * columns)
    periods = st.one_of(st.just(1), st.just(1), st.integers(1, 9))
    jitter_ns = st.one_of(st.just(0), st.just(0), st.integers(0, period_ns))
    steps = draw(st.lists(st.tuples(periods, jitter_ns, row), min_size=1, max_size=most_scans))
    slot_ns, scans = START_NS, []
    for ahead, more_ns, samples in steps:
        slot_ns += ahead * period_ns + more_ns
        scans.append((slot_ns, samples))
    return History(period_ns, tuple(draw(st.lists(window_ns, min_size=1, max_size=3))), columns, tuple(scans))


HUGE = st.sampled_from([FLOAT_MAX, -FLOAT_MAX, 9.1e307, -9.1e307, 1e154, 1.0, 0.0])


def assert_mean_or_none(found: Statistics, at: int, samples: Sequence[tuple[int, float | None]], window_ns: int) -> bool:
    """Samples of any size: the mean is right, or there is none; whether there is one."""
    wanted, mean = exact(samples, window_ns), float(found.mean[at])
    assert found.count[at] == wanted.count
    if np.isnan(mean):
        return False
    largest = max(map(abs, wanted.values))
    assert abs(Fraction(mean) - wanted.mean) <= 8 * wanted.count * Fraction(2) ** -52 * largest
    return True


def assert_exact(found: Statistics, at: int, samples: Sequence[tuple[int, float | None]], window_ns: int) -> None:
    wanted = exact(samples, window_ns)
    figures = {name: float(found.named(name)[at]) for name in NAMES}
    assert found.count[at] == wanted.count
    if not wanted.count:
        assert all(np.isnan(figure) for figure in figures.values())
        return
    assert (figures["min"], figures["max"]) == (float(min(wanted.values)), float(max(wanted.values)))
    assert abs(Fraction(figures["mean"]) - wanted.mean) <= wanted.scale
    assert abs(Fraction(figures["std"]) - wanted.std) <= wanted.scale
    if wanted.count == 1:
        assert figures["std"] == 0
        assert np.isnan(figures["slope"])
    else:
        assert abs(Fraction(figures["slope"]) - wanted.slope) <= wanted.slope_scale
