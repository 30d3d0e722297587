"""Tags: one measured point each, with what its protocol needs to find it."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from config.common import Interval, Named, Number, WholeNumber, identifier
from config.plausible import Plausible
from config.text import Name, Text


class Kind(StrEnum):
    """What a tag's values are; it pins the type of its InfluxDB field."""

    REAL = "real"
    """float64"""
    INTEGER = "integer"
    """int64, exact"""
    BOOLEAN = "boolean"
    TEXT = "text"


class Tag(Named):
    """A point as it is named on the P&ID. Engineering value = raw · scale + offset."""

    address: Text
    """Where the protocol finds it."""
    role: Text = ""
    """Identifier within the unit, the same on every reactor; default: the name as an identifier."""
    engineering_unit: Text | None = None
    """As it is shown: `°C`, `bar(a)`."""
    range: Interval | None = None
    """Bounds of the instrument, in engineering units."""
    unit: Name | None = None
    """The ISA-88 unit that owns it; default: the device's."""
    group: Name | None = None
    """The scan group it is read with; default: the device's only one."""
    scale: Number = 1.0
    """Engineering value = raw · scale + offset; not 0, for numbers only."""
    offset: Number = 0.0
    """In engineering units: engineering value = raw · scale + offset."""
    states: dict[WholeNumber, Name] = Field(default_factory=dict)
    """Names of an enumeration's numbers, e.g. `{1: Charge, 2: Heat}`."""
    plausible: Plausible | None = None
    """What it may plausibly read; a sample beyond it is recorded as uncertain, with the reason."""

    @property
    def is_measured(self) -> bool:
        """Its values are amounts of something: no text, no yes or no, no enumeration."""
        return self.value_kind in (Kind.REAL, Kind.INTEGER) and not self.states

    @property
    def value_kind(self) -> Kind:
        """What its values are."""
        raise NotImplementedError

    @field_validator("role")
    @classmethod
    def _role_is_identifier(cls, role: str) -> str:
        if role and not role.isidentifier():
            raise ValueError(f"{role!r} is no identifier: write {identifier(role)!r}")
        return role

    @model_validator(mode="after")
    def _default_role(self) -> Tag:
        if not self.role:
            role = identifier(self.name)
            if not role:
                raise ValueError(f"no role can be made of {self.name!r}: give one")
            object.__setattr__(self, "role", role)
        return self

    @model_validator(mode="after")
    def _scaled_kinds(self) -> Tag:
        scaled = (self.scale, self.offset) != (1.0, 0.0)
        if scaled and self.value_kind is not Kind.REAL:
            raise ValueError(f"scale and offset fit a real tag only, this one is {self.value_kind}")
        if self.scale == 0:
            raise ValueError("scale 0 makes every value the offset: give another number")
        if self.states and self.value_kind in (Kind.TEXT, Kind.BOOLEAN):
            raise ValueError(f"states name the numbers of an enumeration, this tag is {self.value_kind}")
        return self


_NODE_ID = re.compile(
    r"(?:(?:ns=(?P<index>[0-9]{1,5})|nsu=[^;]+);)?(?:i=(?P<number>[0-9]{1,10})|s=.+|g=(?P<guid>.+)|b=(?P<opaque>.+))", re.DOTALL
)


def _is_node_id(address: str) -> bool:
    match = _NODE_ID.fullmatch(address)
    if not match or int(match["index"] or 0) > 0xFFFF or int(match["number"] or 0) > 0xFFFF_FFFF:
        return False
    try:
        if match["guid"]:
            return str(uuid.UUID(match["guid"])) == match["guid"].lower()
        base64.b64decode(match["opaque"] or "", validate=True)
    except (ValueError, binascii.Error):
        return False
    return True


class OpcUaTag(Tag):
    """A variable node of an OPC UA server."""

    address: Text
    """NodeId: `ns=2;s=R201.TT201A`, or by namespace URI, which survives a restart: `nsu=urn:plant;s=R201.TT201A`."""
    kind: Kind = Kind.REAL
    """What its values are: real, integer, boolean or text."""
    deadband: Annotated[Number, Field(gt=0)] | None = None
    """Changes up to this are not told, engineering units; only for numbers of a subscribed group, and only where asked."""

    @model_validator(mode="after")
    def _deadband_of_a_number(self) -> OpcUaTag:
        if self.deadband is not None and self.kind not in (Kind.REAL, Kind.INTEGER):
            raise ValueError(f"a deadband fits a number only, this tag is {self.kind}: leave it out")
        return self

    @property
    def value_kind(self) -> Kind:
        return self.kind

    @field_validator("address")
    @classmethod
    def _names_a_node(cls, address: str) -> str:
        if not _is_node_id(address):
            raise ValueError(f"{address!r} is no NodeId: write e.g. 'ns=2;s=R201.TT201A' or 'nsu=urn:plant;i=1001'")
        return address


ModbusType = Literal[
    "bit", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64", "bcd16", "bcd32", "text"
]
REGISTERS: dict[str, int] = {
    "bit": 1,
    "int16": 1,
    "uint16": 1,
    "float16": 1,
    "bcd16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "bcd32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}
"""Registers that a value of a type takes; a text takes its `length`."""

BIT_TABLES = ("coil", "discrete")
REGISTER_TABLES = ("holding", "input")
_MODBUS = re.compile(r"(?P<table>coil|discrete|holding|input):(?P<offset>[0-9]{1,5})(?:\.(?P<bit>[0-9]{1,2}))?")
_MODBUS_RIGHT = "'holding:100', 'input:7', 'coil:3', 'discrete:3', or a bit of a register 'holding:100.5'; addresses count from 0"


class ModbusTag(Tag):
    """A value in one of a Modbus device's four tables."""

    address: Text
    """`table:offset`, the offset as on the wire, from 0: `holding:100`, `input:7`, `coil:3`, `discrete:3`;
    `holding:100.5` is bit 5 of a register, 0 the least."""
    type: ModbusType | None = None
    """Default: `bit` for coils, discrete inputs and addressed bits; registers must say."""
    word_order: Literal["ABCD", "CDAB", "BADC", "DCBA"] = "ABCD"
    """ABCD: high word first, high byte first. CDAB: low word first. BADC: bytes swapped. DCBA: both.
    For 64 bits the pattern goes on: CDAB is GHEFCDAB; for one register BADC and DCBA swap its bytes."""
    length: int | None = Field(None, ge=1, le=125, strict=True)
    """Registers of a text, two characters each."""

    @property
    def table(self) -> str:
        """coil, discrete, holding or input."""
        return self.address.partition(":")[0]

    @property
    def offset_in_table(self) -> int:
        """Address on the wire, from 0."""
        return int(self.address.partition(":")[2].partition(".")[0])

    @property
    def bit(self) -> int | None:
        """The addressed bit of a register, 0 is the least; None without one."""
        bit = self.address.partition(".")[2]
        return int(bit) if bit else None

    @property
    def wire_type(self) -> str:
        """`type`, or `bit` where the address says so."""
        return self.type or "bit"

    @property
    def register_count(self) -> int:
        """Registers (or bits, in the bit tables) it takes."""
        return self.length or REGISTERS[self.wire_type]

    @property
    def value_kind(self) -> Kind:
        if self.wire_type == "bit":
            return Kind.BOOLEAN
        if self.wire_type == "text":
            return Kind.TEXT
        scaled = (self.scale, self.offset) != (1.0, 0.0)
        return Kind.REAL if scaled or self.wire_type.startswith("float") else Kind.INTEGER

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        match = _MODBUS.fullmatch(address)
        if not match:
            raise ValueError(f"{address!r} is no Modbus address: write {_MODBUS_RIGHT}")
        if int(match["offset"]) > 65535:
            raise ValueError(f"offset {match['offset']} is beyond 65535")
        if match["bit"] and (match["table"] in BIT_TABLES or int(match["bit"]) > 15):
            raise ValueError(f"{address!r}: a bit 0-15 of a holding or input register is meant? write {_MODBUS_RIGHT}")
        return address

    @model_validator(mode="after")
    def _type_fits_address(self) -> ModbusTag:
        is_bit = self.table in BIT_TABLES or self.bit is not None
        if is_bit and self.type not in (None, "bit"):
            raise ValueError(f"{self.address} is a bit, so type {self.type} does not fit: leave it out")
        if not is_bit and self.type in (None, "bit"):
            raise ValueError(f"{self.address} is a register: give its type, or a bit such as {self.address}.0")
        if (self.type == "text") != (self.length is not None):
            raise ValueError("a text needs its length in registers, and only a text has one")
        if self.offset_in_table + self.register_count > 65536:
            raise ValueError(f"{self.address} with {self.register_count} registers goes beyond 65535")
        return self
