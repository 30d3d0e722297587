"""A cursor against the plain set of rows that it stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.cursors import Cursor, Stretch

MOST = 40
STRETCHES = st.tuples(st.integers(0, MOST - 1), st.integers(1, MOST)).map(
    lambda pair: Stretch(pair[0], max(pair[0] + 1, pair[1]))
)


def rows(stretch: Stretch) -> set[int]:
    return set(range(stretch.after + 1, stretch.until + 1))


def settled_rows(cursor: Cursor) -> set[int]:
    return rows(Stretch(0, cursor.seq)) - {row for each in cursor.behind for row in rows(each)}


@given(st.lists(STRETCHES, max_size=20))
def test_rows_are_settled_once_in_any_order(stretches: list[Stretch]) -> None:
    """A stretch of which any row is settled is refused; every other adds its rows, and no other."""
    cursor, model = Cursor(), set[int]()
    for stretch in stretches:
        if rows(stretch) & model:
            with pytest.raises(ValueError, match="settled already"):
                cursor.settled(stretch, 1, 0)
            continue
        cursor = cursor.settled(stretch, len(rows(stretch)) - 1, 1)
        model |= rows(stretch)
        assert settled_rows(cursor) == model
        assert cursor.accepted + cursor.dead_lettered == len(model)
        edges = [edge for each in cursor.behind for edge in (each.after, each.until)]
        assert edges == sorted(set(edges)), "ascending, apart, none empty"
        assert not edges or edges[-1] < cursor.seq


def test_letters_that_are_taken_up_are_accepted() -> None:
    assert Cursor(9, 5, 4, (Stretch(1, 2),)).taken_up(3) == Cursor(9, 8, 1, (Stretch(1, 2),))
