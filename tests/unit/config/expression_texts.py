"""Random expressions as trees, and the text that a person would write for each: brackets around every part."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

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
)

ROLES = ("t", "jacket_temperature", "p2", "Größe")
UNITS = (None, "R-201", "Vessel 3")
leaves: st.SearchStrategy[Any] = st.one_of(
    st.floats(0, 1e6).map(Number),
    st.builds(Operand, st.sampled_from(ROLES), st.sampled_from(UNITS)),
    st.builds(
        Operand,
        st.sampled_from(ROLES),
        st.sampled_from(UNITS),
        st.sampled_from(["mean", "min", "max", "std", "slope"]),
        st.sampled_from([1.0, 60.0, 0.5]),
    ),
)


def _larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(Calculation, st.sampled_from("+-*/"), inner, inner),
        inner.filter(lambda tree: not isinstance(tree, Number)).map(Negative),
        inner.map(lambda of: Function("abs", (of,))),
        st.builds(Function, st.sampled_from(["least", "greatest"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    )


numbers: st.SearchStrategy[Any] = st.recursive(leaves, _larger, max_leaves=6)
comparisons: st.SearchStrategy[Any] = st.builds(Comparison, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers, numbers)
conditions: st.SearchStrategy[Any] = st.recursive(
    comparisons,
    lambda inner: st.one_of(st.builds(Both, inner, inner), st.builds(Either, inner, inner), inner.map(Not)),
    max_leaves=4,
)


def text_of(tree: Tree) -> str:  # noqa: PLR0911  one for each kind
    match tree:
        case Number(value):
            return repr(value)
        case Operand(role, unit, statistic, window_s):
            place = f"[{unit}].{role}" if unit else role
            return place if statistic == "value" else f"{statistic}({place}, {window_s})"
        case Negative(of):
            return f"-({text_of(of)})"
        case Not(of):
            return f"not ({text_of(of)})"
        case Function(name, of):
            return f"{name}({', '.join(map(text_of, of))})"
        case Calculation(sign, left, right) | Comparison(sign, left, right):
            return f"({text_of(left)}) {sign} ({text_of(right)})"
        case Both(left, right):
            return f"({text_of(left)}) and ({text_of(right)})"
        case Either(left, right):
            return f"({text_of(left)}) or ({text_of(right)})"
