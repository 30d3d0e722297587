"""Checks of ranges: what a register can show, what limits can mean together. Pure; see `checks`.

A range beyond what a register holds is no matter of taste: 8000 in a uint16 of tenths arrives as 1446.4, with good status.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from config.checks.limits import apart, guarded, in_units_of_the_tag, span
from config.common import Bounds
from config.findings import Finding, PlacedTag, placed_tags
from config.limits import Limit
from config.model import Plant
from config.tags import Kind, ModbusTag

_RAW: dict[str, tuple[float, float]] = {
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
    "bcd16": (0, 9999),
    "bcd32": (0, 99_999_999),
    "float16": (-65504, 65504),
}
"""What a value of a type may be on the wire; a float32 and float64 hold what any instrument shows."""
_SIGNED = {"uint16": "int16", "uint32": "int32", "uint64": "int64"}
_ROUNDING = 1e-6


def _shown(tag: ModbusTag) -> tuple[float, float] | None:
    """The least and greatest engineering value that the register can show."""
    raw = _RAW.get(tag.wire_type)
    ends = sorted(end * tag.scale + tag.offset for end in raw) if raw else ()
    return (ends[0], ends[1]) if ends else None


def ranges_can_be_shown(plant: Plant) -> Iterator[Finding]:
    """The range of a Modbus tag is within what its type holds, scaled."""
    for placed in placed_tags(plant):
        tag = placed.tag
        shown = _shown(tag) if isinstance(tag, ModbusTag) and tag.range else None
        if isinstance(tag, ModbusTag) and tag.range and shown and not _is_within(tag.range, shown):
            yield (*placed.loc, "range"), _beyond(tag, shown, tag.range)


def _is_within(interval: Bounds, shown: tuple[float, float]) -> bool:
    slack = _ROUNDING * (shown[1] - shown[0])
    low_fits = interval.low is None or interval.low >= shown[0] - slack
    return low_fits and (interval.high is None or interval.high <= shown[1] + slack)


def _beyond(tag: ModbusTag, shown: tuple[float, float], interval: Bounds) -> str:
    scaled = f" · {tag.scale:g}" if tag.scale != 1 else ""
    scaled += f" + {tag.offset:g}" if tag.offset else ""
    what = f"{span(interval)} is more than {tag.wire_type}{scaled} can show, which is {shown[0]:g} to {shown[1]:g}"
    if interval.low is not None and interval.low < shown[0] and tag.wire_type in _SIGNED:
        return f"{what}: is the type {_SIGNED[tag.wire_type]}?"
    return f"{what}: mend range, scale or type"


def states_can_come(plant: Plant) -> Iterator[Finding]:
    """The numbers of an enumeration are within what its register holds."""
    for placed in placed_tags(plant):
        shown = _shown(placed.tag) if isinstance(placed.tag, ModbusTag) and placed.tag.states else None
        for number in placed.tag.states if shown else ():
            if shown and not shown[0] <= number <= shown[1]:
                what = f"{number} never comes: the register shows {shown[0]:g} to {shown[1]:g}"
                yield (*placed.loc, "states", str(number)), what


def deadbands_leave_room(plant: Plant) -> Iterator[Finding]:
    """What has left a band must come back by the deadband, and still be inside."""
    for n, limit in enumerate(plant.limits):
        for name, width in _widths(limit):
            if limit.deadband is not None and limit.deadband >= width:
                what = (
                    f"{limit.deadband:g} is as wide as {name}, so what has left it on one side comes back on the other only: "
                    f"give less than {width:g}, usual is {width / 100:g}"
                )
                yield ("limits", n, "deadband"), what
                break


def _widths(limit: Limit) -> Iterator[tuple[str, float]]:
    if limit.statistic == "time_outside":
        return  # its deadband is in seconds
    for name, band in (("nor", limit.nor), ("par", limit.par)):
        if band and band.width is not None:
            yield f"{name} {span(band)}", band.width
    alarm = limit.alarm
    if alarm and alarm.l is not None and alarm.h is not None:
        yield f"l {alarm.l:g} to h {alarm.h:g}", alarm.h - alarm.l


def spreads_are_not_negative(plant: Plant) -> Iterator[Finding]:
    """A standard deviation below 0 is none."""
    for n, limit in enumerate(plant.limits):
        for name, band in (("nor", limit.nor), ("par", limit.par)):
            if limit.statistic == "std" and band and band.high is not None and band.high < 0:
                yield ("limits", n, name), "a standard deviation is never below 0, so this is never met: mend it"


def limits_agree(plant: Plant) -> Iterator[Finding]:
    """Rows for the same product, unit, phase and role, of different statistics, can be met together."""
    first: dict[tuple[object, ...], list[tuple[int, Limit]]] = {}
    for n, limit in enumerate(plant.limits):
        if not in_units_of_the_tag(limit):
            continue
        alike = first.setdefault((limit.product, limit.recipe_version, limit.unit, limit.phase, limit.role), [])
        for other_n, other in alike:
            name = next((name for name in ("par", "nor") if _disagree(getattr(limit, name), getattr(other, name))), None)
            if name:
                what = (
                    f"{limit.statistic} within {span(getattr(limit, name))} and {other.statistic} within "
                    f"{span(getattr(other, name))} ({{other}}) are never met together: mend one of them"
                )
                yield ("limits", n, name), what, ("limits", other_n)
                break
        alike.append((n, limit))


def _disagree(one: Bounds | None, other: Bounds | None) -> bool:
    return one is not None and other is not None and apart(one, other)


def bounds_can_be_left(plant: Plant) -> Iterator[Finding]:
    """A bound of NOR or PAR beyond the instrument's range: what lies outside of it is never seen."""
    for n, limit, tags in guarded(plant):
        for name, band in (("nor", limit.nor), ("par", limit.par)) if in_units_of_the_tag(limit) else ():
            unseen = next(((end, tag) for tag in tags if (end := _unseen(band, tag)) is not None), None)
            if unseen:
                end, tag = unseen
                what = f"{end:g} lies outside the range {span(tag.tag.range)} of {tag}: nobody would see it left on that side"
                yield ("limits", n, name), what


def _unseen(band: Bounds | None, tag: PlacedTag) -> float | None:
    measured = tag.tag.range
    if band is None or measured is None or apart(band, measured):
        return None
    low, high = band.low, band.high
    if low is not None and low < (measured.low if measured.low is not None else -math.inf):
        return low
    return high if high is not None and high > (measured.high if measured.high is not None else math.inf) else None


def only_numbers_have_ranges(plant: Plant) -> Iterator[Finding]:
    """A text or a boolean has no bounds."""
    for placed in placed_tags(plant):
        if placed.tag.range and placed.tag.value_kind in (Kind.TEXT, Kind.BOOLEAN):
            yield (*placed.loc, "range"), f"the tag is {placed.tag.value_kind}, so a range says nothing: leave it out"


Check = Callable[[Plant], Iterator[Finding]]
FAULTS: tuple[Check, ...] = (ranges_can_be_shown, states_can_come, deadbands_leave_room, spreads_are_not_negative, limits_agree)
WARNINGS: tuple[Check, ...] = (bounds_can_be_left, only_numbers_have_ranges)
