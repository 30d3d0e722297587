"""Writes nodes into asyncua's address space: thousands of them at once, sharing what is equal.

asyncua's own AddNodes takes about 0.1 ms and 8 kB a node: it looks through all siblings and gives every node its own
copy of every attribute. A farm has ten thousand tags with five nodes each, so here equal attributes are one object.
The standard nodes are shared between the servers of a process too (simulators.opcua.standard): one that gets a child
is copied first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData
from asyncua.ua.attribute_ids import AttributeIds

from simulators.opcua.nodes import standard
from simulators.source import SimulationError

HAS_COMPONENT, HAS_PROPERTY, ORGANIZES = standard(47), standard(46), standard(35)
HAS_TYPE_DEFINITION, HAS_SUBTYPE = standard(40), standard(45)
PROPERTY_TYPE = standard(68)
_A = AttributeIds
_Attributes = dict[AttributeIds, AttributeValue]
_READ_ONLY = 1
"""AccessLevel CurrentRead."""


@cache
def constant(value: Any, variant_type: ua.VariantType) -> AttributeValue:
    """An attribute that never changes, one for all nodes."""
    return AttributeValue(ua.DataValue(ua.Variant(value, variant_type)))


def text(value: str) -> ua.LocalizedText:
    """A text in English."""
    return ua.LocalizedText(value, "en")


class Writer:
    """Adds nodes to `space`. NodeIds of nodes without an address are numbers in namespace `index`."""

    def __init__(self, space: AddressSpace, index: int, own: Callable[[ua.NodeId], NodeData]) -> None:
        self._space, self._index, self._own = space, index, own
        self._next = 1000
        self._values: dict[int, AttributeValue] = {}
        self._names: dict[tuple[str, int], tuple[AttributeValue, AttributeValue]] = {}

    def new_id(self) -> ua.NodeId:
        """A NodeId that is free."""
        self._next += 1
        return ua.NodeId(ua.Int32(self._next), ua.Int16(self._index))

    def add_object(
        self, parent: ua.NodeId, name: ua.QualifiedName, type_id: int | ua.NodeId = 58, *,
        node_id: ua.NodeId | None = None, reference: ua.NodeId = HAS_COMPONENT, description: str = "",
    ) -> ua.NodeId:  # fmt: skip
        """An object; BaseObjectType (58) unless told otherwise. Returns its NodeId."""
        attributes = {_A.EventNotifier: constant(0, ua.VariantType.Byte)}
        return self._add(parent, name, ua.NodeClass.Object, attributes, _type(type_id), node_id, reference, description)

    def add_type(self, parent: ua.NodeId, name: ua.QualifiedName, node_id: ua.NodeId) -> ua.NodeId:
        """An ObjectType below `parent`."""
        attributes = {_A.IsAbstract: constant(False, ua.VariantType.Boolean)}
        return self._add(parent, name, ua.NodeClass.ObjectType, attributes, None, node_id, HAS_SUBTYPE, "")

    def add_variable(
        self, parent: ua.NodeId, name: ua.QualifiedName, type_id: int | ua.NodeId, value: AttributeValue, data_type: ua.NodeId, *,
        node_id: ua.NodeId | None = None, reference: ua.NodeId = HAS_COMPONENT, description: str = "", array: bool = False,
        sampling_ms: float = 0.0,
    ) -> ua.NodeId:  # fmt: skip
        """A variable that clients may read and nobody may write. Returns its NodeId."""
        attributes = {
            _A.Value: value,
            _A.DataType: constant(data_type, ua.VariantType.NodeId),
            _A.ValueRank: constant(1 if array else -1, ua.VariantType.Int32),
            _A.AccessLevel: constant(_READ_ONLY, ua.VariantType.Byte),
            _A.UserAccessLevel: constant(_READ_ONLY, ua.VariantType.Byte),
            _A.MinimumSamplingInterval: constant(sampling_ms, ua.VariantType.Double),
            _A.Historizing: constant(False, ua.VariantType.Boolean),
        }
        return self._add(parent, name, ua.NodeClass.Variable, attributes, _type(type_id), node_id, reference, description)

    def add_property(self, parent: ua.NodeId, name: ua.QualifiedName, variant: ua.Variant, data_type: int | ua.NodeId) -> None:
        """A property whose value never changes. The same Variant is the same value in memory."""
        value = self._values.get(id(variant))
        if value is None:
            value = self._values[id(variant)] = AttributeValue(ua.DataValue(variant))
        self.add_variable(
            parent, name, PROPERTY_TYPE, value, _type(data_type), reference=HAS_PROPERTY, array=bool(variant.is_array)
        )

    def refer(self, source: ua.NodeId, target: ua.NodeId, reference: ua.NodeId) -> None:
        """One more way from `source` to `target`, both being there."""
        self._own(source).references.append(_reference(reference, self._space[target], forward=True))
        self._own(target).references.append(_reference(reference, self._space[source], forward=False))

    def _add(
        self, parent: ua.NodeId, name: ua.QualifiedName, node_class: ua.NodeClass, attributes: _Attributes,
        type_id: ua.NodeId | None, node_id: ua.NodeId | None, reference: ua.NodeId, description: str,
    ) -> ua.NodeId:  # fmt: skip
        node = NodeData(node_id or self.new_id())
        if node.nodeid in self._space:
            taken = node.nodeid.to_string()
            raise SimulationError(
                f"the server has a node of its own at {taken}, where {name.Name} should be: give another NodeId"
            )
        browse_name, display_name = self._named(name)
        node.attributes = {
            _A.NodeId: AttributeValue(ua.DataValue(ua.Variant(node.nodeid, ua.VariantType.NodeId))),
            _A.NodeClass: constant(node_class, ua.VariantType.Int32),
            _A.BrowseName: browse_name,
            _A.DisplayName: display_name,
            _A.WriteMask: constant(0, ua.VariantType.UInt32),
            _A.UserWriteMask: constant(0, ua.VariantType.UInt32),
            **attributes,
        }
        if description:
            node.attributes[_A.Description] = AttributeValue(ua.DataValue(ua.Variant(text(description))))
        if type_id is not None:
            node.references.append(_reference(HAS_TYPE_DEFINITION, self._space[type_id], forward=True))
        self._space[node.nodeid] = node
        self.refer(parent, node.nodeid, reference)
        return node.nodeid

    def _named(self, name: ua.QualifiedName) -> tuple[AttributeValue, AttributeValue]:
        key = (str(name.Name), int(name.NamespaceIndex))
        if key not in self._names:
            browse, display = (
                ua.Variant(name, ua.VariantType.QualifiedName),
                ua.Variant(text(key[0]), ua.VariantType.LocalizedText),
            )
            self._names[key] = (AttributeValue(ua.DataValue(browse)), AttributeValue(ua.DataValue(display)))
        return self._names[key]


def _type(type_id: int | ua.NodeId) -> ua.NodeId:
    return standard(type_id) if isinstance(type_id, int) else type_id


def _reference(reference: ua.NodeId, node: NodeData, *, forward: bool) -> ua.ReferenceDescription:
    def value(attribute: AttributeIds) -> Any:
        found = node.attributes[attribute].value
        return found.Value.Value if found and found.Value else None

    types = (other.NodeId for other in node.references if other.ReferenceTypeId == HAS_TYPE_DEFINITION and other.IsForward)
    return ua.ReferenceDescription(
        reference, forward, node.nodeid, value(_A.BrowseName), value(_A.DisplayName),
        ua.NodeClass(value(_A.NodeClass)), next(types, None) or ua.NodeId(),
    )  # fmt: skip
