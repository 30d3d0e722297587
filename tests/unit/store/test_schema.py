"""Files of an older schema are read, and brought up to date whole; those of a newer program are refused in words."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from collector.store import schema
from collector.store.daily import DailyFile, Totals
from collector.store.files import StoreError, journal_files, open_reader, open_writer
from collector.store.journal import Entry, Stamped
from collector.store.reader import Reader
from collector.store.walk import walk
from collector.terms import Event, EventKind, Stamp
from drivers.base import Scan
from tests.journal_rows import SLOT_NS
from tests.unit.store import version_1
from tests.unit.store.entries import assert_same_rows
from tests.unit.store.simple import DAY_NS, ONE, journal_of, one, two

GAP = Event(EventKind.GAP, SLOT_NS, body={"device": "plc", "cause": "late"})
LOST = Stamped(Scan.of_lost(ONE, SLOT_NS + 2, SLOT_NS + 2, 0x800A_0000), (Stamp(),))
OLD: list[list[Entry]] = [[one(1.0), GAP, two(2.0, 3.0)], [LOST, one(4.0)]]
ENTRIES = [(seq, entry) for seq, entry in enumerate((entry for commit in OLD for entry in commit), 1)]
TOTALS = Totals(5, 4, 4)


@pytest.fixture
def old_file(data: Path) -> Path:
    path = data / "journal" / "2024-11-22.db"
    version_1.write(path, OLD, SLOT_NS)
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def test_an_old_file_is_read_as_it_is(data: Path, old_file: Path) -> None:
    with closing(Reader(data)) as reader:
        assert_same_rows(reader.read(0, 10), ENTRIES)
        assert reader.totals() == TOTALS
        assert reader.totals(2) == Totals(2, 1, 1)
    assert version(old_file) == 1


def test_a_daemon_goes_on_in_an_old_file(data: Path, old_file: Path) -> None:
    with closing(Reader(data)) as reader:
        assert reader.totals() == TOTALS  # the reader has it open as one of version 1
        with journal_of(data) as journal:
            assert journal.append([two(5.0, 6.0)], SLOT_NS) == Totals(6, 6, 5)
            assert_same_rows(reader.read(0, 10), [*ENTRIES, (6, two(5.0, 6.0))])
    assert version(old_file) == 2
    with journal_of(data) as journal:
        assert journal.totals == Totals(6, 6, 5)


def test_one_brought_up_to_date_has_the_schema_of_a_new_one(data: Path, old_file: Path) -> None:
    with journal_of(data) as journal:
        journal.append([one()], SLOT_NS + DAY_NS)
    old, new = (_columns(path) for path in journal_files(data))
    assert old == new


def _columns(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema ORDER BY name")]
        return {name: database.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall() for name in names}


def test_a_kill_in_the_middle_leaves_the_old_file(data: Path, old_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_FROM_VERSION_1", schema._FROM_VERSION_1 + "CREATE TABLE events (seq);\n")
    with pytest.raises(StoreError, match=r"2024-11-22\.db can't be brought to schema version 2"):
        open_writer(old_file)
    monkeypatch.undo()
    assert version(old_file) == 1
    with closing(Reader(data)) as reader:
        assert_same_rows(reader.read(0, 10), ENTRIES)
    with journal_of(data) as journal:
        assert journal.append([one()], SLOT_NS).seq == 6


def test_a_reader_does_not_bring_anything_up_to_date(old_file: Path) -> None:
    with closing(open_reader(old_file)) as connection:
        assert schema.version_of(connection) == 1


def test_what_version_1_committed_counts_but_is_not_chained(data: Path, old_file: Path) -> None:
    found = walk(old_file)
    assert (found.commits, found.unchained, found.breaks) == (2, 2, ())
    with journal_of(data) as journal:
        journal.append([one()], SLOT_NS)
        journal.append([one()], SLOT_NS + DAY_NS)
        head = journal.head
    first, second = (walk(path) for path in journal_files(data))
    assert (first.commits, first.unchained, first.breaks) == (3, 2, ())
    assert second.before == first.head
    assert (second.head, second.unchained, second.breaks) == (head, 0, ())


@pytest.mark.parametrize("number", [3, 99])
def test_a_file_of_a_newer_program_is_refused(data: Path, number: int) -> None:
    with journal_of(data) as journal:
        journal.append([one()], SLOT_NS)
    (path,) = journal_files(data)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {number}")
    told = rf"has schema version {number}, this program reads up to 2: a newer reactorwatch wrote it"
    for opened in (open_reader, open_writer, DailyFile.open):
        with pytest.raises(StoreError, match=told):
            opened(path)
    assert version(path) == number
