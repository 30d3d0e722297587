"""From endpoints of the plant file to the scan groups that drivers read."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import finalize

from config.model import Device, ModbusEndpoint, OpcUaEndpoint
from config.tags import Tag
from drivers.layout import Column, Layout

Endpoint = OpcUaEndpoint | ModbusEndpoint


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ScanGroup:
    """A layout together with the configured tags its driver reads, in the order of the columns."""

    layout: Layout
    device: Device
    tags: tuple[Tag, ...]

    @property
    def name(self) -> str:
        """`endpoint/device/group`, for people."""
        return f"{self.layout.endpoint}/{self.layout.device}/{self.layout.group}"


_known: dict[int, tuple[ScanGroup, ...]] = {}
"""Scan groups by the identity of their endpoint, as long as that lives."""


def scan_groups(endpoint: Endpoint) -> tuple[ScanGroup, ...]:
    """Every scan group of an endpoint that has tags, in the order of the plant file. The same objects each time: many ask, and
    thousands of columns take some time to make, and some memory."""
    key = id(endpoint)
    if key not in _known:
        _known[key] = _made(endpoint)
        finalize(endpoint, _known.pop, key).atexit = False
    return _known[key]


def _made(endpoint: Endpoint) -> tuple[ScanGroup, ...]:
    groups = []
    for device in endpoint.devices:
        for group in device.groups:
            tags = tuple(tag for tag in device.tags if device.group_of(tag) == group.name)
            if tags:
                columns = tuple(_column(device, tag) for tag in tags)
                layout = Layout(endpoint.name, device.name, group.name, round(group.period_s * 1e9), columns)
                groups.append(ScanGroup(layout, device, tags))
    return tuple(groups)


def _column(device: Device, tag: Tag) -> Column:
    return Column(
        name=tag.name,
        role=tag.role,
        unit=device.unit_of(tag),
        kind=tag.value_kind,
        engineering_unit=tag.engineering_unit,
        address=tag.address,
        scale=tag.scale,
        offset=tag.offset,
        low=tag.range.low if tag.range else None,
        high=tag.range.high if tag.range else None,
        states=tuple(sorted(tag.states.items())),
    )
