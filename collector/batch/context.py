"""Which batch and phase each unit is in, from the controller's own tags.

A change applies from the slot of the scan that showed it, and to that scan itself. A context tag that can't be read
keeps what it said last: a batch does not end because a wire broke. What was known survives a restart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, replace
from functools import cache

from collector.terms import Event, EventKind, Json, Stamp
from config.model import Plant, Unit
from config.tags import Kind
from drivers.base import GOOD, Column, Layout, Scan

FIELDS = ("batch_id", "phase", "product", "recipe_version")
_STAMP_FIELD = {"batch_id": "batch", "phase": "phase", "product": "product", "recipe_version": "recipe_version"}


@dataclass(frozen=True, slots=True)
class _Source:
    """A column that tells a field of a unit's stamp."""

    column: int
    side_index: int
    """Position among the text or the integer columns, −1 for others."""
    unit: str
    field: str
    about: Column


def tells_context(layout: Layout, units: Mapping[str, Unit]) -> bool:
    """True when a column of `layout` tells the context of its unit."""
    return bool(_sources(layout, units))


def _sources(layout: Layout, units: Mapping[str, Unit]) -> list[_Source]:
    side = {int(column): i for columns in (layout.text_columns, layout.integer_columns) for i, column in enumerate(columns)}
    return [
        _Source(i, side.get(i, -1), column.unit, _STAMP_FIELD[field], column)
        for i, column in enumerate(layout.columns)
        for field in FIELDS
        if column.unit in units and getattr(units[column.unit].context, field) == column.role
    ]


class ContextTracker:
    """The stamp of every unit, followed through the scans."""

    def __init__(self, plant: Plant, known: Mapping[str, Stamp] | None = None) -> None:
        """`known`: the stamps of before a restart."""
        self._units = {unit.name: unit for unit in plant.units}
        known = known or {}
        told = {(device.unit_of(tag), tag.role) for device, tag in plant.tags()}
        self.stamps = {unit.name: self._resumed(unit, known.get(unit.name), told) for unit in plant.units}
        self._sources = cache(lambda layout_id: _sources(self._layouts[layout_id], self._units))
        self._layouts: dict[str, Layout] = {}

    def _resumed(self, unit: Unit, before: Stamp | None, told: Set[tuple[str, str]]) -> Stamp:
        """What only the plant file tells (no tag of `told` does) is taken from the plant file of today."""
        initial = self._initial(unit)
        if before is None:
            return initial
        tag_tells = {field: (unit.name, getattr(unit.context, field)) in told for field in ("product", "recipe_version")}
        return replace(
            before,
            product=(before.product if tag_tells["product"] else "") or initial.product,
            recipe_version=(before.recipe_version if tag_tells["recipe_version"] else "") or initial.recipe_version,
            mode=unit.mode,
        )

    @staticmethod
    def _initial(unit: Unit) -> Stamp:
        return Stamp(product=unit.product or "", recipe_version=unit.recipe_version or "", mode=unit.mode)

    def of(self, layout: Layout) -> tuple[Stamp, ...]:
        """The stamps of a layout's units now, in their order."""
        return tuple(self.stamps[unit] for unit in layout.units)

    def observe(self, scan: Scan) -> list[Event]:
        """Learn from `scan`; the batches and phases that ended or began with it."""
        self._layouts.setdefault(scan.layout.id, scan.layout)
        if scan.lost or not (sources := self._sources(scan.layout.id)):
            return []
        told: dict[str, dict[str, str]] = {}
        for source in sources:
            if self._says_something(scan, source):
                told.setdefault(source.unit, {})[source.field] = self._text(scan, source)
        events = []
        for unit, fields in told.items():
            before = self.stamps[unit]
            after = self._with_defaults(unit, replace(before, **fields))
            if after != before:
                self.stamps[unit] = after
                events += changes(unit, before, after, scan.slot_ns)
        return events

    def _with_defaults(self, unit: str, stamp: Stamp) -> Stamp:
        initial = self._initial(self._units[unit])
        return replace(
            stamp, product=stamp.product or initial.product, recipe_version=stamp.recipe_version or initial.recipe_version
        )

    @staticmethod
    def _says_something(scan: Scan, source: _Source) -> bool:
        is_number = source.about.kind is Kind.TEXT or math.isfinite(scan.values[source.column])
        return bool(scan.quality[source.column] == GOOD) and is_number

    @staticmethod
    def _text(scan: Scan, source: _Source) -> str:
        if source.about.kind is Kind.TEXT:
            return scan.texts[source.side_index].strip()
        integer = source.about.kind is Kind.INTEGER
        number = int(scan.integers[source.side_index]) if integer else round(float(scan.values[source.column]))
        return dict(source.about.states).get(number, str(number))


def changes(unit: str, before: Stamp, after: Stamp, slot_ns: int) -> list[Event]:
    """What ended and began, in that order: phase, batch; then batch, phase."""
    new_batch = before.batch != after.batch
    new_phase = new_batch or before.phase != after.phase
    events = []
    if new_phase and before.phase:
        events.append(_event(unit, before, slot_ns, "phase", "ended"))
    if new_batch and before.batch:
        events.append(_event(unit, before, slot_ns, "batch", "ended"))
    if new_batch and after.batch:
        events.append(_event(unit, after, slot_ns, "batch", "began"))
    if new_phase and after.phase:
        events.append(_event(unit, after, slot_ns, "phase", "began"))
    return events


def _event(unit: str, stamp: Stamp, slot_ns: int, what: str, state: str) -> Event:
    name = stamp.batch if what == "batch" else stamp.phase
    body: dict[str, Json] = {"what": what, "state": state, "text": f"{what.capitalize()} {name} {state}", **asdict(stamp)}
    return Event(EventKind.BATCH, slot_ns, unit, stamp, body)
