"""Reading the journal: by sequence number for sinks, by time for people.

One `Reader` serves several threads; every call is short, and holds no transaction when it returns.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from operator import attrgetter
from pathlib import Path

import orjson

from collector.store.files import journal_files, open_reader
from collector.store.rows import EventRow, Row, ScanRow, decode
from collector.terms import Event, EventKind, Stamp
from drivers.base import Layout

NS_PER_HOUR = 3.6e12
_SCANS = "SELECT seq, slot_ns, received_ns, layout, stamps, lost_status, columns FROM scans"
_EVENTS = "SELECT seq, slot_ns, kind, unit, stamps, body FROM events"


@dataclass(frozen=True, slots=True)
class Totals:
    """What a journal holds up to a row: samples, scans, and that row's sequence number."""

    seq: int = 0
    samples: int = 0
    scans: int = 0


def stamps_to_json(stamps: tuple[Stamp, ...]) -> str:
    """The text under which a row's stamps are stored once."""
    return orjson.dumps([[s.batch, s.phase, s.product, s.recipe_version, s.mode] for s in stamps]).decode()


def _stamps_from_json(body: str) -> tuple[Stamp, ...]:
    return tuple(Stamp(*fields) for fields in orjson.loads(body))


@dataclass(slots=True)
class _File:
    """An open daily file with what its rows refer to."""

    path: Path
    connection: sqlite3.Connection
    first_seq: int
    before: Totals
    layouts: dict[int, Layout] = field(default_factory=dict)
    stamps: dict[int, tuple[Stamp, ...]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> _File:
        connection = open_reader(path)
        first_seq, samples, scans = connection.execute("SELECT * FROM meta").fetchone()
        return cls(path, connection, first_seq, Totals(first_seq - 1, samples, scans))

    def layout(self, key: int) -> Layout:
        if key not in self.layouts:
            (body,) = self.connection.execute("SELECT body FROM layouts WHERE key = ?", (key,)).fetchone()
            self.layouts[key] = Layout.from_json(body)
        return self.layouts[key]

    def stamp(self, key: int) -> tuple[Stamp, ...]:
        if key not in self.stamps:
            (body,) = self.connection.execute("SELECT body FROM stamps WHERE key = ?", (key,)).fetchone()
            self.stamps[key] = _stamps_from_json(body)
        return self.stamps[key]

    def scans(self, where: str, parameters: tuple[int, ...]) -> Iterator[ScanRow]:
        for seq, slot_ns, received_ns, layout, stamps, lost_status, blob in self.connection.execute(_SCANS + where, parameters):
            yield ScanRow(seq, decode(blob, self.layout(layout), slot_ns, received_ns, lost_status), self.stamp(stamps))

    def events(self, where: str, parameters: tuple[int | str, ...]) -> Iterator[EventRow]:
        for seq, slot_ns, kind, unit, stamps, body in self.connection.execute(_EVENTS + where, parameters):
            yield EventRow(seq, Event(EventKind(kind), slot_ns, unit, self.stamp(stamps)[0], orjson.loads(body)))

    def after(self, seq: int, limit: int) -> list[Row]:
        """At most `limit` rows beyond `seq`, in their order; one snapshot, so that no row can slip in between."""
        where, parameters = " WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        self.connection.execute("BEGIN")
        try:
            scans: Iterator[Row] = self.scans(where, parameters)
            return list(islice(merge(scans, self.events(where, parameters), key=attrgetter("seq")), limit))
        finally:
            self.connection.execute("COMMIT")

    def totals(self, until_seq: int | None = None) -> Totals:
        """Totals up to `until_seq`, or of all there is."""
        until = 2**62 if until_seq is None else until_seq
        commit = self.connection.execute(
            "SELECT seq, samples_total, scans_total FROM commits WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (until,)
        ).fetchone()
        base = Totals(*commit) if commit else self.before
        samples, scans = self.connection.execute(
            "SELECT coalesce(sum(samples), 0), count(*) FROM scans WHERE seq > ? AND seq <= ?", (base.seq, until)
        ).fetchone()
        seq = base.seq if until_seq is None else max(base.seq, min(until, self.last_seq()))
        return Totals(seq, base.samples + samples, base.scans + scans)

    def last_seq(self) -> int:
        (seq,) = self.connection.execute("SELECT coalesce(max(seq), ?) FROM commits", (self.first_seq - 1,)).fetchone()
        return int(seq)


class Reader:
    """Reads the daily files of a data folder, also while the daemon writes them."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._open: dict[Path, _File] = {}
        self._lock = threading.RLock()

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Rows beyond `after_seq`, ascending, at most `limit` and of one daily file; [] when there are none yet."""
        with self._lock:
            for file in self._files(after_seq):
                if rows := file.after(after_seq, limit):
                    return rows
        return []

    def totals(self, until_seq: int | None = None) -> Totals:
        """What the journal holds, up to and including row `until_seq` where given."""
        with self._lock:
            files = self._files(None)
            for file in reversed(files):
                if until_seq is None or file.first_seq <= until_seq:
                    return file.totals(until_seq)
            return files[0].before if files else Totals()

    def last_commit_ns(self) -> int | None:
        """Plant time of the newest commit, None for an empty journal."""
        with self._lock:
            for file in reversed(self._files(None)):
                (time_ns,) = file.connection.execute("SELECT max(time_ns) FROM commits").fetchone()
                if time_ns is not None:
                    return int(time_ns)
        return None

    def scans_between(self, from_ns: int, to_ns: int) -> Iterator[ScanRow]:
        """Every scan with from ≤ slot < to, in the order of slots within each file. Not for several threads at once."""
        for file in self._files(None):
            yield from file.scans(" WHERE slot_ns >= ? AND slot_ns < ? ORDER BY slot_ns, seq", (from_ns, to_ns))

    def events_between(self, from_ns: int, to_ns: int) -> Iterator[EventRow]:
        """Every event with from ≤ slot < to, in the order of their rows."""
        for file in self._files(None):
            yield from file.events(" WHERE slot_ns >= ? AND slot_ns < ? ORDER BY seq", (from_ns, to_ns))

    def count_between(self, from_ns: int, to_ns: int) -> int:
        """Scans with from ≤ slot < to: what a progress bar needs."""
        query = "SELECT count(*) FROM scans WHERE slot_ns >= ? AND slot_ns < ?"
        return sum(file.connection.execute(query, (from_ns, to_ns)).fetchone()[0] for file in self._files(None))

    def newest_events(self, kind: EventKind, limit: int) -> list[Event]:
        """The newest `limit` events of a kind, oldest first."""
        rows: list[EventRow] = []
        for file in reversed(self._files(None)):
            newest = file.events(" WHERE kind = ? ORDER BY seq DESC LIMIT ?", (kind.value, limit - len(rows)))
            rows += newest
            if len(rows) >= limit:
                break
        return [row.event for row in reversed(rows)]

    def bytes_per_hour(self) -> float | None:
        """How fast the newest daily file grows; None while it has fewer than two commits."""
        if not (files := self._files(None)):
            return None
        connection = files[-1].connection
        first_ns, last_ns = connection.execute("SELECT min(time_ns), max(time_ns) FROM commits").fetchone()
        if first_ns is None or first_ns == last_ns:
            return None
        pages, page_bytes = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        hours = (int(last_ns) - int(first_ns)) / NS_PER_HOUR
        return int(pages) * int(page_bytes) / hours

    def layouts(self) -> list[Layout]:
        """Every layout that any row may name, oldest first."""
        bodies: dict[str, None] = {}
        for file in self._files(None):
            bodies.update(dict.fromkeys(body for (body,) in file.connection.execute("SELECT body FROM layouts ORDER BY key")))
        return [Layout.from_json(body) for body in bodies]

    def close(self) -> None:
        """Close every file."""
        with self._lock:
            for file in self._open.values():
                file.connection.close()
            self._open.clear()

    def _files(self, after_seq: int | None) -> list[_File]:
        """Open files, oldest first; those that end at or before `after_seq` left out."""
        paths = journal_files(self._data)
        for path in set(self._open) - set(paths):
            self._open.pop(path).connection.close()
        files = [self._open.get(path) or self._open.setdefault(path, _File.open(path)) for path in paths]
        if after_seq is None or not files:
            return files
        ends = [later.first_seq - 1 for later in files[1:]] + [2**62]
        return [file for file, end in zip(files, ends, strict=True) if end > after_seq]
