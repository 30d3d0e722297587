"""`reactorwatch simulate`: the controllers of a plant file, without the plant."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.commands.terms import failed, faulty, load_plant, log_to, output, stop_on_signals, wrong_input
from config.faults import ConfigError
from config.sinks import SecretError

if TYPE_CHECKING:
    from simulators.plant import SimulatedPlant


def simulate(
    plant: Annotated[Path, typer.Argument(help="The plant file whose endpoints are served.", metavar="PLANT.yaml")],
    speed: Annotated[float, typer.Option(help="Plant seconds per second.", min=0.01, max=3600)] = 1.0,
    scenario: Annotated[Path | None, typer.Option(help="A scenario: what runs in the units, and what goes wrong when.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plant.")] = 1,
    control: Annotated[Path | None, typer.Option(help="Path of the socket that the command upset speaks to.")] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", help="End when standard input is closed.", hidden=True)] = False,
) -> None:
    """Serve the endpoints of a plant file as simulated reactors, until Ctrl-C."""
    from simulators.plant import SimulatedPlant
    from simulators.scenario import load_scenario
    from simulators.source import SimulationError

    loaded = load_plant(plant)
    for endpoint in loaded.endpoints:
        if endpoint.host not in ("127.0.0.1", "localhost", "::1"):
            wrong_input(
                f"{plant}: endpoint {endpoint.name} is {endpoint.url}: a simulator listens on this machine only, "
                "so write 127.0.0.1 as its host"
            )
    try:
        told = load_scenario(scenario, loaded) if scenario else None
    except ConfigError as exc:
        faulty(scenario or plant, exc)
    log_to(sys.stderr)
    try:
        folder = scenario.parent if scenario else Path()
        asyncio.run(_serve(SimulatedPlant(loaded, speed, seed, scenario=told, folder=folder), control, with_parent=with_parent))
    except (SimulationError, SecretError) as exc:
        failed(str(exc))


async def _serve(simulated: SimulatedPlant, path: Path | None, *, with_parent: bool) -> None:
    from simulators.control import Control

    with stop_on_signals() as stop:
        async with simulated, Control(simulated.board, simulated.live, simulated.speed, path) as control:
            for endpoint in simulated.plant.endpoints:
                devices = ", ".join(f"{device.name} ({len(device.tags)} tags)" for device in endpoint.devices)
                output.print(f"serving {simulated.urls[endpoint.name]}  {endpoint.name}: {devices}", markup=False)
            output.print(f"upsets: reactorwatch upset KIND TARGET --simulator {control.path}", markup=False)
            output.print(f"plant time runs at {simulated.speed:g} times wall time; Ctrl-C ends it", markup=False)
            sys.stdout.flush()
            if with_parent:
                asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _read_until_closed, stop.asked)
            await stop.asked.wait()


def _read_until_closed(closed: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        closed.set()
