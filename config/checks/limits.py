"""Checks of limits against the tags they guard. Pure; see `checks`.

A limit that can never be judged, or never be left, is a silent gap: it is a fault. Of several rows that fit, the
most specific holds, so a row for all phases and one for `Dose` are no conflict; two rows alike are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from config.common import Bounds
from config.expressions.tree import operands
from config.faults import did_you_mean
from config.findings import Finding, PlacedTag, homeless_roles, placed_tags, roles_by_unit, tags_by_role
from config.limit_statistics import DURATION
from config.limits import Limit
from config.model import Plant
from config.tags import Kind, OpcUaTag

IN_UNITS_OF_THE_TAG = ("value", "mean", "min", "max", "time_outside", "ewma")
_LEAST_PERIODS, _MANY_PERIODS = 2, 36_000


def in_units_of_the_tag(limit: Limit) -> bool:
    """Whether its levels can be held against the tag's range."""
    return limit.statistic in IN_UNITS_OF_THE_TAG and not limit.is_derived


def guarded(plant: Plant) -> Iterator[tuple[int, Limit, list[PlacedTag]]]:
    """Each limit with its index and the tags it applies to; of a duration those that tell the phase."""
    by_role, telling = tags_by_role(plant), _phase_tags(plant)
    for n, limit in enumerate(plant.limits):
        tags = telling if limit.statistic == DURATION else by_role.get(limit.role, [])
        yield n, limit, [tag for tag in tags if limit.unit in (None, tag.unit)]


def _phase_tags(plant: Plant) -> list[PlacedTag]:
    """They tell the phases whose durations may be limited."""
    roles = {unit.name: unit.context.phase for unit in plant.units}
    return [placed for placed in placed_tags(plant) if roles.get(placed.unit) == placed.tag.role]


class HoldsLimits(Protocol):
    """A plant, or a limit table on its own."""

    @property
    def limits(self) -> tuple[Limit, ...]:
        """In the order of the file."""


def limits_are_unique(held: HoldsLimits) -> Iterator[Finding]:
    """Of two rows for the same thing one would never hold."""
    first: dict[tuple[object, ...], int] = {}
    for n, limit in enumerate(held.limits):
        key = (limit.product, limit.recipe_version, limit.unit, limit.phase, limit.role, limit.measure, limit.window_s)
        other = first.setdefault(key, n)
        if other != n:
            what = "{other} has the same product, recipe_version, unit, phase, role, statistic and window_s: join them"
            yield ("limits", n), what, ("limits", other)


def limits_can_be_met(plant: Plant) -> Iterator[Finding]:
    """A tag can be inside its limits only when they share something with its range."""
    for n, limit, tags in guarded(plant):
        if not in_units_of_the_tag(limit):
            continue
        for key, interval in (("nor", limit.nor), ("par", limit.par)):
            missed = next((tag for tag in tags if interval and tag.tag.range and apart(interval, tag.tag.range)), None)
            if missed:
                yield (
                    ("limits", n, key),
                    f"lies wholly outside the range {span(missed.tag.range)} of {missed}, so it is never met: mend one of them",
                )


def cpps_have_no_deadband(plant: Plant) -> Iterator[Finding]:
    """What a GMP record must hold, no server may keep back: neither the parameter nor what it is made of."""
    gmp = {unit.name for unit in plant.units if unit.mode == "gmp"}
    by_role, told = tags_by_role(plant), set()
    for _, limit, tags in guarded(plant):
        for tag in (*tags, *_made_of(limit, by_role)) if limit.cpp else ():
            held_back = isinstance(tag.tag, OpcUaTag) and tag.tag.deadband is not None
            if held_back and tag.unit in gmp and tag.loc not in told:
                told.add(tag.loc)
                what = f"a deadband on a critical process parameter of {tag.unit}, which runs in gmp: leave the deadband out"
                yield (*tag.loc, "deadband"), what


def _made_of(limit: Limit, by_role: Mapping[str, list[PlacedTag]]) -> Iterator[PlacedTag]:
    """The tags of an expression or a deviation, its setpoint too."""
    for operand in operands(limit.tree) if limit.is_derived else ():
        unit = operand.unit or limit.unit
        yield from (tag for tag in by_role.get(operand.role, ()) if unit in (None, tag.unit))


def apart(one: Bounds, other: Bounds) -> bool:
    """True when they share nothing."""
    return _is_below(one, other) or _is_below(other, one)


def _is_below(one: Bounds, other: Bounds) -> bool:
    return one.high is not None and other.low is not None and one.high < other.low


def span(interval: Bounds | None) -> str:
    """`[10, null]`"""
    low, high = (interval.low, interval.high) if interval else (None, None)
    return f"[{'null' if low is None else f'{low:g}'}, {'null' if high is None else f'{high:g}'}]"


def limits_guard_something(plant: Plant) -> Iterator[Finding]:
    """The unit and role of a limit exist, and the role is a number."""
    units, homeless = [unit.name for unit in plant.units], homeless_roles(plant)
    by_role, by_unit = tags_by_role(plant), roles_by_unit(plant)
    for n, limit, tags in guarded(plant):
        if limit.unit is not None and limit.unit not in units:
            names = f"units of this plant: {', '.join(units) or 'none'}"
            yield ("limits", n, "unit"), f"no unit {limit.unit!r}{did_you_mean(limit.unit, units)}; {names}"
        elif limit.statistic == DURATION:
            if not tags:
                where = f"unit {limit.unit}" if limit.unit else "any unit"
                yield (
                    ("limits", n, "statistic"),
                    f"no tag tells the phase of {where}, so none has a duration: add a tag with role phase",
                )
            continue
        elif not tags and limit.role not in homeless and limit.expression is None:
            where = f"unit {limit.unit}" if limit.unit else "any unit"
            roles = by_unit[limit.unit] if limit.unit else by_role
            yield ("limits", n, "role"), f"no tag of {where} has role {limit.role!r}{did_you_mean(limit.role, roles)}"
        for tag in tags[:1]:
            if tag.tag.value_kind not in (Kind.REAL, Kind.INTEGER):
                yield (
                    ("limits", n, "role"),
                    f"{limit.role} is {tag.tag.value_kind} ({tag}): only a real or integer tag has limits",
                )


def phases_exist(plant: Plant) -> Iterator[Finding]:
    """Where the phase tag lists its states, the phase of a limit is one of them, or a number it has no name for."""
    phases = _phases(plant)
    for n, limit, tags in guarded(plant):
        known = [phases.get(tag.unit) for tag in tags]
        if limit.phase is None or limit.phase.isdecimal() or not known or None in known:
            continue
        names = list(dict.fromkeys(name for states in known for name in states or ()))
        if limit.phase not in names:
            what = f"no phase {limit.phase!r}{did_you_mean(limit.phase, names)}; states of the phase tag: {', '.join(names)}"
            yield ("limits", n, "phase"), what


def _phases(plant: Plant) -> dict[str, tuple[str, ...]]:
    """The states of each unit's phase tag, of the units where it lists them."""
    roles = {unit.name: unit.context.phase for unit in plant.units}
    return {
        placed.unit: tuple(placed.tag.states.values())
        for placed in placed_tags(plant)
        if placed.tag.states and roles.get(placed.unit) == placed.tag.role
    }


def phases_are_told(plant: Plant) -> Iterator[Finding]:
    """A limit of a phase, or since one began, holds only where somebody tells the phase; so of a batch."""
    told = {what: _units_that_tell(plant, what) for what in ("phase", "batch_id")}
    for n, limit, tags in guarded(plant):
        for key, what in (("phase", "phase"), ("within", "batch_id" if limit.within == "batch" else "phase")):
            if getattr(limit, key) is not None and tags and told[what].isdisjoint(tag.unit for tag in tags):
                where = ", ".join(dict.fromkeys(tag.unit for tag in tags))
                word = what.removesuffix("_id")
                yield (
                    ("limits", n, key),
                    f"no tag tells the {word} of {where}, so this is never judged: add a tag with role {what}",
                )
                break


def _units_that_tell(plant: Plant, what: str) -> set[str]:
    roles = {unit.name: getattr(unit.context, what) for unit in plant.units}
    return {placed.unit for placed in placed_tags(plant) if roles.get(placed.unit) == placed.tag.role}


def windows_hold_samples(plant: Plant) -> Iterator[Finding]:
    """A window holds at least two slots of the tag it looks at."""
    for n, limit, tags in guarded(plant):
        slow = next((tag for tag in tags if _periods(limit, tag) < _LEAST_PERIODS), None)
        if limit.window_s and slow:
            what = (
                f"window_s {limit.window_s:g} holds fewer than 2 samples of {slow}, read every {slow.period_s:g} s: lengthen it"
            )
            yield ("limits", n, "window_s"), what
        constant_s = limit.time_constant_s
        slow = next((tag for tag in tags if constant_s and tag.period_s and constant_s < tag.period_s), None)
        if constant_s and slow:
            what = f"time_constant_s {constant_s:g} is shorter than the period of {slow}, {slow.period_s:g} s: lengthen it"
            yield ("limits", n, "time_constant_s"), what


def _periods(limit: Limit, tag: PlacedTag) -> float:
    return _LEAST_PERIODS if limit.window_s is None or tag.period_s is None else limit.window_s / tag.period_s


def windows_are_short(plant: Plant) -> Iterator[Finding]:
    """Every sample of a window is held in memory."""
    for n, limit, tags in guarded(plant):
        fast = next((tag for tag in tags if _periods(limit, tag) > _MANY_PERIODS), None)
        if fast:
            yield ("limits", n, "window_s"), f"holds more than {_MANY_PERIODS} samples of {fast}, all in memory: is it so long?"


def alarms_come_in_time(plant: Plant) -> Iterator[Finding]:
    """What a limit knows of itself."""
    for n, limit in enumerate(plant.limits):
        yield from ((("limits", n, "alarm"), what) for what in limit.warnings())


def alarms_can_come(plant: Plant) -> Iterator[Finding]:
    """An alarm beyond the range of its tag never comes."""
    for n, limit, tags in guarded(plant):
        if limit.alarm is None or not in_units_of_the_tag(limit):
            continue
        for name, level in ((name, getattr(limit.alarm, name)) for name in ("ll", "l", "h", "hh")):
            beyond = next((tag for tag in tags if level is not None and tag.tag.range and level not in tag.tag.range), None)
            if beyond:
                what = f"{level:g} lies outside the range {span(beyond.tag.range)} of {beyond}: it may never come"
                yield ("limits", n, "alarm", name), what


Check = Callable[[Plant], Iterator[Finding]]
FAULTS: tuple[Check, ...] = (limits_are_unique, limits_can_be_met, cpps_have_no_deadband)
FAULTS_OF_A_WHOLE: tuple[Check, ...] = (limits_guard_something, phases_exist, windows_hold_samples)
WARNINGS: tuple[Check, ...] = (phases_are_told, windows_are_short, alarms_come_in_time, alarms_can_come)
