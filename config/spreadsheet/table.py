"""A CSV file as spreadsheets save it -> a header and rows of cells, each with its line. Pure.

Separator `;`, `,` or tab: that of the line `sep=;` if there is one, else the one most used in the header. Blank lines and
lines that begin with # are skipped, as are empty columns at the end. Cells lose the spaces and line breaks around
them, nothing else. A row that does not fit the header is a fault: a cell never slips into the next column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from config.faults import Fault

_SEPARATORS = ";\t,"
_ERROR_OF_A_SHEET = re.compile(r"\s*\"?#(?:N/A|VALUE!|DIV/0!|REF!|NUM!|NAME\?|NULL!)")
_SEP_LINE = re.compile(r"\"?sep=(.)\"?[;,\t]*\s*", re.IGNORECASE)
_CANT_BE_SHOWN = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MAX_CELLS = 1_000_000
_SHORT, _MOST_KNOWN = 6, 100_000
"""Of cells that are kept once: their letters, and how many."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a record that begins on `line`; as many as the header has."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """What a CSV file holds. `faults` are of rows that were left out; without a header all is left out."""

    file: str
    separator: str
    header: Row
    rows: list[Row]
    faults: list[Fault] = field(default_factory=list)


def parse(text: str, file: str, most_cells: int = MAX_CELLS, separators: str = _SEPARATORS) -> Table:
    """The table in `text`; `file` is its name in faults. More than `most_cells` are a fault."""
    return parse_lines(lines_of(text), file, most_cells, separators)


def lines_of(text: str) -> list[str]:
    """Without what ends them, which is the same on no two systems."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def parse_lines(lines: list[str], file: str, most_cells: int = MAX_CELLS, separators: str = _SEPARATORS) -> Table:
    """The same of lines, which are emptied on the way: a long file is not held twice."""
    separator, begin = _separator(lines, separators)
    faults = [Fault(file, n, "", what) for n, what in _unshowable(lines)]
    rows = _rows(_Lines(lines, begin), separator, file, faults)
    header = next(rows, None)
    if header is None:
        faults = faults or [Fault(file, 1, "", "holds no header: write the names of the columns into the first line")]
        return Table(file, separator, Row(1, []), [], faults)
    while header.cells and not header.cells[-1]:
        header.cells.pop()
    fitting = [row for row in rows if _fits(row, header, file, separator, faults)]
    if len(fitting) * len(header.cells) > most_cells:
        faults.append(Fault(file, header.line, "", f"holds more than {most_cells} cells: is it the right file?"))
        fitting = []
    return Table(file, separator, header, fitting, faults)


def _unshowable(lines: list[str]) -> Iterator[tuple[int, str]]:
    for n, line in enumerate(lines, 1):
        if not line.isascii() or not line.isprintable():
            found = _CANT_BE_SHOWN.search(line)
            if found:
                yield n, f"character 0x{ord(found[0]):02X} can't be shown: leave it out"


def is_content(line: str) -> bool:
    """Whether a line is neither blank nor a remark; what a spreadsheet writes for an error is none."""
    if not line.strip(" \t\n;,"):
        return False
    return not line.lstrip(" \t").startswith("#") or _ERROR_OF_A_SHEET.match(line) is not None


def _separator(lines: list[str], separators: str) -> tuple[str, int]:
    """The separator and the index of the line after `sep=`."""
    first = next((n for n, line in enumerate(lines) if is_content(line)), 0)
    match = _SEP_LINE.fullmatch(lines[first]) if lines else None
    if match and match[1] in separators:
        return match[1], first + 1
    outside_quotes = re.sub(r'"[^"]*"', "", lines[first]) if lines else ""
    return max(separators, key=outside_quotes.count), 0


class _Lines:
    """Feeds lines to `csv`, skipping blank lines and comments between records but not inside a quoted cell."""

    def __init__(self, lines: list[str], begin: int) -> None:
        self._lines, self._next = lines, begin
        self.between_records = True
        self.start = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        while self.between_records and self._next < len(self._lines) and not is_content(self._lines[self._next]):
            self._next += 1
        if self._next >= len(self._lines):
            raise StopIteration
        line = self._lines[self._next] + "\n"
        self._lines[self._next] = ""
        self._next += 1
        if self.between_records:
            self.start, self.between_records = self._next, False
        return line


def _rows(lines: _Lines, separator: str, file: str, faults: list[Fault]) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    known: dict[str, str] = {}
    while True:
        lines.between_records = True
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            faults.append(Fault(file, max(lines.start, 1), "", _plain_words(exc, separator)))
            if not lines.between_records and "end of data" in str(exc):
                return
            continue
        yield Row(lines.start, _shared(cells, known))


def _shared(cells: list[str], known: dict[str, str]) -> list[str]:
    """Without the spaces around them. Short ones, which come again and again, are kept once: a long table needs a third."""
    if len(known) > _MOST_KNOWN:
        known.clear()
    return [cell if len(cell) > _SHORT else known.setdefault(cell, cell) for cell in map(str.strip, cells)]


def _plain_words(error: csv.Error, separator: str) -> str:
    text = str(error)
    if "end of data" in text:
        return 'a quote (") opened in this row is never closed'
    if "field limit" in text:
        return 'a cell of this row is beyond all bounds: is a quote (") never closed?'
    return f'a quote (") ends before its cell does: write a quote inside a cell twice (""), and {_named(separator)} between cells'


def _named(separator: str) -> str:
    return {"\t": "a tab", ";": "a semicolon", ",": "a comma", "|": "a bar"}[separator]


def _fits(row: Row, header: Row, file: str, separator: str, faults: list[Fault]) -> bool:
    width = len(header.cells)
    while len(row.cells) > width and not row.cells[-1]:
        row.cells.pop()
    if len(row.cells) == width:
        return True
    more = len(row.cells) > width
    why = f"put a text or number that holds {_named(separator)} in quotes" if more else "keep empty cells"
    faults.append(Fault(file, row.line, "", f"has {len(row.cells)} cells, the header on line {header.line} has {width}: {why}"))
    return False
