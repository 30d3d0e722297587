"""Rows as the journal gives them, made by hand, and a journal that lives in memory."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import attrgetter

import numpy as np

from collector.store.cursors import Cursor, DeadLetter, KeptLetter
from collector.store.rows import EventRow, Row, ScanRow
from collector.terms import Event, EventKind, Json, Stamp
from config.tags import Kind
from drivers.base import Column, Layout, Quality, Scan, quality_of

SLOT_NS = 1_732_270_000_000_000_000
SECOND_NS = 1_000_000_000
NO_STAMP = Stamp()

Value = float | int | bool | str


def column(role: str, kind: Kind = Kind.REAL, unit: str = "R-201", name: str = "") -> Column:
    return Column(name=name or role.upper(), role=role, unit=unit, kind=kind)


def layout(*columns: Column, group: str = "main") -> Layout:
    return Layout("plc", "plc", group, SECOND_NS, columns)


def scan(
    of: Layout, values: Sequence[Value], slot_ns: int = SLOT_NS, status: Sequence[int] = (), quality: Sequence[int] | None = None
) -> Scan:
    """Status defaults to good, quality to what follows from the status."""
    kinds = [column.kind for column in of.columns]
    codes = np.array(status or [0] * len(values), np.uint32)
    return Scan(
        of,
        slot_ns,
        slot_ns + 5_000_000,
        np.array([np.nan if kind is Kind.TEXT else float(value) for kind, value in zip(kinds, values, strict=True)]),
        codes,
        quality_of(codes) if quality is None else np.array(quality, np.uint8),
        None,
        np.array([value for kind, value in zip(kinds, values, strict=True) if kind is Kind.INTEGER], np.int64),
        tuple(str(value) for kind, value in zip(kinds, values, strict=True) if kind is Kind.TEXT),
    )


def scan_row(seq: int, of: Scan, *stamps: Stamp) -> ScanRow:
    return ScanRow(seq, of, stamps or (Stamp(),) * len(of.layout.units))


def event_row(
    seq: int, kind: EventKind, body: Mapping[str, Json], unit: str = "", stamp: Stamp = NO_STAMP, slot_ns: int = SLOT_NS
) -> EventRow:
    return EventRow(seq, Event(kind, slot_ns, unit, stamp, body))


def lost_row(seq: int, of: Layout, slot_ns: int, status: int = 0x8031_0000) -> ScanRow:
    return scan_row(seq, Scan.of_lost(of, slot_ns, slot_ns, status))


BAD, STALE, UNCERTAIN = int(Quality.BAD), int(Quality.STALE), int(Quality.UNCERTAIN)


class MemoryJournal:
    """The rows and cursors that an uploader sees; what is settled twice is an error. A row was committed at its slot."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = list(rows)
        self.cursors: dict[str, Cursor] = {}
        self.kept: dict[int, KeptLetter] = {}
        self.acknowledgements = 0
        self.acknowledged = threading.Event()
        self.looked = threading.Event()
        """Somebody has read to the end."""

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """All that are kept, oldest first."""
        return [kept.letter for kept in self.kept.values()]

    def append(self, *rows: Row) -> None:
        self.rows += rows

    def read(self, after_seq: int, limit: int) -> list[Row]:
        first = bisect_right(self.rows, after_seq, key=attrgetter("seq"))
        rows = self.rows[first : first + limit]
        if len(rows) < limit:
            self.looked.set()
        return rows

    def committed_before(self, time_ns: int) -> int:
        at = bisect_right(self.rows, time_ns, key=lambda row: row.scan.slot_ns if isinstance(row, ScanRow) else row.event.slot_ns)
        return self.rows[at - 1].seq if at else 0

    def cursor(self, sink: str) -> Cursor:
        return self.cursors.get(sink, Cursor())

    def acknowledge(self, sink: str, cursor: Cursor, letters: Sequence[DeadLetter] = (), taken_up: Sequence[int] = ()) -> None:
        assert self.samples_settled(cursor) >= self.samples_settled(self.cursor(sink)), "what is settled stays it"
        self.cursors[sink] = cursor
        for number in taken_up:
            del self.kept[number]
        first = max(self.kept, default=0) + 1
        self.kept |= {number: KeptLetter(number, sink, letter, False) for number, letter in enumerate(letters, first)}
        self.acknowledgements += 1
        self.acknowledged.set()

    def letters(self, sink: str, after_id: int = 0, limit: int = 500, *, only_retry: bool = False) -> list[KeptLetter]:
        return [kept for kept in self.kept.values() if kept.id > after_id and (kept.retry or not only_retry)][:limit]

    def retry(self) -> None:
        """Ask for another try of all letters."""
        self.kept = {number: KeptLetter(number, kept.sink, kept.letter, True) for number, kept in self.kept.items()}

    def refused_again(self, letters: Mapping[int, DeadLetter]) -> None:
        self.kept |= {number: KeptLetter(number, self.kept[number].sink, letter, False) for number, letter in letters.items()}

    def samples(self, until_seq: int | None = None) -> int:
        """Samples read, up to a row."""
        return sum(
            row.scan.samples for row in self.rows if isinstance(row, ScanRow) and (until_seq is None or row.seq <= until_seq)
        )

    def samples_settled(self, cursor: Cursor) -> int:
        """Of the rows that the cursor calls settled."""
        return self.samples(cursor.seq) - sum(self.samples(each.until) - self.samples(each.after) for each in cursor.behind)

    def assert_ledger(self, sink: str) -> None:
        """read = accepted + queued + dead-lettered."""
        cursor = self.cursor(sink)
        assert cursor.accepted + cursor.dead_lettered == self.samples_settled(cursor)
        assert sum(letter.samples for letter in self.dead_letters) == cursor.dead_lettered
