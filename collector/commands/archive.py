"""`reactorwatch archive`: closed days to a disk elsewhere, proved there, so that retention may remove them here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.progress import DownloadColumn, Progress

from collector.archive.copying import Outcome, State, bytes_to_archive
from collector.archive.copying import archive as archive_days
from collector.archive.folder import WrongFolder
from collector.commands.data_folder import DATA, RunningData
from collector.commands.terms import FAILED, counted, errors, expect_record, output, wrong_input
from collector.store.files import StoreError
from collector.version import VERSION

Show = Callable[[Outcome], None]


def archive(
    to: Annotated[Path, typer.Argument(help="An archive, or the folder to make: on another disk, or a share.", metavar="TO")],
    data: RunningData = DATA,
    until: Annotated[str | None, typer.Option(help="The last day (UTC) to archive, e.g. 2026-11-23.")] = None,
    same_disk: Annotated[bool, typer.Option("--same-disk", help="TO may be on the disk of the data folder.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
) -> None:
    """Copy closed days to a folder elsewhere, prove the copies, and note them, so that retention may remove gmp data."""
    last = _day(until)
    expect_record(data)
    outcomes: list[Outcome] = []

    def told(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if not json:
            _tell(outcome)

    failure = _archived(data, to, last, told, same_disk=same_disk)
    if json:
        typer.echo(orjson.dumps(_facts(to, outcomes, failure), option=orjson.OPT_INDENT_2).decode())
    elif outcomes or not failure:
        _sum_up(to, outcomes)
    if failure:
        errors.print(failure, markup=False, style="red")
    if failure or any(each.state is State.UNSOUND for each in outcomes):
        raise typer.Exit(FAILED)


def _day(text: str | None) -> str:
    if text is None:
        return "9999-12-31"
    try:
        return f"{date.fromisoformat(text)}"
    except ValueError:
        wrong_input(f"--until {text!r} is no day: write e.g. 2026-11-23")


def _archived(data: Path, to: Path, until: str, told: Show, *, same_disk: bool) -> str:
    """Why it ended before it was done; empty when it was done."""
    columns = (*Progress.get_default_columns(), DownloadColumn())
    try:
        with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
            task = progress.add_task("archive", total=bytes_to_archive(data, to, until) or None)

            def show(size: int) -> None:
                progress.advance(task, size)

            for each in archive_days(data, to, VERSION, time.time_ns, until=until, same_disk=same_disk, show=show):
                told(each)
    except WrongFolder as exc:
        wrong_input(str(exc))
    except StoreError as exc:
        return str(exc)
    return ""


def _tell(outcome: Outcome) -> None:
    entry = outcome.entry
    if outcome.state in (State.ARCHIVED, State.NOTED) and entry:
        rows = f"rows {entry.first_seq} to {entry.last_seq}, {entry.samples} samples"
        output.print(f"{outcome.day}: {outcome.state.value}, {rows}, SHA-256 {entry.sha256}", markup=False)
    elif outcome.state is State.WAITING:
        output.print(f"{outcome.day}: waits, {outcome.cause}", markup=False)
    elif outcome.state is State.UNSOUND:
        advice = "run `reactorwatch verify`"
        output.print(
            f"✗ {outcome.day}: not archived, the original is not sound: {outcome.cause} → {advice}", markup=False, style="red"
        )


def _sum_up(to: Path, outcomes: list[Outcome]) -> None:
    states = [each.state for each in outcomes]
    done = states.count(State.ARCHIVED) + states.count(State.NOTED)
    already = states.count(State.ALREADY)
    output.print(f"{counted(done, 'day')} archived to {to}, read back and noted; {already} had been before", markup=False)


def _facts(to: Path, outcomes: list[Outcome], failure: str) -> dict[str, object]:
    days = [
        {"day": each.day, "state": each.state.value, "cause": each.cause, "entry": asdict(each.entry) if each.entry else None}
        for each in outcomes
    ]
    return {"folder": str(to.resolve()), "days": days, "failed": failure}
