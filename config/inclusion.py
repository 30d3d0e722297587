"""`include:` the files that a plant file takes in, each a part of the plant. Paths count from the including file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config import yaml_source
from config.faults import ConfigError, Fault
from config.files import Files, beside, no_such_file
from config.parts import Include, Joints, Part, PlantFile
from config.place import Place, Source
from config.templates import Parameters
from config.validation import checked, no_keys, sound_keys, told_slips
from config.yaml_core import Scalar

_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the plant: what a file holds, or a template with its row filled in. Its data is nobody else's."""

    data: dict[Scalar, object]
    place: Place
    parameters: Parameters | None = None


class Inclusion:
    """Reads a file and all that it includes. What is wrong with them goes to `faults`."""

    def __init__(self, files: Files, faults: list[Fault]) -> None:
        self._files, self._faults = files, faults
        self._open: list[Path] = []
        self._first: dict[Path, Place] = {}

    def pieces(self, source: Source, data: dict[Scalar, object]) -> list[Piece]:
        """The plant file itself and what it includes, in the order in which they are named."""
        self._faults += told_slips(source, PlantFile)
        joints: dict[Scalar, object] = {key: value for key, value in data.items() if key in Joints.model_fields}
        sound = sound_keys(joints, source.place, Joints, self._faults)
        data = {key: value for key, value in data.items() if key in sound or key not in Joints.model_fields}
        return list(self._with_included(Piece(data, source.place), Path(source.file)))

    def _with_included(self, piece: Piece, path: Path) -> Iterator[Piece]:
        yield piece
        self._open.append(path.resolve())
        for place, found in self._included(piece):
            included = self._piece(found) if self._is_new(found, place) else None
            if included:
                yield from self._with_included(included, found)
        self._open.pop()

    def _included(self, piece: Piece) -> Iterator[tuple[Place, Path]]:
        written = piece.data.pop("include", ())
        names = checked({"include": written}, piece.place, Include, self._faults)
        around = piece.place.inside.get("include", piece.place)
        for n, name in enumerate(names.include if names else ()):
            place = around.inside.get(n, around)
            paths = _matches(name, place.file)
            if isinstance(paths, str):
                self._faults.append(place.fault(paths))
            else:
                yield from ((place, path) for path in paths)

    def _is_new(self, path: Path, place: Place) -> bool:
        resolved = path.resolve()
        if resolved in self._open:
            self._faults.append(place.fault(f"{path} includes itself, in a circle: take one of the lines out"))
            return False
        first = self._first.setdefault(resolved, place)
        if first is not place:
            self._faults.append(place.fault(f"{path} is included already, by {first.file}:{first.line}: keep one"))
        return first is place

    def _piece(self, path: Path) -> Piece | None:
        try:
            source = yaml_source.parse(self._files.yaml_text(path), str(path))
        except ConfigError as exc:
            self._faults += exc.faults
            return None
        self._faults += told_slips(source, PlantFile)
        if not isinstance(source.data, dict):
            self._faults.append(no_keys(source, Part))
            return None
        return Piece(sound_keys(source.data, source.place, Part, self._faults), source.place)


def _matches(name: str, file: str) -> list[Path] | str:
    """The files that `name` means, sorted, or why there are none."""
    path = beside(name, file)
    try:
        if not _PATTERN.search(name):
            return [path] if path.is_file() else no_such_file(name, file)
        if "**" in name or Path(name).is_absolute():
            return "a pattern with * names files in one folder, relative to this file: write e.g. units/*.yaml"
        found = sorted(match for match in Path(file).parent.glob(name) if match.is_file())
    except (OSError, ValueError, NotImplementedError):
        return "is no path of a file: write e.g. units/*.yaml"
    return found or f"no file matches {name!r}: the pattern counts from the folder of this file"
