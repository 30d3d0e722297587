"""Alarms as lines of text: whole, whatever the width of the terminal, so that an id can be copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.commands.aligned import aligned
from collector.show.words import iso_time

_HEADINGS = ("priority", "state", "alarm", "since", "value", "level", "batch, phase", "handled", "consequence", "action")


def lines_of(alarms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line of headings and one for each alarm, in their order; `alarms` as `alarm_list.facts_by_id` has them."""
    return aligned(_HEADINGS, map(_row, alarms.values())) if alarms else ["no alarm"]


def _row(alarm: Mapping[str, Any]) -> tuple[str, ...]:
    context = ", ".join(filter(None, (alarm["batch"], alarm["phase"])))
    texts = (alarm["consequence"], alarm["action"])
    figures = (_figure(alarm["value"]), _figure(alarm["level"]))
    return (
        alarm["priority"].upper(),
        alarm["state"],
        alarm["id"],
        time_of(alarm["since_ns"]),
        *figures,
        context,
        alarm["handled"],
        *texts,
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def time_of(at_ns: int | None) -> str:
    """To the second, UTC; empty for none."""
    return "" if at_ns is None else f"{iso_time(at_ns)[:19]}Z"
