"""What a cell of a recorded file says: a number, or that there is none; and whether a status is good.

A number is taken only if it can be read in one way. What is none is a bad sample, and every word for that is told; a cell that
begins as a number does and is none (`65.3 °C`, `1,2,3`) is a fault, for there was a value.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from config.spreadsheet.cells import Decimal

_GROUPS = {
    Decimal.POINT: re.compile(r"[-+]?[1-9][0-9]{0,2}(?:[,'’\xa0\u202f ][0-9]{3})+(?:\.[0-9]*)?"),
    Decimal.COMMA: re.compile(r"[-+]?[1-9][0-9]{0,2}(?:[.'’\xa0\u202f ][0-9]{3})+(?:,[0-9]*)?"),
}
_BETWEEN_GROUPS = {Decimal.POINT: re.compile(r"[,'’\xa0\u202f ]"), Decimal.COMMA: re.compile(r"[.'’\xa0\u202f ]")}
_BEGINS_AS_A_NUMBER = re.compile(r"(?:[<>≤≥~≈±]=?\s*|['(])?[-+]?[.,]?[0-9]")
_NOT_FINITE = re.compile(r"[-+]?(?:1[.,])?#?(?:inf|infinity|nan|qnan|snan|ind)\w*", re.IGNORECASE)
MINUS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
"""Other signs that are typed and printed for a minus, an en dash among them."""


def number(cell: str, decimal: Decimal) -> float:
    """NaN for what is none."""
    if not cell:
        return math.nan
    try:
        value = float(cell) if decimal is not Decimal.COMMA else float(_with_a_point(cell))
    except ValueError:
        value = _float(written_plainly(cell, decimal))
    return value if math.isfinite(value) and "_" not in cell else math.nan  # Python would read 1_0 as 10


def _with_a_point(cell: str) -> str:
    if "." in cell:
        raise ValueError(cell)
    return cell.replace(",", ".")


def _float(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def written_plainly(cell: str, decimal: Decimal) -> str:
    """A number as Python writes it: without groups of thousands and with its own minus. What is none stays none."""
    cell = cell.translate(MINUS)
    groups = _GROUPS.get(decimal)
    if groups is not None and groups.fullmatch(cell):
        cell = _BETWEEN_GROUPS[decimal].sub("", cell)
    if decimal is Decimal.COMMA:
        return "" if "." in cell else cell.replace(",", ".")
    return cell


def numbers(cells: Sequence[str], decimal: Decimal, bad: Collection[str] = ()) -> NDArray[np.float64]:
    """`[n]`; NaN is a bad sample. `bad`: cells that mark one, whatever they look like."""
    values = _plain(cells) if decimal is Decimal.POINT else None
    if values is None:
        values = np.array([number(cell, decimal) for cell in cells], np.float64)
    marks = [mark for text in bad if not math.isnan(mark := number(text, decimal))]
    if marks:
        values[np.isin(values, marks)] = math.nan
    return values


def _plain(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """All at once; None where one is no number that C knows."""
    try:
        values = np.array(cells, np.float64)
    except ValueError:
        return None
    values[np.isinf(values)] = math.nan
    return None if "_" in "".join(cells) else values


def unclear(cell: str) -> bool:
    """Whether a cell that is no number looks as if it held a value."""
    return bool(_BEGINS_AS_A_NUMBER.match(cell.translate(MINUS))) and not _NOT_FINITE.fullmatch(cell)


def words_for_bad(cells: Iterable[str], values: NDArray[np.float64]) -> Counter[str]:
    """What was found in place of numbers; an empty cell is ''."""
    if not np.isnan(values).any():
        return Counter()
    return Counter(cell for cell, is_bad in zip(cells, np.isnan(values).tolist(), strict=True) if is_bad)


_BOTH_SIGNS = re.compile(r"[-+]?[0-9]{1,3}(?:([,.])[0-9]{3})+([,.])[0-9]*")
_MANY_GROUPS = re.compile(r"[-+]?[0-9]{1,3}([,.])[0-9]{3}(?:\1[0-9]{3})+")


def decimals_of_groups(cells: Iterable[str]) -> set[Decimal]:
    """What numbers with groups of thousands tell of the decimal sign: `1.234,5` and `1.234.567` have a comma."""
    found = set()
    for cell in cells:
        if (both := _BOTH_SIGNS.fullmatch(cell)) and both[1] != both[2]:
            found.add(Decimal(both[2]))
        elif many := _MANY_GROUPS.fullmatch(cell):
            found.add(Decimal.COMMA if many[1] == "." else Decimal.POINT)
    return found


# --- status


class Coding(Enum):
    """How the statuses of a file are written."""

    WORDS = "words"
    OPC_DA = "OPC classic: from 192 on is good"
    OPC_UA = "OPC UA: 0 is good"
    UNCLEAR = "unclear"


_GOOD = re.compile(r"(?:good|gut|ok|okay|g|valid|normal|actual)\b.*|.*\bgood|y|yes|true", re.IGNORECASE)
_NOT_GOOD = re.compile(r"not\s+good|no good|good\s*(?:=|:)\s*(?:0|false|no)", re.IGNORECASE)
_OF_QUALITY = re.compile(r"(?:good|bad|uncertain|gut|schlecht|unsicher|questionable|suspect|valid|invalid)\b.*", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"0x[0-9a-f]{1,8}", re.IGNORECASE)


def _as_number(status: str) -> int | None:
    if _HEXADECIMAL.fullmatch(status):
        return int(status, 16)
    try:
        value = float(status)
    except ValueError:
        return None
    return int(value) if value == int(value) else None


def coding_of(statuses: Collection[str]) -> Coding:
    """Of all statuses that stand in a file."""
    found = {value for status in statuses if status and (value := _as_number(status)) is not None}
    if not found:
        return Coding.WORDS
    if any(_HEXADECIMAL.fullmatch(status) for status in statuses) or max(found) >= 1 << 30:
        return Coding.OPC_UA
    if any(192 <= value <= 219 for value in found) and max(found) < 1 << 16:
        return Coding.OPC_DA
    return Coding.UNCLEAR


def is_word_of_quality(text: str) -> bool:
    """Whether it says of a sample how good it is, and can't be a state of the plant."""
    return bool(_OF_QUALITY.fullmatch(text))


def is_good(status: str, coding: Coding, named: Collection[str], *, empty_is_good: bool) -> bool:
    """`named`: those that the user said are good; then no other is."""
    if named:
        return status.casefold() in named
    if not status:
        return empty_is_good
    value = _as_number(status)
    if value is not None:
        return value >> 30 == 0 if coding is Coding.OPC_UA else 192 <= value & 0xFF <= 255
    return bool(_GOOD.fullmatch(status)) and not _NOT_GOOD.search(status)
