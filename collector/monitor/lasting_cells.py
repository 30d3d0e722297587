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
Indices = NDArray[np.intp]
CellKey = tuple[int, str, float | None]
"""(column of the layout, measure, window_s)."""
UNKNOWN_NS: Final = -(1 << 62)
"""Where a beginning was not seen: it lies long ago."""
AWAY: Final = 1e200
"""Slack where nothing is summed up; not infinite, so that no sum becomes NaN."""


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


class LastingRows:
    """What rows of the limit set say of such figures, `[n + 1]` each; the last is what holds where none does, `NOBODY`."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        ranges = [limit.par or limit.nor if limit.statistic == "time_outside" else None for limit in limits]
        self.low = _numbers([each.low if each else None for each in ranges], -np.inf)
        self.high = _numbers([each.high if each else None for each in ranges], np.inf)
        self.share = _numbers([limit.min_coverage for limit in limits], 1.0)
        self.allowed_s = _numbers([limit.allowed_outside_s for limit in limits], np.inf)
        self.spans_phases = np.array([*(limit.spans_phases for limit in limits), False], np.bool_)
        self.target = _numbers([limit.sp for limit in limits], 0.0)
        self.slack = _numbers([limit.slack for limit in limits], AWAY)


def _numbers(of: Sequence[float | None], otherwise: float) -> Floats:
    return np.array([otherwise if each is None else each for each in (*of, None)], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Entered:
    """A new context, for each of a part's cells `[m]`."""

    slot_ns: int
    new_phase: Bools
    new_batch: Bools
    in_phase: Bools
    in_batch: Bools
    of: LastingRows
    rows: Indices
    """Which of them holds from now on."""

    @property
    def begins_anew(self) -> Bools:
        """Figures of a phase, where the row does not span them."""
        fresh: Bools = self.new_phase & ~self.of.spans_phases[self.rows]
        return fresh


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
