"""Puts a plant together: the file, what it includes, filled templates, CSV tables -> one tree of data with its places.

    plant.yaml ── include ──> parts ─┬─ use ──> templates filled, row by row ──> parts ─┐
                                     └─ tags, limits: CSV ──> items                     └──> joined

Every value keeps the file and line it stands in. Nothing overrides anything: what is named twice is a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from config import yaml_source
from config.faults import ConfigError, Fault
from config.files import Files
from config.filling import Fillings
from config.inclusion import Inclusion
from config.joining import joined
from config.model import Plant
from config.place import Source
from config.tables import Tables
from config.validation import no_keys, told_slips


@dataclass(frozen=True, slots=True)
class Assembly:
    """The data of a whole plant, and what was found while it was put together."""

    source: Source
    faults: list[Fault]
    warnings: list[Fault]


def assemble(path: Path, files: Files) -> Assembly:
    """The data of a plant file. Raises ConfigError when the file itself can't be read as one."""
    source = yaml_source.parse(files.yaml_text(path), str(path))
    if not isinstance(source.data, dict):
        raise ConfigError([*told_slips(source, Plant), no_keys(source, Plant)])
    faults: list[Fault] = []
    tables = Tables(files, faults)
    fillings = Fillings(tables, faults)
    pieces = Inclusion(files, faults).pieces(source, source.data)
    for piece in pieces:
        fillings.take(piece)
    every = [part for piece in pieces for part in (piece, *fillings.fill(piece))]
    for piece in every:
        tables.put_into(piece)
    if not faults:
        faults += fillings.unused()
    return Assembly(joined(every, faults), faults, list(fillings.never_filled()))
