"""`reactorwatch check`: is a plant file right? And, live, does the plant agree with it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collector.commands.terms import counted, load_plant, output, seconds, wrong_input
from config.model import Plant
from drivers.base import scan_groups


def check(
    plant: Annotated[Path, typer.Argument(help="The plant file.", metavar="PLANT.yaml")],
    live: Annotated[bool, typer.Option("--live", help="Connect, read every tag once, show what contradicts.")] = False,
    deadline: Annotated[str, typer.Option(help="With --live: the longest that one endpoint may take.")] = "30s",
    json: Annotated[bool, typer.Option("--json", help="With --live: one JSON object, for machines.")] = False,
) -> None:
    """Check a plant file: every fault at once, each with its line and what would be right."""
    deadline_s = seconds(deadline)
    if json and not live:
        wrong_input("--json tells what was read from the plant: give --live with it")
    loaded = load_plant(plant)
    if not live:
        _tell(plant, loaded)
        return
    from collector.commands.live_check import check_live

    check_live(loaded, deadline_s, json=json)


def _tell(plant: Path, loaded: Plant) -> None:
    groups = [group for endpoint in loaded.endpoints for group in scan_groups(endpoint)]
    tags = sum(len(group.tags) for group in groups)
    rate = sum(len(group.tags) * 1e9 / group.layout.period_ns for group in groups)
    devices = sum(len(endpoint.devices) for endpoint in loaded.endpoints)
    output.print(
        f"{plant}: fine. site {loaded.site}: {counted(len(loaded.units), 'unit')}, {counted(len(loaded.endpoints), 'endpoint')}, "
        f"{counted(devices, 'device')}, {counted(tags, 'tag')} in {counted(len(groups), 'scan group')} ({rate:g} values/s), "
        f"{counted(len(loaded.limits), 'limit')}, {counted(len(loaded.sinks), 'sink')}",
        markup=False,
    )
