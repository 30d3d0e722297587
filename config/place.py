"""Where things stand: the file and line of every value, kept beside the data it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from config.faults import Fault
from config.yaml_core import Scalar


class Place(NamedTuple):
    """Where a value stands: its line (that of its key), its path, and the places inside by key or index; in which file,
    and, for what a template gave, by which row."""

    line: int
    path: str
    inside: dict[Scalar, Place] = {}  # noqa: RUF012  shared by all scalars, and nothing is ever put inside one
    is_mapping: bool = False
    file: str = ""
    row: str = ""

    def fault(self, what: str, path: str | None = None) -> Fault:
        """A fault of what stands here."""
        return Fault(self.file, self.line, self.path if path is None else path, what, self.row)


class Unreadable:
    """Stands in the data for a value that has its fault already."""


UNREADABLE = Unreadable()


@dataclass(frozen=True, slots=True)
class Slip:
    """A fault that was found before it is known what the keys mean: `steps` lead to the mapping or value. Who knows decides
    which of them may be shown, for one may be a secret. `key` is the one that `what` quotes as `{key}`."""

    line: int
    steps: tuple[Scalar, ...]
    what: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What a file, or several joined, hold. `slips` are the faults that left the rest of it readable."""

    file: str
    data: object
    place: Place
    slips: tuple[Slip, ...] = ()


def inside_mapping(entries: Iterable[tuple[Scalar, object, Place]], around: Place) -> tuple[dict[Scalar, object], Place]:
    """A mapping of its entries, and its place, which is that of `around`."""
    listed = list(entries)
    places: dict[Scalar, Place] = {key: place for key, _, place in listed}
    return {key: value for key, value, _ in listed}, around._replace(inside=places, is_mapping=True)


def inside_list(items: Iterable[tuple[object, Place]], around: Place) -> tuple[list[object], Place]:
    """A list of its items, and its place, which is that of `around`."""
    listed = list(items)
    places: dict[Scalar, Place] = {n: place for n, (_, place) in enumerate(listed)}
    return [value for value, _ in listed], around._replace(inside=places, is_mapping=False)
