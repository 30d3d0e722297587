"""Compaction: scans that are some minutes old become blocks of chunks, a segment of whole commits at a time.

    1  the scans of a segment are read, taken apart, compressed, brought back and compared with what was read
    2  their blocks and chunks are written, some at a time       readers don't see them
    3  the segment is written                                    from here on readers see its blocks, and no longer its rows
    4  the rows are taken away, some at a time
    5  in a file that is finished, what became free is given back to the disk

Each step is a short transaction of its own, in its turn with the journal's commits, so that none of these waits long. None is
synced by itself: the write-ahead log is in order, and the next commit syncs it. Whatever is cut short, and wherever, is
taken up again: blocks without a segment are thrown away, rows of a segment are taken away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

from collector.store.appended import Appended, joined
from collector.store.daily import DailyFile
from collector.store.files import Connect, StoreError, connect, identity_of, is_of_the_disk, journal_files, open_compactor
from collector.store.quarantine import ROWS_NEVER_GIVEN
from collector.store.rows import DamagedRow
from collector.store.segment_writer import Segment, SegmentWriter
from drivers.base import Layout

HOT_S = 600.0
"""Younger rows stay as they were appended: sinks and the page read them most."""
SEGMENT_S = 3600.0
SEGMENT_SAMPLES = 4_000_000
"""At most so many samples stand in memory when a segment is read."""
_ROWS_AT_ONCE = 500


class Compactor:
    """Compacts the daily files of a data folder. Blocking calls, for one thread of their own."""

    def __init__(self, data: Path, turn: AbstractContextManager[object], connect: Connect = connect) -> None:
        """`turn` is the journal's lock: who holds it may write."""
        self._data, self._turn, self._connect = data, turn, connect
        self._left: set[tuple[str, int]] = set()
        """Files that are finished and compacted, or can't be."""
        self._bytes_at_once = 1 << 16
        self._layouts: dict[str, Layout] = {}
        self.faults: dict[Path, str] = {}
        """Files that can't be compacted, and why: they stay as they are."""

    def work(self, now_ns: int) -> Iterator[None]:
        """Do what is to be done at plant time `now_ns`, a short step at each `next`; may be left off at any.

        What the disk refused is raised at the end: StoreError, sqlite3.Error, OSError.
        """
        files = journal_files(self._data)
        self._left &= {identity_of(path) for path in files}
        self.faults = {path: fault for path, fault in self.faults.items() if path in files}
        refused: Exception | None = None
        for path in files:
            if (identity := identity_of(path)) in self._left:
                continue
            try:
                yield from self._file(path, now_ns, finished=path != files[-1])
            except (StoreError, DamagedRow, sqlite3.Error, OSError) as exc:
                if is_of_the_disk(exc):
                    refused = refused or exc  # it may be better next time; one bad sector is no matter of the other files
                    continue
                self.faults[path] = str(exc)
                self._left.add(identity)
        if refused is not None:
            raise refused

    def _file(self, path: Path, now_ns: int, *, finished: bool) -> Iterator[None]:
        with (
            closing(open_compactor(path, self._connect)) as connection,
            closing(DailyFile.open(path, self._connect, self._layouts)) as file,
        ):
            writing = SegmentWriter(connection, self._turn, self._bytes_at_once)
            yield from writing.clean()
            while segment := _next_segment(connection, file, now_ns, finished=finished):
                yield from self._segment(writing, file, segment)
            if finished:
                yield from writing.give_back()
                self._left.add(identity_of(path))
            writing.checkpoint()
            self._bytes_at_once = writing.bytes_at_once

    def _segment(self, writing: SegmentWriter, file: DailyFile, segment: Segment) -> Iterator[None]:
        parts: list[Appended] = []
        at = segment.after_seq
        while at < segment.last_seq:
            parts.append(rows := file.scans.appended(at, segment.last_seq, _ROWS_AT_ONCE))
            at = int(rows.numbers[0, -1]) if len(rows.blobs) == _ROWS_AT_ONCE else segment.last_seq
            yield
        scans, by_layout = sum(len(rows.blobs) for rows in parts), joined(parts).by_layout()
        parts.clear()
        yield
        samples = sum(len(file.layout(key).columns) * sum(map(bool, rows.blobs)) for key, rows in by_layout.items())
        if (samples, scans) != (segment.samples, segment.scans):
            raise StoreError(f"{file.path}: rows up to {segment.last_seq} are not those that were committed")
        for key in list(by_layout):
            yield from writing.block(file, key, by_layout.pop(key), segment.last_seq)
        writing.segment(segment)
        yield
        yield from writing.take_away(segment.last_seq)


def _next_segment(connection: sqlite3.Connection, file: DailyFile, now_ns: int, *, finished: bool) -> Segment | None:
    """The next commits to be compacted together; None while more may come to them, or they are too young."""
    before = file.totals(file.scans.compacted_until()) if file.scans.compacted_until() else file.before
    first = connection.execute("SELECT time_ns FROM commits WHERE seq > ? ORDER BY seq LIMIT 1", (before.seq,)).fetchone()
    if first is None:
        return None
    old_ns = 2**63 - 1 if finished else now_ns - round(HOT_S * 1e9)
    query = "SELECT seq, samples_total, scans_total FROM commits WHERE seq > ? AND time_ns <= ? ORDER BY seq"
    last, full = None, False
    for commit in connection.execute(query, (before.seq, min(old_ns, first[0] + round(SEGMENT_S * 1e9)))):
        if commit[0] - (last[0] if last else before.seq) >= ROWS_NEVER_GIVEN:
            if last is None:
                return Segment(before.seq, commit[0], 0, 0)  # where rows were lost: it bridges them
            full = True
            break
        if last and commit[1] - before.samples > SEGMENT_SAMPLES:
            full = True
            break
        last = commit
    full = full or first[0] + round(SEGMENT_S * 1e9) < old_ns
    if last is None or not full:
        return None
    return Segment(before.seq, last[0], last[1] - before.samples, last[2] - before.scans)
