"""`reactorwatch status`: how a daemon stands, told from its data folder; it may run or not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import orjson
import typer

from collector.commands.alarm_table import lines_of
from collector.commands.aligned import aligned
from collector.commands.data_folder import DATA, Data
from collector.commands.terms import counted, expect_record, failed, output
from collector.ledger import Ledger, ledger_of
from collector.memory.alarms import KIND, alarms_of
from collector.monitor.alarms.alarm import ADVISORY
from collector.report.export import iso
from collector.show.alarm_list import facts_by_id
from collector.store.cursors import KnownSink
from collector.store.files import StoreError, is_locked
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.reserve import free_bytes, runway_hours
from collector.terms import EventKind, Json

MOST_GAPS = 1000
SILENT_NS = 15_000_000_000


def status(
    data: Data = DATA,
    json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
) -> None:
    """Tell what was read and where it went, gaps, devices, alarms, and how long the disk lasts."""
    expect_record(data)
    try:
        facts = _facts(data)
    except StoreError as exc:
        failed(str(exc))
    if json:
        typer.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(facts)


def _facts(data: Path) -> dict[str, Json]:
    reader, registry = Reader(data), Registry(data, read_only=True)
    try:
        known = registry.sinks()
        room = registry.states("room").get("disk", {})
        ledger = ledger_of(reader, registry, known)
        sinks = registry.states("sink") | {name: _removed(sink) for name, sink in known.items() if sink.removed_seq is not None}
        return {
            **registry.states("daemon").get("about", {}),
            "running": is_locked(data),
            "read": ledger.read,
            "scans": ledger.scans,
            "committed_ns": reader.last_commit_ns(),
            "balanced": ledger.balanced,
            "sinks": _sinks(ledger, sinks),
            "damage": _damage(reader),
            "gaps": _gaps(reader),
            "devices": dict(registry.states("device")),
            "certificates": dict(registry.states("certificate")),
            "context": dict(registry.states("context")),
            "alarms": {
                "rules": dict(registry.states("rule")),
                "excursions": dict(registry.states("excursion")),
                "states": facts_by_id(alarms_of(registry.states(KIND))),
                "advice": ADVISORY,
            },
            "runway_hours": _runway_hours(data, reader, room),
            "room": room,
        }
    finally:
        reader.close()
        registry.close()


def _runway_hours(data: Path, reader: Reader, room: Mapping[str, Json]) -> float | None:
    """As the daemon counts it: what its plant file lets go is room too."""
    freed = room.get("to_be_freed_bytes")
    return runway_hours(free_bytes(data) + (freed if isinstance(freed, int) else 0), reader.bytes_per_hour())


def _sinks(ledger: Ledger, states: dict[str, dict[str, Json]]) -> dict[str, Json]:
    return {
        name: {
            "accepted": sink.accepted,
            "queued": sink.queued,
            "dead_lettered": sink.dead_lettered,
            "damaged": sink.damaged,
            **states.get(name, {}),
        }
        for name, sink in ledger.sinks.items()
    }


def _removed(sink: KnownSink) -> dict[str, Json]:
    cause = "the daemon is to forget it" if sink.forget else "taken out of the plant file"
    return {"state": "removed", "cause": cause}


def _damage(reader: Reader) -> list[Json]:
    """What was lost to damage and nobody has taken note of, oldest first."""
    return [
        {
            "name": loss.name,
            "file": loss.file,
            "kept": loss.kept,
            "cause": loss.cause,
            "found_ns": loss.found_ns,
            "from_ns": loss.from_ns,
            "to_ns": loss.to_ns,
            "samples": loss.samples,
        }
        for loss in reader.losses()
        if loss.acknowledged_ns is None
    ]


def _gaps(reader: Reader) -> list[Json]:
    """The newest gaps, newest last."""
    return [dict(event.body) for event in reader.newest_events(EventKind.GAP, MOST_GAPS)]


def _print(facts: dict[str, Json]) -> None:
    running = "running" if facts["running"] else "not running"
    output.print(f"site {facts.get('site')}, reactorwatch {facts.get('version')}, {running}", markup=False)
    output.print(f"read {facts['read']} samples in {facts['scans']} scans")
    if silent_s := _silent_s(facts, time.time_ns()):
        told = f"NOTHING IS COMMITTED for {silent_s:.0f} s: the disk does not take it, or the daemon hangs; see its log"
        output.print(told, style="red", markup=False)
    _table("sink", facts["sinks"], ("accepted", "queued", "dead_lettered", "damaged", "state", "cause"))
    damage = facts["damage"]
    assert isinstance(damage, list)
    losses: dict[str, Json] = {str(loss["name"]): loss for loss in damage if isinstance(loss, dict)}
    _table("damaged, not acknowledged", losses, ("file", "kept", "from_ns", "to_ns", "samples", "cause"))
    _table("device", facts["devices"], ("endpoint", "answers", "since_ns", "cause"))
    _table("certificates of", facts["certificates"], ("cause",))
    _table("unit", facts["context"], ("batch", "phase", "product", "recipe_version", "mode"))
    alarms = facts["alarms"]
    assert isinstance(alarms, dict)
    for line in ("", *lines_of(cast(Mapping[str, Mapping[str, Any]], alarms["states"]))):
        output.print(line, markup=False)
    output.print(alarms["advice"], style="dim", markup=False)
    _table("outside now", alarms["rules"], ("since_ns", "value", "level"))
    _table("open excursion", alarms["excursions"], ("first_ns", "peak", "low", "high"))
    gaps = facts["gaps"]
    assert isinstance(gaps, list)
    rows = {str(number): gap for number, gap in enumerate(gaps[-10:], max(1, len(gaps) - 9))}
    _table("gap", rows, ("device", "group", "from_ns", "to_ns", "slots", "cause"))
    hours = facts["runway_hours"]
    output.print("\nrunway: not known yet" if hours is None else f"\nrunway: the disk lasts {hours:,.0f} h at this rate")
    room = facts["room"]
    if isinstance(room, dict) and (days := room.get("days_to_archive")):
        output.print(f"{counted(int(str(days)), 'day')} with gmp data in no archive: see `reactorwatch archive`", markup=False)
    if isinstance(room, dict) and room.get("short"):
        output.print(f"ROOM ON THE DISK IS SHORT: less than {room.get('runway_h')} h", style="red", markup=False)


def _silent_s(facts: dict[str, Json], now_ns: int) -> float:
    """How long a daemon that runs has committed nothing, where that is too long: it commits at least each 11 s."""
    times = [at_ns for at_ns in (facts["committed_ns"], facts.get("started_ns")) if isinstance(at_ns, int)]
    if not facts["running"] or not times or now_ns - max(times) < SILENT_NS:
        return 0.0
    return (now_ns - max(times)) / 1e9


def _table(title: str, rows: Json, fields: tuple[str, ...]) -> None:
    if not isinstance(rows, dict) or not rows:
        return
    headings = (title, *(field.removesuffix("_ns").replace("_", " ") for field in fields))
    cells = [(name, *(_cell(field, row.get(field)) for field in fields)) for name, row in rows.items() if isinstance(row, dict)]
    for line in ("", *aligned(headings, cells)):
        output.print(line, markup=False)


def _cell(field: str, value: Json) -> str:
    if value is None:
        return ""
    if field.endswith("_ns") and isinstance(value, int):
        return iso(value)[:19] + "Z" if value else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
