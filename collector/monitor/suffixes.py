"""The block that the window's old edge cuts: the summary from each of its scans on.

    block n        s0    s1    s2    s3    s4  | blocks n+1 .. seam
    row 3                            s3 + s4 + what the queue holds up to the seam
    row 2                      s2 + row 3
    ...            <---- one row per scan, from the newest back: done before the edge comes here

So the window is one row of these, joined with what runs on since the seam, wherever in the block its edge lies.
"""

from __future__ import annotations

import numpy as np

from collector.monitor.blocks import Block
from collector.monitor.joint import Sample
from collector.monitor.summaries import ROWS, Scratch, Summary, Times


class Suffixes:
    """Of one block; used again for a later one."""

    def __init__(self, columns: int, scans: int, running: Summary, scratch: Scratch) -> None:
        """`scans`: of a block; `running`: the newest row, shared by all of a window, of which one is built at a time."""
        self._rows = np.empty((scans, ROWS, columns))
        self._cuts = [Summary(rows, Times(0)) for rows in self._rows]
        self._running, self._scratch = running, scratch
        self._block: Block | None = None
        self._left = 0
        self.number = -1
        """Of the block."""
        self.seam = -1
        """Up to where they reach."""

    def begin(self, number: int, block: Block, behind: Summary | None, seam: int) -> None:
        """For block `number`, `behind` being the blocks after it up to `seam`."""
        self.number, self.seam, self._block, self._left = number, seam, block, len(block.times)
        if behind is None:
            self._running.clear(block.times[-1])
        else:
            self._running.take(behind)

    def missing(self) -> Sample | None:
        """The scan that joins `running` next, for the next row; None: all are there."""
        if not self._left or self._block is None:
            return None
        at, block = self._left - 1, self._block
        return block.times[at], block.rows[at], block.bad[at]

    def keep(self) -> None:
        """It has joined: that is the row."""
        self._left -= 1
        self._cuts[self._left].take(self._running)

    def cut(self, scan: int) -> Summary:
        """Of the block from its `scan` on, and all behind it up to the seam."""
        while self._left > scan and (sample := self.missing()) is not None:
            self._running.add(*sample, self._scratch)
            self.keep()
        return self._cuts[scan]
