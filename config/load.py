"""Loads a plant file: YAML -> data -> models -> checks between them, every fault at once, each with its line.

A file with faults gives no plant. Its sound part is checked all the same, so that one pass tells all: items with
faults are left out, and then nothing is said of things missing, because what is left out may hold them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config import checks, yaml_source
from config.faults import ConfigError, Fault, in_order
from config.findings import Finding, Loc
from config.model import Plant
from config.places import Spot, locate
from config.sound import SoundPart, sound_part
from config.wording import wording
from config.yaml_source import Place, Source, Unreadable

__all__ = ["ConfigError", "Examination", "Fault", "config_hash", "examine", "load", "load_with_warnings"]


@dataclass(frozen=True, slots=True)
class Examination:
    """What can be said of a plant file. The plant is None when there are faults; warnings are told in any case."""

    plant: Plant | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def load(path: Path) -> Plant:
    """The plant of a file. Raises ConfigError with every fault, and nothing else."""
    plant, _ = load_with_warnings(path)
    return plant


def load_with_warnings(path: Path) -> tuple[Plant, tuple[Fault, ...]]:
    """The plant of a file, and what in it is allowed but unwise. Raises ConfigError."""
    examination = examine(path)
    if examination.plant is None:
        raise ConfigError(examination.faults)
    return examination.plant, examination.warnings


def config_hash(path: Path) -> str:
    """SHA-256 of the file, hexadecimal: names the version of the configuration in the record. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def examine(path: Path) -> Examination:
    """All that is to be said of a file; a file that is no YAML at all is an examination with its fault, too."""
    try:
        source = yaml_source.read(path)
    except ConfigError as unreadable:
        return Examination(None, unreadable.faults, ())
    if not isinstance(source.data, dict):
        what = "holds no keys: write site:, endpoints: and units: at the beginning of lines"
        return Examination(None, (*source.faults, Fault(source.file, source.place.line, "", what)), ())
    return _examine(source, path.parent.absolute())


def _examine(source: Source, folder: Path) -> Examination:
    plant, errors = _validated(source.data, folder)
    faults = [*source.faults, *_faults_of(errors, source)]
    part = SoundPart(plant, source.place, is_whole=True) if plant else sound_part(source, lambda data: _validated(data, folder))
    if part is None:
        return Examination(None, in_order(faults), ())
    whole = part.is_whole and not source.faults
    faults += _placed(checks.faults(part.plant, whole=whole), part.place, source.file)
    warnings = _placed(checks.warnings(part.plant), part.place, source.file) if whole else []
    return Examination(None if faults else plant, in_order(faults), in_order(warnings))


def _validated(data: object, folder: Path) -> tuple[Plant | None, list[ErrorDetails]]:
    try:
        return Plant.model_validate(data, context={"folder": folder}), []
    except ValidationError as exc:
        return None, exc.errors(include_url=False)


def _faults_of(errors: Iterable[ErrorDetails], source: Source) -> Iterator[Fault]:
    for error in errors:
        spot = locate(_loc(error), source.place)
        if not isinstance(_value(source.data, spot), Unreadable):
            yield Fault(source.file, spot.line, spot.path, wording(error, spot))


_TELLS_VARIANT = {"unknown_url": "url", "union_tag_invalid": "kind", "union_tag_not_found": "kind"}


def _loc(error: ErrorDetails) -> Loc:
    """Where the error lies; for an item of no known variant, at the key that tells it."""
    key = _TELLS_VARIANT.get(error["type"])
    return (*error["loc"], key) if key and isinstance(error["input"], dict) else error["loc"]


def _value(data: object, spot: Spot) -> object:
    for step in spot.steps:
        data = data[step]  # type: ignore[index]  # the steps were taken from the data
    return data


def _placed(findings: Iterable[Finding], place: Place, file: str) -> list[Fault]:
    spots = ((locate(loc, place), what) for loc, what in findings)
    return [Fault(file, spot.line, spot.path, what) for spot, what in spots]
