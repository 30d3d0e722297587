"""The small database beside the daily files: cursors, dead letters, and the last known states.

What is acknowledged here is durable before the call returns. Everything else in it (states of devices, sinks and
rules) tells a person what the daemon knew last; the journal's events tell the history.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import orjson

from collector.store.cursors import Cursor, DeadLetter, KeptLetter, KnownSink, Stretch
from collector.store.files import Connect, Damaged, StoreError, connect, inode_of, refusal, tells_damage
from collector.terms import Json

_VERSION = 2
_APPLICATION_ID = 0x52575247  # "RWRG"
_BEHIND = """
CREATE TABLE behind (
  sink TEXT NOT NULL, after INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (sink, after)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_to_retry ON dead_letters (sink, id) WHERE retry;
"""
_SCHEMA = f"""
CREATE TABLE sinks (
  name TEXT PRIMARY KEY, seq INTEGER NOT NULL, accepted INTEGER NOT NULL, dead_lettered INTEGER NOT NULL,
  removed_seq INTEGER, forget INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY, sink TEXT NOT NULL, seq INTEGER NOT NULL, samples INTEGER NOT NULL, time_ns INTEGER NOT NULL,
  reason TEXT NOT NULL, line BLOB NOT NULL, retry INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE states (
  kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
{_BEHIND}"""
_FROM_1 = f"""
ALTER TABLE sinks ADD COLUMN removed_seq INTEGER;
ALTER TABLE sinks ADD COLUMN forget INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN retry INTEGER NOT NULL DEFAULT 0;
{_BEHIND}"""
_PUT_CURSOR = """
INSERT INTO sinks (name, seq, accepted, dead_lettered) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, accepted = excluded.accepted, dead_lettered = excluded.dead_lettered
"""
_SINKS = "SELECT name, seq, accepted, dead_lettered, removed_seq, forget FROM sinks ORDER BY name"
_REASONS = """
SELECT reason, count(*), sum(samples), sum(retry) FROM dead_letters WHERE sink = ? GROUP BY reason ORDER BY count(*) DESC, reason
"""
_LETTERS = "SELECT id, sink, seq, samples, line, reason, time_ns, retry FROM dead_letters"


class Registry:
    """One per process; safe to call from several threads."""

    def __init__(self, data: Path, connect: Connect = connect, *, read_only: bool = False) -> None:
        """Open `data`/registry.db; made when it is not there. Raises StoreError."""
        self._path, self._connect = data / "registry.db", connect
        self._lock = threading.Lock()
        self._known_sinks: dict[str, KnownSink] = {}
        self._known_states: dict[str, dict[str, Mapping[str, Json]]] = {}
        self._open(read_only)

    def _open(self, read_only: bool) -> None:
        path = self._path
        try:
            self._connection = self._connect(path, "ro" if read_only else "rwc")
        except sqlite3.Error as exc:
            raise refusal(path, exc) from exc
        try:
            self._prepare(path, read_only)
        except (sqlite3.Error, UnicodeDecodeError) as exc:
            self._connection.close()
            raise refusal(path, exc) from exc
        except StoreError:
            self._connection.close()
            raise
        self._inode = inode_of(path)

    def _prepare(self, path: Path, read_only: bool) -> None:
        self._connection.execute("PRAGMA busy_timeout = 5000")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        begun_only = (version, application, tables) == (0, 0, 0)
        if begun_only and read_only:
            raise StoreError(f"{path} is empty: a daemon began it and was stopped at once; start it again")
        if not begun_only and application != _APPLICATION_ID:
            raise Damaged(path, "it is no registry of reactorwatch")
        if not begun_only and not 1 <= version <= _VERSION:
            raise StoreError(f"{path} has schema version {version}, this program reads {_VERSION}")
        if read_only and version < _VERSION:
            raise StoreError(
                f"{path} is of an earlier version of reactorwatch: the next start of the daemon brings it up to date"
            )
        if not read_only:
            self._begin(version)

    def _begin(self, version: int) -> None:
        """Make it, or bring it from `version` up to date: at once or not at all."""
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if version < _VERSION:
            marks = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_VERSION};"
            self._connection.executescript(f"BEGIN IMMEDIATE; {_FROM_1 if version else _SCHEMA} {marks} COMMIT;")

    def is_gone(self) -> bool:
        """Its file has no name any more, or another has it: what is written would be lost."""
        return inode_of(self._path) != self._inode

    def renew(self, set_aside: Callable[[], None]) -> None:
        """Begin a new file, once `set_aside` has moved the old one away, with all that is known. Raises StoreError."""
        with self._lock:
            set_aside()
            with suppress(sqlite3.Error):
                self._connection.close()
            self._open(read_only=False)
        self.put_sinks(self._known_sinks)
        for kind, bodies in dict(self._known_states).items():
            self.put_states(kind, dict(bodies))

    def put_sinks(self, sinks: Mapping[str, KnownSink]) -> None:
        """What is known of sinks from elsewhere."""
        for name, sink in dict(sinks).items():
            self.acknowledge(name, sink.cursor)
            with self._lock:
                marks = (sink.removed_seq, sink.forget, name)
                self._connection.execute("UPDATE sinks SET removed_seq = ?, forget = ? WHERE name = ?", marks)
        self.sinks()

    def check(self) -> str:
        """What is wrong with it, as SQLite sees it; empty where nothing is. Reads all of it."""
        with self._lock:
            try:
                (told,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
                for table in ("sinks", "behind", "dead_letters", "states"):
                    self._connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608  names of ours
            except (sqlite3.Error, UnicodeDecodeError) as exc:
                if tells_damage(exc) or getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
                    return str(exc)
                raise
        return "" if told == "ok" else str(told)

    def cursor(self, sink: str) -> Cursor:
        """How far `sink` has got; zeros for a new one."""
        return self.sinks().get(sink, KnownSink()).cursor

    def cursors(self) -> dict[str, Cursor]:
        """Of every sink that is known."""
        return {name: sink.cursor for name, sink in self.sinks().items()}

    def sinks(self) -> dict[str, KnownSink]:
        """Every sink that was ever in the plant file and is not forgotten, by name."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN")
            rows = self._connection.execute(_SINKS).fetchall()
            behind = self._connection.execute("SELECT sink, after, until FROM behind ORDER BY sink, after").fetchall()
        stretches = {name: tuple(Stretch(*ends) for sink, *ends in behind if sink == name) for name, *_ in rows}
        self._known_sinks = {
            name: KnownSink(Cursor(seq, accepted, dead, stretches[name]), removed_seq, bool(forget))
            for name, seq, accepted, dead, removed_seq, forget in rows
        }
        return dict(self._known_sinks)

    def place(self, present: Sequence[str], last_seq: int) -> list[str]:
        """A start: which sinks the plant file has, at the journal's row `last_seq`. Returns those now found to be gone."""
        known = self.sinks()
        gone = [name for name, sink in known.items() if name not in present and sink.removed_seq is None]
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("UPDATE sinks SET removed_seq = ? WHERE name = ?", [(last_seq, name) for name in gone])
            self._connection.executemany(
                "INSERT INTO sinks (name, seq, accepted, dead_lettered) VALUES (?, 0, 0, 0)"
                " ON CONFLICT (name) DO UPDATE SET removed_seq = NULL, forget = 0",
                [(name,) for name in present],
            )
        return gone

    def ask_to_forget(self, sink: str) -> None:
        """The daemon shall forget a sink that was taken out of the plant file."""
        with self._lock:
            self._connection.execute("UPDATE sinks SET forget = 1 WHERE name = ? AND removed_seq IS NOT NULL", (sink,))

    def forget(self, sink: str) -> None:
        """Nothing is known of it any more, its dead letters neither; durable on return."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("DELETE FROM sinks WHERE name = ?", (sink,))
            self._connection.execute("DELETE FROM behind WHERE sink = ?", (sink,))
            self._connection.execute("DELETE FROM dead_letters WHERE sink = ?", (sink,))

    def acknowledge(self, sink: str, cursor: Cursor, letters: Sequence[DeadLetter] = (), taken_up: Sequence[int] = ()) -> None:
        """Move `sink`'s cursor, keep the lines it refused, let go of the letters it has `taken_up` (ids): in one
        transaction, durable on return."""
        rows = [(sink, letter.seq, letter.samples, letter.time_ns, letter.reason, letter.line) for letter in letters]
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(_PUT_CURSOR, (sink, cursor.seq, cursor.accepted, cursor.dead_lettered))
            self._connection.execute("DELETE FROM behind WHERE sink = ?", (sink,))
            self._connection.executemany(
                "INSERT INTO behind VALUES (?, ?, ?)", [(sink, each.after, each.until) for each in cursor.behind]
            )
            self._connection.executemany(
                "INSERT INTO dead_letters (sink, seq, samples, time_ns, reason, line) VALUES (?, ?, ?, ?, ?, ?)", rows
            )
            self._connection.executemany("DELETE FROM dead_letters WHERE id = ?", [(each,) for each in taken_up])
        self._known_sinks[sink] = replace(self._known_sinks.get(sink, KnownSink()), cursor=cursor)

    def letters(self, sink: str, after_id: int = 0, limit: int = 500, *, only_retry: bool = False) -> list[KeptLetter]:
        """The lines that `sink` refused, oldest first; `only_retry`: those for which another try was asked."""
        query = f"{_LETTERS} WHERE sink = ? AND id > ?{' AND retry' if only_retry else ''} ORDER BY id LIMIT ?"
        with self._lock:
            rows = self._connection.execute(query, (sink, after_id, limit)).fetchall()
        return [_kept(row) for row in rows]

    def dead_letters(self, sink: str) -> list[DeadLetter]:
        """All lines that `sink` refused, oldest first."""
        return [kept.letter for kept in self.letters(sink, limit=-1)]

    def counts_of_letters(self, sink: str) -> list[tuple[str, int, int, int]]:
        """By reason, the most frequent first: reason, letters, samples, letters that are to be tried again."""
        with self._lock:
            return self._connection.execute(_REASONS, (sink,)).fetchall()

    def newest_letters(self, sink: str, limit: int) -> list[KeptLetter]:
        """The newest lines that `sink` refused, oldest of them first."""
        query = f"{_LETTERS} WHERE sink = ? ORDER BY id DESC LIMIT ?"
        with self._lock:
            rows = self._connection.execute(query, (sink, limit)).fetchall()
        return [_kept(row) for row in reversed(rows)]

    def retry(self, sink: str) -> int:
        """Ask for another try of all lines that `sink` refused; how many they are."""
        with self._lock:
            return self._connection.execute("UPDATE dead_letters SET retry = 1 WHERE sink = ?", (sink,)).rowcount

    def refused_again(self, letters: Mapping[int, DeadLetter]) -> None:
        """Another try of letters, by id, ended as the first: with a reason and a time of their own."""
        rows = [(letter.reason, letter.time_ns, number) for number, letter in letters.items()]
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("UPDATE dead_letters SET reason = ?, time_ns = ?, retry = 0 WHERE id = ?", rows)

    def put_states(self, kind: str, states: Mapping[str, Mapping[str, Json] | None]) -> None:
        """Remember the last known states of a kind, by name; None forgets one."""
        self.put_kinds({kind: states})

    def put_kinds(self, kinds: Mapping[str, Mapping[str, Mapping[str, Json] | None]]) -> None:
        """The same for several kinds, all or none: a transaction costs more than what it writes."""
        states = [(kind, name, body) for kind, bodies in kinds.items() for name, body in bodies.items()]
        over = [(kind, name) for kind, name, body in states if body is None]
        kept = [(kind, name, orjson.dumps(dict(body)).decode()) for kind, name, body in states if body is not None]
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM states WHERE kind = ? AND name = ?", over)
            self._connection.executemany("INSERT OR REPLACE INTO states VALUES (?, ?, ?)", kept)
        for kind, bodies in kinds.items():
            known = {**self._known_states.get(kind, {}), **bodies}
            self._known_states[kind] = {name: body for name, body in known.items() if body is not None}

    def states(self, kind: str) -> dict[str, dict[str, Json]]:
        """What `put_states` remembered, by name."""
        with self._lock:
            rows = self._connection.execute("SELECT name, body FROM states WHERE kind = ? ORDER BY name", (kind,)).fetchall()
        bodies = {name: orjson.loads(body) for name, body in rows}
        self._known_states[kind] = dict(bodies)
        return bodies

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()


def _kept(row: tuple[int, str, int, int, bytes, str, int, int]) -> KeptLetter:
    number, sink, seq, samples, line, reason, time_ns, retry = row
    return KeptLetter(number, sink, DeadLetter(seq, samples, line, reason, time_ns), bool(retry))


def site_of(data: Path, connect: Connect = connect) -> str:
    """The site whose daemon last wrote to `data`. Raises StoreError."""
    registry = Registry(data, connect, read_only=True)
    try:
        site = registry.states("daemon").get("about", {}).get("site")
    finally:
        registry.close()
    if not isinstance(site, str):
        raise StoreError(f"{data}/registry.db does not say which site it belongs to")
    return site
