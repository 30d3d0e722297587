"""`reactorwatch judge`: was a finished record inside its limits?"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import typer

from collector.commands.aligned import aligned
from collector.commands.data_folder import folder
from collector.commands.judged_record import LATEST_NS, Asked, Found, batches, of_csv, of_folder
from collector.commands.terms import FAILED, counted, errors, failed, faulty, in_words, output, seconds, time_ns, wrong_input
from collector.commands.whole_file import written
from collector.report import verdicts
from collector.report.finished import EARLIEST_NS
from collector.report.recording import Said
from collector.store.files import StoreError
from collector.store.rows import DamagedRow
from config.faults import ConfigError
from config.limit_file import Limits, load_limits
from config.limits import Limit

_ALWAYS, _END = "1970-01-01", "end"


class TimeUnit(StrEnum):
    """What the numbers in a column of times count."""

    ns = "ns"
    us = "us"
    ms = "ms"
    s = "s"
    min = "min"
    h = "h"
    d = "d"
    excel = "excel"


class Dates(StrEnum):
    """Of dates in three numbers, what stands first."""

    dmy = "dmy"
    mdy = "mdy"


def judge(
    record: Annotated[
        Path,
        typer.Option("--data", help="A data folder, or a CSV file of recorded batches.", parser=folder, metavar="DIR|CSV"),
    ],
    limits: Annotated[Path, typer.Option(help="A plant file, or a limit table in YAML or CSV.")],
    from_: Annotated[str, typer.Option("--from", help="First slot: ISO time (UTC if it names no zone), or -2h.")] = _ALWAYS,
    to: Annotated[str, typer.Option(help="End, itself not included: ISO time, now, -1h, or the record's end.")] = _END,
    unit: Annotated[str | None, typer.Option(help="Only this unit; of a CSV without a column for it, its unit.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only this batch.")] = None,
    batch_column: Annotated[str | None, typer.Option(help="CSV: the column that names the batch.")] = None,
    time_column: Annotated[
        str | None, typer.Option(help="CSV: the column with the times; none: rows are a period apart.")
    ] = None,
    phase_column: Annotated[str | None, typer.Option(help="CSV: the column that tells the phase.")] = None,
    period: Annotated[str | None, typer.Option(help="CSV: time between two rows, e.g. 1s or 1min.")] = None,
    time_unit: Annotated[TimeUnit | None, typer.Option(help="CSV: of times that are numbers.")] = None,
    zone: Annotated[str | None, typer.Option(help="CSV: of dates that name none, e.g. Europe/Zurich.")] = None,
    dates: Annotated[Dates | None, typer.Option(help="CSV: whether 03/04/2026 is 3 April (dmy) or March 4 (mdy).")] = None,
    bad: Annotated[
        list[str] | None, typer.Option(help="CSV: what marks a bad sample, e.g. -9999; may be given several times.")
    ] = None,
    good: Annotated[
        list[str] | None, typer.Option(help="CSV: a status that is good, e.g. 0; may be given several times.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="CSV: its character set, e.g. cp1252.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    write_to: Annotated[Path | None, typer.Option("--output", "-o", help="CSV of all excursions and transitions.")] = None,
    counts_to: Annotated[Path | None, typer.Option("--counts", help="CSV of how often each limit was violated.")] = None,
) -> None:
    """Hold a finished record against limits: every excursion and transition, as the daemon would have told them."""
    asked = _asked(from_, to, unit, batch)
    if not record.exists():
        wrong_input(f"{record} is not there: give the daemon's folder, or a CSV file, with --data")
    table = _limits_of(limits)
    named = {"batch": batch_column, "time": time_column, "phase": phase_column}
    said = Said(
        {key: name for key, name in named.items() if name is not None},
        seconds(period) if period else None,
        time_unit,
        _zone(zone),
        None if dates is None else dates is Dates.dmy,
        tuple(bad or ()),
        tuple(good or ()),
        encoding,
    )
    try:
        found = _found(record, table, asked, said)
        _write_files(found, write_to, counts_to)
    except ConfigError as exc:
        faulty(record, exc)
    except (StoreError, DamagedRow, OSError) as exc:
        failed(f"judging failed: {in_words(exc)}")
    _tell(found, json=json)
    if not any(verdict.good for verdict in found.verdicts):
        failed("nothing could be judged: no limit held while there were good samples")
    if not all(verdict.fine for verdict in found.verdicts):
        raise typer.Exit(FAILED)


def _asked(from_: str, to: str, unit: str | None, batch: str | None) -> Asked:
    until_ns = LATEST_NS if to == _END else time_ns(to)
    asked = Asked(EARLIEST_NS if from_ == _ALWAYS else time_ns(from_), until_ns, unit, batch)
    if asked.from_ns >= asked.to_ns:
        wrong_input(f"--from {from_} is not before --to {to}")
    return asked


def _limits_of(path: Path) -> Limits:
    """What is told of them is printed; their faults end the command."""
    try:
        table = load_limits(path)
    except ConfigError as exc:
        faulty(path, exc)
    for told in table.told:
        errors.print(told, markup=False)
    for warning in table.warnings:
        errors.print(f"warning: {warning}", markup=False, style="yellow")
    return table


def _found(record: Path, table: Limits, asked: Asked, said: Said) -> Found:
    """Raises ConfigError, StoreError, DamagedRow, OSError."""
    if not record.is_dir():
        return of_csv(record, table, asked, said)
    if said != Said():
        wrong_input(
            "columns, --period, --zone and what else is said of times and cells are for CSV files: a data folder tells it"
        )
    return of_folder(record, table.rows, asked)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        wrong_input(f"there is no time zone {name!r}: write e.g. Europe/Zurich, America/New_York or UTC")


def _tell(found: Found, *, json: bool) -> None:
    remarks = [*found.remarks, *map(_never_held, found.never_held)]
    for remark in remarks:
        errors.print(remark, markup=False, style="yellow")
    if json:
        told = verdicts.as_json(found.events, found.verdicts, found.violations, found.when)
        typer.echo(orjson.dumps({**told, "remarks": remarks}, option=orjson.OPT_INDENT_2).decode())
        return
    odd = [verdict for verdict in found.verdicts if not verdict.fine or verdict.good < verdict.expected]
    for text in aligned(verdicts.TABLE, map(verdicts.line, odd)) if odd else ():
        output.print(text, markup=False)
    violated = [each for each in verdicts.in_total(found.violations, found.verdicts) if each.batches]
    if violated:
        for text in ("", *aligned(verdicts.VIOLATIONS, map(verdicts.total_line, violated)), ""):
            output.print(text, markup=False)
    excursions = sum(verdict.excursions for verdict in found.verdicts)
    left = sum(sum(verdict.left.values()) for verdict in found.verdicts)
    fine = sum(verdict.fine and verdict.good > 0 for verdict in found.verdicts)
    of_batches = len({(verdict.unit, verdict.batch) for verdict in found.verdicts})
    output.print(
        f"{batches(of_batches)}, {counted(excursions, 'excursion')}, rules left {counted(left, 'time')}; "
        f"{fine} of {counted(len(found.verdicts), 'trend')} (one role in one batch) stayed inside all limits",
        markup=False,
    )


def _never_held(limit: Limit) -> str:
    context = [("product", limit.product), ("recipe version", limit.recipe_version), ("unit", limit.unit), ("phase", limit.phase)]
    where = ", ".join(f"{name} {value}" for name, value in context if value is not None)
    return f"a limit never held: role {limit.role}{f' ({where})' if where else ''}, {limit.statistic}"


def _write_files(found: Found, events_to: Path | None, counts_to: Path | None) -> None:
    if events_to:
        events = [*verdicts.closed(found.events), *verdicts.transitions(found.events)]
        _write(events_to, verdicts.HEADER, (verdicts.row(event, found.when) for event in events))
    if counts_to:
        rows = (verdicts.violation_row(each, found.when) for each in found.violations)
        _write(counts_to, verdicts.VIOLATIONS_HEADER, rows)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with written(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow(header)
        writer.writerows(rows)
        text.detach()
