"""Scan groups, scans and limits made by hand, and what a reader makes of the events of a judge."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from collector.monitor.judge import Judge
from collector.terms import Event, EventKind, Json, Stamp
from config.limits import Limit
from config.tags import Kind
from drivers.base import Changes, Column, Layout, Quality, Scan

SECOND_NS = 1_000_000_000
START_NS = 1_732_270_020 * SECOND_NS
"""A whole minute."""

Sample = float | tuple[float, Quality] | None
"""A good value; a value and its quality; None is bad, with a value that would be taken for a good one."""
BAD_VALUE = 1e12


def column(role: str = "t", unit: str = "R-201", low: float | None = None, high: float | None = None) -> Column:
    return Column(f"{unit}.{role}", role, unit, Kind.REAL, low=low, high=high)


def layout(*columns: Column, period_ns: int = SECOND_NS) -> Layout:
    return Layout("plc", "plc", "main", period_ns, columns or (column(),))


def limit(role: str = "t", /, **fields: object) -> Limit:
    return Limit.model_validate({"role": role, **fields})


def scan(of: Layout, slot_ns: int, samples: Sequence[Sample]) -> Scan:
    pairs = [sample if isinstance(sample, tuple) else _pair(sample) for sample in samples]
    quality = np.array([quality for _, quality in pairs], np.uint8)
    status = np.where(quality == Quality.GOOD, 0, 0x8000_0000).astype(np.uint32)
    values = np.array([value for value, _ in pairs], np.float64)
    return Scan(of, slot_ns, slot_ns + 1_000_000, values, status, quality)


Change = tuple[int, int, Sample]
"""(column, nanoseconds since the slot before, value)."""


def with_changes(of: Scan, found: Sequence[Change]) -> Scan:
    """Told between the slots, in this order. Quality of a change follows from its status: there is no stale one."""
    if not found:
        return of
    pairs = [sample if isinstance(sample, tuple) else _pair(sample) for _, _, sample in found]
    before_ns = of.slot_ns - of.layout.period_ns
    status = {Quality.GOOD: 0, Quality.UNCERTAIN: 0x4000_0000, Quality.BAD: 0x8000_0000, Quality.STALE: 0x8000_0000}
    between = Changes(
        np.array([column for column, _, _ in found], np.int32),
        np.array([before_ns + since_ns for _, since_ns, _ in found], np.int64),
        np.array([value for value, _ in pairs], np.float64),
        np.array([status[quality] for _, quality in pairs], np.uint32),
    )
    return replace(of, changes=between)


def _pair(sample: float | None) -> tuple[float, Quality]:
    return (BAD_VALUE, Quality.BAD) if sample is None else (float(sample), Quality.GOOD)


def good(sample: Sample) -> float | None:
    """The value that may be judged; no other sample is ever inside or outside."""
    value, quality = _pair(sample) if not isinstance(sample, tuple) else sample
    return value if quality is Quality.GOOD and math.isfinite(value) else None


DOSE = Stamp(batch="B-1", phase="Dose")
HOLD = Stamp(batch="B-1", phase="Hold")
Step = tuple[int, Sequence[Sample], tuple[Stamp, ...]]
"""(periods since the start, a sample per column, a stamp per unit)."""


def run(judge: Judge, of: Layout, steps: Iterable[Step]) -> list[Event]:
    """All that `judge` tells of `steps`."""
    return [
        event for at, samples, stamps in steps for event in judge.judge(scan(of, START_NS + at * of.period_ns, samples), stamps)
    ]


def of_kind(events: Iterable[Event], kind: EventKind) -> list[Event]:
    return [event for event in events if event.kind is kind]


def number(event: Event, key: str) -> float:
    value = event.body[key]
    assert isinstance(value, (int, float)) and not isinstance(value, bool), (key, value)
    return value


def whole(event: Event, key: str) -> int:
    value = event.body[key]
    assert isinstance(value, int) and not isinstance(value, bool), (key, value)
    return value


def text(event: Event, key: str) -> str:
    value = event.body[key]
    assert isinstance(value, str), (key, value)
    return value


def changes(events: Iterable[Event]) -> list[tuple[int, str, str]]:
    """(periods of 1 s since the start, rule, to) of every transition of a level."""
    return [
        ((event.slot_ns - START_NS) // SECOND_NS, text(event, "rule"), text(event, "to"))
        for event in of_kind(events, EventKind.TRANSITION)
    ]


def evaluability(events: Iterable[Event], unit: str = "R-201") -> list[tuple[int, str, str]]:
    """(periods of 1 s since the start, from, to) of every change of a row's evaluability."""
    return [
        ((event.slot_ns - START_NS) // SECOND_NS, *(("no", "yes") if event.body["evaluable"] else ("yes", "no")))
        for event in of_kind(events, EventKind.EVALUABILITY)
        if event.unit == unit
    ]


RuleName = tuple[str, Json, Json, Json, Json, Json]


@dataclass(slots=True)
class Told:
    """What a reader of the event stream believes, who has nothing but the events."""

    outside: dict[RuleName, tuple[int, Json]] = field(default_factory=dict)
    """Rule -> since, value."""
    excursions: dict[tuple[str, str], int] = field(default_factory=dict)
    """(unit, role) -> first sample."""

    def hear(self, event: Event) -> None:
        if event.kind is EventKind.EXCURSION:
            self._hear_excursion(event)
        elif event.kind is EventKind.TRANSITION:
            self._hear_rule(event)

    def _hear_rule(self, event: Event) -> None:
        body = event.body
        rule = (event.unit, body["role"], body["statistic"], body.get("window_s"), body["rule"], body["level"])
        assert (body["from"] == "outside") == (rule in self.outside), f"{body}: {rule} was {self.outside.get(rule)}"
        if body["to"] == "outside":
            self.outside[rule] = (event.slot_ns, body["value"])
        else:
            del self.outside[rule]

    def _hear_excursion(self, event: Event) -> None:
        key = (event.unit, text(event, "role"))
        if event.body["state"] == "open":
            assert key not in self.excursions, f"{key} opened twice"
            self.excursions[key] = whole(event, "first_ns")
        else:
            assert self.excursions.pop(key) == event.body["first_ns"], f"{key}: another one was open"


def agrees(told: Told, judge: Judge) -> None:
    """The views of `judge` say what its events said."""
    assert told.excursions == {key: excursion.first_ns for key, excursion in judge.open.items()}
    believed = {(unit, role, name, level, *since) for (unit, role, _, _, name, level), since in told.outside.items()}
    shown = {(rule.unit, rule.role, rule.rule, rule.level, rule.since_ns, rule.value) for rule in judge.active.values()}
    assert believed == shown
    assert len(told.outside) == len(judge.active), "two rules that the events can't tell apart"


def plain(value: object) -> None:
    """JSON of Python's own types, every number finite."""
    if isinstance(value, Mapping):
        assert all(type(key) is str for key in value)
        for item in cast("Mapping[str, object]", value).values():
            plain(item)
    elif type(value) is list:
        for item in value:
            plain(item)
    else:
        assert value is None or type(value) in (bool, int, float, str), f"{value!r} is a {type(value).__name__}"
        assert type(value) is not float or math.isfinite(value), f"{value} is no JSON"
