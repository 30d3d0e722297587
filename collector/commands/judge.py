"""`reactorwatch judge`: was a finished record inside its limits?"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import orjson
import typer

from collector.commands.aligned import aligned
from collector.commands.export import written
from collector.commands.judged_record import Asked, Found, batches, of_csv, of_folder
from collector.commands.terms import FAILED, counted, errors, failed, faulty, output, seconds, time_ns, wrong_input
from collector.report import verdicts
from collector.report.finished import EARLIEST_NS
from collector.store.files import StoreError
from collector.store.rows import DamagedRow
from config.faults import ConfigError
from config.limit_file import load_limits
from config.limits import Limit

_ALWAYS = "1970-01-01"


def judge(
    record: Annotated[Path, typer.Option("--data", help="A data folder, or a CSV file of recorded batches.", metavar="DIR|CSV")],
    limits: Annotated[Path, typer.Option(help="A plant file, or a limit table in YAML or CSV.")],
    from_: Annotated[str, typer.Option("--from", help="First slot: ISO time (UTC if it names no zone), or -2h.")] = _ALWAYS,
    to: Annotated[str, typer.Option(help="End, itself not included: ISO time, now, or e.g. -1h.")] = "now",
    unit: Annotated[str | None, typer.Option(help="Only this unit; of a CSV without a column for it, its unit.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only this batch.")] = None,
    batch_column: Annotated[str | None, typer.Option(help="CSV: the column that names the batch.")] = None,
    time_column: Annotated[str | None, typer.Option(help="CSV: the column with ISO times or seconds.")] = None,
    phase_column: Annotated[str | None, typer.Option(help="CSV: the column that tells the phase.")] = None,
    period: Annotated[str | None, typer.Option(help="CSV: time between two rows, e.g. 1s or 1min.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    write_to: Annotated[Path | None, typer.Option("--output", "-o", help="CSV of all excursions and transitions.")] = None,
) -> None:
    """Hold a finished record against limits: every excursion and transition, as the daemon would have told them."""
    asked = Asked(EARLIEST_NS if from_ == _ALWAYS else time_ns(from_), time_ns(to), unit, batch)
    if asked.from_ns >= asked.to_ns:
        wrong_input(f"--from {from_} is not before --to {to}")
    try:
        table = load_limits(limits)
    except ConfigError as exc:
        faulty(limits, exc)
    for warning in table.warnings:
        errors.print(f"warning: {warning}", markup=False, style="yellow")
    named = {"batch": batch_column, "time": time_column, "phase": phase_column}
    columns = {key: name for key, name in named.items() if name is not None}
    try:
        if record.is_dir():
            if columns or period:
                wrong_input(
                    "--batch-column, --time-column, --phase-column and --period are for CSV files: a data folder tells them"
                )
            found = of_folder(record, table.rows, asked)
        else:
            found = of_csv(record, table, asked, columns, seconds(period) if period else None)
        if write_to:
            _write(write_to, found)
    except ConfigError as exc:
        faulty(record, exc)
    except (StoreError, DamagedRow, OSError) as exc:
        failed(f"judging failed: {exc}")
    _tell(found, json=json)
    if not any(verdict.good for verdict in found.verdicts):
        failed("nothing could be judged: no limit held while there were good samples")
    if not all(verdict.fine for verdict in found.verdicts):
        raise typer.Exit(FAILED)


def _tell(found: Found, *, json: bool) -> None:
    remarks = [*found.remarks, *map(_never_held, found.never_held)]
    for remark in remarks:
        errors.print(remark, markup=False, style="yellow")
    if json:
        told = verdicts.as_json(found.events, found.verdicts, found.when)
        typer.echo(orjson.dumps({**told, "remarks": remarks}, option=orjson.OPT_INDENT_2).decode())
        return
    odd = [verdict for verdict in found.verdicts if not verdict.fine or verdict.good < verdict.expected]
    for text in aligned(verdicts.TABLE, map(verdicts.line, odd)) if odd else ():
        output.print(text, markup=False)
    excursions = sum(verdict.excursions for verdict in found.verdicts)
    left = sum(sum(verdict.left.values()) for verdict in found.verdicts)
    fine = sum(verdict.fine and verdict.good > 0 for verdict in found.verdicts)
    of_batches = len({(verdict.unit, verdict.batch) for verdict in found.verdicts})
    output.print(
        f"{batches(of_batches)}, {counted(excursions, 'excursion')}, rules left {left} times; "
        f"{fine} of {len(found.verdicts)} courses of a role were inside all limits",
        markup=False,
    )


def _never_held(limit: Limit) -> str:
    context = [("product", limit.product), ("recipe version", limit.recipe_version), ("unit", limit.unit), ("phase", limit.phase)]
    where = ", ".join(f"{name} {value}" for name, value in context if value is not None)
    return f"a limit never held: role {limit.role}{f' ({where})' if where else ''}, {limit.statistic}"


def _write(path: Path, found: Found) -> None:
    with written(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow(verdicts.HEADER)
        writer.writerows(
            verdicts.row(event, found.when) for event in [*verdicts.closed(found.events), *verdicts.transitions(found.events)]
        )
        text.detach()
