"""Windows against exact rational arithmetic.

Errors are allowed up to 8 · n · ε · max|x| (the slope: times the sum of its weights): below 1e-9 of the result wherever
the largest sample is not 1e5 times the result. Counts and extremes are exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.monitor.window import Statistics, Window
from tests.unit.monitor.exact import exact
from tests.unit.monitor.judged import BAD_VALUE, SECOND_NS, START_NS

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

    def window(self) -> Window:
        return Window(self.columns, max(self.windows_ns), self.period_ns)


def push(window: Window, slot_ns: int, values: Sequence[float | None]) -> bool:
    good = np.array([value is not None for value in values])
    return window.push(slot_ns, np.array([BAD_VALUE if value is None else value for value in values]), good)


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


@given(histories())
@settings(deadline=None, max_examples=60)
def test_every_statistic_is_that_of_exact_arithmetic_after_every_scan(history: History) -> None:
    window, seen = history.window(), list[tuple[int, tuple[float | None, ...]]]()
    for slot_ns, samples in history.scans:
        assert push(window, slot_ns, samples)
        seen.append((slot_ns, samples))
        for window_ns in history.windows_ns:
            found = window.statistics(window_ns)
            for at in range(history.columns):
                assert_exact(found, at, [(time, row[at]) for time, row in seen], window_ns)
    assert window.refused == 0


@given(histories(st.floats(20, 150)))
@settings(deadline=None, max_examples=50)
def test_plant_values_are_exact_to_nine_digits(history: History) -> None:
    """Of one sign and one magnitude, as a temperature is: the mean needs no condition."""
    window, seen = history.window(), list[tuple[int, float | None]]()
    for slot_ns, samples in history.scans:
        push(window, slot_ns, samples)
        seen.append((slot_ns, samples[0]))
        wanted = exact(seen, history.windows_ns[0])
        if wanted.count:
            assert float(window.statistics(history.windows_ns[0]).mean[0]) == pytest.approx(float(wanted.mean), rel=1e-12)


@given(histories(), st.sampled_from([1e12, -1e12, 1e15, 3.4e38, -1e150]))
@settings(deadline=None)
def test_what_has_left_the_window_leaves_no_trace(history: History, glitch: float) -> None:
    """Bit for bit what a window says that never saw the glitch."""
    window, span_ns = history.window(), max(history.windows_ns)
    for n in range(5):
        push(window, START_NS - span_ns - (5 - n) * history.period_ns, [glitch] * history.columns)
    fresh = history.window()
    for slot_ns, samples in history.scans:
        push(window, slot_ns, samples)
        push(fresh, slot_ns, samples)
        for window_ns in history.windows_ns:
            after, never = window.statistics(window_ns), fresh.statistics(window_ns)
            for name in ("count", *NAMES):
                np.testing.assert_array_equal(after.named(name), never.named(name))


@pytest.mark.parametrize(("window_periods", "rows_seen"), [(1, 1), (2, 2), (7, 7)])
def test_the_ring_goes_round_hundreds_of_times(window_periods: int, rows_seen: int) -> None:
    window = Window(1, window_periods * SECOND_NS, SECOND_NS)
    recent: deque[int] = deque(maxlen=rows_seen)
    for n in range(300 * (window_periods + 1)):
        value = n * 7919 % 1009
        push(window, START_NS + n * SECOND_NS, [value])
        recent.append(value)
        found = window.statistics(window_periods * SECOND_NS)
        assert (found.count[0], found.min[0], found.max[0]) == (len(recent), min(recent), max(recent))
        assert found.mean[0] == float(Fraction(sum(recent), len(recent)))


@pytest.mark.parametrize(("age_ns", "inside"), [(0, True), (2_499_999_999, True), (2_500_000_000, False), (2_500_000_001, False)])
def test_the_old_edge_is_out_and_the_new_edge_is_in(age_ns: int, inside: bool) -> None:
    window = Window(1, 10 * SECOND_NS, SECOND_NS)
    if age_ns:
        push(window, START_NS - age_ns, [5.0])
    push(window, START_NS, [5.0 if age_ns == 0 else None])
    assert window.statistics(2_500_000_000).count[0] == inside


@given(st.lists(st.tuples(st.integers(-3, 12), st.floats(-100, 100)), max_size=40))
@settings(deadline=None)
def test_slots_that_are_not_after_the_newest_are_refused_counted_and_forgotten(scans: list[tuple[int, float]]) -> None:
    window, refused = Window(1, 20 * SECOND_NS, SECOND_NS), 0
    taken: list[tuple[int, float | None]] = []
    for second, value in scans:
        slot_ns = second * SECOND_NS
        fresh = not taken or slot_ns > taken[-1][0]
        assert push(window, slot_ns, [value]) is fresh
        refused += not fresh
        if fresh:
            taken.append((slot_ns, value))
        assert_exact(window.statistics(20 * SECOND_NS), 0, taken, 20 * SECOND_NS)
    assert window.refused == refused


def test_nothing_pushed_yet_has_no_statistics() -> None:
    found = Window(3, SECOND_NS, SECOND_NS).statistics(SECOND_NS)
    assert found.count.tolist() == [0, 0, 0]
    assert all(np.isnan(found.named(name)).all() for name in NAMES)


def test_std_is_of_the_population_and_slope_is_per_minute() -> None:
    window = Window(1, 60 * SECOND_NS, 20 * SECOND_NS)
    for n, value in enumerate((1.0, 2.0, 3.0)):
        push(window, START_NS + n * 20 * SECOND_NS, [value])
    found = window.statistics(60 * SECOND_NS)
    assert found.std[0] == pytest.approx((2 / 3) ** 0.5, rel=1e-15)
    assert found.slope[0] == pytest.approx(3.0, rel=1e-15)


@given(st.floats(-1e9, 1e9), st.integers(1, 70))
@example(0.1, 3)
@settings(deadline=None)
def test_a_signal_that_stands_still_has_its_value_as_mean_no_std_and_no_slope(value: float, count: int) -> None:
    """Otherwise a signal that rests exactly on an inclusive bound is judged outside, by rounding alone."""
    window = Window(1, 100 * SECOND_NS, SECOND_NS)
    for n in range(count):
        push(window, START_NS + n * SECOND_NS, [value])
    found = window.statistics(100 * SECOND_NS)
    assert (found.mean[0], found.std[0]) == (value, 0.0)
    assert found.slope[0] == 0 or count == 1


@given(histories(st.floats(-200, 200)))
@settings(deadline=None)
def test_the_mean_lies_between_the_extremes(history: History) -> None:
    window = history.window()
    for slot_ns, samples in history.scans:
        push(window, slot_ns, samples)
        found = window.statistics(history.windows_ns[0])
        some = found.count > 0
        assert (found.min[some] <= found.mean[some]).all()
        assert (found.mean[some] <= found.max[some]).all()


@pytest.mark.parametrize("others", [[0.0, 1.0], [FLOAT_MAX, 1.0], [-FLOAT_MAX, FLOAT_MAX]])
def test_the_largest_floats_make_no_noise_and_leave(others: list[float]) -> None:
    """Some controllers send the largest double for "no value", with good status."""
    window = Window(1, 3 * SECOND_NS, SECOND_NS)
    for n, value in enumerate((FLOAT_MAX, *others)):
        push(window, START_NS + n * SECOND_NS, [value])
    found = window.statistics(3 * SECOND_NS)
    assert (found.count[0], found.min[0], found.max[0]) == (3, min(FLOAT_MAX, *others), FLOAT_MAX)
    for n in range(3, 6):
        push(window, START_NS + n * SECOND_NS, [float(n)])
    assert window.statistics(3 * SECOND_NS).mean[0] == 4.0
