"""Requests that are sent again and again, Read and Publish: encoded once, and sent by a shorter way than asyncua's.

`UASocketProtocol.send_request` encodes the request anew each time, and wraps its waiting into another task. Here everything
behind the header is bytes, and one timer holds the deadlines of all requests. A message of a subscription is taken where it
is unpacked, and the next one asked for there: to wake a task for it costs more than to decode a hundred values. What this touches
of asyncua's inside is pinned to asyncua 2.1 in tests/unit/drivers/test_opcua_wire.py:

- `protocol._request_id`, `_request_handle`, `_callbackmap`: as its own `_send_request` keeps them, which has futures in the map;
- `protocol._connection`, which makes a message of a body: chunked, signed, encrypted.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Sequence
from typing import Protocol

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


_BEHIND_NODE_BYTES = 14
"""Attribute, no index range, no data encoding."""
_COUNT = struct.Struct("<i")
_HEADER = struct.Struct("<qIIiIHB")
"""After the token: time, handle, no diagnostics, no audit entry, timeout in ms, no additional header."""
_EPOCH_TICKS = 116_444_736_000_000_000
"""Tenths of a microsecond from 1601 to 1970."""

Numbers = Sequence[tuple[int, int]]
"""Messages: their subscriptions and sequence numbers."""
Take = Callable[[bytes], Numbers | None]
"""Takes the body of a Publish answer, and gives what is to be acknowledged; None where it leaves it as it is."""


class Prepared(Protocol):
    """A request that is made of bytes."""

    answer_type: bytes
    """With what the body of its answer begins."""

    def encoded(self, token: ua.NodeId, at_ns: int, handle: int, timeout_s: float) -> bytes:
        """The body of the request: `token` is the session's, `at_ns` the time of sending, since 1970."""


class Waiting(Protocol):
    """What asyncua answers, as it does a future."""

    def done(self) -> bool:
        """Whether it waits no more."""

    def set_result(self, answer: Buffer, /) -> None:
        """Here is the body."""

    def set_exception(self, exception: BaseException, /) -> None:
        """There will be none."""


class _Beginning:
    """Of a request: its type and the session's token, which hardly ever changes."""

    def __init__(self, encoding: int) -> None:
        self._type, self._bytes = _type_of(encoding), b""
        self._token: ua.NodeId | None = None

    def before(self, token: ua.NodeId, at_ns: int, handle: int, timeout_s: float) -> bytes:
        """All that comes before the parameters."""
        if token is not self._token:
            self._token, self._bytes = token, self._type + nodeid_to_binary(token)
        return self._bytes + _HEADER.pack(at_ns // 100 + _EPOCH_TICKS, handle, 0, -1, int(timeout_s * 1000), 0, 0)


class PreparedRead:
    """A ReadRequest for one attribute of these nodes, with the stamps of their sources."""

    answer_type = _type_of(ObjectIds.ReadResponse_Encoding_DefaultBinary)

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
        self._beginning = _Beginning(ObjectIds.ReadRequest_Encoding_DefaultBinary)

    @staticmethod
    def bytes_of(node: ua.NodeId) -> int:
        """What a node takes in a request."""
        return len(nodeid_to_binary(node)) + _BEHIND_NODE_BYTES

    def encoded(self, token: ua.NodeId, at_ns: int, handle: int, timeout_s: float) -> bytes:
        """The body of the request: `token` is the session's, `at_ns` the time of sending, since 1970."""
        return self._beginning.before(token, at_ns, handle, timeout_s) + self._parameters


class PreparedPublish:
    """A PublishRequest that acknowledges `received`."""

    answer_type = _type_of(ObjectIds.PublishResponse_Encoding_DefaultBinary)

    def __init__(self) -> None:
        self.received: Numbers = ()
        self._beginning = _Beginning(ObjectIds.PublishRequest_Encoding_DefaultBinary)

    def encoded(self, token: ua.NodeId, at_ns: int, handle: int, timeout_s: float) -> bytes:
        """The body of the request."""
        count = len(self.received)
        acknowledged = struct.pack(f"<i{2 * count}I", count, *(number for both in self.received for number in both))
        return self._beginning.before(token, at_ns, handle, timeout_s) + acknowledged


def _send(protocol: UASocketProtocol | None, request: Prepared, timeout_s: float, waiting: Waiting) -> None:
    """Send it, to be answered to `waiting`. Raises ConnectionError, and what packing raises."""
    if protocol is None or protocol.transport is None:
        raise ConnectionError("it is not open")
    protocol._request_handle += 1
    number = protocol._request_id + 1
    body = request.encoded(protocol.authentication_token, time.time_ns(), protocol._request_handle, timeout_s)
    protocol.revolve_security_token()
    message = packed(protocol._connection, body, number)
    protocol._request_id = number
    protocol._callbackmap[number] = waiting  # type: ignore[assignment]  # asked for no more than Waiting has
    protocol.transport.write(message)


def _checked(protocol: UASocketProtocol, request: Prepared, answer: bytes) -> bytes:
    if not answer.startswith(request.answer_type):
        protocol.check_answer(Buffer(answer), " in response to a prepared request")
    return answer


async def answer_to(protocol: UASocketProtocol | None, request: PreparedRead, timeout_s: float, deadlines: Deadlines) -> bytes:
    """The body of the answer, whole and decrypted. `timeout_s` is told to the server, `deadlines` holds this side to its own.

    Raises what `send_request` raises: TimeoutError, UaStatusCodeError for a ServiceFault, ConnectionError.
    """
    waiting: asyncio.Future[Buffer] = asyncio.get_running_loop().create_future()
    _send(protocol, request, timeout_s, waiting)
    assert protocol is not None
    deadlines.watch(waiting)
    return _checked(protocol, request, bytes(await waiting))


async def not_taken(protocol: UASocketProtocol | None, received: Numbers, take: Take) -> bytes:
    """Ask for messages, and at once for the next as `take` takes one: the body of the first answer that it does not take.

    There is no deadline: the server answers when it has something to tell. Raises what `answer_to` raises, but TimeoutError.
    """
    publishing = _Publishing(protocol, take)
    publishing.ask(received)
    assert protocol is not None
    return _checked(protocol, publishing.request, await publishing.left)


class _Publishing:
    """A Publish request, and those that follow it: answered where the message is unpacked, without a turn of the event loop.

    The server answers the last of them at the end of the session, when nobody waits any more.
    """

    def __init__(self, protocol: UASocketProtocol | None, take: Take) -> None:
        self.request = PreparedPublish()
        self.left: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._protocol, self._take = protocol, take

    def ask(self, received: Numbers) -> None:
        """Send it."""
        self.request.received = received
        _send(self._protocol, self.request, 0, self)

    def done(self) -> bool:
        return self.left.done()

    def set_exception(self, exception: BaseException, /) -> None:
        self.left.set_exception(exception)

    def set_result(self, answer: Buffer, /) -> None:
        if self.left.done():
            return
        body = bytes(answer)
        try:
            received = self._take(body) if body.startswith(self.request.answer_type) else None
            if received is None:
                self.left.set_result(body)
            else:
                self.ask(received)
        except Exception as exc:  # noqa: BLE001  told to who waits, who is not asyncua
            self.left.set_exception(exc)
