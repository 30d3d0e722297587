"""A source of values for simulated servers that a test changes as it likes, and endpoints to serve it from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.model import Device, OpcUaEndpoint
from config.tags import Tag
from simulators.source import Point, Reading, Value

STAMP_NS = 1_700_000_000_123_456_789
Tags = Mapping[str, Mapping[str, object]]


@dataclass
class Changeable:
    """Readings by the tag's name; `set` moves it on."""

    readings: dict[str, Reading] = field(default_factory=dict)
    version: int = 0

    def set(self, name: str, value: Value | None, status: int = 0, source_ns: int = STAMP_NS) -> None:
        self.readings[name] = Reading(value, status, source_ns)
        self.version += 1

    def refresh(self) -> int:
        return self.version

    def point(self, _device: Device, tag: Tag) -> Point:
        return lambda: self.readings.get(tag.name) or Reading(None, 0x8009_0000, STAMP_NS)


def opcua_endpoint(tags: Tags, **fields: object) -> OpcUaEndpoint:
    """One controller `plc` of unit R-201 behind an endpoint `opc`."""
    devices = {"plc": {"unit": "R-201", "tags": {name: dict(tag) for name, tag in tags.items()}}}
    return OpcUaEndpoint.model_validate({"name": "opc", "url": "opc.tcp://h:1/path", "devices": devices} | fields)
