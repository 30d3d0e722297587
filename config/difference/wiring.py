"""Differences of endpoints, devices, scan groups and tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from config.difference.change import NEW_LAYOUT, NO_MATTER, Change, Kind, changed, come_and_gone, in_order, names_of
from config.difference.pairing import Pairs, PlacedTag, paired
from config.difference.words import called, shown
from config.model import Device, Endpoint, Group, Plant


def endpoints(old: Plant, new: Plant, lost: Counter[str], found: Counter[str]) -> Iterator[Change]:
    """Of endpoints, their devices and scan groups. `lost`, `found`: how many tags went or came with a device, by its name."""
    pairs = paired(old.endpoints, new.endpoints, lambda endpoint: endpoint.name)
    for before, after in pairs.both:
        yield from changed(before, after, f"endpoint {after.name}", skip=("devices",))
        yield from in_order(f"endpoint {after.name}", "devices", names_of(before.devices), names_of(after.devices), NO_MATTER)
    yield from come_and_gone("endpoint", pairs, lost, found)
    yield from in_order("plant", "endpoints", names_of(old.endpoints), names_of(new.endpoints), NO_MATTER)
    gone = {endpoint.name for endpoint in (*pairs.removed, *pairs.added)}
    yield from _devices(_housed(old.endpoints), _housed(new.endpoints), gone, lost, found)


@dataclass(frozen=True, slots=True)
class _Housed:
    """A device and the name of its endpoint."""

    endpoint: str
    device: Device

    @property
    def name(self) -> str:
        return self.device.name


def _housed(endpoints: Iterable[Endpoint]) -> list[_Housed]:
    return [_Housed(endpoint.name, device) for endpoint in endpoints for device in endpoint.devices]


def _devices(old: list[_Housed], new: list[_Housed], gone: set[str], lost: Counter[str], found: Counter[str]) -> Iterator[Change]:
    """Of the endpoints that are `gone` or new nothing more is told than that their devices moved."""
    pairs = paired(old, new, lambda housed: housed.name)
    for one, other in pairs.both:
        before, after, where = one.device, other.device, f"device {other.name}"
        if one.endpoint != other.endpoint:
            yield Change(where, "", Kind.MOVED, f"moved from endpoint {one.endpoint} to {other.endpoint}")
        if _takes_tags_along(before, after):
            yield Change(where, "", Kind.CHANGED, f"unit {shown(before.unit)} → {shown(after.unit)}, with its tags")
        yield from changed(before, after, where, skip=("unit", "groups", "tags"))
        yield from _groups(before, after)
    rest = (tuple(housed for housed in some if housed.endpoint not in gone) for some in (pairs.removed, pairs.added))
    removed, added = rest
    yield from come_and_gone("device", Pairs((), removed, added), lost, found)


def _takes_tags_along(old: Device, new: Device) -> bool:
    """Whether another unit of the device is another one for any of its tags."""
    follow = [{tag.name for tag in device.tags if tag.unit is None} for device in (old, new)]
    return old.unit != new.unit and bool(follow[0] & follow[1])


def _groups(old: Device, new: Device) -> Iterator[Change]:
    """Which group reads a tag is told of the tag."""
    where, pairs = f"device {new.name}", _paired_groups(old, new)
    for before, after in pairs.both:
        if before.name != after.name:
            yield Change(where, f"group {after.name}", Kind.RENAMED, f"renamed from {before.name}: {NEW_LAYOUT}")
        yield from changed(before, after, where, f"group {after.name}", skip=("name",))
        yield from in_order(where, f"tags in group {after.name}", _read_with(old, before), _read_with(new, after), NEW_LAYOUT)
    for kind, groups in ((Kind.REMOVED, pairs.removed), (Kind.ADDED, pairs.added)):
        yield from (Change(where, f"group {group.name}", kind, f"{kind} (each {group.period_s:g} s)") for group in groups)
    yield from in_order(where, "groups", names_of(old.groups), names_of(new.groups), NO_MATTER)


def _paired_groups(old: Device, new: Device) -> Pairs[Group]:
    """By name; then by what they read, and how often."""
    both = {id(group): device for device in (old, new) for group in device.groups}
    return paired(
        old.groups,
        new.groups,
        lambda group: group.name,
        lambda group: (group.period_s, *_read_with(both[id(group)], group)),
    )


def _read_with(device: Device, group: Group) -> list[str]:
    return [tag.name for tag in device.tags if device.group_of(tag) == group.name]


def tags(pairs: Pairs[PlacedTag], old: Plant, new: Plant) -> Iterator[Change]:
    """Of the tags; those that went or came with their device are told with it."""
    for before, after in pairs.both:
        yield from _tag(before, after)
    there = {device.name for endpoint in new.endpoints for device in endpoint.devices}
    here = {device.name for endpoint in old.endpoints for device in endpoint.devices}
    for gone in pairs.removed:
        if gone.device.name in there:  # else it went with its device
            yield Change(f"unit {gone.unit}", gone.tag.name, Kind.REMOVED, f"removed ({called(gone.tag)})")
    for come in pairs.added:
        if come.device.name in here:
            yield Change(f"unit {come.unit}", come.tag.name, Kind.ADDED, f"added ({called(come.tag)})")


_PLACE = ("unit", "group")
"""Fields of a tag that count by what they come to, with what the device says."""


def _tag(old: PlacedTag, new: PlacedTag) -> Iterator[Change]:
    where, name, skip = f"unit {new.unit}", new.tag.name, [*_PLACE]
    if old.tag.name != new.tag.name:
        yield Change(where, name, Kind.RENAMED, f"renamed from {old.tag.name} ({called(new.tag)})")
        skip += ["name", *([] if old.shown_role or new.shown_role else ["role"])]
    if old.device.name != new.device.name:
        yield Change(where, name, Kind.MOVED, f"moved from device {old.device.name} to {new.device.name}")
    if old.unit != new.unit and not _went_with_device(old, new):
        yield Change(where, name, Kind.MOVED, f"moved from unit {old.unit} to {new.unit}")
    if old.device.name == new.device.name and _group_then(old, new) != new.group:
        yield Change(where, name, Kind.CHANGED, f"group {old.group} → {new.group}")
    yield from changed(old.tag, new.tag, where, name, skip=skip, unit=_unit_of_range(old, new))


def _group_then(old: PlacedTag, new: PlacedTag) -> str:
    """The tag's old group, by the name it has now."""
    names = {before.name: after.name for before, after in _paired_groups(old.device, new.device).both}
    return names.get(old.group, old.group)


def _went_with_device(old: PlacedTag, new: PlacedTag) -> bool:
    same = old.device.name == new.device.name
    return same and old.tag.unit is None and new.tag.unit is None and old.device.unit != new.device.unit


def _unit_of_range(old: PlacedTag, new: PlacedTag) -> str:
    """A unit is shown beside both figures only where it is the same for both."""
    same = old.tag.engineering_unit == new.tag.engineering_unit
    return (new.tag.engineering_unit or "") if same else ""
