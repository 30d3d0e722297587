"""`reactorwatch check`: is a plant file right?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collector.commands.terms import load_plant, output
from drivers.base import scan_groups


def check(plant: Annotated[Path, typer.Argument(help="The plant file.", metavar="PLANT.yaml")]) -> None:
    """Check a plant file: every fault at once, each with its line and what would be right."""
    loaded = load_plant(plant)
    groups = [group for endpoint in loaded.endpoints for group in scan_groups(endpoint)]
    tags = sum(len(group.tags) for group in groups)
    rate = sum(len(group.tags) * 1e9 / group.layout.period_ns for group in groups)
    devices = sum(len(endpoint.devices) for endpoint in loaded.endpoints)
    output.print(
        f"{plant}: fine. site {loaded.site}: {len(loaded.units)} units, {len(loaded.endpoints)} endpoints, {devices} devices, "
        f"{tags} tags in {len(groups)} scan groups ({rate:g} values/s), {len(loaded.limits)} limits, {len(loaded.sinks)} sinks",
        markup=False,
    )
