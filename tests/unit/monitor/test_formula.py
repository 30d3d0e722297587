"""An expression computed for many units at once equals plain arithmetic on each, with what is not known left so."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.formula import Formula
from config.expressions.read import read
from config.expressions.tree import (
    Both,
    Calculation,
    Comparison,
    Either,
    Function,
    Negative,
    Not,
    Number,
    Operand,
    Tree,
    is_condition,
    operands,
)
from tests.unit.config.expression_texts import conditions, numbers

Plain = float | bool | None
_CALCULATE: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def plain(tree: Tree, given_: Mapping[Operand, float | None]) -> Plain:  # noqa: PLR0911
    """One unit, one step after the other; None is not known."""
    match tree:
        case Number(value):
            return value
        case Operand():
            return given_[tree]
        case Negative(of):
            number = plain(of, given_)
            return None if number is None else -number
        case Not(of):
            condition = plain(of, given_)
            return None if condition is None else not condition
        case Function(name, of):
            parts = [part for each in of if (part := plain(each, given_)) is not None]
            if len(parts) < len(of):
                return None
            return abs(parts[0]) if name == "abs" else min(parts) if name == "least" else max(parts)
        case Calculation(sign, left, right):
            a, b = plain(left, given_), plain(right, given_)
            if a is None or b is None or (sign == "/" and b == 0):
                return None
            result = a / b if sign == "/" else _CALCULATE[sign](a, b)
            return result if math.isfinite(result) else None
        case Comparison(sign, left, right):
            a, b = plain(left, given_), plain(right, given_)
            return None if a is None or b is None else bool(_COMPARE[sign](a, b))
        case Both(left, right) | Either(left, right):
            sides = [plain(left, given_), plain(right, given_)]
            decides = isinstance(tree, Either)
            if decides in sides:
                return decides
            return None if None in sides else not decides


@given(st.one_of(numbers, conditions), st.data())
def test_many_units_at_once_are_each_computed_as_alone(tree: Tree, data: st.DataObject) -> None:
    formula = Formula.of(tree)
    assert formula.operands == operands(tree) and formula.is_condition == is_condition(tree)
    some = st.one_of(st.none(), st.floats(-1e3, 1e3), st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324]))
    units = data.draw(st.integers(1, 4))
    rows = [[data.draw(some) for _ in range(units)] for _ in formula.operands]
    values = np.array([[math.nan if x is None else x for x in row] for row in rows], np.float64).reshape(-1, units)
    known = np.array([[x is not None for x in row] for row in rows], np.bool_).reshape(-1, units)
    found, sure = formula.evaluate(values, known)
    for unit in range(units):
        expected = plain(tree, {each: row[unit] for each, row in zip(formula.operands, rows, strict=True)})
        assert bool(sure[unit]) == (expected is not None)
        if expected is not None:
            assert found[unit] == expected


def test_what_is_not_known_is_never_used() -> None:
    formula = Formula.of(read("a - b <= 60"))
    values = np.array([[100.0, 1e12, np.nan, 120.0], [50.0, 0.0, 0.0, 50.0]])
    found, sure = formula.evaluate(values, np.array([[True, False, True, True], [True, True, True, True]]))
    assert sure.tolist() == [True, False, False, True]
    assert found[[0, 3]].tolist() == [True, False]


@pytest.mark.parametrize("text", ["a / b", "1e308 * a * 1e308", "a / (b - b)"])
def test_what_has_no_finite_result_is_not_known(text: str) -> None:
    formula = Formula.of(read(text))
    rows = len(formula.operands)
    _, sure = formula.evaluate(np.array([[2.0], [0.0]])[:rows], np.ones((rows, 1), np.bool_))
    assert not sure[0]
