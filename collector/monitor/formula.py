"""Computes an expression for many units at once: operands `[m, n]` in, one number or condition per unit `[n]` out.

What is not known stays not known: a number from an operand that can't be evaluated, a division by zero, an overflow.
Conditions are Kleene's: `false and unknown` is false, `true or unknown` is true, all else with an unknown part is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

Known = NDArray[np.bool_]
Found = tuple[NDArray[Any], Known]
"""Values (float64, or bool of a condition) and which of them are known, each `[n]`; unknown ones mean nothing."""
_Step = Callable[[NDArray[np.float64], Known], Found]

_CALCULATIONS = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
_ORDERS = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression ready to be computed."""

    operands: tuple[Operand, ...]
    """What it is computed from, in the order of the rows that `evaluate` takes."""
    is_condition: bool
    _step: _Step

    @classmethod
    def of(cls, tree: Tree) -> Formula:
        """Of a tree that `config.expressions.read` made."""
        needed = operands(tree)
        return cls(needed, is_condition(tree), _step(tree, {each: row for row, each in enumerate(needed)}))

    def evaluate(self, values: NDArray[np.float64], known: Known) -> Found:
        """`values` and `known` are `[m, n]`: a row per operand, a column per unit. Values that are not known are not used."""
        with np.errstate(all="ignore"):
            return self._step(values, known)


def _step(tree: Tree, row_of: dict[Operand, int]) -> _Step:
    def part(of: Tree) -> _Step:
        return _step(of, row_of)

    match tree:
        case Number(value):
            step = _number(value)
        case Operand():
            step = _operand(row_of[tree])
        case Negative(of):
            step = _changed(np.negative, part(of))
        case Not(of):
            step = _changed(np.logical_not, part(of))
        case Function("abs", (of,)):
            step = _changed(np.abs, part(of))
        case Function(name, of):
            step = _chosen(np.minimum if name == "least" else np.maximum, [part(each) for each in of])
        case Calculation(sign, left, right):
            step = _combined(_CALCULATIONS[sign], part(left), part(right))
        case Comparison(sign, left, right):
            step = _combined(_ORDERS[sign], part(left), part(right))
        case Both(left, right):
            step = _joined(part(left), part(right), decides=False)
        case Either(left, right):
            step = _joined(part(left), part(right), decides=True)
    return step


def _number(value: float) -> _Step:
    return lambda values, known: (np.full(known.shape[1], value), np.ones(known.shape[1], np.bool_))


def _operand(row: int) -> _Step:
    return lambda values, known: (values[row], known[row] & np.isfinite(values[row]))


def _changed(change: np.ufunc, of: _Step) -> _Step:
    def step(values: NDArray[np.float64], known: Known) -> Found:
        value, sure = of(values, known)
        return change(value), sure

    return step


def _combined(combine: np.ufunc, left: _Step, right: _Step) -> _Step:
    def step(values: NDArray[np.float64], known: Known) -> Found:
        (a, a_known), (b, b_known) = left(values, known), right(values, known)
        value = combine(a, b)
        return value, a_known & b_known & np.isfinite(value)

    return step


def _chosen(choose: np.ufunc, of: list[_Step]) -> _Step:
    def step(values: NDArray[np.float64], known: Known) -> Found:
        found = [each(values, known) for each in of]
        return choose.reduce([value for value, _ in found]), np.logical_and.reduce([sure for _, sure in found])

    return step


def _joined(left: _Step, right: _Step, *, decides: bool) -> _Step:
    """`and`, which one false decides; `or`, which one true decides."""

    def step(values: NDArray[np.float64], known: Known) -> Found:
        (a, a_known), (b, b_known) = left(values, known), right(values, known)
        decided = (a_known & (a == decides)) | (b_known & (b == decides))
        return decided if decides else ~decided, decided | (a_known & b_known)

    return step
