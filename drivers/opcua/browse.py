"""Walks the address space of a server for its variables, in few requests, whatever the server is like.

    from the Objects folder, or a path below it, breadth first:
      Browse        up to n nodes a request, forward, hierarchical references     n: what the server takes, halved when it refuses
      BrowseNext    while a node has more children than one answer holds          let go with the session otherwise

A node is visited once, however many references lead to it, so loops end. Depth and number of nodes are bounded. Properties are
collected beside their variable and not walked; the server's own objects (namespace 0) are left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from drivers.base import DeviceError
from drivers.opcua.faults import status_name
from drivers.opcua.read import SMALLER_HELPS, NodeReader
from drivers.opcua.wire import Connection, Undecodable, browse_next_results, browse_results

NODES_PER_REQUEST = 200
REFERENCES_PER_NODE = 1000
"""Asked for; a server may give fewer, and a continuation point for the rest."""
REFERENCE_BYTES, FEW_NODES_BYTES = 200, 16_000
"""Of a reference with its names; and for each node of a request, of a server that bounds its messages."""
MOST_EMPTY = 10
"""Answers in a row without a reference, each of which promises more: the server never ends."""
OBJECTS = ua.NodeId(ua.Int32(ObjectIds.ObjectsFolder))
_HIERARCHICAL = ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences))
_NO_VIEW = ua.get_win_epoch()
"""Null on the wire. asyncua's default is now, and servers that have no views take that for one: those in Rust refuse it."""
_CLASSES = ua.NodeClass.Object | ua.NodeClass.Variable | ua.NodeClass.Method
_LIMIT = "Server_ServerCapabilities_"
_LIMITS = {
    0: ua.NodeId(ua.Int32(getattr(ObjectIds, f"{_LIMIT}OperationLimits_MaxNodesPerBrowse"))),
    1: ua.NodeId(ua.Int32(getattr(ObjectIds, f"{_LIMIT}MaxBrowseContinuationPoints"))),
}

Progress = Callable[[int, int, int], None]
"""Takes the nodes browsed, those that wait, and the variables found."""


class NoSuchPath(Exception):
    """A path that leads to no node; the text says where it ends and what is there."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as it was found. `path` has the browse names from below the start, its own last."""

    node: ua.NodeId
    path: tuple[str, ...]
    properties: dict[str, ua.NodeId] = field(default_factory=dict)


@dataclass(slots=True)
class Found:
    """What a walk has come to."""

    variables: list[Variable] = field(default_factory=list)
    browsed: int = 0
    methods: int = 0
    faults: list[str] = field(default_factory=list)
    """Nodes that could not be browsed, with the reason."""
    cut_short: str = ""
    """What bound ended the walk early; empty where none did."""


@dataclass(frozen=True, slots=True)
class _Place:
    node: ua.NodeId
    path: tuple[str, ...]
    variable: Variable | None = None


class Browser:
    """Asks one server for references."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._size, self._references = NODES_PER_REQUEST, REFERENCES_PER_NODE
        if most_bytes := connection.bounds.message_bytes:  # answers are expected to have the same bound, or the connection ends
            self._size = max(1, min(self._size, most_bytes // FEW_NODES_BYTES))
            self._references = max(1, min(self._references, most_bytes // (self._size * REFERENCE_BYTES)))

    async def learn_limits(self) -> None:
        """Keep to what the server says it takes. Raises DeviceError."""
        answers = await NodeReader(self._connection, "reading its browse limits", _LIMITS, None).answers()
        for answer in answers.values():
            value = answer.Value.Value if answer.Value is not None else None
            if isinstance(value, int) and value > 0:
                self._size = min(self._size, value)

    async def children(
        self, nodes: Sequence[ua.NodeId], asked: Callable[[ua.NodeId], ua.BrowseDescription] | None = None
    ) -> AsyncIterator[tuple[int, list[ua.ReferenceDescription], int]]:
        """Of each node its index, its references (children, or those `asked` for) and the status; in the order of `nodes`.
        Raises DeviceError."""
        asked = asked or _children
        first = 0
        while first < len(nodes):
            some = nodes[first : first + self._size]
            try:
                results = await self._browse([asked(node) for node in some])
            except DeviceError as exc:
                if exc.status not in SMALLER_HELPS or len(some) == 1:
                    raise
                self._size = max(1, len(some) // 2)
                continue
            except Undecodable as exc:
                if len(some) > 1:
                    self._size = max(1, len(some) // 2)
                    continue
                raise DeviceError(f"{self._connection.place}: browsing: {exc}", status=StatusCodes.BadDecodingError) from exc
            for index, result in enumerate(results):
                references, status = await self._whole(result, asked(some[index]))
                yield first + index, references, status
            first += len(some)

    async def _browse(self, asked: list[ua.BrowseDescription]) -> list[ua.BrowseResult]:
        parameters = ua.BrowseParameters(
            View=ua.ViewDescription(Timestamp=_NO_VIEW),
            RequestedMaxReferencesPerNode=ua.UInt32(self._references),
            NodesToBrowse=asked,
        )
        body = await self._connection.ask(ua.BrowseRequest(Parameters=parameters), "browsing")
        return browse_results(body, len(asked), f"{self._connection.place}: browsing")

    async def _whole(self, result: ua.BrowseResult, asked: ua.BrowseDescription) -> tuple[list[ua.ReferenceDescription], int]:
        """All references of a node, with those that did not fit into the first answer."""
        if result.StatusCode.value == StatusCodes.BadNoContinuationPoints:
            (result,) = await self._browse([asked])
        references, empty = list(result.References or ()), 0
        while result.StatusCode.is_good() and result.ContinuationPoint:
            parameters = ua.BrowseNextParameters(
                ReleaseContinuationPoints=False,  # asyncua's default is to let go of them: no more would be told
                ContinuationPoints=[result.ContinuationPoint],
            )
            body = await self._connection.ask(ua.BrowseNextRequest(Parameters=parameters), "browsing on")
            (result,) = browse_next_results(body, 1, f"{self._connection.place}: browsing on")
            empty = 0 if result.References else empty + 1
            if empty == MOST_EMPTY:
                return references, int(StatusCodes.BadContinuationPointInvalid)
            references += result.References or ()
        return references, result.StatusCode.value


def _children(node: ua.NodeId) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=_HIERARCHICAL,
        IncludeSubtypes=True,
        NodeClassMask=ua.UInt32(_CLASSES),
        ResultMask=ua.UInt32(ua.BrowseResultMask.All),
    )


async def start_of(browser: Browser, path: str) -> _Place:
    """The node that `path` leads to from the Objects folder: browse names, `Plant/R-201`. Raises NoSuchPath, DeviceError."""
    place = _Place(OBJECTS, ())
    steps = [step for step in path.split("/") if step]
    if steps[:1] == ["Objects"]:
        steps = steps[1:]
    for step in steps:
        references = [reference async for _, told, _ in browser.children([place.node]) for reference in told]
        named = {name_of(reference): reference for reference in references}
        if step not in named:
            there = ", ".join(list(named)[:20]) or "nothing"
            raise NoSuchPath(f"no {step!r} in {'/'.join(('Objects', *place.path))}; there is: {there}")
        place = _Place(target_of(named[step]), (*place.path, step))
    return place


async def walk(browser: Browser, start: _Place, most_depth: int, most_nodes: int, progress: Progress) -> Found:
    """Every variable below `start`, itself included. Raises DeviceError when the connection is of no more use."""
    found = Found()
    level, visited = [start], {start.node}
    for _ in range(most_depth):
        below: list[_Place] = []
        async for index, references, status in browser.children([place.node for place in level]):
            found.browsed += 1
            place = level[index]
            if status >> 31:
                found.faults.append(f"{'/'.join(place.path) or 'the start'}: {status_name(status)}")
            for reference in references:
                below += _taken(reference, place, visited, found)
            progress(found.browsed, len(level) - index - 1 + len(below), len(found.variables))
            if len(visited) > most_nodes:
                found.cut_short = f"more than {most_nodes} nodes: browse a part with --path, or allow more with --most"
                return found
        if not below:
            return found
        level = below
    found.cut_short = f"deeper than {most_depth} levels: browse a part with --path, or allow more with --depth"
    return found


def _taken(reference: ua.ReferenceDescription, place: _Place, visited: set[ua.NodeId], found: Found) -> Iterator[_Place]:
    """What is to be browsed of a reference; nothing of what is known, is elsewhere, or is the server's own."""
    node = target_of(reference)
    if getattr(reference.NodeId, "ServerIndex", 0) or node.NamespaceIndex == 0:
        is_property = reference.ReferenceTypeId == ua.NodeId(ua.Int32(ObjectIds.HasProperty))
        if not (is_property and place.variable):
            return
    if reference.ReferenceTypeId == ua.NodeId(ua.Int32(ObjectIds.HasProperty)):
        if place.variable is not None:
            place.variable.properties[name_of(reference)] = node
        return
    if node in visited:
        return
    visited.add(node)
    if reference.NodeClass == ua.NodeClass.Method:
        found.methods += 1
        return
    path = (*place.path, name_of(reference))
    variable = Variable(node, path) if reference.NodeClass == ua.NodeClass.Variable else None
    if variable is not None:
        found.variables.append(variable)
    yield _Place(node, path, variable)


def name_of(reference: ua.ReferenceDescription) -> str:
    """Its browse name, without namespace."""
    return str(reference.BrowseName.Name or reference.DisplayName.Text or "") if reference.BrowseName else ""


def target_of(reference: ua.ReferenceDescription) -> ua.NodeId:
    """The node it leads to."""
    node = reference.NodeId
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
