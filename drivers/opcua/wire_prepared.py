"""A Read that is sent again and again: encoded once, and sent by a shorter way than asyncua's.

`UASocketProtocol.send_request` encodes the request anew each time, and wraps its waiting into another task. Here everything
behind the header is bytes, and one timer holds the deadlines of all requests. What this touches of asyncua's inside is pinned
to asyncua 2.1 in tests/unit/drivers/test_opcua_wire.py:

- `protocol._request_id`, `_request_handle`, `_callbackmap`: as its own `_send_request` keeps them;
- `protocol._connection`, which makes a message of a body: chunked, signed, encrypted.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from asyncua import ua
from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import nodeid_to_binary, struct_to_binary

from drivers.deadlines import Deadlines
from drivers.opcua.wire_plain import packed


def _type_of(encoding: int) -> bytes:
    return nodeid_to_binary(ua.FourByteNodeId(ua.Int32(encoding)))


_TYPE = _type_of(ObjectIds.ReadRequest_Encoding_DefaultBinary)
_ANSWER_TYPE = _type_of(ObjectIds.ReadResponse_Encoding_DefaultBinary)
_BEHIND_NODE_BYTES = 14
"""Attribute, no index range, no data encoding."""
_COUNT = struct.Struct("<i")
_HEADER = struct.Struct("<qIIiIHB")
"""After the token: time, handle, no diagnostics, no audit entry, timeout in ms, no additional header."""


class Prepared(Protocol):
    """A request that is made of bytes."""

    answer_type: bytes
    """With what the body of its answer begins."""

    def encoded(self, token: ua.NodeId, at: datetime, handle: int, timeout_s: float) -> bytes:
        """The body of the request: `token` is the session's, `at` the time of sending."""


class PreparedRead:
    """A ReadRequest for one attribute of these nodes, with the stamps of their sources."""

    answer_type = _ANSWER_TYPE

    def __init__(self, nodes: Sequence[ua.NodeId], attribute: int = AttributeIds.Value) -> None:
        parameters = ua.ReadParameters(
            MaxAge=ua.Double(0),
            TimestampsToReturn=ua.TimestampsToReturn.Source,  # asyncua misreads picoseconds where there are both stamps
            NodesToRead=[],
        )
        # The list, which comes last, is made of what asyncua makes of one node: thousands of them it takes 20 us each.
        anything = ua.NodeId()
        one = struct_to_binary(ua.ReadValueId(NodeId=anything, AttributeId=ua.UInt32(attribute)))
        behind = one[len(nodeid_to_binary(anything)) :]
        before = struct_to_binary(parameters)[: -_COUNT.size] + _COUNT.pack(len(nodes))
        self._parameters = b"".join([before, *(nodeid_to_binary(node) + behind for node in nodes)])
        self._token: ua.NodeId | None = None
        self._before_header = b""

    @staticmethod
    def bytes_of(node: ua.NodeId) -> int:
        """What a node takes in a request."""
        return len(nodeid_to_binary(node)) + _BEHIND_NODE_BYTES

    def encoded(self, token: ua.NodeId, at: datetime, handle: int, timeout_s: float) -> bytes:
        """The body of the request: `token` is the session's, `at` the time of sending."""
        if token is not self._token:
            self._token, self._before_header = token, _TYPE + nodeid_to_binary(token)
        header = _HEADER.pack(ua.datetime_to_win_epoch(at), handle, 0, -1, int(timeout_s * 1000), 0, 0)
        return b"".join((self._before_header, header, self._parameters))


class PreparedPublish:
    """A PublishRequest that acknowledges `received`: (subscription, sequence number) of messages."""

    answer_type = _type_of(ObjectIds.PublishResponse_Encoding_DefaultBinary)
    _type = _type_of(ObjectIds.PublishRequest_Encoding_DefaultBinary)

    def __init__(self, received: Sequence[tuple[int, int]]) -> None:
        self._parameters = struct.pack(
            f"<i{2 * len(received)}I", len(received), *(number for both in received for number in both)
        )

    def encoded(self, token: ua.NodeId, at: datetime, handle: int, timeout_s: float) -> bytes:
        """The body of the request."""
        header = _HEADER.pack(ua.datetime_to_win_epoch(at), handle, 0, -1, int(timeout_s * 1000), 0, 0)
        return b"".join((self._type, nodeid_to_binary(token), header, self._parameters))


async def answer_to(protocol: UASocketProtocol | None, request: Prepared, timeout_s: float, deadlines: Deadlines | None) -> bytes:
    """The body of the answer, whole and decrypted. `timeout_s` is told to the server, `deadlines` holds this side to its own.
    A Publish has none: the server answers when it has something to tell.

    Raises what `send_request` raises: TimeoutError, UaStatusCodeError for a ServiceFault, ConnectionError.
    """
    if protocol is None or protocol.transport is None:
        raise ConnectionError("it is not open")
    protocol._request_handle += 1
    number = protocol._request_id + 1
    body = request.encoded(protocol.authentication_token, datetime.now(UTC), protocol._request_handle, timeout_s)
    protocol.revolve_security_token()
    message = packed(protocol._connection, body, number)
    protocol._request_id = number
    waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    protocol._callbackmap[number] = waiting
    protocol.transport.write(message)
    if deadlines is not None:
        deadlines.watch(waiting)
        answer: Buffer = await waiting
    else:
        # The server answers it at the end of the session, when nobody waits any more: it stays to be answered.
        waiting.add_done_callback(_looked_at)
        answer = await asyncio.shield(waiting)
    answered = bytes(answer)
    if not answered.startswith(request.answer_type):
        protocol.check_answer(answer, " in response to a prepared request")
    return answered


def _looked_at(answer: asyncio.Future[Any]) -> None:
    """An error that nobody waits for is no news."""
    if not answer.cancelled():
        answer.exception()
