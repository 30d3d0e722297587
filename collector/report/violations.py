"""How often and how long each limit was violated: counted on the samples, by anybody's rule.

    level ──────────╮  x  x ╭──────╮  x ╭────      2 runs, 3 samples; time: from the first sample beyond the level to the next
                 x  │       │ x    │    │ x        good one that is not; bad samples neither begin nor end a run

No deadband, no delay, no merging: that is what excursions and transitions have. Of limits that are not about raw samples the
transitions are all there is: how often they were left, and how long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collector.monitor.limits import Rule
from collector.terms import Event, EventKind
from config.limits import DEVIATION

Key = tuple[str, str, str, str, float | None, str, float | None]
"""(unit, batch, role, statistic, window_s, rule, level)"""


@dataclass(slots=True)
class Violation:
    """Of one level of one role of one batch."""

    unit: str
    batch: str
    role: str
    statistic: str
    window_s: float | None
    rule: str
    level: float | None
    phases: dict[str, None] = field(default_factory=dict)
    """Of the limits that say so."""
    runs: int = 0
    samples: int = 0
    ns: int = 0
    """How long, together; whole, so that a sum does not depend on how many parts it is made of."""
    worst: float | None = None
    worst_ns: int = 0
    left: int = 0
    """How often the rule was left, deadband and delays heeded."""
    outside_since_ns: int | None = None
    """Of one that is not about raw samples."""

    @property
    def is_counted(self) -> bool:
        """Whether it is about samples, whose runs can be counted."""
        return self.statistic in ("value", DEVIATION)

    @property
    def seconds(self) -> float:
        """How long, together."""
        return self.ns / 1e9

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.runs or self.left)

    @property
    def shown(self) -> str:
        """`PAR high 70`, `mean 60 s NOR low 61`"""
        window = "" if self.window_s is None else f" {self.window_s:g} s"
        statistic = "" if self.statistic == "value" else f"{self.statistic}{window} "
        return f"{statistic}{self.rule}" + ("" if self.level is None else f" {self.level:g}")


class Violations:
    """Of a whole record."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Violation] = {}

    @property
    def found(self) -> list[Violation]:
        """Of every level that held, in the order in which they were met."""
        return list(self._by_key.values())

    def of(self, *key: *Key) -> Violation:
        """The one of that name."""
        if key not in self._by_key:
            self._by_key[key] = Violation(*key)
        return self._by_key[key]

    def hear(self, event: Event) -> None:
        """What the judge tells."""
        body = event.body
        if event.kind is not EventKind.TRANSITION:
            return
        window_s, level = body["window_s"], body["level"]
        of = self.of(
            event.unit,
            event.stamp.batch,
            str(body["role"]),
            str(body["statistic"]),
            window_s if isinstance(window_s, float) else None,
            str(body["rule"]),
            float(str(level)) if level is not None else None,
        )
        outside = body["to"] == "outside"
        of.left += outside
        if of.is_counted:
            return
        if outside:
            of.outside_since_ns = event.slot_ns
        elif of.outside_since_ns is not None:
            of.ns += event.slot_ns - of.outside_since_ns
            of.outside_since_ns = None


@dataclass(slots=True)
class _Course:
    """A rule on raw samples that holds now."""

    rule: Rule
    of: Violation
    last_ns: int = 0
    outside: bool = False
    """At `last_ns`, its last good sample."""


class RawRules:
    """The rules on raw samples of one scan group, which hold in a context."""

    def __init__(self) -> None:
        self._courses: dict[Key, _Course] = {}
        self._of_column: list[tuple[int, _Course]] = []
        self._columns = np.zeros(0, np.intp)
        self._low, self._high = np.zeros(0), np.zeros(0)
        self._outside: set[Key] = set()

    def enter(self, slot_ns: int, rules: Iterable[tuple[Key, Rule]], violations: Violations) -> None:
        """Another context holds from `slot_ns` on. Rules that go on keep their state."""
        now = {}
        for key, rule in rules:
            course = self._courses.get(key) or _Course(rule, violations.of(*key))
            now[key] = course
            if rule.limit.phase is not None:
                course.of.phases[rule.limit.phase] = None
        for key in self._outside - set(now):
            self._end(self._courses[key], slot_ns)
        self._outside &= set(now)
        self._courses = now
        self._innermost()

    def _innermost(self) -> None:
        """The levels that are left first, of each column."""
        bounds: dict[int, list[float]] = {}
        for course in self._courses.values():
            low_high = bounds.setdefault(course.rule.column, [-np.inf, np.inf])
            if course.rule.side == "low":
                low_high[0] = max(low_high[0], course.rule.level)
            else:
                low_high[1] = min(low_high[1], course.rule.level)
        self._columns = np.array(list(bounds), np.intp)
        self._low, self._high = (np.array([pair[side] for pair in bounds.values()]) for side in (0, 1))

    def add(self, slots_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Scans of this context, `[n, k]`; NaN is a bad sample."""
        if not len(self._columns):
            return
        value = values[:, self._columns]
        beyond = (np.fmin.reduce(value, axis=0) < self._low) | (np.fmax.reduce(value, axis=0) > self._high)
        if not beyond.any() and not self._outside:
            return
        loud = set(self._columns[beyond].tolist())
        for key, course in self._courses.items():
            if course.rule.column in loud or course.outside:
                self._count(course, slots_ns, values[:, course.rule.column])
                (self._outside.add if course.outside else self._outside.discard)(key)

    def _count(self, course: _Course, slots_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        good = ~np.isnan(values)
        times, value = slots_ns[good], values[good]
        if not len(times):
            return
        of, rule = course.of, course.rule
        outside = value > rule.level if rule.side == "high" else value < rule.level
        before = np.r_[course.outside, outside[:-1]]
        times_before = np.r_[course.last_ns, times[:-1]]
        of.runs += int(np.count_nonzero(outside & ~before))
        of.samples += int(np.count_nonzero(outside))
        of.ns += int((times - times_before)[before].sum())
        course.last_ns, course.outside = int(times[-1]), bool(outside[-1])
        if outside.any():
            at = int(np.argmax(value) if rule.side == "high" else np.argmin(value))
            if of.worst is None or (value[at] > of.worst if rule.side == "high" else value[at] < of.worst):
                of.worst, of.worst_ns = float(value[at]), int(times[at])

    def close(self, slot_ns: int) -> None:
        """The record ends at `slot_ns`."""
        for key in self._outside:
            self._end(self._courses[key], slot_ns)
        self._outside.clear()
        self._courses = {}
        self._innermost()

    def _end(self, course: _Course, slot_ns: int) -> None:
        course.of.ns += max(0, slot_ns - course.last_ns)
        course.outside = False


@dataclass(frozen=True, slots=True)
class Total:
    """Of one level of one role of all units and batches."""

    role: str
    shown: str
    phases: str
    runs: int | None
    """None, as the samples: of what is not about samples."""
    samples: int | None
    seconds: float
    worst: float | None
    left: int | None
    """None: of excursions."""
    batches: int
    """In how many it was violated."""


def totals(violations: Sequence[Violation]) -> list[Total]:
    """Over all batches, level by level."""
    groups: dict[tuple[str, str], list[Violation]] = {}
    for each in violations:
        groups.setdefault((each.role, each.shown), []).append(each)
    found = []
    for (role, shown), members in groups.items():
        worst = [each.worst for each in members if each.worst is not None]
        extreme = (
            None if not worst else min(worst) if members[0].rule in ("L", "LL") or members[0].rule.endswith("low") else max(worst)
        )
        phases = ", ".join(dict.fromkeys(phase for each in members for phase in each.phases))
        found.append(
            Total(
                role,
                shown,
                phases,
                sum(each.runs for each in members) if members[0].is_counted else None,
                sum(each.samples for each in members) if members[0].is_counted else None,
                sum(each.seconds for each in members),
                extreme,
                sum(each.left for each in members),
                len({(each.unit, each.batch) for each in members if each.any}),
            )
        )
    return found
