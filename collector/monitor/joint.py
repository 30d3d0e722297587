"""Summaries side by side: what joins several of them in the same scan does so in one go where columns are few.

    place       0 open block     1 since the seam     2 suffix being built
    joins       the new scan     the new scan         an older scan

A call of numpy costs as much as some hundred numbers, so a small group is cheap when its three summaries go through each
call together. With many columns it is the other way round: one after the other stays in the processor's cache.
"""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np

from collector.monitor.aligned import aligned
from collector.monitor.suffixes import Suffixes
from collector.monitor.summaries import AVERAGES, HIGH, LOW, MEAN, ROWS, SQUARES, Floats, Sample, Scratch, Summary
from collector.monitor.times import Times

FEW_COLUMNS: Final = 1_000


class Joint:
    """The summaries of a window that scans join."""

    def __init__(self, columns: int, scratch: Scratch, *, suffixes: bool) -> None:
        """`suffixes`: the third place is needed."""
        self._scratch = scratch
        places = 3 if suffixes else 2
        rows = aligned(ROWS, places, columns)
        summaries = [Summary(rows[:, place]) for place in range(places)]
        self.block, self.running = summaries[:2]
        few = columns <= FEW_COLUMNS
        self.suffix = summaries[2] if suffixes and few else None
        """None: suffixes are built row by row."""
        times = [summary.times for summary in summaries]
        self._two = _AtOnce(rows[:, :2], times[:2]) if few else None
        self._three = _AtOnce(rows, times) if few and suffixes else None

    def add(self, newest: Sample, building: Suffixes | None) -> None:
        """`newest` joins the block and what runs, an older scan the suffix that is built."""
        older = None if building is None else building.missing()
        together = self._two if older is None else self._three
        if together is not None and together.are_alike(newest, older):
            together.add(newest, older)
            if building is not None and older is not None:
                building.keep()
            return
        if building is not None and older is not None:
            building.add(older)
        self.block.add(newest, self._scratch)
        self.running.add(newest, self._scratch)  # last, since the results are made of it: it is in the cache then


class _AtOnce:
    """`Summary.add` of the first places, all good. Views are made once: they cost as much as a small addition."""

    def __init__(self, rows: Floats, times: list[Times]) -> None:
        """`rows`: `[ROWS, places, m]`."""
        _, count, columns = rows.shape
        self._times = times
        self._mean, self._averages, self._low, self._high = rows[MEAN], rows[AVERAGES], rows[LOW], rows[HIGH]
        self._samples, self._differences = aligned(count, columns), aligned(count, columns)
        self._newest, self._older = self._samples[:2], self._samples[2:]
        self._terms = aligned(3, count, columns)
        self._squares = self._terms[SQUARES]
        self._factors = array("d", [0.0] * (3 * count))
        """Share, reach and kept of each place."""
        self._spread = np.frombuffer(self._factors).reshape(count, 3).T[:, :, None]

    def are_alike(self, newest: Sample, older: Sample | None) -> bool:
        """No sample is bad in any of them, nor was before."""
        times = self._times  # what has joined the block has also joined what runs
        alike = newest[2] is None and times[1].each is None
        return alike and (older is None or (older[2] is None and times[2].each is None))

    def add(self, newest: Sample, older: Sample | None) -> None:
        """A scan for the first two places, and one for the third."""
        slot_ns, row, _ = newest
        samples, differences, terms, factors = self._samples, self._differences, self._terms, self._factors
        np.copyto(self._newest, row)
        self._times[0].join(slot_ns, factors, 0)
        self._times[1].join(slot_ns, factors, 3)
        if older is not None:
            np.copyto(self._older, older[1])
            self._times[2].join(older[0], factors, 6)
        np.subtract(samples, self._mean, differences)
        np.minimum(self._low, samples, out=self._low)
        np.maximum(self._high, samples, out=self._high)
        np.multiply(differences, self._spread, terms)
        np.multiply(self._squares, differences, self._squares)
        np.add(self._averages, terms, self._averages)
