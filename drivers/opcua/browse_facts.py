"""What a server tells of variables that were found by browsing: type, unit, range, states, and whether they can be read.

Everything is asked for many variables at once, and what a server does not tell is told as missing. Data types of its own (an
enumeration, a kind of Double) are followed up to the built-in type that they are made of (part 3, 5.8.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds

from drivers.opcua.browse import Browser, Variable, name_of, target_of
from drivers.opcua.decode import ARRAY, type_name
from drivers.opcua.properties import NODES_PER_REQUEST, ToldUnit, is_array, range_of, unit_of, value_of
from drivers.opcua.read import NodeReader
from drivers.opcua.wire import Connection

_ABSTRACT = {"Number": "Double", "Integer": "Int64", "UInteger": "UInt64", "Enumeration": "Int32", "UtcTime": "DateTime"}
_PLAIN = frozenset(ua.VariantType) - {ua.VariantType.Null, ua.VariantType.ExtensionObject, ua.VariantType.Variant}
_MOST_SUBTYPES = 12
_STATES = ("EnumStrings", "EnumValues")
_CURRENT_READ = 1
_PROPERTIES = ("EngineeringUnits", "EURange", *_STATES)


@dataclass(frozen=True, slots=True)
class Told:
    """One variable; what the server does not tell is None or empty."""

    variable: Variable
    data_type: str | None
    """The built-in type its values are of: `Double`; of others the name, where it has one. Where the server does not tell it,
    that of the value it has now."""
    is_array: bool = False
    is_readable: bool = True
    description: str = ""
    unit: ToldUnit | None = None
    range: tuple[float, float] | None = None
    states: tuple[tuple[int, str], ...] = ()


async def facts(
    connection: Connection,
    browser: Browser,
    variables: Sequence[Variable],
    nodes_per_read: int | None,
    reading: Callable[[str, int], None] = lambda what, nodes: None,
) -> list[Told]:
    """What is told of each of `variables`, in their order; `reading` is told of each step. Raises DeviceError."""
    size = min(nodes_per_read or NODES_PER_REQUEST, NODES_PER_REQUEST)

    async def read(what: str, nodes: Mapping[int, ua.NodeId], attribute: int = AttributeIds.Value) -> dict[int, object]:
        if not nodes:
            return {}
        reading(what, len(nodes))
        answers = await NodeReader(connection, f"reading {what}", nodes, size, attribute).answers()
        return {key: value_of(answer) for key, answer in answers.items()}

    nodes = {index: variable.node for index, variable in enumerate(variables)}
    types = await read("data types", nodes, AttributeIds.DataType)
    ranks = await read("value ranks", nodes, AttributeIds.ValueRank)
    access = await read("access levels", nodes, AttributeIds.AccessLevel)
    user_access = await read("user access levels", nodes, AttributeIds.UserAccessLevel)
    descriptions = await read("descriptions", nodes, AttributeIds.Description)
    names, enumerations = await _types(browser, {each for each in types.values() if isinstance(each, ua.NodeId)})
    told_types = {index for index, type_ in types.items() if isinstance(type_, ua.NodeId) and type_ in names}
    untold = {index: node for index, node in nodes.items() if index not in told_types and not is_array(ranks[index])}
    seen = await _seen(connection, untold, size) if untold else {}
    wanted = _wanted(variables)
    values = await read("properties", dict(enumerate(wanted.values())))
    properties = {place: values[key] for key, place in enumerate(wanted)}
    by_type = await read("enumerations", dict(enumerate(enumerations.values())))
    enums = {type_: _states(by_type[key]) for key, type_ in enumerate(enumerations)}

    def told(index: int, variable: Variable) -> Told:
        type_, value_type = types[index], seen.get(index, "")
        given = user_access[index] if isinstance(user_access[index], int) else access[index]
        states = next((found for name in _STATES if (found := _states(properties.get((index, name))))), ())
        description = descriptions[index]
        return Told(
            variable,
            names.get(type_) if isinstance(type_, ua.NodeId) and not value_type else value_type.removesuffix(ARRAY) or None,
            is_array(ranks[index]) or value_type.endswith(ARRAY),
            bool(given & _CURRENT_READ) if isinstance(given, int) else True,
            (description.Text or "").strip() if isinstance(description, ua.LocalizedText) else "",
            unit_of(properties.get((index, "EngineeringUnits"))),
            range_of(properties.get((index, "EURange"))),
            states or (enums.get(type_, ()) if isinstance(type_, ua.NodeId) else ()),
        )

    return [told(index, variable) for index, variable in enumerate(variables)]


async def _seen(connection: Connection, nodes: Mapping[int, ua.NodeId], size: int) -> dict[int, str]:
    """The type of each value that there is, for variables whose data type leads to none that is built in: BaseDataType,
    which may be anything, or a type that the server doesn't have."""
    answers = await NodeReader(connection, "reading values whose type is not told", nodes, size).answers()
    return {
        key: type_name(answer.Value)
        for key, answer in answers.items()
        if value_of(answer) is not None and answer.Value is not None and answer.Value.VariantType in _PLAIN
    }


def _wanted(variables: Sequence[Variable]) -> dict[tuple[int, str], ua.NodeId]:
    """The properties to read: by index of the variable and name."""
    return {
        (index, name): node
        for index, variable in enumerate(variables)
        for name, node in variable.properties.items()
        if name in _PROPERTIES
    }


async def _types(browser: Browser, types: set[ua.NodeId]) -> tuple[dict[ua.NodeId, str], dict[ua.NodeId, ua.NodeId]]:
    """The built-in type of each data type, and of enumerations the property that names their states."""
    names: dict[ua.NodeId, str] = {}
    above = {type_: type_ for type_ in types}
    for _ in range(_MOST_SUBTYPES):
        for type_, now in above.items():
            if name := _built_in(now):
                names[type_] = name
        above = {type_: now for type_, now in above.items() if type_ not in names}
        if not above:
            break
        starts = list(above)
        async for index, references, _status in browser.children([above[type_] for type_ in starts], _supertype):
            if references:
                above[starts[index]] = target_of(references[0])
            else:
                del above[starts[index]]
    enumerations: dict[ua.NodeId, ua.NodeId] = {}
    own = [type_ for type_, name in names.items() if name == "Int32" and _built_in(type_) is None]
    async for index, references, _status in browser.children(own, _properties):
        for reference in references:
            if name_of(reference) in _STATES:
                enumerations[own[index]] = target_of(reference)
    return names, enumerations


def _built_in(type_: ua.NodeId) -> str | None:
    if type_.NamespaceIndex != 0 or not isinstance(type_.Identifier, int):
        return None
    name = ObjectIdNames.get(type_.Identifier, "")
    return _ABSTRACT.get(name) or (name if name in ua.VariantType.__members__ else None)


def _supertype(node: ua.NodeId) -> ua.BrowseDescription:
    return _related(node, ObjectIds.HasSubtype, ua.BrowseDirection.Inverse)


def _properties(node: ua.NodeId) -> ua.BrowseDescription:
    return _related(node, ObjectIds.HasProperty, ua.BrowseDirection.Forward)


def _related(node: ua.NodeId, reference: int, direction: ua.BrowseDirection) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=direction,
        ReferenceTypeId=ua.NodeId(ua.Int32(reference)),
        IncludeSubtypes=True,
        NodeClassMask=ua.UInt32(0),
        ResultMask=ua.UInt32(ua.BrowseResultMask.All),
    )


def _states(value: object) -> tuple[tuple[int, str], ...]:
    """Of EnumStrings (texts, numbered from 0) or EnumValues (numbers with their texts)."""
    found: list[tuple[int, str]] = []
    for number, each in enumerate(value if isinstance(value, list) else ()):
        if isinstance(each, ua.LocalizedText):
            found.append((number, (each.Text or "").strip()))
        elif isinstance(each, ua.EnumValueType):
            found.append((int(each.Value), (each.DisplayName.Text or "").strip()))
    return tuple((number, name) for number, name in found if name)
