"""One tag read once, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from config.tags import Tag
from drivers.base import Endpoint, Quality
from drivers.opcua.properties import NOT_TOLD, Description

Value = float | int | bool | str


class Level(IntEnum):
    """How much a remark weighs; worse is greater. A fault makes the command fail."""

    NOTE = 0
    WARNING = 1
    FAULT = 2


@dataclass(frozen=True, slots=True)
class Remark:
    """What contradicts or is worth knowing: `short` for a table, `text` the whole sentence with what would be right."""

    level: Level
    short: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One tag as it was read; `value` is None where the quality is bad."""

    device: str
    unit: str
    tag: Tag
    value: Value | None
    quality: Quality
    status: int
    source_ns: int = 0
    """The device's own stamp; 0 where it gave none."""
    received_ns: int = 0
    description: Description = NOT_TOLD
    advice: str = ""
    """The driver's words on why there is no value."""

    @property
    def age_s(self) -> float | None:
        """Of the value when it arrived, by the device's own stamp; negative when its clock is ahead."""
        return (self.received_ns - self.source_ns) / 1e9 if self.source_ns else None


@dataclass(frozen=True, slots=True)
class Visit:
    """What one endpoint gave. `lost` says for each device that gave nothing why; `untold` why properties are missing."""

    endpoint: Endpoint
    readings: tuple[Reading, ...]
    lost: tuple[tuple[str, str], ...]
    untold: str
    took_s: float
