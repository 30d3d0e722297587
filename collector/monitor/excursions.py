"""Excursions: stretches of raw good samples outside PAR, independent of deadbands and delays.

    PAR high ─────────────╮▒▒▒▒▒▒╭─────────      first    first good sample outside
                     ╭────╯      ╰──╮            last     first good sample inside again
                          first  last            area     trapezoid of the distance beyond PAR, EU·s

Bad data neither opens nor closes one; time without good samples inside one counts as not evaluable, and coverage says how
many of its slots had one. Two that are not further apart than the merge gap, by default one period, are one, so a close is
told that long after the fact.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from collector.terms import Event, EventKind, Stamp

LARGEST = sys.float_info.max
"""JSON has no infinity: what is beyond is told as this."""
GAP_PERIODS = 3
"""Good samples further apart than this have a gap between them."""


@dataclass(frozen=True, slots=True)
class Excursion:
    """One stretch outside PAR; `ended` is empty while it is open."""

    unit: str
    role: str
    first_ns: int
    last_ns: int
    """First good sample inside again; while open the newest good sample outside."""
    peak: float
    """The value farthest outside."""
    low: float | None
    high: float | None
    """PAR when it opened."""
    area: float = 0.0
    """∫ distance beyond PAR dt, EU·s; not over gaps."""
    not_evaluable_s: float = 0.0
    coverage: float = 1.0
    """Good samples by slots, from the first sample on and before the last one; while open the last one too."""
    cpp: bool = False
    statistic: str = "value"
    """`deviation` where PAR is about the distance from a setpoint."""
    ended: Literal["", "inside", "limits changed", "stopped"] = ""

    @property
    def id(self) -> str:
        """Of what is open now, unique: a tag and its deviation may be outside at once."""
        return f"{self.unit}/{self.role}" if self.statistic == "value" else f"{self.unit}/{self.role}/{self.statistic}"

    @property
    def duration_s(self) -> float:
        """From the first sample outside to the first one inside."""
        return (self.last_ns - self.first_ns) / 1e9

    def event(self, stamp: Stamp, limits_hash: str) -> Event:
        """As the journal and the sinks have it; `limits_hash`: of the limit set that held."""
        body = {
            "role": self.role,
            "statistic": self.statistic,
            "state": "closed" if self.ended else "open",
            "ended": self.ended,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "duration_s": self.duration_s,
            "peak": self.peak,
            "area": self.area,
            "not_evaluable_s": self.not_evaluable_s,
            "coverage": self.coverage,
            "low": self.low,
            "high": self.high,
            "cpp": self.cpp,
            "limits_hash": limits_hash,
        }
        return Event(EventKind.EXCURSION, self.last_ns, self.unit, stamp, body)


class _Cover:
    """How many of the slots of an excursion had a good sample. Values between the slots count for nothing."""

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._first_ns = self._slot_ns = 0
        self._begins_in_slot = True
        self._good = self._good_since = 0
        """`_good_since`: since the return, which count only if it goes on."""

    def begin(self, slot_ns: int, between_ns: int | None) -> None:
        """With the first value outside."""
        self._first_ns, self._begins_in_slot = (slot_ns, True) if between_ns is None else (between_ns, False)
        self._slot_ns, self._good, self._good_since = slot_ns, int(between_ns is None), 0

    def back(self, slot_ns: int, between_ns: int | None) -> None:
        """Inside, when that is no news."""
        self._slot_ns = slot_ns
        self._good_since += between_ns is None

    def seen(self, slot_ns: int, between_ns: int | None, *, outside: bool) -> float:
        """It goes on, or has just come back inside: the coverage then."""
        self._slot_ns, is_slot = slot_ns, between_ns is None
        if not outside:
            self._good_since = int(is_slot)
            return self.until(slot_ns if between_ns is None else between_ns, in_slot=is_slot)
        self._good += self._good_since + is_slot
        self._good_since = 0
        return self.until(slot_ns if between_ns is None else between_ns, in_slot=is_slot, more=int(is_slot))

    def until(self, time_ns: int, *, in_slot: bool, more: int = 0, more_good: int = 0) -> float:
        """Of the slots before `time_ns`, and as many `more`; recorded times are slots, and not always a whole period apart."""
        slots = self._periods(time_ns, nearest=in_slot) - self._periods(self._first_ns, nearest=self._begins_in_slot) + more
        return min(1.0, (self._good + more_good) / slots) if slots > 0 else 1.0

    def _periods(self, time_ns: int, *, nearest: bool) -> int:
        """Since the newest slot, to the nearest or up."""
        apart_ns = time_ns - self._slot_ns
        return (2 * apart_ns + self._period_ns) // (2 * self._period_ns) if nearest else -(-apart_ns // self._period_ns)


class Tracker:
    """Follows one column against one PAR."""

    def __init__(
        self,
        unit: str,
        role: str,
        low: float | None,
        high: float | None,
        period_ns: int,
        statistic: str = "value",
        merge_ns: int | None = None,
        *,
        cpp: bool,
    ) -> None:
        """`merge_ns`: two not further apart are one; None: one period."""
        self._unit, self._role, self._low, self._high, self._cpp = unit, role, low, high, cpp
        self._statistic, self._merge_ns = statistic, period_ns if merge_ns is None else merge_ns
        self._dark_ns = 0
        """Of gaps since the return, which are inside only if it goes on."""
        self.low, self.high = (-np.inf if low is None else low), (np.inf if high is None else high)
        self._period_ns = period_ns
        self._last_good_ns = 0
        self._last_distance = 0.0
        self._returned_ns: int | None = None
        self._cover = _Cover(period_ns)
        self.open: Excursion | None = None

    def distance(self, value: float) -> float:
        """How far `value` lies outside, 0 inside; the bounds themselves are inside."""
        return min(max(self.low - value, value - self.high, 0.0), LARGEST)

    def sample(self, slot_ns: int, value: float, between_ns: int | None = None) -> list[Excursion]:
        """A good sample, or a good value at `between_ns` before its slot; the excursions that have just opened or are known to
        have ended."""
        time_ns, distance, told = slot_ns if between_ns is None else between_ns, self.distance(value), list[Excursion]()
        if self._returned_ns is not None and self._has_lasted(time_ns - self._returned_ns, inside=distance == 0.0):
            told += self.end(self._returned_ns, "inside")
        if self.open is not None:
            if distance > 0.0 or self._returned_ns is None:
                coverage = self._cover.seen(slot_ns, between_ns, outside=distance > 0.0)
                self.open = self._extended(self.open, time_ns, value, distance, coverage)
                self._returned_ns, self._dark_ns = (time_ns if distance == 0.0 else None), 0
            else:
                self._cover.back(slot_ns, between_ns)
                self._dark_ns += time_ns - self._last_good_ns if self._is_gap(time_ns) else 0
        elif distance > 0.0:
            self._cover.begin(slot_ns, between_ns)
            self.open = Excursion(
                self._unit, self._role, time_ns, time_ns, value, self._low, self._high, cpp=self._cpp, statistic=self._statistic
            )
            told.append(self.open)
        self._last_good_ns, self._last_distance = time_ns, distance
        return told

    def _has_lasted(self, since_ns: int, *, inside: bool) -> bool:
        """Whether the next value outside would be another excursion."""
        return since_ns > self._merge_ns or (inside and since_ns == self._merge_ns)

    def _is_gap(self, slot_ns: int) -> bool:
        return slot_ns - self._last_good_ns > GAP_PERIODS * self._period_ns

    def _extended(self, excursion: Excursion, time_ns: int, value: float, distance: float, coverage: float) -> Excursion:
        elapsed_ns = time_ns - self._last_good_ns
        in_gap = self._is_gap(time_ns)
        return replace(
            excursion,
            last_ns=time_ns,
            coverage=coverage,
            peak=value if distance > self.distance(excursion.peak) else excursion.peak,
            area=min(
                LARGEST, excursion.area + (0.0 if in_gap else (distance / 2 + self._last_distance / 2) * (elapsed_ns / 1e9))
            ),
            not_evaluable_s=excursion.not_evaluable_s + (self._dark_ns + (elapsed_ns if in_gap else 0)) / 1e9,
        )

    def end(self, last_ns: int, why: Literal["inside", "limits changed", "stopped"]) -> list[Excursion]:
        """End the open excursion at `last_ns`, if there is one."""
        if self.open is None:
            return []
        coverage = self.open.coverage
        if self._returned_ns is not None:
            last_ns, why = self._returned_ns, "inside"
        else:
            newest = int(last_ns == self._last_good_ns)  # the record ends with a sample: no slot before the end is its own
            coverage = self._cover.until(last_ns, in_slot=why == "limits changed", more_good=-newest)
        dark_ns = last_ns - self.open.last_ns
        dark_s = dark_ns / 1e9 if dark_ns > GAP_PERIODS * self._period_ns else 0.0
        not_evaluable_s = self.open.not_evaluable_s + dark_s
        closed = replace(self.open, last_ns=last_ns, ended=why, not_evaluable_s=not_evaluable_s, coverage=coverage)
        self.open, self._returned_ns, self._dark_ns = None, None, 0
        return [closed]
