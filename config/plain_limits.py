"""Limit tables on their own, as anybody writes them: a tag, a low and a high. They are put into the words of limits. Pure.

    tag,unit,low,high              tag -> role; low and high -> par, where the table has no other levels;
    TT-101,°C,10,70                columns for people, and engineering units, are passed over

What a column was taken for is told. A column of another name is a fault, as in every limit table.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from config.place import Place
from config.spreadsheet.columns import LIMIT_COLUMNS, Column, normal
from config.spreadsheet.items import NOTE
from config.spreadsheet.table import Table
from config.unit_columns import are_engineering_units
from config.yaml_core import Scalar


def _normal(*names: str) -> frozenset[str]:
    return frozenset(map(normal, names))


_TAG = _normal(
    *("tag", "tagname", "tag name", "tag no", "tag id", "point", "variable", "signal", "sensor", "measurement", "column"),
    *("channel", "item", "variable name", "measurement point", "messstelle"),
)
_PHASE = _normal("phase name", "recipe phase", "operation", "stage", "step", "step name", "process phase", "schritt")
_LOW = _normal(
    *("low", "lo", "min", "minimum", "lower", "low limit", "lower limit", "lower bound", "limit low", "LSL", "LCL"),
    *("min value", "minimum value", "lower spec limit", "lower control limit", "lower threshold", "min limit", "untergrenze"),
)
_HIGH = _normal(
    *("high", "hi", "max", "maximum", "upper", "high limit", "upper limit", "upper bound", "limit high", "USL", "UCL"),
    *("max value", "maximum value", "upper spec limit", "upper control limit", "upper threshold", "max limit", "obergrenze"),
)
_LEVELS = _normal("par_low", "par_high", "PAR min", "PAR max", "ll", "hh", "low low", "high high", "lolo", "hihi", "l", "h")
_FOR_PEOPLE = _normal(
    *("description", "tag description", "comment", "comments", "remark", "remarks", "note", "notes"),
    *("engineering unit", "engineering units", "eng unit", "EU", "units", "UoM", "unit of measure"),
)
_NO_LIMIT = frozenset(("-", "--", "na", "n/a", "nan", "none", "null", "no limit"))
_ENDLESS = {"low": frozenset(("-inf", "-infinity", "-\u221e")), "high": frozenset(("inf", "+inf", "infinity", "\u221e"))}
_CONTEXT = ("product", "recipe_version", "unit", "phase")
_ANY = frozenset(("*", "all", "any", "alle"))
"""Of a phase, unit, product or version: the row holds for every one."""


_BY_NAME = LIMIT_COLUMNS.by_name()


def _word_of_limits(name: str, names: Collection[str]) -> str | None:
    """What limits call a column or key that stands among others, all names normal; None where it is called so already."""
    known = {_BY_NAME[other].name for other in names if other in _BY_NAME}
    if name in _TAG | {"name"} and not {"role", "expression"} & known and not (name == "name" and _TAG & set(names)):
        return "role"
    if name in _PHASE and "phase" not in known:
        return "phase"
    if (name in _LOW or name in _HIGH) and not _LEVELS & set(names):
        return "par_low" if name in _LOW else "par_high"
    return None


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
        rows = [replace(row, cells=list(map(_cell, renamed, row.cells))) for row in table.rows]
        open_ones = dict.fromkeys(
            repr(old)
            for row, plain in zip(table.rows, rows, strict=True)
            for old, new in zip(row.cells, plain.cells, strict=True)
            if old != new
        )
        if open_ones:
            self.told.append(f"{table.file}: {', '.join(open_ones)} taken as left open")
        return replace(table, header=replace(table.header, cells=renamed), rows=rows)

    def _name(self, table: Table, at: int, names: list[str]) -> str:
        cell, name = table.header.cells[at], names[at]
        if (word := _word_of_limits(name, names)) is not None:
            return word
        of_units = _BY_NAME.get(name) is _BY_NAME["unit"] and are_engineering_units({row.cells[at] for row in table.rows})
        return f"{NOTE} {cell}" if name in _FOR_PEOPLE or of_units else cell


def _cell(column: str, cell: str) -> str:
    """A cell that says in a word that it leaves something open is empty."""
    known, word = _BY_NAME.get(normal(column)), cell.casefold()
    if known is None:
        return cell
    if len(known.steps) == 2 and (word in _NO_LIMIT or word in _ENDLESS.get(_side(known), ())):
        return ""
    return "" if known.name in _CONTEXT and word in _ANY else cell


def _side(level: Column) -> str:
    return "low" if level.steps[1] in ("low", "l", "ll") else "high"


def plain_item(item: object, place: Place) -> tuple[object, Place]:
    """A limit of a YAML list: `{tag: TT-101, low: 10, high: 70}` is one, too."""
    if not isinstance(item, Mapping):
        return item, place
    names = {key: normal(str(key)) for key in item}
    nested = {key for key in ("nor", "par", "alarm") if key in item}
    data: dict[Any, Any] = {}
    inside: dict[Scalar, Place] = {}
    for key, value in item.items():
        word = _word_of_limits(names[key], list(names.values())) if not nested or names[key] not in _LOW | _HIGH else None
        level, name = _BY_NAME.get(normal(word or names[key])), word or key
        if _is_told_twice(level, name, data):  # which of the two is meant? Under its own name it is a fault
            data[key], inside[key] = value, place.inside[key]
        elif level is not None and len(level.steps) == 2 and level.steps[0] not in nested:
            _put_level(level, None if _is_endless(level, value) else value, place.inside[key], data, inside)
        elif name not in _CONTEXT or not _is_any(value):
            data[name], inside[name] = value, place.inside[key]
    return data, place._replace(inside=inside)


def _is_told_twice(level: Column | None, name: Scalar, data: Mapping[Any, Any]) -> bool:
    """Whether another key of the same item has told it by another name."""
    if level is not None and len(level.steps) == 2:
        within = data.get(level.steps[0])
        return isinstance(within, Mapping) and level.steps[1] in within
    return name in data


def _is_any(value: object) -> bool:
    return isinstance(value, str) and value.casefold() in _ANY


def _is_endless(level: Column, value: object) -> bool:
    return isinstance(value, float) and value == (-math.inf if _side(level) == "low" else math.inf)


def _put_level(level: Column, value: object, place: Place, data: dict[Any, Any], inside: dict[Scalar, Place]) -> None:
    kind, key = level.steps
    if kind not in data:
        data[kind], inside[kind] = {}, Place(place.line, place.path, {}, True, place.file, place.row)
    data[kind][key], inside[kind].inside[key] = value, place


_OF_A_TAG = frozenset(("nor", "par", "alarm", "deadband", "phase", "statistic", "window_s", "cpp"))


def is_by_tag(value: object) -> bool:
    """Whether a value says the limits of the tag that is its key: bounds, or a mapping that holds nothing but limits."""
    if isinstance(value, list):
        return len(value) == 2 and all(each is None or isinstance(each, (int, float)) for each in value)
    return isinstance(value, Mapping) and bool(value) and all(map(_is_of_a_tag, value))


def _is_of_a_tag(key: object) -> bool:
    name = normal(str(key))
    return key in _OF_A_TAG or name in _LOW | _HIGH or (name in _BY_NAME and len(_BY_NAME[name].steps) == 2)


def named_item(name: Scalar, value: object, place: Place) -> tuple[object, Place]:
    """The same as an item of a list."""
    if isinstance(value, list):
        return {"role": name, "par": value}, Place(place.line, "", {"role": place, "par": place}, True, place.file, place.row)
    data = {"role": name, **value} if isinstance(value, Mapping) else value
    return data, place._replace(inside={"role": Place(place.line, "role", {}, False, place.file, place.row), **place.inside})
