"""The small database beside the daily files: cursors, dead letters, and the last known states.

What is acknowledged here is durable before the call returns. Everything else in it (states of devices, sinks and
rules) tells a person what the daemon knew last; the journal's events tell the history.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from collector.store.cursors import Cursor, DeadLetter
from collector.store.files import Connect, StoreError, connect
from collector.terms import Json

_VERSION = 1
_APPLICATION_ID = 0x52575247  # "RWRG"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sinks (
  name TEXT PRIMARY KEY, seq INTEGER NOT NULL, accepted INTEGER NOT NULL, dead_lettered INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
  id INTEGER PRIMARY KEY, sink TEXT NOT NULL, seq INTEGER NOT NULL, samples INTEGER NOT NULL, time_ns INTEGER NOT NULL,
  reason TEXT NOT NULL, line BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS states (
  kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID
"""


class Registry:
    """One per process; safe to call from several threads."""

    def __init__(self, data: Path, connect: Connect = connect, *, read_only: bool = False) -> None:
        """Open `data`/registry.db; made when it is not there. Raises StoreError."""
        path = data / "registry.db"
        mode = "ro" if read_only else "rwc"
        self._lock = threading.Lock()
        try:
            self._connection = connect(path, mode)
        except sqlite3.Error as exc:
            raise StoreError(f"{path} can't be opened: {exc}") from exc
        try:
            self._prepare(path, read_only)
        except sqlite3.Error as exc:
            self._connection.close()
            raise StoreError(f"{path} can't be used: {exc}") from exc
        except StoreError:
            self._connection.close()
            raise

    def _prepare(self, path: Path, read_only: bool) -> None:
        self._connection.execute("PRAGMA busy_timeout = 5000")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        begun_only = (version, application, tables) == (0, 0, 0)
        if begun_only and read_only:
            raise StoreError(f"{path} is empty: a daemon began it and was stopped at once; start it again")
        if not begun_only and application != _APPLICATION_ID:
            raise StoreError(f"{path} is no registry of reactorwatch")
        if not begun_only and version != _VERSION:
            raise StoreError(f"{path} has schema version {version}, this program reads {_VERSION}")
        if not read_only:
            self._begin(make=begun_only)

    def _begin(self, *, make: bool) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if make:
            marks = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_VERSION};"
            self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}; {marks} COMMIT;")

    def cursor(self, sink: str) -> Cursor:
        """How far `sink` has got; zeros for a new one."""
        with self._lock:
            row = self._connection.execute("SELECT seq, accepted, dead_lettered FROM sinks WHERE name = ?", (sink,)).fetchone()
        return Cursor(*row) if row else Cursor(0, 0, 0)

    def cursors(self) -> dict[str, Cursor]:
        """Every sink that ever took something."""
        with self._lock:
            rows = self._connection.execute("SELECT name, seq, accepted, dead_lettered FROM sinks ORDER BY name").fetchall()
        return {name: Cursor(seq, accepted, dead) for name, seq, accepted, dead in rows}

    def acknowledge(self, sink: str, cursor: Cursor, letters: Sequence[DeadLetter] = ()) -> None:
        """Move `sink`'s cursor and keep the lines it refused, in one transaction; durable on return."""
        rows = [(sink, letter.seq, letter.samples, letter.time_ns, letter.reason, letter.line) for letter in letters]
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT OR REPLACE INTO sinks VALUES (?, ?, ?, ?)", (sink, cursor.seq, cursor.accepted, cursor.dead_lettered)
            )
            self._connection.executemany(
                "INSERT INTO dead_letters (sink, seq, samples, time_ns, reason, line) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def dead_letters(self, sink: str) -> list[DeadLetter]:
        """The lines that `sink` refused, oldest first."""
        query = "SELECT seq, samples, line, reason, time_ns FROM dead_letters WHERE sink = ? ORDER BY id"
        with self._lock:
            return [DeadLetter(*row) for row in self._connection.execute(query, (sink,))]

    def put_states(self, kind: str, states: Mapping[str, Mapping[str, Json] | None]) -> None:
        """Remember the last known states of a kind, by name; None forgets one."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for name, body in states.items():
                if body is None:
                    self._connection.execute("DELETE FROM states WHERE kind = ? AND name = ?", (kind, name))
                else:
                    text = orjson.dumps(dict(body)).decode()
                    self._connection.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?)", (kind, name, text))

    def states(self, kind: str) -> dict[str, dict[str, Json]]:
        """What `put_states` remembered, by name."""
        with self._lock:
            rows = self._connection.execute("SELECT name, body FROM states WHERE kind = ? ORDER BY name", (kind,)).fetchall()
        return {name: orjson.loads(body) for name, body in rows}

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()


def site_of(data: Path) -> str:
    """The site whose daemon last wrote to `data`. Raises StoreError."""
    registry = Registry(data, read_only=True)
    try:
        site = registry.states("daemon").get("about", {}).get("site")
    finally:
        registry.close()
    if not isinstance(site, str):
        raise StoreError(f"{data}/registry.db does not say which site it belongs to")
    return site
