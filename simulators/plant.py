"""A whole plant file, simulated: every endpoint served, every unit running its recipe in plant time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Literal, Protocol, Self

from config.model import ModbusEndpoint, OpcUaEndpoint, Plant
from simulators.live import Live, PlantTime
from simulators.modbus_server import ModbusServer
from simulators.opcua_server import OpcUaServer
from simulators.source import Source
from simulators.unit import ReactorUnit, unit_plans


class Server(Protocol):
    """A server of either protocol: it serves while its context is open."""

    @property
    def url(self) -> str: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_exc: object) -> None: ...


Ports = Literal["as configured", "free"]
_KEEP_UP_S = 0.2
"""Nobody has to read for plant time to pass: else the first read after an hour would have to compute it all."""


class SimulatedPlant:
    """Open, it serves; `urls` tells where, by the name of the endpoint.

    As configured: at each endpoint's host and port. Free: on 127.0.0.1, at ports nobody else has.
    Raises SimulationError where it cannot listen, or cannot serve a tag.
    """

    def __init__(self, plant: Plant, speed: float = 1.0, seed: int = 1, ports: Ports = "as configured") -> None:
        self.plant, self.speed, self.seed = plant, speed, seed
        self.urls: dict[str, str] = {}
        self.units: dict[str, ReactorUnit] = {}
        self._ports = ports
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        names = dict.fromkeys([unit.name for unit in self.plant.units])
        names |= dict.fromkeys(unit for device, tag in self.plant.tags() if (unit := device.unit_of(tag)))
        self.units = {plan.name: ReactorUnit(plan, self.seed) for plan in unit_plans(tuple(names))}
        async with AsyncExitStack() as stack:
            live = Live(tuple(self.units.values()), PlantTime(self.speed))
            for endpoint in self.plant.endpoints:
                server = await stack.enter_async_context(self._server(endpoint, live))
                self.urls[endpoint.name] = server.url
            task = asyncio.create_task(_keep_up(live), name="simulated plant")
            stack.push_async_callback(_ended, task)
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._open.aclose()

    def _server(self, endpoint: OpcUaEndpoint | ModbusEndpoint, source: Source) -> Server:
        host, port = (endpoint.host, endpoint.port) if self._ports == "as configured" else ("127.0.0.1", 0)
        if isinstance(endpoint, OpcUaEndpoint):
            return OpcUaServer(endpoint, source, host, port)
        return ModbusServer(endpoint, source, host, port)


async def _keep_up(live: Live) -> None:
    while True:
        live.refresh()
        await asyncio.sleep(_KEEP_UP_S)


async def _ended(task: asyncio.Task[None]) -> None:
    """Stop it; what it failed of is told to whoever closes the plant."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
