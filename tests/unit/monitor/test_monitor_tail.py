"""The tail against exact rational arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.tail import Tail
from tests.unit.monitor.judged import BAD_VALUE, SECOND_NS
from tests.unit.monitor.past import HUGE, NAMES, History, assert_exact, assert_mean_or_none, histories


def push(tail: Tail, slot_ns: int, values: Sequence[float | None]) -> bool:
    good = np.array([value is not None for value in values])
    return tail.push(slot_ns, np.array([BAD_VALUE if value is None else value for value in values]), good)


@given(histories())
def test_every_statistic_is_that_of_exact_arithmetic_after_every_scan(history: History) -> None:
    window_ns = history.windows_ns[0]
    tail, seen = Tail(history.columns, window_ns, history.period_ns), list[tuple[int, tuple[float | None, ...]]]()
    for slot_ns, samples in history.scans:
        assert push(tail, slot_ns, samples)
        seen.append((slot_ns, samples))
        for at in range(history.columns):
            assert_exact(tail.statistics(), at, [(time, row[at]) for time, row in seen], window_ns)
    assert tail.refused == 0


@given(st.lists(st.tuples(st.integers(-3, 12), st.floats(-100, 100)), max_size=40))
def test_slots_that_are_not_after_the_newest_are_refused_counted_and_forgotten(scans: list[tuple[int, float]]) -> None:
    tail, refused = Tail(1, 20 * SECOND_NS, SECOND_NS), 0
    taken: list[tuple[int, float | None]] = []
    for second, value in scans:
        slot_ns = second * SECOND_NS
        fresh = not taken or slot_ns > taken[-1][0]
        assert push(tail, slot_ns, [value]) is fresh
        refused += not fresh
        if fresh:
            taken.append((slot_ns, value))
        assert_exact(tail.statistics(), 0, taken, 20 * SECOND_NS)
    assert tail.refused == refused


@given(histories(HUGE))
def test_the_largest_floats_have_a_mean(history: History) -> None:
    """Their sum is beyond the largest float."""
    window_ns = history.windows_ns[0]
    tail = Tail(history.columns, window_ns, history.period_ns)
    for n, (slot_ns, samples) in enumerate(history.scans):
        push(tail, slot_ns, samples)
        for at in range(history.columns):
            found, seen = tail.statistics(), [(time, row[at]) for time, row in history.scans[: n + 1]]
            assert assert_mean_or_none(found, at, seen, window_ns) is bool(found.count[at])


def test_nothing_pushed_yet_has_no_statistics() -> None:
    found = Tail(3, SECOND_NS, SECOND_NS).statistics()
    assert found.count.tolist() == [0, 0, 0]
    assert all(np.isnan(found.named(name)).all() for name in NAMES)
