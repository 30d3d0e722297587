"""EWMA and CUSUM: the worked examples of the NIST/SEMATECH handbook, exact arithmetic, and that bad samples freeze them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.drift import Cusum, Ewma

WEIGHED = [52, 47, 53, 49.3, 50.1, 47, 51, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
"""6.3.2.4: λ 0.3, target 50."""
# fmt: off
AVERAGES = [50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33,
            50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99]
SUMMED = [324.925, 324.675, 324.725, 324.350, 325.350, 325.225, 324.125, 324.525, 325.225, 324.600,
          324.625, 325.150, 328.325, 327.250, 327.825, 328.500, 326.675, 327.775, 326.875, 328.350]
"""6.3.2.3: target 325, k 0.3175, h 4.1959."""
# fmt: on
SAMPLES = st.lists(st.tuples(*[st.one_of(st.floats(-100, 100), st.none())] * 2), max_size=40)


def bad_of(row: Sequence[float | None]) -> np.ndarray[tuple[int], np.dtype[np.intp]] | None:
    bad = np.flatnonzero([value is None for value in row])
    return bad if len(bad) else None


def values_of(row: Sequence[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([1e12 if value is None else value for value in row])


def test_the_handbooks_ewma() -> None:
    ewma, told = Ewma(0.3, np.array([50.0])), []
    for weighed in WEIGHED:
        ewma.push(np.array([weighed]))
        told.append(float(ewma.value[0]))
    assert [f"{average:.2f}" for average in told] == [f"{average:.2f}" for average in AVERAGES]
    assert all(47.4115 < average < 52.5884 for average in told), "no signal"


def test_the_handbooks_cusum() -> None:
    cusum, high = Cusum(np.array([325.0]), 0.3175), []
    for sample in SUMMED:
        cusum.push(np.array([sample]))
        high.append(float(cusum.sums[0, 0]))
    assert (round(high[12], 2), round(high[13], 2), round(high[19], 2)) == (3.01, 4.94, 19.04)
    assert next(n for n, total in enumerate(high, 1) if total > 4.1959) == 14


@given(SAMPLES, st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), st.tuples(st.one_of(st.none(), st.floats(-9, 9)), st.none()))
@settings(deadline=None)
def test_ewma_of_good_samples_alone(
    rows: list[Sequence[float | None]], weights: Sequence[float], starts: Sequence[float | None]
) -> None:
    ewma = Ewma(np.array(weights), np.array([np.nan if start is None else start for start in starts]))
    expected = [None if start is None else Fraction(start) for start in starts]
    for row in rows:
        ewma.push(values_of(row), bad_of(row))
        for at, value in enumerate(row):
            before = expected[at]
            if value is not None:
                expected[at] = Fraction(value) if before is None else before + Fraction(weights[at]) * (Fraction(value) - before)
    for found, exact in zip(ewma.value.tolist(), expected, strict=True):
        assert np.isnan(found) if exact is None else found == pytest.approx(float(exact), rel=1e-9, abs=1e-9)


@given(SAMPLES, st.tuples(st.floats(-9, 9), st.floats(-9, 9)), st.floats(0, 5))
@settings(deadline=None)
def test_cusum_of_good_samples_alone(rows: list[Sequence[float | None]], targets: Sequence[float], slack: float) -> None:
    cusum = Cusum(np.array(targets), slack)
    highs, lows = [Fraction(0)] * 2, [Fraction(0)] * 2
    for row in rows:
        cusum.push(values_of(row), bad_of(row))
        for at, value in enumerate(row):
            if value is not None:
                ahead = Fraction(value) - Fraction(targets[at])
                highs[at] = max(Fraction(0), highs[at] + ahead - Fraction(slack))
                lows[at] = max(Fraction(0), lows[at] - ahead - Fraction(slack))
    expected = [[float(total) for total in totals] for totals in (highs, lows)]
    np.testing.assert_allclose(cusum.sums, expected, rtol=1e-9, atol=1e-9)


LARGEST = 1.7976931348623157e308


@given(st.lists(st.sampled_from([LARGEST, -LARGEST, 1e308, 65.0]), min_size=1), st.sampled_from([0.4, 0.63]))
@settings(max_examples=30)
def test_the_largest_floats_leave_an_average_a_number_that_comes_back(glitch: list[float], weight: float) -> None:
    """Some controllers send them for "no value", with good status; an average that is no number would never be told again."""
    ewma = Ewma(weight, np.array([np.nan]))
    for value in glitch:
        ewma.push(np.array([value]))
        assert abs(ewma.value[0]) <= max(map(abs, glitch))
    for _ in range(2000):
        ewma.push(np.array([80.0]))
    assert ewma.value[0] == pytest.approx(80.0)


def test_the_largest_floats_leave_a_sum_a_number() -> None:
    cusum = Cusum(np.array([0.0]), 1.0)
    for value in (LARGEST, LARGEST, LARGEST):
        cusum.push(np.array([value]))
    assert cusum.sums[:, 0].tolist() == [3e290, 0.0]
    for _ in range(4):
        cusum.push(np.array([-LARGEST]))
    assert cusum.sums[:, 0].tolist() == [0.0, 4e290]
