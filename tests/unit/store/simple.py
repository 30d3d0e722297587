"""Journals of the simplest rows, where only their number, their order and their place matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from collector.store.journal import Journal, Stamped
from collector.store.reader import Reader
from collector.store.rows import ScanRow
from collector.terms import Stamp
from tests.journal_rows import SLOT_NS, column, layout, scan

DAY_NS = 86_400_000_000_000
ONE = layout(column("temperature"))
TWO = layout(column("temperature"), column("pressure"), group="two")


def one(value: float = 64.93, slot_ns: int = SLOT_NS) -> Stamped:
    return Stamped(scan(ONE, [value], slot_ns), (Stamp(),))


def two(a: float, b: float) -> Stamped:
    return Stamped(scan(TWO, [a, b]), (Stamp("B-24-017", "Dose"),))


@contextmanager
def journal_of(data: Path) -> Iterator[Journal]:
    with closing(Journal(data)) as journal:
        yield journal


def all_rows(reader: Reader) -> list[ScanRow]:
    rows: list[ScanRow] = []
    seq = 0
    while got := reader.read(seq, 1000):
        rows += [row for row in got if isinstance(row, ScanRow)]
        seq = got[-1].seq
    return rows


def values(data: Path) -> list[float]:
    """Of every row, in order."""
    with closing(Reader(data)) as reader:
        return [float(value) for row in all_rows(reader) for value in row.scan.values]
