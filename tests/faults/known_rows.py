"""A journal whose every row follows from its sequence number: a test needs no other record of what it wrote."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from collector.ledger import ledger_of
from collector.store.cursors import Cursor, DeadLetter
from collector.store.daily import DailyFile, Totals
from collector.store.files import journal_files
from collector.store.journal import Entry, Journal, Stamped
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.rows import EventRow, Row, ScanRow
from collector.terms import Event, EventKind, Stamp
from drivers.base import Scan, Status
from tests.journal_rows import SLOT_NS, column, layout, scan

LARGEST_COMMIT = 12
QUARTER_DAY_NS = 86_400_000_000_000 // 4
LAYOUTS = [layout(*(column(f"t{i}") for i in range(k)), group=f"of {k}") for k in (1, 2, 5)]


def entry_of(seq: int) -> Entry:
    """What row `seq` holds, in every round: so that the test needs no other record of it."""
    if seq % 5 == 0:
        return Event(EventKind.DAEMON, SLOT_NS + seq, body={"seq": seq})
    of = LAYOUTS[seq % 3]
    stamp = Stamp(batch=f"B-{seq % 11}")
    if seq % 7 == 0:
        return Stamped(Scan.of_lost(of, SLOT_NS + seq, SLOT_NS + seq, Status.BAD_TIMEOUT), (stamp,))
    return Stamped(scan(of, [float(seq)] * len(of.columns), SLOT_NS + seq), (stamp,))


def samples_of(seq: int) -> int:
    entry = entry_of(seq)
    return entry.scan.samples if isinstance(entry, Stamped) else 0


def assert_row(row: Row, seq: int) -> None:
    entry = entry_of(seq)
    assert row.seq == seq
    if isinstance(entry, Event):
        assert isinstance(row, EventRow)
        assert row.event == entry
        return
    assert isinstance(row, ScanRow)
    assert (row.scan.layout, row.stamps, row.scan.lost) == (entry.scan.layout, entry.stamps, entry.scan.lost)
    assert row.scan.slot_ns == entry.scan.slot_ns
    assert row.scan.values.tobytes() == entry.scan.values.tobytes()


# --- the writing


def write(journal: Journal, reader: Reader, registry: Registry, chance: random.Random, tell: Callable[[str], None]) -> None:
    """Commit and acknowledge for ever, days passing; `tell` is called after each."""
    time_ns = max(SLOT_NS, reader.last_commit_ns() or 0)
    while True:
        time_ns += chance.randrange(QUARTER_DAY_NS)
        begin = journal.totals.seq + 1
        totals = journal.append([entry_of(begin + i) for i in range(chance.randint(1, LARGEST_COMMIT))], time_ns)
        tell(f"committed {totals.seq} {totals.samples} {totals.scans}")
        acknowledge_some(reader, registry, chance, tell)


def acknowledge_some(reader: Reader, registry: Registry, chance: random.Random, tell: Callable[[str], None]) -> None:
    """What a sink does with some rows: takes most, refuses each thirteenth."""
    cursor = registry.cursor("influx")
    rows = reader.read(cursor.seq, chance.randint(1, LARGEST_COMMIT))
    if not rows:
        return
    dead = [row for row in rows if row.seq % 13 == 0]
    letters = [DeadLetter(row.seq, samples_of(row.seq), b"line", "refused", 0) for row in dead]
    dead_samples = sum(letter.samples for letter in letters)
    accepted = sum(samples_of(row.seq) for row in rows) - dead_samples
    after = Cursor(rows[-1].seq, cursor.accepted + accepted, cursor.dead_lettered + dead_samples)
    registry.acknowledge("influx", after, letters)
    tell(f"acknowledged {after.seq} {after.accepted} {after.dead_lettered}")


@dataclass
class Told:
    """The last that writers have told of."""

    totals: Totals = Totals()  # noqa: RUF009  frozen
    cursor: Cursor = Cursor()  # noqa: RUF009  frozen

    def hear(self, line: str) -> None:
        what, *numbers = line.split()
        if what == "committed":
            self.totals = Totals(*map(int, numbers))
        elif what == "acknowledged":
            seq, accepted, dead_lettered = map(int, numbers)
            self.cursor = Cursor(seq, accepted, dead_lettered)


# --- the check


def assert_all_there(data: Path, told: Told, seen: int) -> int:
    """Rows beyond `seen` are whole; totals and ledger are right. Returns the newest sequence number."""
    if not (data / "journal").exists():
        assert told == Told()
        return 0
    with closing(Reader(data)) as reader, closing(Registry(data)) as registry:
        totals, cursor = reader.totals(), registry.cursor("influx")
        assert told.totals.seq <= totals.seq <= told.totals.seq + LARGEST_COMMIT, "more than what was not yet told"
        assert told.cursor.seq <= cursor.seq <= totals.seq, "acknowledged, and gone"
        assert reader.totals(told.totals.seq) == told.totals
        at = seen
        while rows := reader.read(at, 50):
            for row in rows:
                at += 1
                assert_row(row, at)
        assert at == totals.seq
        ledger = ledger_of(reader, registry, ["influx"])
        assert ledger.balanced
        assert ledger.read == sum(map(samples_of, range(1, at + 1)))
        assert cursor.dead_lettered == sum(letter.samples for letter in registry.dead_letters("influx"))
    return at


def assert_whole(data: Path, newest: int) -> Totals:
    """In sqlite's own eyes, and each file beginning where the one before ends. Returns what there is."""
    ends = 0
    for path in journal_files(data):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with closing(DailyFile.open(path)) as file:
            assert file.first_seq == ends + 1
            while rows := file.after(ends, 500):  # whether they are compacted or not
                assert [row.seq for row in rows] == list(range(ends + 1, ends + len(rows) + 1))
                ends = rows[-1].seq
            assert file.totals().seq == ends
    assert ends == newest
    with closing(Reader(data)) as reader:
        return reader.totals()
