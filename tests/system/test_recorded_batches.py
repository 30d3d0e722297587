"""Recorded dryer batches through both protocols, the whole daemon, and two real databases: every fifth of the seventy-one in
the daily suite, all of them in `make thorough`.

Lock-step: a replay goes on only when the daemon has published the sample it holds, so completeness can be demanded:
every sample of every tag, once, equal to the source bit for bit (Modbus: to the type its register declares).
"""

from __future__ import annotations

import asyncio
import csv
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector import app
from collector.app import Daemon
from collector.ledger import Ledger
from collector.store.reader import Reader
from collector.terms import Event
from config.model import ModbusEndpoint, OpcUaEndpoint, Plant
from drivers.base import Scan
from simulators.modbus.server import ModbusServer
from simulators.opcua.server import OpcUaServer
from simulators.replay import Recording, Replay, load_recording
from simulators.source import PerDevice
from tests.servers import InfluxDB, VictoriaMetrics, running_influxdb, running_victoriametrics
from tests.thorough import THOROUGH

UNITS = 15 if THOROUGH else 10
"""Replays side by side for each protocol: together they take the time of so large a part of the samples."""
PERIOD_S = 0.05
ENDPOINTS = 5
"""For each protocol: devices of one endpoint are read one after another."""
SHOWN_S = 60.0
EACH = 1 if THOROUGH else 5
"""Of the batches; half of the units have one after another."""

Round = Callable[[float], float]


def exact(value: float) -> float:
    return value


def float32(value: float) -> float:
    return float(np.float32(value))


def hundredths(value: float) -> float:
    """What a signed register of hundredths gives back: the nearest step, then the same arithmetic as a scale."""
    return round(value / 0.01) * 0.01


@dataclass(frozen=True)
class Register:
    """How a column of the recording is declared on the Modbus side."""

    type: str
    width: int
    rounded: Round
    word_order: str = "ABCD"
    scale: float = 1.0


COLUMNS = {
    "CollectorTankLevel": Register("float32", 2, float32),
    "DifferentialPressure": Register("float64", 4, exact),
    "DryerPressure": Register("float64", 4, exact, "CDAB"),
    "AgitatorPower": Register("float32", 2, float32, "CDAB"),
    "AgitatorTorque": Register("float32", 2, float32, "BADC"),
    "AgitatorSpeed": Register("float32", 2, float32, "DCBA"),
    "JacketTemperatureSP": Register("int16", 1, hundredths, scale=0.01),
    "JacketTemperature": Register("float64", 4, exact, "DCBA"),
    "DryerTemperatureSP": Register("float64", 4, exact, "BADC"),
    "DryerTemp": Register("float64", 4, exact),
    "ClockTime": Register("uint16", 1, exact),
}


def opcua_tags(unit: str) -> dict[str, dict[str, Any]]:
    address = f"nsu=urn:replay;s={unit}."
    tags: dict[str, dict[str, Any]] = {name: {"address": address + name} for name in COLUMNS}
    tags["ClockTime"]["kind"] = "integer"
    tags["SAMPLE_NO"] = {"address": address + "SAMPLE_NO", "kind": "integer"}
    tags["BATCH_ID"] = {"address": address + "BATCH_ID", "kind": "text", "role": "batch_id"}
    return tags


def modbus_tags() -> dict[str, dict[str, Any]]:
    tags: dict[str, dict[str, Any]] = {}
    at = 100
    for name, register in COLUMNS.items():
        tags[name] = {
            "address": f"holding:{at}",
            "type": register.type,
            "word_order": register.word_order,
            "scale": register.scale,
        }
        at += register.width
    tags["SAMPLE_NO"] = {"address": f"holding:{at}", "type": "uint32"}
    tags["BATCH_ID"] = {"address": f"holding:{at + 2}", "type": "text", "length": 4, "role": "batch_id"}
    return tags


def device(unit: str, tags: dict[str, Any]) -> dict[str, Any]:
    return {"unit": unit, "groups": {"main": {"period_s": PERIOD_S}}, "tags": tags}


def plant_of(influx_url: str, victoria_url: str) -> Plant:
    opcua = {f"U-{i}": device(f"U-{i}", opcua_tags(f"U-{i}")) for i in range(UNITS)}
    modbus = {f"M-{i}": {**device(f"M-{i}", modbus_tags()), "unit_id": i + 1} for i in range(UNITS)}
    endpoints: dict[str, dict[str, Any]] = {}
    for kind, scheme, devices in (("opcua", "opc.tcp", opcua), ("modbus", "modbus", modbus)):
        for i in range(ENDPOINTS):
            share = dict(list(devices.items())[i::ENDPOINTS])
            endpoints[f"{kind}-{i}"] = {"url": f"{scheme}://127.0.0.1:1", "devices": share}
    return Plant.model_validate(
        {
            "site": "replay",
            "endpoints": endpoints,
            "units": dict.fromkeys([*opcua, *modbus]),
            "sinks": {
                "influx": {"kind": "influxdb1", "url": influx_url, "database": "replay"},
                "victoria": {"kind": "victoriametrics", "url": victoria_url},
            },
            "web": None,
        }
    )


class LockStep:
    """Lets each replay go on when the daemon has published the sample it holds; `done` when all have ended."""

    def __init__(self, replays: dict[str, Replay]) -> None:
        self._replays = replays
        self._running = set(replays)
        self.done = asyncio.Event()

    def __call__(self, what: Scan | Event) -> None:
        if isinstance(what, Event) or what.lost:
            return
        name = what.layout.device
        replay = self._replays[name]
        column = [c.name for c in what.layout.columns].index("SAMPLE_NO")
        if replay.sample is None or what.values[column] != replay.sample.number:
            return
        if not replay.advance():
            self._running.discard(name)
        if not self._running:
            self.done.set()


async def collect(recording: Recording, data: Path, influx: InfluxDB, victoria: VictoriaMetrics) -> Ledger:
    shares = {i: recording.batches[::EACH][i::UNITS] for i in range(UNITS)}
    replays = {f"{kind}-{i}": Replay(recording, shares[i]) for kind in "UM" for i in range(UNITS)}
    plant = plant_of(influx.url, victoria.url)
    source = PerDevice(replays)
    step = LockStep(replays)
    async with AsyncExitStack() as stack:
        urls = {}
        for endpoint in plant.endpoints:
            server: OpcUaServer | ModbusServer
            if isinstance(endpoint, OpcUaEndpoint):
                server = await stack.enter_async_context(OpcUaServer(endpoint, source))
            else:
                assert isinstance(endpoint, ModbusEndpoint)
                server = await stack.enter_async_context(ModbusServer(endpoint, source))
            urls[endpoint.name] = server.url
        served = tuple(e.model_copy(update={"url": urls[e.name]}) for e in plant.endpoints)
        daemon = await stack.enter_async_context(Daemon(plant.model_copy(update={"endpoints": served}), data))
        daemon.live.listeners.append(step)
        return await daemon.run(step.done, asyncio.Event())


@pytest.fixture(scope="module")
def databases() -> Iterator[tuple[InfluxDB, VictoriaMetrics]]:
    with running_influxdb() as influx, running_victoriametrics() as victoria:
        influx.create("replay")
        yield influx, victoria


def journalled_rows(data: Path) -> int:
    """Scans in the journal that have at least one good value: each is one row of `process`."""
    reader = Reader(data)
    try:
        return sum(bool((row.scan.quality < 2).any()) for row in reader.scans_between(0, 2**62))
    finally:
        reader.close()


def source_rows(path: Path) -> dict[int, dict[str, str]]:
    """SAMPLE_NO -> cells, by a reader of the test's own, of the batches that are taken."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = dict(enumerate(csv.DictReader(file), 1))
    wanted = list(dict.fromkeys(row["batch_id"] for row in rows.values()))[::EACH]
    return {number: row for number, row in rows.items() if row["batch_id"] in wanted}


def check_influxdb(influx: InfluxDB, source: dict[int, dict[str, str]], counted: int) -> None:
    rows = 0
    for kind in "UM":
        seen: list[int] = []
        statement = f"SELECT * FROM process WHERE unit =~ /^{kind}-/ GROUP BY unit"  # noqa: S608  names of ours
        for series in influx.query(statement, "replay"):
            for row in series.rows():
                rows += 1
                number = row.get("SAMPLE_NO")
                if not isinstance(number, int) or number == 0:
                    assert set(row) <= {"time", "site", "batch", "batch_id", "SAMPLE_NO"}, "a value after the last sample"
                    continue
                seen.append(number)
                cells = source[number]
                assert row["batch_id"] == row["batch"] == cells["batch_id"]
                for name, register in COLUMNS.items():
                    expected = float(cells[name]) if kind == "U" else register.rounded(float(cells[name]))
                    assert row[name] == expected, (kind, number, name)
        assert sorted(seen) == sorted(source), f"{kind}: {len(seen)} samples of {len(source)}"
    assert rows == counted, "the daemon counts other rows than the database has"


def shown(victoria: VictoriaMetrics, kind: str, name: str, count: int) -> dict[tuple[str, int], float]:
    """A column by unit and millisecond, once all samples are there: what it has accepted it shows when it likes, and each series
    for itself, a flush asked for or not."""
    deadline_s = time.monotonic() + SHOWN_S
    while True:
        found = {
            (series["metric"]["unit"], stamp): value
            for series in victoria.export(f'process_{name}{{unit=~"{kind}-.*"}}')
            for stamp, value in zip(series["timestamps"], series["values"], strict=True)
        }
        if (sum(map(bool, found.values())) if name == "SAMPLE_NO" else len(found)) >= count:  # it is 0 after the last sample
            return found
        assert time.monotonic() < deadline_s, f"not all of {count} samples of {name} are shown within {SHOWN_S:g} s"
        time.sleep(0.05)


def check_victoria_metrics(victoria: VictoriaMetrics, source: dict[int, dict[str, str]]) -> None:
    """Complete, every value within its dozen digits, paired with SAMPLE_NO by unit and millisecond."""
    for kind in "UM":
        numbers = {place: int(number) for place, number in shown(victoria, kind, "SAMPLE_NO", len(source)).items()}
        assert sorted(n for n in numbers.values() if n) == sorted(source)
        for name, register in COLUMNS.items():
            found = {numbers[place]: value for place, value in shown(victoria, kind, name, len(source)).items()}
            for number, cells in source.items():
                expected = float(cells[name]) if kind == "U" else register.rounded(float(cells[name]))
                assert math.isclose(found[number], expected, rel_tol=1e-12, abs_tol=1e-11), (kind, number, name)


@pytest.mark.timeout(900)
async def test_all_batches_arrive_whole(
    recorded: Path, tmp_path: Path, databases: tuple[InfluxDB, VictoriaMetrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "DRAIN_S", 50.0)  # all must arrive, however busy the machine; within what VictoriaMetrics holds
    influx, victoria = databases
    recording = load_recording(recorded / "dryer.csv")
    source = source_rows(recorded / "dryer.csv")
    assert len(recording.batches) == 71

    ledger = await collect(recording, tmp_path, influx, victoria)

    assert ledger.balanced
    assert not any(sink.dead_lettered for sink in ledger.sinks.values())
    assert ledger.sinks["influx"].queued == 0
    assert ledger.sinks["victoria"].accepted < ledger.read, "what VictoriaMetrics took in its last minute is not safe there yet"
    check_influxdb(influx, source, journalled_rows(tmp_path))
    check_victoria_metrics(victoria, source)
