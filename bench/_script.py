"""The script that an engineer would write today: asyncua's `read_values` or pymodbus with `convert_from_registers`, and
influxdb-client's batching write with Points.

A process of its own, so that its CPU is its own. Prints CPU and wall seconds and values while it runs, from after its warm-up.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

from asyncua.client.client import Client
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteOptions
from pymodbus.client import AsyncModbusTcpClient

from bench._shape import Shape, tag_name

WARM_UP_S = 4.0
TAGS_PER_READ = 62
"""float32 tags in 124 registers."""
Values = Sequence[float]
Read = Callable[[], Awaitable[Values]]


def point_per_value(unit: str, values: Values) -> list[Point]:
    """The usual way."""
    now = time.time_ns()
    return [
        Point("process").tag("unit", unit).tag("tagname", tag_name(tag)).field("value", value).time(now)  # type: ignore[no-untyped-call]
        for tag, value in enumerate(values)
    ]


def point_per_scan(unit: str, values: Values) -> list[Point]:
    """The kinder way: a field per value."""
    point = Point("process").tag("unit", unit).time(time.time_ns())  # type: ignore[no-untyped-call]
    for tag, value in enumerate(values):
        point.field(tag_name(tag), value)
    return [point]


async def opcua(url: str, tags: int, stack: AsyncExitStack) -> Read:
    """Reads all tags of one server."""
    server = await stack.enter_async_context(Client(url))
    index = await server.get_namespace_index("urn:bench")
    nodes = [server.get_node(f"ns={index};s={tag_name(tag)}") for tag in range(tags)]
    return lambda: server.read_values(nodes)


async def modbus(url: str, tags: int, stack: AsyncExitStack) -> Read:
    """Reads all tags of one device, in as few requests as it takes."""
    parts = urlsplit(url)
    client = AsyncModbusTcpClient(str(parts.hostname), port=parts.port or 502)
    await client.connect()
    stack.callback(client.close)

    async def read() -> Values:
        values: list[float] = []
        for first in range(0, tags, TAGS_PER_READ):
            count = 2 * min(TAGS_PER_READ, tags - first)
            registers = (await client.read_holding_registers(2 * first, count=count, device_id=1)).registers
            values += [
                client.convert_from_registers(registers[at : at + 2], client.DATATYPE.FLOAT32)  # type: ignore[misc]
                for at in range(0, count, 2)
            ]
        return values

    return read


async def collect(shape: Shape, urls: Sequence[str], write: Callable[[str, Values], None], span_s: float) -> dict[str, float]:
    """Read and write on a grid: CPU and wall seconds and values since the warm-up."""
    loop, values, began_s, began_wall_s = asyncio.get_running_loop(), 0, 0.0, 0.0
    async with AsyncExitStack() as stack:
        connect = opcua if shape.protocol == "opcua" else modbus
        reads = [await connect(url, shape.tags, stack) for url in urls]
        due = begin = loop.time()
        while loop.time() < begin + WARM_UP_S + span_s:
            for number, read in enumerate(await asyncio.gather(*(read() for read in reads)), 1):
                write(f"R-{number}", read)
                values += len(read) if began_s else 0
            if not began_s and loop.time() >= begin + WARM_UP_S:
                began_s, began_wall_s = time.process_time(), time.monotonic()
            due += shape.period_s
            await asyncio.sleep(max(0.0, due - loop.time()))
        return {"cpu_s": time.process_time() - began_s, "wall_s": time.monotonic() - began_wall_s, "values": values}


def main() -> None:
    """Arguments: how (value | scan), shape, server urls, sink url, seconds."""
    how, *words, server_urls, sink_url, span_s = sys.argv[1:]
    points = point_per_value if how == "value" else point_per_scan
    with InfluxDBClient(sink_url, token="bench", org="-", enable_gzip=True) as client:  # noqa: S106  of a proxy that asks for none
        options = WriteOptions(batch_size=5000, flush_interval=1000)
        with client.write_api(write_options=options) as writer:
            told = asyncio.run(
                collect(
                    Shape.of(words),
                    server_urls.split(),
                    lambda unit, values: writer.write("bench", "-", points(unit, values)),
                    float(span_s),
                )
            )
    told["resident_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
