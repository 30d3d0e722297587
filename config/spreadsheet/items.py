"""Rows of a CSV table -> the data of tags and limits, each value with its line. An empty cell leaves its key out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from config.faults import Fault, did_you_mean, key_text
from config.place import UNREADABLE, Place
from config.spreadsheet.cells import Decimal, decimal_of, number, parameter, states, yes_or_no
from config.spreadsheet.columns import Column, Columns, normal
from config.spreadsheet.table import Row, Table
from config.templates import Parameter, Parameters
from config.yaml_core import BadValue, Scalar

NOTE = "#"
"""Begins the name of a column that is for people alone."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table whose columns are known. `faults` are those of the table; a column in fault is left out."""

    table: Table
    columns: list[tuple[int, Column]]
    decimal: Decimal
    faults: list[Fault] = field(default_factory=list)


def sheet(table: Table, columns: Columns) -> Sheet:
    """The columns of `table`, as `columns` knows them."""
    faults = list(table.faults)
    found = list(_known(table, columns, faults))
    names = {column.name for _, column in found}
    missing = [name for name in columns.required if name not in names]
    if missing and table.header.cells and not faults:
        named = ", ".join(key_text(cell) for cell in table.header.cells)
        what = f"no column {missing[0]!r}, which {columns.what} needs; found: {named}"
        faults.append(Fault(table.file, table.header.line, "", what))
    if missing:
        table = Table(table.file, table.separator, table.header, [], [])
    numbers = [index for index, column in found if column.kind == "number"]
    return Sheet(table, found, decimal_of(row.cells[index] for row in table.rows for index in numbers), faults)


def _known(table: Table, columns: Columns, faults: list[Fault]) -> Iterator[tuple[int, Column]]:
    by_name = columns.by_name()
    first: dict[str, str] = {}
    for index, cell in enumerate(table.header.cells):
        if cell.startswith(NOTE):
            continue
        column = by_name.get(normal(cell))
        if column is None:
            faults.append(Fault(table.file, table.header.line, "", _unknown(cell, index, columns)))
        elif column.name in first:
            what = f"columns {first[column.name]!r} and {cell!r} both are {column.name}: keep one"
            faults.append(Fault(table.file, table.header.line, "", what))
        else:
            first[column.name] = cell
            yield index, column


def _unknown(cell: str, index: int, columns: Columns) -> str:
    if not cell:
        return f"column {index + 1} has no name: name it or take it out"
    names = [column.name for column in columns.columns]
    aliases = [alias for column in columns.columns for alias in column.aliases]
    hint = did_you_mean(cell, [*names, *aliases]) or f"; a column of your own begins with {NOTE}: {key_text(f'{NOTE} {cell}')!r}"
    return f"unknown column {key_text(cell)!r}{hint}; known here: {', '.join(names)}"


class Items:
    """Turns the rows of a sheet into data; with `parameters` when a template names the table. What
    is wrong goes to `faults`."""

    def __init__(self, sheet: Sheet, parameters: Parameters | None, faults: list[Fault]) -> None:
        self._sheet, self._parameters, self._faults = sheet, parameters, faults
        self._where = parameters.where if parameters else ""

    def tags(self) -> Iterator[tuple[Scalar, object, Place]]:
        """Name, data and place of each tag."""
        at = next((index for index, column in self._sheet.columns if column.name == "tag"), 0)
        rest = [(index, column) for index, column in self._sheet.columns if column.name != "tag"]
        for row in self._sheet.table.rows:
            place = Place(row.line, "", {}, True, self._sheet.table.file, self._where)
            name = self._filled(row.cells[at], place) if row.cells[at] else None
            if name is None:
                self._faults.append(place.fault("names no tag: fill the column tag, or put # before the row to skip it"))
            elif name is not UNREADABLE:
                shown = str(getattr(name, "text", name))
                yield shown, *self._item(row, rest, key_text(shown))

    def limits(self) -> Iterator[tuple[object, Place]]:
        """Data and place of each limit."""
        for row in self._sheet.table.rows:
            yield self._item(row, self._sheet.columns, "")

    def _item(self, row: Row, columns: list[tuple[int, Column]], name: str) -> tuple[dict[str, Any], Place]:
        data: dict[str, Any] = {}
        places: dict[Scalar, Place] = {}
        line, file, where, before = row.line, self._sheet.table.file, self._where, f"{name}." if name else ""
        for index, column in columns:
            if not row.cells[index]:
                continue
            here = Place(line, before + column.name, {}, False, file, where)
            value = self._value(row.cells[index], column, here)
            key, *inner = column.steps
            if not inner:
                data[key], places[key] = value, self._of_states(value, here) if column.kind == "states" else here
                continue
            data.setdefault(key, {})[inner[0]] = value
            if key not in places:
                places[key] = Place(line, before + key, {}, True, file, where)
            places[key].inside[inner[0]] = here
        return data, Place(line, name, places, True, file, where)

    def _of_states(self, value: object, here: Place) -> Place:
        return here._replace(inside=dict.fromkeys(value, here), is_mapping=True) if isinstance(value, dict) else here

    def _value(self, cell: str, column: Column, here: Place) -> object:
        value = self._filled(cell, here)
        if not isinstance(value, str) or column.kind == "text":
            return value
        try:
            if column.kind == "number":
                return number(value, self._sheet.decimal, self._sheet.table.separator)
            return yes_or_no(value) if column.kind == "yes_no" else states(value)
        except BadValue as exc:
            self._faults.append(here.fault(str(exc)))
            return UNREADABLE

    def _filled(self, cell: str, here: Place) -> object:
        if self._parameters is None:
            return cell
        try:
            return self._parameters.filled(cell)
        except BadValue as exc:
            self._faults.append(here.fault(str(exc)))
            return UNREADABLE


def parameter_rows(table: Table) -> tuple[list[dict[str, Parameter]], list[Fault]]:
    """The rows of a table of parameters: each column is one, under its normal name."""
    faults = list(table.faults)
    names: dict[str, str] = {}
    for index, cell in enumerate(table.header.cells):
        other = names.setdefault(normal(cell), cell)
        if not normal(cell).isidentifier():
            what = f"column {index + 1} has no name that a placeholder can have: give it one of letters, digits and _"
            faults.append(Fault(table.file, table.header.line, "", what))
        elif other is not cell:
            faults.append(Fault(table.file, table.header.line, "", f"columns {other!r} and {cell!r} are one parameter: keep one"))
    if len(faults) > len(table.faults):
        return [], faults
    decimal = decimal_of(cell for row in table.rows for cell in row.cells)
    return [_parameters(row, table, decimal) for row in table.rows], faults


def _parameters(row: Row, table: Table, decimal: Decimal) -> dict[str, Parameter]:
    values = [parameter(cell, decimal, table.separator) if cell else None for cell in row.cells]
    return {
        normal(name): Parameter(name, value, Place(row.line, name, file=table.file))
        for name, value in zip(table.header.cells, values, strict=True)
    }
