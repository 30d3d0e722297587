"""What a server says of itself: build, state, clock, limits. OPC 10000-5, 6.3."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime

from asyncua import ua
from asyncua.server.address_space import AddressSpace
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from simulators.opcua.nodes import standard
from simulators.opcua.space import MANUFACTURER, product_version
from simulators.opcua.values import Sent

PRODUCT_URI = "urn:reactorwatch:simulator"
_LIMIT = "Server_ServerCapabilities_OperationLimits_"
_CURRENT_TIME, _STATUS = standard(2258), standard(2256)
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OperationLimits:
    """The most of each that one request may ask for; more is answered with BadTooManyOperations."""

    nodes_per_read: int = 10_000
    nodes_per_write: int = 10_000
    nodes_per_browse: int = 10_000
    nodes_per_register_nodes: int = 10_000
    nodes_per_translate_browse_paths_to_node_ids: int = 10_000
    monitored_items_per_call: int = 10_000


async def introduce(server: Server, name: str, limits: OperationLimits) -> None:
    """Write BuildInfo, OperationLimits and ServiceLevel."""
    await server.set_build_info(PRODUCT_URI, MANUFACTURER, name, product_version(), "simulated", _BUILT)
    for limit in fields(limits):
        node_name = f"{_LIMIT}Max{''.join(word.capitalize() for word in limit.name.split('_'))}"
        node = server.get_node(standard(getattr(ObjectIds, node_name)))
        await node.write_value(ua.Variant(getattr(limits, limit.name), ua.VariantType.UInt32))
    level = server.get_node(standard(ObjectIds.Server_ServiceLevel))
    await level.write_value(ua.Variant(255, ua.VariantType.Byte))


def run_clock(space: AddressSpace) -> None:
    """The clock goes when it is read, instead of being written each second; asyncua has set the state before."""
    status = space.read_attribute_value(_STATUS, AttributeIds.Value).Value
    assert status is not None
    running: ua.ServerStatusDataType = status.Value

    def current_time(_node_id: object, _attribute: object) -> ua.DataValue:
        now = datetime.now(UTC)
        return Sent(ua.Variant(now, ua.VariantType.DateTime), ua.StatusCode(), _stamp(now), _stamp(now))

    def current_status(_node_id: object, _attribute: object) -> ua.DataValue:
        now = datetime.now(UTC)
        state = ua.ServerStatusDataType(running.StartTime, _stamp(now), running.State, running.BuildInfo)
        return Sent(ua.Variant(state, ua.VariantType.ExtensionObject), ua.StatusCode(), _stamp(now), _stamp(now))

    space.set_attribute_value_callback(_CURRENT_TIME, AttributeIds.Value, current_time)
    space.set_attribute_value_callback(_STATUS, AttributeIds.Value, current_status)


def _stamp(now: datetime) -> ua.DateTime:
    return ua.DateTime.fromtimestamp(now.timestamp(), UTC)
