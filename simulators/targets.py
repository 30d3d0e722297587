"""What upsets can be aimed at in a plant, by the names people use, and whether an upset fits its target.

R-201                  a unit
TT-201A, R-201/TT-201A a tag; with its unit where two units have a tag of that name
r301-balance           a device
r301-modbus            an endpoint
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from config.faults import did_you_mean
from config.model import Device, ModbusEndpoint, OpcUaEndpoint, Plant
from config.tags import Kind as TagKind
from config.tags import Tag
from simulators.instruments import ANALOGUE
from simulators.overrides import OVERRIDES, stands_at, status_of
from simulators.source import SimulationError
from simulators.upset import KINDS, MODBUS, OPC_UA, Kind, Level, Upset

_NAMES_SHOWN = 12
_ARTICLES = {Level.UNIT: "a unit", Level.TAG: "a tag", Level.DEVICE: "a device", Level.ENDPOINT: "an endpoint"}


@dataclass(frozen=True, slots=True)
class Target:
    """One thing in the plant. `unit` is a tag's; `endpoint` that of a tag, device or endpoint."""

    level: Level
    name: str
    unit: str = ""
    endpoint: OpcUaEndpoint | ModbusEndpoint | None = None
    device: Device | None = None
    tag: Tag | None = None

    @property
    def protocol(self) -> str:
        """Of its endpoint; empty for a unit."""
        if self.endpoint is None:
            return ""
        return OPC_UA if isinstance(self.endpoint, OpcUaEndpoint) else MODBUS


class Targets:
    """All targets of a plant."""

    def __init__(self, plant: Plant) -> None:
        self._by_level: dict[Level, dict[str, list[Target]]] = {level: {} for level in Level}
        for target in _targets(plant):
            self._by_level[target.level].setdefault(target.name, []).append(target)
            if target.level is Level.TAG:
                self._by_level[Level.TAG].setdefault(f"{target.unit}/{target.name}", []).append(target)

    def names(self, *levels: Level) -> list[str]:
        """Names at these levels, in the order of the plant file."""
        return [name for level in levels for name in self._by_level[level]]

    def find(self, kind: Kind, name: str) -> Target:
        """The target of this name at a level of the kind. Raises SimulationError with what would be right."""
        for level in kind.levels:
            found = self._by_level[level].get(name, [])
            if len(found) > 1:
                several = " or ".join(f"{target.unit}/{name}" for target in found)
                raise SimulationError(f"{name!r} is a tag of several units: write {several}")
            if found:
                return found[0]
        wanted = " or ".join(_ARTICLES[level] for level in kind.levels)
        other = next((level for level in Level if name in self._by_level[level]), None)
        names = self.names(*kind.levels)
        shown = [each for each in names if "/" not in each]
        there = ", ".join(shown[:_NAMES_SHOWN]) + (" ..." if len(shown) > _NAMES_SHOWN else "")
        what = f"{name!r} is {_ARTICLES[other]}" if other else f"there is no {name!r}"
        raise SimulationError(f"{what}; {kind.name} is for {wanted}{did_you_mean(name, names)}; here are: {there or 'none'}")

    def check(self, upset: Upset) -> Target:
        """The target of an upset that fits it. Raises SimulationError with what would be right."""
        kind = kind_named(upset.kind)
        target = self.find(kind, upset.target)
        check_value(kind, upset.value)
        if upset.duration_s is not None and target.level in kind.once:
            raise SimulationError(f"{kind.name} of {_ARTICLES[target.level]} happens once: leave the duration out")
        if target.protocol and target.protocol not in kind.protocols:
            speaks = "OPC UA" if target.protocol == OPC_UA else "Modbus"
            raise SimulationError(f"{upset.target} speaks {speaks}, which has no {kind.name}")
        if target.tag is not None:
            _check_tag(upset, target.tag)
        return target


def kind_named(name: str) -> Kind:
    """Raises SimulationError with a suggestion."""
    kind = KINDS.get(name)
    if kind is None:
        raise SimulationError(f"no upset is called {name!r}{did_you_mean(name, KINDS)}; there are: {', '.join(KINDS)}")
    return kind


def check_value(kind: Kind, value: float | str | None) -> None:
    """Raises SimulationError where the kind cannot take it."""
    what = f"{kind.meaning}{f' ({kind.unit})' if kind.unit not in ('', '1') else ''}"
    if value is None:
        if kind.needs_value:
            raise SimulationError(f"{kind.name} needs a value: {what}")
        return
    if kind.value == "none":
        raise SimulationError(f"{kind.name} takes no value: leave {value!r} out")
    if isinstance(value, float) and not isfinite(value):
        raise SimulationError(f"{value:g} is no number that a plant can have: {kind.name} takes the {what}")
    if kind.value == "text" or kind.name == "flat_line":
        return
    if isinstance(value, str):
        raise SimulationError(f"{value!r} is no number: {kind.name} takes the {what}")
    if kind.value == "whole number" and value != int(value):
        raise SimulationError(f"{value:g} is no whole number: {kind.name} takes the {what}")
    if (kind.low is not None and value < kind.low) or (kind.high is not None and value > kind.high):
        raise SimulationError(f"{value:g} does not fit: {kind.name} takes the {what}, {kind.low:g} to {kind.high:g}")


def _check_tag(upset: Upset, tag: Tag) -> None:
    if upset.kind in ANALOGUE and (tag.value_kind not in (TagKind.REAL, TagKind.INTEGER) or tag.states):
        held = "an enumeration" if tag.states else tag.value_kind
        can = ", ".join(sorted(OVERRIDES))
        raise SimulationError(f"{upset.target} is {held}: {upset.kind} needs a number; it can have {can}")
    if upset.kind == "flat_line" and upset.value is not None:
        stands_at(upset.value, tag)
    status_of(upset)


def _targets(plant: Plant) -> Iterator[Target]:
    for unit in plant.units:
        yield Target(Level.UNIT, unit.name, unit.name)
    for endpoint in plant.endpoints:
        yield Target(Level.ENDPOINT, endpoint.name, endpoint=endpoint)
        for device in endpoint.devices:
            yield Target(Level.DEVICE, device.name, device.unit or "", endpoint, device)
            for tag in device.tags:
                yield Target(Level.TAG, tag.name, device.unit_of(tag), endpoint, device, tag)
