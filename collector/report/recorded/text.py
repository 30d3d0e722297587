"""A recorded file as a table of texts: unpacked, decoded, without what stands before the header.

Report: batch trend                 passed over, and told: the header is the first line that names a column that is looked for
time;TT-101;PT-101
;°C;bar                             see `recording`: a row of units
26.11.2026 17:05:00;64,9;1,42
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from config.faults import ConfigError, Fault
from config.files import AS_CODE_PAGE, in_code_page, text_of_csv
from config.spreadsheet.table import Table, is_content, lines_of, parse_lines

MOST_BYTES, MOST_CELLS = 4 << 30, 500_000_000
_GZIP = b"\x1f\x8b"
_OTHER_FILES = {b"PAR1": "Parquet", b'[{"': "JSON", b'{"': "JSON", b"[\n": "JSON", b"\x89HDF": "HDF5", b"MATLAB 5": "a MAT file"}
_LINES_BEFORE_THE_HEADER = 60
_MOST_SHOWN = 12
_SEPARATORS = ";\t,|"


def read_table(path: Path, encoding: str | None, is_header: Callable[[Sequence[str]], bool]) -> tuple[Table, list[str]]:
    """The table of a file, and what is to be told of how it was read. Raises ConfigError."""
    file = str(path)
    text, told = _decoded(_unpacked(path), file, encoding)
    lines = lines_of(text)
    del text
    header = next((n for n, line in enumerate(lines[:_LINES_BEFORE_THE_HEADER]) if _may_be(line, is_header)), 0)
    told += _cut(lines, header)
    remarks = [
        n for n, line in enumerate(lines[header + 1 :], header + 2) if line.lstrip(" \t").startswith("#") and not is_content(line)
    ]
    table = parse_lines(lines, file, MOST_CELLS, _SEPARATORS)
    again = [row.line for row in table.rows if row.cells == table.header.cells]
    if again:
        told.append(f"the header stands again {_lines(again)}: passed over")
        table = replace(table, rows=[row for row in table.rows if row.cells != table.header.cells])
    if remarks:
        told.append(f"{_counted(remarks)} that begin with # passed over, the first is line {remarks[0]}")
    if table.faults:
        raise ConfigError(table.faults)
    if not table.rows:
        raise ConfigError([Fault(file, table.header.line, "", "holds no samples: give a header and at least one row")])
    return table, told


def _cut(lines: list[str], header: int) -> Iterator[str]:
    """Takes out what stands before and behind the table, and tells it; the lines between keep their numbers."""
    before = [n for n in range(header) if is_content(lines[n]) and not lines[n].lower().startswith(("sep=", '"sep='))]
    if before:
        yield f"{_counted(before)} before the header on line {header + 1} passed over"
        lines[:header] = [""] * header
    end = _end_of_table(lines, header)
    behind = [line for line in lines[end:] if is_content(line)]
    if behind:
        yield f"{_counted(behind)} behind the table passed over: {behind[0][:60]!r}"
    del lines[end:]


def _counted(lines: Sequence[object]) -> str:
    return f"{len(lines)} line{'s' if len(lines) > 1 else ''}"


def _lines(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_MOST_SHOWN])) + (", ..." if len(numbers) > _MOST_SHOWN else "")
    return f"on line{'s' if len(numbers) > 1 else ''} {shown}"


def _end_of_table(lines: Sequence[str], header: int) -> int:
    """Behind it stand only lines of one text each, such as `End of report`."""
    end = len(lines)
    if not any(sign in line for line in lines[header : header + 1] for sign in _SEPARATORS):
        return end
    while end > header + 2 and _is_a_remark(lines[end - 1]):
        end -= 1
    return end


def _is_a_remark(line: str) -> bool:
    return not is_content(line) or (line.strip()[:1].isalpha() and not any(sign in line for sign in _SEPARATORS))


def _may_be(line: str, is_header: Callable[[Sequence[str]], bool]) -> bool:
    if not is_content(line):
        return False
    return any(is_header(_cells(line, separator)) for separator in _SEPARATORS)


def _cells(line: str, separator: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line.strip("\ufeff")], delimiter=separator), [])]
    except csv.Error:
        return []


def _unpacked(path: Path) -> bytes:
    file = str(path)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
        with gzip.open(path) if packed else path.open("rb") as stream:
            content: bytes = stream.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as exc:
        raise ConfigError([Fault(file, 1, "", f"can't be unpacked: {exc}; copy the file anew")]) from None
    except OSError as exc:
        raise ConfigError([Fault(file, 1, "", f"can't be read: {exc.strerror or exc}; give the path of a file")]) from None
    for begin, what in _OTHER_FILES.items():
        if content.startswith(begin):
            raise ConfigError([Fault(file, 1, "", f"is {what}, no table: export it as CSV")])
    if len(content) > MOST_BYTES:
        raise ConfigError([Fault(file, 1, "", f"is longer than {MOST_BYTES} bytes: is it the right file?")])
    return content


def _decoded(content: bytes, file: str, encoding: str | None) -> tuple[str, list[str]]:
    """And what is to be told of it."""
    if encoding is None:
        encoding = next((name for name, at in (("utf-16-le", 1), ("utf-16-be", 0)) if _is_wide(content, at)), None)
    if encoding is None:
        text = in_code_page(content)
        if text is None:
            return text_of_csv(content, file, "; or say its character set, e.g. --encoding cp1252"), []
        return text, [f"{AS_CODE_PAGE}; say --encoding if it is another"]
    try:
        return content.decode(encoding), []
    except (UnicodeDecodeError, LookupError) as exc:
        raise ConfigError([Fault(file, 1, "", f"is no text in the character set {encoding}: {exc}")]) from None


def _is_wide(content: bytes, zeros_at: int) -> bool:
    """Whether ASCII stands in two bytes each, without a mark before it."""
    begin = content[:64]
    return len(begin) > 3 and not any(begin[zeros_at::2]) and all(begin[1 - zeros_at :: 2])
