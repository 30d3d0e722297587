"""A wall clock that is set by hours and jitters: order stays, no slot is given twice, nothing in InfluxDB is overwritten."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from collector import app, gateway
from collector.acquire.clock import TOLERANCE_NS
from collector.app import Outside
from collector.terms import EventKind
from tests.faults.influx_points import assert_same_points
from tests.faults.recorded import Recorded
from tests.faults.rows import Row
from tests.faults.scripted_plant import ScriptedPlant, plant_of
from tests.faults.watched_daemon import DEADLINE_S, watched
from tests.servers import running_influxdb

HOUR_NS = 3_600_000_000_000


@dataclass
class Wall:
    """A wall clock that jitters as NTP does, and that a person sets."""

    chance: random.Random
    set_ns: int = 0
    jitter_ns: int = field(default=TOLERANCE_NS // 3)

    def __call__(self) -> int:
        return time.time_ns() + self.set_ns + self.chance.randint(-self.jitter_ns, self.jitter_ns)


@pytest.mark.faults(
    "wall clock ± 1 h, restart with a clock set back, NTP-like jitter",
    must="order and slots right, nothing overwritten in InfluxDB, events recorded",
    short=1,
    long=20,
)
async def test_the_wall_clock_is_set(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "REMEMBER_INTERVAL_S", 0.1)
    monkeypatch.setattr(app, "DRAIN_S", DEADLINE_S)  # InfluxDB gets all, however busy the machine
    with running_influxdb() as influx:
        for trial in row.trials():
            database = influx.create(f"plant{trial}")
            sink = {"influx": {"kind": "influxdb1", "url": influx.url, "database": database}}
            recorded = Recorded(tmp_path / str(trial))
            wall = Wall(row.chance(trial))
            await _set_about(recorded.data, wall, sink)
            recorded.walk()
            recorded.assert_ledger()
            told = [event.body for event in recorded.events if event.kind is EventKind.CLOCK]
            moved = [body["moved_s"] for body in told if "moved_s" in body]
            back = [body["set_back_s"] for body in told if "set_back_s" in body]
            assert [round(float(str(by_s)) / 3600) for by_s in moved] == [1], "jitter moves nothing, an hour is followed once"
            assert [round(float(str(by_s)) / 3600) for by_s in back] == [1, 1], "once while it ran, once at the start"
            row.count(samples=recorded.samples, doubled=recorded.doubled, silent=recorded.silent(), steps=len(told))
            row.count(points=assert_same_points(influx, recorded, database))
    assert (row.doubled, row.others["silent"]) == (0, 0)


async def _set_about(data: Path, wall: Wall, sink: dict[str, dict[str, str]]) -> None:
    plant = plant_of(3, 8, 0.125, sinks=sink)
    outside = Outside(driver=ScriptedPlant().connect, wall_ns=wall)
    async with watched(plant, data, outside, drain=True) as seen:
        await seen.until(lambda: seen.daemon.live.counters.committed)
        wall.set_ns = HOUR_NS
        await seen.until(lambda: any("moved_s" in event.body for event in seen.events))
        wall.set_ns = 0
        await seen.until(lambda: any("set_back_s" in event.body for event in seen.events))
        committed = seen.daemon.live.counters.committed
        await seen.until(lambda: seen.daemon.live.counters.committed > committed)
        assert sum(judge.refused for judge in seen.daemon.recorder.judges.values()) == 0
    async with watched(plant, data, outside, drain=True) as seen:  # an hour behind what the journal has
        await seen.until(lambda: any("set_back_s" in event.body for event in seen.events))
        await seen.until(lambda: seen.daemon.live.counters.committed)
        assert seen.daemon.clock.offset_ns() < -HOUR_NS // 2
