"""RTU over TCP: frames with their checksum, written by hand, and pymodbus' own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerType

from config.model import Device, ModbusEndpoint
from config.tags import Tag
from simulators.modbus.rtu import Rtu
from simulators.modbus.server import ModbusServer
from simulators.source import Point, Reading, SimulationError
from simulators.upset import Upset


class Numbers:
    """A source of the number in a tag's name."""

    def refresh(self) -> int:
        return 0

    def point(self, _device: Device, tag: Tag) -> Point:
        return lambda: Reading(int(tag.name[1:]))


@asynccontextmanager
async def line() -> AsyncIterator[ModbusServer]:
    tags = {f"T{n}": {"address": f"holding:{n}", "type": "uint16"} for n in range(10)}
    devices = {"left": {"unit_id": 1, "tags": tags}, "right": {"unit_id": 17, "tags": tags}}
    endpoint = ModbusEndpoint.model_validate({"name": "bus", "url": "modbus://h", "devices": devices})
    async with ModbusServer(endpoint, Numbers(), framing=Rtu()) as server:
        yield server


async def exchange(server: ModbusServer, *segments: str, size: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    try:
        for segment in segments:
            writer.write(bytes.fromhex(segment))
            await writer.drain()
            await asyncio.sleep(0.01)
        async with asyncio.timeout(30):
            return (await reader.readexactly(size)).hex()
    finally:
        writer.close()


def summed(text: str) -> str:
    """With its CRC-16, bit by bit as the specification has it."""
    crc = 0xFFFF
    for byte in bytes.fromhex(text):
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return bytes.fromhex(text).hex() + crc.to_bytes(2, "little").hex()


RIGHT, ANSWER = "01 03 0000 000A C5CD", summed("01 03 14" + "".join(f"{n:04x}" for n in range(10)))


async def test_a_frame_whose_checksum_is_known_from_the_books() -> None:
    async with line() as server:
        assert await exchange(server, RIGHT, size=25) == ANSWER
        assert await exchange(server, "01 03 00", "00 000A C5", "CD", size=25) == ANSWER, "in pieces"
        assert await exchange(server, RIGHT + RIGHT, size=50) == ANSWER * 2, "and together"


async def test_what_has_a_wrong_checksum_is_thrown_away_and_the_next_is_answered() -> None:
    async with line() as server:
        for garbage in ("01 03 0000 000A C5CE", "FF FF FF FF FF", "01 64 00 00", "01 03 0000 000A C5CE" + RIGHT):
            assert await exchange(server, garbage, RIGHT, size=25) == ANSWER, garbage


async def test_pymodbus_reads_it_and_strangers_are_silent() -> None:
    async with line() as server:
        port = int(server.url.rpartition(":")[2])
        client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=FramerType.RTU, retries=0, timeout=30)
        assert await client.connect()
        assert (await client.read_holding_registers(2, count=5, device_id=17)).registers == [2, 3, 4, 5, 6]
        assert (await client.read_holding_registers(9, count=2, device_id=17)).isError()
        assert (await client.write_registers(0, [1, 2], device_id=17)).isError()
        client.close()
        stranger, broadcast = summed("02 03 0000 000A"), summed("00 06 0000 0001")
        assert await exchange(server, stranger + broadcast + RIGHT, size=25) == ANSWER, "the first that comes is the third's"


async def test_frames_without_a_number_cannot_have_a_wrong_one() -> None:
    async with line() as server:
        with pytest.raises(SimulationError, match="RTU frames carry no transaction's number"):
            server.disturb(Upset("wrong_transaction", "bus"))
        end = server.disturb(Upset("foreign_unit", "left"))
        assert await exchange(server, RIGHT, size=25) == summed("02" + ANSWER[2:-4])
        end()
        assert await exchange(server, RIGHT, size=25) == ANSWER
