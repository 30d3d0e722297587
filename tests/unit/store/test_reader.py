"""Reading at the writer's heels, from several threads, over years of days, past days that are damaged or gone."""

from __future__ import annotations

import resource
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.store.daily import Totals
from collector.store.files import StoreError, connect, create, journal_files, open_writer
from collector.store.journal import Entry
from collector.store.reader import Reader
from collector.store.rows import ScanRow
from collector.terms import EventKind
from drivers.base import Layout
from tests.journal_rows import SECOND_NS, SLOT_NS
from tests.unit.store.simple import DAY_NS, ONE, TWO, all_rows, journal_of, one, two

# --- readers


def test_a_reader_finds_each_new_day(data: Path) -> None:
    with journal_of(data) as journal, closing(Reader(data)) as reader:
        for day in range(5):
            assert reader.read(day, 10) == []
            journal.append([one(float(day))], SLOT_NS + day * DAY_NS)
            (row,) = reader.read(day, 10)
            assert isinstance(row, ScanRow)
            assert (row.seq, row.scan.values[0]) == (day + 1, day)
            assert reader.totals() == journal.totals


def test_a_reader_outlives_a_day_that_is_taken_away(data: Path) -> None:
    """Retention is unlinking a file."""
    with journal_of(data) as journal, closing(Reader(data)) as reader:
        for day in range(3):
            journal.append([one(float(day))], SLOT_NS + day * DAY_NS)
        assert reader.totals(1) == Totals(1, 1, 1)
        oldest = journal_files(data)[0]
        for path in (oldest, oldest.with_name(oldest.name + "-wal"), oldest.with_name(oldest.name + "-shm")):
            path.unlink(missing_ok=True)
        assert [row.seq for row in reader.read(0, 10)] == [2]
        assert reader.totals() == Totals(3, 3, 3)
        assert reader.totals(2) == Totals(2, 2, 2)
    with journal_of(data) as journal:
        assert journal.totals == Totals(3, 3, 3)


class Writing(threading.Thread):
    """Appends one commit after another; each row is a scan of one sample, so that seq = samples = scans."""

    def __init__(self, data: Path, commits: int, size: int) -> None:
        super().__init__()
        self._data, self._commits, self._size = data, commits, size

    def run(self) -> None:
        with journal_of(self._data) as journal:
            for n in range(self._commits):
                given: list[Entry] = [one(float(n * self._size + i)) for i in range(self._size)]
                journal.append(given, SLOT_NS + n * DAY_NS // 40)


def test_readers_keep_up_while_it_is_written(data: Path) -> None:
    writing = Writing(data, 100, 3)
    with closing(Reader(data)) as reader:
        writing.start()
        seen: list[int] = []
        while len(seen) < 300:
            goes_on = writing.is_alive()
            rows = reader.read(seen[-1] if seen else 0, 7)
            assert rows or goes_on, "nothing more comes"
            seen += [row.seq for row in rows]
            assert all(row.scan.values[0] == row.seq - 1 for row in rows if isinstance(row, ScanRow))
        writing.join()
    assert seen == list(range(1, 301))


def test_totals_belong_together_while_it_is_written(data: Path) -> None:
    """One moment's: samples of rows that `seq` does not count yet would be counted twice by whoever goes on from it."""
    writing = Writing(data, 300, 2)
    with closing(Reader(data)) as reader:
        writing.start()
        while writing.is_alive():
            totals = reader.totals()
            assert totals.seq == totals.samples == totals.scans
        writing.join()


def test_threads_share_a_reader(data: Path) -> None:
    with journal_of(data) as journal:
        for day in range(4):
            journal.append([one(float(day * 10 + i)) for i in range(10)], SLOT_NS + day * DAY_NS)
    wrong: list[object] = []

    def read_it_all() -> None:
        try:
            for limit in (1, 3, 11):
                at, count = 0, 0
                while rows := reader.read(at, limit):
                    at, count = rows[-1].seq, count + len(rows)
                    wrong.extend(row for row in rows if isinstance(row, ScanRow) and row.scan.values[0] != row.seq - 1)
                if count != 40 or reader.totals(25) != Totals(25, 25, 25):
                    wrong.append(count)
        except BaseException as exc:  # noqa: BLE001  a thread's error must fail the test
            wrong.append(exc)

    with closing(Reader(data)) as reader:
        threads = [threading.Thread(target=read_it_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_a_reader_holds_no_transaction_when_it_returns(data: Path) -> None:
    """One that did would keep the write-ahead log from ever being reset: it would fill the disk."""
    with journal_of(data) as journal, closing(Reader(data)) as reader:
        journal.append([one(float(n)) for n in range(10)], SLOT_NS)
        for use in _uses(reader):
            use()
            (path,) = journal_files(data)
            with closing(sqlite3.connect(path)) as other:
                busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert busy == 0, use
            journal.append([one()], SLOT_NS)


def _uses(reader: Reader) -> list[Callable[[], object]]:
    return [
        lambda: reader.read(0, 3),
        lambda: reader.read(0, 100),
        reader.totals,
        lambda: reader.totals(5),
        lambda: reader.newest_events(EventKind.GAP, 5),
        reader.layouts,
        reader.last_commit_ns,
    ]


# --- years


def test_a_year_of_days_needs_no_more_files_open_than_a_week(data: Path) -> None:
    """A daemon may have 1,024 descriptors; a year has 365 files of three each (database, -wal and -shm)."""
    days = 80
    for day in range(days):
        month, of_month = divmod(day, 28)
        create(data / "journal" / f"2026-{month + 1:02}-{of_month + 1:02}.db", day + 1, day, day)
        with closing(open_writer(journal_files(data)[-1])) as connection:
            _row_by_hand(connection, day + 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 60, hard))
    try:
        with journal_of(data) as journal, closing(Reader(data)) as reader:
            assert journal.totals == reader.totals() == Totals(days, days, days)
            assert [row.seq for row in all_rows(reader)] == list(range(1, days + 1))
            assert reader.count_between(0, 2**62) == days
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _row_by_hand(connection: sqlite3.Connection, seq: int) -> None:
    connection.execute("INSERT INTO layouts VALUES (1, ?, ?)", (ONE.id, ONE.to_json()))
    connection.execute('INSERT INTO stamps VALUES (1, \'[["","","","","pilot"]]\')')
    connection.execute("INSERT INTO scans VALUES (?, ?, ?, 1, 1, 1, 0, ?)", (seq, SLOT_NS + seq, SLOT_NS + seq, b"\0" + bytes(8)))
    connection.execute("INSERT INTO commits VALUES (?, ?, ?, ?, NULL)", (seq, SLOT_NS + seq, seq, seq))


def _three_days(data: Path, damage: Callable[[Path], object]) -> None:
    """The second of them damaged."""
    with journal_of(data) as journal:
        for day in range(3):
            journal.append([one(float(day))], SLOT_NS + day * DAY_NS)
    damage(journal_files(data)[1])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "overwritten": lambda path: path.write_bytes(b"this is no database" * 1000),
    "emptied": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_old_day_does_not_keep_the_plant_from_being_collected(data: Path, damage: str) -> None:
    """Damage costs a day at most: the day, and not the next ones."""
    _three_days(data, DAMAGE[damage])
    with journal_of(data) as journal:
        assert journal.append([one(3.0)], SLOT_NS + 2 * DAY_NS) == Totals(4, 4, 4)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_old_day_costs_its_own_rows_only(data: Path, damage: str) -> None:
    _three_days(data, DAMAGE[damage])
    with closing(Reader(data)) as reader:
        assert reader.totals() == Totals(3, 3, 3)
        assert [row.seq for row in reader.read(0, 10)] == [1]
        with pytest.raises(StoreError, match=journal_files(data)[1].name):
            reader.read(1, 10)
        assert [row.seq for row in reader.read(2, 10)] == [3], "a sink that is beyond it goes on"


@pytest.mark.parametrize("damage", DAMAGE)
def test_totals_up_to_a_row_of_a_damaged_day_are_right_or_refused(data: Path, damage: str) -> None:
    """Those of the day before would make a ledger that looks whole."""
    with journal_of(data) as journal:
        for day in range(3):
            journal.append([one(1.0), one(2.0)], SLOT_NS + day * DAY_NS)
    DAMAGE[damage](journal_files(data)[1])
    with closing(Reader(data)) as reader:
        assert reader.totals(2) == Totals(2, 2, 2)
        for seq in (3, 4):
            try:
                assert reader.totals(seq) == Totals(seq, seq, seq)
            except StoreError as exc:
                assert journal_files(data)[1].name in str(exc)
        assert reader.totals(5) == Totals(5, 5, 5)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_newest_day_is_told_by_all_that_would_count_it(data: Path, damage: str) -> None:
    """An older total would be taken for what was read, an older time for where plant time goes on."""
    with journal_of(data) as journal:
        for day in range(3):
            journal.append([one(float(day))], SLOT_NS + day * DAY_NS)
    newest = journal_files(data)[-1]
    DAMAGE[damage](newest)
    with closing(Reader(data)) as reader:
        asks: list[Callable[[], object]] = [
            reader.totals,
            lambda: reader.totals(3),
            reader.last_commit_ns,
            lambda: reader.read(2, 10),
        ]
        for ask in asks:
            with pytest.raises(StoreError, match=newest.name):
                ask()
    with pytest.raises(StoreError, match=newest.name), journal_of(data) as journal:
        journal.append([one(3.0)], SLOT_NS + 3 * DAY_NS)
    assert len(journal_files(data)) == 3, "no day is begun beside it: its rows' numbers would be given twice"


def test_a_layout_is_kept_in_each_file_it_is_used_in(data: Path) -> None:
    """Each day can be read alone, when the others are gone."""
    with journal_of(data) as journal:
        for day in range(3):
            journal.append([one(1.0), two(2.0, 3.0)], SLOT_NS + day * DAY_NS)
    for path in journal_files(data)[:2]:
        path.unlink()
    with closing(Reader(data)) as reader:
        assert [row.scan.layout for row in all_rows(reader)] == [ONE, TWO]
        assert [row.seq for row in all_rows(reader)] == [5, 6]


def test_rows_of_a_layout_that_is_known_have_that_very_one(data: Path) -> None:
    with journal_of(data) as journal:
        journal.append([one(1.0), two(2.0, 3.0)], SLOT_NS)
    known = Layout.from_json(ONE.to_json())
    with closing(Reader(data)) as reader:
        reader.know([known])
        first, second = all_rows(reader)
        assert first.scan.layout is known
        assert second.scan.layout == TWO


def test_a_damaged_layout_is_found_though_it_is_known(data: Path) -> None:
    with journal_of(data) as journal:
        journal.append([one(1.0)], SLOT_NS)
    with closing(sqlite3.connect(journal_files(data)[0])) as database, database:
        database.execute("UPDATE layouts SET body = replace(body, 'plc', 'plx')")
        assert database.execute("SELECT changes()").fetchone() == (1,)
    with closing(Reader(data)) as reader:
        reader.know([ONE])
        with pytest.raises(StoreError):
            reader.read(0, 10)


def steps_of_newest_slots(data: Path) -> int:
    """Of SQLite's machine, in tens."""
    steps = 0

    def counted() -> int:
        nonlocal steps
        steps += 1
        return 0

    def watched(path: Path, mode: str) -> sqlite3.Connection:
        connection = connect(path, mode)
        connection.set_progress_handler(counted, 10)
        return connection

    with closing(Reader(data, watched)) as reader:
        assert [newest.slot_ns for newest in reader.newest_slots(SECOND_NS).values()] == [last_slot_ns(data)]
    return steps


def last_slot_ns(data: Path) -> int:
    with closing(sqlite3.connect(journal_files(data)[-1])) as database:
        return int(database.execute("SELECT max(slot_ns) FROM scans").fetchone()[0])


def test_where_groups_ended_is_found_as_fast_in_a_long_journal(data: Path) -> None:
    """A start waits for it."""
    with journal_of(data) as journal:
        journal.append([one(1.0, SLOT_NS + n * SECOND_NS) for n in range(100)], SLOT_NS)
        short = steps_of_newest_slots(data)
        journal.append([one(1.0, SLOT_NS + n * SECOND_NS) for n in range(100, 5000)], SLOT_NS)
    assert steps_of_newest_slots(data) < short + 50


def test_the_last_row_committed_before_a_time(data: Path) -> None:
    """Over days, at the edges, before the first and after the last."""
    with journal_of(data) as journal, closing(Reader(data)) as reader:
        assert reader.committed_before(2**62) == 0
        commits = [(SLOT_NS + offset, count) for offset, count in ((0, 2), (1_000, 3), (DAY_NS, 1), (2 * DAY_NS, 4))]
        for time_ns, count in commits:
            journal.append([one() for _ in range(count)], time_ns)
        assert reader.committed_before(SLOT_NS - 1) == 0
        last = 0
        for time_ns, count in commits:
            assert reader.committed_before(time_ns - 1) == last
            last += count
            assert reader.committed_before(time_ns) == last
        assert reader.committed_before(2**62) == last
