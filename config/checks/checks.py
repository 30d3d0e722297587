"""What needs two items of a plant to be seen: pure functions from a plant to findings.

`FAULTS` hold for any part of a plant. `FAULTS_OF_A_WHOLE` say that something is missing, so they need all of it.
The checks of the plant itself are here; its neighbours are named after what they check, `wires` also the outside world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from config.checks import limits, plausible, ranges, relations, security, wires
from config.faults import did_you_mean
from config.findings import Finding, PlacedTag, homeless_roles, placed_devices, placed_tags, roles_by_unit, tags_by_role
from config.model import Context, Device, Plant
from config.tags import Kind

Check = Callable[[Plant], Iterator[Finding]]


def faults(plant: Plant, *, whole: bool) -> Iterator[Finding]:
    """What keeps a plant from being used. `whole` is False for the sound part of a faulty plant."""
    for check in (*FAULTS, *(FAULTS_OF_A_WHOLE if whole else ())):
        yield from check(plant)


def warnings(plant: Plant) -> Iterator[Finding]:
    """What is allowed but unwise."""
    for check in WARNINGS:
        yield from check(plant)


def _named(names: list[str], unknown: str, what: str) -> str:
    """`; did you mean 'R-201'?` and what there is."""
    return f"{did_you_mean(unknown, names)}; {what}: {', '.join(names) or 'none'}"


def device_names_are_unique(plant: Plant) -> Iterator[Finding]:
    """A device's name identifies its rows, across all endpoints."""
    first: dict[str, str] = {}
    for placed in placed_devices(plant):
        endpoint = first.setdefault(placed.device.name, placed.endpoint)
        if endpoint != placed.endpoint:
            yield placed.loc, f"endpoint {endpoint} has a device of this name: a device's name must be unique in the plant"


def tag_names_are_unique(plant: Plant) -> Iterator[Finding]:
    """Within a unit, over all its devices."""
    first: dict[tuple[str, str], PlacedTag] = {}
    for placed in placed_tags(plant):
        other = first.setdefault((placed.unit, placed.tag.name), placed)
        if other is not placed:
            yield placed.loc, f"unit {placed.unit} has a tag of this name on device {other.device.name}: rename one"


def roles_are_unique(plant: Plant) -> Iterator[Finding]:
    """Within a unit, over all its devices."""
    first: dict[tuple[str, str], PlacedTag] = {}
    for placed in placed_tags(plant):
        other = first.setdefault((placed.unit, placed.tag.role), placed)
        if other is not placed and other.tag.name != placed.tag.name:
            what = f"role {placed.tag.role} of unit {placed.unit} is taken by {other}: give one of them another role"
            yield (*placed.loc, "role"), what


def kinds_agree(plant: Plant) -> Iterator[Finding]:
    """A role is a field in InfluxDB, whose type is pinned for all units together."""
    for role, tags in tags_by_role(plant).items():
        for placed in tags[1:]:
            first = tags[0]
            if placed.tag.value_kind is not first.tag.value_kind and placed.unit != first.unit:
                what = (
                    f"role {role} is {placed.tag.value_kind} here and {first.tag.value_kind} on unit {first.unit} ({first}): "
                    f"a role has one kind in the whole plant; give it another role here"
                )
                yield placed.loc, what


def units_exist(plant: Plant) -> Iterator[Finding]:
    """Every tag belongs to a unit of the plant."""
    names = [unit.name for unit in plant.units]
    for placed in placed_devices(plant):
        device = placed.device
        if device.unit is not None and device.unit not in names:
            yield (*placed.loc, "unit"), f"no unit {device.unit!r}{_named(names, device.unit, 'units of this plant')}"
        if device.unit is None and (homeless := [tag.name for tag in device.tags if tag.unit is None]):
            tags = ", ".join(homeless[:3]) + (" and others" if len(homeless) > 3 else "")
            yield placed.loc, f"{tags}: no unit owns them; give the device or each tag a unit"
    for tag in placed_tags(plant):
        if tag.tag.unit is not None and tag.tag.unit not in names:
            yield (*tag.loc, "unit"), f"no unit {tag.tag.unit!r}{_named(names, tag.tag.unit, 'units of this plant')}"


def groups_exist(plant: Plant) -> Iterator[Finding]:
    """Every tag is read with a group of its device, said where there are several."""
    for placed in placed_tags(plant):
        names, group = [group.name for group in placed.device.groups], placed.tag.group
        if group is None and len(names) > 1:
            yield placed.loc, f"group is missing: the device has several; say one of {', '.join(names)}"
        elif group is not None and group not in names:
            yield (*placed.loc, "group"), f"no group {group!r}{_named(names, group, 'groups of this device')}"


def context_roles_fit(plant: Plant) -> Iterator[Finding]:
    """A context role that is written exists; and one that exists can name a batch, phase or recipe."""
    homeless, by_unit = homeless_roles(plant), roles_by_unit(plant)
    for u, unit in enumerate(plant.units):
        roles = by_unit[unit.name]
        for key in Context.model_fields:
            role = str(getattr(unit.context, key))
            if role in roles:
                yield from _cannot_tell(key, roles[role][0])
            elif key in unit.context.model_fields_set and role not in homeless:
                what = f"no tag of unit {unit.name} has role {role!r}{did_you_mean(role, roles)}; write the role of a tag"
                yield ("units", u, "context", key), what


def _cannot_tell(key: str, placed: PlacedTag) -> Iterator[Finding]:
    kind = placed.tag.value_kind
    if kind not in (Kind.TEXT, Kind.INTEGER):
        yield placed.loc, f"its role tells the {key}, and it is {kind}: make it text or integer, or name another role in context"


def units_are_used(plant: Plant) -> Iterator[Finding]:
    """A unit that owns no tag says nothing, ever."""
    used = {placed.unit for placed in placed_tags(plant)}
    for u, unit in enumerate(plant.units):
        if unit.name not in used:
            yield ("units", u), "owns no tag: give a device or tags this unit, or take it out"


def groups_are_used(plant: Plant) -> Iterator[Finding]:
    """A group that no tag names is never read."""
    for placed in placed_devices(plant):
        used = {placed.device.group_of(tag) for tag in placed.device.tags}
        for g, name in enumerate(_group_names(placed.device)):
            if name not in used:
                yield (*placed.loc, "groups", g), "no tag is read with this group: take it out, or name it in a tag"


def _group_names(device: Device) -> list[str]:
    return [group.name for group in device.groups]


FAULTS: tuple[Check, ...] = (
    device_names_are_unique,
    tag_names_are_unique,
    roles_are_unique,
    kinds_agree,
    *wires.FAULTS,
    *security.FAULTS,
    *limits.FAULTS,
    *ranges.FAULTS,
    *relations.FAULTS,
    *plausible.FAULTS,
)
FAULTS_OF_A_WHOLE: tuple[Check, ...] = (
    units_exist,
    groups_exist,
    context_roles_fit,
    *limits.FAULTS_OF_A_WHOLE,
    *relations.FAULTS_OF_A_WHOLE,
    *plausible.FAULTS_OF_A_WHOLE,
)
WARNINGS: tuple[Check, ...] = (
    units_are_used,
    groups_are_used,
    *wires.WARNINGS,
    *security.WARNINGS,
    *limits.WARNINGS,
    *ranges.WARNINGS,
    *plausible.WARNINGS,
)
