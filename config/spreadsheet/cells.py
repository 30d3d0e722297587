"""What a cell of a CSV file says: numbers with a decimal point or comma, yes and no, states of an enumeration. Pure.

A number stands alone: no unit, no percent sign, no separators of thousands. `1,500` is 1.5 or 1500, depending on who
wrote it; where the file does not tell, it is a fault and never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum

from config.text import UnclearNumber, WrittenFloat, WrittenInt
from config.yaml_core import BadValue

_WHOLE = re.compile(r"[-+]?[0-9]+")
_POINT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?")
_COMMA = re.compile(r"[-+]?(?:[0-9]+,[0-9]*|,[0-9]+)(?:[eE][-+]?[0-9]+)?")
_MAYBE_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_THOUSANDS = re.compile(r"[-+]?[0-9]{1,3}(?:[ '\u2019\xa0\u202f.,][0-9]{3})+(?:[.,][0-9]*)?")
_WITH_UNIT = re.compile(r"([-+]?[0-9]+(?:[.,][0-9]+)?)\s*([^0-9\s.,'].*)")
_OTHER_MINUS = ("\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212")
_LONGEST_NUMBER = 400

_TRUE = ("true", "yes", "x", "1", "ja", "wahr", "oui", "vrai")
_FALSE = ("false", "no", "0", "nein", "falsch", "non", "faux")


class Decimal(Enum):
    """The sign before decimals in a file, as far as its other numbers tell."""

    POINT = "."
    COMMA = ","
    UNKNOWN = "?"
    MIXED = "both"


def decimal_of(cells: Iterable[str]) -> Decimal:
    """What the number cells of a file that can be read in one way only say of the others."""
    signs = {Decimal.COMMA if "," in cell else Decimal.POINT for cell in cells if _tells(cell)}
    if len(signs) > 1:
        return Decimal.MIXED
    return signs.pop() if signs else Decimal.UNKNOWN


def _tells(cell: str) -> bool:
    has_sign = "," in cell or "." in cell
    return has_sign and not _MAYBE_THOUSANDS.fullmatch(cell) and bool(_COMMA.fullmatch(cell) or _POINT.fullmatch(cell))


def number(text: str, decimal: Decimal, separator: str) -> WrittenInt | WrittenFloat:
    """`65,5` -> 65.5, with its text. Raises BadValue."""
    if isinstance(text, UnclearNumber):
        raise BadValue(text.why)
    if len(text) > _LONGEST_NUMBER:
        raise BadValue("is longer than any number: is it a text?")
    if _WHOLE.fullmatch(text):
        return WrittenInt(int(text), text)
    if _is_ambiguous(text, decimal, separator):
        raise BadValue(_two_meanings(text))
    if _POINT.fullmatch(text):
        return WrittenFloat(float(text), text)
    if _COMMA.fullmatch(text):
        return WrittenFloat(float(text.replace(",", ".")), text)
    raise BadValue(_no_number(text))


def _is_ambiguous(text: str, decimal: Decimal, separator: str) -> bool:
    """A sign before three digits is a decimal sign in a file whose other numbers say so. Where none does, a comma is one between
    semicolons, which stand there because the comma is taken, and a point is one between commas."""
    if not _MAYBE_THOUSANDS.fullmatch(text):
        return False
    sign = Decimal.COMMA if "," in text else Decimal.POINT
    if decimal is Decimal.UNKNOWN:
        return separator != (";" if sign is Decimal.COMMA else ",")
    return decimal is not sign


def _two_meanings(text: str) -> str:
    one, other = re.sub("[.,]", ".", text), re.sub("[.,]", "", text)
    short = one.rstrip("0").rstrip(".")
    right = f"{one}0" if short == one else short  # four digits can't be thousands
    return f"{text} may mean {short} or {other}: write {right} or {other}"


def _no_number(text: str) -> str:
    shown = repr(text if len(text) <= 60 else text[:57] + "...")
    if _THOUSANDS.fullmatch(text):
        return f"found {shown}: write numbers without separators of thousands"
    match = _WITH_UNIT.fullmatch(text)
    if match and match[2] == "%":
        return (
            f"found {shown}, expected a number alone: write {match[1]}, or {match[1]} divided by 100 where a share is asked for"
        )
    if match:
        return f"found {shown}, expected a number alone: write {match[1]}; a unit has its own column, engineering_unit"
    if text.startswith(_OTHER_MINUS):
        return f"found {shown}, expected a number: write the minus as -"
    return f"found {shown}, expected a number such as 65.5 or 65,5"


def yes_or_no(text: str) -> bool:
    """Raises BadValue."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise BadValue(f"found {text[:60]!r}, expected yes or no (true, x, 1, ja; false, 0, nein)")


def states(text: str) -> dict[WrittenInt, str]:
    """`0=Idle|1=Charge` -> {0: Idle, 1: Charge}. Raises BadValue."""
    named: dict[WrittenInt, str] = {}
    for part in text.split("|"):
        value, sign, name = (piece.strip() for piece in part.partition("="))
        if not (sign and name and _WHOLE.fullmatch(value) and len(value) <= 20):
            raise BadValue(f"found {part[:60]!r}, expected states such as 0=Idle|1=Charge")
        if int(value) in named:
            raise BadValue(f"names the number {value} twice: keep one")
        named[WrittenInt(int(value), value)] = name
    return named


def parameter(text: str, decimal: Decimal, separator: str) -> object:
    """A cell of a table of parameters: a number with its text, true or false, else the text."""
    if _is_ambiguous(text, decimal, separator):
        return UnclearNumber(text, _two_meanings(text))
    if _WHOLE.fullmatch(text) and len(text) <= _LONGEST_NUMBER:
        return WrittenInt(int(text), text)
    if (_POINT.fullmatch(text) or _COMMA.fullmatch(text)) and len(text) <= _LONGEST_NUMBER:
        return WrittenFloat(float(text.replace(",", ".")), text)
    return text.lower() == "true" if text.lower() in ("true", "false") else text


Cell = Callable[[str], object]
