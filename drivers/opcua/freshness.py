"""Which tags of a subscription are due to be verified by a Read, and which of them the subscription does not deliver. Pure.

    created ───────────────────────────────────────┐
    quiet for freshness_s ── Read, differs ────────┴──> suspected ── settle_s ── Read, differs ──> not delivered
                                                            └── told of meanwhile ──> all is well

A keep-alive says that the subscription lives, not that the server looks at each of its tags. A Read that differs from what was
told last is no proof by itself: the value may have changed a moment ago, or have come and gone between two samplings. Only when
it differs again `settle_s` later, and nothing was told of the tag meanwhile, the subscription has kept a change to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

LEAST_PAUSE_S = 1.0
"""Between two Reads of the rotation: a few tags in one cost less than one each."""
LOOKS = 4
"""In one rotation at least, however short it is."""
PASSES = 2
MOST_UNHEEDED = 100
"""Arrays of columns that were told."""


class Freshness:
    """Of k columns. Times are seconds on a monotonic clock."""

    def __init__(self, k: int, freshness_s: float) -> None:
        self._freshness_s = freshness_s
        self.pause_s = min(LEAST_PAUSE_S, freshness_s / LOOKS)
        """After which to ask again what is due."""
        self._heard = np.zeros(k, np.bool_)
        self._known = np.zeros(k, np.bool_)
        """Something was told or read since it was passed last."""
        self._told: dict[int, NDArray[np.intp]] = {}
        """What was since it was looked last, by id: mostly the same columns again and again."""
        self._suspected: dict[int, float] = {}
        self._columns: Sequence[int] = ()
        self._at, self._looked_s, self._settle_s = 0, 0.0, 0.0

    def begin(self, now_s: float, settle_s: float) -> None:
        """None is monitored yet. Those that are will be told within `settle_s`, and so will any change of theirs."""
        self._columns, self._settle_s = (), settle_s
        self._at, self._looked_s = 0, now_s
        self._suspected = {}

    def watch(self, columns: Sequence[int], now_s: float) -> None:
        """These are monitored, and no others; those that were not are to be told."""
        new = set(columns).difference(self._columns)
        self._columns = columns
        self.suspect(new, now_s)

    def suspect(self, columns: Iterable[int], now_s: float) -> None:
        """Something of them is to be told from now on."""
        self._heed()
        for column in columns:
            self._suspected[column] = now_s
            self._heard[column] = False

    def told(self, columns: NDArray[np.intp]) -> None:
        """Something was. The array must stay as it is."""
        self._told[id(columns)] = columns
        if len(self._told) > MOST_UNHEEDED:
            self._heed()

    def _heed(self) -> None:
        for columns in self._told.values():
            self._heard[columns] = self._known[columns] = True
        self._told.clear()

    def due(self, now_s: float) -> list[int]:
        """To be read now."""
        self._heed()
        for column in [column for column in self._suspected if self._heard[column]]:
            del self._suspected[column]
        settled = [column for column, since_s in self._suspected.items() if now_s - since_s >= self._settle_s]
        return settled + [column for column in self._next(now_s) if column not in self._suspected]

    def _next(self, now_s: float) -> list[int]:
        """Each is passed twice in `freshness_s`, and read where nothing was told or read of it since it was passed before."""
        count = len(self._columns)
        if not count or now_s - self._looked_s < self.pause_s:
            return []
        share = min(count, int((now_s - self._looked_s) / self._freshness_s * PASSES * count))
        if not share:
            return []
        self._looked_s = now_s if share == count else self._looked_s + share * self._freshness_s / (PASSES * count)
        passed = [self._columns[(self._at + n) % count] for n in range(share)]
        self._at = (self._at + share) % count
        quiet = [column for column in passed if not self._known[column]]
        self._known[passed] = False
        self._known[quiet] = True
        return quiet

    def verify(self, column: int, now_s: float, *, differs: bool) -> bool:
        """What a Read that was due says; whether the tag is not delivered."""
        self._heed()
        since_s = self._suspected.get(column)
        if not differs or (since_s is not None and self._heard[column]):
            self._suspected.pop(column, None)
            return False
        if since_s is None:
            self.suspect((column,), now_s)
            return False
        return now_s - since_s >= self._settle_s
