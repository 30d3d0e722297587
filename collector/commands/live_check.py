"""`reactorwatch check --live`: the plant file against the plant, every endpoint at once, each within its deadline."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson
import structlog
import typer
from rich.console import Console

from collector.acquire.clock import PlantClock
from collector.commands.terms import FAILED, counted, errors, output
from collector.survey.judgement import remarks
from collector.survey.reading import Level, Visit
from collector.survey.table import Judged, show
from collector.survey.visit import DriversWords, Progress, visit
from collector.terms import Json
from config.model import Plant
from drivers.base import Endpoint
from drivers.opcua.faults import status_name

PLAIN_WIDTH = 10_000
"""Columns where there is no terminal: a tag is a line, however long."""
Judgement = Sequence[tuple[Visit, Sequence[Judged]]]


def check_live(plant: Plant, deadline_s: float, *, json: bool) -> None:
    """Visit all endpoints and print what they gave. Ends the command with 1 when something contradicts."""
    words = DriversWords()
    structlog.configure(processors=[words], cache_logger_on_first_use=False)
    with _progress(len(plant.endpoints)) as progress:
        visits = asyncio.run(_visits(plant, deadline_s, words, progress))
    judgement = [(each, [Judged(reading, remarks(reading)) for reading in each.readings]) for each in visits]
    if json:
        typer.echo(orjson.dumps(_facts(plant, judgement), option=orjson.OPT_INDENT_2).decode())
    else:
        width = output.width if sys.stdout.isatty() or "COLUMNS" in os.environ else None
        show(Console(highlight=False, width=width or PLAIN_WIDTH), judgement, width)
        output.print(_summary(plant, judgement), markup=False)
    if _level_count(judgement, Level.FAULT):
        raise typer.Exit(FAILED)


async def _visits(plant: Plant, deadline_s: float, words: DriversWords, progress: Progress) -> list[Visit]:
    clock, done = PlantClock(), 0

    async def one(endpoint: Endpoint) -> Visit:
        nonlocal done
        told = await visit(endpoint, clock, deadline_s, words, progress)
        done += 1
        lost = f", {len(told.lost)} of {len(endpoint.devices)} devices gave nothing" if told.lost else ""
        read = f"{len(told.readings)} tags read in {told.took_s:.1f} s{lost}"
        progress(f"{endpoint.name}: {read} ({done} of {len(plant.endpoints)} done)")
        return told

    return list(await asyncio.gather(*(one(endpoint) for endpoint in plant.endpoints)))


@contextmanager
def _progress(endpoints: int) -> Iterator[Progress]:
    """A spinner on a terminal, a line per step elsewhere; on standard error."""
    asked = f"asking {counted(endpoints, 'endpoint')}"
    if not errors.is_terminal:
        yield lambda text: errors.print(text, markup=False)
        return
    with errors.status(f"{asked} ...") as status:
        yield lambda text: status.update(f"{asked}: {text}")


def _level_count(judgement: Judgement, level: Level) -> int:
    said = sum(remark.level is level for _, judged in judgement for each in judged for remark in each.remarks)
    lost = sum(len(each.lost) for each, _ in judgement)
    untold = sum(bool(each.untold) for each, _ in judgement)
    return said + (lost if level is Level.FAULT else untold if level is Level.WARNING else 0)


def _summary(plant: Plant, judgement: Judgement) -> str:
    faults, warnings = (_level_count(judgement, level) for level in (Level.FAULT, Level.WARNING))
    read, tags = sum(len(judged) for _, judged in judgement), sum(1 for _ in plant.tags())
    where = counted(len(plant.endpoints), "endpoint")
    return f"{read} of {tags} tags read from {where}: {counted(faults, 'fault')}, {counted(warnings, 'warning')}"


def _facts(plant: Plant, judgement: Judgement) -> dict[str, Json]:
    return {
        "site": plant.site,
        "faults": _level_count(judgement, Level.FAULT),
        "warnings": _level_count(judgement, Level.WARNING),
        "endpoints": [
            {
                "name": each.endpoint.name,
                "url": each.endpoint.url,
                "took_s": round(each.took_s, 3),
                "lost": dict(each.lost),
                "untold": each.untold or None,
                "tags": [_tag(one) for one in judged],
            }
            for each, judged in judgement
        ],
    }


def _tag(judged: Judged) -> dict[str, Json]:
    reading, told = judged.reading, judged.reading.description
    return {
        "unit": reading.unit,
        "device": reading.device,
        "tag": reading.tag.name,
        "role": reading.tag.role,
        "address": reading.tag.address,
        "value": reading.value,
        "engineering_unit": reading.tag.engineering_unit,
        "quality": reading.quality.name.lower(),
        "status": reading.status,
        "status_name": status_name(reading.status),
        "source_ns": reading.source_ns or None,
        "age_s": reading.age_s,
        "server": {
            "data_type": told.data_type,
            "engineering_unit": told.unit.display_name if told.unit else None,
            "unece_code": told.unit.code if told.unit else None,
            "range": list(told.range) if told.range else None,
        },
        "remarks": [
            {"level": remark.level.name.lower(), "short": remark.short, "text": remark.text} for remark in judged.remarks
        ],
    }
