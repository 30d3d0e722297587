"""Our Modbus driver against the simulated device and its wire, upset in every way they know: no value is good and wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from config.model import Device, ModbusEndpoint
from config.tags import Tag
from drivers.base import DeviceError, Scan, scan_groups
from drivers.modbus.session import connect
from simulators.modbus.faults import KINDS_OF_DEVICE
from simulators.modbus.server import ModbusServer
from simulators.source import BAD_NODE_ID_UNKNOWN, BAD_NOT_CONNECTED, BAD_SENSOR_FAILURE, Point, Reading
from simulators.upset import Disturbable, Upset
from simulators.wire.wire import KINDS_OF_WIRE, Wire
from tests.servers import free_port
from tests.system.modbus_peer import FixedClock
from tests.wire.lateness import where_it_is_prompt

TIMEOUT_S, PATIENCE_S = 1.0, 30.0
VALUES = {"delay": 3.0, "slow": 0.02}
"""Longer than the timeout, all in all."""


@dataclass
class Ramp:
    """A source in which no two tags show the same: the number in their name, and half."""

    status: dict[str, int] = field(default_factory=dict)

    def refresh(self) -> int:
        return 0

    def point(self, _device: Device, tag: Tag) -> Point:
        return lambda: Reading(int(tag.name[1:]) + 0.5, self.status.get(tag.name, 0))


def endpoint(port: int) -> ModbusEndpoint:
    tags = {f"T{n}": {"address": f"holding:{2 * n}", "type": "float32", "word_order": "CDAB"} for n in range(100)}
    devices = {"plc": {"unit": "R-201", "unit_id": 7, "tags": tags}}
    settings = {"name": "bus", "url": f"modbus://127.0.0.1:{port}", "timeout_s": TIMEOUT_S, "devices": devices}
    return ModbusEndpoint.model_validate(settings)


@dataclass
class Plant:
    wire: Wire
    server: ModbusServer
    endpoint: ModbusEndpoint
    ramp: Ramp

    @asynccontextmanager
    async def reader(self, timeout_s: float = TIMEOUT_S) -> AsyncIterator[Reader]:
        endpoint = self.endpoint.model_copy(update={"timeout_s": timeout_s})
        groups = scan_groups(endpoint)
        async with connect(endpoint, groups, FixedClock()) as driver:
            yield Reader(lambda: driver.read(groups[0], 0))


class Reader:
    """What a connected driver reads: how many values are good; those are right."""

    def __init__(self, read: Callable[[], Awaitable[Scan]]) -> None:
        self._read = read

    async def good(self) -> int:
        scan = await self._read()
        good = scan.quality == 0
        assert np.array_equal(scan.values[good], (np.arange(100) + 0.5)[good])
        return int(good.sum())


@asynccontextmanager
async def plant() -> AsyncIterator[Plant]:
    async with Wire("bus", port=free_port()) as wire:
        served = endpoint(wire.port)
        ramp = Ramp()
        async with ModbusServer(served, ramp) as server:
            wire.target = ("127.0.0.1", int(server.url.rpartition(":")[2]))
            yield Plant(wire, server, served, ramp)


async def outcome(reader: Reader) -> int:
    """Good values of a read; 0 where it failed."""
    try:
        return await reader.good()
    except DeviceError:
        return 0


async def attempt(at: Plant, timeout_s: float) -> int:
    try:
        async with at.reader(timeout_s) as reader:
            return await outcome(reader)
    except DeviceError:
        return 0


@pytest.mark.parametrize("kind", [*KINDS_OF_DEVICE, *KINDS_OF_WIRE])
@where_it_is_prompt(TIMEOUT_S / 4)
async def test_an_upset_costs_values_never_their_truth_and_all_is_well_afterwards(kind: str) -> None:
    async with plant() as at:
        async with at.reader() as reader:
            assert await reader.good() == 100
            disturbed: Disturbable = at.server if kind in KINDS_OF_DEVICE else at.wire
            end = disturbed.disturb(Upset(kind, "bus", VALUES.get(kind)))
            during = await outcome(reader)
        assert during == (100 if kind == "refuse" else 0)
        passes = kind in ("reset", "half_open")
        assert await attempt(at, PATIENCE_S if passes else TIMEOUT_S) == (100 if passes else 0)
        end()
        assert await attempt(at, PATIENCE_S) == 100


async def test_a_read_that_outlasts_an_upset_gets_its_own_answer_and_so_does_the_next() -> None:
    async with plant() as at:
        for kind in ("freeze", "delay"):
            async with at.reader(PATIENCE_S) as reader:
                assert await reader.good() == 100
                end = at.wire.disturb(Upset(kind, "bus", VALUES.get(kind)))
                reading = asyncio.create_task(outcome(reader))
                await asyncio.sleep(0.02)
                end()
                assert (await reading, await outcome(reader)) == (100, 100)


async def test_an_open_sensor_costs_itself_a_gone_tag_at_first_its_block_and_a_failed_one_never_a_wrong_value() -> None:
    async with plant() as at, at.reader(PATIENCE_S) as reader:
        for status, least in ((BAD_NOT_CONNECTED, 99), (BAD_SENSOR_FAILURE, 0), (BAD_NODE_ID_UNKNOWN, 0)):
            at.ramp.status["T7"] = status
            assert least <= await outcome(reader) <= 99
        for _ in range(20):
            if await outcome(reader) == 99:
                break
        assert await outcome(reader) == 99
