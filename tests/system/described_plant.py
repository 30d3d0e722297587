"""A real OPC UA server whose variables have engineering units, ranges and data types, as a test says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from asyncua import ua
from asyncua.common.node import Node
from asyncua.ua.attribute_ids import AttributeIds

from config.engineering_units import UNECE_NAMESPACE, unit_id_of
from tests.system.opcua_peers import PlantServer

V = ua.VariantType


class DescribedPlant(PlantServer):
    """`describe` makes a variable as a server of analog items has it."""

    def describe(
        self,
        name: str,
        value: object = 1.0,
        kind: ua.VariantType = V.Double,
        *,
        unit: str | None = None,
        code: str | None = None,
        description: str = "",
        property_: object = None,
        range_: tuple[float, float] | None = None,
        age_s: float = 0.0,
        status: int = 0,
    ) -> None:
        """`unit` and `code` make its EngineeringUnits, or `property_` is it as given; `range_` makes its EURange. Its stamp is
        always `age_s` old."""
        made = property_ if unit is None and code is None else _unit(unit, code, description)
        self.call(self._describe(name, value, kind, made, range_))
        variant, code_ = ua.Variant(value, kind), ua.StatusCode(ua.UInt32(status))

        def now(*_: object) -> ua.DataValue:
            stamp = datetime.now(UTC) - timedelta(seconds=age_s)
            return ua.DataValue(variant, code_, SourceTimestamp=stamp)  # type: ignore[arg-type]  # a DateTime is a datetime

        node_id = ua.NodeId(ua.String(name), ua.Int16(self.index))
        self.call(self._give(node_id, now))

    async def _give(self, node_id: ua.NodeId, now: Callable[..., ua.DataValue]) -> None:
        self.server.iserver.aspace.set_attribute_value_callback(node_id, AttributeIds.Value, now)

    async def _describe(
        self,
        name: str,
        value: object,
        kind: ua.VariantType,
        units: object,
        range_: tuple[float, float] | None,
    ) -> None:
        node_id = ua.NodeId(ua.String(name), ua.Int16(self.index))
        if name not in self._known:
            self._known.add(name)
            await self.server.nodes.objects.add_variable(node_id, name, ua.Variant(value, kind), varianttype=kind)
        node = self.server.get_node(node_id)
        if units is not None:
            await self._property(node, "EngineeringUnits", units)
        if range_ is not None:
            await self._property(node, "EURange", ua.Range(*range_))

    async def _property(self, node: Node, name: str, value: object) -> None:
        number = ua.NodeId(ua.String(f"{node.nodeid.Identifier!s}.{name}"), ua.Int16(self.index))
        await node.add_property(number, ua.QualifiedName(name, ua.UInt16(0)), value)


def _unit(unit: str | None, code: str | None, description: str) -> ua.EUInformation:
    return ua.EUInformation(
        NamespaceUri=UNECE_NAMESPACE if code else "urn:vendor:units",
        UnitId=ua.Int32(unit_id_of(code) if code else -1),
        DisplayName=ua.LocalizedText(unit),
        Description=ua.LocalizedText(description),
    )
