"""The data folder: one daemon at a time, and only files that are whole and ours."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from collector.store.files import StoreError, create, day_of, is_locked, journal_files, locked, open_reader, open_writer
from collector.store.journal import Journal
from collector.store.reader import Reader
from tests.journal_rows import SLOT_NS
from tests.unit.store.simple import DAY_NS, one

HOLDER = """
import sys
from pathlib import Path
from collector.store.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def file_of_today(data: Path, commits: int = 1) -> Path:
    journal = Journal(data)
    for n in range(commits):
        journal.append([one(slot_ns=SLOT_NS + n)], SLOT_NS)
    journal.close()
    (path,) = journal_files(data)
    return path


# --- the lock


def holder(data: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_daemon_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "not yet" / "there"
    assert not is_locked(data)
    with holder(data) as first:
        assert is_locked(data)
        with pytest.raises(StoreError, match="another reactorwatch") as refused, locked(data):
            pass
        assert str(data) in str(refused.value)
        first.send_signal(signal.SIGKILL)
        first.wait(10)
    assert not is_locked(data)
    with locked(data):
        assert is_locked(data)
    assert not is_locked(data)


def test_the_lock_is_held_against_the_same_process_too(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(StoreError, match="another reactorwatch"), locked(tmp_path):
        pass


def test_the_lock_is_released_when_the_daemon_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    assert not is_locked(tmp_path)


def test_a_program_that_the_daemon_starts_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A report in a child process that outlives the daemon must not keep the next one out."""
    with locked(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        assert not is_locked(tmp_path)
    finally:
        child.communicate()


def test_asking_whether_it_is_locked_takes_nothing(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        for _ in range(3):
            assert is_locked(tmp_path)


@pytest.mark.parametrize("where", ["file", "file/below", "journal-is-a-file"])
def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "journal-is-a-file").mkdir()
    (tmp_path / "journal-is-a-file" / "journal").write_text("")
    with pytest.raises(StoreError, match=r"can't be made or written.*--data") as refused, locked(tmp_path / where):
        pass
    assert str(tmp_path) in str(refused.value)


# --- days


@pytest.mark.parametrize(
    ("time_ns", "day"),
    [
        (0, "1970-01-01"),
        (DAY_NS - 1, "1970-01-01"),
        (DAY_NS, "1970-01-02"),
        (1_732_406_399_999_999_999, "2024-11-23"),
        (1_732_406_400_000_000_000, "2024-11-24"),
    ],
)
def test_the_day_is_utc_to_the_nanosecond(time_ns: int, day: str) -> None:
    assert day_of(time_ns) == day


def test_only_daily_files_are_taken_for_the_journal(data: Path) -> None:
    for name in (
        "2026-11-24.db",
        "2026-11-23.db",
        "2026-11-24.new",
        "2026-11-23.db-wal",
        "2026-11-23.db-shm",
        "notes.db",
        "x.txt",
    ):
        (data / "journal" / name).touch()
    assert [path.name for path in journal_files(data)] == ["2026-11-23.db", "2026-11-24.db"]
    assert journal_files(data / "nowhere") == []


# --- making a file


@pytest.mark.parametrize("left", ["garbage", "whole"])
def test_an_unfinished_file_is_made_anew(data: Path, left: str) -> None:
    path = data / "journal" / "2026-11-23.db"
    unfinished = path.with_suffix(".new")
    if left == "whole":
        create(unfinished.with_name("other.db"), 77, 7, 7)
        (data / "journal" / "other.db").rename(unfinished)
    else:
        unfinished.write_bytes(b"half a file" * 1000)
    create(path, 5, 6, 7)
    assert not unfinished.exists()
    with closing(open_reader(path)) as connection:
        assert connection.execute("SELECT * FROM meta").fetchall() == [(5, 6, 7, None)]


def test_the_journal_of_an_unfinished_file_is_not_played_into_the_new_one(data: Path) -> None:
    """A kill in the middle of making a file leaves a hot rollback journal beside it."""
    path = data / "journal" / "2026-11-23.db"
    unfinished, kept = path.with_suffix(".new"), data / "kept"
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE meta (first_seq INTEGER)")
        connection.execute("INSERT INTO meta VALUES (666)")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE meta SET first_seq = 667")
        connection.execute(
            "CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) SELECT i FROM n"
        )
        hot = unfinished.with_name("2026-11-23.new-journal")
        assert hot.stat().st_size > 0
        shutil.copy(hot, kept)
    shutil.copy(kept, hot)
    create(path, 5, 6, 7)
    with closing(open_reader(path)) as connection:
        assert connection.execute("SELECT * FROM meta").fetchall() == [(5, 6, 7, None)]
    assert not hot.exists()


def test_the_log_of_an_unfinished_file_is_not_played_into_the_new_one(data: Path) -> None:
    path = data / "journal" / "2026-11-23.db"
    unfinished, log, kept = path.with_suffix(".new"), data / "journal" / "2026-11-23.new-wal", data / "kept"
    create(unfinished.with_name("other.db"), 666, 0, 0)
    (data / "journal" / "other.db").rename(unfinished)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET first_seq = 667")
        shutil.copy(log, kept)
    shutil.copy(kept, log)
    create(path, 5, 6, 7)
    with closing(open_reader(path)) as connection:
        assert connection.execute("SELECT first_seq FROM meta").fetchall() == [(5,)]
    assert [left.name for left in (data / "journal").iterdir() if ".new" in left.name] == []


def test_a_daily_file_never_has_a_rollback_journal(data: Path) -> None:
    """One that a power cut brings back would have to be rolled back by who may only read: the daemon would not start."""
    create(data / "journal" / "2026-11-23.db", 1, 0, 0)
    with closing(open_reader(data / "journal" / "2026-11-23.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_cannot_be_made_is_told_and_leaves_none(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "2026-11-23.db"
    with pytest.raises(StoreError, match=r"2026-11-23\.db: the daily file can't be made"):
        create(path, 1, 0, 0)
    assert not path.exists()


def test_an_existing_daily_file_is_never_made_anew(data: Path) -> None:
    """Whatever calls it: a day of the original must not be renamed away."""
    path = file_of_today(data)
    with pytest.raises(StoreError):
        create(path, 1, 0, 0)
    with closing(open_reader(path)) as connection:
        assert connection.execute("SELECT count(*) FROM scans").fetchone() == (1,)


# --- whole and ours


def test_a_reader_cannot_write(data: Path) -> None:
    with closing(open_reader(file_of_today(data))) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM scans")


def test_the_writer_syncs_fully(data: Path) -> None:
    with closing(open_writer(file_of_today(data))) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name)")
        connection.commit()


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _without_meta(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM meta")
        connection.commit()


def _without_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE meta")
        connection.execute("DROP TABLE scans")


def _cut(path: Path) -> None:
    os.truncate(path, 5000)


def _zeroed(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[4096:] = bytes(len(body) - 4096)
    path.write_bytes(body)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_bytes(b"this is no database at all\n" * 500),
    "header only": lambda path: os.truncate(path, 60),
    "first page only": lambda path: os.truncate(path, 4096),
    "cut": _cut,
    "zeroed behind its first page": _zeroed,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "foreign": _foreign,
    "newer": _newer,
    "meta lost": _without_meta,
    "tables lost": _without_tables,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("opened_as", ["journal", "reader"])
def test_a_damaged_or_foreign_file_is_told(data: Path, damage: str, opened_as: str) -> None:
    """At the start, in words, naming the file: nobody reads a traceback at three in the morning."""
    path = file_of_today(data, 3)
    DAMAGE[damage](path)
    with pytest.raises(StoreError, match=path.name):
        _use(data, opened_as)


def _use(data: Path, opened_as: str) -> None:
    if opened_as == "journal":
        journal = Journal(data)
        try:
            journal.append([one()], SLOT_NS)
        finally:
            journal.close()
        return
    reader = Reader(data)
    try:
        reader.totals()
        reader.read(0, 10)
    finally:
        reader.close()


def test_a_row_that_is_damaged_is_never_values(data: Path) -> None:
    path = file_of_today(data, 3)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE scans SET columns = substr(columns, 1, 5) WHERE seq = 2")
        connection.commit()
    reader = Reader(data)
    try:
        assert [row.seq for row in reader.read(0, 1)] == [1]
        with pytest.raises((StoreError, ValueError), match="layout"):
            reader.read(1, 1)
        assert [row.seq for row in reader.read(2, 1)] == [3], "the rows behind it are still there"
    finally:
        reader.close()
