"""`reactorwatch upset`: let something go wrong in a simulator that runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.commands.aligned import aligned
from collector.commands.terms import failed, output, wrong_input

if TYPE_CHECKING:
    from simulators.control import Answer, Request


def upset(
    kind: Annotated[str | None, typer.Argument(help="What goes wrong; --list has all kinds.", metavar="KIND")] = None,
    target: Annotated[str | None, typer.Argument(help="A unit, tag, device or endpoint.", metavar="TARGET")] = None,
    value: Annotated[str | None, typer.Option(help="How much; what it says depends on the kind.")] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="Plant time that it lasts, e.g. 10min; else until --end.")] = None,
    end: Annotated[bool, typer.Option("--end", help="End it instead.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Print the kinds, and what is active now.")] = False,
    simulator: Annotated[Path | None, typer.Option(help="The control socket that simulate printed.")] = None,
) -> None:
    """Let something go wrong in a running simulator: in the process, an instrument, a device or the connection."""
    from simulators.source import SimulationError

    try:
        if list_:
            _list(simulator)
        elif kind is None or target is None:
            wrong_input("say what goes wrong and where, e.g. reactorwatch upset cooling_failure R-201; --list has all kinds")
        else:
            _tell(ask_simulator(simulator, _request(kind, target, value, lasts, end=end)))
    except SimulationError as exc:
        failed(str(exc))


def ask_simulator(simulator: Path | None, request: Request) -> Answer:
    """Ask the one that is named, or the only one that runs; says what to do when there are none or several."""
    from simulators.control import ask, running

    if simulator is None:
        found = running()
        if not found:
            failed("no simulator of yours runs: start one with reactorwatch simulate, in another terminal")
        if len(found) > 1:
            named = "\n".join(f"  --simulator {path}" for path in found)
            wrong_input(f"{len(found)} simulators run; say which:\n{named}")
        (simulator,) = found
    return ask(simulator, request)


def _request(kind: str, target: str, value: str | None, lasts: str | None, *, end: bool) -> Request:
    from simulators.control import Request
    from simulators.source import SimulationError
    from simulators.spans import span_s
    from simulators.targets import kind_named

    try:
        kind_named(kind)
        lasts_s = span_s(lasts) if lasts is not None else None
    except (SimulationError, ValueError) as exc:
        wrong_input(str(exc))
    if end and (value is not None or lasts is not None):
        wrong_input("--end ends what is active: leave --value and --for out")
    if lasts_s == 0:
        wrong_input("--for 0 lasts no time: leave it out, or write e.g. 10min")
    return Request(do="end" if end else "begin", kind=kind, target=target, value=_number_or_text(value), lasts_s=lasts_s)


def _number_or_text(value: str | None) -> float | str | None:
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) else value


def _tell(answer: Answer) -> None:
    if answer.wrong:
        wrong_input(answer.wrong)
    if answer.failed:
        failed(answer.failed)
    output.print(answer.said, markup=False)


def _list(simulator: Path | None) -> None:
    from simulators.control import Request, running

    for line in _catalogue():
        output.print(line, markup=False)
    output.print()
    if simulator is None and not running():
        output.print("no simulator of yours runs now", markup=False)
        return
    for line in _active(ask_simulator(simulator, Request(do="list"))):
        output.print(line, markup=False)


def _catalogue() -> list[str]:
    from simulators.upset import KINDS

    rows = []
    for kind in KINDS.values():
        usual = "needed" if kind.needs_value else "" if kind.default is None else f"default {kind.default}"
        unit = f" in {kind.unit}" if kind.unit not in ("", "1") else ""
        value = f"{kind.meaning}{unit}{f', {usual}' if usual else ''}"
        rows.append((kind.name, ", ".join(kind.levels), value, kind.help))
    return aligned(("kind", "of a", "value", "what happens"), rows)


def _active(answer: Answer) -> list[str]:
    from simulators.spans import span_text

    if not answer.active:
        return [f"nothing is active at plant time {span_text(answer.plant_s)}"]
    rows = [
        (
            each.kind,
            each.target,
            "" if each.value is None else str(each.value),
            span_text(each.begun_s),
            "it is ended" if each.ends_s is None else span_text(each.ends_s),
            each.by,
        )
        for each in answer.active
    ]
    headings = ("kind", "of", "value", "since", "until", "begun by")
    return [f"active at plant time {span_text(answer.plant_s)}:", *aligned(headings, rows)]
