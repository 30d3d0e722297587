"""A Modbus TCP peer that does what a test's script says, byte by byte; and a plant to read from it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from config.model import ModbusEndpoint
from drivers.base import ScanGroup, scan_groups


@dataclass(frozen=True)
class Request:
    """A read as it came in; `number` counts the requests of all connections from 1."""

    number: int
    transaction: int
    unit: int
    function: int
    first: int
    count: int

    def answer(self, content: bytes | None = None, **other: int) -> bytes:
        """The right answer, or one with another content or head (transaction, protocol, length, unit, function, size)."""
        if content is None:
            content = struct.pack(f">{self.count}H", *(value_at(self.first + n) for n in range(self.count)))
        head = {"transaction": self.transaction, "protocol": 0, "length": len(content) + 3, "unit": self.unit}
        head |= {"function": self.function, "size": len(content)} | other
        return struct.pack(">HHHBBB", *head.values()) + content

    def refusal(self, code: int) -> bytes:
        return struct.pack(">HHHBBB", self.transaction, 0, 3, self.unit, self.function | 0x80, code)


def value_at(address: int) -> int:
    """What register `address` holds: no two the same, so that a shift can't go unseen."""
    return (address * 257 + 13) & 0xFFFF


CLOSE = "close"
Step = bytes | asyncio.Event | str
"""Send these bytes, wait for this event, or close the connection."""
Script = Callable[[Request], Iterable[Step]]


def right(request: Request) -> Iterable[Step]:
    return [request.answer()]


@dataclass
class Peer:
    """Serves `script` on a loopback port; keeps what it was asked."""

    script: Script = right
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while no connection is open."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each request."""
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        self.open += 1
        self.closed.clear()
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as it should after a fault
        finally:
            self.open -= 1
            if not self.open:
                self.closed.set()
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            transaction, _, _, unit, function, first, count = struct.unpack(">HHHBBHH", await reader.readexactly(12))
            self.requests.append(Request(len(self.requests) + 1, transaction, unit, function, first, count))
            self.asked.set()
            for step in self.script(self.requests[-1]):
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                elif isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    return


@asynccontextmanager
async def serving(script: Script = right) -> AsyncIterator[Peer]:
    """A peer on a free port. On the way out the client must have closed every connection, and have left no task behind."""
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    before = asyncio.all_tasks()
    peer = Peer(script)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
        async with asyncio.timeout(30):
            while peer.open:
                await peer.closed.wait()
    finally:
        server.close()
        await server.wait_closed()
    while left := [task for task in asyncio.all_tasks() - before if "Peer.serve" in repr(task)]:
        await asyncio.wait(left, timeout=5)
    assert asyncio.all_tasks() == before
    assert not complaints


class FixedClock:
    """Plant time and monotonic time as the test sets them."""

    def __init__(self) -> None:
        self.plant_ns = 1_732_270_000_000_000_000
        self.steady_ns = 0

    def now_ns(self) -> int:
        return self.plant_ns

    def monotonic_ns(self) -> int:
        return self.steady_ns


def plant(
    port: int, tags: dict[str, str], timeout_s: float = 30.0, **device: object
) -> tuple[ModbusEndpoint, tuple[ScanGroup, ...]]:
    """An endpoint with one device, unit 3; `tags`: name -> `holding:100 uint16 CDAB`, type and order as far as needed."""
    written = {name: dict(zip(("address", "type", "word_order"), text.split(), strict=False)) for name, text in tags.items()}
    devices = {"PLC": {"unit": "R-201", "unit_id": 3, "tags": written, **device}}
    url = f"modbus://127.0.0.1:{port}"
    endpoint = ModbusEndpoint.model_validate({"name": "bus", "url": url, "timeout_s": timeout_s, "devices": devices})
    return endpoint, scan_groups(endpoint)
