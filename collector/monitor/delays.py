"""Delays: a rule's change is told once it has held for so long on good values. A sparse list: quiet scans cost nothing.

    on_delay 3 s     in  OUT  OUT  bad  OUT  OUT  OUT           each good value answers for the time since the scan before
    held, s               0    1    1    2    3 → told          it, at most three periods; a bad one for none, and it
                                                                neither begins, ends nor takes back anything
    held, s               0   in: forgotten                     a value on the old side begins it all again

So what was told is behind the condition by the delay of good time, and never shows what did not last so long.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_PERIODS: Final = 3
_NOBODY: Final = np.empty(0, np.intp)
_NO_TIMES: Final = np.empty(0, np.int64)

Indices = NDArray[np.intp]
Bools = NDArray[np.bool_]
Times = NDArray[np.int64]


class Delays:
    """Of r rules on some cells: what was told of each."""

    def __init__(self, cell: Indices, on_ns: Times, off_ns: Times, told: Bools, period_ns: int) -> None:
        """Of each rule `[r]` its cell, how long outside must hold until it is told, and inside; whether outside was told."""
        self.told = told
        """`[r]`; changed by `step` and `put` only."""
        self._cell = cell
        self._delay_ns = np.stack([off_ns, on_ns])
        """By what it changes to."""
        self._delayed = bool(self._delay_ns.any())
        self._most_ns = MOST_PERIODS * period_ns
        self._waiting, self._held_ns, self._until_ns = _NOBODY, _NO_TIMES, _NO_TIMES

    @property
    def waits(self) -> bool:
        """A change is not told yet."""
        return len(self._waiting) > 0

    def put(self, rules: Indices, on_ns: Times, off_ns: Times, told: Bools) -> None:
        """Other delays of some rules, and whether outside was told. Where that is as it was a change goes on to wait."""
        self._delay_ns[:, rules] = off_ns, on_ns
        self._delayed = self._delayed or bool(on_ns.any() or off_ns.any())
        self.told[rules] = told

    def forget(self, rules: Indices) -> None:
        """What waits to be told of some rules is of no interest any more."""
        if len(self._waiting):
            self._keep(~np.isin(self._waiting, rules))

    def step(self, changed: Indices, outside: Bools, now_ns: int | Times, known: Bools | None) -> Indices:
        """The rules whose change is to be told now, ascending.

        `changed`: rules whose condition has just changed; `outside`: the condition of each rule. `now_ns`: the slot, or
        between two slots the time of each cell's value; `known`: which cells have a good value, None: all.
        """
        if not self._delayed:
            self.told[changed] = outside[changed]
            return changed
        if not len(self._waiting) and not len(changed):
            return changed
        self._count(now_ns, known)
        self._keep(self.told[self._waiting] != outside[self._waiting])
        self._begin(changed[self.told[changed] != outside[changed]], now_ns)
        due = self._held_ns >= self._delay_ns[outside[self._waiting].astype(np.intp), self._waiting]
        if known is not None:
            due &= known[self._cell[self._waiting]]
        told = np.sort(self._waiting[due])
        self._keep(~due)
        self.told[told] = outside[told]
        return told

    def _count(self, now_ns: int | Times, known: Bools | None) -> None:
        times_ns = self._times(now_ns, self._waiting)
        good = np.ones(len(self._waiting), np.bool_) if known is None else known[self._cell[self._waiting]]
        elapsed_ns = np.minimum(times_ns - self._until_ns, self._most_ns)
        self._held_ns = self._held_ns + np.where(good, elapsed_ns, 0)
        # a slot without a good value passes uncounted; between two slots it only has none yet
        self._until_ns = np.where(good | isinstance(now_ns, int), times_ns, self._until_ns)

    def _times(self, now_ns: int | Times, rules: Indices) -> Times:
        return np.full(len(rules), now_ns, np.int64) if isinstance(now_ns, int) else now_ns[self._cell[rules]]

    def _keep(self, kept: Bools) -> None:
        self._waiting, self._held_ns, self._until_ns = self._waiting[kept], self._held_ns[kept], self._until_ns[kept]

    def _begin(self, rules: Indices, now_ns: int | Times) -> None:
        self._waiting = np.concatenate([self._waiting, rules])
        self._held_ns = np.concatenate([self._held_ns, np.zeros(len(rules), np.int64)])
        self._until_ns = np.concatenate([self._until_ns, self._times(now_ns, rules)])
