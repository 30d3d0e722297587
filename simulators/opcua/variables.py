"""A tag as a variable of the type that OPC 10000-8 (Data Access) has for it, with its properties.

    real, integer with a range        AnalogItemType            EURange, EngineeringUnits
    … with a unit alone               AnalogUnitType            EngineeringUnits
    … with neither                    BaseAnalogType
    integer with states 0, 1, 2 …     MultiStateDiscreteType    EnumStrings
    integer with other states         MultiStateValueDiscreteType  EnumValues, ValueAsText
    boolean                           TwoStateDiscreteType      FalseState, TrueState
    text                              DataItemType

Ranges and units are those of what the server sends: before the tag's scale and offset.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from asyncua import ua
from asyncua.server.address_space import AttributeValue

from config.tags import Kind, OpcUaTag
from simulators.opcua.groups import is_measured, two_states
from simulators.opcua.nodes import standard
from simulators.opcua.units import engineering_unit, served_range, served_unit
from simulators.opcua.values import Sent, Variable, counts_from_zero
from simulators.opcua.writing import HAS_PROPERTY, PROPERTY_TYPE, Writer, text

_ANALOG_ITEM, _ANALOG_UNIT, _BASE_ANALOG, _DATA_ITEM = 2368, 17497, 15318, 2365
_TWO_STATE, _MULTI_STATE, _MULTI_STATE_VALUE = 2373, 2376, 11238
_RANGE, _EU_INFORMATION, _LOCALIZED_TEXT, _ENUM_VALUE, _STRING = 884, 887, 21, 7594, 12
_OVERRANGE = (-0.0125, 1.03125)
"""Where a 4-20 mA instrument still measures: 3.8 to 20.5 mA, NAMUR NE 43."""
_Property = tuple[str, ua.Variant, int]
SAMPLING_MS = 100.0
"""MinimumSamplingInterval."""


def add_tag(writer: Writer, parent: ua.NodeId, variable: Variable, description: str, *, lean: bool) -> None:
    """The variable below `parent`, its properties below it."""
    tag = variable.tag
    name = ua.QualifiedName(tag.name, variable.node_id.NamespaceIndex)
    data_type = standard(variable.type.value)
    writer.add_variable(
        parent, name, _type_of(tag), variable.attribute, data_type,
        node_id=variable.node_id, description=description, sampling_ms=SAMPLING_MS,
    )  # fmt: skip
    for property_name, variant, property_type in () if lean else _properties(tag):
        writer.add_property(variable.node_id, ua.QualifiedName(property_name, ua.Int16(0)), variant, property_type)

    if not lean and _type_of(tag) == _MULTI_STATE_VALUE:
        value = _value_as_text(variable)
        own_name = ua.QualifiedName("ValueAsText", ua.Int16(0))
        writer.add_variable(variable.node_id, own_name, PROPERTY_TYPE, value, standard(_LOCALIZED_TEXT), reference=HAS_PROPERTY)


def _value_as_text(variable: Variable) -> AttributeValue:
    """The name of the state that it shows, an empty text for a value without a name. OPC 10000-8, 5.3.3.4."""

    def shown(_node_id: object, _attribute: object) -> ua.DataValue:
        reading = variable.reading()
        name = "" if reading.value is None or reading.bad else variable.tag.states.get(int(reading.value), "")
        return Sent(ua.Variant(text(name), ua.VariantType.LocalizedText), ua.StatusCode(ua.UInt32(reading.status)))

    attribute = AttributeValue(ua.DataValue())
    attribute.value_callback = shown
    return attribute


def _type_of(tag: OpcUaTag) -> int:
    if tag.kind is Kind.BOOLEAN:
        return _TWO_STATE
    if tag.kind is Kind.TEXT:
        return _DATA_ITEM
    if tag.states:
        return _MULTI_STATE if counts_from_zero(tag) else _MULTI_STATE_VALUE
    if served_range(tag):
        return _ANALOG_ITEM
    return _ANALOG_UNIT if served_unit(tag) else _BASE_ANALOG


def _properties(tag: OpcUaTag) -> Iterator[_Property]:
    yield "Definition", _definition(tag.role), _STRING
    if tag.kind is Kind.BOOLEAN:
        names = two_states(tag)
        yield "FalseState", _text(names[0]), _LOCALIZED_TEXT
        yield "TrueState", _text(names[1]), _LOCALIZED_TEXT
    elif tag.states:
        states = tuple(sorted(tag.states.items()))
        yield ("EnumStrings", _strings(states), _LOCALIZED_TEXT) if counts_from_zero(tag) else (
            "EnumValues", _values(states), _ENUM_VALUE)  # fmt: skip
    elif tag.kind is not Kind.TEXT:
        yield from _analog(tag)


def _analog(tag: OpcUaTag) -> Iterator[_Property]:
    ends, unit = served_range(tag), served_unit(tag)
    if ends:
        yield "EURange", _range(*ends), _RANGE
        if is_measured(tag):
            width = ends[1] - ends[0]
            yield "InstrumentRange", _range(*(ends[0] + width * share for share in _OVERRANGE)), _RANGE
    if unit:
        yield "EngineeringUnits", _unit(unit), _EU_INFORMATION


@cache
def _definition(role: str) -> ua.Variant:
    return ua.Variant(f"role {role}", ua.VariantType.String)


@cache
def _range(low: float, high: float) -> ua.Variant:
    return ua.Variant(ua.Range(ua.Double(low), ua.Double(high)), ua.VariantType.ExtensionObject)


@cache
def _unit(unit: str) -> ua.Variant:
    return ua.Variant(engineering_unit(unit), ua.VariantType.ExtensionObject)


@cache
def _text(value: str) -> ua.Variant:
    return ua.Variant(text(value), ua.VariantType.LocalizedText)


@cache
def _strings(states: tuple[tuple[int, str], ...]) -> ua.Variant:
    return ua.Variant([text(name) for _, name in states], ua.VariantType.LocalizedText, is_array=True)


@cache
def _values(states: tuple[tuple[int, str], ...]) -> ua.Variant:
    values = [ua.EnumValueType(ua.Int64(number), text(name), text("")) for number, name in states]
    return ua.Variant(values, ua.VariantType.ExtensionObject, is_array=True)
