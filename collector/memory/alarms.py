"""How the alarms stood: remembered in the registry, and always what the journal says.

An alarm is what its newest event in the journal says. The registry has those events up to a row, so that a start need not
read the whole journal, and `status` need not either: what it lacks is read from the rows behind that one. It never knows
more than the journal: what was not committed did not happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

import structlog

from collector.monitor.alarms.alarm import Alarm
from collector.monitor.alarms.settings import Book
from collector.monitor.relation import expression_roles
from collector.monitor.resumed import OutsideBefore
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.terms import Event, EventKind, Json, Stamp
from config.limit_statistics import DURATION, PHASE
from config.model import Plant
from config.tags import Kind
from drivers.base import scan_groups

log = structlog.get_logger()

KIND = "alarm"
"""Of the registry's states; named by the alarms' ids."""
AS_OF = "as of row"
"""The name of the state that says up to which row they are known; no id, for it has no slash."""
ROWS_BEHIND = 20_000
"""How far that row may be behind while nothing happens to alarms."""


def alarm_book(plant: Plant, doubts: Iterable[tuple[str, str, str]] = ()) -> Book:
    """The alarms that a plant can raise; `doubts`: the (unit, role, rule) of what may be doubted."""
    layouts = [group.layout for endpoint in plant.endpoints for group in scan_groups(endpoint)]
    columns = [column for layout in layouts for column in layout.columns]
    roles = {(each.unit, each.role) for each in columns if each.kind in (Kind.REAL, Kind.INTEGER)}
    if any(limit.statistic == DURATION for limit in plant.limits):
        roles |= {(unit.name, PHASE) for unit in plant.units}
    return Book(plant.limits, roles | expression_roles(layouts, plant.limits), doubts)


def outside_before(alarms: Iterable[Alarm]) -> tuple[OutsideBefore, ...]:
    """What the judges have to know of the run before."""
    return tuple(
        OutsideBefore(
            alarm.key.unit, alarm.key.role, alarm.key.statistic, alarm.key.window_s, alarm.key.rule,
            alarm.level, alarm.since_ns, alarm.value, alarm.settings.cpp,
        )
        for alarm in alarms
        if alarm.outside and alarm.level is not None and alarm.since_ns is not None and alarm.value is not None
    )  # fmt: skip


class AlarmMemory:
    """The alarms that the journal tells of. Its calls block; one thread at a time."""

    def __init__(self, reader: Reader, registry: Registry) -> None:
        """Raises StoreError, sqlite3.Error."""
        self._reader, self._registry = reader, registry
        self._states = registry.states(KIND)
        seq = self._states.pop(AS_OF, {}).get("seq")
        self._known_seq = self._seq = seq if isinstance(seq, int) else 0

    def catch_up(self, until_seq: int) -> None:
        """Learn what was committed, up to row `until_seq` at least, and remember it. Raises StoreError, sqlite3.Error."""
        changed: dict[str, Mapping[str, Json] | None] = {}
        for row in self._reader.events_after(EventKind.ALARM, self._seq):
            if alarm := _alarm(row.event):
                changed[alarm.key.id] = None if alarm.at_rest else as_state(row.event)
            until_seq = max(until_seq, row.seq)
        if changed or until_seq - self._known_seq > ROWS_BEHIND:
            self._registry.put_states(KIND, {**changed, AS_OF: {"seq": until_seq}})
            self._known_seq = until_seq
        self._seq = max(self._seq, until_seq)
        for id_, state in changed.items():
            self._states.pop(id_, None)
            if state is not None:
                self._states[id_] = dict(state)

    def alarms(self) -> list[Alarm]:
        """As they stand by what was learnt, those not at rest."""
        return alarms_of(self._states)


def as_state(event: Event) -> dict[str, Json]:
    """An alarm's newest event, as the registry has it."""
    stamp: dict[str, Json] = dict(asdict(event.stamp))
    return {"unit": event.unit, "at_ns": event.slot_ns, "stamp": stamp, **event.body}


def alarms_of(states: Mapping[str, Mapping[str, Json]]) -> list[Alarm]:
    """The alarms of the registry's states; one that can't be read is left out and told in the log."""
    events = [_event(body) for name, body in states.items() if name != AS_OF]
    return [alarm for event in events if event and (alarm := _alarm(event))]


def _event(body: Mapping[str, Json]) -> Event | None:
    stamp, at_ns = body.get("stamp"), body.get("at_ns")
    if not isinstance(stamp, dict) or not isinstance(at_ns, int):
        log.error("a remembered alarm can't be read", alarm=str(body)[:200])
        return None
    known = {name: str(stamp.get(name, "")) for name in ("batch", "phase", "product", "recipe_version", "mode")}
    return Event(EventKind.ALARM, at_ns, str(body.get("unit", "")), Stamp(**known), body)


def _alarm(event: Event) -> Alarm | None:
    try:
        return Alarm.of_event(event)
    except (ValueError, KeyError) as exc:
        log.error("an alarm's event can't be read", unit=event.unit, at_ns=event.slot_ns, cause=repr(exc))
        return None
