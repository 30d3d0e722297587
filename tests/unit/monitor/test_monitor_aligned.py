"""Rows begin on a line of the cache, and what is short stays one stretch."""

from __future__ import annotations

import pytest

from collector.monitor.aligned import LINE_BYTES, aligned


@pytest.mark.parametrize("columns", [513, 1_000, 10_001])
def test_every_long_row_begins_on_a_line(columns: int) -> None:
    rows = aligned(3, 5, columns)
    assert rows.shape == (3, 5, columns)
    assert {row.ctypes.data % LINE_BYTES for place in rows for row in place} == {0}


@pytest.mark.parametrize("columns", [1, 7, 100, 512])
def test_short_rows_are_one_stretch_that_begins_on_a_line(columns: int) -> None:
    rows = aligned(3, 5, columns)
    assert rows.shape == (3, 5, columns)
    assert rows.flags.c_contiguous
    assert rows.ctypes.data % LINE_BYTES == 0


def test_rows_do_not_overlap() -> None:
    rows = aligned(4, 1_001)
    for n, row in enumerate(rows):
        row.fill(n)
    assert [(row.min(), row.max()) for row in rows] == [(n, n) for n in range(4)]
