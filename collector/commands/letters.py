"""`reactorwatch dead-letters`: the lines that sinks refused for good: what they are, why, and another try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer

from collector.commands.aligned import aligned
from collector.commands.data_folder import DATA, Data
from collector.commands.terms import counted, expect_record, failed, output, wrong_input
from collector.report.export import iso
from collector.store.cursors import DeadLetter, KeptLetter, KnownSink
from collector.store.files import StoreError, is_locked
from collector.store.registry import Registry
from collector.terms import Json

letters = typer.Typer(help="Lines that sinks refused for good: what they are, why, and another try.", no_args_is_help=True)
OneSink = Annotated[str | None, typer.Option(help="Only this sink's.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")]
_LINE_CHARACTERS = 100


@contextmanager
def opened(data: Path, *, read_only: bool) -> Iterator[Registry]:
    """The registry of a daemon's folder; ends the command where there is none or it can't be used."""
    expect_record(data)
    try:
        with closing(Registry(data, read_only=True)) as registry:
            if read_only:
                yield registry
                return
        with closing(Registry(data)) as registry:
            yield registry
    except StoreError as exc:
        failed(str(exc))


def known(registry: Registry, sink: str | None) -> dict[str, KnownSink]:
    """All sinks, or the one; ends the command where there is no such."""
    sinks = registry.sinks()
    if sink is not None and sink not in sinks:
        wrong_input(f"there is no sink {sink} here, only {', '.join(sinks)}" if sinks else "no sink was ever served from here")
    return {name: each for name, each in sinks.items() if sink in (None, name)}


@letters.command("list")
def list_(
    data: Data = DATA,
    sink: OneSink = None,
    limit: Annotated[int, typer.Option(help="How many lines of each sink to show, the newest.", min=0)] = 20,
    json: AsJson = False,
) -> None:
    """Show the lines that sinks refused, with the server's reasons."""
    with opened(data, read_only=True) as registry:
        names = known(registry, sink)
        found = {name: registry.newest_letters(name, limit) for name in names}
        reasons = {name: registry.counts_of_letters(name) for name in names}
    if json:
        facts = {name: _facts(reasons[name], found[name]) for name in names}
        typer.echo(orjson.dumps({"sinks": facts}, option=orjson.OPT_INDENT_2).decode())
        return
    if not any(reasons.values()):
        output.print("no dead letters")
    for name in names:
        _print(name, reasons[name], found[name])


@letters.command()
def retry(data: Data = DATA, sink: OneSink = None, json: AsJson = False) -> None:
    """Have the lines that sinks refused sent once more."""
    with opened(data, read_only=False) as registry:
        names = known(registry, sink)
        if sink is not None and names[sink].removed_seq is not None:
            wrong_input(f"sink {sink} was taken out of the plant file: nothing is sent to it; put it back first")
        marked = {name: registry.retry(name) for name, each in names.items() if each.removed_seq is None}
    running = is_locked(data)
    if json:
        typer.echo(orjson.dumps({"running": running, "retry": marked}, option=orjson.OPT_INDENT_2).decode())
        return
    when = "within seconds of its taking" if running else "when the daemon, which does not run, starts again"
    for name, number in marked.items():
        if number:
            output.print(f"{counted(number, 'dead letter')} of {name} will be sent once more, {when}", markup=False)
    if not any(marked.values()):
        output.print("no dead letters")


def _facts(reasons: list[tuple[str, int, int, int]], found: list[KeptLetter]) -> dict[str, Json]:
    return {
        "letters": sum(number for _, number, _, _ in reasons),
        "samples": sum(samples for _, _, samples, _ in reasons),
        "to_retry": sum(to_retry for _, _, _, to_retry in reasons),
        "reasons": [
            {"reason": reason, "letters": number, "samples": samples, "to_retry": to_retry}
            for reason, number, samples, to_retry in reasons
        ],
        "newest": [
            {
                "time_ns": kept.letter.time_ns,
                "seq": kept.letter.seq,
                "samples": kept.letter.samples,
                "reason": kept.letter.reason,
                "line": kept.letter.line.decode("utf-8", "backslashreplace"),
                "to_retry": kept.retry,
            }
            for kept in found
        ],
    }


def _print(name: str, reasons: list[tuple[str, int, int, int]], found: list[KeptLetter]) -> None:
    for reason, number, samples, to_retry in reasons:
        waiting = f", {to_retry} of them to be sent once more" if to_retry else ""
        output.print(f"{name}: {counted(number, 'line')}, {counted(samples, 'sample')}{waiting}: {reason}", markup=False)
    if found:
        for line in aligned(("time", "samples", "reason", "line"), [_row(kept.letter) for kept in found]):
            output.print(f"  {line}", markup=False)


def _row(letter: DeadLetter) -> tuple[str, ...]:
    return iso(letter.time_ns)[:19] + "Z", str(letter.samples), letter.reason[:_LINE_CHARACTERS], _cut(letter.line)


def _cut(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace").replace("\n", "\\n")
    return text if len(text) <= _LINE_CHARACTERS else text[: _LINE_CHARACTERS - 1] + "…"
