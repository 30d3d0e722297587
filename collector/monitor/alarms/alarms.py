"""All alarms of a plant: the judge's transitions, what people do, and time, in; events of kind `alarm` out.

    transition events ── observe ──┐
    acknowledge, shelve … command ─┼──> alarms, by the table of `states` ──> alarm events
    plant time ───────── tick ─────┘

Pure: what comes out follows from what went in, in its order. The newest event of each alarm is all there is to know of it,
so a journal gives the alarms back (`Alarm.of_event`).

A daemon that stops ends its rules, but no alarm returns by that: between the events `daemon` stopped and started nothing
is heard. What was outside stays so until the judge tells again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from collector.monitor.alarms.alarm import Alarm, AlarmKey
from collector.monitor.alarms.settings import Book
from collector.monitor.alarms.states import HIDDEN, TRANSITIONS, Happening, State
from collector.terms import Event, EventKind, Json, Stamp

LONGEST_SHELF_S: Final = 24 * 3600.0
"""What shall be quiet for longer is taken out of service."""
COMMANDS: Final = (
    *(Happening.ACKNOWLEDGED, Happening.RESET, Happening.SHELVED),
    *(Happening.UNSHELVED, Happening.TAKEN_OUT, Happening.PUT_BACK),
)
"""What people do."""
_NEVER: Final = 1 << 62
_NO_STAMP: Final = Stamp()


class Refused(Exception):
    """A command that is not possible; the text says why, and what is."""


@dataclass(frozen=True, slots=True)
class Command:
    """Somebody does something with an alarm."""

    what: Happening
    """One of `COMMANDS`."""
    key: AlarmKey
    by: str
    reason: str = ""
    lasts_s: float | None = None
    """Of a shelf, which has a limit always."""


class Alarms:
    """Holds the alarms that are not at rest."""

    def __init__(self, book: Book, known: Iterable[Alarm] = ()) -> None:
        """`known`: those of before a restart."""
        self._book = book
        self._alarms = {alarm.key: alarm for alarm in known if not alarm.at_rest}
        self._stopped = False
        self._due_ns = 0
        """No timer ends earlier."""

    @property
    def now(self) -> Mapping[AlarmKey, Alarm]:
        """Every alarm that is not at rest."""
        return MappingProxyType(self._alarms)

    @property
    def keys(self) -> frozenset[AlarmKey]:
        """Every alarm there can be."""
        return self._book.keys | self._alarms.keys()

    def observe(self, events: Iterable[Event]) -> list[Event]:
        """The alarms' events of what was told, in its order."""
        told = []
        for event in events:
            if event.kind is EventKind.DAEMON:
                self._stopped = event.body.get("state") == "stopped"
            elif event.kind is EventKind.TRANSITION and not self._stopped:
                told += self._occurs(event) if event.body["to"] == "outside" else self._returns(_key(event), event.slot_ns)
        return told

    def command(self, command: Command, at_ns: int, stamp: Stamp = _NO_STAMP) -> list[Event]:
        """Do what somebody wants done; `stamp`: of the alarm's unit now. Raises Refused, and then nothing is changed."""
        alarm = self._alarms.get(command.key)
        if alarm is None:
            if command.key not in self._book.keys:
                raise Refused(f"{command.key.id}: no limit of the plant file raises such an alarm")
            alarm = Alarm(command.key, stamp, self._book.settings(command.key, stamp))
        _check(command, alarm)
        if command.what is Happening.SHELVED:
            alarm = replace(alarm, until_ns=at_ns + round((command.lasts_s or 0.0) * 1e9))
        return self._move(alarm, command.what, at_ns, command.by, command.reason)

    def suppress(self, key: AlarmKey, why: str, at_ns: int, stamp: Stamp = _NO_STAMP) -> list[Event]:
        """The logic of the design suppresses an alarm from now on, for the reason `why`; empty: it does so no more."""
        alarm = self._alarms.get(key) or Alarm(key, stamp, self._book.settings(key, stamp))
        if bool(alarm.suppression) == bool(why):
            return []
        happening = Happening.SUPPRESSED if why else Happening.SUPPRESSION_OVER
        return self._move(replace(alarm, suppression=why), happening, at_ns, reason=why)

    def tick(self, now_ns: int) -> list[Event]:
        """Time has passed: shelves are over, acknowledged alarms that stand call again."""
        if now_ns < self._due_ns:
            return []
        due = [(end_ns, alarm) for alarm in self._alarms.values() if (end_ns := _timer_ns(alarm)) <= now_ns]
        told = []
        for _, alarm in sorted(due, key=lambda each: each[0]):
            happening = Happening.SHELF_OVER if alarm.state is State.G else Happening.REALARMS
            told += self._move(alarm, happening, now_ns)
        self._due_ns = min(map(_timer_ns, self._alarms.values()), default=_NEVER)
        return told

    def retire(self, at_ns: int) -> list[Event]:
        """After a start: no limit raises some of the alarms any more, so their conditions are over."""
        gone = [key for key in self._alarms if key not in self._book.keys]
        return [event for key in gone for event in self._returns(key, at_ns)]

    def _occurs(self, event: Event) -> list[Event]:
        key = _key(event)
        alarm = self._alarms.get(key) or Alarm(key)
        if alarm.outside:  # told again after a start
            return []
        value, level = (_number(event.body.get(name)) for name in ("value", "level"))
        raised = alarm.raised(event.stamp, self._book.settings(key, event.stamp), event.slot_ns, value, level)
        return self._move(raised, Happening.OCCURS, event.slot_ns)

    def _returns(self, key: AlarmKey, at_ns: int) -> list[Event]:
        alarm = self._alarms.get(key)
        if alarm is None or not alarm.outside:
            return []
        happening = Happening.LATCHES if alarm.latched else Happening.RETURNS
        return self._move(replace(alarm, outside=False), happening, at_ns)

    def _move(self, alarm: Alarm, happening: Happening, at_ns: int, by: str = "", reason: str = "") -> list[Event]:
        after = _after(alarm, happening, at_ns, by, reason)
        self._due_ns = min(self._due_ns, _timer_ns(after))
        if after.at_rest:
            self._alarms.pop(after.key, None)
        else:
            self._alarms[after.key] = after
        return [after.event(at_ns, happening, alarm.state)]


def _after(alarm: Alarm, happening: Happening, at_ns: int, by: str, reason: str) -> Alarm:
    before, state = alarm.state, TRANSITIONS[alarm.state, happening]
    if happening is Happening.RESET:
        alarm = replace(alarm, latched=False)
    if before in HIDDEN and state is State.A:
        for underneath in _underneath(alarm):
            state = TRANSITIONS[state, underneath]
    if state not in HIDDEN or before is not state or happening is Happening.SHELVED:  # what is only followed changes nothing
        reason = alarm.suppression if state is State.H else reason
        alarm = replace(alarm, by=by, reason=reason, until_ns=alarm.until_ns if state is State.G else None)
    if happening is Happening.ACKNOWLEDGED:
        alarm = replace(alarm, acknowledged_by=by, acknowledged_ns=at_ns)
    elif state in (State.B, State.E):
        alarm = replace(alarm, acknowledged_by="", acknowledged_ns=None)
    return replace(alarm, state=state)


def _underneath(alarm: Alarm) -> tuple[Happening, ...]:
    """What happens when nothing hides it any more."""
    if alarm.suppression:
        return (Happening.SUPPRESSED,)
    if alarm.outside:
        return (Happening.OCCURS,)
    return (Happening.OCCURS, Happening.LATCHES) if alarm.latched else ()


def _timer_ns(alarm: Alarm) -> int:
    """When time alone will change it."""
    if alarm.state is State.G and alarm.until_ns is not None:
        return alarm.until_ns
    if alarm.state is State.C and alarm.settings.realarm_s is not None and alarm.acknowledged_ns is not None:
        return alarm.acknowledged_ns + round(alarm.settings.realarm_s * 1e9)
    return _NEVER


def _check(command: Command, alarm: Alarm) -> None:
    """Raises Refused."""
    what, name = command.what, alarm.key.id
    if what not in COMMANDS:
        raise Refused(f"{name}: {what.value} is nothing that people do")
    if (alarm.state, what) not in TRANSITIONS:
        possible = [each.value for each in COMMANDS if (alarm.state, each) in TRANSITIONS]
        raise Refused(f"{name} is {alarm.state.value} and can't be {what.value}; it can be {' or '.join(possible)}")
    if not command.by:
        raise Refused(f"{name}: somebody has to do it, and nobody is named")
    if not command.reason and what in (Happening.SHELVED, Happening.TAKEN_OUT):
        raise Refused(f"{name}: an alarm is {what.value} for a reason only: give it")
    if not command.reason and what is Happening.ACKNOWLEDGED and alarm.stamp.mode == "gmp":
        raise Refused(f"{name}: {alarm.key.unit} makes GMP batches, where an alarm is acknowledged with a reason: give it")
    if what is Happening.SHELVED and not 0.0 < (command.lasts_s or 0.0) <= LONGEST_SHELF_S:
        raise Refused(f"{name}: a shelf lasts for a time, at most {LONGEST_SHELF_S / 3600:g} h; longer is out of service")


def _key(event: Event) -> AlarmKey:
    return AlarmKey.of_body(event.unit, event.body)


def _number(value: Json) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
