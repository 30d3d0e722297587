"""`reactorwatch init`: a commented plant file to begin with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from collector.commands.terms import failed, output, wrong_input
from config.load import examine
from config.starter import SITE, UNIT, Protocol, starter


def init(
    file: Annotated[Path, typer.Argument(help="The plant file to write.", metavar="PLANT.yaml")] = Path("plant.yaml"),
    opcua: Annotated[str | None, typer.Option(metavar="URL", help="The OPC UA server of the first device.")] = None,
    modbus: Annotated[str | None, typer.Option(metavar="URL", help="Or its Modbus TCP server or gateway.")] = None,
    site: Annotated[str, typer.Option(help="Name of the site.")] = SITE,
    unit: Annotated[str, typer.Option(help="Name of the unit, e.g. the reactor.")] = UNIT,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a plant file for a first device, with every common setting explained."""
    if opcua and modbus:
        wrong_input("give one of --opcua and --modbus: a second device is added in the file")
    for option, url, speaks, other in (("--opcua", opcua, "modbus", "--modbus"), ("--modbus", modbus, "opc.", "--opcua")):
        if url and url.lower().startswith(speaks):
            wrong_input(f"{option} {url}: that is an address for {other}")
    protocol: Protocol = "modbus" if modbus else "opcua"
    text = starter(protocol, modbus or opcua, site, unit, file.name)
    try:
        _write(file, text, force=force)
    except FileExistsError:
        wrong_input(f"{file} is there already: give another name, or --force to overwrite it")
    except OSError as exc:
        failed(f"{file} can't be written: {exc.strerror}")
    output.print(f"wrote {file}. Edit it: the addresses are examples. Then", markup=False)
    for command, what in (
        (f"schema -o {file.parent / 'plant.schema.json'}", "lets editors complete and explain keys"),
        (f"check {file}", "tells every fault at once"),
        (f"check {file} --live", "reads every tag once and compares"),
        (f"run {file} --data data", "collects until Ctrl-C"),
    ):
        output.print(f"  reactorwatch {command:<44} # {what}", markup=False)


def _write(file: Path, text: str, *, force: bool) -> None:
    """The file gets its name when it is whole and passes `check`. Raises OSError, FileExistsError among them."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    if file.exists() and not force:
        raise FileExistsError
    try:
        with unfinished.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        _check(unfinished)
        if force:
            unfinished.replace(file)
        else:
            file.hardlink_to(unfinished)  # fails where a file of this name came meanwhile
    finally:
        unfinished.unlink(missing_ok=True)


def _check(unfinished: Path) -> None:
    """What was given on the command line may be wrong: told as the loader tells it."""
    if faults := examine(unfinished).faults:
        wrong_input("\n".join(f"{fault.path}: {fault.what}" for fault in faults))
