"""The plant: endpoints, units, limits and sinks. Frozen, no I/O. What is in endpoints is importable from here too.

What one item can know of itself is checked here; what needs two items is checked in `config.checks.checks`.
`config.load` does both, so a plant that was loaded holds together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from config.common import Model, Named, NamedItems
from config.endpoints import (
    Device,
    Endpoint,
    Group,
    ModbusDevice,
    ModbusEndpoint,
    OpcUaDevice,
    OpcUaEndpoint,
    OpcUaGroup,
    forbidden_range,
)
from config.limits import Limit
from config.sinks import Sink
from config.tags import Tag
from config.text import Name, Text

__all__ = [
    "Context",
    "Device",
    "Disk",
    "Endpoint",
    "Group",
    "ModbusDevice",
    "ModbusEndpoint",
    "OpcUaDevice",
    "OpcUaEndpoint",
    "OpcUaGroup",
    "Plant",
    "Unit",
    "Web",
    "forbidden_range",
]


class Context(Model):
    """The roles of a unit's tags that tell batch, phase and recipe."""

    batch_id: Name = "batch_id"
    """Role of the tag that holds the batch id; empty while nothing runs."""
    phase: Name = "phase"
    """Role of the tag that holds the phase."""
    product: Name = "product"
    """Role of the tag that holds the product."""
    recipe_version: Name = "recipe_version"
    """Role of the tag that holds the recipe version."""


class Unit(Named):
    """ISA-88 unit: it owns tags and runs one batch at a time."""

    description: Text | None = None
    """For people."""
    product: Name | None = None
    """Taken where the controller does not tell it."""
    recipe_version: Name | None = None
    """Taken where the controller does not tell it; kept as it is written, 1.10 is not 1.1."""
    mode: Literal["pilot", "gmp"] = "pilot"
    """Whether batches here are pilot or GMP batches."""
    context: Context = Context()
    """Which tags tell batch, phase and recipe, by their roles."""


class Web(Model):
    """The page the daemon serves. It listens on loopback unless told otherwise."""

    host: Text = "127.0.0.1"
    """Address to listen on; the page asks for no password."""
    port: int = Field(8480, ge=0, le=65535, strict=True)
    """TCP port; 0 takes a free one."""


class Disk(Model):
    """The room that the data folder has."""

    reserve_mb: float = Field(64.0, ge=0, strict=True, allow_inf_nan=False)
    """Megabytes that a reserve file takes, given back when the disk is full; 0 for none."""
    runway_h: float = Field(24.0, ge=0, strict=True, allow_inf_nan=False)
    """Hours: an event is told when the disk lasts less at the journal's rate."""
    keep_days: float | None = Field(None, gt=0, strict=True, allow_inf_nan=False)
    """Days: daily files that are older are removed, when nothing holds them; without it none is."""
    keep_gb: float | None = Field(None, gt=0, strict=True, allow_inf_nan=False)
    """Gigabytes: while the daily files take more, the oldest is removed, when nothing holds it; without it none is."""


class Plant(Model):
    """A whole plant."""

    also_written = ("include", "templates", "use")

    site: Name
    """Name of the site; a tag on every row in InfluxDB."""
    endpoints: Annotated[tuple[Endpoint, ...], NamedItems, Field(min_length=1)]
    """Connections to OPC UA servers and Modbus TCP gateways, by name."""
    units: Annotated[tuple[Unit, ...], NamedItems] = ()
    """ISA-88 units, by name; every tag belongs to one."""
    limits: tuple[Limit, ...] = ()
    """A list of limits; or CSV files that hold them."""
    sinks: Annotated[tuple[Sink, ...], NamedItems] = ()
    """Where the journal is streamed to, by name; without any the local journal holds everything."""
    disk: Disk = Disk()
    """Room for the journal: the reserve, and when it is told as short."""
    web: Web | None = Web()
    """The page that the daemon serves; null serves none."""

    def tags(self) -> Iterator[tuple[Device, Tag]]:
        """Every tag with its device, in the order of the file."""
        for endpoint in self.endpoints:
            for device in endpoint.devices:
                for tag in device.tags:
                    yield device, tag
