"""Rolling windows, exact and in panes, against exact rational arithmetic: gaps, glitches, bad samples, any times."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.monitor import blocks, summaries, window
from collector.monitor.joint import FEW_COLUMNS
from collector.monitor.statistics import Statistics
from collector.monitor.window import PANES, Window
from tests.unit.monitor.exact import exact
from tests.unit.monitor.judged import BAD_VALUE, SECOND_NS, START_NS
from tests.unit.monitor.past import FLOAT_MAX, HUGE, NAMES, History, assert_exact, assert_mean_or_none, histories

Row = Sequence[float | None]
MODES = pytest.mark.parametrize("panes", [False, True])


def push(of: Window, slot_ns: int, values: Row) -> bool:
    good = np.array([value is not None for value in values])
    return of.push(slot_ns, [BAD_VALUE if value is None else value for value in values], None if good.all() else good)


def reach_ns(of: Window, slot_ns: int, *, panes: bool) -> int:
    """How far back the window goes at `slot_ns`: in pane mode to the boundary at or before its old edge."""
    pane_ns = max(1, of.window_ns // PANES)
    return slot_ns - (slot_ns - of.window_ns) // pane_ns * pane_ns if panes else of.window_ns


def assert_all_exact(of: Window, seen: Sequence[tuple[int, Row]], *, panes: bool) -> None:
    found, length_ns = of.statistics(), reach_ns(of, of.newest_ns, panes=panes)
    for at in range(len(seen[0][1])):
        assert_exact(found, at, [(time, row[at]) for time, row in seen], length_ns)


@MODES
@given(histories())
def test_every_statistic_is_that_of_exact_arithmetic_after_every_scan(panes: bool, history: History) -> None:
    windows = [Window(history.columns, window_ns, history.period_ns, panes=panes) for window_ns in history.windows_ns]
    for n, (slot_ns, samples) in enumerate(history.scans):
        for of in windows:
            assert push(of, slot_ns, samples)
            assert_all_exact(of, history.scans[: n + 1], panes=panes)
            assert of.refused == 0


def plant(seed: int) -> Iterator[tuple[int, Row]]:
    """A ramp, then noise; scans that come when they like, gaps, lost scans, bad samples, glitches."""
    dice = random.Random(seed)
    slot_ns, jitter, bad_share, level = START_NS, dice.choice([0.0, 0.9]), dice.choice([0.0, 0.0, 0.1]), 20.0
    for _ in range(250):
        slot_ns += int(SECOND_NS * (1 + jitter * dice.uniform(-1, 1)))
        if dice.random() < 0.01:
            slot_ns += dice.randrange(150 * SECOND_NS)
        level = min(150.0, level + dice.choice([0.0, 2.0]))
        row: list[float | None] = [level + dice.gauss(0, 0.01) for _ in range(2)]
        if dice.random() < 0.02:
            row[0] = dice.choice([1e12, -1e12, None])
        yield slot_ns, [None if dice.random() < bad_share else value for value in row] if dice.random() > 0.02 else [None, None]


@MODES
@given(st.integers(0, 10**9), st.sampled_from([10, 33, 60]), st.sampled_from([0, 1, SECOND_NS // 2]))
@settings(deadline=None, max_examples=8)
def test_windows_of_many_blocks_stay_exact_over_many_turns(panes: bool, seed: int, seconds: int, more_ns: int) -> None:
    of, seen = Window(2, seconds * SECOND_NS + more_ns, SECOND_NS, panes=panes), list[tuple[int, Row]]()
    dice = random.Random(seed)
    for slot_ns, row in plant(seed):
        push(of, slot_ns, row)
        seen.append((slot_ns, row))
        if dice.random() < 0.03:
            assert_all_exact(of, seen, panes=panes)
    assert_all_exact(of, seen, panes=panes)


@MODES
def test_std_of_36000_samples_after_a_ramp_keeps_nine_digits(panes: bool) -> None:
    """150 ± 0.01 after 20 → 150, the centre not given; whatever a glitch did has gone with it."""
    scans, tenth_ns, glitches = 36_000, SECOND_NS // 10, (150.0, 1e12, -1e12, 3e38)
    noise = 150 + 0.01 * np.random.default_rng(7).standard_normal(scans + scans // PANES)
    values = np.repeat(np.concatenate([np.linspace(20, 150, 3_000), noise])[:, None], len(glitches), axis=1)
    values[2_999] = glitches
    of = Window(len(glitches), scans * tenth_ns, tenth_ns, panes=panes)
    for n, row in enumerate(values):
        of.push(START_NS + n * tenth_ns, row)
        if n == 2_999:
            assert of.statistics().std[1:].min() > 1e9, "the glitch is in it"
    held = int(of.statistics().count[0])
    assert scans <= held <= scans + scans // PANES
    within = values[-held:, 0]
    mean = math.fsum(within) / held
    std = math.sqrt(math.fsum((within - mean) ** 2) / held)
    assert of.statistics().mean.tolist() == pytest.approx([mean] * len(glitches), rel=1e-14)
    assert of.statistics().std.tolist() == pytest.approx([std] * len(glitches), rel=1e-9)


@MODES
@given(histories(st.floats(-1e3, 1e3)), st.sampled_from([1e12, -1e15, 3.4e38, -1e150]))
def test_what_has_left_the_window_leaves_no_trace(panes: bool, history: History, glitch: float) -> None:
    of = Window(history.columns, history.windows_ns[0], history.period_ns, panes=panes)
    for n in range(5):
        push(of, START_NS - 2 * of.window_ns - (5 - n) * history.period_ns, [glitch] * history.columns)
    for n, (slot_ns, samples) in enumerate(history.scans):
        push(of, slot_ns, samples)
        assert_all_exact(of, history.scans[: n + 1], panes=panes)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("scans", [1, 2, 7, 60, 600])
@MODES
def test_no_scan_pays_for_a_turn(monkeypatch: pytest.MonkeyPatch, panes: bool, scans: int, columns: int) -> None:
    """One merge for the result and one of preparation each scan; a block's end brings two more, never a whole turn."""
    merges = 0
    original = summaries.merge

    def counted(*summaries: object) -> None:
        nonlocal merges
        merges += 1
        original(*summaries)  # type: ignore[arg-type]

    monkeypatch.setattr(blocks, "merge", counted)
    monkeypatch.setattr(window, "merge", counted)
    of, most = Window(columns, scans * SECOND_NS, SECOND_NS, panes=panes), 0
    for n in range(scans * 5 + 50):
        merges = 0
        push(of, START_NS + n * SECOND_NS, [1.0] * columns)
        most = max(most, merges if n > scans else 0)
    assert most <= 4


@pytest.mark.parametrize(("age_ns", "inside"), [(0, True), (2_499_999_999, True), (2_500_000_000, False), (2_500_000_001, False)])
def test_the_old_edge_is_out_and_the_new_edge_is_in(age_ns: int, inside: bool) -> None:
    of = Window(1, 2_500_000_000, SECOND_NS)
    if age_ns:
        push(of, START_NS - age_ns, [5.0])
    push(of, START_NS, [5.0 if age_ns == 0 else None])
    assert of.statistics().count[0] == inside


def test_a_window_of_panes_begins_on_a_boundary_at_most_a_sixtieth_earlier() -> None:
    of = Window(1, 600 * SECOND_NS, SECOND_NS, panes=True)
    counts = set()
    for n in range(3_000):
        push(of, START_NS + n * SECOND_NS, [1.0])
        if n > 700:
            counts.add(int(of.statistics().count[0]))
    assert counts == set(range(600, 610))


@MODES
@given(st.lists(st.tuples(st.integers(-3, 12), st.floats(-100, 100)), max_size=40))
def test_slots_that_are_not_after_the_newest_are_refused_counted_and_forgotten(
    panes: bool, scans: list[tuple[int, float]]
) -> None:
    of, refused = Window(1, 20 * SECOND_NS, SECOND_NS, panes=panes), 0
    taken: list[tuple[int, Row]] = []
    for second, value in scans:
        slot_ns = START_NS + second * SECOND_NS
        fresh = not taken or slot_ns > taken[-1][0]
        assert push(of, slot_ns, [value]) is fresh
        refused += not fresh
        if fresh:
            taken.append((slot_ns, [value]))
        assert_all_exact(of, taken, panes=panes)
    assert of.refused == refused


@MODES
def test_nothing_pushed_yet_has_no_statistics(panes: bool) -> None:
    of = Window(3, SECOND_NS, SECOND_NS, panes=panes)
    for _ in range(2):
        found = of.statistics()
        assert found.count.tolist() == [0, 0, 0]
        assert all(np.isnan(found.named(name)).all() for name in NAMES)
        push(of, START_NS, [None] * 3)


@MODES
def test_std_is_of_the_population_and_slope_is_per_minute(panes: bool) -> None:
    of = Window(1, 60 * SECOND_NS, 20 * SECOND_NS, panes=panes)
    for n, value in enumerate((1.0, 2.0, 3.0)):
        push(of, START_NS + n * 20 * SECOND_NS, [value])
    found = of.statistics()
    assert found.std[0] == pytest.approx((2 / 3) ** 0.5, rel=1e-15)
    assert found.slope[0] == pytest.approx(3.0, rel=1e-15)


@MODES
@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.integers(1, 70))
@example(0.1, 1e12, 3)
def test_a_signal_that_stands_still_has_its_value_as_mean_no_std_and_no_slope(
    panes: bool, value: float, before: float, count: int
) -> None:
    """Otherwise a signal that rests exactly on an inclusive bound is judged outside, by rounding alone."""
    of = Window(1, 40 * SECOND_NS, SECOND_NS, panes=panes)
    for n in range(-120, count):
        push(of, START_NS + n * SECOND_NS, [before if n < -41 else value])
    found = of.statistics()
    assert (found.mean[0], found.std[0], found.slope[0]) == (value, 0.0, 0.0)


@MODES
@given(histories(st.floats(-200, 200)))
@settings(deadline=None, max_examples=30)
def test_the_mean_lies_between_the_extremes(panes: bool, history: History) -> None:
    of = Window(history.columns, history.windows_ns[0], history.period_ns, panes=panes)
    for slot_ns, samples in history.scans:
        push(of, slot_ns, samples)
        found = of.statistics()
        some = found.count > 0
        assert (found.min[some] <= found.mean[some]).all()
        assert (found.mean[some] <= found.max[some]).all()


@MODES
@pytest.mark.parametrize("others", [[0.0, 1.0], [FLOAT_MAX, 1.0], [-FLOAT_MAX, FLOAT_MAX]])
def test_the_largest_floats_make_no_noise_and_leave(panes: bool, others: list[float]) -> None:
    """Some controllers send the largest double for "no value", with good status."""
    of = Window(1, 3 * SECOND_NS, SECOND_NS, panes=panes)
    for n, value in enumerate((FLOAT_MAX, *others)):
        push(of, START_NS + n * SECOND_NS, [value])
    found = of.statistics()
    assert (found.count[0], found.min[0], found.max[0]) == (3, min(FLOAT_MAX, *others), FLOAT_MAX)
    for n in range(3, 6):
        push(of, START_NS + n * SECOND_NS, [float(n)])
    assert of.statistics().mean[0] == 4.0


@MODES
@given(histories(HUGE))
def test_a_mean_of_the_largest_floats_is_right_or_there_is_none(panes: bool, history: History) -> None:
    """Their distance may be beyond the largest float. What is calm and has been so for a window's length has one again."""
    of = Window(history.columns, history.windows_ns[0], history.period_ns, panes=panes)
    for n, (slot_ns, samples) in enumerate(history.scans):
        push(of, slot_ns, samples)
        for at in range(history.columns):
            seen = [(time, row[at]) for time, row in history.scans[: n + 1]]
            assert_mean_or_none(of.statistics(), at, seen, reach_ns(of, slot_ns, panes=panes))
    for n in range(1, 4):
        push(of, history.scans[-1][0] + 3 * n * of.window_ns, [float(n)] * history.columns)
    assert of.statistics().mean.tolist() == [3.0] * history.columns


@MODES
def test_means_of_usual_samples_stay_while_a_neighbour_overflows(panes: bool) -> None:
    of = Window(3, 10 * SECOND_NS, SECOND_NS, panes=panes)
    for n in range(25):
        push(of, START_NS + n * SECOND_NS, [FLOAT_MAX if n % 2 else -FLOAT_MAX, 5.0, FLOAT_MAX if n == 3 else 1.0])
    assert np.isnan(of.statistics().mean[0])
    assert of.statistics().mean[1:].tolist() == [5.0, 1.0]


@MODES
@given(histories(st.one_of(st.floats(-1e3, 1e3), st.just(1e12))))
@settings(deadline=None, max_examples=30)
def test_columns_do_not_touch_each_other(panes: bool, history: History) -> None:
    """Whatever the neighbours are, bit for bit."""
    window_ns, period_ns = history.windows_ns[0], history.period_ns
    together = Window(history.columns, window_ns, period_ns, panes=panes)
    alone = [Window(1, window_ns, period_ns, panes=panes) for _ in range(history.columns)]
    for slot_ns, samples in history.scans:
        push(together, slot_ns, samples)
        for at, of in enumerate(alone):
            push(of, slot_ns, samples[at : at + 1])
            np.testing.assert_array_equal(together.results[:, at], of.results[:, 0])


@MODES
@given(st.integers(0, 10**9), st.sampled_from([2, 10, 33, 60]))
@settings(deadline=None, max_examples=4)
def test_a_large_group_has_the_figures_of_a_small_one(panes: bool, seed: int, seconds: int) -> None:
    """It goes another way through the summaries, one after the other instead of at once; bit for bit the same."""
    times = FEW_COLUMNS // 2 + 1
    small, large = (Window(columns, seconds * SECOND_NS, SECOND_NS, panes=panes) for columns in (2, 2 * times))
    for slot_ns, samples in plant(seed):
        push(small, slot_ns, samples)
        push(large, slot_ns, list(samples) * times)
        np.testing.assert_array_equal(large.results, np.tile(small.results, times))


def test_results_are_written_where_they_are_wanted() -> None:
    out = np.full((5, 2), np.nan)
    of = Window(2, 10 * SECOND_NS, SECOND_NS, out=out)
    push(of, START_NS, [1.0, 2.0])
    assert out[0].tolist() == [1.0, 2.0]
    assert isinstance(of.statistics(), Statistics)
    assert exact([(START_NS, 1.0)], 1).count == of.count
