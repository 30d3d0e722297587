"""One alarm: which it is, how it is to behave, how it stands; and the event that tells all of it.

An alarm's newest event is the alarm: who has the events of a journal has the alarms (`of_event`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from collector.monitor.alarms.states import Happening, State
from collector.terms import Event, EventKind, Json, Stamp
from config.limits import Priority

ADVISORY = "advisory only, not a safety layer: act on the control system"
"""Stands on everything that shows alarms."""

PRIORITIES: tuple[Priority, ...] = ("critical", "high", "medium", "low")
"""The most urgent first."""


@dataclass(frozen=True, slots=True)
class AlarmKey:
    """Which alarm it is, whatever its level is in this phase."""

    unit: str
    role: str
    statistic: str
    window_s: float | None
    rule: str

    @property
    def id(self) -> str:
        """What is typed for it: `R-201/product_temperature/PAR-high`, `R-201/product_temperature/slope-60s/H`."""
        window = "" if self.window_s is None else f"-{self.window_s:g}s"
        statistic = "" if self.statistic == "value" else f"{self.statistic.replace(' ', '-')}{window}/"
        return f"{self.unit}/{self.role}/{statistic}{self.rule.replace(' ', '-')}"

    @classmethod
    def of_body(cls, unit: str, body: Mapping[str, Json]) -> Self:
        """Of a transition's or an alarm's event."""
        return cls(unit, str(body["role"]), str(body["statistic"]), _number(body.get("window_s")), str(body["rule"]))


@dataclass(frozen=True, slots=True)
class Settings:
    """How a rule's alarm is to behave."""

    priority: Priority = "medium"
    latching: bool = False
    """It stays after the return, until it is reset."""
    realarm_s: float | None = None
    """An acknowledged one that stands calls again after so long; None: never."""
    cpp: bool = False
    consequence: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """How an alarm stands."""

    key: AlarmKey
    stamp: Stamp = field(default_factory=Stamp)
    """The batch and phase in which it occurred, or was first heard of."""
    settings: Settings = Settings()
    """Those that held then."""
    state: State = State.A
    outside: bool = False
    """The condition underneath."""
    latched: bool = False
    """It latches, and was outside since it was reset."""
    suppression: str = ""
    """The logic of the design that suppresses it now, whether or not that shows; empty: none does."""
    since_ns: int | None = None
    """When the condition last went outside."""
    value: float | None = None
    """With which it did."""
    level: float | None = None
    """The limit that was left."""
    by: str = ""
    """Who put it where it is; empty: nobody, it came to be."""
    reason: str = ""
    until_ns: int | None = None
    """The end of its shelf."""
    acknowledged_by: str = ""
    acknowledged_ns: int | None = None

    @property
    def at_rest(self) -> bool:
        """There is nothing to remember of it."""
        return self.state is State.A and not (self.outside or self.suppression or self.latched)

    def event(self, at_ns: int, happening: Happening, before: State) -> Event:
        """Tell it, as it stands after `happening`."""
        body: dict[str, Json] = {
            "role": self.key.role,
            "statistic": self.key.statistic,
            "window_s": self.key.window_s,
            "rule": self.key.rule,
            "happening": happening.value,
            "from": before.value,
            "to": self.state.value,
            "priority": self.settings.priority,
            "outside": self.outside,
            "value": self.value,
            "level": self.level,
            "since_ns": self.since_ns,
            "by": self.by,
            "reason": self.reason,
            "until_ns": self.until_ns,
            "acknowledged_by": self.acknowledged_by,
            "acknowledged_ns": self.acknowledged_ns,
            "latched": self.latched,
            "suppression": self.suppression,
            "latching": self.settings.latching,
            "realarm_s": self.settings.realarm_s,
            "cpp": self.settings.cpp,
            "consequence": self.settings.consequence,
            "action": self.settings.action,
        }
        return Event(EventKind.ALARM, at_ns, self.key.unit, self.stamp, body)

    @classmethod
    def of_event(cls, event: Event) -> Self:
        """As an event told it. Raises ValueError, KeyError where it is none that this program writes."""
        body = event.body
        settings = Settings(
            priority=_priority(body["priority"]),
            latching=bool(body["latching"]),
            realarm_s=_number(body["realarm_s"]),
            cpp=bool(body["cpp"]),
            consequence=str(body["consequence"]),
            action=str(body["action"]),
        )
        return cls(
            key=AlarmKey.of_body(event.unit, body),
            stamp=event.stamp,
            settings=settings,
            state=State(str(body["to"])),
            outside=bool(body["outside"]),
            latched=bool(body["latched"]),
            suppression=str(body["suppression"]),
            since_ns=_whole(body["since_ns"]),
            value=_number(body["value"]),
            level=_number(body["level"]),
            by=str(body["by"]),
            reason=str(body["reason"]),
            until_ns=_whole(body["until_ns"]),
            acknowledged_by=str(body["acknowledged_by"]),
            acknowledged_ns=_whole(body["acknowledged_ns"]),
        )

    def raised(self, stamp: Stamp, settings: Settings, at_ns: int, value: float | None, level: float | None) -> Self:
        """Its condition has gone outside."""
        return replace(
            self, stamp=stamp, settings=settings, outside=True, latched=settings.latching or self.latched,
            since_ns=at_ns, value=value, level=level,
        )  # fmt: skip


def _priority(word: Json) -> Priority:
    for priority in PRIORITIES:
        if priority == word:
            return priority
    raise ValueError(f"{word!r} is no priority")


def _number(value: Json) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
