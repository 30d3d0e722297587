"""The scans of one daily file, wherever they stand: as rows that were appended, or in blocks that compaction made of them.

    segments   ... 1..40,000 | 40,001..80,000 |          of whole commits, one behind the other
    scans                                       80,001 ...        appended, and not yet compacted

A scan counts in one of the two only: rows up to the last segment's end are left behind by a compaction that was cut short,
or not yet taken away. What is read in one snapshot of the file is the same before, while and after it is compacted.
"""

from __future__ import annotations

import heapq
import sqlite3
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import starmap
from operator import attrgetter
from typing import NamedTuple

from collector.store.appended import Appended
from collector.store.blocks import Block, Index, block_of, decode_block, decode_index, rows_of
from collector.store.rows import DamagedRow, StoredScan
from collector.store.schema import version_of
from collector.store.strung import Strung
from drivers.base import Layout

_STORED = "SELECT seq, slot_ns, received_ns, lost_status, layout, stamps, columns FROM scans"
_BLOCKS = "SELECT key, segment, layout, scans, first_slot_ns, last_slot_ns, rows FROM blocks"
_SEGMENTS_KEPT = 3
_ROWS_AT_ONCE = 5000


class StoredBlock(NamedTuple):
    """A row of `blocks`: its chunks are those from `key` on, one per column of its layout."""

    key: int
    segment: int
    layout: int
    scans: int
    first_slot_ns: int
    last_slot_ns: int
    rows: bytes


_Segment = list[tuple[int, StoredScan | None]]
"""Scans by their numbers; None where their block is damaged."""


class Scans:
    """Not for several threads at once. All but `stored` and `by_slot` belong into a snapshot of the file."""

    def __init__(self, connection: sqlite3.Connection, layout: Callable[[int], Layout]) -> None:
        """`layout` gives the layout that a key of this file stands for."""
        self._connection, self._layout = connection, layout
        self._segments: OrderedDict[int, _Segment] = OrderedDict()

    def compacted_until(self) -> int:
        """The last row of the last segment; 0 where there is none."""
        if version_of(self._connection) == 1:
            return 0
        (seq,) = self._connection.execute("SELECT coalesce(max(last_seq), 0) FROM segments").fetchone()
        return int(seq)

    def slot_span(self) -> list[int]:
        """The first and the last slot, of rows and of blocks; empty where there is none."""
        rows = self._connection.execute("SELECT min(slot_ns), max(slot_ns) FROM scans").fetchone()
        if version_of(self._connection) > 1:
            rows += self._connection.execute("SELECT min(first_slot_ns), max(last_slot_ns) FROM blocks").fetchone()
        return [ns for ns in rows if ns is not None]

    # --- by number

    def stored(self, after_seq: int, until_seq: int, limit: int = -1) -> Iterator[StoredScan]:
        """Scans as they were appended, ascending by their numbers. Raises DamagedRow at the first that can't be brought back."""
        compacted = self.compacted_until()
        if after_seq < compacted:
            query = "SELECT last_seq FROM segments WHERE last_seq > ? AND first_seq <= ? ORDER BY last_seq"
            for (segment,) in self._connection.execute(query, (after_seq, until_seq)).fetchall():
                yield from self._of_segment(segment, after_seq, until_seq)
        where = " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        yield from starmap(StoredScan, self._connection.execute(_STORED + where, (max(after_seq, compacted), until_seq, limit)))

    def appended(self, after_seq: int, until_seq: int, limit: int) -> Appended:
        """Of the rows that are not compacted, the first `limit` among these. Raises DamagedRow."""
        where = " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        return Appended.of(self._connection.execute(_STORED + where, (after_seq, until_seq, limit)).fetchall())

    def _of_segment(self, segment: int, after_seq: int, until_seq: int) -> Iterator[StoredScan]:
        rows = self._segment(segment)
        for seq, row in rows[bisect_right(rows, after_seq, key=lambda row: row[0]) :]:
            if seq > until_seq:
                return
            if row is None:
                raise DamagedRow(f"row {seq} stands in a block that is damaged")
            yield row
        self._segments.pop(segment, None)  # who has read to its end goes on behind it

    def _segment(self, segment: int) -> _Segment:
        rows = self._segments.get(segment)
        if rows is None:
            rows = []
            for block in self._blocks(" WHERE segment = ?", (segment,)):
                rows += self._rows_of(block)
            rows.sort(key=lambda row: row[0])
            self._segments[segment] = rows
            while len(self._segments) > _SEGMENTS_KEPT:
                self._segments.popitem(last=False)
        self._segments.move_to_end(segment)
        return rows

    def _rows_of(self, stored: StoredBlock) -> _Segment:
        index = decode_index(stored.rows)
        try:
            return [(row.seq, row) for row in rows_of(self._block(stored, index), stored.layout)]
        except DamagedRow:
            return [(seq, None) for seq in index.seq.tolist()]

    def sums(self, after_seq: int, until_seq: int) -> tuple[int, int]:
        """Samples and scans of the rows among these."""
        if after_seq >= until_seq:
            return 0, 0
        compacted = self.compacted_until()
        query = "SELECT coalesce(sum(samples), 0), count(*) FROM scans WHERE seq > ? AND seq <= ?"
        samples, scans = self._connection.execute(query, (max(after_seq, compacted), until_seq)).fetchone()
        if after_seq < compacted:
            within = " WHERE segment IN (SELECT last_seq FROM segments WHERE last_seq > ? AND first_seq <= ?)"
            for block in self._blocks(within, (after_seq, until_seq)):
                index = decode_index(block.rows)
                among = (index.seq > after_seq) & (index.seq <= until_seq)
                scans += int(among.sum())
                samples += int((among & ~index.lost).sum()) * len(self._layout(block.layout).columns)
        return int(samples), int(scans)

    # --- by time

    def by_slot(self, from_ns: int, to_ns: int, layouts: Sequence[int] | None = None) -> Iterator[StoredScan]:
        """Scans with from ≤ slot < to, ascending by slot, of all layouts or those with these keys. Raises DamagedRow."""
        where = " WHERE seq > ? AND slot_ns >= ? AND slot_ns < ?" + _among(layouts) + " ORDER BY slot_ns, seq"
        hot = self._connection.execute(_STORED + where, (self.compacted_until(), from_ns, to_ns))
        blocks = self.blocks(from_ns, to_ns, layouts)
        return _merged(map(StoredScan._make, hot), blocks, lambda block: self._in_time(block, from_ns, to_ns))

    def blocks(self, from_ns: int, to_ns: int, layouts: Sequence[int] | None = None) -> list[StoredBlock]:
        """Blocks that may hold a scan with from ≤ slot < to, ascending by their first slot."""
        if not self.compacted_until():
            return []
        whole = " WHERE last_slot_ns >= ? AND first_slot_ns < ? AND segment IN (SELECT last_seq FROM segments)"
        return self._blocks(whole + _among(layouts) + " ORDER BY first_slot_ns", (from_ns, to_ns))

    def _in_time(self, stored: StoredBlock, from_ns: int, to_ns: int) -> list[StoredScan]:
        rows = [row for row in rows_of(self.block(stored), stored.layout) if from_ns <= row.slot_ns < to_ns]
        return sorted(rows, key=_by_slot)

    def in_blocks(self, from_ns: int, to_ns: int) -> Iterator[Block]:
        """Scans with from ≤ slot < to in blocks, ascending by their first slots; then those that are not compacted yet, in blocks
        of one layout each. Raises DamagedRow."""
        for stored in self.blocks(from_ns, to_ns):
            block = self.block(stored)
            inside = (block.index.slot_ns >= from_ns) & (block.index.slot_ns < to_ns)
            if inside.any():
                yield block.rows(inside)
        where = " WHERE seq > ? AND slot_ns >= ? AND slot_ns < ? ORDER BY seq"
        hot = self._connection.execute(_STORED + where, (self.compacted_until(), from_ns, to_ns))
        while rows := hot.fetchmany(_ROWS_AT_ONCE):
            for key, of_layout in Appended.of(rows).by_layout().items():
                yield block_of(of_layout.numbers, Strung.of(of_layout.blobs), self._layout(key))

    def count(self, from_ns: int, to_ns: int) -> int:
        """Scans with from ≤ slot < to."""
        query = "SELECT count(*) FROM scans WHERE seq > ? AND slot_ns >= ? AND slot_ns < ?"
        (count,) = self._connection.execute(query, (self.compacted_until(), from_ns, to_ns)).fetchone()
        for block in self.blocks(from_ns, to_ns):
            inside = from_ns <= block.first_slot_ns and block.last_slot_ns < to_ns
            slots = None if inside else decode_index(block.rows).slot_ns
            count += block.scans if slots is None else int(((slots >= from_ns) & (slots < to_ns)).sum())
        return int(count)

    def first_slot_ns(self) -> int | None:
        """The earliest slot of any scan."""
        (first,) = self._connection.execute("SELECT min(slot_ns) FROM scans").fetchone()
        found = [] if first is None else [int(first)]
        if self.compacted_until():
            found += [int(ns) for (ns,) in self._connection.execute("SELECT min(first_slot_ns) FROM blocks") if ns is not None]
        return min(found, default=None)

    def newest_slots(self, back_ns: int) -> list[tuple[int, int, int, bool]]:
        """Slot, row, layout's key and whether it was lost: of the scans not more than `back_ns` before the newest, ascending."""
        compacted = self.compacted_until()
        found = self._connection.execute("SELECT max(slot_ns) FROM scans").fetchall()
        if compacted:
            found += self._connection.execute("SELECT max(last_slot_ns) FROM blocks").fetchall()
        newest = max((ns for (ns,) in found if ns is not None), default=0)
        hot = "SELECT slot_ns, seq, layout, lost_status != 0 FROM scans WHERE +seq > ? AND slot_ns >= ?"  # by the index of slots
        rows = [(*row[:3], bool(row[3])) for row in self._connection.execute(hot, (compacted, newest - back_ns))]
        for block in self.blocks(newest - back_ns, newest + 1):
            index = decode_index(block.rows)
            late = index.slot_ns >= newest - back_ns
            numbers = (index.slot_ns[late].tolist(), index.seq[late].tolist(), index.lost[late].tolist())
            rows += [(slot, seq, block.layout, lost) for slot, seq, lost in zip(*numbers, strict=True)]
        return sorted(rows)

    # --- blocks

    def block(self, stored: StoredBlock) -> Block:
        """All of its columns. Raises DamagedRow."""
        return self._block(stored, decode_index(stored.rows))

    def chunk(self, stored: StoredBlock, column: int) -> bytes:
        """What is stored of one of its columns. Raises DamagedRow."""
        row = self._connection.execute("SELECT data FROM chunks WHERE key = ?", (stored.key + column,)).fetchone()
        if row is None:
            raise DamagedRow(f"chunk {column} of block {stored.key} is gone")
        return bytes(row[0])

    def _block(self, stored: StoredBlock, index: Index) -> Block:
        layout = self._layout(stored.layout)
        query = "SELECT data FROM chunks WHERE key >= ? AND key < ? ORDER BY key"
        chunks = self._connection.execute(query, (stored.key, stored.key + len(layout.columns)))
        return decode_block(layout, index, [data for (data,) in chunks])

    def _blocks(self, where: str, parameters: tuple[int, ...]) -> list[StoredBlock]:
        return [StoredBlock(*row) for row in self._connection.execute(_BLOCKS + where, parameters)]


_by_slot = attrgetter("slot_ns", "seq")


def _among(layouts: Sequence[int] | None) -> str:
    return "" if layouts is None else f" AND layout IN ({','.join(str(int(key)) for key in layouts)})"


def _merged(
    hot: Iterator[StoredScan], blocks: Sequence[StoredBlock], opened: Callable[[StoredBlock], list[StoredScan]]
) -> Iterator[StoredScan]:
    """All by slot, each block opened only when its first slot has come."""
    heap: list[tuple[int, int, int, Iterator[StoredScan], StoredScan | None]] = []

    def push(n: int, rows: Iterator[StoredScan]) -> None:
        if (row := next(rows, None)) is not None:
            heapq.heappush(heap, (row.slot_ns, row.seq, n, rows, row))

    for n, block in enumerate(blocks):
        heap.append((block.first_slot_ns, -1, n, iter(()), None))
    heapq.heapify(heap)
    push(len(blocks), hot)
    while heap:
        _, _, n, rows, row = heapq.heappop(heap)
        if row is None:
            push(n, iter(opened(blocks[n])))
        else:
            yield row
            push(n, rows)
