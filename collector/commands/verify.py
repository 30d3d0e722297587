"""`reactorwatch verify`: is the record whole, and does a sink hold what it accepted?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.progress import Progress

from collector.commands.terms import FAILED, errors, failed, output, wrong_input
from collector.proof import Proof, as_json, prove, rows_to_read
from collector.store.files import StoreError, journal_files


def verify(
    data: Annotated[Path, typer.Option(help="The data folder of the daemon, which may run.")] = Path("data"),
    json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
) -> None:
    """Prove that the record is whole: every page and row, the hash chain, the sequence, each sink's ledger."""
    if not journal_files(data):
        wrong_input(f"{data}: there is no journal here; give the daemon's folder with --data")
    proof = proved(data)
    if json:
        typer.echo(orjson.dumps(as_json(proof), option=orjson.OPT_INDENT_2).decode())
    else:
        show(proof)
    if not proof.sound:
        raise typer.Exit(FAILED)


def proved(data: Path) -> Proof:
    """The proof, with a progress bar on a terminal; ends the command where the folder can't be read."""
    try:
        with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
            task = progress.add_task("verify", total=rows_to_read(data) or None)
            return prove(data, lambda rows: progress.advance(task, rows))
    except StoreError as exc:
        failed(str(exc))


def show(proof: Proof) -> None:
    """For people."""
    for each in proof.files:
        unchained = f", {each.unchained} from before there was a hash chain" if each.unchained else ""
        samples, rows = each.end.samples - each.before.samples, f"rows {each.before.seq + 1} to {each.end.seq}"
        output.print(f"{each.name}: {rows}, {samples} samples in {each.commits} commits{unchained}", markup=False)
    for cause, count in sorted(proof.gaps.items()):
        output.print(f"gaps, {cause}: {count}", markup=False)
    for finding in proof.findings:
        mark = "✗" if finding.fault else "·"
        advice = f" → {finding.advice}" if finding.advice else ""
        output.print(f"{mark} {finding.where}: {finding.what}{advice}", markup=False, style="red" if finding.fault else "")
    for line in proof.ledger.lines() if proof.ledger else ():
        output.print(line, markup=False)
    output.print("sound" if proof.sound else "NOT SOUND", style="green" if proof.sound else "red")
