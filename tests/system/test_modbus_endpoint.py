"""A Modbus endpoint as the daemon runs it, on real sockets and a pty: what goes wrong costs the least, and all comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from collector.acquire.clock import PlantClock
from collector.acquire.endpoint import EndpointTask
from collector.acquire.health import Health
from collector.terms import Event
from config.model import ModbusEndpoint
from drivers.base import Clock, Driver, Endpoint, Scan, ScanGroup, scan_groups
from drivers.modbus.session import connect
from tests.system.libmodbus import compiled_device
from tests.system.modbus_peer import value_at
from tests.system.rtu_peer import Script, Way, bus, right, rtu_serving
from tests.thorough import THOROUGH
from tests.wire.lateness import lateness

PERIOD_S, TIMEOUT_S, BACKOFF_S = 0.2, 0.3, 0.8
BUSY_S = 30.0
"""What a busy machine may add to a wait."""


class Output:
    """Keeps scans by device, and wakes whoever waits for one."""

    def __init__(self) -> None:
        self.scans: list[Scan] = []
        self.more = asyncio.Event()

    def take(self, scan: Scan) -> None:
        self.scans.append(scan)
        self.more.set()

    def tell(self, _event: Event) -> None:
        pass

    async def until(self, enough: Callable[[Sequence[Scan]], bool], limit_s: float) -> list[Scan]:
        """The scans from now on, as soon as they are enough."""
        begin = len(self.scans)
        async with asyncio.timeout(limit_s):
            while not enough(self.scans[begin:]):
                self.more.clear()
                await self.more.wait()
        return self.scans[begin:]


def connect_modbus(endpoint: Endpoint, groups: Sequence[ScanGroup], clock: Clock) -> AbstractAsyncContextManager[Driver]:
    assert isinstance(endpoint, ModbusEndpoint)
    return connect(endpoint, groups, clock)


@asynccontextmanager
async def collecting(endpoint: ModbusEndpoint, groups: Sequence[ScanGroup]) -> AsyncIterator[Output]:
    output = Output()
    task = asyncio.create_task(EndpointTask(endpoint, groups, connect_modbus, PlantClock(), output, Health(output.tell)).run())
    try:
        yield output
    finally:
        task.cancel()
        await asyncio.wait([task])


def good(device: str, count: int) -> Callable[[Sequence[Scan]], bool]:
    return lambda scans: sum(scan.layout.device == device and not scan.quality.any() for scan in scans) >= count


def lost(device: str) -> Callable[[Sequence[Scan]], bool]:
    return lambda scans: any(scan.layout.device == device and scan.lost for scan in scans)


UNITS = {unit: {f"T{unit}": f"holding:{100 * unit} uint16", f"U{unit}": f"holding:{100 * unit + 1} uint16"} for unit in (1, 2, 3)}


def on_the_bus(url: str) -> tuple[ModbusEndpoint, list[ScanGroup]]:
    endpoint, _ = bus(url, UNITS, TIMEOUT_S, backoff_s=BACKOFF_S, backoff_limit_s=BACKOFF_S)
    quick = [
        device.model_copy(update={"groups": (device.groups[0].model_copy(update={"period_s": PERIOD_S}),)})
        for device in endpoint.devices
    ]
    endpoint = endpoint.model_copy(update={"devices": tuple(quick)})
    return endpoint, list(scan_groups(endpoint))


def all_right(scans: Sequence[Scan]) -> bool:
    for scan in scans:
        if not scan.quality.any():
            unit = int(scan.layout.device[1:])
            assert scan.values.tolist() == [value_at(100 * unit), value_at(100 * unit + 1)]
    return True


def silent(unit: int) -> Script:
    return lambda request: [] if request.unit == unit else right(request)


def late(unit: int) -> Script:
    return lambda request: [(1.4 * TIMEOUT_S, request.answer())] if request.unit == unit else right(request)


TROUBLES = [
    (way, trouble)
    for way in ("rtu", "serial")
    for trouble in (silent, late)
    if THOROUGH or (way, trouble) in (("rtu", late), ("serial", silent))
]


@pytest.mark.parametrize(("way", "trouble"), TROUBLES, ids=[f"{trouble.__name__}-{way}" for way, trouble in TROUBLES])
async def test_a_silent_unit_costs_its_neighbours_one_timeout_a_backoff(way: Way, trouble: Callable[[int], Script]) -> None:
    async with rtu_serving(way) as peer, collecting(*on_the_bus(peer.url)) as output:
        await output.until(lambda scans: all(good(f"D{unit}", 1)(scans) for unit in (1, 2, 3)), 30)
        peer.script = trouble(2)
        await output.until(lost("D2"), 30)
        before = len(peer.requests)
        async with lateness() as late:
            scans = await output.until(lambda new: good("D1", 20)(new) and good("D3", 20)(new), 60)
        asked = peer.requests[before:]
        assert all_right(scans)
        assert not good("D2", 1)(scans)
        spans = 1 + (scans[-1].slot_ns - scans[0].slot_ns) / 1e9 / (0.8 * BACKOFF_S + TIMEOUT_S)
        assert sum(request.unit == 2 for request in asked) <= 2 * spans
        slots = (scans[-1].slot_ns - scans[0].slot_ns) / 1e9 / PERIOD_S
        assert slots < 20 * 2 + 3 * late.sum_s / PERIOD_S, "of two slots of a neighbour one is read at least"
        peer.script = right
        assert all_right(await output.until(good("D2", 1), 2 * BACKOFF_S + 2 * TIMEOUT_S + PERIOD_S + BUSY_S))


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_device(tmp_path_factory.mktemp("libmodbus"))


@asynccontextmanager
async def cabled() -> AsyncIterator[tuple[str, str]]:
    """Two serial ports, tied together."""
    loop = asyncio.get_running_loop()
    pairs = [os.openpty() for _ in range(2)]
    for _, port in pairs:
        tty.setraw(port)
    for (here, _), (there, _) in (pairs, pairs[::-1]):
        loop.add_reader(here, lambda a=here, b=there: os.write(b, os.read(a, 4096)))  # type: ignore[misc]
    try:
        yield os.ttyname(pairs[0][1]), os.ttyname(pairs[1][1])
    finally:
        for here, port in pairs:
            loop.remove_reader(here)
            os.close(here)
            os.close(port)


@contextmanager
def running(device: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([device, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def libmodbus_plant(url: str) -> tuple[ModbusEndpoint, tuple[ScanGroup, ...]]:
    tags = {
        "low": {"address": "holding:100", "type": "int16"},
        "text": {"address": "holding:163", "type": "text", "length": 4},
        "lacking": {"address": "holding:170", "type": "uint16"},
        "after": {"address": "holding:171", "type": "uint16"},
        "coil": {"address": "coil:5"},
    }
    device = {"unit": "R-201", "unit_id": 3, "groups": {"main": {"period_s": PERIOD_S}}, "tags": tags}
    settings = {"backoff_s": BACKOFF_S, "backoff_limit_s": BACKOFF_S, "timeout_s": 0.4, "devices": {"D3": device}}
    endpoint = ModbusEndpoint.model_validate({"name": "bus", "url": url} | settings)
    return endpoint, scan_groups(endpoint)


def is_right(scan: Scan) -> bool:
    """All but the register that is not there."""
    if scan.quality.tolist() != [0, 0, 2, 0, 0]:
        return False
    assert (scan.integers.tolist(), scan.texts, scan.values[4]) == ([-12345, 0, 7], ("R-201",), 1.0)
    return True


def rights(count: int) -> Callable[[Sequence[Scan]], bool]:
    return lambda scans: sum(map(is_right, scans)) >= count


@pytest.mark.parametrize("way", ["tcp", "serial"])
async def test_a_device_of_libmodbus_is_read_frozen_and_read_again(device: Path, way: str) -> None:
    async with cabled() as (ours, theirs):
        arguments = [theirs] if way == "serial" else []
        with running(device, *arguments) as process:
            assert process.stdout
            port = process.stdout.readline().strip()
            url = f"modbus+serial://{ours}" if way == "serial" else f"modbus://127.0.0.1:{port}"
            async with collecting(*libmodbus_plant(url)) as output:
                await output.until(rights(3), BUSY_S)
                process.send_signal(signal.SIGSTOP)
                await output.until(lost("D3"), BUSY_S)
                process.send_signal(signal.SIGCONT)
                await output.until(rights(3), BUSY_S)
