"""What the plant is read from: endpoints with their devices and scan groups. Frozen, no I/O."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, field_validator, model_validator
from pydantic import Tag as Variant

from config.common import Named, NamedItems, Seconds, server_address
from config.modbus_line import PORTS, TRANSPORTS, ModbusLine, Transport, check_url, misplaced
from config.security import PlantPath, Security
from config.sinks import Secret
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
