"""A simulated probe that breaks, over real sockets: uncertain with its reason in journal, export, InfluxDB and on the page."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collector import app as daemon_app
from collector.__main__ import app
from collector.app import Daemon
from collector.monitor.plausibility.reasons import CODES, Reason
from collector.store.rows import ScanRow
from collector.terms import Event, EventKind
from config.model import Plant
from drivers.base import Quality, Scan
from simulators.plant import SimulatedPlant
from simulators.upset import Upset
from tests.faults.recorded import rows_of
from tests.servers import InfluxDB, running_influxdb

DEADLINE_S = 60.0
SPEED = 20.0
"""The simulated instruments change each 0.05 s."""
LONG_S = 3600.0


def plant_of(url: str, sink: str) -> Plant:
    tags = {
        "TT-201A": {
            "address": "ns=2;s=A",
            "role": "product_temperature",
            "plausible": {"spike": 15, "flat_s": 1, "agrees_with": "TT-201B", "within": 8, "for_s": 0.5},
        },
        "TT-201B": {"address": "ns=2;s=B", "role": "product_temperature_b"},
        "TT-202": {"address": "ns=2;s=C", "role": "jacket_inlet_temperature", "plausible": {"rate_per_min": 3000}},
        "PT-201": {"address": "ns=2;s=P", "role": "headspace_pressure", "range": [0, 7]},
    }
    device = {"unit": "R-201", "groups": {"main": {"period_s": 0.1}}, "tags": tags}
    return Plant.model_validate(
        {
            "site": "basel",
            "endpoints": {"r201": {"url": url, "devices": {"r201-plc": device}}},
            "units": {"R-201": {}},
            "limits": [{"role": "product_temperature", "par": [-50, 150]}],
            "sinks": {"copy": {"kind": "influxdb1", "url": sink, "database": "plant"}},
            "web": None,
        }
    )


@dataclass
class Seen:
    """What the daemon told, in its order; `until` waits for more."""

    daemon: Daemon
    told: list[tuple[str, str, str]] = field(default_factory=list)
    scans: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, what: Scan | Event) -> None:
        if isinstance(what, Scan):
            self.scans += not what.lost
        elif what.kind is EventKind.TRANSITION:
            self.told.append((str(what.body["role"]), str(what.body["rule"]), str(what.body["to"])))
        self._news.set()

    async def until(self, role: str, reason: Reason, to: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while (role, reason.value, to) not in self.told:
                self._news.clear()
                await self._news.wait()

    async def until_scans(self, more: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            wanted = self.scans + more
            while self.scans < wanted:
                self._news.clear()
                await self._news.wait()

    async def until_on_page(self, tag: str, *wanted: str) -> None:
        """Its quality and status."""
        async with asyncio.timeout(DEADLINE_S):
            while self._on_page(tag) != wanted:
                self._news.clear()
                await self._news.wait()

    def _on_page(self, tag: str) -> tuple[str, ...]:
        (unit,) = self.daemon.picture().units
        return next((each.quality, each.status) for each in unit.tags if each.name == tag)


@asynccontextmanager
async def running(plant: Plant, data: Path) -> AsyncIterator[Seen]:
    stop, hurry = asyncio.Event(), asyncio.Event()
    async with Daemon(plant, data) as daemon:
        seen = Seen(daemon)
        daemon.live.listeners.append(seen.hear)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(daemon.run(stop, hurry))
            try:
                yield seen
            finally:
                stop.set()


@pytest.fixture(scope="module")
def influxdb() -> Iterator[InfluxDB]:
    with running_influxdb() as server:
        server.create("plant")
        yield server


async def break_probes(simulated: SimulatedPlant, seen: Seen) -> None:
    """One after another; each is told to begin and to end."""
    board, a = simulated.board, "product_temperature"
    await seen.until_scans(5)
    await seen.until_on_page("TT-201A", "good", "")
    board.begin(Upset("flat_line", "TT-201A", None, LONG_S))
    await seen.until(a, Reason.FLAT, "outside")
    await seen.until_on_page("TT-201A", "uncertain", "implausible flat line")
    board.end("flat_line", "TT-201A")
    await seen.until(a, Reason.FLAT, "inside")
    await jump(simulated, seen)
    await seen.until(a, Reason.SPIKE, "inside")
    await seen.until("product_temperature_b", Reason.DIFFERENCE, "outside")
    await seen.until_on_page("TT-201B", "uncertain", "implausible difference")
    board.end("offset", "TT-201A")
    await seen.until(a, Reason.DIFFERENCE, "inside")
    board.begin(Upset("offset", "PT-201", 1000.0, LONG_S))
    board.begin(Upset("drift", "TT-202", 1e6, LONG_S))
    await seen.until("headspace_pressure", Reason.RANGE, "outside")
    await seen.until("jacket_inlet_temperature", Reason.RATE, "outside")
    await seen.until_on_page("TT-202", "uncertain", "implausible rate")
    await seen.until_scans(3)


async def jump(simulated: SimulatedPlant, seen: Seen) -> None:
    """TT-201A goes far off, and is seen to; once more, where a busy machine missed the slots around it."""
    while True:
        simulated.board.begin(Upset("offset", "TT-201A", 40.0, LONG_S))
        await seen.until_scans(4)
        if ("product_temperature", Reason.SPIKE.value, "outside") in seen.told:
            return
        simulated.board.end("offset", "TT-201A")
        await seen.until_scans(4)


async def test_probes_that_break_are_doubted_everywhere(
    tmp_path: Path, influxdb: InfluxDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_app, "DRAIN_S", DEADLINE_S)  # InfluxDB gets all, however busy the machine
    async with (
        SimulatedPlant(plant_of("opc.tcp://127.0.0.1:1", influxdb.url), SPEED, ports="free") as simulated,
        running(plant_of(simulated.urls["r201"], influxdb.url), tmp_path) as seen,
    ):
        await break_probes(simulated, seen)
        assert {alarm.rule for alarm in seen.daemon.picture().alarms.shown} >= {"implausible range", "implausible rate"}
    scans = [row.scan for row in rows_of(tmp_path) if isinstance(row, ScanRow)]
    statuses = {int(status) for scan in scans if not scan.lost for status in scan.status.tolist() if status}
    assert statuses == set(CODES)
    pressures = [(float(scan.values[3]), int(scan.quality[3])) for scan in scans if not scan.lost and scan.values[3] > 7]
    assert pressures and all(value > 900 and quality == Quality.UNCERTAIN for value, quality in pressures)
    exported_as_recorded(tmp_path, scans)
    in_influxdb(influxdb, scans, seen)


def exported_as_recorded(data: Path, scans: list[Scan]) -> None:
    told = CliRunner().invoke(app, ["export", "--data", str(data), "--tags", "TT-201A", "--from", "-1h"])
    assert told.exit_code == 0, told.output
    read = [row for row in csv.DictReader(io.StringIO(told.stdout)) if row["value"]]  # a busy machine loses a scan
    rows = [(float(row["value"]), row["quality"], int(row["status"], 16)) for row in read]
    words = {Quality.GOOD: "good", Quality.UNCERTAIN: "uncertain"}
    expected = [
        (float(scan.values[0]), words[Quality(int(scan.quality[0]))], int(scan.status[0])) for scan in scans if not scan.lost
    ]
    assert rows == expected


def in_influxdb(influxdb: InfluxDB, scans: list[Scan], seen: Seen) -> None:
    """Every value is there, doubted or not; the reason on change, and each doubt among the alarms."""
    (series,) = influxdb.query("SELECT product_temperature FROM process", "plant")
    assert [row["product_temperature"] for row in series.rows()] == [float(scan.values[0]) for scan in scans if not scan.lost]
    (series,) = influxdb.query("SELECT status, quality FROM quality WHERE role = 'product_temperature'", "plant")
    told, recorded = [row["status"] for row in series.rows()], [int(scan.status[0]) for scan in scans]
    assert [status for status, _ in groupby(told)] == [status for status, _ in groupby(recorded)], "told again after a start"
    assert {row["quality"] for row in series.rows() if row["status"] in CODES} == {"uncertain"}
    found = influxdb.query('SELECT "to" FROM alarm GROUP BY "role", "rule"', "plant")
    assert {(series.tags["role"], series.tags["rule"]) for series in found} == {(role, rule) for role, rule, _ in seen.told}
