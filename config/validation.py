"""Data of a file -> an instance of a model, or faults with their lines. Any `Model` may be the root of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.common import Model
from config.faults import Fault, key_text
from config.findings import Loc
from config.place import Place, Source, Unreadable
from config.places import Spot, locate
from config.wording import told_by, wording
from config.yaml_core import Scalar

Root = TypeVar("Root", bound=Model)


def validated(
    data: object, root: type[Root], folder: Path, about: Mapping[str, object] | None = None
) -> tuple[Root | None, list[ErrorDetails]]:
    """The `root` that `data` holds, or what keeps it from being one. Secret files count from `folder`."""
    try:
        return root.model_validate(data, context={**(about or {}), "folder": folder}), []
    except ValidationError as exc:
        return None, exc.errors(include_url=False)


def faults_of(errors: Iterable[ErrorDetails], source: Source, root: type[Model]) -> Iterator[Fault]:
    """The errors in words, each at its place. What could not be read has its fault already."""
    for error in errors:
        spot = locate(_loc(error), source.place, root)
        if not isinstance(_value(source.data, spot), Unreadable):
            yield spot.fault(wording(error, spot))


def checked(data: object, place: Place, root: type[Root], faults: list[Fault]) -> Root | None:
    """The `root` that a part of a file holds; None, and its faults, when it holds none."""
    model, errors = validated(data, root, Path())
    faults += faults_of(errors, Source(place.file, data, place), root)
    return model


def sound_keys(data: dict[Scalar, object], place: Place, root: type[Model], faults: list[Fault]) -> dict[Scalar, object]:
    """`data` without the keys in which it is no `root`; what is wrong with them goes to `faults`."""
    _, errors = validated(data, root, Path())
    faults += faults_of(errors, Source(place.file, data, place), root)
    wrong = {str(error["loc"][0]) for error in errors if error["loc"]}
    return {key: value for key, value in data.items() if str(key) not in wrong}


def told_slips(source: Source, root: type[Model]) -> Iterator[Fault]:
    """The slips of a file, now that it is known what its keys mean. Inside a secret, and below a key that nobody knows,
    nothing of them is shown."""
    for slip in source.slips:
        spot = locate(slip.steps, source.place, root)
        key = "" if slip.key is None else f"key {key_text(slip.key)!r}" if spot.shows(slip.key) else "a key"
        yield Fault(spot.file, slip.line, spot.path, slip.what.replace("{key}", key), spot.row)


def no_keys(source: Source, root: type[Model]) -> Fault:
    """For a file that is a list or a single value."""
    keys = [f"{name}:" for name, field in root.model_fields.items() if field.is_required()]
    what = f"holds no keys: write {' and '.join(keys) or f'{next(iter(root.model_fields))}:'} at the beginning of a line"
    return Fault(source.file, source.place.line, "", what)


def _loc(error: ErrorDetails) -> Loc:
    """Where the error lies; for an item of no known variant, at the key that tells it."""
    key = told_by(error)
    return (*error["loc"], key) if key and isinstance(error["input"], dict) else error["loc"]


def _value(data: object, spot: Spot) -> object:
    for step in spot.steps:
        data = data[step]  # type: ignore[index]  # the steps were taken from the data
    return data
