"""Quiet bands against rules taken one by one: whatever the levels, deadbands and jumps, the same rules change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.monitor.bands import QuietBands
from tests.thorough import examples

CELLS = 3
GRID = st.integers(-8, 40).map(lambda n: n / 4)


@dataclass(slots=True)
class Plain:
    """One rule: beyond the level is outside; inside again where it is no longer beyond `back`."""

    cell: int
    high: bool
    level: float
    back: float
    outside: bool

    def changes(self, value: float) -> bool:
        bound = self.back if self.outside else self.level
        beyond = value > bound if self.high else value < bound
        changed, self.outside = beyond != self.outside, beyond
        return changed


@st.composite
def rules(draw: st.DrawFn) -> list[Plain]:
    drawn = draw(
        st.lists(st.tuples(st.integers(0, CELLS - 1), st.booleans(), GRID, st.sampled_from([0.0, 0.25, 3.0])), max_size=16)
    )
    return [
        Plain(cell, high, level, level - deadband if high else level + deadband, draw(st.booleans()))
        for cell, high, level, deadband in drawn
    ]


def bands_of(plain: list[Plain], apart: int = 1) -> QuietBands:
    return QuietBands(
        CELLS * apart,
        np.array([rule.cell * apart for rule in plain], np.intp),
        np.array([rule.high for rule in plain], np.bool_),
        np.array([rule.level for rule in plain]),
        np.array([rule.back for rule in plain]),
        np.array([rule.outside for rule in plain], np.bool_),
    )


VALUE = st.one_of(GRID, GRID, st.sampled_from([np.nan, np.inf, -np.inf]))
STEPS = st.lists(st.tuples(st.tuples(*[VALUE] * CELLS), st.one_of(st.none(), st.tuples(*[st.booleans()] * CELLS))), max_size=30)


@given(rules(), STEPS, st.sampled_from([1, 5_000]), st.booleans())
@settings(max_examples=examples(100))
def test_the_rules_that_change_are_those_of_one_by_one(
    plain: list[Plain], steps: list[tuple[tuple[float, ...], tuple[bool, ...] | None]], apart: int, same_array: bool
) -> None:
    """Cells that stand apart are compared apart; the values come in the same array, or each time in another."""
    bands, array = bands_of(plain, apart), np.zeros(CELLS * apart)
    for values, known in steps:
        array = array if same_array else array.copy()
        array[::apart] = values
        told = bands.step(array, None if known is None else np.repeat(known, apart)).tolist()
        judged = [not np.isnan(values[rule.cell]) and (known is None or known[rule.cell]) for rule in plain]
        assert told == [n for n, rule in enumerate(plain) if judged[n] and rule.changes(values[rule.cell])]
        assert bands.outside.tolist() == [rule.outside for rule in plain]


def test_a_level_is_inside_and_the_next_float_beyond_it_is_not() -> None:
    bands = bands_of([Plain(0, high=True, level=10.0, back=9.9, outside=False)])
    steps = [10.0, float(np.nextafter(10.0, 11.0)), 10.0, float(np.nextafter(9.9, 11.0)), 9.9, 10.0]
    assert [bands.step(np.array([value, 0.0, 0.0])).tolist() for value in steps] == [[], [0], [], [], [0], []]
