"""What a judged record comes to: of each role of each batch, how much was judged, and what was found.

coverage           good samples of those there should have been, from the first scan to the last
not evaluable      the time of those that were missing or not good: it is never "inside"
samples outside    raw good samples outside PAR; excursions are stretches of them
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collector.monitor.limits import Rule, limits_for, rules_of
from collector.report.violations import Key, RawRules, Violations
from collector.terms import Event, EventKind, Stamp
from config.limits import DEVIATION, Limit
from drivers.base import Layout, Scan


@dataclass(slots=True)
class Verdict:
    """Of one role of one batch of a unit, over the time in which it had limits."""

    unit: str
    batch: str
    role: str
    period_ns: int
    first_ns: int = 0
    last_ns: int = 0
    scans: int = 0
    good: int = 0
    outside: int = 0
    """Good samples outside PAR."""
    low: float | None = None
    high: float | None = None
    """The least and greatest good sample."""
    excursions: int = 0
    duration_s: float = 0.0
    """Of the excursions, together; so are area and time that was not evaluable inside them."""
    area: float = 0.0
    peak: float | None = None
    """The one farthest outside."""
    left: Counter[str] = field(default_factory=Counter)
    """How often each rule was left, by its name; of a rolling statistic with that before it."""
    beyond: float = 0.0
    """How far the peak lies outside."""

    @property
    def expected(self) -> int:
        """Samples that there should have been."""
        return max(self.scans, round((self.last_ns - self.first_ns) / self.period_ns) + 1) if self.scans else 0

    @property
    def coverage(self) -> float:
        """0 to 1."""
        return self.good / self.expected if self.expected else 0.0

    @property
    def not_evaluable_s(self) -> float:
        """Time without a good sample."""
        return (self.expected - self.good) * self.period_ns / 1e9

    @property
    def fine(self) -> bool:
        """Nothing was ever outside anything."""
        return not self.excursions and not self.left

    def hear(self, event: Event) -> None:
        """An event of this role."""
        body = event.body
        if event.kind is EventKind.TRANSITION and body["to"] == "outside":
            statistic = "" if body["statistic"] == "value" else f"{body['statistic']} "
            self.left[f"{statistic}{body['rule']}"] += 1
        elif event.kind is EventKind.EXCURSION and body["state"] == "closed":
            self.excursions += 1
            self.duration_s += float(str(body["duration_s"]))
            self.area += float(str(body["area"]))
            self._farthest(float(str(body["peak"])), body["low"], body["high"])

    def _farthest(self, peak: float, low: object, high: object) -> None:
        beyond = max(low - peak if isinstance(low, (int, float)) else 0.0, peak - high if isinstance(high, (int, float)) else 0.0)
        if self.peak is None or beyond > self.beyond:
            self.peak, self.beyond = peak, beyond


class Tally:
    """Verdicts of one scan group."""

    def __init__(
        self,
        layout: Layout,
        limits: Sequence[Limit],
        verdicts: dict[tuple[str, str, str], Verdict],
        held: set[Limit],
        violations: Violations,
        *,
        derived: bool = False,
    ) -> None:
        """`verdicts`: by (unit, batch, role); those of several groups stand together, as do the limits that `held` anywhere, and
        the `violations`. `derived`: the columns are relations, and limits on relations alone are theirs."""
        self._layout, self._verdicts, self._held = layout, verdicts, held
        self._violations, self._raw = violations, RawRules()
        self._limits = [limit for limit in limits if limit.is_derived is derived]
        self._stamps: tuple[Stamp, ...] | None = None
        self._counted = _Counted(np.zeros(0, np.intp), np.zeros(0), np.zeros(0))
        self._of: list[Verdict] = []

    def scan(self, scan: Scan, stamps: tuple[Stamp, ...]) -> None:
        """One that was judged."""
        if stamps != self._stamps:
            held = limits_for(self._limits, self._layout, stamps)
            columns = self._layout.columns
            self._enter(scan.slot_ns, stamps, [rule for at, limit in held for rule in rules_of(at, limit, columns[at])])
        good = scan.good
        self._counted.add(scan.slot_ns, scan.values, good)
        self._raw.add(np.array([scan.slot_ns]), np.where(good, scan.values, np.nan)[None])

    def block(self, slots_ns: NDArray[np.int64], values: NDArray[np.float64], stamp: Stamp, rules: Sequence[Rule]) -> None:
        """Scans of one context of a unit, `[n, k]`, and the rules that hold; NaN is a bad sample."""
        if self._stamps != (stamp,):
            self._enter(int(slots_ns[0]), (stamp,), [rule for rule in rules if not rule.limit.is_derived])
        self._counted.add_all(slots_ns, values)
        self._raw.add(slots_ns, values)

    def hear(self, events: Iterable[Event]) -> None:
        """What the judge tells."""
        for event in events:
            if event.kind in (EventKind.TRANSITION, EventKind.EXCURSION):
                role, statistic = str(event.body["role"]), str(event.body["statistic"])
                self._verdict(event.unit, event.stamp.batch, _shown(role, statistic)).hear(event)
                self._violations.hear(event)

    def close(self, slot_ns: int) -> None:
        """Put what was counted into the verdicts; the record ends at `slot_ns`."""
        self._counted.into(self._of)
        self._raw.close(slot_ns)

    def _enter(self, slot_ns: int, stamps: tuple[Stamp, ...], rules: Sequence[Rule]) -> None:
        self._counted.into(self._of)
        self._stamps = stamps
        batch = {unit: stamp.batch for unit, stamp in zip(self._layout.units, stamps, strict=True)}
        bounds: dict[int, tuple[float, float]] = {}
        roles: dict[int, str] = {}
        raw: list[tuple[Key, Rule]] = []
        limit: Limit | None = None
        for rule in rules:
            column = self._layout.columns[rule.column]
            key = (column.unit, batch[column.unit], column.role, rule.limit.measure, rule.limit.window_s, rule.name, rule.level)
            self._violations.of(*key)
            roles[rule.column] = _shown(column.role, rule.limit.measure)
            low, high = bounds.setdefault(rule.column, (-np.inf, np.inf))
            if rule.limit.statistic == "value":
                raw.append((key, rule))
                if rule.name == "PAR low":
                    low = rule.level
                elif rule.name == "PAR high":
                    high = rule.level
            bounds[rule.column] = low, high
            if rule.limit is not limit:
                limit = rule.limit
                self._held.add(limit)
        self._raw.enter(slot_ns, raw, self._violations)
        units = [self._layout.columns[index].unit for index in bounds]
        self._of = [self._verdict(unit, batch[unit], roles[index]) for unit, index in zip(units, bounds, strict=True)]
        lows, highs = (np.array([pair[side] for pair in bounds.values()]) for side in (0, 1))
        self._counted = _Counted(np.array(list(bounds), np.intp), lows, highs)

    def _verdict(self, unit: str, batch: str, role: str) -> Verdict:
        key = unit, batch, role
        if key not in self._verdicts:
            self._verdicts[key] = Verdict(unit, batch, role, self._layout.period_ns)
        return self._verdicts[key]


def _shown(role: str, measure: str) -> str:
    """A deviation has a verdict beside that of its role."""
    return f"{role} {DEVIATION}" if measure.endswith(DEVIATION) else role


class _Counted:
    """Samples of some columns in one context."""

    def __init__(self, columns: NDArray[np.intp], low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        self._columns, self._low, self._high = columns, low, high
        self._scans, self._first_ns, self._last_ns = 0, 0, 0
        self._good, self._outside = (np.zeros(len(columns), np.int64) for _ in range(2))
        self._least, self._most = np.full(len(columns), np.inf), np.full(len(columns), -np.inf)

    def add(self, slot_ns: int, values: NDArray[np.float64], good: NDArray[np.bool_]) -> None:
        """A scan, `[k]`."""
        if not len(self._columns):
            return
        value = np.where(good[self._columns], values[self._columns], np.nan)
        self._see(slot_ns, slot_ns, 1)
        self._good += good[self._columns]
        self._outside += (value < self._low) | (value > self._high)
        np.fmin(self._least, value, self._least)
        np.fmax(self._most, value, self._most)

    def add_all(self, slots_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Scans, `[n, k]`; NaN is a bad sample."""
        if not len(self._columns):
            return
        value = values[:, self._columns]
        self._see(int(slots_ns[0]), int(slots_ns[-1]), len(slots_ns))
        self._good += len(value) - np.isnan(value).sum(axis=0)
        self._outside += ((value < self._low) | (value > self._high)).sum(axis=0)
        np.fmin(self._least, np.fmin.reduce(value, axis=0), self._least)
        np.fmax(self._most, np.fmax.reduce(value, axis=0), self._most)

    def _see(self, first_ns: int, last_ns: int, scans: int) -> None:
        self._first_ns = first_ns if not self._scans else self._first_ns
        self._last_ns = last_ns
        self._scans += scans

    def into(self, verdicts: Sequence[Verdict]) -> None:
        """Add it, and begin anew."""
        if not self._scans:
            return
        for at, verdict in enumerate(verdicts):
            verdict.first_ns = min(verdict.first_ns, self._first_ns) if verdict.scans else self._first_ns
            verdict.last_ns = max(verdict.last_ns, self._last_ns) if verdict.scans else self._last_ns
            verdict.scans += self._scans
            verdict.good += int(self._good[at])
            verdict.outside += int(self._outside[at])
            if self._good[at]:
                verdict.low = float(np.fmin(self._least[at], np.inf if verdict.low is None else verdict.low))
                verdict.high = float(np.fmax(self._most[at], -np.inf if verdict.high is None else verdict.high))
        self._scans = 0
        self._good[:], self._outside[:], self._least[:], self._most[:] = 0, 0, np.inf, -np.inf
