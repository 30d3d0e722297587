"""An expression's text to its tree, by precedence climbing.

    or  <  and  <  not  <  comparison (may be chained: 60 <= x <= 70)  <  + -  <  * /  <  − (sign)  <  ( )

    product_temperature                role of the rule's own unit
    [R-202].product_temperature        role of another unit
    slope(product_temperature, 120)    statistic (mean, min, max, std, slope) over the last 120 s
    abs(x)  least(x, y)  greatest(x, y)

There is no other name, no text, no power, no way to write anything: an expression can only be computed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast, get_args

from config.expressions.tree import (
    Arithmetic,
    Both,
    Calculation,
    Comparison,
    Either,
    Function,
    Negative,
    Not,
    Number,
    Operand,
    Order,
    Statistic,
    Tree,
    is_condition,
)
from config.faults import did_you_mean

LONGEST = 1000
DEEPEST = 50
_STATISTICS = tuple(each for each in get_args(Statistic) if each != "value")
_FUNCTIONS = ("abs", "least", "greatest")
_ORDERS = get_args(Order)
_WORD = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?!\w)|(?P<name>[^\W\d]\w*)"
    r"|(?P<unit>\[[^\[\]]+\]\s*\.)|(?P<sign><=|>=|==|!=|[-+*/()<>,]))"
)


class ExpressionError(ValueError):
    """What is wrong, and where in the text."""


@dataclass(frozen=True, slots=True)
class _Word:
    kind: str
    text: str
    at: int


def read(text: str) -> Tree:
    """The tree of `text`. Raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression has at most {LONGEST} characters, this one has {len(text)}")
    return _Reader(text).whole()


def _words(text: str) -> list[_Word]:
    words, at = [], 0
    while text[at:].strip():
        found = _WORD.match(text, at)
        if found is None:
            begin = at + len(text[at:]) - len(text[at:].lstrip())
            what = "use == to compare" if text[begin] == "=" else "it means nothing here"
            raise ExpressionError(f"{text[begin : begin + 10]!r} at character {begin + 1}: {what}")
        kind = cast(str, found.lastgroup)
        words.append(_Word(kind, found[kind], found.start(kind)))
        at = found.end()
    return [*words, _Word("end", "", len(text))]


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._words, self._at, self._depth = text, _words(text), 0, 0

    def whole(self) -> Tree:
        """The tree of all words."""
        tree = self._either()
        if self._word.kind != "end":
            raise self._fault("an operator was expected before it")
        return tree

    @property
    def _word(self) -> _Word:
        return self._words[self._at]

    def _fault(self, why: str, word: _Word | None = None) -> ExpressionError:
        word = word or self._word
        what = f"{word.text!r} at character {word.at + 1}" if word.kind != "end" else "the end"
        return ExpressionError(f"{what}: {why}")

    def _takes(self, *texts: str) -> str | None:
        """The next word where it is one of `texts`."""
        if self._word.kind not in ("sign", "name") or self._word.text not in texts:
            return None
        self._at += 1
        return self._words[self._at - 1].text

    def _needs(self, text: str) -> None:
        if not self._takes(text):
            raise self._fault(f"{text!r} was expected")

    def _either(self) -> Tree:
        return self._joined("or", self._both, Either)

    def _both(self) -> Tree:
        return self._joined("and", self._opposite, Both)

    def _joined(self, sign: str, part: Callable[[], Tree], join: Callable[[Tree, Tree], Tree]) -> Tree:
        word, tree = self._word, part()
        while self._takes(sign):
            self._must_be(tree, word, condition=True)
            word, right = self._word, part()
            self._must_be(right, word, condition=True)
            tree = join(tree, right)
        return tree

    def _opposite(self) -> Tree:
        if not self._takes("not"):
            return self._comparison()
        with_depth, word = self._deeper(), self._word
        tree = self._opposite()
        self._depth = with_depth
        self._must_be(tree, word, condition=True)
        return Not(tree)

    def _comparison(self) -> Tree:
        word, left = self._word, self._sum()
        tree: Tree | None = None
        while order := self._takes(*_ORDERS):
            self._must_be(left, word, condition=False)
            word, right = self._word, self._sum()
            self._must_be(right, word, condition=False)
            compared = Comparison(cast(Order, order), left, right)
            tree, left = compared if tree is None else Both(tree, compared), right
        return tree or left

    def _sum(self) -> Tree:
        return self._calculated(("+", "-"), self._product)

    def _product(self) -> Tree:
        return self._calculated(("*", "/"), self._signed)

    def _calculated(self, signs: tuple[str, str], part: Callable[[], Tree]) -> Tree:
        word, tree = self._word, part()
        while sign := self._takes(*signs):
            self._must_be(tree, word, condition=False)
            word, right = self._word, part()
            self._must_be(right, word, condition=False)
            tree = Calculation(cast(Arithmetic, sign), tree, right)
        return tree

    def _signed(self) -> Tree:
        if not self._takes("-"):
            return self._single()
        before, word = self._deeper(), self._word
        tree = self._signed()
        self._depth = before
        self._must_be(tree, word, condition=False)
        return Number(-tree.value) if isinstance(tree, Number) else Negative(tree)

    def _single(self) -> Tree:
        word = self._word
        if word.kind == "number":
            self._at += 1
            return self._number(word)
        if self._takes("("):
            before = self._deeper()
            tree = self._either()
            self._needs(")")
            self._depth = before
            return tree
        if word.kind == "unit":
            self._at += 1
            if self._word.kind != "name":
                raise self._fault("a role was expected after the unit")
            self._at += 1
            return Operand(self._words[self._at - 1].text, word.text.rstrip(" .\t")[1:-1].strip())
        if word.kind != "name" or word.text in ("and", "or", "not"):
            raise self._fault("a number, a role or a bracket was expected")
        self._at += 1
        return self._called(word) if self._word.text == "(" else Operand(word.text)

    def _number(self, word: _Word) -> Number:
        value = float(word.text)
        if not math.isfinite(value):
            raise self._fault("this number is too large", word)
        return Number(value)

    def _deeper(self) -> int:
        before = self._depth
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._fault(f"brackets and signs are more than {DEEPEST} deep")
        return before

    def _called(self, name: _Word) -> Tree:
        if name.text not in (*_STATISTICS, *_FUNCTIONS):
            known = ", ".join((*_STATISTICS, *_FUNCTIONS))
            raise self._fault(f"no function{did_you_mean(name.text, (*_STATISTICS, *_FUNCTIONS))}; there are {known}", name)
        before = self._deeper()
        self._needs("(")
        given = [self._argument()]
        while self._takes(","):
            given.append(self._argument())
        self._needs(")")
        self._depth = before
        return self._statistic(name, given) if name.text in _STATISTICS else self._function(name, given)

    def _argument(self) -> Tree:
        word, tree = self._word, self._sum()
        self._must_be(tree, word, condition=False)
        return tree

    def _statistic(self, name: _Word, given: list[Tree]) -> Tree:
        match given:
            case [Operand(role, unit, "value", None), Number(window_s)] if window_s > 0:
                return Operand(role, unit, cast(Statistic, name.text), window_s)
        other = {
            "min": "; for the smallest of several numbers write least(a, b)",
            "max": "; for the greatest write greatest(a, b)",
        }
        hint = other.get(name.text, "")
        raise self._fault(f"it takes a role and a window in seconds, as {name.text}(product_temperature, 60){hint}", name)

    def _function(self, name: _Word, given: list[Tree]) -> Tree:
        if (len(given) == 1) != (name.text == "abs"):
            raise self._fault("it takes one number" if name.text == "abs" else "it takes two numbers or more", name)
        return Function("abs" if name.text == "abs" else "least" if name.text == "least" else "greatest", tuple(given))

    def _must_be(self, tree: Tree, word: _Word, *, condition: bool) -> None:
        if is_condition(tree) is not condition:
            wanted, found = ("condition", "number") if condition else ("number", "condition")
            raise self._fault(f"a {wanted} was expected, not a {found}", word)
