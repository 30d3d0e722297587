"""`reactorwatch export`: samples of a stretch of time as CSV or line protocol."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Collection, Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.progress import track

from collector.commands.data_folder import DATA, Data
from collector.commands.terms import FAILED, errors, failed, in_words, time_ns, wrong_input
from collector.commands.whole_file import written
from collector.report.export import HEADER, Selection, changes, gaps, iso, restricted, samples
from collector.store.archive import is_archive, read_manifest
from collector.store.files import StoreError, journal_files
from collector.store.reader import Reader
from collector.store.registry import site_of
from collector.store.rows import DamagedRow, ScanRow
from collector.uplink.lines import Encoder
from config.faults import did_you_mean


class Format(StrEnum):
    """What is written."""

    csv = "csv"
    lines = "lines"


def export(
    data: Data = DATA,
    from_: Annotated[str, typer.Option("--from", help="First slot: ISO time (UTC if it names no zone), or -2h.")] = "1970-01-01",
    to: Annotated[str, typer.Option(help="End, itself not included: ISO time, now, or e.g. -1h.")] = "now",
    unit: Annotated[list[str] | None, typer.Option(help="Only this unit; may be given several times.")] = None,
    tags: Annotated[str | None, typer.Option(help="Only these tags or roles, separated by commas.")] = None,
    changes_: Annotated[bool, typer.Option("--changes", help="Also what subscriptions told between the slots.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="csv: a row per sample; lines: line protocol.")] = Format.csv,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; - for standard output.")] = Path("-"),
) -> None:
    """Write samples of a stretch of time to a file."""
    selection = _selection(from_, to, unit, tags)
    if changes_ and format_ is not Format.csv:
        wrong_input("--changes is for --format csv: no sink gets what came between the slots")
    if not journal_files(data):
        wrong_input(f"{data}: there is no journal here; give the daemon's folder with --data")
    try:
        reader = Reader(data)
        _check_names(reader, selection)
        with written(output) as file:
            count = _write(reader, data, selection, format_, file, changes_too=changes_)
        found = gaps(reader, selection)
        reader.close()
    except BrokenPipeError:  # who read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except (StoreError, DamagedRow, OSError) as exc:
        failed(f"export failed{'' if output == Path('-') else ', nothing was written'}: {in_words(exc)}")
    errors.print(f"{count} {'samples' if format_ is Format.csv else 'lines'} written to {output}", markup=False)
    for gap in found:
        span = f"{iso(int(str(gap.body['from_ns'])))} to {iso(int(str(gap.body['to_ns'])))}"
        errors.print(f"gap: {gap.body.get('device') or 'gateway'} {span}: {gap.body['cause']}", markup=False)


def _selection(from_: str, to: str, unit: list[str] | None, tags: str | None) -> Selection:
    from_ns, to_ns = time_ns(from_), time_ns(to)
    if from_ns >= to_ns:
        wrong_input(f"--from {from_} is not before --to {to}")
    names = frozenset(name.strip() for name in (tags or "").split(",") if name.strip())
    return Selection(from_ns, to_ns, frozenset(unit or ()), names)


def _check_names(reader: Reader, selection: Selection) -> None:
    layouts = reader.layouts()
    units = {column.unit for layout in layouts for column in layout.columns}
    tags = {name for layout in layouts for column in layout.columns for name in (column.name, column.role)}
    for what, unknown, known in (("unit", selection.units - units, units), ("tag or role", selection.tags - tags, tags)):
        if unknown:
            wrong_input("; ".join(f"the journal knows no {what} {name}{_nearest(name, known)}" for name in sorted(unknown)))


def _nearest(name: str, known: Collection[str]) -> str:
    """What was probably meant; else what there is, as far as that helps."""
    names, most = sorted(known), 10
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return did_you_mean(name, known) or f", only {', '.join(names[:most])}{more}"


def _write(reader: Reader, data: Path, selection: Selection, format_: Format, file: IO[bytes], *, changes_too: bool) -> int:
    total = reader.count_between(selection.from_ns, selection.to_ns)
    rows = reader.scans_between(selection.from_ns, selection.to_ns)
    shown = iter(track(rows, "export", total, console=errors, transient=True, disable=not errors.is_terminal))
    if format_ is Format.csv:
        return _write_csv(shown, selection, file, changes_too=changes_too)
    site = read_manifest(data).site if is_archive(data) else site_of(data)
    return _write_lines(shown, selection, file, site)


def _write_csv(rows: Iterator[ScanRow], selection: Selection, file: IO[bytes], *, changes_too: bool) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text)
        writer.writerow(HEADER)
        count = 0
        for row in rows:
            if part := restricted(row, selection):
                lines = list(samples(part))
                if changes_too:
                    writer.writerows(changes(part))
                writer.writerows(lines)
                count += len(lines)
        return count
    finally:
        text.detach()


def _write_lines(rows: Iterator[ScanRow], selection: Selection, file: IO[bytes], site: str) -> int:
    encoder, count = Encoder(site), 0
    for row in rows:
        if part := restricted(row, selection):
            for line in encoder.encode([part])[0].lines:
                file.write(line.data + b"\n")
                count += 1
    return count
