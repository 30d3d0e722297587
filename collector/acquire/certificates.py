"""Looks after the certificates that endpoints live by: at the start and a few times a day, for a daemon runs longer than they do.

What is wrong is told once (an event, a line in the log) and shown by `status` for as long as it is so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from collector.acquire.health import Health
from config.model import OpcUaEndpoint
from drivers.base import Clock, Endpoint

LOOK_INTERVAL_S = 6 * 3600.0
FILES = "files"
"""The source of what is said of files; what a server shows comes from its connection."""


async def watch(endpoints: Sequence[Endpoint], clock: Clock, health: Health) -> None:
    """For ever."""
    while True:
        for endpoint in endpoints:
            if isinstance(endpoint, OpcUaEndpoint):
                from drivers.opcua.inspection import inspect  # noqa: PLC0415  a plant without OPC UA loads nothing of it

                found = await asyncio.to_thread(inspect, endpoint)
                notices = [f"{each.whose} certificate {each.path}: {each.wrong}" for each in found if each.wrong]
                health.noticed(endpoint.name, FILES, notices, clock.now_ns())
        await asyncio.sleep(LOOK_INTERVAL_S)
