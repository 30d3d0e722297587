"""The transactions of compaction in one daily file: short, each in its turn with the commits, never synced by themselves."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import orjson

from collector.store.appended import Appended
from collector.store.blocks import Block, block_of, decode_index, encode_index, same
from collector.store.chunks import Chunk, encode
from collector.store.daily import DailyFile
from collector.store.rows import DamagedRow
from collector.store.strung import Strung

_TARGET_S = 0.004
"""How long a transaction should take; the commit that comes meanwhile waits as long."""
_LEAST_BYTES, _MOST_BYTES = 1 << 13, 1 << 20
_BYTES_PER_CHECKPOINT = 4 << 20
_PAGES_AT_ONCE = 512
_ROW_BYTES = 100
"""What a row takes besides its blob, about."""
_CHUNKS_PER_STEP = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """Whole commits that are compacted together."""

    after_seq: int
    last_seq: int
    samples: int
    scans: int


class SegmentWriter:
    """The compactor's transactions in one file."""

    def __init__(self, connection: sqlite3.Connection, turn: AbstractContextManager[object], bytes_at_once: int) -> None:
        self._connection, self._turn, self.bytes_at_once = connection, turn, bytes_at_once
        self._written = 0

    def clean(self) -> Iterator[None]:
        """Take away what a compaction that was cut short left."""
        (until,) = self._connection.execute("SELECT coalesce(max(last_seq), 0) FROM segments").fetchone()
        keys = "SELECT key FROM blocks WHERE segment NOT IN (SELECT last_seq FROM segments)"
        if (unfinished := self._connection.execute(keys).fetchall()) or self._chunks_end() > self._blocks_end():
            with self._transaction(0):
                self._connection.executemany("DELETE FROM blocks WHERE key = ?", unfinished)
            yield
            while self._chunks_end() > (end := self._blocks_end()):
                with self._transaction(0):
                    among = "SELECT key FROM chunks WHERE key >= ? ORDER BY key DESC LIMIT 50"
                    self._connection.execute(f"DELETE FROM chunks WHERE key IN ({among})", (end,))  # noqa: S608
                yield
        yield from self.take_away(int(until))

    def _chunks_end(self) -> int:
        (key,) = self._connection.execute("SELECT coalesce(max(key), 0) FROM chunks").fetchone()
        return int(key) + 1

    def _blocks_end(self) -> int:
        """Behind the last chunk of the last block."""
        row = self._connection.execute(
            "SELECT blocks.key, body FROM blocks JOIN layouts ON layouts.key = layout ORDER BY blocks.key DESC LIMIT 1"
        ).fetchone()
        return 1 if row is None else int(row[0]) + len(orjson.loads(row[1])["columns"])

    def block(self, file: DailyFile, layout_key: int, rows: Appended, segment: int) -> Iterator[None]:
        """Write the scans of one layout as a block. Raises DamagedRow when it does not bring back what it was made of."""
        layout, key = file.layout(layout_key), self._chunks_end()
        blobs = Strung.of(rows.blobs)  # each of them lies elsewhere: one look at each is enough
        block = block_of(rows.numbers, blobs, layout)
        index = encode_index(block.index)
        made: list[Chunk] = []
        for chunk in encode(block.columns, layout):
            made.append(chunk)
            if len(made) % _CHUNKS_PER_STEP == 0:
                yield  # some milliseconds of work
        if not same(block, decode_index(index), [chunk.data for chunk in made], blobs):
            raise DamagedRow(f"layout {layout.id}: scans up to row {segment} can't be compacted: a defect, please report it")
        yield
        for first, last, size in self._batches([len(chunk.data) for chunk in made]):
            with self._transaction(size):
                self._connection.executemany(
                    "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)",
                    [_row(key + n, made[n]) for n in range(first, last)],
                )
                if last == len(made):
                    row = (key, segment, layout_key, len(blobs), *_span(block), index)
                    self._connection.execute("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            yield

    def _batches(self, sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
        """First and last (not included) of what is written at once, and their size."""
        first = 0
        while first < len(sizes):
            last, held = first + 1, sizes[first]
            while last < len(sizes) and held + sizes[last] <= self.bytes_at_once:
                held += sizes[last]
                last += 1
            yield first, last, held
            first = last

    def segment(self, segment: Segment) -> None:
        """From now on readers see its blocks instead of its rows."""
        with self._transaction(0):
            row = (segment.last_seq, segment.after_seq + 1, segment.samples, segment.scans)
            self._connection.execute("INSERT INTO segments VALUES (?, ?, ?, ?)", row)

    def take_away(self, until_seq: int) -> Iterator[None]:
        """Delete the rows that stand in blocks now."""
        sampled = "SELECT avg(length(columns)) FROM (SELECT columns FROM scans WHERE seq <= ? ORDER BY seq LIMIT 100)"
        last_of = "SELECT max(seq) FROM (SELECT seq FROM scans WHERE seq <= ? ORDER BY seq LIMIT ?)"
        while (row_bytes := self._connection.execute(sampled, (until_seq,)).fetchone()[0]) is not None:
            count = max(1, round(self.bytes_at_once / (row_bytes + _ROW_BYTES)))
            (last,) = self._connection.execute(last_of, (until_seq, count)).fetchone()
            with self._transaction(self.bytes_at_once):
                self._connection.execute("DELETE FROM scans WHERE seq <= ?", (last,))
            yield

    def give_back(self) -> Iterator[None]:
        """Shrink a file that is finished by the pages that are free: nobody else writes to it, so that nobody waits."""
        (mode,) = self._connection.execute("PRAGMA auto_vacuum").fetchone()
        while mode and self._connection.execute("PRAGMA freelist_count").fetchone()[0]:
            self._connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")  # `execute` gives back one page only
            self.checkpoint()
            yield

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file: no commit waits for it."""
        self._written = 0
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    @contextmanager
    def _transaction(self, size: int) -> Iterator[None]:
        """All or nothing, in its turn; how long it took tells how many bytes the next may write."""
        with self._turn:
            began_s = time.perf_counter()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            took_s = time.perf_counter() - began_s
        factor = 0.5 if took_s > 2 * _TARGET_S else 0.8 if took_s > _TARGET_S else 1.25
        self.bytes_at_once = round(min(max(self.bytes_at_once * factor, _LEAST_BYTES), _MOST_BYTES))
        self._written += size
        if self._written > _BYTES_PER_CHECKPOINT:
            self.checkpoint()


def _span(block: Block) -> tuple[int, int]:
    """First and last slot."""
    return int(block.index.slot_ns.min()), int(block.index.slot_ns.max())


def _row(key: int, chunk: Chunk) -> tuple[int, int, float | None, float | None, float | None, bytes]:
    return key, *chunk.summary, chunk.data
