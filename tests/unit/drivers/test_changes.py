"""When a change between two slots was: by its own stamp where that can be, and of each tag one after the other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Changes

SLOT_NS, PERIOD_NS = 1_795_342_831_000_000_000, 1_000_000_000
STAMPS = st.one_of(
    st.integers(SLOT_NS - PERIOD_NS - 3, SLOT_NS + 3),
    st.sampled_from([0, -1, 2**62, SLOT_NS, SLOT_NS - 1, SLOT_NS - PERIOD_NS, SLOT_NS - PERIOD_NS + 1]),
)


def times(rows: list[tuple[int, int]]) -> list[int]:
    n = len(rows)
    columns, stamps = (np.array([row[at] for row in rows], np.int64) for at in (0, 1))
    changes = Changes(columns.astype(np.int32), stamps, np.zeros(n), np.zeros(n, np.uint32))
    return [int(time) for time in changes.times_ns(SLOT_NS, PERIOD_NS)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), STAMPS), min_size=1, max_size=12))
def test_every_change_is_between_the_slots_and_after_the_one_before_it(rows: list[tuple[int, int]]) -> None:
    found = times(rows)
    assert all(SLOT_NS - PERIOD_NS < time < SLOT_NS for time in found)
    for column in range(4):
        of_column = [time for time, (at, _) in zip(found, rows, strict=True) if at == column]
        assert all(one < other for one, other in pairwise(of_column))


@settings(deadline=None)
@given(st.lists(st.integers(SLOT_NS - PERIOD_NS + 1, SLOT_NS - 1), min_size=1, max_size=8, unique=True).map(sorted))
def test_stamps_that_can_be_are_kept(stamps: list[int]) -> None:
    assert times([(0, stamp) for stamp in stamps] + [(1, stamp) for stamp in stamps]) == stamps * 2


def test_stamps_that_can_not_be_are_moved_no_further_than_needed() -> None:
    first, last = SLOT_NS - PERIOD_NS + 1, SLOT_NS - 1
    assert times([(0, 0), (0, 0), (0, SLOT_NS - 500)]) == [first, first + 1, SLOT_NS - 500]
    assert times([(0, SLOT_NS - 500), (0, SLOT_NS), (0, SLOT_NS + 10**12)]) == [SLOT_NS - 500, last - 1, last]
    assert times([(0, SLOT_NS - 300), (0, SLOT_NS - 500)]) == [SLOT_NS - 300, SLOT_NS - 299]
