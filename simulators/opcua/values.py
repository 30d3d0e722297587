"""What an OPC UA server sends for a tag: raw = (value − offset) / scale, null where there is no good value.

An Uncertain reading keeps its value, a Bad one is null, whatever the status is it goes through as it is. A reading
with BAD_NODE_ID_UNKNOWN is answered as a node that is not there: a status and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, NamedTuple, Self

from asyncua import ua
from asyncua.server.address_space import AttributeValue

from config.model import OpcUaDevice
from config.tags import Kind, OpcUaTag
from simulators.source import BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH, Point, Reading, Value

BAD_NODE_ID_UNKNOWN = 0x8034_0000
_TYPES = {
    Kind.REAL: ua.VariantType.Double,
    Kind.INTEGER: ua.VariantType.Int64,
    Kind.BOOLEAN: ua.VariantType.Boolean,
    Kind.TEXT: ua.VariantType.String,
}
_INT64 = (-(2**63), 2**63 - 1)
_BOUNDS = {ua.VariantType.Int64: _INT64, ua.VariantType.UInt32: (0, 2**32 - 1)}
_EPOCH = ua.DateTime(1970, 1, 1, tzinfo=UTC)
_EPOCH_TICKS = 116_444_736_000_000_000
"""1970-01-01 in the 100 ns of OPC UA's DateTime, which count from 1601. OPC 10000-6, 5.2.2.5."""
_PACKED = {
    ua.VariantType.Double: Struct("<d").pack,
    ua.VariantType.Int64: Struct("<q").pack,
    ua.VariantType.UInt32: Struct("<I").pack,
    ua.VariantType.Boolean: Struct("<?").pack,
}
_DOUBLE = ua.VariantType.Double.value
_VALUE, _STATUS, _SOURCE, _SERVER = 1, 2, 4, 8
"""Bits of a DataValue's encoding mask. OPC 10000-6, 5.2.2.17."""


class Sent(ua.DataValue):
    """A DataValue that nobody changes: asyncua need not copy it for each monitored item."""

    __slots__ = ()

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self


class Stamps(NamedTuple):
    """Which timestamps an answer has. OPC 10000-4, 7.40."""

    source: bool
    server: bool


BOTH = Stamps(source=True, server=True)


def wire_type(tag: OpcUaTag) -> ua.VariantType:
    """States that count 0, 1, 2 … are a MultiStateDiscrete, whose values are unsigned. OPC 10000-8, 5.3.3.3."""
    return ua.VariantType.UInt32 if counts_from_zero(tag) else _TYPES[tag.kind]


def counts_from_zero(tag: OpcUaTag) -> bool:
    """The tag's states are 0, 1, 2 … without a gap."""
    return bool(tag.states) and sorted(tag.states) == list(range(len(tag.states)))


class Variable:
    """One tag as it is served: its node, its type and where its readings come from."""

    __slots__ = ("attribute", "device", "node_id", "point", "tag", "type")

    def __init__(self, device: OpcUaDevice, tag: OpcUaTag, node_id: ua.NodeId, point: Point) -> None:
        self.device, self.tag, self.node_id, self.point = device, tag, node_id, point
        self.type = wire_type(tag)
        self.attribute = AttributeValue(ua.DataValue())
        self.attribute.value_callback = lambda _node_id, _attribute: data_value(self, self.point(), BOTH, datetime.now(UTC))

    def reading(self) -> Reading:
        """What it shows now."""
        return self.point()


def data_value(variable: Variable, reading: Reading, stamps: Stamps, now: datetime) -> ua.DataValue:
    """The answer as asyncua knows it; `now` is the server's time."""
    server = ua.DateTime.fromtimestamp(now.timestamp(), UTC) if stamps.server else None
    if reading.status == BAD_NODE_ID_UNKNOWN:
        return Sent(None, ua.StatusCode(ua.UInt32(reading.status)), None, server)
    value, status = raw(variable.tag, variable.type, reading)
    variant = ua.Variant(None, ua.VariantType.Null) if value is None else ua.Variant(value, variable.type)
    source = _EPOCH + timedelta(microseconds=reading.source_ns // 1000) if stamps.source and reading.source_ns else None
    return Sent(variant, ua.StatusCode(ua.UInt32(status)), source, server)


def raw(tag: OpcUaTag, variant_type: ua.VariantType, reading: Reading) -> tuple[Value | None, int]:
    """The value before scale and offset, or None, and the status."""
    value = reading.value
    if value is None or reading.bad:
        return None, reading.status
    if tag.kind is Kind.REAL:
        number = float(value)
        unscaled = (tag.scale, tag.offset) == (1.0, 0.0)
        return number if unscaled else (number - tag.offset) / tag.scale, reading.status
    if tag.kind is Kind.INTEGER:
        whole = int(value)
        if whole != value:
            return None, BAD_TYPE_MISMATCH
        low, high = _BOUNDS[variant_type]
        return (whole, reading.status) if low <= whole <= high else (None, BAD_OUT_OF_RANGE)
    return (bool(value) if tag.kind is Kind.BOOLEAN else str(value)), reading.status


def ticks(at: datetime) -> int:
    """An OPC UA DateTime: 100 ns since 1601, to the microsecond."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 10 + _EPOCH_TICKS


Encoder = Callable[[], bytes]


def encoder(variable: Variable, stamps: Stamps) -> Encoder:
    """What gives `variable`'s DataValue in OPC UA binary as it is now, up to the server timestamp, which comes last."""
    tag, slow = variable.tag, _any_encoder(variable, stamps)
    if tag.kind is not Kind.REAL or (tag.scale, tag.offset) != (1.0, 0.0):
        return slow
    point, source = variable.point, stamps.source
    mask = _VALUE | _STATUS | (_SOURCE if source else 0) | (_SERVER if stamps.server else 0)
    with_source, without = Struct("<BBdIQ").pack, Struct("<BBdI").pack

    def encode() -> bytes:
        value, status, source_ns = reading = point()
        if value is None or status >= 0x8000_0000 or (source and not source_ns):
            return slow(reading)
        if source:
            return with_source(mask, _DOUBLE, value, status, source_ns // 1000 * 10 + _EPOCH_TICKS)
        return without(mask, _DOUBLE, value, status)

    return encode


def _any_encoder(variable: Variable, stamps: Stamps) -> Callable[..., bytes]:
    tag, variant_type, point = variable.tag, variable.type, variable.point
    server = _SERVER if stamps.server else 0
    status_only, tail, stamped_tail = Struct("<BBI").pack, Struct("<I").pack, Struct("<IQ").pack

    def encode(reading: Reading | None = None) -> bytes:
        reading = reading or point()
        if reading.status == BAD_NODE_ID_UNKNOWN:
            return status_only(_VALUE | _STATUS | server, 0, reading.status)
        value, status = raw(tag, variant_type, reading)
        source_ns = reading.source_ns if stamps.source else 0
        mask = _VALUE | _STATUS | server | (_SOURCE if source_ns else 0)
        head = bytes((mask, 0)) if value is None else bytes((mask, variant_type.value)) + _packed(variant_type, value)
        return head + (stamped_tail(status, source_ns // 1000 * 10 + _EPOCH_TICKS) if source_ns else tail(status))

    return encode


def _packed(variant_type: ua.VariantType, value: Value) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        return len(text).to_bytes(4, "little") + text
    return _PACKED[variant_type](value)
