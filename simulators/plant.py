"""A whole plant file, simulated: every endpoint served behind a wire, every unit running its recipe in plant time.

client ──► Wire ──► OpcUaServer, ModbusServer ──► Live ──► units
            ▲              ▲                                 ▲
            └── Board: begins and ends upsets ◄── Script (the timeline), or somebody who asks
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self
from urllib.parse import urlsplit

from config.model import ModbusEndpoint, OpcUaEndpoint, Plant
from simulators.board import Board
from simulators.listening import bracketed
from simulators.live import Live, PlantTime
from simulators.modbus.rtu import Rtu
from simulators.modbus.server import ModbusServer
from simulators.opcua.access import Security
from simulators.opcua.server import OpcUaServer
from simulators.scenario import Scenario
from simulators.simulation import Simulation
from simulators.source import SimulationError
from simulators.unit import ReactorUnit
from simulators.upset import Disturbable, End, Upset
from simulators.wire.wire import KINDS_OF_WIRE, Wire


class Server(Disturbable, Protocol):
    """A server of either protocol: it serves while its context is open."""

    @property
    def url(self) -> str: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_exc: object) -> None: ...


Ports = Literal["as configured", "free"]
_OFTEN_S, _SELDOM_S = 0.02, 0.2
"""Nobody has to read for plant time to pass: else the first read after an hour would have to compute it all, and the
timeline would begin nothing on the wire."""


@dataclass(frozen=True, slots=True)
class _Served:
    """An endpoint: what a network does is done by the wire, what a server does by the server."""

    wire: Wire
    server: Server

    def disturb(self, upset: Upset) -> End:
        if upset.kind == "restart" and isinstance(self.server, OpcUaServer):
            self.server.disturb(Upset("drop_sessions", upset.target))
        if upset.kind in KINDS_OF_WIRE:
            return self.wire.disturb(upset)
        return self.server.disturb(upset)


class SimulatedPlant:
    """Open, it serves; `urls` tells where, by the name of the endpoint.

    As configured: at each endpoint's host and port. Free: on 127.0.0.1, at ports nobody else has. Recipes of the
    scenario that are files count from `folder`. OPC UA security policies are offered where it listens as configured, unless
    `security` says otherwise. Raises SimulationError where it cannot listen, or cannot serve a tag.
    """

    def __init__(
        self,
        plant: Plant,
        speed: float = 1.0,
        seed: int = 1,
        ports: Ports = "as configured",
        scenario: Scenario | None = None,
        folder: Path = Path(),
        security: Security | None = None,
        lean: bool = False,
    ) -> None:
        """`lean`: its OPC UA servers have no properties around the tags, for farms."""
        self.plant, self.speed, self.seed, self.scenario = plant, speed, seed, scenario
        self.urls: dict[str, str] = {}
        self._ports, self._folder = ports, folder
        self._lean = lean
        self.security: Security = security or ("all" if ports == "as configured" else "none")
        self._endpoints: dict[str, _Served] = {}
        self._open = AsyncExitStack()
        self._simulation: Simulation | None = None

    @property
    def units(self) -> dict[str, ReactorUnit]:
        """By name."""
        return self._running.units

    @property
    def board(self) -> Board:
        """Where upsets begin and end."""
        return self._running.board

    @property
    def live(self) -> Live:
        """Where its servers get their values."""
        return self._running.live

    @property
    def _running(self) -> Simulation:
        assert self._simulation is not None, "it is not open"
        return self._simulation

    async def __aenter__(self) -> Self:
        time = PlantTime(self.speed)
        self._simulation = Simulation(self.plant, time, self.seed, self.scenario, self._folder, self._endpoints)
        async with AsyncExitStack() as stack:
            for endpoint in self.plant.endpoints:
                await self._serve(endpoint, stack)
            self._simulation.begin()
            interval_s = min(_SELDOM_S, max(_OFTEN_S, 1 / self.speed))
            task = asyncio.create_task(_keep_up(self.live, interval_s), name="simulated plant")
            stack.push_async_callback(_ended, task)
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._open.aclose()

    async def _serve(self, endpoint: OpcUaEndpoint | ModbusEndpoint, stack: AsyncExitStack) -> None:
        _check_simulated(endpoint)
        host, port = (endpoint.host, endpoint.port) if self._ports == "as configured" else ("127.0.0.1", 0)
        wire = await stack.enter_async_context(Wire(endpoint.name, host, port, seed=self.seed))
        server = self._server(endpoint, (host, wire.port))
        await stack.enter_async_context(server)
        behind = urlsplit(server.url)
        wire.target = ("127.0.0.1", behind.port or 0)
        self._endpoints[endpoint.name] = _Served(wire, server)
        self.urls[endpoint.name] = f"{behind.scheme}://{bracketed(host)}:{wire.port}{behind.path}"

    def _server(self, endpoint: OpcUaEndpoint | ModbusEndpoint, advertised: tuple[str, int]) -> Server:
        if isinstance(endpoint, OpcUaEndpoint):
            return OpcUaServer(endpoint, self.live, advertised=advertised, security=self.security, lean=self._lean)
        return ModbusServer(endpoint, self.live, framing=Rtu() if endpoint.transport == "rtu" else None)


def _check_simulated(endpoint: OpcUaEndpoint | ModbusEndpoint) -> None:
    if isinstance(endpoint, ModbusEndpoint) and endpoint.transport in ("tls", "serial"):
        instead = f"modbus{'+rtu' if endpoint.transport == 'serial' else ''}://127.0.0.1:1502"
        raise SimulationError(f"endpoint {endpoint.name}: {endpoint.url} can't be simulated: give it e.g. {instead} for that")


async def _keep_up(live: Live, interval_s: float) -> None:
    while True:
        live.refresh()
        await asyncio.sleep(interval_s)


async def _ended(task: asyncio.Task[None]) -> None:
    """Stop it; what it failed of is told to whoever closes the plant."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
