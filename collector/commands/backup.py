"""`reactorwatch backup` and `restore`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import DownloadColumn, Progress

from collector.commands.data_folder import DATA, RunningData, data_option
from collector.commands.terms import FAILED, errors, expect_record, failed, output
from collector.commands.verify import proved, show
from collector.store.backup import back_up, bytes_to_copy, manifest_of
from collector.store.backup import restore as restore_copy
from collector.store.files import StoreError
from collector.version import VERSION


def backup(
    to: Annotated[Path, typer.Argument(help="The folder to make; it must be empty or not there.", metavar="TO")],
    data: RunningData = DATA,
) -> None:
    """Copy the record while the daemon runs."""
    expect_record(data)
    try:
        with _bar() as progress:
            task = progress.add_task("backup", total=bytes_to_copy(data) or None)
            copied = back_up(data, to, VERSION, time.time_ns(), lambda size: progress.advance(task, size))
    except StoreError as exc:
        failed(str(exc))
    output.print(f"{len(copied)} files, {sum(each.size for each in copied):,} bytes copied to {to}", markup=False)


def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `backup` made.", metavar="FROM")],
    data: Annotated[Path, data_option("The data folder to make; it must be empty or not there.")] = DATA,
) -> None:
    """Make a data folder of a copy, and verify it."""
    try:
        with _bar() as progress:
            task = progress.add_task("restore", total=sum(each.size for each in manifest_of(source)) or None)
            files = restore_copy(source, data, lambda size: progress.advance(task, size))
    except StoreError as exc:
        failed(str(exc))
    output.print(f"{len(files)} files are as they were copied", markup=False)
    proof = proved(data)
    show(proof)
    if not proof.sound:
        raise typer.Exit(FAILED)


def _bar() -> Progress:
    columns = (*Progress.get_default_columns(), DownloadColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
