"""Expressions are read as a person means them, and what is none is told where it goes wrong."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from config.expressions.read import DEEPEST, LONGEST, ExpressionError, read
from config.expressions.tree import (
    Both,
    Calculation,
    Comparison,
    Either,
    Negative,
    Not,
    Number,
    Operand,
    Tree,
    is_condition,
    operands,
)
from tests.unit.config.expression_texts import conditions, numbers, text_of

A, B, C = Operand("a"), Operand("b"), Operand("c")


@given(st.one_of(numbers, conditions))
def test_what_is_written_is_read(tree: Tree) -> None:
    text = text_of(tree)
    assume(len(text) <= LONGEST)
    assert read(text) == tree
    assert read(f"  {text.replace(' - ', '  -   ')}\n") == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a - b - c", Calculation("-", Calculation("-", A, B), C)),
        ("a + b * c", Calculation("+", A, Calculation("*", B, C))),
        ("-a * b", Calculation("*", Negative(A), B)),
        ("a - -1", Calculation("-", A, Number(-1.0))),
        ("a <= b + c", Comparison("<=", A, Calculation("+", B, C))),
        ("1 <= a < b", Both(Comparison("<=", Number(1.0), A), Comparison("<", A, B))),
        ("not a < b and b < c", Both(Not(Comparison("<", A, B)), Comparison("<", B, C))),
        (
            "a < 1 or b < 1 and c < 1",
            Either(Comparison("<", A, Number(1.0)), Both(Comparison("<", B, Number(1.0)), Comparison("<", C, Number(1.0)))),
        ),
        ("slope([R-202].a, 120)", Operand("a", "R-202", "slope", 120.0)),
        ("1.5e-3", Number(0.0015)),
    ],
)
def test_precedence_is_the_usual_one(text: str, tree: Tree) -> None:
    assert read(text) == tree


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the end: a number, a role or a bracket was expected"),
        ("a +", "the end: a number, a role or a bracket was expected"),
        ("a b", "'b' at character 3: an operator was expected before it"),
        ("(a", "the end: ')' was expected"),
        ("a = 3", "'= 3' at character 3: use == to compare"),
        ("a & b", "'& b' at character 3: it means nothing here"),
        ("3x", "'3x' at character 1: it means nothing here"),
        ("1e999", "'1e999' at character 1: this number is too large"),
        ("(a < b) + 1", "'(' at character 1: a number was expected, not a condition"),
        ("a and b < c", "'a' at character 1: a condition was expected, not a number"),
        ("not a", "'a' at character 5: a condition was expected, not a number"),
        ("(a < b) < c", "'(' at character 1: a number was expected, not a condition"),
        ("meam(a, 60)", "'meam' at character 1: no function; did you mean 'mean'?; there are mean, min"),
        ("mean(a)", "'mean' at character 1: it takes a role and a window in seconds, as mean(product_temperature, 60)"),
        ("mean(a, -1)", "it takes a role and a window in seconds"),
        ("mean(a + b, 60)", "it takes a role and a window in seconds"),
        ("min(a, b)", "of several numbers write least(a, b)"),
        ("abs(a, b)", "'abs' at character 1: it takes one number"),
        ("least(a)", "'least' at character 1: it takes two numbers or more"),
        ("[R-202].1", "'1' at character 9: a role was expected after the unit"),
        ("__import__('os')", "\"'os')\" at character 12: it means nothing here"),
        ("a.b", "'.b' at character 2: it means nothing here"),
        ("a ** 2", "'*' at character 4: a number, a role or a bracket was expected"),
    ],
)
def test_what_is_no_expression_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read(text)
    assert told in str(caught.value)


@given(st.text(alphabet="ab 1.()<>=+-*/,[]andornot\n\t'\\", max_size=60))
def test_nothing_but_an_expression_or_a_fault_comes_of_a_text(text: str) -> None:
    try:
        tree = read(text)
    except ExpressionError:
        return
    assert read(text_of(tree)) == tree or "-" in text
    assert is_condition(tree) in (True, False)


def test_depth_and_length_are_bounded() -> None:
    assert read("(" * DEEPEST + "a" + ")" * DEEPEST) == A
    for text in ("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), "-" * 100 + "a", "not " * 100 + "a < b", "abs(" * 60 + "a"):
        with pytest.raises(ExpressionError, match="deep"):
            read(text)
    with pytest.raises(ExpressionError, match="1000 characters"):
        read("a" * 1001)
    assert len(operands(read("a+" * 499 + "a"))) == 1


def test_each_operand_is_named_once_in_order() -> None:
    tree = read("mean(a, 60) - a < [R-202].a and a > 0")
    assert operands(tree) == (Operand("a", None, "mean", 60.0), A, Operand("a", "R-202"))
