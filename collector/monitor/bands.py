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

from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.aligned import aligned
from collector.monitor.marks import Marks

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]
_NOBODY: Final = np.empty(0, np.intp)
_GAP: Final = 4_000
"""Cells that are compared sooner than another call begins."""


class QuietBands:
    """The state of r rules on c cells: outside is strictly beyond the level, inside again is not beyond the one to return to."""

    def __init__(self, cells: int, cell: Indices, high: Bools, level: Floats, back: Floats, outside: Bools) -> None:
        """Of each rule `[r]` its cell, side, level, where it is inside again, and whether it is outside now."""
        self.outside = outside
        """`[r]`; changed by `step` only."""
        self._by_cell: Indices = np.argsort(cell, kind="stable")
        self._starts: Indices = np.searchsorted(cell[self._by_cell], np.arange(cells + 1))
        # it changes beyond the level; once outside where it is not beyond `back`, so the next float is still quiet
        inside = np.where(high, -np.inf, level), np.where(high, level, np.inf)
        beyond = np.where(high, np.nextafter(back, np.inf), -np.inf), np.where(high, np.inf, np.nextafter(back, -np.inf))
        self._quiet = np.ascontiguousarray(np.array([inside, beyond])[:, :, self._by_cell].transpose(2, 0, 1))
        """Of each rule, cell by cell, floor and ceiling while it is inside and while it is outside: `[r, 2, 2]`."""
        self._left = Marks(cells)
        self._floor, self._ceiling = _Bounds(np.less, -np.inf, self._left.below), _Bounds(np.greater, np.inf, self._left.above)
        if len(cell):
            ruled, state = np.unique(cell), outside[self._by_cell].view(np.int8)
            self._settle(ruled, self._quiet[np.arange(len(cell)), state], self._starts[ruled])

    def step(self, values: Floats, known: Bools | None = None) -> Indices:
        """The rules that change with `values` `[c]`, in ascending order; `known` `[c]`: of which cells (None: all)."""
        self._floor.compare(values)
        self._ceiling.compare(values)
        if not self._left.any():
            return _NOBODY
        cells = self._left.places()
        if known is not None:
            cells = cells[known[cells]]
        return self._change(cells, values[cells]) if len(cells) else cells

    def _change(self, cells: Indices, values: Floats) -> Indices:
        first = self._starts[cells]
        counts = self._starts[cells + 1] - first
        ends = counts.cumsum()
        places = (first - ends + counts).repeat(counts) + np.arange(ends[-1])
        rules = self._by_cell[places]
        state, values = self.outside[rules], values.repeat(counts)
        quiet = self._quiet[places, state.view(np.int8)]
        changes = (values < quiet[:, 0]) | (values > quiet[:, 1])
        changed: Indices = rules[changes]
        self.outside[changed] ^= True
        self._settle(cells, self._quiet[places, (state ^ changes).view(np.int8)], ends - counts)
        changed.sort()
        return changed

    def _settle(self, cells: Indices, quiet: Floats, begins: Indices) -> None:
        """`quiet`: floor and ceiling of the rules of `cells`, `[n, 2]`, those of a cell in a row from where it `begins`."""
        self._floor.put(cells, np.maximum.reduceat(quiet[:, 0], begins))
        self._ceiling.put(cells, np.minimum.reduceat(quiet[:, 1], begins))


class _Bounds:
    """One bound of each cell, compared in the stretches where cells have one: a minimum has no ceiling, as a rule."""

    def __init__(self, beyond: np.ufunc, nowhere: float, marks: Bools) -> None:
        """`beyond(values, bounds, marks)` marks; `nowhere`: a cell without a bound."""
        self._beyond, self._nowhere, self._marks = beyond, nowhere, marks
        self._bounds = aligned(len(marks))
        self._bounds.fill(nowhere)
        self._bounded = np.zeros(len(marks), np.bool_)
        """Cells that have one now or had one before."""
        self._stretches: list[tuple[slice, Floats, Bools]] = []
        """Where cells have one, with the bounds and the marks there."""
        self._values = self._bounds[:0]
        self._views: list[Floats] = []
        """Of the values that were compared last, in the same stretches: nearly always it is the same array."""

    def compare(self, values: Floats) -> None:
        """Mark the cells whose value is beyond; others than those in a stretch never are."""
        if values is not self._values:
            self._values, self._views = values, [values[part] for part, _, _ in self._stretches]
        for view, (_, bounds, marks) in zip(self._views, self._stretches, strict=True):
            self._beyond(view, bounds, marks)

    def put(self, cells: Indices, bounds: Floats) -> None:
        """New ones."""
        self._bounds[cells] = bounds
        fresh = (bounds != self._nowhere) > self._bounded[cells]
        if fresh.any():
            self._bounded[cells[fresh]] = True
            self._stretches = [(part, self._bounds[part], self._marks[part]) for part in _stretches(self._bounded)]
            self._values = self._bounds[:0]


def _stretches(cells: Bools) -> list[slice]:
    """Where `cells` are, in as few parts as is quickest."""
    places = np.flatnonzero(cells)
    if not len(places):
        return []
    gaps = np.flatnonzero(np.diff(places) > _GAP)
    begins, ends = np.append(places[0], places[gaps + 1]), np.append(places[gaps], places[-1])
    return [slice(begin, end + 1) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
