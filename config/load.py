"""Loads a plant file: YAML, CSV -> data -> models -> checks between them, every fault at once, each with its line.

A file with faults gives no plant. Its sound part is checked all the same, so that one pass tells all: items with
faults are left out, and then nothing is said of things missing, because what is left out may hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import ErrorDetails

from config import yaml_source
from config.assembly import Assembly, assemble
from config.checks import checks
from config.common import Model
from config.faults import ConfigError, Fault, in_order
from config.files import Files
from config.findings import Finding
from config.model import Plant
from config.place import Place
from config.places import locate
from config.sound import SoundPart, sound_part
from config.validation import Root, faults_of, no_keys, told_slips, validated

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


def load_with_warnings(path: Path, folder: Path | None = None) -> tuple[Plant, tuple[Fault, ...]]:
    """The plant of a file, and what in it is allowed but unwise. Raises ConfigError. `folder` as of `examine`."""
    examination = examine(path, folder)
    if examination.plant is None:
        raise ConfigError(examination.faults)
    return examination.plant, examination.warnings


def config_hash(path: Path) -> str:
    """SHA-256, hexadecimal: names the version of the configuration in the record. Of a plant in one file that of its bytes;
    of several, that of the lines `digest  name` of all files that were read, sorted by name. Raises OSError."""
    path.open("rb").close()
    files = Files(path.parent)
    with suppress(ConfigError):
        assemble(path, files)
    return files.digest()


def examine(path: Path, folder: Path | None = None) -> Examination:
    """All that is to be said of a file; a file that is no YAML at all is an examination with its fault, too.

    Keys, certificates and secrets of the plant count from `folder`, that of the file unless said.
    """
    try:
        assembly = assemble(path, Files(path.parent))
    except ConfigError as unreadable:
        return Examination(None, unreadable.faults, ())
    return _examine(assembly, path.parent.absolute() if folder is None else folder)


def load_model(
    path: Path,
    root: type[Root],
    about: Mapping[str, object] | None = None,
    findings: Callable[[Root], Iterable[Finding]] = lambda _: (),
) -> Root:
    """What a YAML file of any kind holds, as a `root`; its validators find `about` in their context, and what only the
    whole shows is found by `findings`.

    Raises ConfigError with every fault, and nothing else.
    """
    source = yaml_source.parse(Files(path.parent).yaml_text(path), str(path))
    faults = list(told_slips(source, root))
    if not isinstance(source.data, dict):
        raise ConfigError([*faults, no_keys(source, root)])
    model, errors = validated(source.data, root, path.parent.absolute(), about)
    faults += faults_of(errors, source, root)
    if faults or model is None:
        raise ConfigError(faults)
    if found := list(_placed(findings(model), source.place, root)):
        raise ConfigError(found)
    return model


def _examine(assembly: Assembly, folder: Path) -> Examination:
    source, faults = assembly.source, list(assembly.faults)
    plant, errors = validated(source.data, Plant, folder)
    faults += faults_of((error for error in errors if not (faults and _may_be_left_out(error))), source, Plant)
    part = SoundPart(plant, source.place, is_whole=True) if plant else sound_part(source, folder)
    if part is None:
        return Examination(None, in_order(faults), ())
    whole = part.is_whole and not assembly.faults
    faults += _placed(checks.faults(part.plant, whole=whole), part.place, Plant)
    warnings = [*assembly.warnings, *(_placed(checks.warnings(part.plant), part.place, Plant) if whole else ())]
    return Examination(None if faults else plant, in_order(faults), in_order(warnings))


def _may_be_left_out(error: ErrorDetails) -> bool:
    """True for a key that a file or template may give which could not be taken in; the site stands in the file itself."""
    return error["type"] == "missing" and error["loc"] == ("endpoints",)


def _placed(findings: Iterable[Finding], place: Place, root: type[Model]) -> Iterator[Fault]:
    for loc, what, *others in findings:
        spot = locate(loc, place, root)
        yield spot.fault(what.replace("{other}", locate(others[0], place, root).seen_from(spot)) if others else what)
