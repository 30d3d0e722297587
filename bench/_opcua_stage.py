"""The stage of `bench.opcua`, a process of its own: a simulated OPC UA server with mixed tags that all move, with and without
security. Ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from config.model import Device, OpcUaEndpoint, OpcUaGroup
from config.tags import Kind, Tag
from simulators.opcua.server import OpcUaServer
from simulators.source import Point, Reading

TAGS = 5000
STAMP_NS = 1_795_342_830_123_456_000
_PATTERN: tuple[Mapping[str, Any], ...] = (
    *[{}] * 6,
    {"scale": 0.1, "offset": -5.0},
    {"kind": "integer"},
    {"kind": "integer", "states": {0: "Off", 1: "On"}},
    {"kind": "boolean"},
)
"""Of ten tags; each fiftieth is a text."""


def endpoint_of(url: str, count: int) -> OpcUaEndpoint:
    """An endpoint with the first `count` tags, all in one scan group."""
    tags = {f"AI_{i:04d}": {"address": f"nsu=urn:bench;s=R-{i // 50:03d}.AI_{i:04d}.PV", **_kind(i)} for i in range(count)}
    device = {"unit": "R-1", "tags": tags}
    return OpcUaEndpoint.model_validate({"name": "bench", "url": url, "timeout_s": 20.0, "devices": {"plc": device}})


def subscribed_endpoint(url: str, count: int, period_s: float) -> OpcUaEndpoint:
    """The same, the group subscribed to; each tag once in an answer, as a client has it that asks for no queue."""
    whole = endpoint_of(url, count)
    group = OpcUaGroup(name="main", mode="subscribe", period_s=period_s, queue_size=1)
    (device,) = whole.devices
    return whole.model_copy(update={"devices": (device.model_copy(update={"groups": (group,)}),)})


def _kind(number: int) -> Mapping[str, Any]:
    return {"kind": "text"} if number % 50 == 49 else _PATTERN[number % len(_PATTERN)]


class Moving:
    """A source whose every value is another one in each answer; texts keep their length."""

    def __init__(self) -> None:
        self._step = 0

    def refresh(self) -> int:
        self._step += 1
        return self._step

    def point(self, _device: Device, tag: Tag) -> Point:
        start = int(tag.name[3:])
        if tag.value_kind is Kind.TEXT:
            return lambda: Reading("Dose" if self._step & 1 else "Heat", 0, STAMP_NS + self._step * 1000)
        if tag.value_kind is Kind.BOOLEAN or tag.states:
            return lambda: Reading(self._step & 1, 0, STAMP_NS + self._step * 1000)
        return lambda: Reading(start + self._step, 0, STAMP_NS + self._step * 1000)


async def serve() -> None:
    """Print where it is, as JSON, and serve."""
    async with OpcUaServer(endpoint_of("opc.tcp://127.0.0.1:1", TAGS), Moving(), security="all", lean=True) as server:
        print(json.dumps({"server": server.url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
