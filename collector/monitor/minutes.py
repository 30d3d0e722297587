"""Once a minute: rolling statistics of limited roles are told, over that minute, one event for each unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.tail import Tail
from collector.terms import Event, EventKind, Json, Stamp
from drivers.base import Layout

STATISTICS_WINDOW_NS = 60_000_000_000
"""What is told seldom is told once per this span, statistics over it."""
_NAMES: Final = ("mean", "min", "max", "std", "slope")
_KEYS: Final = (*_NAMES, "coverage")


class Minute:
    """Of some columns of a scan group."""

    def __init__(self, layout: Layout, columns: NDArray[np.intp]) -> None:
        self._layout, self._columns = layout, columns
        self._tail = Tail(len(columns), STATISTICS_WINDOW_NS, layout.period_ns)
        self._slot = 0

    @property
    def refused(self) -> int:
        """Scans whose slot was not after the last."""
        return self._tail.refused

    def push(self, slot_ns: int, values: NDArray[np.float64], good: NDArray[np.bool_]) -> bool:
        """A scan of the columns; False when its slot is not after the newest."""
        return self._tail.push(slot_ns, values, good)

    def told(self, slot_ns: int, stamp_of: Mapping[str, Stamp]) -> list[Event]:
        """At the first slot of each span but the very first."""
        slot, before = slot_ns // STATISTICS_WINDOW_NS, self._slot
        self._slot = slot
        return [] if before in (0, slot) else self._events(slot_ns, stamp_of)

    def _events(self, slot_ns: int, stamp_of: Mapping[str, Stamp]) -> list[Event]:
        statistics = self._tail.statistics()
        slots = -(-STATISTICS_WINDOW_NS // self._layout.period_ns)
        figures = [_numbers(statistics.named(name)) for name in _NAMES] + [(statistics.count / slots).tolist()]
        by_unit: dict[str, dict[str, Json]] = {}
        for index, count, *told in zip(self._columns.tolist(), statistics.count.tolist(), *figures, strict=True):
            if count:
                column = self._layout.columns[index]
                by_unit.setdefault(column.unit, {})[column.role] = dict(zip(_KEYS, told, strict=True))
        return [
            Event(EventKind.STATISTICS, slot_ns, unit, stamp_of[unit], {"window_s": STATISTICS_WINDOW_NS / 1e9, "roles": roles})
            for unit, roles in by_unit.items()
        ]


def _numbers(figures: NDArray[np.float64]) -> list[float | None]:
    """Of all columns at once: ten thousand of them are told within a scan."""
    finite: list[bool] = np.isfinite(figures).tolist()
    return [figure if known else None for figure, known in zip(figures.tolist(), finite, strict=True)]
