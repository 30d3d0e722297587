"""`reactorwatch simulate`: the controllers of a plant file, without the plant."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.commands.terms import failed, faulty, load_plant, log_to, output, stop_on_signals, wrong_input
from config.faults import ConfigError
from config.model import Plant
from config.sinks import SecretError

if TYPE_CHECKING:
    from simulators.plant import SimulatedPlant
    from simulators.scenario import Scenario

PRACTICE, PRACTICE_SCENARIO = "practice-plant.yaml", "practice-scenario.yaml"
_HERE = ("127.0.0.1", "localhost", "::1")


class FarmProtocol(StrEnum):
    """What the reactors of a farm speak."""

    BOTH = "both"
    OPCUA = "opcua"
    MODBUS = "modbus"


class SecurityChoice(StrEnum):
    """What the OPC UA servers offer."""

    NONE = "none"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is to be served, and the file that the user has of it, if any."""

    plant: Plant
    file: str
    scenario: Path | None
    is_farm: bool = False


def simulate(
    plant: Annotated[Path | None, typer.Argument(help="The plant file whose endpoints are served.", metavar="PLANT.yaml")] = None,
    scenario: Annotated[Path | None, typer.Option(help="A scenario: what runs in the units, and what goes wrong when.")] = None,
    farm: Annotated[int | None, typer.Option(help="Serve this many reactors, for load.", metavar="N")] = None,
    protocol: Annotated[FarmProtocol, typer.Option(help="What the reactors of a farm speak.")] = FarmProtocol.BOTH,
    write: Annotated[Path | None, typer.Option(help="Write the plant file of what is built in.", metavar="FILE")] = None,
    map_: Annotated[bool, typer.Option("--map", help="Print every node and register that is served, and end.")] = False,
    speed: Annotated[float, typer.Option(help="Plant seconds per second.", min=0.01, max=3600)] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plant.")] = 1,
    security: Annotated[SecurityChoice | None, typer.Option(help="Security policies that OPC UA servers offer.")] = None,
    control: Annotated[Path | None, typer.Option(help="Path of the socket that the command upset speaks to.")] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", help="End when standard input is closed.", hidden=True)] = False,
) -> None:
    """Serve simulated reactors until Ctrl-C: those of a plant file, a farm, or two to practise on."""
    from simulators.plant import SimulatedPlant
    from simulators.source import SimulationError

    try:
        chosen = _chosen(plant, farm, protocol, write)
        if map_:
            _print_map(chosen.plant)
            return
        told, folder = _scenario(scenario or chosen.scenario, chosen.plant)
        none = security is SecurityChoice.NONE or (security is None and chosen.is_farm)
        log_to(sys.stderr)
        simulated = SimulatedPlant(
            chosen.plant, speed, seed, scenario=told, folder=folder, security="none" if none else "all", lean=chosen.is_farm
        )
        asyncio.run(_serve(simulated, chosen.file, control, with_parent=with_parent))
    except (SimulationError, SecretError) as exc:
        failed(str(exc))


def _chosen(plant: Path | None, farm: int | None, protocol: FarmProtocol, write: Path | None) -> _Chosen:
    """Raises SimulationError; ends the command for what was typed wrong."""
    if plant is not None and (farm is not None or write is not None):
        wrong_input(f"{plant} is a plant file already: --farm and --write are for what is built in, so leave it or them out")
    if farm is not None:
        return _chosen_farm(farm, protocol, write)
    if protocol is not FarmProtocol.BOTH:
        wrong_input("--protocol is for a farm: give --farm N with it")
    if plant is not None:
        return _Chosen(_of_this_machine(load_plant(plant), plant), str(plant), None)
    return _practice(write)


def _practice(write: Path | None) -> _Chosen:
    examples = files("config") / "examples"
    if write is not None:
        _write({write.name: (examples / PRACTICE).read_text(encoding="utf-8")}, write)
    with as_file(examples / PRACTICE) as file:
        return _Chosen(load_plant(file), str(write or ""), Path(file).with_name(PRACTICE_SCENARIO))


def _chosen_farm(count: int, protocol: FarmProtocol, write: Path | None) -> _Chosen:
    from simulators.farm import LARGEST, farm, farm_files

    if not 1 <= count <= LARGEST:
        wrong_input(f"a farm of {count} reactors cannot be served: give 1 to {LARGEST}")
    if write is not None:
        _write(farm_files(count, protocol.value, write.name), write)
    return _Chosen(farm(count, protocol.value), str(write or ""), None, is_farm=True)


def _write(texts: dict[str, str], file: Path) -> None:
    from simulators.farm import write_files
    from simulators.source import SimulationError

    try:
        write_files(texts, file.parent)
    except SimulationError as exc:
        wrong_input(str(exc))
    output.print(f"wrote {', '.join(str(file.with_name(name)) for name in texts)}", markup=False)


def _of_this_machine(plant: Plant, file: Path) -> Plant:
    for endpoint in plant.endpoints:
        if endpoint.host not in _HERE:
            wrong_input(
                f"{file}: endpoint {endpoint.name} is {endpoint.url}: a simulator listens on this machine only, "
                "so write 127.0.0.1 as its host"
            )
    return plant


def _scenario(file: Path | None, plant: Plant) -> tuple[Scenario | None, Path]:
    from simulators.scenario import load_scenario

    if file is None:
        return None, Path()
    try:
        return load_scenario(file, plant), file.parent
    except ConfigError as exc:
        faulty(file, exc)


def _print_map(plant: Plant) -> None:
    from collector.commands.served import address_map

    for line in address_map(plant):
        output.print(line, markup=False)


async def _serve(simulated: SimulatedPlant, file: str, path: Path | None, *, with_parent: bool) -> None:
    from collector.commands.served import next_commands, served
    from simulators.control import Control

    with stop_on_signals() as stop:
        async with simulated, Control(simulated.board, simulated.live, simulated.speed, path) as control:
            unit = next(iter(simulated.units))
            upsets = [("cooling_failure", unit), ("freeze", simulated.plant.endpoints[0].name)]
            for line in (*served(simulated), *next_commands(file, upsets), "", f"control socket: {control.path}"):
                output.print(line, markup=False)
            output.print(f"plant time runs at {simulated.speed:g} times wall time; Ctrl-C ends it", markup=False)
            sys.stdout.flush()
            if with_parent:
                asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _read_until_closed, stop.asked)
            await stop.asked.wait()


def _read_until_closed(closed: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        closed.set()
