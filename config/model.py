"""The plant: endpoints with their devices and tags, units, limits and sinks. Frozen, no I/O.

What one item can know of itself is checked here; what needs two items is checked in `config.checks.checks`.
`config.load` does both, so a plant that was loaded holds together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, field_validator, model_validator
from pydantic import Tag as Variant

from config.common import Model, Named, NamedItems, Seconds, server_address
from config.limits import Limit
from config.modbus_line import PORTS, TRANSPORTS, ModbusLine, Transport, check_url, misplaced
from config.security import PlantPath, Security
from config.sinks import Secret, Sink
from config.tags import ModbusTag, OpcUaTag, Tag
from config.text import Name, Text


class Group(Named):
    """A scan group: tags of a device that are read together, once per slot."""

    period_s: Annotated[float, Field(ge=0.005, le=3600, strict=True)] = 1.0
    """Seconds from slot to slot, 0.005 to 3600; slots are the multiples of it since 1970-01-01 UTC."""


class OpcUaGroup(Group):
    """A scan group of an OPC UA server: asked in each slot, or subscribed to."""

    mode: Literal["poll", "subscribe"] = "poll"
    """`poll`: all tags are read in each slot. `subscribe`: the server tells changes, and a slot has the last value told."""
    sampling_s: Annotated[float, Field(ge=0.005, le=3600, strict=True)] | None = None
    """How often the server looks at a subscribed value, seconds; not longer than `period_s`, which is the default."""
    queue_size: int | None = Field(None, ge=1, le=10_000, strict=True)
    """Values per tag that the server keeps until it tells them, 1 to 10000; default: twice what is sampled between messages."""
    freshness_s: Annotated[float, Field(ge=1, le=86_400, strict=True)] | None = None
    """A subscribed tag of which nothing was told for so long is read: are its changes told? Seconds, 1 to 86400, default 60."""

    @model_validator(mode="after")
    def _of_its_mode(self) -> OpcUaGroup:
        for key in ("sampling_s", "queue_size", "freshness_s"):
            if self.mode == "poll" and getattr(self, key) is not None:
                raise ValueError(f"{key} is for a subscribed group: write mode: subscribe, or leave {key} out")
        if self.sampling_s is not None and self.sampling_s > self.period_s:
            raise ValueError(f"sampling_s {self.sampling_s:g} is longer than period_s {self.period_s:g}: make it as long at most")
        return self


_ONE_GROUP = (Group(name="main"),)
_ONE_OPCUA_GROUP = (OpcUaGroup(name="main"),)


class Device(Named):
    """One controller behind an endpoint."""

    unit: Name | None = None
    """The ISA-88 unit that owns its tags, where a tag does not say."""
    groups: Annotated[tuple[Group, ...], NamedItems, Field(min_length=1)] = _ONE_GROUP
    """Scan groups, by name: which tags are read together, and how often. Without any there is `main`, each second."""
    tags: tuple[Tag, ...]
    """Tags, by their name on the P&ID; or CSV files that list them."""

    def group_of(self, tag: Tag) -> str:
        """The name of the scan group that reads `tag`."""
        return tag.group or self.groups[0].name

    def unit_of(self, tag: Tag) -> str:
        """The name of the unit that owns `tag`; the plant has made sure there is one."""
        return tag.unit or self.unit or ""


class OpcUaDevice(Device):
    """An OPC UA server, or one controller it speaks for."""

    groups: Annotated[tuple[OpcUaGroup, ...], NamedItems, Field(min_length=1)] = _ONE_OPCUA_GROUP
    """Scan groups, by name: which tags are read together, and how often. Without any there is `main`, each second."""
    tags: Annotated[tuple[OpcUaTag, ...], NamedItems, Field(min_length=1)]
    """Tags, by their name on the P&ID; or CSV files that list them."""


class ModbusDevice(Device):
    """One `unit_id` behind a Modbus endpoint."""

    unit_id: int = Field(1, ge=0, le=255, strict=True)
    """Modbus unit identifier, 0 to 255; each device of an endpoint has its own."""
    max_registers: int = Field(125, ge=1, le=125, strict=True)
    """The most registers it answers in one read, 1 to 125."""
    max_bits: int = Field(2000, ge=1, le=2000, strict=True)
    """The most bits it answers in one read, 1 to 2000."""
    gap: int = Field(8, ge=0, le=124, strict=True)
    """Registers nobody asked for that may be read along to save a request, 0 to 124."""
    forbidden: tuple[Text, ...] = ()
    """Ranges that must not be touched, such as `holding:200-219` or `coil:7`."""
    tags: Annotated[tuple[ModbusTag, ...], NamedItems, Field(min_length=1)]
    """Tags, by their name on the P&ID; or CSV files that list them."""

    @field_validator("forbidden")
    @classmethod
    def _are_ranges(cls, ranges: tuple[str, ...]) -> tuple[str, ...]:
        for text in ranges:
            forbidden_range(text)
        return ranges


def forbidden_range(text: str) -> tuple[str, int, int]:
    """`holding:200-219` -> (table, first, last). Raises ValueError."""
    table, _, span = text.partition(":")
    first, _, last = span.partition("-")
    last = last or first
    if table not in ("coil", "discrete", "holding", "input") or not (first.isdecimal() and last.isdecimal()):
        raise ValueError(f"{text!r} is no range: write e.g. 'holding:200-219'")
    if int(first) > int(last) or int(last) > 65535:
        raise ValueError(f"{text!r}: the first address comes first, and 65535 is the last there is")
    return table, int(first), int(last)


class _Endpoint(Named):
    url: Text
    """Address of the server: `opc.tcp://host:4840/path` or `modbus://host:502`; no user or password in it.
    Modbus also as `modbus+tls://host:802`, `modbus+rtu://host:502` and `modbus+serial:///dev/ttyUSB0`."""
    timeout_s: Seconds = 4.0
    """Deadline of connecting and of each request, in seconds."""
    backoff_s: Seconds = 1.0
    """Seconds before the first attempt to connect again; the waits grow to `backoff_limit_s`, jittered."""
    backoff_limit_s: Seconds = 30.0
    """The longest wait before an attempt to connect again, in seconds."""
    clock_skew_s: Seconds = 5.0
    """A device whose own stamps differ from the gateway's clock by more is told of, in seconds."""

    schemes: ClassVar[tuple[str, ...]]
    """With what its url may begin."""

    @field_validator("url")
    @classmethod
    def _is_server(cls, url: str) -> str:
        return cls._checked_url(url)

    @classmethod
    def _checked_url(cls, url: str) -> str:
        raise NotImplementedError

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        raise NotImplementedError


class OpcUaEndpoint(_Endpoint):
    """One OPC UA server: `opc.tcp://host:4840/path`."""

    schemes = ("opc.tcp",)
    user_name: Text | None = None
    """An account that may only read; with `password`, or neither."""
    password: Secret | None = None
    """Where the password is found: `{env: NAME}` or `{file: PATH}`."""
    user_certificate: PlantPath | None = None
    """The certificate of a user, instead of a name and a password; with `user_key`, or neither."""
    user_key: PlantPath | None = None
    """The private key of that certificate, PEM or DER without a password, readable by its owner only."""
    security: Security = Security()
    """How the connection is signed and encrypted; left out, it is not."""
    devices: Annotated[tuple[OpcUaDevice, ...], NamedItems, Field(min_length=1)]
    """Controllers behind it, by name; a name is unique in the plant."""

    @classmethod
    def _checked_url(cls, url: str) -> str:
        server_address(url, "opc.tcp://10.0.0.5:4840")
        return url

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 4840


class ModbusEndpoint(ModbusLine, _Endpoint):
    """One Modbus server, gateway or serial line: `modbus://host:502`, and see `config.modbus_line`."""

    schemes = tuple(TRANSPORTS)
    devices: Annotated[tuple[ModbusDevice, ...], NamedItems, Field(min_length=1)]
    """Controllers behind it, by name; a name is unique in the plant."""

    @classmethod
    def _checked_url(cls, url: str) -> str:
        return check_url(url)

    @model_validator(mode="after")
    def _keys_fit_the_url(self) -> ModbusEndpoint:
        if wrong := misplaced(self, self.transport):
            raise ValueError(wrong)
        return self

    @property
    def transport(self) -> Transport:
        """How it is reached, by its url."""
        return TRANSPORTS[self.url.partition("://")[0]]

    @property
    def serial_port(self) -> str:
        """Path of the serial port; empty on a network."""
        return urlsplit(self.url).path if self.transport == "serial" else ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or PORTS[self.transport]


_SCHEMES = dict.fromkeys(OpcUaEndpoint.schemes, "opcua") | dict.fromkeys(ModbusEndpoint.schemes, "modbus")


def _protocol(value: Any) -> str | None:
    url = value.get("url") if isinstance(value, dict) else getattr(value, "url", None)
    return _SCHEMES.get(str(url).partition("://")[0])


Endpoint = Annotated[
    Annotated[OpcUaEndpoint, Variant("opcua")] | Annotated[ModbusEndpoint, Variant("modbus")],
    Discriminator(
        _protocol,
        custom_error_type="unknown_url",
        custom_error_message="url must begin with opc.tcp:// (OPC UA) or modbus:// (Modbus)",
    ),
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
