"""The block that the window's old edge cuts: the summary from each of its scans on.

    block n        s0    s1    s2    s3    s4  | blocks n+1 .. seam
    row 3                            s3 + s4 + what the queue holds up to the seam
    row 2                      s2 + row 3
    ...            <---- one row per scan, from the newest back: done before the edge comes here

So the window is one row of these, joined with what runs on since the seam, wherever in the block its edge lies.
"""

from __future__ import annotations

from collector.monitor.aligned import aligned
from collector.monitor.blocks import Block
from collector.monitor.summaries import ROWS, Sample, Scratch, Summary


class Suffixes:
    """Of one block; used again for a later one."""

    def __init__(self, columns: int, scans: int, joint: Summary | None, scratch: Scratch) -> None:
        """`scans`: of a block; `joint`: where the newest row comes about, when several summaries do so at once."""
        self._cuts = [Summary(rows) for rows in aligned(scans, ROWS, columns)]
        self._joint, self._scratch = joint, scratch
        self._block: Block | None = None
        self._behind: Summary | None = None
        self._left = 0
        self.number = -1
        """Of the block."""
        self.seam = -1
        """Up to where they reach."""

    def begin(self, number: int, block: Block, behind: Summary | None, seam: int) -> None:
        """For block `number`, `behind` being the blocks after it up to `seam`."""
        self.number, self.seam, self._block, self._left = number, seam, block, len(block.times)
        self._behind = behind
        if self._joint is not None:
            if behind is None:
                self._joint.clear(block.times[-1])
            else:
                self._joint.take(behind)

    def missing(self) -> Sample | None:
        """The scan that joins next, for the next row; None: all are there."""
        if not self._left or self._block is None:
            return None
        at, block = self._left - 1, self._block
        return block.times[at], block.rows[at], block.bad[at]

    def keep(self) -> None:
        """It has joined where the newest row comes about: that is the row."""
        assert self._joint is not None
        self._left -= 1
        self._cuts[self._left].take(self._joint)

    def add(self, sample: Sample) -> None:
        """The scan that is `missing` joins."""
        if self._joint is not None:
            self._joint.add(sample, self._scratch)
            self.keep()
            return
        assert self._block is not None
        newest = self._behind if self._left == len(self._block.times) else self._cuts[self._left]
        self._left -= 1
        row = self._cuts[self._left]
        if newest is None:
            row.clear(sample[0])
        row.become(newest or row, sample, self._scratch)

    def cut(self, scan: int) -> Summary:
        """Of the block from its `scan` on, and all behind it up to the seam."""
        while self._left > scan and (sample := self.missing()) is not None:
            self.add(sample)
        return self._cuts[scan]
