"""A Modbus RTU peer that does what a test's script says, byte by byte: over TCP, or on a pty that stands for a serial line."""

from __future__ import annotations

import asyncio
import os
import struct
import tty
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from pymodbus.framer import FramerRTU

from config.model import ModbusEndpoint
from drivers.base import ScanGroup, scan_groups
from tests.system.modbus_peer import value_at


def with_crc(frame: bytes) -> bytes:
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


@dataclass(frozen=True)
class Request:
    """A read as it came in; `number` counts from 1."""

    number: int
    unit: int
    function: int
    first: int
    count: int

    def answer(self, **other: int) -> bytes:
        """The right one, or one of another unit, function, first, count or byte count (size)."""
        said = {"unit": self.unit, "function": self.function, "first": self.first, "count": self.count} | other
        content = struct.pack(f">{said['count']}H", *(value_at(said["first"] + n) for n in range(said["count"])))
        return with_crc(bytes((said["unit"], said["function"], other.get("size", len(content)))) + content)

    def refusal(self, code: int) -> bytes:
        return with_crc(bytes((self.unit, self.function | 0x80, code)))


Step = bytes | tuple[float, bytes]
"""Bytes to send at once, or that many seconds later."""
Script = Callable[[Request], Iterable[Step]]


def right(request: Request) -> Iterable[Step]:
    return [request.answer()]


@dataclass
class RtuPeer:
    """Answers whoever is connected now: what is late goes into the newest connection, as a gateway or a line does it."""

    script: Script
    requests: list[Request] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each request."""
    send: Callable[[bytes], object] = lambda _: None
    url: str = ""
    connections: int = 0
    _buffer: bytes = b""
    _timers: list[asyncio.TimerHandle] = field(default_factory=list)

    def received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 8:
            frame, self._buffer = self._buffer[:8], self._buffer[8:]
            assert frame == with_crc(frame[:6])
            self.requests.append(Request(len(self.requests) + 1, *struct.unpack(">BBHH", frame[:6])))
            self.asked.set()
            for step in self.script(self.requests[-1]):
                if isinstance(step, bytes):
                    self.send(step)
                else:
                    self._timers.append(asyncio.get_running_loop().call_later(step[0], self._send_now, step[1]))

    def _send_now(self, data: bytes) -> None:
        self.send(data)

    def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()


class _Connection(asyncio.Protocol):
    def __init__(self, peer: RtuPeer) -> None:
        self.peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.peer.connections += 1
        self.peer.send = lambda data: None if transport.is_closing() else transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.peer.received(data)


Way = Literal["rtu", "serial"]


@asynccontextmanager
async def rtu_serving(way: Way, script: Script = right) -> AsyncIterator[RtuPeer]:
    peer = RtuPeer(script)
    loop = asyncio.get_running_loop()
    if way == "rtu":
        server = await loop.create_server(lambda: _Connection(peer), "127.0.0.1", 0)
        peer.url = f"modbus+rtu://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield peer
        finally:
            peer.stop()
            server.close()
            await server.wait_closed()
        return
    master, slave = os.openpty()
    tty.setraw(slave)
    peer.url = f"modbus+serial://{os.ttyname(slave)}"
    peer.send = lambda data: os.write(master, data)
    loop.add_reader(master, lambda: peer.received(os.read(master, 4096)))
    try:
        yield peer
    finally:
        peer.stop()
        loop.remove_reader(master)
        os.close(master)
        os.close(slave)


def bus(
    url: str, units: dict[int, dict[str, str]], timeout_s: float, **more: object
) -> tuple[ModbusEndpoint, dict[str, ScanGroup]]:
    """Devices `D3` by their unit ids; tags: name -> `holding:100 uint16`. And their scan groups, by device."""
    devices = {}
    for unit_id, tags in units.items():
        written = {name: dict(zip(("address", "type", "word_order"), text.split(), strict=False)) for name, text in tags.items()}
        devices[f"D{unit_id}"] = {"unit": "R-201", "unit_id": unit_id, "tags": written}
    endpoint = ModbusEndpoint.model_validate({"name": "bus", "url": url, "timeout_s": timeout_s, "devices": devices} | more)
    return endpoint, {group.layout.device: group for group in scan_groups(endpoint)}
