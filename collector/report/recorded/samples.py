"""The samples of a recorded file: numbers, and what stands in place of them; those whose status is not good are none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from collector.report.recorded.cells import (
    Coding,
    coding_of,
    decimals_of_groups,
    is_good,
    number,
    numbers,
    unclear,
    words_for_bad,
)
from collector.report.recorded.header import Columns, fault
from collector.report.recording import Wanted
from config.spreadsheet.cells import Decimal, decimal_of
from config.spreadsheet.table import Row, Table

_MOST_WORDS = 6


class Samples:
    """Of the rows with samples; what is odd goes to `remarks`."""

    def __init__(self, table: Table, rows: Sequence[Row], columns: Columns, wanted: Wanted, remarks: list[str]) -> None:
        self._table, self._rows, self._columns, self._wanted = table, rows, columns, wanted
        self._said, self._remarks = wanted.said, remarks

    @cached_property
    def decimal(self) -> Decimal:
        """Of the file: where no cell has a comma it is a point, whatever the file leaves open. Raises ConfigError."""
        value, time = self._columns.place.get("value"), self._columns.place["time"]
        places = [value] if value is not None else list(self._columns.samples)
        looked_at = [*places, *(() if time is None else (time,))]
        cells = [cell for row in self._rows for at in looked_at if "," in (cell := row.cells[at])]
        if not cells:
            return Decimal.POINT
        samples = [row.cells[at] for row in self._rows for at in places]
        signs = {decimal_of(samples), *decimals_of_groups(samples)} - {Decimal.UNKNOWN}
        if len(signs) > 1 or Decimal.MIXED in signs:
            what = "has numbers with a decimal point and numbers with a decimal comma: write all of them in one way"
            raise fault(self._table, what)
        return signs.pop() if signs else self._by_separator(cells)

    def _by_separator(self, cells: Sequence[str]) -> Decimal:
        unclear_ones = [cell for cell in cells if not math.isnan(number(cell, Decimal.COMMA))]
        if unclear_ones and self._table.separator != ";":
            what = f"{unclear_ones[0]!r} may be with a decimal comma or with thousands: write it with a decimal point"
            raise fault(self._table, what)
        return Decimal.COMMA

    def of_column(self, rows: NDArray[np.intp], at: int, status: int | None, name: str) -> NDArray[np.float64]:
        """`[len(rows)]` of a column; NaN is a bad sample. Raises ConfigError."""
        chosen = [self._rows[row] for row in rows.tolist()]
        cells = [row.cells[at] for row in chosen]
        values = numbers(cells, self.decimal, self._said.bad)
        words = words_for_bad(cells, values)
        self._refuse_unclear(at, chosen, words)
        self._tell_bad(name, at, chosen, words)
        if status is not None:
            self._heed_status(name, chosen, status, values)
        return values

    def _refuse_unclear(self, at: int, rows: Sequence[Row], words: Counter[str]) -> None:
        """A cell that seems to hold a value that can't be read is no bad sample."""
        strange = {word for word in words if unclear(word)} - set(self._said.bad)
        strange = {word for word in strange if math.isnan(number(word, self.decimal))}
        if not strange:
            return
        row = next(row for row in rows if row.cells[at] in strange)
        shown = repr(row.cells[at][:40])
        what = f"{shown} is no number: a cell holds a number alone; where it marks a bad sample, say --bad {shown}"
        raise fault(self._table, f"column {self._table.header.cells[at]}: {what}", row.line)

    def _tell_bad(self, name: str, at: int, rows: Sequence[Row], words: Counter[str]) -> None:
        texts = Counter({word: count for word, count in words.items() if word})
        for found, what in ((texts, f"no number ({_counts(texts)})"), (Counter({"": words[""]}), "empty")):
            if found.total():
                first = next(row for row in rows if row.cells[at] in found).line
                cells = f"{found.total()} cells are {what}" if found.total() > 1 else f"1 cell is {what}"
                self._remarks.append(f"{name}: {cells}, the first on line {first}: bad samples")

    # --- status

    def _heed_status(self, name: str, rows: Sequence[Row], at: int, values: NDArray[np.float64]) -> None:
        coding, empty_is_good = self._coding
        named = {word.casefold() for word in self._said.good}
        statuses = [row.cells[at] for row in rows]
        good_of = {status: is_good(status, coding, named, empty_is_good=empty_is_good) for status in dict.fromkeys(statuses)}
        lost = np.array([not good_of[status] for status in statuses], np.bool_) & ~np.isnan(values)
        values[lost] = np.nan
        if lost.any():
            words = Counter(status for status, is_lost in zip(statuses, lost.tolist(), strict=True) if is_lost)
            first = rows[int(np.flatnonzero(lost)[0])].line
            about = f"{int(lost.sum())} samples have a status that is not good ({_counts(words)}), the first on line {first}"
            self._remarks.append(f"{name}: {about}: bad samples")

    @cached_property
    def _coding(self) -> tuple[Coding, bool]:
        """How the statuses of the file are written, and whether an empty one is good."""
        quality = self._columns.place.get("quality")
        places = [*self._columns.status.values(), *(() if quality is None else (quality,))]
        found = {row.cells[at] for row in self._rows for at in places}
        coding = coding_of(found)
        if coding is Coding.UNCLEAR and not self._said.good:
            at, row = next((at, row) for row in self._rows for at in places if row.cells[at])
            shown = ", ".join(sorted(found)[:_MOST_WORDS])
            what = f"is status {row.cells[at]!r} good or bad? say which are good, e.g. --good 0; found: {shown}"
            raise fault(self._table, f"column {self._table.header.cells[at]}: {what}", row.line)
        some_good = any(is_good(status, coding, (), empty_is_good=False) for status in found)
        empty_is_good = not some_good and "" in found
        if empty_is_good:
            self._columns.told.append("a status that is empty is taken as good, for none says good")
        return coding, empty_is_good


def _counts(words: Counter[str]) -> str:
    shown = ", ".join(f"{word[:40]!r} {count}x" for word, count in words.most_common(_MOST_WORDS))
    return shown + (", ..." if len(words) > _MOST_WORDS else "")
