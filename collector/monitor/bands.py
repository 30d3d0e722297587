"""Levels on cells, each with a deadband: one comparison finds the cells where anything changes.

A cell is one figure of one column: its raw value, its mean over a minute ... Whatever its rules are and whichever of them
are outside now, there is one quiet band in which nothing changes. Only cells that left theirs are looked at rule by rule.

     LL    L                          H    HH
    ─┼─────┼──────────────────────────┼─────┼─      all inside: quiet in [L, H]
    ─┼─────┼──────────────────────┼───┼─────┼─      H is outside: quiet in (H − deadband, HH]
                                  └─ deadband

So many rules of a cell cost what two cost. NaN is in no order with anything: what is not known changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


class QuietBands:
    """The state of r rules on c cells: outside is strictly beyond the level, inside again is not beyond the one to return to."""

    def __init__(self, cells: int, cell: Indices, high: Bools, level: Floats, back: Floats, outside: Bools) -> None:
        """Of each rule `[r]` its cell, side, level, where it is inside again, and whether it is outside now."""
        self.outside = outside
        """`[r]`; changed by `step` only."""
        self._cell, self._high, self._level, self._back = cell, high, level, back
        self._by_cell: Indices = np.argsort(cell, kind="stable")
        self._starts: Indices = np.searchsorted(cell[self._by_cell], np.arange(cells + 1))
        self._floor, self._ceiling = np.full(cells, -np.inf), np.full(cells, np.inf)
        self._left = np.empty((2, cells), np.bool_)
        self._below, self._above = self._left
        self._settle(np.unique(cell), self._by_cell)

    def step(self, values: Floats, known: Bools | None = None) -> Indices:
        """The rules that change with `values` `[c]`, in ascending order; `known` `[c]`: of which cells (None: all)."""
        np.less(values, self._floor, self._below)
        np.greater(values, self._ceiling, self._above)
        if not np.count_nonzero(self._left):
            return self._by_cell[:0]
        left = self._below | self._above
        if known is not None:
            left &= known
        return self._change(np.flatnonzero(left), values)

    def _change(self, cells: Indices, values: Floats) -> Indices:
        rules = self._rules_of(cells)
        value, sign = values[self._cell[rules]], np.where(self._high[rules], 1.0, -1.0)
        bound = np.where(self.outside[rules], self._back[rules], self._level[rules])
        beyond = sign * value > sign * bound
        changed: Indices = rules[beyond != self.outside[rules]]
        self.outside[changed] ^= True
        self._settle(cells, rules)
        changed.sort()
        return changed

    def _rules_of(self, cells: Indices) -> Indices:
        """Cell by cell."""
        first, counts = self._starts[cells], self._starts[cells + 1] - self._starts[cells]
        nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rules: Indices = self._by_cell[np.repeat(first, counts) + nth]
        return rules

    def _settle(self, cells: Indices, rules: Indices) -> None:
        """The quiet bands of `cells`, `rules` being all of theirs, cell by cell."""
        if not len(cells):
            return
        high, outside = self._high[rules], self.outside[rules]
        level, back = self._level[rules], self._back[rules]
        # it changes beyond the level; once outside where it is not beyond `back`, so the next float is still quiet
        floor = np.where(outside & high, np.nextafter(back, np.inf), np.where(~outside & ~high, level, -np.inf))
        ceiling = np.where(outside & ~high, np.nextafter(back, -np.inf), np.where(~outside & high, level, np.inf))
        counts = self._starts[cells + 1] - self._starts[cells]
        begins = np.cumsum(counts) - counts
        self._floor[cells] = np.maximum.reduceat(floor, begins)
        self._ceiling[cells] = np.minimum.reduceat(ceiling, begins)
