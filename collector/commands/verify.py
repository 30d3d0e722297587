"""`reactorwatch verify`: is the record whole, and does a sink hold what it accepted?"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.progress import Progress

from collector.archive.proof import prove_archive
from collector.commands.data_folder import DATA, RunningData
from collector.commands.terms import FAILED, errors, failed, load_plant, output, wrong_input
from collector.proof.as_json import as_json
from collector.proof.readback import Hour, compare
from collector.proof.record import Proof, prove, rows_to_read
from collector.report.export import iso
from collector.store.archive import is_archive
from collector.store.files import StoreError, journal_files
from collector.store.reader import Reader
from collector.store.registry import Registry, site_of
from collector.store.rows import DamagedRow
from collector.uplink.readback import NotReadable, open_readback
from config.sinks import SecretError, Sink, VictoriaMetricsSink


def verify(
    data: RunningData = DATA,
    read_back: Annotated[str | None, typer.Option("--sink", help="Also read this sink back, and compare.")] = None,
    plant_file: Annotated[Path | None, typer.Option("--plant", help="With --sink: says where it is.")] = None,
    json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
) -> None:
    """Prove that the record is whole: every page and row, the hash chain, the sequence, each sink's ledger."""
    if not journal_files(data) and not is_archive(data):
        wrong_input(f"{data}: there is no journal here; give the daemon's folder with --data")
    if read_back and is_archive(data):
        wrong_input(f"{data} is an archive, which knows no sinks: give the daemon's folder with --data")
    config = _sink(read_back, plant_file)
    proof = proved(data)
    hours = _read_back(data, config) if config else []
    if json:
        facts = as_json(proof) | {"hours": [asdict(hour) for hour in hours]}
        typer.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
    else:
        show(proof)
        _show_hours(hours, config)
    if not proof.sound or not all(hour.same for hour in hours):
        raise typer.Exit(FAILED)


def _sink(name: str | None, plant: Path | None) -> Sink | None:
    if name is None:
        return None
    if plant is None:
        wrong_input("--sink needs --plant PLANT.yaml, which says where the sink is")
    sinks = {each.name: each for each in load_plant(plant, quiet=True).sinks}
    if name not in sinks:
        wrong_input(f"{plant} has no sink {name}, only {', '.join(sorted(sinks)) or 'none'}")
    return sinks[name]


def _read_back(data: Path, config: Sink) -> list[Hour]:
    """Every hour and unit, compared."""

    async def compared() -> list[Hour]:
        with closing(Reader(data)) as reader, closing(Registry(data, read_only=True)) as registry:
            dead = frozenset(letter.seq for letter in registry.dead_letters(config.name))
            cursor = registry.cursor(config.name)
            async with open_readback(config) as sink:
                return [hour async for hour in compare(reader, cursor, dead, site_of(data), sink)]

    try:
        return asyncio.run(compared())
    except (StoreError, DamagedRow, NotReadable, SecretError) as exc:
        failed(str(exc))


def _show_hours(hours: list[Hour], config: Sink | None) -> None:
    if config is None:
        return
    for hour in hours:
        if not hour.same:
            told = f"{hour.expected} accepted, {hour.missing} missing, {hour.different} different, {hour.foreign} foreign"
            output.print(f"✗ {iso(hour.from_ns)[:13]}h {hour.unit}: {told}; {hour.example}", markup=False, style="red")
    lossy = ", as far as it can hold them: ms, 12 digits, no texts" if isinstance(config, VictoriaMetricsSink) else ""
    whole = sum(hour.same for hour in hours)
    points = sum(hour.expected for hour in hours)
    output.print(f"sink {config.name}: {points} points in {len(hours)} hours of units; {whole} are the same{lossy}", markup=False)


def proved(data: Path) -> Proof:
    """The proof, with a progress bar on a terminal; ends the command where the folder can't be read."""
    try:
        with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
            task = progress.add_task("verify", total=rows_to_read(data) or None)
            return (prove_archive if is_archive(data) else prove)(data, lambda rows: progress.advance(task, rows))
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
