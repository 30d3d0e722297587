"""Reading: which nodes go into which request, and the scan that comes of the answers.

One request per scan group and slot; more only where the server wants smaller ones. A request that is refused for its size,
or whose answer can't be decoded, is read in halves from then on, so that in the end one strange node stands alone and spoils
nobody else's sample. What was wrong with a tag is logged once per connection, not per scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from drivers.base import Clock, DeviceError, Scan, ScanGroup, Status
from drivers.opcua.address import Unresolved, node_id
from drivers.opcua.decode import GroupDecoder
from drivers.opcua.tag_faults import TagFaults
from drivers.opcua.wire import Connection, Undecodable, read_results

SERVER_STATE = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_State))

SMALLER_HELPS = frozenset(
    {
        StatusCodes.BadTooManyOperations,
        StatusCodes.BadRequestTooLarge,
        StatusCodes.BadResponseTooLarge,
        StatusCodes.BadEncodingLimitsExceeded,
    }
)
"""Refusals after which fewer nodes in a request may do."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Nodes that are read in one request, built once."""

    keys: tuple[int, ...]
    request: ua.ReadRequest

    @classmethod
    def of(cls, nodes: Sequence[tuple[int, ua.ReadValueId]]) -> _Part:
        parameters = ua.ReadParameters(
            MaxAge=ua.Double(0),
            TimestampsToReturn=ua.TimestampsToReturn.Source,  # asyncua misreads picoseconds where there are both stamps
            NodesToRead=[node for _, node in nodes],
        )
        return cls(tuple(key for key, _ in nodes), ua.ReadRequest(Parameters=parameters))

    def halves(self) -> Iterator[_Part]:
        nodes = list(zip(self.keys, self.request.Parameters.NodesToRead, strict=True))
        middle = len(nodes) // 2
        yield _Part.of(nodes[:middle])
        yield _Part.of(nodes[middle:])


class NodeReader:
    """Reads one attribute of a fixed set of nodes, each under a key, in as few requests as the server takes."""

    def __init__(
        self,
        connection: Connection,
        doing: str,
        nodes: Mapping[int, ua.NodeId],
        nodes_per_read: int | None,
        attribute: int = AttributeIds.Value,
    ) -> None:
        self._connection = connection
        self._doing = doing
        self._parts = list(_parts(nodes, nodes_per_read or max(1, len(nodes)), ua.UInt32(attribute)))

    async def answers(self) -> dict[int, ua.DataValue]:
        """The answer to every key. Raises DeviceError when the server gives none."""
        answers: dict[int, ua.DataValue] = {}
        self._parts = [readable for part in self._parts for readable in await self._read(part, answers)]
        return answers

    async def _read(self, part: _Part, answers: dict[int, ua.DataValue]) -> list[_Part]:
        """Add the answers to `part`; gives the parts in which it could be read."""
        try:
            results = await self._ask(part)
        except Undecodable:
            if len(part.keys) == 1:
                answers[part.keys[0]] = _no_value(Status.BAD_DECODING)
                return [part]
        except DeviceError as exc:
            if len(part.keys) == 1 or exc.status not in SMALLER_HELPS:
                raise
        else:
            answers.update(zip(part.keys, results, strict=True))
            return [part]
        return [readable for half in part.halves() for readable in await self._read(half, answers)]

    async def _ask(self, part: _Part) -> list[ua.DataValue]:
        connection = self._connection
        body = await connection.ask(part.request, self._doing)
        return read_results(body, len(part.keys), f"{connection.place}: {self._doing}")


def _parts(nodes: Mapping[int, ua.NodeId], size: int, attribute: ua.UInt32) -> Iterator[_Part]:
    pending = iter([(key, ua.ReadValueId(NodeId=node, AttributeId=attribute)) for key, node in nodes.items()])
    while chunk := list(islice(pending, size)):
        yield _Part.of(chunk)


class GroupReader:
    """Reads one scan group over one connection."""

    def __init__(
        self, connection: Connection, group: ScanGroup, namespaces: Sequence[str], nodes_per_read: int | None, clock: Clock
    ) -> None:
        self._group = group
        self._clock = clock
        self._decoder = GroupDecoder(group.layout)
        self._faults = TagFaults(group)
        self._unresolved: dict[int, ua.DataValue] = {}
        self.nodes = self._resolve(namespaces)
        """NodeIds by column, of those that could be resolved."""
        # With no node to ask for, the server itself is asked: or its restart, which may bring them, would go unseen.
        self._reader = NodeReader(connection, f"reading {group.name}", self.nodes or {-1: SERVER_STATE}, nodes_per_read)

    def _resolve(self, namespaces: Sequence[str]) -> dict[int, ua.NodeId]:
        nodes = {}
        for column, tag in enumerate(self._group.tags):
            try:
                nodes[column] = node_id(tag.address, namespaces)
            except Unresolved as exc:
                self._unresolved[column] = _no_value(exc.status)
                self._faults.tell(column, exc.status, reason=str(exc))
        return nodes

    async def read(self, slot_ns: int) -> Scan:
        """The scan of `slot_ns`. Raises DeviceError."""
        answers = self._unresolved | await self._reader.answers()
        received_ns = self._clock.now_ns()
        in_order = [answers[column] for column in range(len(self._group.tags))]
        scan, misfits = self._decoder.decode(in_order, slot_ns, received_ns)
        self._faults.look(scan, misfits)
        return scan


def _no_value(status: int) -> ua.DataValue:
    return ua.DataValue(ua.Variant(), ua.StatusCode(ua.UInt32(status)))
