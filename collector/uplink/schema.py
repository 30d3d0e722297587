"""The events' measurements: which keys of an event's body are tags, which are fields, and of what type.

    transition -> alarm        alarm -> alarm_state        excursion -> excursion        evaluability -> evaluability
    batch -> batch             statistics -> statistics
    gateway, device, gap, sink, disk, room, daemon, clock, damage -> gateway, told apart by the tag `kind`

The type of a field follows from its name alone (`type_of`), so two points can never disagree about it. A value of
another type goes under a name that tells: `level="none"` becomes `level_text="none"`.

Several events may share a series and a slot, and InfluxDB keeps one point per series and time. So an event's time is
its slot plus its row's sequence number modulo one million, in ns: less than a millisecond, and the same on a replay.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from collector.store.rows import EventRow
from collector.terms import Event, EventKind, Json
from collector.uplink.escape import INFLUX_OWN, field_name, name, number_field, series, text_field

EVENT_SPREAD_NS = 1_000_000


class FieldType(StrEnum):
    """The types of InfluxDB; the value is the ending of a name that an odd value goes under."""

    NUMBER = "number"
    WHOLE = "whole"
    FLAG = "flag"
    TEXT = "text"


_TEXTS = (
    *("what", "state", "text", "running", "batch", "phase", "product", "recipe_version", "mode"),
    *(
        "from",
        "to",
        "statistic",
        "ended",
        "cause",
        "cause_class",
        "reason",
        "file",
        "kept",
        "archive",
        "quality",
        "version",
        "config_hash",
        "limits_hash",
    ),
    *("happening", "priority", "by", "acknowledged_by", "suppression", "consequence", "action"),
)
TYPES: Mapping[str, FieldType] = {
    **dict.fromkeys(_TEXTS, FieldType.TEXT),
    **dict.fromkeys(("cpp", "outside", "latched", "latching", "evaluable"), FieldType.FLAG),
    "status": FieldType.WHOLE,
}
"""Fields that are no numbers. Beside them names ending in `_ns` and `_whole` are integers, `_flag` booleans, `_text` texts."""

_ENDINGS = {"_ns": FieldType.WHOLE, "_whole": FieldType.WHOLE, "_flag": FieldType.FLAG, "_text": FieldType.TEXT}


def type_of(field: str) -> FieldType:
    """The one type that a field of this name has, in every measurement of events."""
    if field in TYPES:
        return TYPES[field]
    return next((kind for ending, kind in _ENDINGS.items() if field.endswith(ending)), FieldType.NUMBER)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Where events of a kind go."""

    name: str
    tags: tuple[str, ...] = ()
    """Keys of the body that are tags."""
    stamped: bool = False
    """With the batch and phase of the event as tags."""
    told_apart: bool = False
    """With the event's kind as a tag."""

    reserved: frozenset[str] = field(init=False)
    """Names that no field of it may have."""

    def __post_init__(self) -> None:
        stamps = ("batch", "phase") if self.stamped else ()
        reserved = INFLUX_OWN.union(("site", "unit"), self.tags, stamps, ("kind",) if self.told_apart else ())
        object.__setattr__(self, "reserved", reserved)


_GATEWAY = Measurement("gateway", ("endpoint", "device", "group", "sink"), told_apart=True)
MEASUREMENTS: Mapping[EventKind, Measurement] = {
    EventKind.TRANSITION: Measurement("alarm", ("role", "rule"), stamped=True),
    EventKind.EVALUABILITY: Measurement("evaluability", ("endpoint", "device", "group"), stamped=True),
    EventKind.ALARM: Measurement("alarm_state", ("role", "rule"), stamped=True),
    EventKind.EXCURSION: Measurement("excursion", ("role",), stamped=True),
    EventKind.BATCH: Measurement("batch"),
    EventKind.STATISTICS: Measurement("statistics", ("role", "window"), stamped=True),
    EventKind.ACCUMULATED: Measurement("accumulated", ("role", "statistic"), stamped=True),
    EventKind.GATEWAY: _GATEWAY,
    EventKind.DEVICE: _GATEWAY,
    EventKind.GAP: _GATEWAY,
    EventKind.SUBSCRIPTION: _GATEWAY,
    EventKind.SINK: _GATEWAY,
    EventKind.DISK: _GATEWAY,
    EventKind.ROOM: _GATEWAY,
    EventKind.DAEMON: _GATEWAY,
    EventKind.CLOCK: _GATEWAY,
    EventKind.DAMAGE: _GATEWAY,
    EventKind.RETENTION: _GATEWAY,
    EventKind.CERTIFICATE: _GATEWAY,
}


def event_lines(site: str, row: EventRow, *, texts: bool, phase: bool) -> Iterator[bytes]:
    """The lines of an event; none when nothing in it can be a field."""
    event = row.event
    measurement = MEASUREMENTS[event.kind]
    time = b" %d" % (event.slot_ns + row.seq % EVENT_SPREAD_NS)
    for body in _bodies(event):
        fields = _fields(body, measurement, texts=texts)
        if fields:
            tags = _tags(site, event, body, measurement, phase=phase)
            yield series(measurement.name, tags) + b",".join(fields) + time


def _bodies(event: Event) -> Iterator[Mapping[str, Json]]:
    body = event.body
    if event.kind is EventKind.STATISTICS:
        window, roles = body.get("window_s"), body.get("roles")
        for role, figures in roles.items() if isinstance(roles, dict) else ():
            if isinstance(figures, dict):
                yield {**figures, "role": role, "window": f"{window:g}" if isinstance(window, int | float) else None}
    elif event.kind is EventKind.ACCUMULATED:
        yield from _accumulated(body.get("figures"))
    elif event.kind is EventKind.BATCH:
        yield _told(body)
    else:
        yield body


def _accumulated(figures: Json) -> Iterator[Mapping[str, Json]]:
    """The value of each role; what a start needs beside it is no field."""
    for statistic, told in figures.items() if isinstance(figures, dict) else ():
        roles, values = (told.get("roles"), told.get("value")) if isinstance(told, dict) else (None, None)
        if isinstance(roles, list) and isinstance(values, list):
            yield from ({"role": role, "statistic": statistic, "value": value} for role, value in zip(roles, values, strict=True))


def _told(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """A batch event with what a person reads, and the phase that runs from now on: empty when one has ended."""
    what, state = str(body.get("what", "")), body.get("state", "")
    subject = body.get(what) or ""
    told = {"text": f"{what.capitalize()} {subject} {state}"}
    if what == "phase":
        told["running"] = str(subject) if state == "began" else ""
    return {**told, **body}


def _tags(
    site: str, event: Event, body: Mapping[str, Json], measurement: Measurement, *, phase: bool
) -> tuple[tuple[str, str], ...]:
    tags = [("site", site), ("unit", event.unit)]
    if measurement.stamped:
        tags += [("batch", event.stamp.batch), ("phase", event.stamp.phase if phase else "")]
    if measurement.told_apart:
        tags.append(("kind", event.kind.value))
    tags += [(key, str(body[key])) for key in measurement.tags if body.get(key) is not None]
    return tuple(tags)


def _fields(body: Mapping[str, Json], measurement: Measurement, *, texts: bool) -> list[bytes]:
    fields: dict[str, bytes] = {}
    for key, value in body.items():
        if key in measurement.tags:
            continue
        known = _known(key, measurement.reserved)
        typed = _typed(known, value)
        if typed is None or (typed[0] is FieldType.TEXT and not texts):
            continue
        kind, told, spelled = typed
        while told in fields:
            told += f"_{kind}"
        fields[told] = (known.begins if told is known.name else f"{name(told)}=".encode()) + spelled
    return list(fields.values())


@dataclass(frozen=True, slots=True)
class _Known:
    """A field of a measurement."""

    name: str
    kind: FieldType
    begins: bytes


@lru_cache(maxsize=4096)
def _known(key: str, reserved: frozenset[str]) -> _Known:
    told = field_name(key, reserved)
    return _Known(told, type_of(told), f"{name(told)}=".encode())


def _typed(known: _Known, value: Json) -> tuple[FieldType, str, bytes] | None:
    """Type, name and spelling of a scalar; None for what is no field: null, lists, mappings, NaN."""
    kind = known.kind
    if type(value) is float and kind is FieldType.NUMBER and _is_float64(value):  # of a minute's statistics, all
        return kind, known.name, number_field(value)
    match value:
        case bool():
            found, spelled = FieldType.FLAG, b"true" if value else b"false"
        case str():
            found, spelled = FieldType.TEXT, text_field(value)
        case int() | float() if kind is FieldType.WHOLE and _is_int64(value):
            found, spelled = FieldType.WHOLE, b"%di" % int(value)
        case int() | float() if _is_float64(value):
            found, spelled = FieldType.NUMBER, number_field(value)
        case _:
            return None
    return found, known.name if found is kind else f"{known.name}_{found}", spelled


def _is_int64(value: float) -> bool:
    return -(2**63) <= value < 2**63 and value == int(value) if math.isfinite(value) else False


def _is_float64(value: float) -> bool:
    return abs(value) <= 1.7976931348623157e308
