"""Templates: a part of a plant file with {placeholders}, filled by the parameters of a row. Pure.

`{{` and `}}` are literal braces. A text that is one placeholder alone takes the parameter as it is, a number as a
number; in a longer text it takes the text that the parameter was written with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from config.faults import Fault, did_you_mean, key_text
from config.place import UNREADABLE, Place
from config.spreadsheet.columns import normal
from config.text import as_written
from config.yaml_core import BadValue, Scalar

_PIECE = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_NAME = re.compile(r"\{\s*([^\W\d]\w*)\s*\}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a row gives for one placeholder, with where it stands. None where a table has an empty cell."""

    name: str
    value: object
    place: Place


@dataclass(frozen=True, slots=True)
class Parameters:
    """One row. `where` names it in faults; `used` is shared by all rows of a `use`."""

    where: str
    by_name: Mapping[str, Parameter]
    used: set[str] = field(default_factory=set)

    def filled(self, text: str) -> object:
        """`text` with its placeholders filled. Raises BadValue."""
        if "{" not in text and "}" not in text:
            return text
        alone = _NAME.fullmatch(text)
        if alone:
            return self.parameter(alone[1]).value
        return _PIECE.sub(self._piece, text)

    def parameter(self, name: str) -> Parameter:
        """Raises BadValue where the row has none, or an empty cell."""
        found = self.by_name.get(normal(name))
        if found is None:
            names = [parameter.name for parameter in self.by_name.values()]
            raise BadValue(
                f"no parameter {name!r}{did_you_mean(name, names)}; parameters of the row: {', '.join(names) or 'none'}"
            )
        self.used.add(normal(name))
        if found.value is None:
            raise BadValue(f"parameter {found.name!r} is empty in this row: give it a value")
        return found

    def _piece(self, match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        name = _NAME.fullmatch(match[0])
        if not name:
            raise BadValue("a brace begins or ends no placeholder: write {name}, or {{ and }} for braces")
        parameter = self.parameter(name[1])
        value = parameter.value
        if isinstance(value, (dict, list)):
            raise BadValue(
                f"parameter {parameter.name!r} is a {'mapping' if isinstance(value, dict) else 'list'}: it fits no text"
            )
        return str(value).lower() if isinstance(value, bool) else str(as_written(value))


class Filling:
    """Fills one row into the data of a template. What can't be filled is a fault, and UNREADABLE in its stead."""

    def __init__(self, parameters: Parameters) -> None:
        self.faults: list[Fault] = []
        self.size = 0
        self._parameters = parameters

    def value(self, data: object, place: Place, path: str = "") -> tuple[object, Place]:
        """The data, its texts filled, and its place, which names the row."""
        self.size += 1
        here = place._replace(path=path, row=self._parameters.where, inside={})
        if isinstance(data, dict):
            return self._mapping(data, place, here)
        if isinstance(data, list):
            items = [self.value(item, place.inside[n], f"{path}[{n + 1}]") for n, item in enumerate(data)]
            return [item for item, _ in items], here._replace(inside={n: inside for n, (_, inside) in enumerate(items)})
        if not isinstance(data, str):
            return data, here
        filled = self._text(data, here)
        return filled, self._of_container(data, here) if isinstance(filled, (dict, list)) else here

    def _mapping(self, data: dict[Scalar, object], place: Place, here: Place) -> tuple[object, Place]:
        if len(data) == 1 and normal(str(only := next(iter(data)))) in self._parameters.by_name and data[only] is None:
            self.faults.append(
                here.fault(f'found a mapping, meant as a placeholder? put it in quotes: "{{{key_text(str(only))}}}"')
            )
            return UNREADABLE, here
        filled: dict[Scalar, object] = {}
        places: dict[Scalar, Place] = {}
        for key, value in data.items():
            name = self._key(key, here)
            if name in filled:
                self.faults.append(
                    here.fault(f"key {key_text(str(as_written(name)))!r} comes twice: keys must differ when filled")
                )
            elif name is not UNREADABLE:
                shown = key_text(str(as_written(name)))
                path = f"{here.path}.{shown}" if here.path else shown
                filled[cast("Scalar", name)], places[cast("Scalar", name)] = self.value(value, place.inside[key], path)
        return filled, here._replace(inside=places)

    def _key(self, key: Scalar, here: Place) -> object:
        name = self._text(key, here) if isinstance(key, str) else key
        if isinstance(name, (dict, list, bool)):
            self.faults.append(here.fault("a key is a text: give the parameter as one"))
            return UNREADABLE
        return as_written(name) if isinstance(key, str) and name is not UNREADABLE else name

    def _text(self, text: str, here: Place) -> object:
        try:
            return self._parameters.filled(text)
        except BadValue as exc:
            self.faults.append(here.fault(str(exc)))
            return UNREADABLE

    def _of_container(self, text: str, here: Place) -> Place:
        """A list or mapping from a row stands where the row has it."""
        match = _NAME.fullmatch(text)
        assert match
        return self._parameters.parameter(match[1]).place._replace(path=here.path, row=here.row)
