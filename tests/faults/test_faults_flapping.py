"""Every device comes and goes, all at once: memory and log stay bounded, and each slot is a scan or in a gap."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collector.app import Outside
from collector.gateway import resident_bytes
from collector.terms import EventKind
from drivers.base import DeviceError, ScanGroup, Status
from tests.faults.recorded import Recorded
from tests.faults.rows import Row
from tests.faults.scripted_plant import ScriptedPlant, plant_of
from tests.faults.watched_daemon import watched

DEVICES, PERIOD_S = 100, 0.125
FLAP_NS = 750_000_000
"""So long it answers, so long it does not."""
MOST_GROWTH_BYTES = 20_000_000


def flapping(_group: ScanGroup, slot_ns: int) -> float:
    if slot_ns // FLAP_NS % 2:
        raise DeviceError("no answer", status=Status.BAD_TIMEOUT)
    return 0.0


@pytest.mark.faults(
    "every device flapping, all at once (100 devices)",
    must="bounded memory, two lines of log per flap, each slot a scan or in a gap",
    short=1,
    long=10,
)
async def test_all_devices_flap(row: Row, tmp_path: Path) -> None:
    grown: list[int] = []
    for trial in row.trials():
        data = tmp_path / str(trial)
        plant, outside = plant_of(DEVICES, 5, PERIOD_S), Outside(driver=ScriptedPlant(flapping).connect)
        with capture_logs() as logs:
            async with watched(plant, data, outside) as seen:
                if row.long:
                    await asyncio.sleep(60)
                await seen.until(lambda: len(seen.events) > 4 * DEVICES and len(seen.states(EventKind.DEVICE)) > 2 * DEVICES)
                flaps = len(seen.states(EventKind.DEVICE))
        recorded = Recorded(data)
        recorded.walk()
        recorded.assert_ledger()
        grown.append(resident_bytes())
        row.count(samples=recorded.samples, doubled=recorded.doubled, silent=recorded.silent(), flaps=flaps, lines=len(logs))
        row.worst(growth_mb=(grown[-1] - grown[0]) / 1e6)
        assert flaps > DEVICES, "nothing flapped"
        assert len(logs) <= len([event for event in recorded.events if event.kind is EventKind.DEVICE]) + 20
    assert (row.doubled, row.others["silent"]) == (0, 0)
    assert row.others["growth_mb"] < MOST_GROWTH_BYTES / 1e6
