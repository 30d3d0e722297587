"""`use:` fills templates, a row of parameters at a time, into parts of the plant; templates may use templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from config.faults import Fault, did_you_mean, key_text
from config.inclusion import Piece
from config.parts import Template, Use
from config.place import Place
from config.spreadsheet.columns import normal
from config.spreadsheet.items import parameter_rows
from config.tables import Tables
from config.templates import Filling, Parameter, Parameters
from config.text import as_written
from config.validation import checked, sound_keys
from config.yaml_core import Scalar

MAX_VALUES = 2_000_000
"""Values of all filled templates together."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one `use`, and for each parameter where it is introduced."""

    rows: list[Mapping[str, Parameter]]
    introduced: dict[str, Place]
    used: set[str]


class Fillings:
    """All templates of a plant, and their fillings. What is wrong with them goes to `faults`."""

    def __init__(self, tables: Tables, faults: list[Fault]) -> None:
        self._tables, self._faults = tables, faults
        self._templates: dict[str, tuple[object, Place]] = {}
        self._filled: set[str] = set()
        self._rows: list[_Rows] = []
        self._size = 0

    def take(self, piece: Piece) -> None:
        """Take the templates out of a file."""
        templates = piece.data.pop("templates", {})
        assert isinstance(templates, dict)
        around = piece.place.inside.get("templates", piece.place)
        for key, body in templates.items():
            name, place = str(as_written(key)), around.inside[key]
            first = self._templates.get(name)
            if first:
                self._faults.append(place.fault(f"a template of this name stands at {first[1].file}:{first[1].line}: rename one"))
            elif not isinstance(body, dict):
                self._faults.append(
                    place.fault(f"found no mapping, expected a part of a plant: {', '.join(Template.model_fields)}")
                )
                self._templates[name] = {}, place
            else:
                self._templates[name] = sound_keys(body, place, Template, self._faults), place

    def fill(self, piece: Piece, within: tuple[str, ...] = ()) -> Iterator[Piece]:
        """The parts that the `use` of a part gives, those of templates within templates too."""
        uses = piece.data.pop("use", ())
        around = piece.place.inside.get("use", piece.place)
        for n, written in enumerate(uses if isinstance(uses, (list, tuple)) else ()):
            place = around.inside[n]
            use = checked(written, place, Use, self._faults)
            if use and isinstance(written, dict) and self._can_be_filled(use.template, within, place.inside["template"]):
                yield from self._pieces(use, self._rows_of(use, written, place), piece.parameters, within)

    def _can_be_filled(self, name: str, within: tuple[str, ...], place: Place) -> bool:
        if name not in self._templates:
            names = ", ".join(self._templates) or "none"
            self._faults.append(place.fault(f"no template {name!r}{did_you_mean(name, self._templates)}; templates: {names}"))
        elif name in within:
            self._faults.append(
                place.fault(f"template {name} uses itself, by way of {' > '.join((*within, name))}: it would never end")
            )
        self._filled.add(name)
        return name in self._templates and name not in within

    def _pieces(self, use: Use, rows: _Rows, outer: Parameters | None, within: tuple[str, ...]) -> Iterator[Piece]:
        body, place = self._templates[use.template]
        for by_name in rows.rows:
            row = next((parameter.place for parameter in by_name.values()), place)
            where = f"row {row.file}:{row.line}" + (f", {outer.where}" if outer else "")
            parameters = Parameters(where, by_name, rows.used)
            filling = Filling(parameters)
            data, filled = filling.value(body, place)
            self._faults += filling.faults
            self._size += filling.size
            if self._size > MAX_VALUES:
                self._faults.append(place.fault(f"gives more than {MAX_VALUES} values: do templates multiply?"))
                return
            assert isinstance(data, dict)
            piece = Piece(data, filled, parameters)
            yield piece
            yield from self.fill(piece, (*within, use.template))

    def _rows_of(self, use: Use, written: dict[Scalar, object], place: Place) -> _Rows:
        rows = (
            self._from_table(use.table, place) if use.table is not None else self._written(written["rows"], place.inside["rows"])
        )
        self._rows.append(rows)
        return rows

    def _from_table(self, name: str, place: Place) -> _Rows:
        table = self._tables.table(name, place.inside["table"])
        if table is None:
            return _Rows([], {}, set())
        rows, faults = parameter_rows(table)
        self._faults += faults
        if not rows and not faults:
            self._faults.append(
                Fault(table.file, table.header.line, "", "holds no rows below its header: write one for each filling")
            )
        header = Place(table.header.line, "", file=table.file)
        introduced = {normal(cell): header._replace(path=key_text(cell)) for cell in table.header.cells}
        return _Rows(list(rows), introduced, set())

    def _written(self, rows: object, around: Place) -> _Rows:
        found: list[Mapping[str, Parameter]] = []
        introduced: dict[str, Place] = {}
        for n, row in enumerate(rows if isinstance(rows, list) else ()):
            by_name: dict[str, Parameter] = {}
            for key, value in row.items():
                name, place = str(as_written(key)), around.inside[n].inside[key]
                if by_name.setdefault(normal(name), Parameter(name, value, place)).place is not place:
                    self._faults.append(place.fault("this parameter is given above with other capitals or spaces: keep one"))
                introduced.setdefault(normal(name), place)
            found.append(by_name)
        return _Rows(found, introduced, set())

    def unused(self) -> Iterator[Fault]:
        """Parameters that no placeholder takes, after everything was filled: a misspelt placeholder or a column too many."""
        for rows in self._rows:
            for name, place in rows.introduced.items():
                if name not in rows.used and rows.rows:
                    yield place.fault(
                        "no placeholder of the template takes this parameter: take it out, or write {...} where it belongs"
                    )

    def never_filled(self) -> Iterator[Fault]:
        """Warnings: templates that nobody uses."""
        for name, (_, place) in self._templates.items():
            if name not in self._filled:
                yield place.fault("this template is never used: name it in use, or take it out")
