"""How a plant file is put together: other files, templates and their tables. What `config.assembly` works off."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from config.common import Model, NamedItems
from config.model import Plant
from config.text import Name, Text


def _one_or_several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


FileNames = Annotated[tuple[Text, ...], BeforeValidator(_one_or_several, json_schema_input_type=Text | tuple[Text, ...])]


class Include(Model):
    """The key `include` of a file."""

    include: FileNames = ()


class Use(Model):
    """A template, filled once for each row."""

    template: Name
    """Name of the template."""
    table: Text | None = None
    """A CSV file, one row for each filling, one column for each parameter."""
    rows: Annotated[tuple[dict[Name, Any], ...], Field(min_length=1)] | None = None
    """The same, written here: a list of `parameter: value`."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Use:
        if (self.table is None) == (self.rows is None):
            raise ValueError("give one of table: FILE.csv and rows: [...]")
        return self


_Items = Annotated[tuple[Any, ...], NamedItems]


class Template(Model):
    """A part of a plant file with {placeholders} in keys and texts."""

    endpoints: _Items = ()
    """Connections, by name."""
    units: _Items = ()
    """ISA-88 units, by name."""
    limits: Annotated[tuple[Any, ...], BeforeValidator(_one_or_several)] = ()
    """A list of limits, or the name of a CSV file."""
    sinks: _Items = ()
    """Sinks, by name."""
    use: tuple[Any, ...] = ()
    """Other templates, filled for each row of this one: a list of `{template: name, rows: [...]}`."""


class Part(Template):
    """What another file than the plant file itself may hold."""

    include: FileNames = ()
    """Files that this one takes in."""
    templates: dict[Name, Any] = Field(default_factory=dict)
    """Templates, by name."""


class Joints(Model):
    """The keys of a plant file that say how it is put together."""

    include: FileNames = ()
    templates: dict[Name, Any] = Field(default_factory=dict)
    use: tuple[Any, ...] = ()


class PlantFile(Plant):
    """A plant file as it is written: a plant, and how it is put together."""

    include: FileNames = ()
    """Other files, each a part of the plant: `units/*.yaml`. Relative to the file they are named in."""
    templates: dict[Name, Template] = Field(default_factory=dict)
    """Parts with {placeholders}, by name, for units that are alike."""
    use: tuple[Use, ...] = ()
    """Which templates are filled, by which rows."""
