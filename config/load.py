"""Loads a plant file: YAML -> data -> models -> checks between them, every fault at once, each with its line.

A file with faults gives no plant. Its sound part is checked all the same, so that one pass tells all: items with
faults are left out, and then nothing is said of things missing, because what is left out may hold them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from config import checks, yaml_source
from config.faults import ConfigError, Fault, in_order
from config.findings import Finding
from config.model import Plant
from config.places import locate
from config.sound import SoundPart, sound_part
from config.validation import Root, faults_of, no_keys, validated
from config.yaml_source import Place, Source

__all__ = ["ConfigError", "Examination", "Fault", "config_hash", "examine", "load", "load_model", "load_with_warnings"]


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
        return Examination(None, (*source.faults, no_keys(source, Plant)), ())
    return _examine(source, path.parent.absolute())


def load_model(path: Path, root: type[Root], about: Mapping[str, object] | None = None) -> Root:
    """What a YAML file of any kind holds, as a `root`; its validators find `about` in their context.

    Raises ConfigError with every fault, and nothing else.
    """
    source = yaml_source.read(path)
    if not isinstance(source.data, dict):
        raise ConfigError([*source.faults, no_keys(source, root)])
    model, errors = validated(source.data, root, path.parent.absolute(), about)
    faults = [*source.faults, *faults_of(errors, source, root)]
    if faults or model is None:
        raise ConfigError(faults)
    return model


def _examine(source: Source, folder: Path) -> Examination:
    plant, errors = validated(source.data, Plant, folder)
    faults = [*source.faults, *faults_of(errors, source, Plant)]
    part = SoundPart(plant, source.place, is_whole=True) if plant else sound_part(source, folder)
    if part is None:
        return Examination(None, in_order(faults), ())
    whole = part.is_whole and not source.faults
    faults += _placed(checks.faults(part.plant, whole=whole), part.place, source.file)
    warnings = _placed(checks.warnings(part.plant), part.place, source.file) if whole else []
    return Examination(None if faults else plant, in_order(faults), in_order(warnings))


def _placed(findings: Iterable[Finding], place: Place, file: str) -> list[Fault]:
    spots = ((locate(loc, place, Plant), what) for loc, what in findings)
    return [Fault(file, spot.line, spot.path, what) for spot, what in spots]
