"""Cursors, dead letters and states: all of a call or nothing of it, and on the disk when it returns."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.cursors import Cursor, DeadLetter, KeptLetter, Stretch
from collector.store.files import StoreError
from collector.store.registry import Registry, site_of
from collector.terms import Json
from tests.unit.store.entries import BODIES, LINE

LETTER = DeadLetter(7, 3, b"process,unit=R-201 \xff=1 1", "field type conflict", 1_732_270_000_000_000_000)


def of(data: Path, *, read_only: bool = False) -> closing[Registry]:
    return closing(Registry(data, read_only=read_only))


# --- acknowledging


def test_a_new_sink_has_settled_nothing(tmp_path: Path) -> None:
    with of(tmp_path) as registry:
        assert registry.cursor("influx") == Cursor(0, 0, 0)
        assert registry.cursors() == {}
        assert registry.dead_letters("influx") == []


def test_cursors_and_letters_are_kept_apart_by_sink_and_survive(tmp_path: Path) -> None:
    letters = [LETTER, DeadLetter(8, 0, b"", "", 0), DeadLetter(8, 2**62, b"\0" * 100_000, "Ä", -(2**63))]
    with of(tmp_path) as registry:
        registry.acknowledge("influx", Cursor(9, 20, 3), letters)
        registry.acknowledge("backup", Cursor(2, 2, 0))
        registry.acknowledge("backup", Cursor(5, 4, 1), [LETTER])
    with of(tmp_path) as registry:
        assert registry.cursors() == {"backup": Cursor(5, 4, 1), "influx": Cursor(9, 20, 3)}
        assert registry.dead_letters("influx") == letters
        assert registry.dead_letters("backup") == [LETTER]


def test_what_is_behind_is_kept_with_the_cursor(tmp_path: Path) -> None:
    cursor = Cursor(9050, 400, 0, (Stretch(400, 9000), Stretch(9010, 9020)))
    with of(tmp_path) as registry:
        registry.acknowledge("influx", cursor)
        registry.acknowledge("backup", Cursor(1, 1, 0, (Stretch(0, 1),)))
    with of(tmp_path) as registry:
        assert registry.cursors() == {"backup": Cursor(1, 1, 0, (Stretch(0, 1),)), "influx": cursor}
        registry.acknowledge("influx", Cursor(9050, 9050, 0))
        assert registry.cursor("influx") == Cursor(9050, 9050, 0)
        assert registry.cursor("backup").behind == (Stretch(0, 1),)


def test_letters_are_taken_up_with_the_cursor_or_refused_again(tmp_path: Path) -> None:
    letters = [DeadLetter(seq, 3, b"line", "refused", seq) for seq in (1, 2, 3)]
    again = DeadLetter(2, 3, b"line", "still refused", 99)
    with of(tmp_path) as registry:
        registry.acknowledge("influx", Cursor(3, 0, 9), letters)
        registry.acknowledge("backup", Cursor(3, 6, 3), letters[:1])
        assert registry.letters("influx", only_retry=True) == []
        assert registry.retry("influx") == 3
        kept = registry.letters("influx", only_retry=True)
        assert kept == [KeptLetter(number, "influx", letter, True) for number, letter in enumerate(letters, 1)]
        assert registry.letters("influx", after_id=2) == kept[2:]
        assert registry.letters("influx", limit=1) == kept[:1]
        registry.refused_again({2: again})
        registry.acknowledge("influx", Cursor(3, 3, 6), taken_up=[1])
    with of(tmp_path) as registry:
        assert registry.dead_letters("influx") == [again, letters[2]]
        assert [each.id for each in registry.letters("influx", only_retry=True)] == [3]
        assert registry.dead_letters("backup") == letters[:1]
        assert registry.letters("backup", only_retry=True) == []


UNWRITABLE = (DeadLetter(8, 2**70, b"line", "reason", 0), DeadLetter(8, 1, b"line", "\ud800", 0))


@pytest.mark.parametrize("bad", UNWRITABLE, ids=["number", "surrogate"])
def test_a_letter_that_cannot_be_kept_moves_no_cursor(tmp_path: Path, bad: DeadLetter) -> None:
    with of(tmp_path) as registry:
        registry.acknowledge("influx", Cursor(5, 5, 0))
        with pytest.raises((ValueError, OverflowError, sqlite3.Error)):
            registry.acknowledge("influx", Cursor(9, 8, 1), [LETTER, bad])
        assert registry.cursor("influx") == Cursor(5, 5, 0)
        assert registry.dead_letters("influx") == []
        registry.acknowledge("influx", Cursor(6, 6, 0))
        assert registry.cursor("influx") == Cursor(6, 6, 0)


def test_a_full_disk_moves_no_cursor(tmp_path: Path) -> None:
    with of(tmp_path) as registry:
        registry.acknowledge("influx", Cursor(5, 5, 0))
        registry._connection.execute("PRAGMA max_page_count = 1")
        big = DeadLetter(8, 1, b"x" * 200_000, "refused", 0)
        with pytest.raises(sqlite3.Error):
            registry.acknowledge("influx", Cursor(9, 8, 1), [big])
        assert registry.cursor("influx") == Cursor(5, 5, 0)
        registry._connection.execute("PRAGMA max_page_count = 1073741823")
        registry.acknowledge("influx", Cursor(9, 8, 1), [big])
        assert registry.dead_letters("influx") == [big]


KILLED = """
import os, signal, sys
from pathlib import Path
from collector.store.cursors import Cursor
from collector.store.registry import Registry
registry = Registry(Path(sys.argv[1]))
for seq in range(1, 20):
    registry.acknowledge("influx", Cursor(seq, seq, 0))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode == -9
    with of(tmp_path) as registry:
        assert registry.cursor("influx") == Cursor(19, 19, 0)


def test_it_is_on_the_disk_when_the_call_returns(tmp_path: Path) -> None:
    with of(tmp_path) as registry:
        assert registry._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert registry._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# --- states


@given(
    st.lists(st.tuples(st.sampled_from(["device", "rule"]), st.dictionaries(LINE, st.none() | BODIES, max_size=4)), max_size=8)
)
def test_states_are_put_and_forgotten(
    tmp_path_factory: pytest.TempPathFactory, puts: list[tuple[str, dict[str, dict[str, Json] | None]]]
) -> None:
    model: dict[str, dict[str, dict[str, Json]]] = {"device": {}, "rule": {}}
    data = tmp_path_factory.mktemp("registry")
    with of(data) as registry:
        for kind, states in puts:
            registry.put_states(kind, states)
            for name, body in states.items():
                if body is None:
                    model[kind].pop(name, None)
                else:
                    model[kind][name] = body
        for kind, expected in model.items():
            assert registry.states(kind) == expected
    with of(data, read_only=True) as registry:
        for kind, expected in model.items():
            assert registry.states(kind) == expected


def test_states_are_put_all_or_none(tmp_path: Path) -> None:
    with of(tmp_path) as registry:
        registry.put_states("device", {"a": {"answers": True}, "b": {"answers": True}})
        with pytest.raises((TypeError, ValueError)):
            registry.put_states("device", {"a": None, "b": {"answers": 2**70}})
        assert set(registry.states("device")) == {"a", "b"}
        registry.put_states("device", {"a": None})
        assert set(registry.states("device")) == {"b"}


# --- several at once


def test_two_threads_at_once(tmp_path: Path) -> None:
    wrong: list[BaseException] = []

    def sink(name: str, registry: Registry) -> None:
        try:
            for seq in range(1, 40):
                registry.acknowledge(name, Cursor(seq, seq - 1, 1), [LETTER])
                registry.put_states("sink", {name: {"seq": seq}, f"{name}-old": None})
                assert registry.cursor(name) == Cursor(seq, seq - 1, 1)
                assert registry.states("sink")[name] == {"seq": seq}
                assert len(registry.dead_letters(name)) == seq
        except BaseException as exc:  # noqa: BLE001  a thread's error must fail the test
            wrong.append(exc)

    with of(tmp_path) as registry:
        threads = [threading.Thread(target=sink, args=(name, registry)) for name in ("a", "b", "c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert registry.cursors() == dict.fromkeys(("a", "b", "c"), Cursor(39, 38, 1))


def test_a_reader_beside_the_daemon(tmp_path: Path) -> None:
    with of(tmp_path) as daemon, of(tmp_path, read_only=True) as status:
        assert status.cursors() == {}
        daemon.acknowledge("influx", Cursor(1, 1, 0))
        assert status.cursor("influx") == Cursor(1, 1, 0)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            status.acknowledge("influx", Cursor(2, 2, 0))
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            status.put_states("device", {"a": {}})
        daemon.acknowledge("influx", Cursor(2, 2, 0))
        assert status.cursor("influx") == Cursor(2, 2, 0)


# --- what earlier versions wrote

VERSION_1 = """
CREATE TABLE sinks (
  name TEXT PRIMARY KEY, seq INTEGER NOT NULL, accepted INTEGER NOT NULL, dead_lettered INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY, sink TEXT NOT NULL, seq INTEGER NOT NULL, samples INTEGER NOT NULL, time_ns INTEGER NOT NULL,
  reason TEXT NOT NULL, line BLOB NOT NULL
) STRICT;
CREATE TABLE states (
  kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
INSERT INTO sinks VALUES ('influx', 9, 20, 3);
INSERT INTO dead_letters VALUES (1, 'influx', 7, 3, 5, 'refused', X'6d20783d31');
INSERT INTO states VALUES ('daemon', 'about', '{"site": "basel"}');
PRAGMA application_id = 0x52575247;
PRAGMA user_version = 1;
"""


def columns(data: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(data / "registry.db")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema ORDER BY name")]
        return {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in tables}


def test_version_1_is_brought_up_to_date_and_keeps_everything(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with closing(sqlite3.connect(tmp_path / "registry.db")) as connection:
        connection.executescript(VERSION_1)
    with pytest.raises(StoreError, match="the next start of the daemon brings it up to date"):
        Registry(tmp_path, read_only=True)
    letter = DeadLetter(7, 3, b"m x=1", "refused", 5)
    with of(tmp_path) as registry, of(tmp_path / "new"):
        assert registry.cursors() == {"influx": Cursor(9, 20, 3)}
        assert registry.dead_letters("influx") == [letter]
        assert site_of(tmp_path) == "basel"
        registry.acknowledge("influx", Cursor(30, 23, 0, (Stretch(9, 20),)), taken_up=[1])
    assert columns(tmp_path) == columns(tmp_path / "new")
    with of(tmp_path, read_only=True) as registry:
        assert registry.cursor("influx") == Cursor(30, 23, 0, (Stretch(9, 20),))
        assert registry.dead_letters("influx") == []


# --- what it refuses


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_version_is_refused(tmp_path: Path, read_only: bool) -> None:
    with of(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "registry.db")) as connection:
        connection.execute("PRAGMA user_version = 3")
    with pytest.raises(StoreError, match=r"registry\.db has schema version 3"):
        Registry(tmp_path, read_only=read_only)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "registry.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"registry\.db"):
        Registry(tmp_path, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("body", [b"this is no database\n" * 500, b"SQLite format 3\0" + bytes(50)], ids=["text", "header"])
def test_a_damaged_one_is_refused(tmp_path: Path, body: bytes, read_only: bool) -> None:
    (tmp_path / "registry.db").write_bytes(body)
    with pytest.raises(StoreError, match=r"registry\.db"):
        Registry(tmp_path, read_only=read_only)


def test_reading_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"registry\.db can't be opened"):
        Registry(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_reading_one_that_was_only_begun_is_told(tmp_path: Path) -> None:
    """The daemon was killed in its first millisecond; `status` says so in words."""
    (tmp_path / "registry.db").touch()
    with pytest.raises(StoreError, match=r"registry\.db"):
        Registry(tmp_path, read_only=True)


def test_one_that_was_only_begun_is_made(tmp_path: Path) -> None:
    (tmp_path / "registry.db").touch()
    with of(tmp_path) as registry:
        registry.acknowledge("influx", Cursor(1, 1, 0))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be opened"):
        Registry(tmp_path / "nowhere")


def test_a_refused_one_is_closed(tmp_path: Path) -> None:
    """Nothing is left of the attempt that would keep the next one from repairing it."""
    (tmp_path / "registry.db").write_bytes(b"this is no database\n" * 500)
    with pytest.raises(StoreError):
        Registry(tmp_path)
    (tmp_path / "registry.db").unlink()
    with of(tmp_path) as registry:
        assert registry.cursors() == {}


def test_the_site_it_belongs_to(tmp_path: Path) -> None:
    with of(tmp_path) as registry:
        with pytest.raises(StoreError, match="does not say which site"):
            site_of(tmp_path)
        registry.put_states("daemon", {"about": {"site": "Basel"}})
    assert site_of(tmp_path) == "Basel"
