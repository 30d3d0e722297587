"""Joins the parts of a plant into one tree. Names are unique over all files; limits follow each other."""

from __future__ import annotations

from collections.abc import Iterable

from config.faults import Fault, key_text
from config.inclusion import Piece
from config.place import Place, Source
from config.text import as_written

_NAMED = {"endpoints": "endpoint", "units": "unit", "sinks": "sink"}


def joined(pieces: Iterable[Piece], faults: list[Fault]) -> Source:
    """The plant that the parts make together; the first is the plant file itself, which alone has other keys."""
    first, *others = pieces
    data, place = dict(first.data), first.place._replace(inside=dict(first.place.inside))
    for piece in others:
        for key, value in piece.data.items():
            around = piece.place.inside[key]
            if key not in data:
                data[key], place.inside[key] = value, around
            elif isinstance(data[key], dict) and isinstance(value, dict):
                data[key], place.inside[key] = _with_items(data[key], place.inside[key], value, around, str(key), faults)
            elif isinstance(data[key], list) and isinstance(value, list):
                data[key], place.inside[key] = _with_rows(data[key], place.inside[key], value, around)
    return Source(place.file, data, place)


def _with_items(
    data: object, place: Place, more: dict[object, object], around: Place, key: str, faults: list[Fault]
) -> tuple[object, Place]:
    """A mapping with the items of another, those that are named already in fault."""
    assert isinstance(data, dict)
    names = {str(as_written(name)): name for name in data}
    for name, value in more.items():
        shown, inside = str(as_written(name)), around.inside[name]  # type: ignore[index]  # keys are scalars
        if shown in names:
            other = place.inside[names[shown]]
            row = f" [{other.row}]" if other.row else ""
            what = f"{_NAMED[key]} {key_text(shown)!r} stands at {other.file}:{other.line}{row} already: rename one"
            faults.append(inside.fault(what))
        else:
            data[name], place.inside[name] = value, inside  # type: ignore[index]
            names[shown] = name
    return data, place


def _with_rows(data: object, place: Place, more: list[object], around: Place) -> tuple[object, Place]:
    assert isinstance(data, list)
    place.inside.update({len(data) + n: around.inside[n] for n in range(len(more))})
    data.extend(more)
    return data, place
