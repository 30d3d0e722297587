"""The daemon's own health: told to the journal at a low rate, and remembered for `status` and for the next start."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import structlog

from collector.acquire.clock import PlantClock
from collector.acquire.clock_watch import ClockWatch
from collector.acquire.health import Health
from collector.keeping.room import Room
from collector.memory.alarms import AlarmMemory
from collector.memory.states import Remembered, States
from collector.recorder import Recorder
from collector.show.live import Live
from collector.store.files import StoreError, tells_damage
from collector.store.registry import Registry
from collector.store.rows import DamagedRow
from collector.terms import Event, EventKind, Json
from collector.uplink.sending import Sending

log = structlog.get_logger()

REMEMBER_INTERVAL_S = 2.0
REMEMBERS_PER_EVENT = 5

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Memory of this process now (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


class Gateway:
    """Looks after the clocks, tells and remembers."""

    def __init__(
        self,
        live: Live,
        registry: Registry,
        recorder: Recorder,
        health: Health,
        sending: Sending,
        room: Room,
        clock: PlantClock,
        clocks: ClockWatch,
        look_at_registry: Callable[[], None],
        alarms: AlarmMemory,
    ) -> None:
        """`look_at_registry` is called where the registry refuses: it may be damaged. It blocks."""
        self._look_at_registry, self._alarms = look_at_registry, alarms
        self._live, self._recorder = live, recorder
        self._health, self._sending, self._room, self._clock = health, sending, room, clock
        self._clocks = clocks
        kinds = ("context", "device", "rule", "excursion", "sink", "certificate")
        self._remembered = Remembered(registry, kinds)
        self._fault = ""

    async def run(self) -> None:
        """For ever: the clock and the states each `REMEMBER_INTERVAL_S`, an event each fifth time."""
        turn = 0
        while True:
            await asyncio.sleep(REMEMBER_INTERVAL_S)
            self._clocks.look(self._live.scans.values())
            await asyncio.to_thread(self._put, self._states())
            turn += 1
            if turn % REMEMBERS_PER_EVENT == 0:
                self._recorder.tell(Event(EventKind.GATEWAY, self._clock.now_ns(), body=self.figures()))

    def figures(self) -> dict[str, Json]:
        """Counters since the start, memory and clock."""
        counters: dict[str, Json] = dict(asdict(self._live.counters))
        return {
            **counters,
            "pending": self._recorder.pending_samples,
            "devices_lost": sum(state.answers is False for state in self._health.devices.values()),
            "rules_outside": sum(len(judge.active) for judge in self._recorder.judges.values()),
            "slots_refused": sum(judge.refused for judge in self._recorder.judges.values()),
            "resident_bytes": resident_bytes(),
            "cpu_s": sum(os.times()[:2]),
            **self._clocks.figures(),
            "queued": self._sending.queued,
            "runway_hours": self._room.runway.hours,
            "free_bytes": self._room.runway.free_bytes,
        }

    def remember(self) -> None:
        """Put the states that changed into the registry, now."""
        self._put(self._states())

    def _put(self, now: States) -> None:
        """A disk that refuses is told once; the journal matters more."""
        try:
            self._sending.count()
            self._remembered.put(now)
            self._alarms.catch_up(self._recorder.end.seq)
        except (sqlite3.Error, StoreError, DamagedRow) as exc:
            if not self._fault:
                log.error("states can't be remembered", cause=str(exc))
            self._fault = str(exc)
            if tells_damage(exc):
                with suppress(sqlite3.Error, StoreError):
                    self._look_at_registry()
        else:
            self._fault = ""

    def _states(self) -> States:
        judges = self._recorder.judges.values()
        rules = [rule for judge in judges for rule in judge.active.values()]
        excursions = [excursion for judge in judges for excursion in judge.open.values()]
        return {
            "journal": {"head": self._recorder.end},
            "context": dict(self._live.stamps),
            "device": dict(self._health.devices),
            "rule": {f"{rule.unit}/{rule.role}/{rule.statistic}/{rule.rule}": rule for rule in rules},
            "excursion": {excursion.id: excursion for excursion in excursions},
            "skew": {device: {"skew_s": skew_s} for device, skew_s in self._clocks.skew_s.items()},
            "room": {"disk": self._room.state()},
            "sink": self._sending.states(),
            "certificate": {endpoint: {"cause": cause} for endpoint, cause in self._health.certificates().items()},
        }
