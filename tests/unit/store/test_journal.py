"""The journal in trouble: full disks, days that can't be begun, clocks set back, tag lists re-ordered."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from collector.store.daily import Totals
from collector.store.files import StoreError, connect, journal_files
from collector.store.journal import Journal, Stamped
from collector.store.reader import Reader
from collector.terms import Event, EventKind, Stamp
from config.tags import Kind
from tests.journal_rows import SLOT_NS, Value, column, layout, scan
from tests.unit.store.simple import DAY_NS, all_rows, journal_of, one, two, values

# --- a disk that takes no more


@contextmanager
def no_file_longer_than(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


BIG = Event(EventKind.DAEMON, SLOT_NS, body={"text": "x" * 3_000_000})


def test_a_write_that_fails_in_the_middle_leaves_nothing(data: Path) -> None:
    with journal_of(data) as journal:
        journal.append([one(1.0)], SLOT_NS)
        with no_file_longer_than(1_000_000), pytest.raises(sqlite3.Error):
            journal.append([two(2.0, 3.0), BIG], SLOT_NS + 1)
        assert journal.totals == Totals(1, 1, 1)
        journal.append([two(4.0, 5.0), one(6.0)], SLOT_NS + 2)
        assert journal.totals == Totals(3, 4, 3)
    assert values(data) == [1.0, 4.0, 5.0, 6.0]
    with closing(Reader(data)) as reader:
        assert [row.stamps for row in all_rows(reader)] == [(Stamp(),), (Stamp("B-24-017", "Dose"),), (Stamp(),)]


def test_layouts_and_stamps_of_a_refused_commit_are_void(data: Path) -> None:
    """Their keys were given in the transaction that was rolled back, and go to others afterwards."""
    with journal_of(data) as journal:
        journal.append([one(1.0)], SLOT_NS)
        unwritable = Event(EventKind.DAEMON, SLOT_NS, body={"number": 2**70})
        with pytest.raises(TypeError):
            journal.append([two(2.0, 3.0), unwritable], SLOT_NS)
        other = Stamped(scan(layout(column("weight"), group="three"), [9.0]), (Stamp("B-24-018", "Heat"),))
        journal.append([other, two(4.0, 5.0)], SLOT_NS)
    with closing(Reader(data)) as reader:
        rows = all_rows(reader)
        assert [row.scan.layout.group for row in rows] == ["main", "three", "two"]
        assert [row.stamps[0].batch for row in rows] == ["", "B-24-018", "B-24-017"]


def test_the_first_commit_of_a_day_is_tried_again(data: Path) -> None:
    with journal_of(data) as journal:
        journal.append([one(1.0)], SLOT_NS)
        with no_file_longer_than(1_000_000), pytest.raises(sqlite3.Error):
            journal.append([BIG], SLOT_NS + DAY_NS)
        journal.append([one(2.0)], SLOT_NS + DAY_NS)
    with journal_of(data) as journal:
        assert journal.totals == Totals(2, 2, 2)
    assert len(journal_files(data)) == 2
    assert values(data) == [1.0, 2.0]


def test_a_reader_sees_what_follows_a_day_that_could_not_be_opened_at_once(data: Path) -> None:
    """The file was made, opening it failed (no descriptors, no room for -shm), and a sink's reader has found it meanwhile."""

    refusing = False

    def sometimes(path: Path, mode: str) -> sqlite3.Connection:
        if refusing and mode == "rw":
            raise sqlite3.OperationalError("unable to open database file")
        return connect(path, mode)

    with closing(Journal(data, sometimes)) as journal, closing(Reader(data)) as reader:
        journal.append([one(1.0)], SLOT_NS)
        refusing = True
        with pytest.raises(StoreError):
            journal.append([one(2.0)], SLOT_NS + DAY_NS)
        assert reader.totals().seq == 1
        refusing = False
        for n in range(2, 50):
            journal.append([one(float(n))], SLOT_NS + DAY_NS)
        journal.close()  # what was in the write-ahead log goes into the file
        assert [row.scan.values[0] for row in all_rows(reader)] == [float(n) for n in range(1, 50)]
        assert reader.totals() == journal.totals


# --- its life


def test_nothing_is_destroyed_by_appending_after_closing(data: Path) -> None:
    """Refused or taken, but the day that is there stays."""
    journal = Journal(data)
    journal.append([one(1.0)], SLOT_NS)
    journal.close()
    try:
        journal.append([one(2.0)], SLOT_NS)
    except (StoreError, sqlite3.Error):
        pass
    finally:
        journal.close()
    assert values(data)[0] == 1.0


def test_closing_twice_is_closing(data: Path) -> None:
    journal = Journal(data)
    journal.append([one()], SLOT_NS)
    journal.close()
    journal.close()


def test_an_empty_journal_holds_nothing(data: Path) -> None:
    with journal_of(data) as journal, closing(Reader(data)) as reader:
        assert journal.append([], SLOT_NS) == Totals()
        assert reader.read(0, 10) == []
        assert reader.totals() == reader.totals(0) == reader.totals(5) == Totals()
        assert reader.last_commit_ns() is None
        assert journal_files(data) == []


def test_a_clock_set_back_over_midnight_goes_on_in_the_newer_file(data: Path) -> None:
    with journal_of(data) as journal:
        for n, time_ns in enumerate((SLOT_NS, SLOT_NS + DAY_NS, SLOT_NS, SLOT_NS + DAY_NS, SLOT_NS - 5 * DAY_NS)):
            journal.append([one(float(n))], time_ns)
    with journal_of(data) as journal:
        journal.append([one(5.0)], SLOT_NS)
    assert len(journal_files(data)) == 2
    assert values(data) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_clock_set_back_over_a_midnight_that_took_nothing(data: Path) -> None:
    """The new day was begun, its first commit failed, and then the clock went back: the older file stays closed."""
    with journal_of(data) as journal:
        journal.append([one(0.0)], SLOT_NS)
        with pytest.raises(TypeError):
            journal.append([Event(EventKind.DAEMON, SLOT_NS, body={"number": 2**70})], SLOT_NS + DAY_NS)
        journal.append([one(1.0)], SLOT_NS)
    with journal_of(data) as journal:
        journal.append([one(2.0)], SLOT_NS + DAY_NS)
        assert journal.totals == Totals(3, 3, 3)
    assert values(data) == [0.0, 1.0, 2.0]
    with closing(Reader(data)) as reader:
        assert [reader.totals(seq) for seq in range(4)] == [Totals(seq, seq, seq) for seq in range(4)]


def test_a_reordered_tag_list_never_turns_into_wrong_values(data: Path) -> None:
    a, b, n, t = column("a"), column("b"), column("n", Kind.INTEGER), column("t", Kind.TEXT)
    runs = [layout(a, b, n, t), layout(b, a, t, n), layout(n, t, b, a)]
    told: dict[str, Value] = {"a": 1.0, "b": 2.0, "n": 2**53 + 1, "t": "B-24-017"}
    for of in runs:
        with journal_of(data) as journal:
            journal.append([Stamped(scan(of, [told[each.role] for each in of.columns]), (Stamp(),))], SLOT_NS)
    with closing(Reader(data)) as reader:
        for row, of in zip(all_rows(reader), runs, strict=True):
            assert row.scan.layout == of
            by_role = dict(zip([each.role for each in of.columns], row.scan.values.tolist(), strict=True))
            assert (by_role["a"], by_role["b"], by_role["n"]) == (1.0, 2.0, float(2**53))
            assert (row.scan.integers.tolist(), row.scan.texts) == ([2**53 + 1], ("B-24-017",))
