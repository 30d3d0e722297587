"""The journal: the append-only original of all that was read and happened.

Rows (scans and events) share one sequence without gaps, across files and restarts. `append` is one transaction with
a full sync: when it returns, its rows survive a power cut; when it raises, none of them is there, and the caller
still has them. InfluxDB is a copy of this. Each commit has a hash over the one before and its own rows
(collector.store.chain).

A file that turns out to be damaged, or is taken away, is set aside, and the same rows go into one that is begun anew.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from collector.store.chain import Head, Link
from collector.store.daily import Totals
from collector.store.files import (
    Connect,
    Damaged,
    StoreError,
    connect,
    create,
    day_of,
    inode_of,
    journal_files,
    open_writer,
    tells_damage,
)
from collector.store.hold import Hold
from collector.store.keys import Keys
from collector.store.losses import Loss, end_of, losses
from collector.store.quarantine import Quarantine
from collector.store.reader import Reader
from collector.store.recovery import damage_at_end
from collector.store.rows import encode
from collector.terms import Event, Stamp
from drivers.base import Scan


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """A scan with one stamp per unit of its layout, in the order of `Layout.units`."""

    scan: Scan
    stamps: tuple[Stamp, ...]


Entry = Stamped | Event

_HEAD = """
SELECT seq, hash FROM (SELECT seq, hash FROM commits ORDER BY seq DESC LIMIT 1)
UNION ALL SELECT first_seq - 1, hash_before FROM meta LIMIT 1
"""
PATIENCE_NS = 60_000_000_000
"""Errors of the disk for so long, in reading too, are taken for damage: a disk that was only away comes back before."""


class Journal:
    """The one writer of a data folder. Blocking calls, for one thread of their own."""

    def __init__(self, data: Path, connect: Connect = connect, on_loss: Callable[[Loss], None] = lambda loss: None) -> None:
        """Open the newest file, or begin the first at the next append. Raises StoreError.

        `on_loss` is called for each file that is set aside, by the thread that appends.
        """
        self._data, self._connect, self._on_loss = data, connect, on_loss
        self._hold = Hold.of(data)
        reader = Reader(data, connect)
        try:
            self._totals = reader.totals()
            self._newest_ns = reader.last_commit_ns() or 0
        finally:
            reader.close()
        self._head = Head()
        self.turn = threading.Lock()
        """Held by who writes to a daily file: `append`, and the compactor for some milliseconds."""
        self._connection: sqlite3.Connection | None = None
        self._path: Path | None = None
        self._inode = 0
        self._failing_since_ns = 0
        self._keys = Keys()
        files, lost = journal_files(data), losses(data)
        if files and (not lost or end_of(lost).seq < self._totals.seq):
            self._switch(files[-1])

    @property
    def totals(self) -> Totals:
        """What has been committed."""
        return self._totals

    @property
    def head(self) -> Head:
        """The newest end of the hash chain: what a journal that was cut short later no longer has."""
        return self._head

    @property
    def newest_ns(self) -> int:
        """Plant time of the newest commit; 0 before the first."""
        return self._newest_ns

    def append(self, entries: Sequence[Entry], time_ns: int) -> Totals:
        """Commit `entries` in their order, at plant time `time_ns`; returns the totals up to the last of them.

        Raises sqlite3.Error or StoreError when nothing was committed.
        """
        if not entries:
            return self._totals
        time_ns = max(time_ns, self._newest_ns)  # commits are in the order of their times, whatever the clock does
        try:
            return self._append(entries, time_ns)
        except (sqlite3.Error, Damaged) as exc:
            damaged = self._damaged(exc, time_ns)
            if damaged is None:
                raise
            self.set_aside(*damaged, time_ns)
            return self._append(entries, time_ns)

    def _damaged(self, exc: Exception, time_ns: int) -> tuple[Path, str] | None:
        """The file that an error shows to be damaged, and how."""
        if isinstance(exc, Damaged):
            return exc.path, exc.what
        if self._path is None:
            return None
        if tells_damage(exc) or self._is_unreadable(exc, time_ns):
            return self._path, str(exc)
        return None

    def _is_unreadable(self, exc: Exception, time_ns: int) -> bool:
        """The disk has answered with errors for so long, also when it was read, that the file is taken for lost."""
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_IOERR:
            return False
        self._failing_since_ns = self._failing_since_ns or time_ns
        if time_ns - self._failing_since_ns < PATIENCE_NS or self._path is None:
            return False
        try:
            return bool(damage_at_end(self._path, self._connect))
        except (sqlite3.Error, StoreError):
            return True

    def set_aside(self, path: Path, cause: str, now_ns: int) -> Loss:
        """Keep a damaged daily file as it is, out of the way; the next append begins a new one where it was the newest.

        Raises StoreError when the folder does not let it happen, or is another's by now.
        """
        self._hold.check(still_there=self._is_there)
        before = losses(self._data)
        loss = Quarantine(self._data, self._totals, now_ns, exact=True, connect=self._connect).set_aside(path, cause)
        if path == self._path:
            self._let_go()
        self._totals = max(self._totals, loss.after, key=lambda totals: totals.seq)
        for each in losses(self._data):
            if each not in before:
                self._on_loss(each)
        return loss

    def _let_go(self) -> None:
        """Close what was moved away, as it is."""
        connection, self._connection, self._path = self._connection, None, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _append(self, entries: Sequence[Entry], time_ns: int) -> Totals:
        connection = self._file_for(time_ns)
        with self.turn:
            totals, head = self._commit(connection, entries, time_ns)
        self._totals, self._newest_ns, self._head = totals, time_ns, head
        self._failing_since_ns = 0
        return totals

    def _commit(self, connection: sqlite3.Connection, entries: Sequence[Entry], time_ns: int) -> tuple[Totals, Head]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            link = Link(self._head.hash)
            totals = self._insert(connection, entries, link)
            sealed = link.seal(totals.seq, time_ns, totals.samples, totals.scans)
            row = (totals.seq, time_ns, totals.samples, totals.scans, sealed)
            connection.execute("INSERT INTO commits VALUES (?, ?, ?, ?, ?)", row)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # of a file that is damaged not even this may work
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            self._keys.forget()  # those given in what was rolled back are void
            raise
        return totals, Head(totals.seq, sealed)

    def close(self) -> None:
        """Close the file; what was appended is safe already."""
        if self._connection is not None:
            with suppress(sqlite3.Error):  # a reader is in the way, or the disk is full: the log stays, and is read with it
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self._connection = None

    def _insert(self, connection: sqlite3.Connection, entries: Sequence[Entry], link: Link) -> Totals:
        seq, samples, scans = self._totals.seq, self._totals.samples, self._totals.scans
        scan_rows, event_rows = [], []
        for entry in entries:
            seq += 1
            if isinstance(entry, Event):
                body = orjson.dumps(dict(entry.body)).decode()
                stamps, stamped = self._keys.of_stamps(connection, (entry.stamp,))
                event_rows.append((seq, entry.slot_ns, entry.kind.value, entry.unit, stamps, body))
                link.event(seq, entry.slot_ns, entry.kind.value, entry.unit, stamped, body)
                continue
            scan = entry.scan
            keys, blob = self._keys.of_scan(connection, scan.layout, entry.stamps), encode(scan)
            count, lost_status = (0, int(scan.status[0])) if scan.lost else (len(scan.values), 0)
            scan_rows.append((seq, scan.slot_ns, scan.received_ns, keys.layout, keys.stamps, count, lost_status, blob))
            link.scan(seq, scan.slot_ns, scan.received_ns, lost_status, keys.digests, blob)
            samples += count
            scans += 1
        connection.executemany("INSERT INTO scans VALUES (?, ?, ?, ?, ?, ?, ?, ?)", scan_rows)
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", event_rows)
        return Totals(seq, samples, scans)

    def _file_for(self, time_ns: int) -> sqlite3.Connection:
        day = day_of(time_ns)
        self._hold.check(still_there=self._is_there)
        if self._path is not None and not self._is_there:
            raise Damaged(self._path, "it was taken away, or replaced, while the daemon wrote it")
        if self._connection is None or self._path is None or day > self._path.stem:
            path = self._data / "journal" / f"{day}.db"
            if not path.exists():
                create(path, self._totals.seq + 1, self._totals.samples, self._totals.scans, self._head.hash, self._connect)
            self._switch(path)
        assert self._connection is not None
        return self._connection

    @property
    def _is_there(self) -> bool:
        """The file that is written has its name."""
        return self._path is not None and inode_of(self._path) == self._inode

    def _close_hole(self, connection: sqlite3.Connection, head: Head) -> Head:
        """Rows are lost behind the end of a file that is whole: a commit without rows says where it goes on."""
        commit = (self._totals.seq, self._newest_ns, self._totals.samples, self._totals.scans)
        sealed = Link(head.hash).seal(*commit)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO commits VALUES (?, ?, ?, ?, ?)", (*commit, sealed))
        return Head(self._totals.seq, sealed)

    def _switch(self, path: Path) -> None:
        connection = open_writer(path, self._connect)
        head = Head(*connection.execute(_HEAD).fetchone())
        if head.seq < self._totals.seq == end_of(losses(self._data)).seq:
            head = self._close_hole(connection, head)
        elif head.seq != self._totals.seq:
            connection.close()
            raise StoreError(f"{path} ends at row {head.seq}, the journal at row {self._totals.seq}: it belongs to another")
        self.close()
        self._connection, self._path, self._inode, self._head = connection, path, inode_of(path), head
        self._keys = Keys()
