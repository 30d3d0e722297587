"""Time outside limits, against counting interval by interval in whole nanoseconds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.outside import TimeOutside
from tests.unit.monitor.judged import BAD_VALUE, SECOND_NS, START_NS

SAMPLE = st.one_of(st.integers(-2, 12).map(float), st.none())
STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, SECOND_NS // 2, SECOND_NS, SECOND_NS, 2 * SECOND_NS, 9 * SECOND_NS]), st.tuples(SAMPLE, SAMPLE)
    ),
    max_size=40,
)
LOW, HIGH = (0.0, -np.inf), (10.0, 5.0)


@given(STEPS, st.sampled_from([SECOND_NS, 5 * SECOND_NS, 12 * SECOND_NS + 1]))
@settings(deadline=None)
def test_each_good_sample_answers_for_the_time_since_the_scan_before(
    steps: list[tuple[int, tuple[float | None, ...]]], window_ns: int
) -> None:
    outside = TimeOutside(window_ns, SECOND_NS, np.array(LOW), np.array(HIGH))
    slot_ns, was_out, counted = START_NS, [False, False], list[tuple[int, int, int]]()
    for n, (elapsed_ns, row) in enumerate(steps):
        slot_ns += elapsed_ns
        bad = np.flatnonzero([value is None for value in row])
        values = np.array([BAD_VALUE if value is None else value for value in row])
        outside.push(slot_ns, values, bad if len(bad) else None)
        for at, value in enumerate(row):
            if value is not None:
                if was_out[at] and n:
                    counted.append((slot_ns, at, min(elapsed_ns, 3 * SECOND_NS)))
                was_out[at] = value < LOW[at] or value > HIGH[at]
        within = [sum(ns for slot, at, ns in counted if at == column and slot > slot_ns - window_ns) for column in (0, 1)]
        assert outside.total_ns.tolist() == within
        np.testing.assert_allclose(outside.seconds, np.array(within) / 1e9, rtol=1e-15)


def test_exchanged_limits_judge_what_comes_after() -> None:
    outside = TimeOutside(60 * SECOND_NS, SECOND_NS, np.array([0.0]), np.array([10.0]))
    for n in range(10):
        if n == 5:
            outside.limits = (np.array([0.0]), np.array([30.0]))
        outside.push(START_NS + n * SECOND_NS, np.array([20.0]))
    assert outside.seconds[0] == 5.0
