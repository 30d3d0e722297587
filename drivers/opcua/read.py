"""Reading: which nodes go into which request, and the scan that comes of the answers.

One request per scan group and slot, encoded once; more only where the server wants smaller ones. A request that is refused for
its size, or whose answer can't be decoded, is read in halves from then on, so that in the end one strange node stands alone and
spoils nobody else's sample. What was wrong with a tag is logged once per connection, not per scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from numpy.typing import NDArray

from drivers.base import Clock, DeviceError, Scan, ScanGroup, Status
from drivers.opcua.address import Unresolved, node_id
from drivers.opcua.answer import AnswerDecoder
from drivers.opcua.decode import ItemDecoder, no_value
from drivers.opcua.learned import TOO_LARGE, Learned, learned_of
from drivers.opcua.samples import Samples, joined
from drivers.opcua.tag_faults import TagFaults
from drivers.opcua.wire import Connection, Undecodable, read_results
from drivers.opcua.wire_prepared import PreparedRead

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

Decoded_co = TypeVar("Decoded_co", covariant=True)
Decoded = TypeVar("Decoded")


class Decoder(Protocol[Decoded_co]):
    """Decodes the answers to one request."""

    def decode(self, body: bytes, what: str) -> Decoded_co:
        """`what` tells in errors what was read. Raises Undecodable, DeviceError."""

    def refused(self, status: int) -> Decoded_co:
        """What stands for an answer of this status."""


class _Part(Generic[Decoded]):
    """Nodes that are read in one request."""

    def __init__(self, nodes: Mapping[int, ua.NodeId], attribute: int, decoder: Decoder[Decoded]) -> None:
        self.nodes, self.decoder = nodes, decoder
        self.keys = np.array(list(nodes), np.intp)
        self.request = PreparedRead(list(nodes.values()), attribute)


Parted = list[tuple[NDArray[np.intp], Decoded]]
"""Of each request the keys of its nodes, and what its answer says of them."""


class PartReader(Generic[Decoded]):
    """Reads one attribute of a fixed set of nodes, each under a key, in as few requests as the server takes."""

    def __init__(
        self,
        connection: Connection,
        doing: str,
        nodes: Mapping[int, ua.NodeId],
        nodes_per_read: int | None,
        decoder: Callable[[tuple[int, ...]], Decoder[Decoded]],
        attribute: int = AttributeIds.Value,
        learned: Learned | None = None,
    ) -> None:
        """Nodes that `learned` calls refused are not read."""
        self._connection, self._doing = connection, doing
        self._what = f"{connection.place}: {doing}"
        self._decoder, self._attribute = decoder, attribute
        self._learned = learned or Learned()
        wanted = {key: node for key, node in nodes.items() if key not in self._learned.refused}
        self._parts = [self._part(part) for part in self._divided(wanted, nodes_per_read or len(nodes))]

    def _divided(self, nodes: Mapping[int, ua.NodeId], most: int) -> Iterator[dict[int, ua.NodeId]]:
        """In as few parts as their number, their size and what was learned allow."""
        most_bytes = self._connection.bounds.message_bytes
        part: dict[int, ua.NodeId] = {}
        taken = 0
        for key, node in nodes.items():
            size = PreparedRead.bytes_of(node) if most_bytes else 0
            full = len(part) == most or (most_bytes is not None and taken + size > most_bytes)
            if part and (full or key in self._learned.cuts):
                yield part
                part, taken = {}, 0
            part[key] = node
            taken += size
        if part:
            yield part

    def _part(self, nodes: Mapping[int, ua.NodeId]) -> _Part[Decoded]:
        return _Part(nodes, self._attribute, self._decoder(tuple(nodes)))

    def _halves(self, part: _Part[Decoded]) -> Iterator[_Part[Decoded]]:
        nodes = list(part.nodes.items())
        middle = len(nodes) // 2
        self._learned.cuts.add(nodes[middle][0])
        yield self._part(dict(nodes[:middle]))
        yield self._part(dict(nodes[middle:]))

    async def read(self) -> Parted[Decoded]:
        """What is read of all nodes, in their order. Raises DeviceError when the server gives nothing."""
        told: Parted[Decoded] = []
        self._parts = [readable for part in self._parts for readable in await self._read(part, told)]
        return told

    async def _answer(self, part: _Part[Decoded]) -> bytes:
        under_way = self._connection.under_way
        under_way.nodes[part] = len(part.nodes)
        try:
            body = await self._connection.poll(part.request, self._doing)
        except DeviceError as exc:
            if exc.connection_lost and exc.status in TOO_LARGE:  # it stays there: the others that were under way are told next
                self._learned.closed(list(part.nodes), exc.status, under_way.strikes(part))
            else:
                del under_way.nodes[part]
            raise
        except BaseException:
            del under_way.nodes[part]
            raise
        del under_way.nodes[part]
        self._learned.answered(part.nodes)
        return body

    async def _read(self, part: _Part[Decoded], told: Parted[Decoded]) -> list[_Part[Decoded]]:
        """Add what is told of `part`; gives the parts in which it could be read."""
        try:
            decoded = part.decoder.decode(await self._answer(part), self._what)
        except Undecodable:
            if len(part.nodes) == 1:
                told.append((part.keys, part.decoder.refused(Status.BAD_DECODING)))
                return [part]
        except DeviceError as exc:
            if exc.connection_lost or exc.status not in SMALLER_HELPS:
                raise
            if len(part.nodes) == 1:
                if exc.status not in TOO_LARGE:
                    raise
                told.append((part.keys, part.decoder.refused(exc.status)))
                return [part]
        else:
            told.append((part.keys, decoded))
            return [part]
        return [readable for half in self._halves(part) for readable in await self._read(half, told)]


class _DataValues:
    """Decodes to asyncua's DataValues."""

    def __init__(self, keys: Sequence[int]) -> None:
        self._count = len(keys)

    def decode(self, body: bytes, what: str) -> list[ua.DataValue]:
        return read_results(Buffer(body), self._count, what)

    def refused(self, status: int) -> list[ua.DataValue]:
        return [no_value(status)] * self._count


class NodeReader:
    """Reads one attribute of a fixed set of nodes, each under a key, for those who want asyncua's DataValues."""

    def __init__(
        self,
        connection: Connection,
        doing: str,
        nodes: Mapping[int, ua.NodeId],
        nodes_per_read: int | None,
        attribute: int = AttributeIds.Value,
    ) -> None:
        self._reader = PartReader(connection, doing, nodes, nodes_per_read, _DataValues, attribute)

    async def answers(self) -> dict[int, ua.DataValue]:
        """The answer to every key. Raises DeviceError when the server gives none."""
        return {
            key: answer for keys, answers in await self._reader.read() for key, answer in zip(keys.tolist(), answers, strict=True)
        }


class GroupReader:
    """Reads one scan group over one connection."""

    def __init__(
        self, connection: Connection, group: ScanGroup, namespaces: Sequence[str], nodes_per_read: int | None, clock: Clock
    ) -> None:
        self._connection, self._group, self._clock, self._nodes_per_read = connection, group, clock, nodes_per_read
        self._faults, self._learned = TagFaults(group), learned_of(group)
        self._unresolved: Parted[Samples] = []
        self.unresolved: list[tuple[int, int]] = []
        """Columns without a node, and the status that tells why."""
        self.nodes = self._resolve(namespaces)
        """NodeIds by column, of those that could be resolved."""
        self._learned.retries(clock.monotonic_ns())
        self._divide()

    def _divide(self) -> None:
        """What is asked for, in as many requests as the server wants."""
        connection, refused, doing = self._connection, self._learned.refused, f"reading {self._group.name}"
        self._withheld = [(np.array([column]), self._decoder((column,)).refused(status)) for column, status in refused.items()]
        for column, status in refused.items():
            self._faults.tell(column, status)
        self._reader = PartReader(connection, doing, self.nodes, self._nodes_per_read, self._decoder, learned=self._learned)
        # With no node to ask for, the server itself is asked: or its restart, which may bring them, would go unseen.
        asked_for = self.nodes.keys() - refused.keys()
        self._server = None if asked_for else NodeReader(connection, doing, {0: SERVER_STATE}, None)

    def _resolve(self, namespaces: Sequence[str]) -> dict[int, ua.NodeId]:
        nodes = {}
        for column, tag in enumerate(self._group.tags):
            try:
                nodes[column] = node_id(tag.address, namespaces)
            except Unresolved as exc:
                self._unresolved.append((np.array([column]), self._decoder((column,)).refused(exc.status)))
                self.unresolved.append((column, exc.status))
                self._faults.tell(column, exc.status, reason=str(exc))
        return nodes

    def _decoder(self, columns: tuple[int, ...]) -> AnswerDecoder:
        return AnswerDecoder([self._group.layout.columns[column] for column in columns])

    async def look(self, columns: Sequence[int]) -> Samples:
        """Read some of the tags once, apart from the scans. Raises DeviceError."""
        nodes = {column: self.nodes[column] for column in columns}
        answers = await NodeReader(self._connection, f"verifying {self._group.name}", nodes, self._nodes_per_read).answers()
        decoder = ItemDecoder([self._group.layout.columns[column] for column in columns])
        return decoder.decode([answers[column] for column in columns])

    async def read(self, slot_ns: int) -> Scan:
        """The scan of `slot_ns`. Raises DeviceError."""
        if self._withheld and self._learned.retries(self._clock.monotonic_ns()):
            self._divide()
        if self._server:
            await self._server.answers()
        parts = self._unresolved + self._withheld + await self._reader.read()
        received_ns = self._clock.now_ns()
        samples = joined(self._group.layout, parts)
        scan = samples.scan(self._group.layout, slot_ns, received_ns)
        self._faults.look(scan, samples.misfits)
        return scan
