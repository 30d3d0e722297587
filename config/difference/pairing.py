"""Which thing of an old plant is which of a new one. Pure.

What has kept its name is the same thing. Of the rest, what is the same but for its name was renamed. So a renamed reactor is
one change, not the loss of a hundred tags.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from config.common import Named, identifier
from config.limits import Limit
from config.model import Device, Plant
from config.tags import Tag

T = TypeVar("T")
Key = Callable[[T], Hashable | None]
"""What makes two things the same; None: it can't be said of this one."""


@dataclass(frozen=True, slots=True)
class Pairs(Generic[T]):
    """Old and new of the same thing, and what is only in one of the two; in the order of the files."""

    both: tuple[tuple[T, T], ...]
    removed: tuple[T, ...]
    added: tuple[T, ...]


def paired(old: Iterable[T], new: Iterable[T], *keys: Key[T]) -> Pairs[T]:
    """Pair by the first key, what is left by the second, and so on; several of one key in their order."""
    olds, news = dict(enumerate(old)), dict(enumerate(new))
    both: list[tuple[int, T, T]] = []
    for key in keys:
        waiting: dict[Hashable, list[int]] = {}
        for position, item in olds.items():
            if (named := key(item)) is not None:
                waiting.setdefault(named, []).append(position)
        for position, item in tuple(news.items()):
            if (named := key(item)) is not None and waiting.get(named):
                both.append((position, olds.pop(waiting[named].pop(0)), news.pop(position)))
    both.sort(key=lambda pair: pair[0])
    return Pairs(tuple((one, other) for _, one, other in both), tuple(olds.values()), tuple(news.values()))


@dataclass(frozen=True, slots=True)
class PlacedTag:
    """A tag with all that its place gives it."""

    endpoint: str
    device: Device
    tag: Tag

    @property
    def unit(self) -> str:
        return self.device.unit_of(self.tag)

    @property
    def group(self) -> str:
        return self.device.group_of(self.tag)

    @property
    def shown_role(self) -> str | None:
        """None where it is only the name in other letters, so that it changes with the name."""
        return None if self.tag.role == identifier(self.tag.name) else self.tag.role


def placed_tags(plant: Plant) -> list[PlacedTag]:
    """Every tag, in the order of the file."""
    return [
        PlacedTag(endpoint.name, device, tag)
        for endpoint in plant.endpoints
        for device in endpoint.devices
        for tag in device.tags
    ]


def paired_tags(old: Plant, new: Plant) -> Pairs[PlacedTag]:
    """By device and name; then by unit and name (it moved), by address and role (it was renamed), by name and role."""
    return paired(
        placed_tags(old),
        placed_tags(new),
        lambda one: (one.device.name, one.tag.name),
        lambda one: (one.unit, one.tag.name),
        lambda one: (one.device.name, one.tag.address, one.tag.role),
        lambda one: (one.device.name, one.tag.address) if one.shown_role is None else None,
        lambda one: (one.tag.name, one.tag.role, one.tag.address),
    )


_LIMIT_KEY = (
    "product",
    "recipe_version",
    "unit",
    "phase",
    "role",
    "statistic",
    "window_s",
    "within",
    "time_constant_s",
    "sp_role",
)


def paired_limits(old: Sequence[Limit], new: Sequence[Limit]) -> Pairs[Limit]:
    """By what a row holds for; then rows that differ in one of these alone, so that a corrected phase is one change."""
    but_one = [_key_without(field) for field in _LIMIT_KEY]
    return paired(old, new, lambda row: tuple(getattr(row, field) for field in _LIMIT_KEY), *but_one)


def _key_without(field: str) -> Key[Limit]:
    return lambda row: row.model_copy(update={field: None}).model_dump_json()


Renamed = tuple[tuple[str, str], ...]
"""(old name, new name)"""


@dataclass(frozen=True, slots=True)
class Renames:
    """What got another name and is otherwise the same."""

    endpoints: Renamed
    devices: Renamed
    units: Renamed


def renames(old: Plant, new: Plant) -> tuple[Renames, Plant]:
    """The renamed endpoints, devices and units; and the old plant as it would be with the new names."""
    endpoints = _renamed(_endpoints(old), _endpoints(new))
    before = _with_endpoint_names(old, dict(endpoints))
    devices = _renamed(_devices(before), _devices(new))
    before = _with_device_names(before, dict(devices))
    units = _renamed(_units(before), _units(new))
    return Renames(endpoints, devices, units), _with_unit_names(before, dict(units))


_Thing = tuple[str, Hashable]
"""A name, and all else that makes it what it is."""


def _renamed(old: Iterable[_Thing], new: Iterable[_Thing]) -> Renamed:
    pairs = paired(old, new, lambda thing: thing[0], lambda thing: thing[1])
    return tuple((before[0], after[0]) for before, after in pairs.both if before[0] != after[0])


def _content(item: Named) -> str:
    return item.model_dump_json(exclude={"name"})


def _endpoints(plant: Plant) -> list[_Thing]:
    return [(endpoint.name, _content(endpoint)) for endpoint in plant.endpoints]


def _devices(plant: Plant) -> list[_Thing]:
    return [(device.name, (endpoint.name, _content(device))) for endpoint in plant.endpoints for device in endpoint.devices]


def _units(plant: Plant) -> list[_Thing]:
    """A unit is what it says of itself and the tags it owns."""
    owned: dict[str, list[tuple[str, str]]] = {}
    for placed in placed_tags(plant):
        owned.setdefault(placed.unit, []).append((placed.device.name, placed.tag.name))
    return [(unit.name, (_content(unit), tuple(owned.get(unit.name, ())))) for unit in plant.units]


def _with_endpoint_names(plant: Plant, names: Mapping[str, str]) -> Plant:
    endpoints = tuple(_named(endpoint, names) for endpoint in plant.endpoints)
    return plant.model_copy(update={"endpoints": endpoints})


def _with_device_names(plant: Plant, names: Mapping[str, str]) -> Plant:
    return _with_devices(plant, lambda device: _named(device, names))


def _with_unit_names(plant: Plant, names: Mapping[str, str]) -> Plant:
    if not names:
        return plant

    def device_of(device: Device) -> Device:
        tags = tuple(_of_unit(tag, names) for tag in device.tags)
        return _of_unit(device, names).model_copy(update={"tags": tags})

    units = tuple(_named(unit, names) for unit in plant.units)
    limits = tuple(_of_unit(limit, names) for limit in plant.limits)
    return _with_devices(plant, device_of).model_copy(update={"units": units, "limits": limits})


def _with_devices(plant: Plant, changed: Callable[[Device], Device]) -> Plant:
    endpoints = tuple(
        endpoint.model_copy(update={"devices": tuple(changed(device) for device in endpoint.devices)})
        for endpoint in plant.endpoints
    )
    return plant.model_copy(update={"endpoints": endpoints})


N = TypeVar("N", bound=Named)
U = TypeVar("U", Device, Tag, Limit)


def _named(item: N, names: Mapping[str, str]) -> N:
    return item.model_copy(update={"name": names.get(item.name, item.name)})


def _of_unit(item: U, names: Mapping[str, str]) -> U:
    return item if item.unit is None else item.model_copy(update={"unit": names.get(item.unit, item.unit)})
