"""Daily files as version 1 wrote them: its schema to the letter, and its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import orjson

from collector.store.daily import stamps_to_json
from collector.store.journal import Entry
from collector.store.rows import encode
from collector.terms import Event

SCHEMA = """
CREATE TABLE meta (first_seq INTEGER NOT NULL, samples_before INTEGER NOT NULL, scans_before INTEGER NOT NULL) STRICT;
CREATE TABLE layouts (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
CREATE TABLE stamps (key INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE scans (
  seq INTEGER PRIMARY KEY, slot_ns INTEGER NOT NULL, received_ns INTEGER NOT NULL, layout INTEGER NOT NULL,
  stamps INTEGER NOT NULL, samples INTEGER NOT NULL, lost_status INTEGER NOT NULL, columns BLOB NOT NULL
) STRICT;
CREATE INDEX scans_by_slot ON scans (slot_ns);
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, slot_ns INTEGER NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL,
  stamps INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE commits (
  seq INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, samples_total INTEGER NOT NULL, scans_total INTEGER NOT NULL
) STRICT;
"""


def write(path: Path, commits: Sequence[Sequence[Entry]], time_ns: int, before: tuple[int, int, int] = (0, 0, 0)) -> None:
    """A file of these commits, a nanosecond apart; `before` is the last row, samples and scans of the day before."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(SCHEMA)
        database.execute("PRAGMA application_id = 0x52574A4C")
        database.execute("PRAGMA user_version = 1")
        database.execute("PRAGMA journal_mode = WAL")
        seq, samples, scans = before
        database.execute("INSERT INTO meta VALUES (?, ?, ?)", (seq + 1, samples, scans))
        for n, entries in enumerate(commits):
            database.execute("BEGIN")
            for entry in entries:
                seq += 1
                if isinstance(entry, Event):
                    _event(database, seq, entry)
                else:
                    scan = entry.scan
                    key = _key(database, "layouts", scan.layout.to_json(), scan.layout.id)
                    stamps = _key(database, "stamps", stamps_to_json(entry.stamps))
                    status = int(scan.status[0]) if scan.lost else 0
                    row = (seq, scan.slot_ns, scan.received_ns, key, stamps, scan.samples, status, encode(scan))
                    database.execute("INSERT INTO scans VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
                    samples, scans = samples + scan.samples, scans + 1
            database.execute("INSERT INTO commits VALUES (?, ?, ?, ?)", (seq, time_ns + n, samples, scans))
            database.execute("COMMIT")


def _event(database: sqlite3.Connection, seq: int, event: Event) -> None:
    stamps = _key(database, "stamps", stamps_to_json((event.stamp,)))
    body = orjson.dumps(dict(event.body)).decode()
    row = (seq, event.slot_ns, event.kind.value, event.unit, stamps, body)
    database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)


def _key(database: sqlite3.Connection, table: str, body: str, id_: str | None = None) -> int:
    if id_ is None:
        database.execute("INSERT OR IGNORE INTO stamps (body) VALUES (?)", (body,))
    else:
        database.execute("INSERT OR IGNORE INTO layouts (body, id) VALUES (?, ?)", (body, id_))
    (key,) = database.execute(f"SELECT key FROM {table} WHERE body = ?", (body,)).fetchone()  # noqa: S608
    return int(key)
