"""What the sorts of lasting figures have in common: cells, a context that is entered, what is known of before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from collector.terms import Json
from config.limits import Limit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Whole = NDArray[np.int64]
CellKey = tuple[int, str, float | None]
"""(column of the layout, measure, window_s)."""
UNKNOWN_NS: Final = -(1 << 62)
"""Where a beginning was not seen: it lies long ago."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one column."""

    column: int
    limit: Limit
    """A row on it; those of other phases differ in levels."""

    @property
    def key(self) -> CellKey:
        """What makes it the same for a row of another phase."""
        return self.column, self.limit.measure, self.limit.window_s

    @property
    def name(self) -> str:
        """Of the figure, among those of its column."""
        window_s = self.limit.window_s
        return self.limit.measure if window_s is None else f"{self.limit.measure} {window_s:g} s"


@dataclass(frozen=True, slots=True, eq=False)
class Entered:
    """A new context, for each of a part's cells `[m]`."""

    slot_ns: int
    new_phase: Bools
    new_batch: Bools
    in_phase: Bools
    in_batch: Bools
    rows: Sequence[Limit | None]
    """That hold from now on."""


@dataclass(frozen=True, slots=True)
class Known:
    """How a cell stood after the scan of a slot."""

    slot_ns: int
    figures: Mapping[str, Json]

    def number(self, name: str) -> float:
        """NaN where there is none."""
        value = self.figures.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")

    def whole(self, name: str, otherwise: int = 0) -> int:
        """A whole number, exact."""
        value = self.figures.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


class Part(Protocol):
    """Cells of one sort, whose figures stand in a part of one array."""

    def resume(self, known: Sequence[Known | None]) -> None:
        """Before the first scan: what is known of each cell."""

    def enter(self, entered: Entered) -> None:
        """Before the scan of the slot."""

    def push(self, slot_ns: int, values: Floats, good: Bools) -> None:
        """A sample of each cell, of a slot after the newest."""

    def evaluable(self) -> Bools:
        """Which can be told now."""

    def told(self) -> Mapping[str, Sequence[Json]]:
        """What `resume` needs, by its name, of each cell."""
