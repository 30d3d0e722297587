"""CSV files of a plant, each read once, and put where they are named: tag lists of devices, limit tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeGuard

from config.faults import ConfigError, Fault, key_text
from config.files import Files, beside, no_such_file
from config.inclusion import Piece
from config.place import UNREADABLE, Place, inside_list, inside_mapping
from config.spreadsheet.columns import LIMIT_COLUMNS, TAG_COLUMNS, Columns
from config.spreadsheet.items import Items, Sheet, sheet
from config.spreadsheet.table import Table, parse
from config.templates import Parameters
from config.text import as_written
from config.yaml_core import Scalar


class Tables:
    """The CSV files of a plant. What is wrong with them goes to `faults`."""

    def __init__(self, files: Files, faults: list[Fault], limits_as: Callable[[Table], Table] = lambda table: table) -> None:
        """`limits_as`: what is done to a limit table before it is read."""
        self._files, self._faults, self._limits_as = files, faults, limits_as
        self._tables: dict[Path, Table | None] = {}
        self._sheets: dict[tuple[Path, str], Sheet] = {}

    def table(self, name: str, place: Place) -> Table | None:
        """The table `name` that is named at `place`; None, and a fault, when there is none."""
        path = beside(name, place.file)
        try:
            is_file = path.is_file()
        except (OSError, ValueError):
            is_file = False
        if not is_file:
            self._faults.append(place.fault(no_such_file(name, place.file)))
            return None
        if path not in self._tables:
            try:
                self._tables[path] = parse(self._files.csv_text(path), str(path))
            except ConfigError as exc:
                self._faults += exc.faults
                self._tables[path] = None
        return self._tables[path]

    def _items(self, name: str, place: Place, columns: Columns, parameters: Parameters | None) -> Items | None:
        table = self.table(name, place)
        if table is None:
            return None
        key = beside(name, place.file), columns.what
        if key not in self._sheets:
            self._sheets[key] = sheet(self._limits_as(table) if columns is LIMIT_COLUMNS else table, columns)
            self._faults += self._sheets[key].faults
        return Items(self._sheets[key], parameters, self._faults)

    def put_into(self, piece: Piece) -> None:
        """Put tags and limits where a part of the plant names a CSV file."""
        for device, place in _devices(piece):
            tags = device.get("tags")
            if _names_a_file(tags):
                device["tags"], place.inside["tags"] = self._tags(tags, place.inside["tags"], piece.parameters)
        limits = piece.data.get("limits")
        if _names_a_file(limits):
            place = piece.place.inside["limits"]
            piece.data["limits"], piece.place.inside["limits"] = self._limits(limits, place, piece.parameters)

    def _tags(self, written: str | list[object], around: Place, parameters: Parameters | None) -> tuple[object, Place]:
        entries: dict[str, tuple[Scalar, object, Place]] = {}
        known = len(self._faults)
        for item, place in _items_of(written, around):
            for key, value, inside in self._named_tags(item, place, parameters):
                shown = str(as_written(key))
                first = entries.setdefault(shown, (key, value, inside))[2]
                if first is not inside:
                    what = f"tag {key_text(shown)!r} stands at {first.file}:{first.line} already: keep one"
                    self._faults.append(inside.fault(what))
        if not entries and len(self._faults) > known:
            return UNREADABLE, around._replace(inside={})
        return inside_mapping(entries.values(), around)

    def _named_tags(self, item: object, place: Place, parameters: Parameters | None) -> Iterator[tuple[Scalar, object, Place]]:
        if isinstance(item, str):
            items = self._items(item, place, TAG_COLUMNS, parameters)
            yield from items.tags() if items else ()
        elif isinstance(item, dict):
            yield from ((key, value, place.inside[key]) for key, value in item.items())
        else:
            self._faults.append(place.fault("in a list of tags stand names of CSV files, or tags under their names"))

    def _limits(self, written: str | list[object], around: Place, parameters: Parameters | None) -> tuple[object, Place]:
        found: list[tuple[object, Place]] = []
        for item, place in _items_of(written, around):
            if isinstance(item, str):
                items = self._items(item, place, LIMIT_COLUMNS, parameters)
                found += items.limits() if items else ()
            else:
                found.append((item, place))
        return inside_list(found, around)


def _names_a_file(written: object) -> TypeGuard[str | list[object]]:
    return isinstance(written, str) or (isinstance(written, list) and any(isinstance(item, str) for item in written))


def _items_of(written: str | list[object], around: Place) -> Iterator[tuple[object, Place]]:
    if isinstance(written, str):
        yield written, around
    else:
        yield from ((item, around.inside[n]) for n, item in enumerate(written))


def _devices(piece: Piece) -> Iterator[tuple[dict[Scalar, object], Place]]:
    """The devices of a part that are mappings, with their places."""
    endpoints, around = piece.data.get("endpoints"), piece.place.inside.get("endpoints")
    for endpoint, place in _mappings(endpoints, around):
        yield from _mappings(endpoint.get("devices"), place.inside.get("devices"))


def _mappings(data: object, around: Place | None) -> Iterator[tuple[dict[Scalar, object], Place]]:
    if isinstance(data, dict) and around is not None:
        yield from ((value, around.inside[key]) for key, value in data.items() if isinstance(value, dict))
