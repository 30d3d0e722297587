"""The walk over an address space, against servers made of a graph: any graph, any limits, any number of references an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import DeviceError
from drivers.opcua.browse import MOST_EMPTY, OBJECTS, Browser, Found, NoSuchPath, start_of, walk
from drivers.opcua.wire import Bounds, Connection

Graph = dict[int, list[int]]
"""Children by number; 0 is the Objects folder, odd numbers are variables."""


def node(number: int) -> ua.NodeId:
    return ua.NodeId(ua.Int32(number), ua.Int16(2)) if number else OBJECTS


class GraphServer:
    """Answers as a server does, with its limits; stands in for a Connection."""

    bounds = Bounds()

    place = "graph"

    def __init__(self, graph: Graph, most_nodes: int = 1000, most_references: int = 1000) -> None:
        self.graph, self.most_nodes, self.most_references = graph, most_nodes, most_references
        self.held: dict[bytes, list[ua.ReferenceDescription]] = {}
        self.requests = 0

    async def ask(self, request: Any, doing: str) -> Buffer:
        self.requests += 1
        if isinstance(request, ua.BrowseRequest):
            asked = request.Parameters.NodesToBrowse
            if len(asked) > self.most_nodes:
                raise DeviceError(doing, status=StatusCodes.BadTooManyOperations, connection_lost=False)
            results = [self._result(list(self._references(each.NodeId))) for each in asked]
            return Buffer(struct_to_binary(ua.BrowseResponse(Results=results)))
        if request.Parameters.ReleaseContinuationPoints:  # part 4, 5.8.3: let go of, and nothing more is told
            results = [ua.BrowseResult() for point in request.Parameters.ContinuationPoints if self.held.pop(bytes(point))]
        else:
            results = [self._result(self.held.pop(bytes(point))) for point in request.Parameters.ContinuationPoints]
        on = ua.BrowseResponse(Results=results)
        on.TypeId = ua.FourByteNodeId(ua.Int32(ObjectIds.BrowseNextResponse_Encoding_DefaultBinary))
        return Buffer(struct_to_binary(on))

    def _result(self, references: list[ua.ReferenceDescription]) -> ua.BrowseResult:
        result = ua.BrowseResult(References=references[: self.most_references])
        if rest := references[self.most_references :]:
            result.ContinuationPoint = ua.ByteString(b"%d" % self.requests + b"-%d" % len(self.held))
            self.held[bytes(result.ContinuationPoint)] = rest
        return result

    def _references(self, parent: ua.NodeId) -> Iterator[ua.ReferenceDescription]:
        for child in self.graph.get(int(cast(int, parent.Identifier)) if parent != OBJECTS else 0, ()):
            yield ua.ReferenceDescription(
                ReferenceTypeId=ua.NodeId(ua.Int32(ObjectIds.Organizes)),
                IsForward=True,
                NodeId=ua.ExpandedNodeId(node(child).Identifier, ua.Int16(2 if child else 0)),
                BrowseName=ua.QualifiedName(f"n{child}", ua.UInt16(2)),
                DisplayName=ua.LocalizedText(f"n{child}"),
                NodeClass=ua.NodeClass.Variable if child % 2 else ua.NodeClass.Object,
                TypeDefinition=ua.ExpandedNodeId(ua.Int32(63)),
            )


async def walked(server: GraphServer, depth: int = 50, most: int = 10_000) -> Found:
    browser = Browser(cast(Connection, server))
    return await walk(browser, await start_of(browser, ""), depth, most, lambda *_: None)


def reachable(graph: Graph) -> set[int]:
    seen, waiting = {0}, [0]
    while waiting:
        for child in graph.get(waiting.pop(), ()):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
    return seen


numbers = st.integers(0, 40)


@given(st.dictionaries(numbers, st.lists(numbers, max_size=12), max_size=40), st.integers(1, 9), st.integers(1, 5))
async def test_every_variable_of_any_graph_is_found_once(graph: Graph, most_nodes: int, most_references: int) -> None:
    server = GraphServer(graph, most_nodes, most_references)
    found = await walked(server)
    assert sorted(int(cast(int, each.node.Identifier)) for each in found.variables) == sorted(
        number for number in reachable(graph) if number % 2
    )
    assert not found.cut_short and not server.held, "no continuation point is left with the server"


class Hesitant(GraphServer):
    """Answers with nothing, and promises more, a few times before it gives what is left."""

    def __init__(self, graph: Graph, times: int) -> None:
        super().__init__(graph, most_references=1)
        self._times = times

    def _result(self, references: list[ua.ReferenceDescription]) -> ua.BrowseResult:
        if not self.held and self._times and len(references) == 1:
            self._times -= 1
            self.held[b"more"] = references
            return ua.BrowseResult(ContinuationPoint=ua.ByteString(b"more"))
        return super()._result(references)


async def test_a_server_that_promises_more_and_gives_nothing_is_asked_on_and_not_for_ever() -> None:
    graph = {0: [1, 3, 5]}
    found = await walked(Hesitant(graph, MOST_EMPTY - 1))
    assert len(found.variables) == 3 and not found.faults
    found = await walked(Hesitant(graph, 1000))
    assert len(found.variables) == 2
    assert found.faults == ["the start: BadContinuationPointInvalid"]


async def test_a_walk_that_is_cut_short_says_by_what() -> None:
    chain = {number: [number + 1] for number in range(30)}
    assert "deeper than 5 levels" in (await walked(GraphServer(chain), depth=5)).cut_short
    assert "more than 7 nodes" in (await walked(GraphServer(chain), most=7)).cut_short


async def test_a_path_that_leads_nowhere_tells_what_is_there() -> None:
    browser = Browser(cast(Connection, GraphServer({0: [2, 4], 2: [6]})))
    assert (await start_of(browser, "Objects/n2/n6")).node == node(6)
    with pytest.raises(NoSuchPath, match="no 'n9' in Objects/n2; there is: n6"):
        await start_of(browser, "n2/n9")
