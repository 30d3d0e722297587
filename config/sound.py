"""The sound part of a plant file: what is left when every item with a fault is left out.

It is checked so that one pass over a file tells all its faults; nothing ever runs on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import ErrorDetails

from config.model import Plant
from config.place import Place, Source
from config.places import locate
from config.validation import validated
from config.yaml_core import Scalar

Steps = tuple[Scalar, ...]

_HOLD_NO_NAMES = {"site", "limits", "sinks", "disk", "web"}
"""Keys of a plant under which nothing stands that another part of it refers to."""


@dataclass(frozen=True, slots=True)
class SoundPart:
    """A plant without its faulty items, with the places of what is left. It is whole when nothing was left out
    that another part may refer to."""

    plant: Plant
    place: Place
    is_whole: bool


def sound_part(source: Source, folder: Path) -> SoundPart | None:
    """Leave items out until the rest is a plant; None when no plant is left."""
    data, place = source.data, source.place
    left_out: set[Scalar] = set()
    while True:
        plant, errors = validated(data, Plant, folder)
        if plant is not None:
            return SoundPart(plant, place, left_out <= _HOLD_NO_NAMES)
        cuts = {_item(error, place) for error in errors}
        if () in cuts:
            if not (isinstance(data, dict) and "site" not in data):
                return None
            data, cuts = {**data, "site": "-"}, cuts - {()}
            place = place._replace(inside={**place.inside, "site": Place(place.line, "site", file=place.file)})
        left_out |= {steps[0] for steps in cuts}
        data, place = _without(data, place, cuts)


def _item(error: ErrorDetails, place: Place) -> Steps:
    """The steps to the smallest item around an error; none for what is missing at the top."""
    spot = locate(error["loc"], place, Plant)
    return spot.steps[: max(spot.item_steps, 1)]


def _without(data: object, place: Place, cuts: Iterable[Steps]) -> tuple[object, Place]:
    """Data and places without the items that `cuts` lead to."""
    inner: dict[Scalar, list[Steps]] = {}
    for head, *rest in cuts:
        inner.setdefault(head, []).append(tuple(rest))
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    kept = [
        (key, *(_without(value, place.inside[key], inner[key]) if key in inner else (value, place.inside[key])))
        for key, value in entries
        if () not in inner.get(key, [])
    ]
    if isinstance(data, dict):
        places: dict[Scalar, Place] = {key: inside for key, _, inside in kept}
        return {key: value for key, value, _ in kept}, place._replace(inside=places)
    return [value for _, value, _ in kept], place._replace(inside={n: inside for n, (_, _, inside) in enumerate(kept)})
