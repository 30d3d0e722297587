"""`reactorwatch judge`: was a finished record inside its limits?"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.progress import track

from collector.commands.aligned import aligned
from collector.commands.export import written
from collector.commands.terms import FAILED, counted, errors, failed, faulty, output, seconds, time_ns, wrong_input
from collector.report import verdicts
from collector.report.finished import EARLIEST_NS, FinishedRecord, judged, replayed
from collector.report.recording import Recording, Wanted, load_recording
from collector.report.tally import Verdict
from collector.report.verdicts import When
from collector.store.files import StoreError, journal_files
from collector.store.reader import Reader
from collector.store.rows import DamagedRow
from collector.terms import Event, EventKind, Stamp
from config.faults import ConfigError, did_you_mean
from config.limit_file import Limits, load_limits
from config.limits import Limit
from config.tags import Kind
from drivers.base import Column, Layout, scan_groups

LEAST_LEAD_NS = 3_600_000_000_000
"""Of what is judged before `--from`, so that windows are full and rules have their state."""
_ALWAYS = "1970-01-01"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of the record."""

    from_ns: int
    to_ns: int
    unit: str | None
    batch: str | None

    def takes(self, unit: str, batch: str) -> bool:
        """Whether something of this unit and batch is asked for."""
        return self.unit in (None, unit) and self.batch in (None, batch)


@dataclass(slots=True)
class Found:
    """Of the whole record."""

    events: list[Event]
    verdicts: list[Verdict]
    never_held: list[Limit]
    when: When
    remarks: list[str] = field(default_factory=list)


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
            found = _journal(record, table.rows, asked)
        else:
            found = _recorded(record, table, asked, columns, seconds(period) if period else None)
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


# --- a data folder


def _journal(data: Path, limits: Sequence[Limit], asked: Asked) -> Found:
    if not journal_files(data):
        wrong_input(f"{data}: there is no journal here; give the daemon's folder, or a CSV file, with --data")
    reader = Reader(data)
    try:
        layouts = reader.layouts()
        _check_roles(limits, [column for layout in layouts for column in layout.columns], asked)
        asked = _narrowed(reader, asked)
        longest_ns = max(layout.period_ns for layout in layouts)
        lead_ns = max([LEAST_LEAD_NS, *(round(limit.window_s * 1e9) for limit in limits if limit.window_s)])
        after_seq = reader.committed_before(asked.from_ns - lead_ns) if asked.from_ns > EARLIEST_NS + lead_ns else 0
        record = FinishedRecord(limits, asked.from_ns)
        total = reader.totals().seq - after_seq
        rows = replayed(reader, record, after_seq, asked.to_ns + (2 * longest_ns if asked.batch else 0))
        shown = track(rows, "judge", total, console=errors, transient=True, disable=not errors.is_terminal)
        events = [event for _, told in shown for event in told]
    finally:
        reader.close()
    return _found(record, events, limits, asked, verdicts.date)


def _check_roles(limits: Sequence[Limit], columns: Sequence[Column], asked: Asked) -> None:
    units, roles = {column.unit for column in columns}, {column.role for column in columns}
    if asked.unit is not None and asked.unit not in units:
        wrong_input(f"the record knows no unit {asked.unit}{did_you_mean(asked.unit, units)}; it has {', '.join(sorted(units))}")
    limited = sorted({limit.role for limit in limits})
    if roles.isdisjoint(limited):
        wrong_input(f"the record has no role that has limits: {', '.join(limited)}; it has {', '.join(sorted(roles))}")


def _narrowed(reader: Reader, asked: Asked) -> Asked:
    """To the time of the batch that is asked for."""
    if asked.batch is None:
        return asked
    told = [event for event in reader.newest_events(EventKind.BATCH, 1_000_000) if event.body.get("what") == "batch"]
    told = [event for event in told if asked.unit in (None, event.unit)]
    of_batch = [event for event in told if event.stamp.batch == asked.batch]
    if not of_batch:
        names = list(dict.fromkeys(event.stamp.batch for event in told))
        there = f"; the newest are {', '.join(names[-10:])}" if names else "; it tells of none"
        wrong_input(f"the record knows no batch {asked.batch}{did_you_mean(asked.batch, names)}{there}")
    began = [event.slot_ns for event in of_batch if event.body["state"] == "began"]
    ended = [event.slot_ns + 1 for event in of_batch if event.body["state"] == "ended"]
    from_ns = max(asked.from_ns, min(began)) if began else asked.from_ns
    runs_on = of_batch[-1].body["state"] == "began"
    return Asked(from_ns, asked.to_ns if runs_on else min(asked.to_ns, max(ended)), asked.unit, asked.batch)


# --- a CSV file


def _recorded(path: Path, table: Limits, asked: Asked, columns: dict[str, str], period_s: float | None) -> Found:
    about = _columns_of(table, asked.unit)
    unit = asked.unit or (next(iter(about.values())).unit if table.plant else "")
    recording = load_recording(
        path, Wanted({name: column.role for name, column in about.items()}, columns, period_s, unit, _context(table, unit))
    )
    errors.print(f"{path}: {_batches(len(recording.batches))}; {recording.read_as}", markup=False)
    if not recording.has_dates and (asked.from_ns != EARLIEST_NS):
        wrong_input("--from is for records with dates: the times of this one are seconds")
    if asked.batch is not None and asked.batch not in (names := [batch.name for batch in recording.batches]):
        wrong_input(f"{path} has no batch {asked.batch}{did_you_mean(asked.batch, names)}; it has {', '.join(names[:20])}")
    record = FinishedRecord(table.rows, asked.from_ns)
    events = list(_judged(recording, about, record, table.rows, asked))
    found = _found(record, events, table.rows, asked, verdicts.date if recording.has_dates else verdicts.since_start)
    found.remarks += recording.remarks
    return found


def _columns_of(table: Limits, unit: str | None) -> dict[str, Column]:
    """By the name that a column may have: a role; of a plant a tag's name, too."""
    roles = {limit.role for limit in table.rows}
    if table.plant is None:
        return {role: Column(role, role, unit or "", Kind.REAL) for role in sorted(roles)}
    layouts = [group.layout for endpoint in table.plant.endpoints for group in scan_groups(endpoint)]
    of_plant = [column for layout in layouts for column in layout.columns]
    units = sorted({column.unit for column in of_plant if column.role in roles})
    if unit is None and len(units) > 1:
        wrong_input(f"the limits are of a plant with several units ({', '.join(units)}): say with --unit which one the CSV is of")
    if unit is not None and unit not in units:
        wrong_input(f"no tag of unit {unit} has limits{did_you_mean(unit, units)}; units with limits: {', '.join(units)}")
    chosen = [column for column in of_plant if column.unit in (unit, *(units if unit is None else ())) and column.role in roles]
    return {name: column for column in chosen for name in (column.role, column.name)}


def _context(table: Limits, unit: str) -> Stamp:
    """What the plant file says where the controller does not."""
    for each in table.plant.units if table.plant else ():
        if each.name == unit:
            return Stamp(product=each.product or "", recipe_version=each.recipe_version or "", mode=each.mode)
    return Stamp()


def _judged(
    recording: Recording, about: dict[str, Column], record: FinishedRecord, limits: Sequence[Limit], asked: Asked
) -> Iterator[Event]:
    chosen = [batch for batch in recording.batches if asked.takes(batch.unit, batch.name)]
    until = [batch.before(asked.to_ns) if recording.has_dates else batch for batch in chosen]
    for batch in track(until, "judge", console=errors, transient=True, disable=not errors.is_terminal):
        columns = tuple(_of_unit(about[role], batch.unit) for role in recording.roles)
        layout = Layout("recorded", batch.unit, batch.name, recording.period_ns, columns)
        for events in judged(batch, layout, record, limits):
            yield from events


def _of_unit(column: Column, unit: str) -> Column:
    return Column(column.name, column.role, unit, Kind.REAL, column.engineering_unit, low=column.low, high=column.high)


# --- what was found


def _found(record: FinishedRecord, events: Sequence[Event], limits: Sequence[Limit], asked: Asked, when: When) -> Found:
    found = Found(
        [event for event in events if asked.takes(event.unit, event.stamp.batch)],
        [verdict for verdict in record.verdicts if asked.takes(verdict.unit, verdict.batch)],
        [limit for limit in limits if limit not in record.held],
        when,
    )
    if record.refused:
        found.remarks.append(f"{counted(record.refused, 'scan')} not later than the one before: not judged")
    return found


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
    batches = len({(verdict.unit, verdict.batch) for verdict in found.verdicts})
    output.print(
        f"{_batches(batches)}, {counted(excursions, 'excursion')}, rules left {left} times; "
        f"{fine} of {len(found.verdicts)} courses of a role were inside all limits",
        markup=False,
    )


def _batches(count: int) -> str:
    return f"{count} batch{'' if count == 1 else 'es'}"


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
