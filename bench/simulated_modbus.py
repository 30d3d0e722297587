"""What simulated Modbus devices cost: CPU of the thread that serves, per tag, per relayed request, for 10,000 tags.

    python -m bench.simulated_modbus [--quick]

Reads of up to 125 registers, mixed types and word orders, over real sockets; the client is a thread of its own and not
counted. Rival: pymodbus' server with registers that never change, so without a tag to encode.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from bench._figures import figure
from config.model import Device, ModbusEndpoint
from config.tags import Tag
from simulators.modbus.server import ModbusServer
from simulators.source import Point, Reading
from simulators.wire.wire import Wire

ENDPOINTS, TAGS = 20, 500
TURNS = 5
"""Each server is asked so many times, in turn; the median counts."""
MOST_REGISTERS = 125
_TYPES: tuple[tuple[int, dict[str, object]], ...] = (
    (2, {"type": "float32", "word_order": "CDAB"}),
    (1, {"type": "int16", "scale": 0.1}),
    (1, {"type": "uint16"}),
    (2, {"type": "int32", "word_order": "DCBA", "scale": 0.01}),
    (2, {"type": "float32"}),
    (4, {"type": "float64", "word_order": "BADC"}),
)

Reads = list[tuple[int, int]]


class Moving:
    """A source in which every request sees other values."""

    version = 0

    def refresh(self) -> int:
        self.version += 1
        return self.version

    def point(self, _device: Device, tag: Tag) -> Point:
        offset = int(tag.name[1:]) / 7
        return lambda: Reading(offset + self.version % 1000)


def endpoint() -> tuple[ModbusEndpoint, Reads]:
    """TAGS tags without a gap, and the fewest reads for them: first register, count."""
    tags, reads, at = {}, [(0, 0)], 0
    for number in range(TAGS):
        count, fields = _TYPES[number % len(_TYPES)]
        if at + count - reads[-1][0] > MOST_REGISTERS:
            reads.append((at, 0))
        tags[f"T{number}"] = {"address": f"holding:{at}", **fields}
        at += count
        reads[-1] = (reads[-1][0], at - reads[-1][0])
    devices = {"plc": {"tags": tags}}
    return ModbusEndpoint.model_validate({"name": "bus", "url": "modbus://127.0.0.1", "devices": devices}), reads


def ask(ports: Sequence[int], reads: Reads, rounds: int) -> None:
    """Every read at every port, one after the other."""
    connections = [socket.create_connection(("127.0.0.1", port)) for port in ports]
    for _ in range(rounds):
        for connection in connections:
            for first, count in reads:
                connection.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, first, count))
                wanted = 9 + 2 * count
                while wanted > 0:
                    answer = connection.recv(wanted)
                    assert answer, "the server went away"
                    wanted -= len(answer)
    for connection in connections:
        connection.close()


async def cpu_s(ports: Sequence[int], reads: Reads, rounds: int) -> float:
    """CPU seconds of the serving thread for one round; the first is not counted."""
    await asyncio.to_thread(ask, ports, reads, 1)
    began_s = time.thread_time()
    await asyncio.to_thread(ask, ports, reads, rounds)
    return (time.thread_time() - began_s) / rounds


@asynccontextmanager
async def rival(registers: int) -> AsyncIterator[int]:
    """The port of pymodbus' server."""
    empty = [SimData(0, count=1, values=False, datatype=DataType.BITS)]
    holding = [SimData(0, count=registers, values=1, datatype=DataType.REGISTERS)]
    server = ModbusTcpServer(SimDevice(1, simdata=(empty, empty, holding, holding)), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


async def main(rounds: int) -> None:
    """All figures."""
    bus, reads = endpoint()
    moving = Moving()
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(ModbusServer(bus, moving)) for _ in range(ENDPOINTS)]
        wires = [await stack.enter_async_context(Wire(f"bus-{number}")) for number in range(ENDPOINTS)]
        ports = [int(server.url.rpartition(":")[2]) for server in servers]
        for wire, port in zip(wires, ports, strict=True):
            wire.target = ("127.0.0.1", port)
        rival_port = await stack.enter_async_context(rival(sum(reads[-1])))
        took: dict[int, list[float]] = {port: [] for port in (ports[0], rival_port, wires[0].port)}
        for port in tuple(took) * TURNS:
            took[port].append(await cpu_s([port], reads, rounds // TURNS))
        ours_s, rival_s, relayed_s = (median(of_port) for of_port in took.values())
        all_s = await cpu_s([wire.port for wire in wires], reads, max(1, rounds // ENDPOINTS))
    figure("a tag served", ours_s / TAGS * 1e6, "us CPU", "pymodbus' server, registers that never change", rival_s / TAGS * 1e6)
    figure("a request relayed", (relayed_s - ours_s) / len(reads) * 1e6, "us CPU")
    figure(f"{ENDPOINTS * TAGS} tags a second, {ENDPOINTS} endpoints behind wires", all_s, "cores")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    asyncio.run(main(400 if parser.parse_args().quick else 2000))
