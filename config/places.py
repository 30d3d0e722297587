"""Finds where in the file a value of a model stands: pydantic's `loc`, or that of a finding, -> line, path, owner.

The model says what the steps of a `loc` mean, because the file alone does not: a tuple of named items is written
as a mapping, so its index is the n-th key, but `states: {1: Charge}` has numbers for keys; bounds written `[15, 25]`
have the steps `low` and `high`; and the names of union variants ('modbus', 'influxdb2') stand in no file.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Tag as Variant
from pydantic.fields import FieldInfo

from config.common import Bounds, Model, Named
from config.faults import Fault, key_head, key_text
from config.place import Place
from config.sinks import Secret
from config.text import Written
from config.yaml_core import Scalar


@dataclass(frozen=True, slots=True)
class _Shape:
    """One type that a value may have, with the names it has as a variant of a union."""

    type: Any
    variants: tuple[str, ...] = ()

    @property
    def model(self) -> type[Model] | None:
        return self.type if isinstance(self.type, type) and issubclass(self.type, Model) else None


def fields_of(model: type[Model]) -> dict[str, FieldInfo]:
    """The fields by the keys they are written with: `for` and `in` are words that Python keeps for itself."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value stands. `steps` lead to it in the data; the first `item_steps` of them lead to the item of a list
    or mapping that holds it. `owners` are the models whose key the last step is. Of a secret only the outside is told."""

    line: int
    path: str
    file: str
    row: str
    steps: tuple[Scalar, ...]
    item_steps: int
    owners: tuple[type[Model], ...]
    is_secret: bool
    inside: tuple[_Shape, ...]

    @property
    def allowed(self) -> tuple[str, ...]:
        """The keys that may be written where the last step stands."""
        keys = (key for owner in self.owners for key in fields_of(owner) if key != "name" or not issubclass(owner, Named))
        also = (key for owner in self.owners for key in owner.also_written)
        return tuple(dict.fromkeys((*keys, *also)))

    def shows(self, key: str) -> bool:
        """True when `key`, written inside, is a name that a site chooses or a key of the model."""
        named = any(get_origin(shape.type) in (tuple, dict) for shape in self.inside)
        known = any(key in (*fields_of(shape.model), *shape.model.also_written) for shape in self.inside if shape.model)
        return (named or known) and not self.is_secret

    def seen_from(self, other: Spot) -> str:
        """The path, or where the path alone does not tell, file and line."""
        if (self.file, self.row) == (other.file, other.row):
            return self.path or f"line {self.line}"
        return f"{self.file}:{self.line}" + (f" [{self.row}]" if self.row else "")

    def fault(self, what: str) -> Fault:
        """A fault of what stands here."""
        return Fault(self.file, self.line, self.path, what, self.row)


def locate(loc: Sequence[Scalar], place: Place, root: type[Model]) -> Spot:
    """The spot of `loc` in a file that holds a `root`; of the nearest thing around it when it is not written."""
    shapes: tuple[_Shape, ...] = (_Shape(root),)
    line, path, is_secret = place.line, place.path, False
    steps: list[Scalar] = []
    item_steps = 0
    owners: tuple[type[Model], ...] = ()
    for step in loc:
        if len(shapes) > 1 and any(step in shape.variants for shape in shapes):
            shapes = tuple(shape for shape in shapes if step in shape.variants)
            continue
        if any(shape.type is Any for shape in shapes):
            break  # anything may stand here, a secret too
        owners = tuple(shape.model for shape in shapes if shape.model)
        is_secret = is_secret or Secret in owners
        key = _key(step, place, shapes)
        if key is None:
            path = _joined(path, step) if any(step in fields_of(owner) for owner in owners) and not is_secret else path
            break
        place = place.inside[key]
        steps.append(key)
        if any(get_origin(shape.type) is tuple for shape in shapes):
            item_steps = len(steps)
        if any(step in fields_of(owner) for owner in owners) or not owners:
            line, path = place.line, path if is_secret else place.path
        else:
            line, path = place.line, path if is_secret else _joined(path, key_text(key_head(str(step))))
            shapes = ()
            break  # what stands below a key that nobody knows is told nothing of
        shapes = tuple(inner for shape in shapes for inner in _inside(shape, step))
    is_secret = is_secret or any(shape.model is Secret for shape in shapes)
    return Spot(line, path, place.file, place.row, tuple(steps), item_steps, owners, is_secret, shapes)


def _joined(path: str, step: Scalar) -> str:
    return f"{path}.{step}" if path else str(step)


def _key(step: Scalar, place: Place, shapes: tuple[_Shape, ...]) -> Scalar:
    """The key or index in the file that `step` means, None when it is not written."""
    if place.is_mapping:
        if isinstance(step, Written):
            return step
        if isinstance(step, int) and any(get_origin(shape.type) is tuple for shape in shapes):
            return next(islice(place.inside, step, None), None)
        return next((key for key in place.inside if str(key) == str(step)), None)
    if any(shape.model is Bounds for shape in shapes):
        step = {"low": 0, "high": 1}.get(str(step), step)
    return step if step in place.inside else None


def _inside(shape: _Shape, step: Scalar) -> Iterator[_Shape]:
    if shape.model and step in (fields := fields_of(shape.model)):
        yield from _shapes(fields[str(step)].annotation)
    elif get_origin(shape.type) in (tuple, dict):
        arguments = get_args(shape.type)
        yield from _shapes(arguments[0] if get_origin(shape.type) is tuple else arguments[1])


def _shapes(annotation: Any, variants: tuple[str, ...] = ()) -> Iterator[_Shape]:
    """The types that a value so annotated may have."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        yield from _shapes(inner, tuple(mark.tag for mark in marks if isinstance(mark, Variant)) or variants)
    elif origin in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _shapes(argument, variants)
    elif annotation is not type(None):
        yield _Shape(annotation, variants or _kinds(annotation))


def _kinds(annotation: Any) -> tuple[str, ...]:
    """`influxdb2` for a model with `kind: Literal["influxdb2"]`: the words by which a union may tell it from others."""
    model = _Shape(annotation).model
    fields = model.model_fields.values() if model else ()
    return tuple(str(word) for field in fields if get_origin(field.annotation) is Literal for word in get_args(field.annotation))
