"""The recent past of one tag, from the journal, small enough to draw.

    samples   ▪▪▪▪▪▪▪▪▪▪▪▪  ×××  ▪▪▪▪▪▪▪▪▪            ▪▪▪▪▪▪       × not good
    spans     [   ][   ][   ]     [   ][   ]          [   ][   ]    at most MOST_POINTS of equal length
    points    low..high of the good samples of a span; None between what nothing good connects

Invariants: a line is never drawn over a slot that was lost, not good or not read at all, however many samples one span
holds; a spike of a single sample is the high or low of its span.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.store.reader import Reader
from config.tags import Kind
from drivers.base import Column, Quality

MOST_POINTS = 600
MOST_SECONDS = 4 * 3600
MISSED_SLOTS = 1.5
"""Two samples further apart than so many periods have something missing between them."""


@dataclass(frozen=True, slots=True)
class Trend:
    """What the page draws; times are milliseconds since 1970-01-01 UTC, as a browser has them."""

    unit: str
    tag: str
    role: str
    engineering_unit: str
    from_ms: float
    to_ms: float
    points: tuple[tuple[float, float, float] | None, ...]
    """Time of the span's first good sample, the lowest and the highest good value in it; None breaks the line."""
    not_good_ms: tuple[float, ...]
    """Spans that hold a sample without a good value, by the time of the first."""


class NoTrend(LookupError):
    """There is no such tag in the journal, or it is none that can be drawn; the text says which."""


def trend(reader: Reader, unit: str, tag: str, from_ns: int, to_ns: int) -> Trend:
    """The samples of `tag` with from ≤ slot < to. Raises NoTrend, StoreError."""
    past = reader.history(unit, tag, from_ns, to_ns)
    column = past.column or _column(reader, unit, tag)
    if column.kind is Kind.TEXT:
        raise NoTrend(f"{unit} {tag} is a text: there is nothing to draw")
    values = np.where(past.quality == Quality.GOOD, past.values, np.nan)
    period_ns = past.layout.period_ns if past.layout else 0
    points, not_good_ms = _spans(past.slot_ns, values, period_ns, from_ns, to_ns)
    return Trend(unit, tag, column.role, column.engineering_unit or "", from_ns / 1e6, to_ns / 1e6, points, not_good_ms)


def _column(reader: Reader, unit: str, tag: str) -> Column:
    for layout in reversed(reader.layouts()):
        if (at := layout.places.get((unit, tag))) is not None:
            return layout.columns[at]
    raise NoTrend(f"the journal knows no tag {tag} of unit {unit}")


_Points = tuple[tuple[float, float, float] | None, ...]


def _spans(
    slots: NDArray[np.int64], values: NDArray[np.float64], period_ns: int, from_ns: int, to_ns: int
) -> tuple[_Points, tuple[float, ...]]:
    """Points and marks of `slots [n]`, ascending, with `values [n]`, NaN where there is no good one."""
    values = np.where(np.isfinite(values), values, np.nan)
    span_of = (slots - from_ns) * MOST_POINTS // max(1, to_ns - from_ns) if len(slots) > MOST_POINTS else np.arange(len(slots))
    good = ~np.isnan(values)
    missing = np.diff(slots, prepend=slots[:1]) > MISSED_SLOTS * period_ns
    points: list[tuple[float, float, float] | None] = []
    not_good: list[float] = []
    bounds = np.flatnonzero(np.diff(span_of, prepend=-1, append=-1))
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        here = slice(first, last)
        broken = not good[here].all()
        if broken:
            not_good.append(float(slots[here][~good[here]][0]) / 1e6)
        if broken or missing[here].any():
            points.append(None)
        if good[here].any():
            kept = values[here][good[here]]
            points.append((float(slots[here][good[here]][0]) / 1e6, float(kept.min()), float(kept.max())))
        if broken or missing[first + 1 : last].any():
            points.append(None)
    return tuple(points), tuple(not_good)
