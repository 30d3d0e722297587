"""Plant files of several parts, written for one test."""

from __future__ import annotations

import os
from pathlib import Path

from config.load import Examination, examine
from config.model import Plant


def written(folder: Path, files: dict[str, str | bytes]) -> Path:
    """The files, and the path of `plant.yaml` among them."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / "plant.yaml"


def examined(folder: Path, files: dict[str, str | bytes]) -> Examination:
    return examine(written(folder, files))


def plant_of(folder: Path, files: dict[str, str | bytes]) -> Plant:
    """The plant of files without a fault or warning."""
    examination = examined(folder, files)
    assert (examination.faults, examination.warnings) == ((), ())
    assert examination.plant
    return examination.plant


def told(folder: Path, files: dict[str, str | bytes]) -> list[str]:
    """The faults of files, with names relative to their folder."""
    examination = examined(folder, files)
    assert examination.plant is None
    return [str(fault).replace(f"{folder}{os.sep}", "") for fault in examination.faults]
