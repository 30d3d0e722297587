"""The rolling window of some columns of a scan group: all its statistics, brought forward with each scan.

    ─────────────── (t − W, t] ────────────────────────────────────────────
      | . . s s | s s s s | s s s s |  | s s s s | s s s s | s s
        oldest    complete blocks    seam                    open block
    └── one look-up: `suffixes` (exact) ──┘└── `running`, one sample added per scan ──┘
        or the block queue (panes)

Two summaries are merged per scan; nothing is ever subtracted, so what has left the window leaves no trace, and the
cost does not depend on its length. The work is spread: no scan does more than one step of each preparation.

- **exact**: blocks of about √(W/2) scans that keep their samples, so the old edge may cut one (`suffixes`).
- **panes**: blocks of W / 60 without samples; the old edge is on a pane's boundary, so the window is up to 1.7 %
  longer, and any length fits into 4 kB per column.

A column's results are the same, bit for bit, whatever its neighbours' samples are. They are NaN where there is none, and where
samples are too far apart to tell a mean: beyond the largest float.
"""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collector.monitor import statistics
from collector.monitor.aligned import aligned
from collector.monitor.blocks import Block, BlockQueue
from collector.monitor.joint import Joint
from collector.monitor.overflow import Overflow, without_warnings
from collector.monitor.statistics import Statistics
from collector.monitor.suffixes import Suffixes
from collector.monitor.summaries import LOW, WITH_TIME, Floats, Scratch, Summary, merge

PANES: Final = 60
_MOST_BLOCK_SCANS: Final = 64
_EARLIEST: Final = -(1 << 62)


class Window:
    """The last `window_ns` of m columns."""

    def __init__(self, columns: int, window_ns: int, period_ns: int, *, panes: bool = False, out: Floats | None = None) -> None:
        """`out`: `[statistics.ROWS, m]` that every push writes the results to."""
        scans = max(1, window_ns // period_ns)
        self._panes = panes
        self._block_scans = 1 if panes else min(_MOST_BLOCK_SCANS, max(1, round((scans / 2) ** 0.5)))
        self._pane_ns = max(1, window_ns // PANES)
        self._columns, self.window_ns = columns, window_ns
        self.refused = 0
        """Slots not after the newest: they never enter."""
        self.newest_ns = _EARLIEST
        self.results = aligned(statistics.ROWS, columns) if out is None else out
        """As of the newest slot; a row per statistic as `statistics` numbers them."""
        self._overflow = Overflow()
        self._unwarned = without_warnings(self._overflow)
        self._overflowed, self._overflow_ns = 0, _EARLIEST
        """How often it had when the newest slot was this one."""
        self._scratch = Scratch(columns)
        self._queue = BlockQueue(columns, period_ns, 0 if panes else 1, self._scratch)
        self._spare: list[Block] = []
        self._open = self._new_block()
        self._joint = Joint(columns, self._scratch, suffixes=not panes)
        self._running = self._joint.running
        self._whole = Summary(self.results)
        self.results.fill(np.nan)
        self._divisors = array("d", (0.0, 0.0))
        self._spread, self._count = (row.reshape(()) for row in np.frombuffer(self._divisors).reshape(2, 1))
        self._running_from = 0
        """Number of the block that `running` begins with."""
        self._cut = 0
        self._reading, self._building = (
            Suffixes(columns, 0 if panes else self._block_scans, self._joint.suffix, self._scratch) for _ in range(2)
        )

    def push(self, slot_ns: int, values: ArrayLike, good: NDArray[np.bool_] | None = None) -> bool:
        """Bring the window forward to `slot_ns` with a sample of each column, `[m]`; False when it is not after the newest.

        `good`: which samples are good; None: all, and all are finite.
        """
        if slot_ns <= self.newest_ns:
            self.refused += 1
            return False
        self.newest_ns = slot_ns
        bad = None if good is None else np.flatnonzero(~good)
        self._unwarned.run(self._bring_forward, slot_ns, values, bad if bad is not None and len(bad) else None)
        return True

    def _bring_forward(self, slot_ns: int, values: ArrayLike, bad: NDArray[np.intp] | None) -> None:
        self._add(slot_ns, values, bad)
        back = self._forward_panes() if self._panes else self._forward()
        self._queue.prepare(slot_ns - self.window_ns)
        self._tell(back)
        if self._overflow.times:
            self._doubt_means(slot_ns)

    @property
    def count(self) -> float | Floats:
        """Good samples of each column; one figure where all columns have the same."""
        times = self._whole.times
        return times.count if times.each is None else times.each[0]

    @property
    def begin_ns(self) -> int:
        """What is after this time is inside."""
        edge_ns = self.newest_ns - self.window_ns
        return edge_ns // self._pane_ns * self._pane_ns if self._panes else edge_ns

    def statistics(self) -> Statistics:
        """As of the newest slot, a copy."""
        count = np.broadcast_to(np.asarray(self.count, np.int64), self._columns)
        return Statistics.of_rows(count, self.results)

    # --- a scan joins ---------------------------------------------------------------------------------------------

    def _add(self, slot_ns: int, values: ArrayLike, bad: NDArray[np.intp] | None) -> None:
        if self._panes and self._open.times and self._pane(slot_ns) != self._pane(self._open.times[0]):
            self._close()
        block, building = self._open, self._building
        if not block.times:
            self._joint.block.clear(slot_ns)
            if self._running.times.nothing:
                self._running.clear(slot_ns)
        row = block.keep(slot_ns, values, bad, samples=not self._panes)
        self._joint.add((slot_ns, row, bad), building if building.number == self._queue.first + 1 else None)
        if not self._panes and len(block.times) == self._block_scans:
            self._close()

    def _pane(self, slot_ns: int) -> int:
        """Panes are (n · length, (n + 1) · length], as the window is."""
        return (slot_ns - 1) // self._pane_ns

    def _close(self) -> None:
        self._open.summary.take(self._joint.block)
        self._queue.close(self._open)
        self._open = self._spare.pop() if self._spare else self._new_block()
        self._clear_open()

    def _clear_open(self) -> None:
        self._open.clear()
        self._joint.block.clear(0)

    def _new_block(self) -> Block:
        return Block(self._columns, 1 if self._panes else self._block_scans)

    # --- what is old leaves ---------------------------------------------------------------------------------------

    def _forward(self) -> Summary | None:
        """Exact mode: what is before the seam."""
        queue, edge_ns = self._queue, self.newest_ns - self.window_ns
        while (oldest := queue.oldest) is not None and oldest.times[-1] <= edge_ns:
            self._spare.append(queue.drop())
        if oldest is None:
            self._only_open()
            self._cut_open(edge_ns)
            return None
        if self._reading.number != queue.first:
            self._enter(queue.first)
        while oldest.times[self._cut] <= edge_ns:
            self._cut += 1
        back = self._reading.cut(self._cut)
        if self._cut and self._building.number != queue.first + 1 < queue.end:
            self._begin(self._building, queue.first + 1)
        return back

    def _enter(self, number: int) -> None:
        """The old edge cuts another block now."""
        self._cut = 0
        if self._building.number == number:
            self._reading, self._building = self._building, self._reading
        else:
            self._begin(self._reading, number)
        self._run_from(self._reading.seam)

    def _begin(self, suffixes: Suffixes, number: int) -> None:
        self._turn_past(number)
        queue = self._queue
        suffixes.begin(number, queue.block(number), queue.up_to_seam(number + 1), queue.seam)

    def _forward_panes(self) -> Summary | None:
        """The same in pane mode."""
        queue, edge = self._queue, (self.newest_ns - self.window_ns) // self._pane_ns
        while (oldest := queue.oldest) is not None and self._pane(oldest.times[0]) < edge:
            self._spare.append(queue.drop())
        if oldest is None:
            if self._open.times and self._pane(self._open.times[0]) < edge:
                self._clear_open()
                self._running.clear(0)
            self._only_open()
            return None
        self._turn_past(queue.first)
        self._run_from(queue.seam)
        return queue.up_to_seam(queue.first)

    def _turn_past(self, number: int) -> None:
        while number >= self._queue.seam:
            self._queue.turn()

    def _run_from(self, seam: int) -> None:
        if self._running_from != seam:
            self._queue.fetch_coming(self._running)
            merge(self._running, self._joint.block, self._running, self._scratch)
            self._running_from = seam

    def _only_open(self) -> None:
        """All complete blocks have left."""
        if self._running_from != self._queue.end:
            self._queue.restart()
            self._running.take(self._joint.block)
            self._running_from = self._queue.end

    def _cut_open(self, edge_ns: int) -> None:
        """After a gap, or where scans are so rare that a window holds less than a block."""
        block, summary = self._open, self._joint.block
        if not block.times or block.times[0] > edge_ns:
            return
        kept = [(time, block.rows[at].copy(), block.bad[at]) for at, time in enumerate(block.times) if time > edge_ns]
        self._clear_open()
        summary.clear(kept[0][0] if kept else 0)
        for time, values, bad in kept:
            summary.add((time, block.keep(time, values, bad, samples=True), bad), self._scratch)
        self._running.take(summary)

    # --- results --------------------------------------------------------------------------------------------------

    def _tell(self, back: Summary | None) -> None:
        """Merge both halves into `results`, and divide."""
        whole = self._whole
        if back is None:
            whole.take(self._running)
        else:
            merge(back, self._running, whole, self._scratch)
        times, mean = whole.times, whole.mean
        if times.each is None:
            self._divide(times.count, times.spread)
        else:
            self._divide_each(times.each[0], times.each[2])
        # rounding never leaves the extremes: a signal that rests on an inclusive bound is not outside
        np.maximum(mean, whole.low, out=mean)
        np.minimum(mean, whole.high, out=mean)

    def _doubt_means(self, slot_ns: int) -> None:
        """A mean is none where the distance of two was beyond the largest float: then their co-moment with time was, too."""
        whole, overflow = self._whole, self._overflow
        if overflow.times != self._overflowed:
            self._overflowed, self._overflow_ns = overflow.times, slot_ns
        elif slot_ns - self._overflow_ns >= self.window_ns + self._pane_ns:  # what came of it has left
            self._overflowed = overflow.times = 0
        whole.mean[np.logical_not(np.isfinite(whole.with_time)) & (np.asarray(self.count) > 1.0)] = np.nan

    def _divide(self, count: float, spread: float) -> None:
        if count == 0.0:
            self.results.fill(np.nan)
            return
        whole, divisors = self._whole, self._divisors
        divisors[0], divisors[1] = 1.0 / spread if spread > 0.0 else np.nan, 1.0 / count
        np.multiply(whole.with_time, self._spread, whole.with_time)
        np.multiply(whole.squares, self._count, whole.squares)

    def _divide_each(self, count: Floats, spread: Floats) -> None:
        divisors = self._scratch.each.rows[:2]
        np.divide(1.0, spread, divisors[0])  # none: 0 / 0 is NaN, as it should be
        np.maximum(count, 1.0, out=divisors[1])
        np.divide(1.0, divisors[1], divisors[1])
        np.multiply(self._whole.rows[WITH_TIME:LOW], divisors, self._whole.rows[WITH_TIME:LOW])
        if count.min() == 0.0:
            self.results[:, count == 0.0] = np.nan
