"""What a server tells of its own variables: data type, engineering unit and range. Asked for once, for people.

    node ──HasProperty──> EngineeringUnits   EUInformation
         └─HasProperty──> EURange            Range

Requests are few: the paths of many nodes in one TranslateBrowsePaths, the properties found in one Read. Many servers tell
none of it, and a server that can't be asked tells nothing: that is no error. Nothing here is needed to collect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds
from asyncua.ua.status_codes import StatusCodes

from config.engineering_units import UNECE_NAMESPACE, unece_code
from drivers.base import DeviceError
from drivers.opcua.read import SMALLER_HELPS, NodeReader
from drivers.opcua.wire import Connection, Undecodable, translate_results

NODES_PER_REQUEST = 1000
"""Or fewer where the server says so: a request for everything at once could outlast its deadline."""
LONGEST_TEXT = 80
"""What is longer is no unit."""
_UNIT, _RANGE = "EngineeringUnits", "EURange"
_NO_SUCH_SERVICE = (StatusCodes.BadServiceUnsupported, StatusCodes.BadNotImplemented, StatusCodes.BadNotSupported)
_LIMIT = ua.NodeId(ua.Int32(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds))
_COMPLETE = 0xFFFF_FFFF
_Path = tuple[int, str]
"""The column of a node, and the name of one of its properties."""


@dataclass(frozen=True, slots=True)
class ToldUnit:
    """An EUInformation as a server gives it; `code` is UNECE's, where it gives one."""

    display_name: str
    description: str = ""
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """What a server tells of one variable; None where it tells nothing."""

    data_type: str | None = None
    """Of a built-in type its name: `Double`."""
    is_array: bool = False
    unit: ToldUnit | None = None
    range: tuple[float, float] | None = None
    """Low and high of the value as it is sent."""


NOT_TOLD = Description()


async def describe(
    connection: Connection, name: str, nodes: Mapping[int, ua.NodeId], nodes_per_read: int | None
) -> dict[int, Description]:
    """The descriptions of `nodes`, under their keys; `name` tells in errors what is read. Raises DeviceError."""
    size = min(nodes_per_read or NODES_PER_REQUEST, NODES_PER_REQUEST)
    types = await NodeReader(connection, f"reading data types of {name}", nodes, size, AttributeIds.DataType).answers()
    ranks = await NodeReader(connection, f"reading value ranks of {name}", nodes, size, AttributeIds.ValueRank).answers()
    found = await _Paths(connection, f"looking for the properties of {name}").find(nodes)
    numbered = dict(enumerate(found.items()))
    properties = {key: node for key, (_, node) in numbered.items()}
    answers = await NodeReader(connection, f"reading the properties of {name}", properties, size).answers()
    values = {numbered[key][0]: value_of(answer) for key, answer in answers.items()}
    return {
        key: Description(
            _type_name(value_of(types[key])),
            is_array(value_of(ranks[key])),
            unit_of(values.get((key, _UNIT))),
            range_of(values.get((key, _RANGE))),
        )
        for key in nodes
    }


class _Paths:
    """Finds the properties of nodes, in as few requests as the server takes."""

    def __init__(self, connection: Connection, doing: str) -> None:
        self._connection, self._doing = connection, doing

    async def find(self, nodes: Mapping[int, ua.NodeId]) -> dict[_Path, ua.NodeId]:
        """The NodeIds of the properties that there are. Raises DeviceError."""
        paths = [((key, name), _path(node, name)) for key, node in nodes.items() for name in (_UNIT, _RANGE)]
        size = await self._size()
        found: dict[_Path, ua.NodeId] = {}
        try:
            for first in range(0, len(paths), size):
                found.update(await self._translate(paths[first : first + size]))
        except DeviceError as exc:
            if exc.status not in _NO_SUCH_SERVICE:
                raise
        return found

    async def _size(self) -> int:
        answers = await NodeReader(self._connection, self._doing, {0: _LIMIT}, None).answers()
        limit = value_of(answers[0])
        return min(limit, NODES_PER_REQUEST) if isinstance(limit, int) and limit > 0 else NODES_PER_REQUEST

    async def _translate(self, paths: Sequence[tuple[_Path, ua.BrowsePath]]) -> dict[_Path, ua.NodeId]:
        try:
            results = await self._ask([path for _, path in paths])
        except Undecodable:
            if len(paths) == 1:
                return {}
        except DeviceError as exc:
            if len(paths) == 1 or exc.status not in SMALLER_HELPS:
                raise
        else:
            targets = ((key, _target(result)) for (key, _), result in zip(paths, results, strict=True))
            return {key: node for key, node in targets if node is not None}
        middle = len(paths) // 2
        return await self._translate(paths[:middle]) | await self._translate(paths[middle:])

    async def _ask(self, paths: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        request = ua.TranslateBrowsePathsToNodeIdsRequest(Parameters=ua.TranslateBrowsePathsToNodeIdsParameters(paths))
        body = await self._connection.ask(request, self._doing)
        return translate_results(body, len(paths), f"{self._connection.place}: {self._doing}")


def _path(node: ua.NodeId, name: str) -> ua.BrowsePath:
    element = ua.RelativePathElement(
        ReferenceTypeId=ua.NodeId(ua.Int32(ObjectIds.HasProperty)),
        IsInverse=False,  # type: ignore[arg-type]  # asyncua has no Boolean that is a bool
        IncludeSubtypes=True,  # type: ignore[arg-type]
        TargetName=ua.QualifiedName(name, ua.UInt16(0)),
    )
    return ua.BrowsePath(StartingNode=node, RelativePath=ua.RelativePath(Elements=[element]))


def _target(result: ua.BrowsePathResult) -> ua.NodeId | None:
    """The one node at the end of a path; none on another server, none that the path reached only in part."""
    for target in result.Targets or ():
        node = target.TargetId
        if result.StatusCode.is_good() and target.RemainingPathIndex == _COMPLETE and not getattr(node, "ServerIndex", 0):
            return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
    return None


def value_of(answer: ua.DataValue) -> Any:
    """None where there is no good one."""
    is_good = answer.StatusCode is None or answer.StatusCode.is_good()
    return answer.Value.Value if is_good and answer.Value is not None else None


def _type_name(value: object) -> str | None:
    if not isinstance(value, ua.NodeId) or value.NamespaceIndex != 0 or not isinstance(value.Identifier, int):
        return None
    name = ObjectIdNames.get(value.Identifier)
    return name if name in ua.VariantType.__members__ and name != "Variant" else None


def is_array(value: object) -> bool:
    """ValueRank (part 3, 5.6.2): 1 and more are dimensions, 0 one or more of them; below, a scalar is possible."""
    return isinstance(value, int) and value >= 0


def unit_of(value: object) -> ToldUnit | None:
    """Of the value of a property EngineeringUnits."""
    if isinstance(value, str | ua.LocalizedText):  # not as part 8 has it, but servers do so
        text = _text(ua.LocalizedText(value) if isinstance(value, str) else value)
        return ToldUnit(text) if text else None
    if not isinstance(value, ua.EUInformation):
        return None
    name, description = _text(value.DisplayName), _text(value.Description)
    namespace = (value.NamespaceUri or "").strip()
    code = unece_code(value.UnitId or 0) if namespace in ("", UNECE_NAMESPACE) else None
    return ToldUnit(name, description, code) if name or code else None


def _text(text: ua.LocalizedText | None) -> str:
    return (text.Text or "").strip()[:LONGEST_TEXT] if text is not None else ""


def range_of(value: object) -> tuple[float, float] | None:
    """0 to 0 is what servers send for "not configured"."""
    if not isinstance(value, ua.Range):
        return None
    low, high = value.Low, value.High
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None
