"""Blocks of scans, and the queue of complete ones: what leaves is never subtracted.

    oldest                    seam                      newest
    | A0+A1+A2 | A1+A2 | A2 | B3 | B4 | B5 | B6 | B7 |          complete blocks
      each holds itself and     each holds itself
      all up to the seam        alone

The summary of all blocks from n on is one look-up (for n before the seam), joined with what the window keeps running
since the seam. When the oldest side is used up, the seam moves to the newest end: then the blocks in between must hold
"up to the new seam". That is prepared in time, one merge per scan from the new seam backwards, so no scan pays for
all of it. Blocks that close meanwhile are also merged into `coming`, which is what runs on after the turn.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collector.monitor.aligned import aligned
from collector.monitor.summaries import Floats, Scratch, Summary, merge


class Block:
    """Some scans in a row: once complete their summary, their times and, where the window's edge may cut it, their samples."""

    __slots__ = ("bad", "rows", "summary", "times")

    def __init__(self, columns: int, rows: int) -> None:
        """`rows`: how many scans are kept with their samples."""
        self.summary = Summary.empty(columns)
        self.rows: Floats = aligned(rows, columns)
        """NaN where bad."""
        self.bad: list[NDArray[np.intp] | None] = []
        """Of each scan the columns without a good sample; None: all are good."""
        self.times: list[int] = []

    def keep(self, slot_ns: int, values: ArrayLike, bad: NDArray[np.intp] | None, *, samples: bool) -> Floats:
        """Note a scan; its row `[m]`, NaN where bad. Without `samples` only the newest row stays, and the first and last time."""
        at = len(self.times) if samples else 0
        row: Floats = self.rows[at]
        np.copyto(row, values)
        if bad is not None:
            row[bad] = np.nan
        if samples:
            self.bad.append(bad)
        else:
            del self.times[1:]
        self.times.append(slot_ns)
        return row

    def clear(self) -> None:
        """Without a scan again."""
        self.bad.clear()
        self.times.clear()


class BlockQueue:
    """Complete blocks, oldest first, numbered from the first that ever closed."""

    def __init__(self, columns: int, period_ns: int, ahead: int, scratch: Scratch) -> None:
        """`ahead`: how many blocks before its own turn a block's summary up to the seam is wanted."""
        self._period_ns, self._ahead = period_ns, ahead
        self._scratch = scratch
        self._blocks: deque[Block] = deque()
        self.first = 0
        """Number of the oldest block."""
        self.seam = 0
        """Blocks before it hold all up to it, blocks from it on hold themselves."""
        self.coming = Summary.empty(columns)
        """Of the blocks from the next seam on; after a turn from the seam on, until it is fetched."""
        self._collecting = False
        self._next_seam: int | None = None
        self._prepared = 0

    @property
    def end(self) -> int:
        """Number of the block after the newest."""
        return self.first + len(self._blocks)

    @property
    def oldest(self) -> Block | None:
        """None: there is no complete one."""
        return self._blocks[0] if self._blocks else None

    def block(self, number: int) -> Block:
        """The block of that number."""
        return self._blocks[number - self.first]

    def close(self, block: Block) -> None:
        """A block is complete."""
        self._blocks.append(block)
        if self._collecting:
            merge(self.coming, block.summary, self.coming, self._scratch)

    def drop(self) -> Block:
        """The oldest block has left the window; it may be used again."""
        self.first += 1
        return self._blocks.popleft()

    def up_to_seam(self, number: int) -> Summary | None:
        """Of the blocks from `number` up to the seam, None: there are none."""
        return self.block(number).summary if number < self.seam else None

    def prepare(self, edge_ns: int) -> None:
        """One step towards the next turn, when it is time; `edge_ns` is the window's old edge."""
        if self._next_seam is not None:
            if self._prepared > max(self.seam, self.first):
                self._merge_one()
        elif not self._collecting and self.end - self.seam >= 2:
            scans_left = (self._turn_ns() - edge_ns) // self._period_ns
            if scans_left <= self.end - self.seam:
                self._begin()

    def _turn_ns(self) -> int:
        """Where the window's old edge is when the turn comes."""
        last = self.seam - 1 - self._ahead
        return self.block(last).times[-1] if last >= self.first else self.block(self.first).times[0]

    def turn(self) -> None:
        """The oldest side is used up: the seam moves on, and `coming` is what is after it."""
        if self._next_seam is None:
            self._begin()
        while self._prepared > max(self.seam, self.first):
            self._merge_one()
        assert self._next_seam is not None
        self.seam, self._next_seam = self._next_seam, None

    def fetch_coming(self, into: Summary) -> None:
        """`into` becomes what is after the seam; what closes from now on is the caller's to add."""
        into.take(self.coming)
        self._collecting = False

    def restart(self) -> None:
        """No complete block is left: whatever was prepared is of no use."""
        self.seam, self._next_seam, self._collecting = self.end, None, False

    def _begin(self) -> None:
        self._next_seam = self.end
        self._prepared = self.end - 1
        self.coming.clear(0)
        self._collecting = True

    def _merge_one(self) -> None:
        newer = self.block(self._prepared).summary
        self._prepared -= 1
        older = self.block(self._prepared).summary
        merge(older, newer, older, self._scratch)
