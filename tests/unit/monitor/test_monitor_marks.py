"""Marked cells are found, few or many, on one side or both."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.marks import MANY, Marks

CELLS = 2 * MANY
SIDE = st.one_of(st.sets(st.integers(0, CELLS - 1), max_size=4), st.integers(0, CELLS).map(lambda n: set(range(n))))


@given(st.lists(st.tuples(SIDE, SIDE), max_size=3))
@settings(deadline=None)
def test_cells_with_a_mark_are_told_in_order_whatever_was_marked_before(rounds: list[tuple[set[int], set[int]]]) -> None:
    marks, at = Marks(CELLS), np.arange(CELLS)
    assert not marks.any()
    for below, above in rounds:
        np.copyto(marks.below, np.isin(at, list(below)))
        np.copyto(marks.above, np.isin(at, list(above)))
        assert marks.any() is bool(below | above)
        assert marks.places().tolist() == sorted(below | above)
