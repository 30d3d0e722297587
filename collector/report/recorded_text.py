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
from collections.abc import Callable, Sequence
from pathlib import Path

from config.csv_table import Table, is_content, parse
from config.faults import ConfigError, Fault
from config.files import text_of_csv

MOST_BYTES, MOST_CELLS = 4 << 30, 500_000_000
_GZIP = b"\x1f\x8b"
_LINES_BEFORE_THE_HEADER = 60
_SEPARATORS = ";\t,|"


def read_table(path: Path, encoding: str | None, is_header: Callable[[Sequence[str]], bool]) -> tuple[Table, list[str]]:
    """The table of a file, and what is to be told of how it was read. Raises ConfigError."""
    file = str(path)
    text = _decoded(_unpacked(path), file, encoding).replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    header = next((n for n, line in enumerate(lines[:_LINES_BEFORE_THE_HEADER]) if _may_be(line, is_header)), 0)
    before = [n for n in range(header) if is_content(lines[n]) and not lines[n].lower().startswith(("sep=", '"sep='))]
    told = []
    if before:
        told.append(f"{len(before)} line{'s' if len(before) > 1 else ''} before the header on line {header + 1} passed over")
        text = "\n" * header + "\n".join(lines[header:])  # the lines keep their numbers
    table = parse(text, file, MOST_CELLS, _SEPARATORS)
    remarks = [
        n for n, line in enumerate(lines[header + 1 :], header + 2) if line.lstrip(" \t").startswith("#") and not is_content(line)
    ]
    if remarks:
        told.append(
            f"{len(remarks)} line{'s' if len(remarks) > 1 else ''} that begin with # passed over, the first is line {remarks[0]}"
        )
    if table.faults:
        raise ConfigError(table.faults)
    if not table.rows:
        raise ConfigError([Fault(file, table.header.line, "", "holds no samples: give a header and at least one row")])
    return table, told


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
    if len(content) > MOST_BYTES:
        raise ConfigError([Fault(file, 1, "", f"is longer than {MOST_BYTES} bytes: is it the right file?")])
    return content


def _decoded(content: bytes, file: str, encoding: str | None) -> str:
    if encoding is None:
        return text_of_csv(content, file, "; or say its character set, e.g. --encoding cp1252")
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError) as exc:
        raise ConfigError([Fault(file, 1, "", f"is no text in the character set {encoding}: {exc}")]) from None
