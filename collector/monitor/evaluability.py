"""Whether limits can be judged, told once per unit of a scan group: a device that goes away is one event, not one per limit.

    limit rows whose state changed ──> by unit and why ──> one event, which names the roles, or says "all but these"

Who knows the limit set knows each row's state from the events alone. An event speaks of rows that changed, and of those that
still can't be judged; never of rows that stayed judged, but for a lost scan, where there are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.catalogue import NOBODY, Catalogue
from collector.terms import Event, EventKind, Json, Stamp
from config.limits import Limit
from drivers.base import Layout, Scan

Places = NDArray[np.intp]


FEW: Final = 3
"""So many are named."""


class Why(IntEnum):
    """Of a row; those that can be judged again come first."""

    AGAIN = 0
    LOST = 1
    SAMPLE = 2
    OPERAND = 3
    WINDOW = 4
    SETTLING = 5
    SEEN = 6


CAUSES: Final[Mapping[Why, str]] = {
    Why.AGAIN: "",
    Why.LOST: "the scan was lost",
    Why.SAMPLE: "the sample is not good",
    Why.OPERAND: "an operand is missing or too old, or the result is no number",
    Why.WINDOW: "the window holds too few good samples, or begins before the phase",
    Why.SETTLING: "it settles after a change",
    Why.SEEN: "too little was seen since it began, or it was not seen to begin",
}


def statistic_of(limit: Limit) -> str:
    """`value`, `mean 60 s`, `deviation`: of one role each is limited once."""
    return limit.measure if limit.window_s is None else f"{limit.measure} {limit.window_s:g} s"


class Evaluability:
    """Of the limits of a scan group, at the places of a catalogue."""

    def __init__(self, layout: Layout, catalogue: Catalogue, *, derived: bool) -> None:
        """`derived`: the columns are relations."""
        self._layout, self._derived, self._catalogue = layout, derived, catalogue
        self._statistics = [statistic_of(limit) for limit in catalogue.statistics]
        self._windowed = np.array([limit.window_s is not None for limit in catalogue.statistics], np.bool_)[catalogue.key]
        self._counts = np.array([limit.statistic == "time_outside" for limit in catalogue.statistics], np.bool_)[catalogue.key]
        self._unit, self._statistic = catalogue.unit, catalogue.key
        code = self._unit * len(self._statistics) + self._statistic
        order = np.argsort(code, kind="stable")
        codes, firsts = np.unique(code[order], return_index=True)
        self._alike = dict(zip(codes.tolist(), np.split(order, firsts[1:]), strict=True))
        """Places by unit and statistic."""

    def told(
        self,
        scan: Scan,
        changed: Places,
        holding: Places,
        evaluable: NDArray[np.bool_],
        since_ns: Mapping[str, int],
        stamp_of: Mapping[str, Stamp],
    ) -> list[Event]:
        """Of the places that `changed` with `scan`; of every place, `holding`: the row that holds there, `evaluable`: whether it
        can be judged; `since_ns`: of each unit's context."""
        why = self._why(scan, changed, self._catalogue.rows.settle_ns[holding[changed]], evaluable, since_ns)
        code = self._unit[changed] * len(Why) + why
        events = []
        for each in np.unique(code).tolist():
            unit = self._layout.units[each // len(Why)]
            body = self._body(scan, changed[code == each], holding != NOBODY, evaluable, Why(each % len(Why)))
            events.append(Event(EventKind.EVALUABILITY, scan.slot_ns, unit, stamp_of[unit], body))
        return events

    def _why(
        self, scan: Scan, changed: Places, settle_ns: NDArray[np.int64], evaluable: NDArray[np.bool_], since_ns: Mapping[str, int]
    ) -> NDArray[np.intp]:
        raw = Why.OPERAND if self._derived else Why.LOST if scan.lost else Why.SAMPLE
        why = np.where(self._counts[changed], Why.SEEN, np.where(self._windowed[changed], Why.WINDOW, raw))
        if settle_ns.any():
            since = np.array([since_ns[unit] for unit in self._layout.units], np.int64)[self._unit[changed]]
            why[(scan.slot_ns < since + settle_ns) & (why != Why.LOST)] = Why.SETTLING
        why[evaluable[changed]] = Why.AGAIN
        return why

    def _body(self, scan: Scan, rows: Places, held: NDArray[np.bool_], evaluable: NDArray[np.bool_], why: Why) -> dict[str, Json]:
        only: dict[str, Json] = {}
        all_but: dict[str, Json] = {}
        for at in np.unique(self._statistic[rows]).tolist():
            of = rows[self._statistic[rows] == at]
            alike = self._alike[int(self._unit[of[0]]) * len(self._statistics) + at]
            alike = alike[held[alike]]
            if why is Why.LOST and not evaluable[alike].any():
                all_but[self._statistics[at]] = []
            elif why is Why.AGAIN and FEW < len(of) > len(rest := alike[~evaluable[alike]]):
                all_but[self._statistics[at]] = self._named(rest)
            else:
                only[self._statistics[at]] = self._named(of)
        layout = self._layout
        return {
            "endpoint": layout.endpoint,
            "device": layout.device,
            "group": layout.group,
            "evaluable": why is Why.AGAIN,
            "limits": len(rows),
            "cause": CAUSES[why],
            "status": self._status(scan, rows) if why in (Why.LOST, Why.SAMPLE) else None,
            "only": only,
            "all_but": all_but,
        }

    def _named(self, rows: Places) -> list[Json]:
        return [self._layout.columns[column].role for column in self._catalogue.column[rows].tolist()]

    def _status(self, scan: Scan, rows: Places) -> int:
        """The most frequent one."""
        codes, counts = np.unique(scan.status[self._catalogue.column[rows]], return_counts=True)
        return int(codes[counts.argmax()])
