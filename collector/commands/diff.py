"""`reactorwatch diff`: what changed between two plant files, in the words of the plant."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.text import Text

from collector.commands.terms import FAILED, load_plant, output
from collector.show.words import written
from collector.terms import Json
from config.difference import Change, Kind, differences
from config.model import Plant
from drivers.base import scan_groups

_MARKS = {Kind.ADDED: "+", Kind.REMOVED: "−", Kind.RENAMED: "»", Kind.MOVED: "»", Kind.CHANGED: "~", Kind.ORDER: "↕"}
_STYLES = {Kind.ADDED: "green", Kind.REMOVED: "red", Kind.ORDER: "dim"}


def diff(
    old: Annotated[Path, typer.Argument(help="The plant file as it was.", metavar="OLD.yaml")],
    new: Annotated[Path, typer.Argument(help="The plant file as it is to be.", metavar="NEW.yaml")],
    json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
) -> None:
    """Tell what changed between two plant files, in the words of the plant."""
    # Secrets and keys beside the plant file are the same ones wherever the two plant files lie.
    before, after = (load_plant(file, quiet=True, folder=Path()) for file in (old, new))
    changes = differences(before, after)
    layouts = new_layouts(before, after)
    if json:
        typer.echo(orjson.dumps(_facts(changes, layouts), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(changes, layouts)
    if layouts or any(matters(change) for change in changes):
        raise typer.Exit(FAILED)


def matters(change: Change) -> bool:
    """The order of things in the file alone has no meaning."""
    return change.kind is not Kind.ORDER


def new_layouts(old: Plant, new: Plant) -> list[str]:
    """The scan groups, as `endpoint/device/group`, whose rows in the journal have another layout from now on."""
    before, after = (
        {group.name: group.layout.id for endpoint in plant.endpoints for group in scan_groups(endpoint)} for plant in (old, new)
    )
    return [name for name, id_ in after.items() if name in before and before[name] != id_]


def _print(changes: Iterable[Change], layouts: list[str]) -> None:
    headings: dict[str, list[Change]] = {}
    for change in changes:
        headings.setdefault(change.where, []).append(change)
    for where, below in headings.items():
        output.print(Text(written(where), "bold"))
        for change in below:
            output.print(Text(f"  {_MARKS[change.kind]} {written(str(change))}", _STYLES.get(change.kind, "")))
    if not headings:
        output.print("no differences")
    if layouts:
        output.print(f"new layout, which the journal keeps apart from the old one: {', '.join(layouts)}", markup=False)


def _facts(changes: Iterable[Change], layouts: list[str]) -> dict[str, Json]:
    told: list[Json] = [{"where": one.where, "name": one.name, "kind": str(one.kind), "text": one.text} for one in changes]
    return {"changes": told, "new_layouts": list(layouts)}
