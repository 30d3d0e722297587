"""A tag as it is shown: its value, how far it can be trusted, and where it stands against its limits. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collector.monitor.judge import ActiveRule
from collector.monitor.limits import RuleKey
from collector.show.picture import BreachPicture, LimitPicture, Span, State, TagPicture
from collector.show.words import (
    beyond_in_words,
    digits,
    iso_time,
    severity_of,
    side_of,
    statistic_in_words,
    status_in_words,
    visible,
)
from config.common import Bounds
from config.limits import DEVIATION, Limit
from config.tags import Kind
from drivers.base import GOOD, Column, Layout, Quality, Scan

INSTANT = ("value", DEVIATION)
"""Statistics of the newest sample alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tag's value is found in the scans."""

    layout: Layout
    index: int
    column: Column
    exact: int
    """Position in the scan's integers or texts, −1 for the other kinds."""
    tells_context: bool


class Memory:
    """What the newest scan of a group does not tell any more: the last one that was answered, and the last good slots."""

    def __init__(self, columns: int) -> None:
        self.answered: Scan | None = None
        self._all_good_ns = 0
        self._good_ns = np.zeros(columns, np.int64)

    @property
    def good_ns(self) -> NDArray[np.int64]:
        """Slot of the last good sample of each column, 0 where there was none, `[k]`."""
        return np.maximum(self._good_ns, self._all_good_ns)

    def observe(self, scan: Scan) -> None:
        """The next scan."""
        if scan.lost:
            return
        self.answered = scan
        if np.count_nonzero(scan.quality):
            self._good_ns[scan.quality == GOOD] = scan.slot_ns
        else:
            self._all_good_ns = scan.slot_ns


@dataclass(frozen=True, slots=True)
class GroupNow:
    """A scan group as it stands, in lists: faster to pick from than arrays."""

    scan: Scan | None
    values: list[float]
    quality: list[int]
    status: list[int]
    good_ns: list[int]
    stale: bool
    limits: Mapping[int, list[Limit]]
    evaluable: Mapping[tuple[int, Limit], bool]
    active: Mapping[int, list[tuple[RuleKey, ActiveRule]]]


def tag_picture(place: Place, group: GroupNow, now_ns: int) -> TagPicture:
    """The tag at `place` at plant time `now_ns`."""
    index, column = place.index, place.column
    value = _value(place, group)
    quality, status = _quality(group, index, value)
    good = quality is Quality.GOOD
    breaches = _breaches(group.active.get(index, ()), column, value if good else None)
    limits = tuple(
        _limit(limit, breaches, evaluable=_evaluable(limit, group, index, good=good)) for limit in group.limits.get(index, ())
    )
    good_ns = group.good_ns[index]
    return TagPicture(
        name=column.name,
        role=column.role,
        engineering_unit=column.engineering_unit or "",
        value=value,
        shown=_shown(value, column, _levels(limits), group, index),
        quality=_SEEN[quality],
        status=status,
        age_s=max(0.0, (now_ns - good_ns) / 1e9) if good_ns else None,
        range=None if column.low is None and column.high is None else Span(column.low, column.high),
        limits=limits,
        breaches=breaches,
        state=_tag_state(limits),
    )


def _quality(group: GroupNow, index: int, value: float | int | str | bool | None) -> tuple[Quality, str]:
    """How far the value can be trusted, and why it can't be; a good quality needs a value to be the quality of."""
    if not group.quality:
        return Quality.STALE, "no value yet"
    status = group.status[index]
    if group.stale:
        return Quality.STALE, status_in_words(status) if status else "no scan comes"
    quality = Quality(group.quality[index])
    if quality is Quality.GOOD:
        return (Quality.GOOD, "") if value is not None else (Quality.BAD, "no finite number")
    return quality, status_in_words(status)


_SEEN: dict[Quality, Literal["good", "uncertain", "bad", "stale"]] = {
    Quality.GOOD: "good",
    Quality.UNCERTAIN: "uncertain",
    Quality.BAD: "bad",
    Quality.STALE: "stale",
}


def _value(place: Place, group: GroupNow) -> float | int | str | bool | None:
    """The newest value that was answered, of whatever quality; None for what is no finite number."""
    if group.scan is None:
        return None
    kind = place.column.kind
    if kind is Kind.TEXT:
        return visible(group.scan.texts[place.exact])
    value = group.values[place.index]
    if kind is Kind.INTEGER and math.isfinite(value):
        return int(group.scan.integers[place.exact])
    if not math.isfinite(value):
        return None
    return bool(value) if kind is Kind.BOOLEAN else value


def _shown(
    value: float | int | str | bool | None, column: Column, levels: Sequence[float | None], group: GroupNow, index: int
) -> str:
    if value is None:
        infinite = bool(group.values) and math.isinf(group.values[index])
        return "infinite" if infinite else "no value"
    if isinstance(value, str):
        return value or "(empty)"
    if isinstance(value, bool):
        return "on" if value else "off"
    if state := dict(column.states).get(int(value)) if column.states and value == int(value) else None:
        return f"{state} ({int(value)})"
    return digits(value, column, levels)


def _evaluable(limit: Limit, group: GroupNow, index: int, *, good: bool) -> bool:
    """As the judge has it for its newest scan; a raw value must be good now, too."""
    return group.evaluable.get((index, limit), False) and not group.stale and (good or limit.statistic != "value")


def _limit(limit: Limit, breaches: Sequence[BreachPicture], *, evaluable: bool) -> LimitPicture:
    statistic, alarm, allowed_s = statistic_in_words(limit.measure, limit.window_s), limit.alarm, limit.allowed_outside_s
    severities = [breach.severity for breach in breaches if breach.statistic == statistic]
    state: State = "action" if "action" in severities else "alert" if severities else "ok"
    return LimitPicture(
        statistic=statistic,
        sp=limit.sp,
        nor=_span(limit.nor, allowed_s),
        par=_span(limit.par, allowed_s),
        alarm=_alarm_span(limit),
        alarm_far=Span(alarm.ll, alarm.hh) if alarm and (alarm.ll, alarm.hh) != (None, None) else None,
        state=state if evaluable else "not evaluable",
    )


def _alarm_span(limit: Limit) -> Span | None:
    if limit.decision_interval is not None:
        return Span(None, limit.decision_interval)
    alarm = limit.alarm
    return Span(alarm.l, alarm.h) if alarm and (alarm.l, alarm.h) != (None, None) else None


def _span(interval: Bounds | None, allowed_s: float | None) -> Span | None:
    """Of what is held against it: of time outside the seconds that are allowed."""
    if interval is None:
        return None
    return Span(interval.low, interval.high) if allowed_s is None else Span(None, allowed_s)


def _levels(limits: Iterable[LimitPicture]) -> list[float | None]:
    """Of the value itself: the levels that its digits must not cross."""
    spans = [span for row in limits if row.statistic in INSTANT for span in (row.nor, row.par, row.alarm, row.alarm_far) if span]
    return [level for span in spans for level in (span.low, span.high)]


def _tag_state(limits: Sequence[LimitPicture]) -> State:
    """The worst of its rows; a rolling row that is not evaluable yet does not hide that the value itself is."""
    states = {limit.state for limit in limits}
    return next((state for state in _WORST_OF_ROWS if state in states), "no limits")


_WORST_OF_ROWS: tuple[State, ...] = ("action", "alert", "ok", "not evaluable")
_WORST_OF_TAGS: tuple[State, ...] = ("action", "alert", "not evaluable", "ok")


def worst(states: Iterable[State]) -> State:
    """Of a unit's tags."""
    found = set(states)
    return next((state for state in _WORST_OF_TAGS if state in found), "no limits")


def _breaches(
    active: Iterable[tuple[RuleKey, ActiveRule]], column: Column, value: float | int | str | bool | None
) -> tuple[BreachPicture, ...]:
    """Limits that are left, the worst first; `value` is None while it is not good."""
    breaches = [_breach(key, rule, column, value) for key, rule in active]
    return tuple(sorted(breaches, key=lambda breach: breach.severity))


def _breach(key: RuleKey, rule: ActiveRule, column: Column, value: float | int | str | bool | None) -> BreachPicture:
    _, statistic, name, window_s, level = key
    side, words = side_of(name), statistic_in_words(statistic, window_s)
    text = beyond_in_words(name, statistic, level, column.engineering_unit)
    if not isinstance(value, (int, float)):
        text = f"was {text}"
    elif statistic not in INSTANT:
        text = f"{words} {text}"
    elif value <= level if side == "high" else value >= level:
        text = f"was {text}, not yet back by the deadband"
    return BreachPicture(name, words, severity_of(name), side, level, iso_time(rule.since_ns), text)
