"""`reactorwatch run`: the daemon."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from collector.commands.data_folder import DATA, data_option
from collector.commands.terms import errors, failed, load_plant, log_to, stop_on_signals, wrong_input
from collector.garbage import for_good, unsearched
from collector.ledger import Ledger
from collector.store.files import StoreError
from config.load import config_hash


def run(
    plant: Annotated[Path, typer.Argument(help="The plant file.", metavar="PLANT.yaml")],
    data: Annotated[
        Path,
        data_option("The data folder: journal and registry. Made when it is not there."),
    ] = DATA,
    renamed: Annotated[bool, typer.Option("--renamed", help="The site has another name now: go on in its record.")] = False,
) -> None:
    """Collect from a plant until SIGTERM or Ctrl-C; then drain, and print the ledger."""
    from collector.app import Daemon, JournalRefused
    from collector.keeping.owner import OtherSite

    with unsearched():
        loaded = load_plant(plant)
    log_to(sys.stderr)

    async def collect() -> Ledger:
        async with for_good(Daemon(loaded, data, config_hash(plant), renamed=renamed)) as daemon:
            with stop_on_signals() as stop:
                return await daemon.run(stop.asked, stop.hurry)

    try:
        ledger = asyncio.run(collect())
    except OtherSite as exc:
        wrong_input(f"{exc}, or --renamed if it is the same site under a new name")
    except (StoreError, JournalRefused) as exc:
        failed(str(exc))
    for line in ledger.lines():
        print(line)  # noqa: T201  the last word, on standard output
    if not ledger.balanced:
        errors.print("the ledger does not balance: this is a defect, please report it with the data folder")
        failed("ledger out of balance")
