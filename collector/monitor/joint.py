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
        self._at_once = {count: _AtOnce(rows[:, :count], times[:count]) for count in range(2, places + 1)} if few else None

    def add(self, newest: Sample, building: Suffixes | None) -> None:
        """`newest` joins the block and what runs, an older scan the suffix that is built."""
        older = None if building is None else building.missing()
        if self._at_once is not None and newest[2] is None and (older is None or older[2] is None):
            together = self._at_once[2 if older is None else 3]
            if together.alike:
                together.add(newest, older)
                if older is not None and building is not None:
                    building.keep()
                return
        if older is not None and building is not None:
            building.add(older)
        self.block.add(newest, self._scratch)
        self.running.add(newest, self._scratch)  # last, since the results are made of it: it is in the cache then


class _AtOnce:
    """`Summary.add` of the first places, all good. Views are made once: they cost as much as a small addition."""

    def __init__(self, rows: Floats, times: list[Times]) -> None:
        """`rows`: `[ROWS, places, m]`."""
        _, count, columns = rows.shape
        self._places = tuple(enumerate(times))
        self._mean, self._averages, self._low, self._high = rows[MEAN], rows[AVERAGES], rows[LOW], rows[HIGH]
        self._samples, self._differences = aligned(count, columns), aligned(count, columns)
        self._newest, self._older = self._samples[:2], self._samples[2:]
        self._terms = aligned(3, count, columns)
        self._squares = self._terms[SQUARES]
        self._factors = array("d", [0.0] * (3 * count))
        self._spread = np.frombuffer(self._factors).reshape(3, count, 1)

    @property
    def alike(self) -> bool:
        """No sample was bad in any of them."""
        for _, times in self._places:  # noqa: SIM110  # a generator costs as much as an addition
            if times.each is not None:
                return False
        return True

    def add(self, newest: Sample, older: Sample | None) -> None:
        """A scan for the first two places, and one for the third."""
        slot_ns, row, _ = newest
        samples, differences, terms = self._samples, self._differences, self._terms
        np.copyto(self._newest, row)
        if older is not None:
            np.copyto(self._older, older[1])
        factors, count = self._factors, len(self._places)
        for place, times in self._places:
            share, reach, kept = times.join(slot_ns if place < 2 or older is None else older[0])
            factors[place], factors[count + place], factors[2 * count + place] = share, reach, kept
        np.subtract(samples, self._mean, differences)
        np.minimum(self._low, samples, out=self._low)
        np.maximum(self._high, samples, out=self._high)
        np.multiply(differences, self._spread, terms)
        np.multiply(self._squares, differences, self._squares)
        np.add(self._averages, terms, self._averages)
