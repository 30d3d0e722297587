"""What `bench.latency` measures with: a plant of which some registers change at times that both processes know, and its servers.

A process of its own serves it: `python -m bench._latency_plant opcua` prints the urls and ends when its input is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

from config.model import Device, ModbusEndpoint, OpcUaEndpoint, Plant
from config.tags import Tag
from simulators.modbus.server import ModbusServer
from simulators.opcua.server import OpcUaServer
from simulators.source import Point, Reading

DEVICES, TAGS = 4, 500
PERIOD_S = 0.5
CHANGING = 10
"""Tags of each device that change; the others rest, and a fifth of all has limits."""
STEP_NS = 730_000_000
"""Between two changes of a tag; no multiple of the period, so that it changes at every phase of it."""
INSIDE, OUTSIDE = 20.0, 80.0
LIMIT = 50.0


def name(tag: int) -> str:
    """As in plant file and server."""
    return f"AI_{tag:03d}"


def step(tag: int, monotonic_ns: int) -> int:
    """How often a tag that changes has changed: by CLOCK_MONOTONIC, which all processes of a machine share."""
    return (monotonic_ns - tag * STEP_NS // CHANGING) // STEP_NS


def changed_ns(tag: int, steps: int) -> int:
    """When that was."""
    return steps * STEP_NS + tag * STEP_NS // CHANGING


def plant_of(protocol: str, urls: list[str]) -> Plant:
    """Of one endpoint and device for each of `urls`."""
    endpoints = {f"server-{n}": {"url": url, "devices": {f"R-{n}": _device(protocol, n)}} for n, url in enumerate(urls)}
    limits = [{"role": name(tag), "alarm": {"h": LIMIT}} for tag in (*range(CHANGING), *range(CHANGING, TAGS, 5))]
    units = {f"R-{n}": None for n in range(len(urls))}
    return Plant.model_validate({"site": "bench", "endpoints": endpoints, "units": units, "limits": limits, "web": None})


def _device(protocol: str, number: int) -> dict[str, Any]:
    tags: dict[str, Any] = {}
    for tag in range(TAGS):
        if protocol == "opcua":
            tags[name(tag)] = {"address": f"nsu=urn:bench;s={name(tag)}"}
        else:
            tags[name(tag)] = {"address": f"holding:{2 * tag}", "type": "float32"}
    return {"unit": f"R-{number}", "groups": {"main": {"period_s": PERIOD_S}}, "tags": tags}


class Stepping:
    """A source of tags that change by the clock."""

    def __init__(self) -> None:
        self._now_ns = time.monotonic_ns()

    def refresh(self) -> int:
        self._now_ns = time.monotonic_ns()
        return sum(step(tag, self._now_ns) for tag in range(CHANGING))

    def point(self, _device: Device, tag: Tag) -> Point:
        number = int(tag.name[3:])
        if number >= CHANGING:
            return lambda: Reading(INSIDE + number / TAGS)
        return lambda: Reading(OUTSIDE if step(number, self._now_ns) & 1 else INSIDE)


async def serve(protocol: str) -> None:
    """Print where all are, as JSON, and serve."""
    scheme = "opc.tcp" if protocol == "opcua" else "modbus"
    plant = plant_of(protocol, [f"{scheme}://127.0.0.1:{n + 1}" for n in range(DEVICES)])
    async with AsyncExitStack() as stack:
        servers = [_server(endpoint) for endpoint in plant.endpoints]
        for server in servers:
            await stack.enter_async_context(server)
        print(json.dumps({"urls": " ".join(server.url for server in servers)}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def _server(endpoint: OpcUaEndpoint | ModbusEndpoint) -> OpcUaServer | ModbusServer:
    if isinstance(endpoint, OpcUaEndpoint):
        return OpcUaServer(endpoint, Stepping(), lean=True)
    return ModbusServer(endpoint, Stepping())


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
