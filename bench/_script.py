"""The script that an engineer would write today: asyncua `read_values`, influxdb-client's batching write with Points.

A process of its own, so that its CPU is its own. Prints CPU seconds and values from after its warm-up to its end.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence

from asyncua.client.client import Client
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteOptions

from bench._stage import PERIOD_S, TAGS

WARM_UP_SCANS = 20
NAMES = [f"AI_{i:04d}" for i in range(TAGS)]


def point_per_value(values: Sequence[float]) -> list[Point]:
    """The usual way."""
    now = time.time_ns()
    return [
        Point("process").tag("unit", "R-1").tag("tagname", name).field("value", value).time(now)  # type: ignore[no-untyped-call]
        for name, value in zip(NAMES, values, strict=True)
    ]


def point_per_scan(values: Sequence[float]) -> list[Point]:
    """The kinder way: a field per value."""
    point = Point("process").tag("unit", "R-1").time(time.time_ns())  # type: ignore[no-untyped-call]
    for name, value in zip(NAMES, values, strict=True):
        point.field(name, value)
    return [point]


async def collect(server_url: str, write: Callable[[Sequence[float]], None], span_s: float) -> tuple[float, int]:
    """Read and write on a grid; CPU time after the warm-up, and values read since."""
    loop, scans, began_s = asyncio.get_running_loop(), 0, 0.0
    async with Client(server_url) as server:
        index = await server.get_namespace_index("urn:bench")
        nodes = [server.get_node(f"ns={index};s={name}") for name in NAMES]
        due = loop.time()
        end = due + WARM_UP_SCANS * PERIOD_S + span_s
        while loop.time() < end:
            write(await server.read_values(nodes))
            scans += 1
            if scans == WARM_UP_SCANS:
                began_s = time.process_time()
            due += PERIOD_S
            await asyncio.sleep(max(0.0, due - loop.time()))
    return began_s, (scans - WARM_UP_SCANS) * TAGS


def main() -> None:
    """Arguments: how (value | scan), server url, sink url, seconds."""
    how, server_url, sink_url, span_s = sys.argv[1:]
    points = point_per_value if how == "value" else point_per_scan
    with InfluxDBClient(sink_url, token="bench", org="-", enable_gzip=True) as client:  # noqa: S106  of a proxy that asks for none
        options = WriteOptions(batch_size=5000, flush_interval=1000)
        with client.write_api(write_options=options) as writer:  # closing it sends the rest: that belongs to the cost
            began_s, values = asyncio.run(
                collect(server_url, lambda scan: writer.write("bench", "-", points(scan)), float(span_s))
            )
    print(json.dumps({"cpu_s": time.process_time() - began_s, "values": values}), flush=True)


if __name__ == "__main__":
    main()
