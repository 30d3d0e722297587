"""Figures of merit of an alarm system (ISA-18.2, IEC 62682): are there few enough alarms for people to act on each?

What counts is that people are called: a change to `unacknowledged` from another state. What is hidden calls nobody.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from collector.monitor.alarms.alarm import PRIORITIES, Alarm, AlarmKey
from collector.monitor.alarms.states import STANDING, State
from collector.terms import Event, EventKind
from config.limits import Priority

_SECOND_NS: Final = 1_000_000_000
RATE_SPAN_NS: Final = 600 * _SECOND_NS
FLOOD_BEGINS: Final = 10
"""More calls than this in ten minutes begin a flood,"""
FLOOD_ENDS: Final = 5
"""fewer than this end it."""
CHATTERING_CALLS: Final = 3
CHATTERING_SPAN_NS: Final = 60 * _SECOND_NS
STALE_NS: Final = 24 * 3600 * _SECOND_NS
TOP: Final = 10


@dataclass(frozen=True, slots=True)
class Call:
    """An alarm called for somebody."""

    at_ns: int
    key: AlarmKey
    priority: Priority


@dataclass(frozen=True, slots=True)
class Flood:
    """More came than anybody can act on; `to_ns` is None while it lasts."""

    from_ns: int
    to_ns: int | None
    calls: int
    """From the beginning of the ten minutes in which it began."""


@dataclass(frozen=True, slots=True)
class Merit:
    """Of a stretch of time."""

    calls: int
    per_10_min: float
    """On average; 1 is acceptable, 2 the most that is manageable."""
    most_in_10_min: int
    floods: tuple[Flood, ...]
    chattering: tuple[AlarmKey, ...]
    """Called three times or more in a minute; there should be none."""
    stale: tuple[AlarmKey, ...]
    """Have stood for more than a day at its end; fewer than 5."""
    top: tuple[tuple[AlarmKey, int], ...]
    """Those that called most often; none should be more than 5 % of all."""
    priorities: tuple[tuple[Priority, int], ...]
    """Calls by priority, the most urgent first; of low, medium, high about 80, 15, 5 %."""


def calls_of(events: Iterable[Event]) -> Iterator[Call]:
    """The calls among events, in their order."""
    for event in events:
        if event.kind is EventKind.ALARM and event.body["to"] == State.B and event.body["from"] != State.B:
            alarm = Alarm.of_event(event)
            yield Call(event.slot_ns, alarm.key, alarm.settings.priority)


def merit(calls: Sequence[Call], standing: Iterable[Alarm], from_ns: int, to_ns: int) -> Merit:
    """Of the `calls` with from ≤ time < to, ascending; `standing`: the alarms as they are at the end."""
    by_key: dict[AlarmKey, list[int]] = {}
    for call in calls:
        by_key.setdefault(call.key, []).append(call.at_ns)
    times = [call.at_ns for call in calls]
    priorities = Counter(call.priority for call in calls)
    often = sorted(by_key, key=lambda key: (-len(by_key[key]), key.id))
    return Merit(
        calls=len(calls),
        per_10_min=len(calls) * RATE_SPAN_NS / max(to_ns - from_ns, 1),
        most_in_10_min=max(_within(times, RATE_SPAN_NS), default=0),
        floods=floods(times, to_ns),
        chattering=tuple(key for key in often if max(_within(by_key[key], CHATTERING_SPAN_NS)) >= CHATTERING_CALLS),
        stale=tuple(sorted((alarm.key for alarm in standing if is_stale(alarm, to_ns)), key=lambda key: key.id)),
        top=tuple((key, len(by_key[key])) for key in often[:TOP]),
        priorities=tuple((priority, priorities[priority]) for priority in PRIORITIES),
    )


def is_stale(alarm: Alarm, now_ns: int) -> bool:
    """It has stood, and was shown, for more than a day."""
    return alarm.state in STANDING and alarm.since_ns is not None and now_ns - alarm.since_ns > STALE_NS


def floods(times: Sequence[int], until_ns: int) -> tuple[Flood, ...]:
    """The floods among calls at ascending `times`, as known at `until_ns`.

    The number of calls in the last ten minutes falls only when the oldest leaves, so a flood ends at such a moment.
    """
    recent: deque[int] = deque()
    found: list[Flood] = []
    began_ns: int | None = None
    calls = 0
    for at_ns, next_ns in pairwise((*times, until_ns)):
        recent.append(at_ns)
        calls += 1
        while recent and recent[0] <= at_ns - RATE_SPAN_NS:
            recent.popleft()
        if began_ns is None and len(recent) > FLOOD_BEGINS:
            began_ns, calls = at_ns, len(recent)
        while recent and recent[0] + RATE_SPAN_NS <= next_ns:
            left_ns = recent.popleft() + RATE_SPAN_NS
            if began_ns is not None and len(recent) < FLOOD_ENDS:
                found.append(Flood(began_ns, left_ns, calls))
                began_ns = None
    return (*found, Flood(began_ns, None, calls)) if began_ns is not None else tuple(found)


def _within(times: Sequence[int], span_ns: int) -> Iterator[int]:
    """For each of the ascending `times`: how many lie in the span that ends with it."""
    first = 0
    for last, at_ns in enumerate(times):
        while times[first] <= at_ns - span_ns:
            first += 1
        yield last - first + 1
