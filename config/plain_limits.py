"""Limit tables on their own, as anybody writes them: a tag, a low and a high. They are put into the words of limits. Pure.

    tag,unit,low,high              tag -> role; low and high -> par, where the table has no other levels;
    TT-101,°C,10,70                columns for people, and engineering units, are passed over

What a column was taken for is told. A column of another name is a fault, as in every limit table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.csv_columns import LIMIT_COLUMNS, normal
from config.csv_items import NOTE
from config.csv_table import Table
from config.engineering_units import understood
from config.place import Place
from config.yaml_core import Scalar


def _normal(*names: str) -> frozenset[str]:
    return frozenset(map(normal, names))


_TAG = _normal("tag", "tagname", "tag name", "tag no", "tag id", "point", "variable", "signal", "sensor", "measurement", "column")
_LOW = _normal("low", "lo", "min", "minimum", "lower", "low limit", "lower limit", "lower bound", "limit low", "LSL")
_HIGH = _normal("high", "hi", "max", "maximum", "upper", "high limit", "upper limit", "upper bound", "limit high", "USL")
_LEVELS = _normal("par_low", "par_high", "PAR min", "PAR max", "ll", "hh", "low low", "high high", "lolo", "hihi", "l", "h")
_FOR_PEOPLE = _normal(
    *("description", "tag description", "comment", "comments", "remark", "remarks", "note", "notes"),
    *("engineering unit", "engineering units", "eng unit", "EU", "units", "UoM", "unit of measure"),
)


class PlainTables:
    """Renames the columns of limit tables; `told` says which."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, table: Table) -> Table:
        """The same rows under names that limits have."""
        names = [normal(cell) for cell in table.header.cells]
        renamed = [self._name(table, at, names) for at in range(len(names))]
        changed = [(old, new) for old, new in zip(table.header.cells, renamed, strict=True) if normal(old) != normal(new)]
        if changed:
            listed = ", ".join(f"{old} {'passed over' if new.startswith(NOTE) else f'taken as {new}'}" for old, new in changed)
            self.told.append(f"{table.file}: {listed}")
        return replace(table, header=replace(table.header, cells=renamed))

    def _name(self, table: Table, at: int, names: list[str]) -> str:
        cell, name = table.header.cells[at], names[at]
        known = LIMIT_COLUMNS.by_name()
        if name in _TAG and not any(known.get(other) is known["role"] for other in names if other != name):
            return "role"
        if (name in _LOW or name in _HIGH) and not _LEVELS & set(names):
            return "par_low" if name in _LOW else "par_high"
        units = {row.cells[at] for row in table.rows} - {""}
        of_units = known.get(name) is known["unit"] and units and all(understood(unit) is not None for unit in units)
        return f"{NOTE} {cell}" if name in _FOR_PEOPLE or of_units else cell


def plain_item(item: object, place: Place) -> tuple[object, Place]:
    """A limit of a YAML list: `{tag: TT-101, low: 10, high: 70}` is one, too."""
    if not isinstance(item, Mapping):
        return item, place
    data, inside = dict(item), dict(place.inside)
    if "tag" in data and not {"role", "name", "expression"} & set(data):
        data["role"], inside["role"] = data.pop("tag"), inside.pop("tag")
    levels = {side: data[side] for side in ("low", "high") if side in data}
    if levels and not {"par", "alarm"} & set(data):
        first = next(iter(levels))
        within: dict[Scalar, Place] = {side: inside[side] for side in levels}
        inside["par"] = Place(inside[first].line, inside[first].path, within, True, place.file, place.row)
        data["par"] = levels
        for side in levels:
            del data[side], inside[side]
    whole: dict[Any, object] = data
    return whole, place._replace(inside=inside)


_OF_A_TAG = frozenset(("low", "high", "nor", "par", "alarm", "deadband", "phase", "statistic", "window_s", "cpp"))


def is_by_tag(value: object) -> bool:
    """Whether a value says the limits of the tag that is its key: bounds, or a mapping that holds nothing but limits."""
    if isinstance(value, list):
        return len(value) == 2 and all(each is None or isinstance(each, (int, float)) for each in value)
    return isinstance(value, Mapping) and bool(value) and set(value) <= _OF_A_TAG


def named_item(name: Scalar, value: object, place: Place) -> tuple[object, Place]:
    """The same as an item of a list."""
    if isinstance(value, list):
        return {"role": name, "par": value}, Place(place.line, "", {"role": place, "par": place}, True, place.file, place.row)
    data = {"role": name, **value} if isinstance(value, Mapping) else value
    return data, place._replace(inside={"role": Place(place.line, "role", {}, False, place.file, place.row), **place.inside})
