"""`reactorwatch simulate`: the controllers of a plant file, without the plant."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from collector.commands.terms import failed, load_plant, log_to, output, stop_on_signals, wrong_input
from config.model import Plant
from config.sinks import SecretError


def simulate(
    plant: Annotated[Path, typer.Argument(help="The plant file whose endpoints are served.", metavar="PLANT.yaml")],
    speed: Annotated[float, typer.Option(help="Plant seconds per second.", min=0.01, max=3600)] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plant.")] = 1,
    with_parent: Annotated[bool, typer.Option("--with-parent", help="End when standard input is closed.", hidden=True)] = False,
) -> None:
    """Serve the endpoints of a plant file as simulated reactors, until Ctrl-C."""
    from simulators.source import SimulationError

    loaded = load_plant(plant)
    for endpoint in loaded.endpoints:
        if endpoint.host not in ("127.0.0.1", "localhost", "::1"):
            wrong_input(
                f"{plant}: endpoint {endpoint.name} is {endpoint.url}: a simulator listens on this machine only, "
                "so write 127.0.0.1 as its host"
            )
    log_to(sys.stderr)
    try:
        asyncio.run(_serve(loaded, speed, seed, with_parent=with_parent))
    except (SimulationError, SecretError) as exc:
        failed(str(exc))


async def _serve(plant: Plant, speed: float, seed: int, *, with_parent: bool) -> None:
    from simulators.plant import SimulatedPlant

    with stop_on_signals() as stop:
        async with SimulatedPlant(plant, speed, seed) as simulated:
            for endpoint in plant.endpoints:
                devices = ", ".join(f"{device.name} ({len(device.tags)} tags)" for device in endpoint.devices)
                output.print(f"serving {simulated.urls[endpoint.name]}  {endpoint.name}: {devices}", markup=False)
            output.print(f"plant time runs at {speed:g} times wall time; Ctrl-C ends it", markup=False)
            sys.stdout.flush()
            if with_parent:
                asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _read_until_closed, stop.asked)
            await stop.asked.wait()


def _read_until_closed(closed: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        closed.set()
