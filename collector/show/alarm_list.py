"""Alarms as they are listed: for the command line, for machines, and for the page, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from collector.monitor.alarms.alarm import PRIORITIES, Alarm
from collector.monitor.alarms.states import HIDDEN, State
from collector.show.words import iso_time
from collector.terms import Json

_URGENCY = {
    state: rank for rank, state in enumerate((State.B, State.E, State.D, State.C, State.F, State.G, State.H, State.I, State.A))
}


def listed(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Those that are not at rest: what calls for somebody first, what is hidden last; then by priority, the newest first."""
    return sorted((alarm for alarm in alarms if not alarm.at_rest), key=_rank)


def _rank(alarm: Alarm) -> tuple[bool, int, int, int, str]:
    urgency, priority = _URGENCY[alarm.state], PRIORITIES.index(alarm.settings.priority)
    return alarm.state in HIDDEN, urgency, priority, -(alarm.since_ns or 0), alarm.key.id


def facts(alarm: Alarm) -> dict[str, Json]:
    """Everything about it, for machines."""
    return {
        "id": alarm.key.id,
        "unit": alarm.key.unit,
        "role": alarm.key.role,
        "statistic": alarm.key.statistic,
        "window_s": alarm.key.window_s,
        "rule": alarm.key.rule,
        "state": alarm.state.value,
        "priority": alarm.settings.priority,
        "outside": alarm.outside,
        "value": alarm.value,
        "level": alarm.level,
        "since_ns": alarm.since_ns,
        "batch": alarm.stamp.batch,
        "phase": alarm.stamp.phase,
        "cpp": alarm.settings.cpp,
        "latching": alarm.settings.latching,
        "acknowledged_by": alarm.acknowledged_by,
        "acknowledged_ns": alarm.acknowledged_ns,
        "by": alarm.by,
        "reason": alarm.reason,
        "until_ns": alarm.until_ns,
        "suppression": alarm.suppression,
        "handled": handling_in_words(alarm),
        "consequence": alarm.settings.consequence,
        "action": alarm.settings.action,
    }


def facts_by_id(alarms: Iterable[Alarm]) -> dict[str, Json]:
    """Of all that are not at rest, in their order."""
    return {alarm.key.id: facts(alarm) for alarm in listed(alarms)}


def _time(time_ns: int) -> str:
    return f"{iso_time(time_ns)[:19]}Z"


def handling_in_words(alarm: Alarm, time: Callable[[int], str] = _time) -> str:
    """What people have done: `acknowledged by meier 2026-11-26T15:04:05Z: cooling is on`, `until 2026-…, by meier: cleaning`.

    `time`: how a time is shown.
    """
    reason = f": {alarm.reason}" if alarm.reason else ""
    if alarm.acknowledged_ns is not None and alarm.state not in HIDDEN:
        return f"acknowledged by {alarm.acknowledged_by} {time(alarm.acknowledged_ns)}{reason}"
    until = f"until {time(alarm.until_ns)}" if alarm.until_ns is not None else ""
    by = f"by {alarm.by}" if alarm.by else ""
    return f"{', '.join(filter(None, (until, by)))}{reason}".removeprefix(": ")
