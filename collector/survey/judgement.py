"""What is to be said of a tag that was read once: does the plant agree with the plant file? Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from collector.show.words import duration
from collector.survey.reading import Level, Reading, Remark
from collector.survey.units import server_unit, unit_remarks
from config.engineering_units import conversion, understood
from config.tags import BIT_TABLES, Kind, ModbusTag
from drivers.base import Quality
from drivers.opcua.decode import TYPES_TAKEN
from drivers.opcua.faults import status_name

OLD_S = 300.0
"""Age of a number from which it is worth a look: some servers stamp a value only when it changes."""
AHEAD_S = 2.0
"""A server's clock that is further ahead than this is told."""
_NUMBERS = (Kind.REAL, Kind.INTEGER)


def remarks(reading: Reading) -> tuple[Remark, ...]:
    """All of them, the worst first."""
    found = [*_type(reading), *_quality(reading), *_unit(reading), *_ranges(reading), *_value(reading), *_age(reading)]
    return tuple(sorted(found, key=lambda remark: -remark.level))


def _quality(reading: Reading) -> Iterator[Remark]:
    name, advice = status_name(reading.status), f": {reading.advice}" if reading.advice else ""
    if reading.quality >= Quality.BAD:
        if not any(_type(reading)):
            yield Remark(Level.FAULT, "bad", f"no good value, {name}{advice}")
    elif reading.quality is Quality.UNCERTAIN:
        yield Remark(Level.WARNING, "uncertain", f"the server itself doubts the value, {name}{advice}")


def _type(reading: Reading) -> Iterator[Remark]:
    type_, kind = reading.description.data_type, reading.tag.value_kind
    known = frozenset.union(*TYPES_TAKEN.values()) | {"DateTime", "ByteString", "NodeId", "ExtensionObject"}
    if reading.description.is_array:
        yield Remark(
            Level.FAULT, f"type {type_ or ''}[]", f"the node is an array of {type_ or 'values'}: give the node of one value"
        )
    elif type_ in known and type_ not in TYPES_TAKEN[kind]:
        fitting = [str(other) for other, types in TYPES_TAKEN.items() if type_ in types]
        right = f"write kind: {' or '.join(fitting)}, or another address" if fitting else "give another address"
        yield Remark(Level.FAULT, f"type {type_}", f"the node is a {type_}, the file says kind {kind}: {right}")


def _unit(reading: Reading) -> Iterator[Remark]:
    told = reading.description.unit
    if told is not None and reading.tag.value_kind in _NUMBERS:
        yield from unit_remarks(reading.tag, told)


def _ranges(reading: Reading) -> Iterator[Remark]:
    """The server's EURange against the file's range, in the file's unit."""
    told, tag = reading.description.range, reading.tag
    if told is None or tag.value_kind not in _NUMBERS:
        return
    scale, offset = _to_file(reading)
    low, high = sorted(bound * scale + offset for bound in told)
    said = f"the server's range is {low:g} to {high:g}{_of(tag.engineering_unit)}"
    if tag.range is None:
        yield Remark(Level.NOTE, "range", f"{said}, the file has none: write range: [{low:g}, {high:g}]")
        return
    near = 1e-4 * (high - low)
    differs = [
        ours is not None and not math.isclose(ours, theirs, rel_tol=1e-6, abs_tol=near)
        for ours, theirs in ((tag.range.low, low), (tag.range.high, high))
    ]
    if any(differs):
        yield Remark(Level.WARNING, "range", f"{said}, the file's {_bounds(reading)}")


def _to_file(reading: Reading) -> tuple[float, float]:
    """What makes a value in the file's unit of one as it is sent: the file's own scaling, or that between the units."""
    tag = reading.tag
    if (tag.scale, tag.offset) != (1.0, 0.0):
        return tag.scale, tag.offset
    theirs = server_unit(reading.description.unit)
    ours = understood(tag.engineering_unit) if tag.engineering_unit else None
    return (conversion(theirs, ours.unit) if theirs and ours else None) or (1.0, 0.0)


def _value(reading: Reading) -> Iterator[Remark]:
    value, bounds = reading.value, reading.tag.range
    if bounds is None or isinstance(value, str | bool) or value is None or value in bounds:
        return
    if any(remark.level is Level.FAULT for remark in _unit(reading)):
        return  # that is why
    what = f"{value:g}{_of(reading.tag.engineering_unit)} lies outside the file's range {_bounds(reading)}"
    yield Remark(Level.WARNING, "outside", f"{what}: is scale, unit or range wrong{_word_order(reading)}?")


def _word_order(reading: Reading) -> str:
    tag = reading.tag
    many = isinstance(tag, ModbusTag) and tag.table not in BIT_TABLES and tag.register_count > 1
    return ", or the word_order" if many else ""


def _age(reading: Reading) -> Iterator[Remark]:
    age_s = reading.age_s
    if age_s is None or reading.quality >= Quality.BAD:
        return
    if age_s < -AHEAD_S:
        what = f"its stamp is {duration(-age_s)} ahead of this machine's clock: set one of the two clocks"
        yield Remark(Level.WARNING, "ahead", what)
    elif age_s > OLD_S and reading.tag.value_kind is Kind.REAL:
        what = f"its stamp is {duration(age_s)} old: has it not changed since, or does the server not get it any more?"
        yield Remark(Level.WARNING, "old", what)


def _bounds(reading: Reading) -> str:
    bounds = reading.tag.range
    assert bounds is not None
    low, high = ("open" if bound is None else f"{bound:g}" for bound in (bounds.low, bounds.high))
    return f"{low} to {high}"


def _of(engineering_unit: str | None) -> str:
    return f" {engineering_unit}" if engineering_unit else ""
