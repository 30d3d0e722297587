"""`reactorwatch quarantine`: what was set aside, and that a person has taken note of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from collector.commands.aligned import aligned
from collector.commands.data_folder import DATA, RunningData
from collector.commands.terms import counted, failed, output, wrong_input
from collector.report.export import iso
from collector.store.files import StoreError
from collector.store.losses import acknowledge, losses
from collector.store.salvage import salvage


def quarantine(
    data: RunningData = DATA,
    noted: Annotated[str | None, typer.Option("--acknowledge", help="You have taken note of this one.", metavar="NAME")] = None,
    note: Annotated[str | None, typer.Option(help="With --acknowledge: what you found out, who you are.")] = None,
    salvaged: Annotated[str | None, typer.Option("--salvage", help="Copy what is intact of this one.", metavar="NAME")] = None,
    folder: Annotated[Path | None, typer.Option("--to", help="With --salvage: a new folder.")] = None,
) -> None:
    """List what was damaged and set aside; with --acknowledge it is told no more, with --salvage what is intact is copied out."""
    if (salvaged is None) != (folder is None):
        wrong_input("--salvage and --to belong together")
    if not (data / "journal").is_dir():
        wrong_input(f"{data}: there is no journal here; give the daemon's folder with --data")
    try:
        if salvaged is not None and folder is not None:
            _salvage(data, salvaged, folder)
            return
        if noted is not None:
            if noted not in {loss.name for loss in losses(data)}:
                wrong_input(f"{data} has no {noted} in its quarantine")
            acknowledge(data, noted, time.time_ns(), note or "")
        found = losses(data)
    except StoreError as exc:
        failed(str(exc))
    rows = [
        (
            loss.name,
            loss.file,
            "kept" if loss.kept else "gone",
            f"{loss.samples}",
            iso(loss.from_ns)[:19] if loss.from_ns else "",
            iso(loss.to_ns)[:19],
            loss.note or "acknowledged" if loss.acknowledged_ns else "",
            loss.cause,
        )
        for loss in found
    ]
    headings = ("name", "file", "is", "samples", "from", "to", "acknowledged", "cause")
    for line in aligned(headings, rows) if rows else ["nothing was set aside"]:
        output.print(line, markup=False)


def _salvage(data: Path, name: str, to: Path) -> None:
    loss = next((loss for loss in losses(data) if loss.name == name), None)
    if loss is None:
        wrong_input(f"{data} has no {name} in its quarantine")
    found = salvage(data, loss, to)
    proof = f", {found.unproved} of them without a hash" if found.unproved else ""
    output.print(f"{to}: {counted(found.commits, 'commit')}{proof}, {found.rows} rows, {found.samples} samples", markup=False)
    for left in found.left:
        rows = f"rows {left.after_seq + 1} to {left.seq}" if left.seq else f"rows from {left.after_seq + 1} on"
        output.print(f"left: {rows}: {left.what}", markup=False)
