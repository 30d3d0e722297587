"""Summaries side by side: what joins several of them in the same scan does so in one go where columns are few.

    place       0 open block     1 since the seam     2 suffix being built
    joins       the new scan     the new scan         an older scan

A call of numpy costs as much as some hundred numbers, so a small group is cheap when its three summaries go through each
call together. With many columns it is the other way round: one after the other stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.summaries import AVERAGES, HIGH, LOW, MEAN, ROWS, SQUARES, Floats, Scratch, Summary, Times

FEW_COLUMNS: Final = 1_000

Sample = tuple[int, Floats, NDArray[np.intp] | None]
"""(slot, row `[m]`, columns without a good sample)."""


class Joint:
    """The three summaries of a window that scans join."""

    def __init__(self, columns: int, scratch: Scratch) -> None:
        self._scratch, self._few = scratch, columns <= FEW_COLUMNS
        rows = np.empty((ROWS, 3, columns))
        self.block, self.running, self.suffix = self.places = tuple(Summary(rows[:, place], Times(0)) for place in range(3))
        for place in self.places:
            place.clear(0)
        wide = columns if self._few else 0
        self._at_once = {count: _AtOnce(rows[:, :count], wide, self.places) for count in (2, 3)}

    def add(self, newest: Sample, older: Sample | None) -> None:
        """`newest` joins the block and what runs, `older` the suffix."""
        slot_ns, row, bad = newest
        alike = self._few and bad is None and self._alike(self.block) and self._alike(self.running)
        if not alike or (older is not None and (older[2] is not None or not self._alike(self.suffix))):
            self.block.add(slot_ns, row, bad, self._scratch)
            self.running.add(slot_ns, row, bad, self._scratch)
            if older is not None:
                self.suffix.add(*older, self._scratch)
        elif older is None:
            self._at_once[2].add((slot_ns, slot_ns), (row, row))
        else:
            self._at_once[3].add((slot_ns, slot_ns, older[0]), (row, row, older[1]))

    @staticmethod
    def _alike(summary: Summary) -> bool:
        return isinstance(summary.times.count, float)


class _AtOnce:
    """`Summary.add` of the first places, each with a row of its own, all good. Views are made once: they cost as much as
    a small addition."""

    def __init__(self, rows: Floats, columns: int, places: Sequence[Summary]) -> None:
        """`rows`: `[ROWS, places, m]`."""
        count = rows.shape[1]
        self._places = tuple(zip(range(count), places, strict=False))
        self._mean, self._averages, self._low, self._high = rows[MEAN], rows[AVERAGES], rows[LOW], rows[HIGH]
        self._samples, self._differences = np.empty((count, columns)), np.empty((count, columns))
        self._rows = tuple(self._samples)
        self._terms = np.empty((3, count, columns))
        self._squares = self._terms[SQUARES]
        factors = np.empty((3, count))
        self._share, self._reach, self._kept = factors
        self._spread = factors[:, :, None]

    def add(self, slots_ns: Sequence[int], rows: Sequence[Floats]) -> None:
        """A scan for each place."""
        samples, differences, terms = self._samples, self._differences, self._terms
        share, reach, kept = self._share, self._reach, self._kept
        for place, summary in self._places:
            np.copyto(self._rows[place], rows[place])
            share[place], reach[place], kept[place] = summary.join(slots_ns[place])
        np.subtract(samples, self._mean, differences)
        np.minimum(self._low, samples, out=self._low)
        np.maximum(self._high, samples, out=self._high)
        np.multiply(differences, self._spread, terms)
        np.multiply(self._squares, differences, self._squares)
        np.add(self._averages, terms, self._averages)
