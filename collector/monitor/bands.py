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

from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.aligned import aligned
from collector.monitor.marks import Marks
from collector.monitor.ranges import begins, members

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
        """`[r]`; changed by `step` and `put` only."""
        self._cell, self._high = cell, high
        by_cell = np.argsort(cell, kind="stable")
        self._place = np.empty(len(cell), np.intp)
        """Of each rule, cell by cell."""
        self._place[by_cell] = np.arange(len(cell))
        self._by_cell, self._starts_of = by_cell, np.searchsorted(cell[by_cell], np.arange(cells + 1))
        self._quiets = np.empty((len(cell), 2, 2))
        # of these a few numbers are wanted at a time, which arrays are slow to give
        self._state, self._starts, self._rules = outside.data, self._starts_of.data, by_cell.data
        """The rules, cell by cell, and where those of each cell begin."""
        self._quiet = self._quiets.reshape(-1).data
        """Of each rule, cell by cell, floor and ceiling while it is inside, then while it is outside."""
        self._left = Marks(cells)
        self._floors = _Bounds(np.less, -np.inf, self._left.below)
        self._ceilings = _Bounds(np.greater, np.inf, self._left.above)
        self.put(np.arange(len(cell)), level, back, outside)

    def put(self, rules: Indices, level: Floats, back: Floats, outside: Bools) -> None:
        """Other levels and states of some rules: of each where it is, where it is inside again, and whether it is outside.
        An infinite level that nothing is beyond takes a rule out of force."""
        high = self._high[rules]
        quiet = np.empty((len(rules), 2, 2))
        # it changes beyond the level; once outside where it is not beyond `back`, so the next float is still quiet
        quiet[:, 0, 0], quiet[:, 0, 1] = np.where(high, -np.inf, level), np.where(high, level, np.inf)
        beyond = np.nextafter(back, np.where(high, np.inf, -np.inf))
        quiet[:, 1, 0], quiet[:, 1, 1] = np.where(high, beyond, -np.inf), np.where(high, np.inf, beyond)
        self._quiets[self._place[rules]] = quiet
        self.outside[rules] = outside
        self._bound(rules)

    def _bound(self, rules: Indices) -> None:
        """The quiet bands of the cells of `rules`, anew."""
        touched = np.zeros(len(self._left.below), np.bool_)
        touched[self._cell[rules]] = True
        cells = np.flatnonzero(touched)
        starts = self._starts_of[cells]
        counts = self._starts_of[cells + 1] - starts
        places = members(starts, counts)
        now = self._quiets[places, self.outside[self._by_cell[places]].view(np.int8)]
        if len(cells):
            first = begins(counts)[:-1]
            self._floors.bounds[cells] = np.maximum.reduceat(now[:, 0], first)
            self._ceilings.bounds[cells] = np.minimum.reduceat(now[:, 1], first)
        self._floors.stretch()
        self._ceilings.stretch()

    def step(self, values: Floats, known: Bools | None = None) -> Indices:
        """The rules that change with `values` `[c]`, in ascending order; `known` `[c]`: of which cells (None: all)."""
        self._floors.compare(values)
        self._ceilings.compare(values)
        if not self._left.any():
            return _NOBODY
        cells = self._left.places()
        if known is not None:
            cells = cells[known[cells]]
        changed: list[int] = []
        for cell, value in zip(cells.tolist(), values[cells].tolist(), strict=True):
            changed += self._change(cell, value)
        return np.array(sorted(changed), np.intp)

    def _change(self, cell: int, value: float) -> list[int]:
        """The rules that change where a value left the quiet band, which is another then."""
        state, quiet, changed = self._state, self._quiet, []
        floor, ceiling = -inf, inf
        for place in range(self._starts[cell], self._starts[cell + 1]):
            rule = self._rules[place]
            at = 4 * place + 2 * state[rule]
            if not quiet[at] <= value <= quiet[at + 1]:
                changed.append(rule)
                state[rule] = not state[rule]
                at = 4 * place + 2 * state[rule]
            floor, ceiling = max(floor, quiet[at]), min(ceiling, quiet[at + 1])
        self._floors.put(cell, floor)
        self._ceilings.put(cell, ceiling)
        return changed


class _Bounds:
    """One bound of each cell, compared in the stretches where cells have one: a minimum has no ceiling, as a rule."""

    def __init__(self, beyond: np.ufunc, nowhere: float, marks: Bools) -> None:
        """`beyond(values, bounds, marks)` marks; `nowhere`: of a cell without a bound."""
        self._beyond, self._nowhere, self._marks = beyond, nowhere, marks
        self.bounds = aligned(len(marks))
        """`[c]`; `stretch` when they were written."""
        self.bounds.fill(nowhere)
        self._bounded = np.zeros(len(marks), np.bool_)
        """Cells that have one now or had one before."""
        self.stretch()

    def stretch(self) -> None:
        """Find where cells have one."""
        self._bounded |= self.bounds != self._nowhere
        self._stretches = [(part, self.bounds[part], self._marks[part]) for part in _stretches(self._bounded)]
        """With the bounds and the marks there."""
        self._values = self.bounds[:0]
        self._compared: list[tuple[Floats, Floats, Bools]] = []
        """The values that were compared last, in the same stretches: nearly always it is the same array."""

    def compare(self, values: Floats) -> None:
        """Mark the cells whose value is beyond; others than those in a stretch never are."""
        if values is not self._values:
            self._values = values
            self._compared = [(values[part], bounds, marks) for part, bounds, marks in self._stretches]
        for here, bounds, marks in self._compared:
            self._beyond(here, bounds, marks)

    def put(self, cell: int, bound: float) -> None:
        """A new one."""
        self.bounds[cell] = bound
        if bound != self._nowhere and not self._bounded[cell]:
            self.stretch()


def _stretches(cells: Bools) -> list[slice]:
    """Where `cells` are, in as few parts as is quickest."""
    places = np.flatnonzero(cells)
    if not len(places):
        return []
    gaps = np.flatnonzero(np.diff(places) > _GAP)
    begins, ends = np.append(places[0], places[gaps + 1]), np.append(places[gaps], places[-1])
    return [slice(begin, end + 1) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
