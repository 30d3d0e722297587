"""One daily file of the journal, open for reading."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import orjson

from collector.store.chain import Head, digest
from collector.store.files import Connect, StoreError, connect, open_reader, reading
from collector.store.rows import DamagedRow, EventRow, Row, ScanRow, StoredEvent, StoredScan, decode
from collector.store.scans import Scans
from collector.store.schema import version_of
from collector.terms import Event, EventKind, Stamp
from drivers.base import Layout

NS_PER_HOUR = 3.6e12
_EVENTS = "SELECT seq, slot_ns, kind, unit, stamps, body FROM events"
_COMMIT_AT = "SELECT seq, samples_total, scans_total FROM commits WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
_AMONG = " WHERE seq > ? AND seq <= ? ORDER BY seq"
_WRITTEN = """
SELECT coalesce(max(seq), 0), coalesce(sum(min(lasted, 60000000000)), 0)
FROM (SELECT seq, time_ns - lag(time_ns) OVER (ORDER BY seq) AS lasted FROM commits WHERE seq >= ?)
"""
_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Totals:
    """What a journal holds up to a row: samples, scans, and that row's sequence number."""

    seq: int = 0
    samples: int = 0
    scans: int = 0


class Commit(NamedTuple):
    """One transaction: its last row, plant time, totals of the journal up to there, and its place in the chain."""

    seq: int
    time_ns: int
    samples_total: int
    scans_total: int
    hash: bytes | None
    """None of version 1, which had no chain."""


def stamps_to_json(stamps: tuple[Stamp, ...]) -> str:
    """The text under which a row's stamps are stored once."""
    return orjson.dumps([[s.batch, s.phase, s.product, s.recipe_version, s.mode] for s in stamps]).decode()


def _stamps_from_json(body: str) -> tuple[Stamp, ...]:
    try:
        return tuple(Stamp(*fields) for fields in orjson.loads(body))
    except (orjson.JSONDecodeError, TypeError):
        raise DamagedRow(f"stamps that are none: {body[:100]!r}") from None


def _kind(word: str) -> EventKind:
    """A word that is none of ours may be a newer program's: its file is left alone."""
    try:
        return EventKind(word)
    except ValueError:
        if isinstance(word, str) and word.isascii() and word.isalpha() and word.islower():
            raise StoreError(f"event of kind {word!r}: this program knows none; a newer reactorwatch wrote it") from None
        raise DamagedRow(f"an event of kind {word!r}") from None


def _unlike(row: tuple[object, ...], kinds: tuple[type, ...]) -> Exception:
    """Damage where a column is not of its type; otherwise the defect of ours that is being handled."""
    if any(type(value) is not kind for value, kind in zip(row, kinds, strict=True)):
        return DamagedRow(f"row {row[0]!r} has columns of other types")
    return RuntimeError(f"row {row[0]!r} can't be read: a defect, please report it")


def _before(connection: sqlite3.Connection) -> Totals:
    """What the file itself says of all that stands before it. Raises DamagedRow, sqlite3.Error."""
    found = connection.execute("SELECT first_seq, samples_before, scans_before FROM meta").fetchall()
    if len(found) != 1 or not all(isinstance(number, int) and number >= 0 for number in found[0]):
        raise DamagedRow(f"how it begins is told by {found[:2]!r}")
    ((first_seq, samples, scans),) = found
    return Totals(first_seq - 1, samples, scans)


@dataclass(slots=True)
class DailyFile:
    """One day of the journal, open for reading, with what its rows refer to. Not for several threads at once."""

    path: Path
    connection: sqlite3.Connection
    first_seq: int
    before: Totals
    known: dict[str, Layout]
    """Layouts by their ids, of any file: each is made of its text once."""
    layouts: dict[int, Layout] = field(default_factory=dict)
    stamps: dict[int, tuple[Stamp, ...]] = field(default_factory=dict)
    digests: dict[tuple[str, int], bytes] = field(default_factory=dict)
    scans: Scans = field(init=False)
    _written: tuple[int, int] = (0, 0)
    """Up to which commit, and for how many ns of it, pauses not counted: a day has too many commits to add them up each time."""

    def __post_init__(self) -> None:
        self.scans = Scans(self.connection, self.layout)

    @classmethod
    def open(cls, path: Path, connect: Connect = connect, known: dict[str, Layout] | None = None) -> DailyFile:
        """`known` are layouts that were read before, and takes what is read here. Raises StoreError."""
        connection = open_reader(path, connect)
        try:
            with reading(path):
                before = _before(connection)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, before.seq + 1, before, {} if known is None else known)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside is of one moment. Keep it short: the write-ahead log grows as long."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            if self.connection.in_transaction:
                self.connection.execute("COMMIT")

    def head(self) -> Head:
        """Where its chain ends."""
        chained = "NULL" if version_of(self.connection) == 1 else "hash"
        row = self.connection.execute(f"SELECT seq, {chained} FROM commits ORDER BY seq DESC LIMIT 1").fetchone()  # noqa: S608
        return Head(*row) if row else self.before_head

    @property
    def before_head(self) -> Head:
        """Where the chain stood when the file began."""
        if version_of(self.connection) == 1:
            return Head(self.first_seq - 1)
        (before,) = self.connection.execute("SELECT hash_before FROM meta").fetchone()
        return Head(self.first_seq - 1, before)

    def commits(self, after_seq: int, limit: int) -> list[Commit]:
        """At most `limit` commits beyond a row, ascending."""
        chained = "NULL" if version_of(self.connection) == 1 else "hash"
        query = f"SELECT seq, time_ns, samples_total, scans_total, {chained} FROM commits WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
        return [Commit(*row) for row in self.connection.execute(query, (after_seq, limit))]

    def digest(self, table: str, key: int) -> bytes:
        """Of the body that `key` stands for in `layouts` or `stamps`. Raises DamagedRow when there is none."""
        if (table, key) not in self.digests:
            row = self.connection.execute(f"SELECT body FROM {table} WHERE key = ?", (key,)).fetchone()  # noqa: S608
            if row is None:
                raise DamagedRow(f"{table} has no row {key}")
            self.digests[table, key] = digest(row[0])
        return self.digests[table, key]

    def stored_events(self, after_seq: int, until_seq: int) -> Iterator[StoredEvent]:
        """Events as they were appended, ascending by their numbers."""
        return map(StoredEvent._make, self.connection.execute(_EVENTS + _AMONG, (after_seq, until_seq)))

    def layout(self, key: int) -> Layout:
        """Raises DamagedRow when it is not what its id says: a wrong one would give wrong values."""
        if key not in self.layouts:
            row = self.connection.execute("SELECT id, body FROM layouts WHERE key = ?", (key,)).fetchone()
            if row is None or self.digest("layouts", key).hex()[:16] != row[0]:
                raise DamagedRow(f"layout {key} of {self.path.name} is damaged or gone")
            self.layouts[key] = self.known.get(row[0]) or self.known.setdefault(row[0], Layout.from_json(row[1]))
        return self.layouts[key]

    def stamp(self, key: int) -> tuple[Stamp, ...]:
        if key not in self.stamps:
            row = self.connection.execute("SELECT body FROM stamps WHERE key = ?", (key,)).fetchone()
            if row is None:
                raise DamagedRow(f"stamps {key} of {self.path.name} are gone")
            self.stamps[key] = _stamps_from_json(row[0])
        return self.stamps[key]

    def scan_row(self, row: StoredScan) -> ScanRow:
        """Raises DamagedRow."""
        try:
            layout = self.layout(row.layout)
            scan = decode(row.blob, layout, row.slot_ns, row.received_ns, row.lost_status)
            return ScanRow(row.seq, scan, self.stamp(row.stamps))
        except TypeError:
            raise _unlike(tuple(row), (int, int, int, int, int, int, bytes)) from None

    def events(self, where: str, parameters: tuple[int | str, ...]) -> Iterator[EventRow]:
        for row in self.connection.execute(_EVENTS + where, parameters):
            seq, slot_ns, kind, unit, stamps, body = row
            try:
                yield EventRow(seq, Event(_kind(kind), slot_ns, unit, self.stamp(stamps)[0], orjson.loads(body)))
            except orjson.JSONDecodeError:
                raise DamagedRow(f"the body of event {seq} is no JSON") from None
            except (TypeError, IndexError):
                raise _unlike(row, (int, int, str, str, int, str)) from None

    def after(self, seq: int, limit: int) -> list[Row]:
        """At most `limit` rows beyond `seq`, in their order; one snapshot, so that no row can slip in between."""
        with self.snapshot():
            scans: Iterator[Row] = map(self.scan_row, self.scans.stored(seq, _LAST, limit))
            events = self.events(" WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
            return list(islice(merge(scans, events, key=attrgetter("seq")), limit))

    def totals(self, until_seq: int | None = None) -> Totals:
        """Totals up to `until_seq`, or of all there is; of one moment."""
        with self.snapshot():
            last_seq = self._last_seq()
            until = last_seq if until_seq is None else min(until_seq, last_seq)
            commit = self.connection.execute(_COMMIT_AT, (until,)).fetchone()
            base = Totals(*commit) if commit else self.before
            samples, scans = self.scans.sums(base.seq, until)
        return Totals(max(until, base.seq), base.samples + samples, base.scans + scans)

    def _last_seq(self) -> int:
        (seq,) = self.connection.execute("SELECT coalesce(max(seq), ?) FROM commits", (self.first_seq - 1,)).fetchone()
        return int(seq)

    def last_commit_ns(self) -> int | None:
        """Plant time of the newest commit; None where there is none."""
        (time_ns,) = self.connection.execute("SELECT max(time_ns) FROM commits").fetchone()
        return None if time_ns is None else int(time_ns)

    def growth(self) -> tuple[int, float]:
        """Bytes that it holds, free pages not counted, and the hours in which it was written: pauses are not counted."""
        pragmas = ("page_count", "freelist_count", "page_size")
        pages, unused, page_bytes = (self.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas)
        seq, more_ns = self.connection.execute(_WRITTEN, (self._written[0],)).fetchone()
        self._written = int(seq), self._written[1] + int(more_ns)
        return (int(pages) - int(unused)) * int(page_bytes), self._written[1] / NS_PER_HOUR

    def close(self) -> None:
        """Close it."""
        self.connection.close()
