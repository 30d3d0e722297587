"""What an expression is made of. A tree is either a number or a condition in each of its nodes, never both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Statistic = Literal["value", "mean", "min", "max", "std", "slope"]
Arithmetic = Literal["+", "-", "*", "/"]
Order = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True, slots=True)
class Operand:
    """A role's newest value, or its statistic over the last `window_s`; of the rule's own unit where `unit` is None."""

    role: str
    unit: str | None = None
    statistic: Statistic = "value"
    window_s: float | None = None


@dataclass(frozen=True, slots=True)
class Negative:
    """−of."""

    of: Tree


@dataclass(frozen=True, slots=True)
class Calculation:
    """Two numbers to one."""

    sign: Arithmetic
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Function:
    """`abs` of one, `least` or `greatest` of several numbers."""

    name: Literal["abs", "least", "greatest"]
    of: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on two numbers."""

    sign: Order
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    of: Tree


@dataclass(frozen=True, slots=True)
class Both:
    """Both conditions."""

    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of two conditions."""

    left: Tree
    right: Tree


Tree = Number | Operand | Negative | Calculation | Function | Comparison | Not | Both | Either


def is_condition(tree: Tree) -> bool:
    """Whether it is true or false, rather than a number."""
    return isinstance(tree, Comparison | Not | Both | Either)


def operands(tree: Tree) -> tuple[Operand, ...]:
    """Every operand once, in the order of the text."""
    return tuple(dict.fromkeys(_operands(tree)))


def _operands(tree: Tree) -> Iterator[Operand]:
    match tree:
        case Operand():
            yield tree
        case Negative(of) | Not(of):
            yield from _operands(of)
        case Function(_, of):
            for each in of:
                yield from _operands(each)
        case Calculation(_, left, right) | Comparison(_, left, right) | Both(left, right) | Either(left, right):
            yield from _operands(left)
            yield from _operands(right)
