"""All that a start goes on with: what the run before left in the journal and the registry.

What can't be read is told and left out: collecting matters more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import structlog

from collector.acquire.slots import Left
from collector.memory.alarms import AlarmMemory
from collector.memory.excursions import KIND as EXCURSION
from collector.memory.excursions import left_open
from collector.memory.figures import accumulated_before
from collector.memory.slots import left_by, look_back_ns
from collector.store.files import StoreError
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.rows import DamagedRow
from collector.terms import CauseClass, Event, EventKind, Json, Stamp
from config.model import Plant
from drivers.base import scan_groups

log = structlog.get_logger()


class RunBefore:
    """As it ended. Made before anything of this run is remembered; blocks."""

    def __init__(self, plant: Plant, journal: Journal, reader: Reader, registry: Registry, end_ns: int) -> None:
        """`end_ns`: the time of the last commit that is known of, from wherever it is known; 0 is none."""
        self._plant, self._reader = plant, reader
        self.stopped_ns = max(reader.last_commit_ns() or 0, end_ns) or None
        self.context = {unit: _stamp(body) for unit, body in registry.states("context").items()}
        self.alarms = _alarms(reader, registry, journal.totals.seq)
        self.accumulated = _accumulated(reader, plant)
        self.left_open = _left_open(reader, registry)
        """The ends of excursions that it could not tell."""
        self._devices = registry.states("device")

    def gap(self, now_ns: int) -> Event | None:
        """Nobody collected from its end until now; None where no run was before."""
        if self.stopped_ns is None:
            return None
        body: dict[str, Json] = {
            "from_ns": self.stopped_ns,
            "to_ns": now_ns,
            "cause": "gateway down: the daemon did not run",
            "cause_class": CauseClass.GATEWAY_DOWN.value,
        }
        return Event(EventKind.GAP, now_ns, body=body)

    def left(self) -> dict[str, Left]:
        """Each group's slots of which it could not tell, by the group's name. Raises StoreError."""
        groups = [group for endpoint in self._plant.endpoints for group in scan_groups(endpoint)]
        return left_by(groups, self._reader.newest_slots(look_back_ns(groups)), self._devices)


def _stamp(body: Mapping[str, Json]) -> Stamp:
    return Stamp(**{name: str(value) for name, value in body.items()})


def _alarms(reader: Reader, registry: Registry, seq: int) -> AlarmMemory:
    memory = AlarmMemory(reader, registry)
    try:
        memory.catch_up(seq)
    except (StoreError, DamagedRow, sqlite3.Error) as exc:
        log.error("the alarms of before can't be read on from the journal", cause=str(exc))
    return memory


def _accumulated(reader: Reader, plant: Plant) -> list[Event]:
    try:
        return accumulated_before(reader, plant.limits)
    except (StoreError, DamagedRow) as exc:
        log.error("what limits had summed up can't be read from the journal", cause=str(exc))
        return []


def _left_open(reader: Reader, registry: Registry) -> list[Event]:
    try:
        return left_open(reader, registry.states(EXCURSION))
    except (StoreError, DamagedRow) as exc:
        log.error("which excursions were left open can't be read from the journal", cause=str(exc))
        return []
