"""The journal: the append-only original of all that was read and happened.

Rows (scans and events) share one sequence without gaps, across files and restarts. `append` is one transaction with
a full sync: when it returns, its rows survive a power cut; when it raises, none of them is there, and the caller
still has them. InfluxDB is a copy of this.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from collector.store.daily import Totals, stamps_to_json
from collector.store.files import Connect, StoreError, connect, create, day_of, journal_files, open_writer
from collector.store.reader import Reader
from collector.store.rows import encode
from collector.terms import Event, Stamp
from drivers.base import Layout, Scan


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """A scan with one stamp per unit of its layout, in the order of `Layout.units`."""

    scan: Scan
    stamps: tuple[Stamp, ...]


Entry = Stamped | Event
_Keys = dict[str, int]


class Journal:
    """The one writer of a data folder. Blocking calls, for one thread of their own."""

    def __init__(self, data: Path, connect: Connect = connect) -> None:
        """Open the newest file, or begin the first at the next append. Raises StoreError."""
        self._data, self._connect = data, connect
        reader = Reader(data, connect)
        try:
            self._totals = reader.totals()
            self._newest_ns = reader.last_commit_ns() or 0
        finally:
            reader.close()
        self._connection: sqlite3.Connection | None = None
        self._day = ""
        self._layouts: _Keys = {}
        self._stamps: _Keys = {}
        if files := journal_files(data):
            self._switch(files[-1])

    @property
    def totals(self) -> Totals:
        """What has been committed."""
        return self._totals

    def append(self, entries: Sequence[Entry], time_ns: int) -> Totals:
        """Commit `entries` in their order, at plant time `time_ns`; returns the totals up to the last of them.

        Raises sqlite3.Error or StoreError when nothing was committed.
        """
        if not entries:
            return self._totals
        time_ns = max(time_ns, self._newest_ns)  # commits are in the order of their times, whatever the clock does
        connection = self._file_for(time_ns)
        connection.execute("BEGIN IMMEDIATE")
        try:
            totals = self._insert(connection, entries)
            connection.execute("INSERT INTO commits VALUES (?, ?, ?, ?)", (totals.seq, time_ns, totals.samples, totals.scans))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._layouts.clear()  # keys given in what was rolled back are void
            self._stamps.clear()
            raise
        self._totals, self._newest_ns = totals, time_ns
        return totals

    def close(self) -> None:
        """Close the file; what was appended is safe already."""
        if self._connection is not None:
            with suppress(sqlite3.Error):  # a reader is in the way, or the disk is full: the log stays, and is read with it
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self._connection = None

    def _insert(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> Totals:
        seq, samples, scans = self._totals.seq, self._totals.samples, self._totals.scans
        scan_rows, event_rows = [], []
        for entry in entries:
            seq += 1
            if isinstance(entry, Event):
                body = orjson.dumps(dict(entry.body)).decode()
                stamps = self._stamps_key(connection, (entry.stamp,))
                event_rows.append((seq, entry.slot_ns, entry.kind.value, entry.unit, stamps, body))
                continue
            scan = entry.scan
            layout, stamps = self._layout_key(connection, scan.layout), self._stamps_key(connection, entry.stamps)
            lost_status = int(scan.status[0]) if scan.lost else 0
            scan_rows.append((seq, scan.slot_ns, scan.received_ns, layout, stamps, scan.samples, lost_status, encode(scan)))
            samples += scan.samples
            scans += 1
        connection.executemany("INSERT INTO scans VALUES (?, ?, ?, ?, ?, ?, ?, ?)", scan_rows)
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", event_rows)
        return Totals(seq, samples, scans)

    def _layout_key(self, connection: sqlite3.Connection, layout: Layout) -> int:
        if layout.id not in self._layouts:
            connection.execute("INSERT OR IGNORE INTO layouts (id, body) VALUES (?, ?)", (layout.id, layout.to_json()))
            (self._layouts[layout.id],) = connection.execute("SELECT key FROM layouts WHERE id = ?", (layout.id,)).fetchone()
        return self._layouts[layout.id]

    def _stamps_key(self, connection: sqlite3.Connection, stamps: tuple[Stamp, ...]) -> int:
        body = stamps_to_json(stamps)
        if body not in self._stamps:
            connection.execute("INSERT OR IGNORE INTO stamps (body) VALUES (?)", (body,))
            (self._stamps[body],) = connection.execute("SELECT key FROM stamps WHERE body = ?", (body,)).fetchone()
        return self._stamps[body]

    def _file_for(self, time_ns: int) -> sqlite3.Connection:
        day = day_of(time_ns)
        if self._connection is None or day > self._day:
            path = self._data / "journal" / f"{day}.db"
            if not path.exists():
                create(path, self._totals.seq + 1, self._totals.samples, self._totals.scans, self._connect)
            self._switch(path)
        assert self._connection is not None
        return self._connection

    def _switch(self, path: Path) -> None:
        connection = open_writer(path, self._connect)
        (last_seq,) = connection.execute("SELECT coalesce(max(seq), (SELECT first_seq - 1 FROM meta)) FROM commits").fetchone()
        if last_seq != self._totals.seq:
            connection.close()
            raise StoreError(f"{path} ends at row {last_seq}, the journal at row {self._totals.seq}: it belongs to another")
        self.close()
        self._connection, self._day = connection, path.stem
        self._layouts, self._stamps = {}, {}
