"""What the checks walk over, the tags of a plant with where they stand, and what they yield."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.model import Device, Plant
from config.tags import Tag

Loc = tuple[str | int, ...]
Finding = tuple[Loc, str] | tuple[Loc, str, Loc]
"""Where in the plant (indices for named items), and what is wrong and would be right; and where the item stands that is
called `{other}` there."""


@dataclass(frozen=True, slots=True)
class PlacedDevice:
    """A device with its `loc` and the name of its endpoint."""

    loc: Loc
    endpoint: str
    device: Device


@dataclass(frozen=True, slots=True)
class PlacedTag:
    """A tag with its `loc`, its device, and the name of the unit that owns it, empty when none is said."""

    loc: Loc
    device: Device
    tag: Tag

    @property
    def unit(self) -> str:
        return self.device.unit_of(self.tag)

    @property
    def period_s(self) -> float | None:
        """Of its scan group; None when the device has no such group."""
        name = self.device.group_of(self.tag)
        return next((group.period_s for group in self.device.groups if group.name == name), None)

    def __str__(self) -> str:
        return f"{self.tag.name} of device {self.device.name}"


def placed_devices(plant: Plant) -> Iterator[PlacedDevice]:
    """Every device, in the order of the file."""
    for e, endpoint in enumerate(plant.endpoints):
        for d, device in enumerate(endpoint.devices):
            yield PlacedDevice(("endpoints", e, "devices", d), endpoint.name, device)


def placed_tags(plant: Plant) -> Iterator[PlacedTag]:
    """Every tag, in the order of the file."""
    for placed in placed_devices(plant):
        for t, tag in enumerate(placed.device.tags):
            yield PlacedTag((*placed.loc, "tags", t), placed.device, tag)


def tags_by_role(plant: Plant) -> dict[str, list[PlacedTag]]:
    """The tags of all units by their role."""
    found: dict[str, list[PlacedTag]] = {}
    for placed in placed_tags(plant):
        found.setdefault(placed.tag.role, []).append(placed)
    return found


def roles_by_unit(plant: Plant) -> dict[str, dict[str, list[PlacedTag]]]:
    """The tags of each unit by their role, in one pass over the plant."""
    found: dict[str, dict[str, list[PlacedTag]]] = {unit.name: {} for unit in plant.units}
    for placed in placed_tags(plant):
        found.setdefault(placed.unit, {}).setdefault(placed.tag.role, []).append(placed)
    return found


def homeless_roles(plant: Plant) -> set[str]:
    """Roles of tags whose unit is not in the plant: they have their fault, and are not said to be missing elsewhere."""
    units = {unit.name for unit in plant.units}
    return {placed.tag.role for placed in placed_tags(plant) if placed.unit not in units}
