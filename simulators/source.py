"""Where a simulated server gets its values: the seam between what is simulated and how it is spoken.

A source moves only in `refresh`, which a server calls at the start of a request. Until the next call every point
holds still, so all the values of one answer belong together. A server binds each tag once and then just asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from config.model import Device
from config.tags import Tag

Value = float | int | bool | str

GOOD = 0x0000_0000
BAD_NODE_ID_UNKNOWN = 0x8034_0000
"""The tag is not there: a Modbus server answers it as an illegal data address."""
BAD_OUT_OF_RANGE = 0x803C_0000
BAD_TYPE_MISMATCH = 0x8074_0000
BAD_NOT_CONNECTED = 0x808A_0000
BAD_SENSOR_FAILURE = 0x808C_0000
BAD_NO_DATA = 0x809B_0000
"""OPC UA status codes (part 6, annex A)."""


class SimulationError(Exception):
    """What was asked of a simulator cannot be done; the text says what, where and what would be right."""


class Reading(NamedTuple):
    """A value in engineering units, or None with a bad status."""

    value: Value | None
    status: int = GOOD
    source_ns: int = 0
    """When the value came to be, nanoseconds since 1970-01-01 UTC; 0 where nobody knows."""

    @property
    def bad(self) -> bool:
        return self.value is None or self.status >> 30 >= 2


Point = Callable[[], Reading]
"""What one tag shows now."""


class Source(Protocol):
    """Values for the tags of a plant."""

    def refresh(self) -> int:
        """Move on to now. The number it returns grows whenever any value may have changed."""

    def point(self, device: Device, tag: Tag) -> Point:
        """The point behind `tag` of `device`. Raises SimulationError where there is none."""


class PerDevice:
    """A source for each device, by the device's name: several replays side by side behind one endpoint."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = dict(sources)

    def refresh(self) -> int:
        return sum(source.refresh() for source in self._sources.values())

    def point(self, device: Device, tag: Tag) -> Point:
        source = self._sources.get(device.name)
        if source is None:
            raise SimulationError(f"device {device.name} has no source: there are {', '.join(self._sources)}")
        return source.point(device, tag)
