"""The contract with asyncua: what `drivers.opcua` uses of its insides, and that it can only read."""

from __future__ import annotations

import ast
import asyncio
import inspect
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UASocketProtocol, UASocketState
from asyncua.client.ua_session import UaSession
from asyncua.common.node import Node
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError

import drivers.opcua
from config.model import OpcUaEndpoint
from drivers.base import DeviceError
from drivers.deadlines import Deadlines
from drivers.opcua.wire import Bounds, Connection, Undecodable, read_results
from drivers.opcua.wire_prepared import Numbers, PreparedPublish, PreparedRead, answer_to, not_taken

SOURCES = sorted(Path(next(iter(drivers.opcua.__path__))).glob("*.py"))
CHANGES = ("write", "set_", "call", "add_", "delete", "import", "register", "create_sub", "history", "modify", "transfer")
PRIVATE = {
    "wire._connection",
    "wire._limits",
    "wire_prepared._request_handle",
    "wire_prepared._request_id",
    "wire_prepared._callbackmap",
    "wire_prepared._connection",
    "wire_plain._connection",
    "wire_plain._callbackmap",
    "wire_plain._call_callback",
    "wire_plain._limits",
    "wire_plain._sequence_number",
    "wire_plain._peer_sequence_number",
    "wire_plain._incoming_parts",
}
ONLY_READING = {
    "ReadRequest",
    "TranslateBrowsePathsToNodeIdsRequest",
    "BrowseRequest",
    "BrowseNextRequest",
    "CreateSubscriptionRequest",
    "CreateMonitoredItemsRequest",
    "MonitoredItemCreateRequest",
    "DeleteMonitoredItemsRequest",
    "DeleteSubscriptionsRequest",
    "RepublishRequest",
}
"""What can't change anything in a plant; a subscription is the session's own."""
READS = {"set_user", "set_password", "set_security", "set_security_string"}


def test_asyncua_is_the_pinned_minor() -> None:
    assert version("asyncua").startswith("2.1.")


def test_the_private_points_are_there() -> None:
    protocol = UASocketProtocol(timeout=1)
    assert protocol.transport is None
    assert protocol.state is UASocketState.INITIALIZED
    assert {"max_recv_buffer", "max_send_buffer", "max_message_size", "max_chunk_count"} <= set(
        vars(protocol._connection._limits)
    )
    assert list(inspect.signature(protocol.send_request).parameters) == ["request", "timeout", "message_type"]
    assert inspect.iscoroutinefunction(protocol.send_request)


class Sent:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def write(self, message: bytes) -> None:
        self.messages.append(message)


def open_protocol() -> tuple[UASocketProtocol, Sent]:
    protocol, sent = UASocketProtocol(timeout=1), Sent()
    protocol.authentication_token = ua.NodeId(ua.Guid(int=7), ua.Int16(1))
    protocol.transport = sent  # type: ignore[assignment]
    return protocol, sent


NODES = [ua.NodeId(ua.Int32(2259)), ua.NodeId(ua.String("R-201/TT µ"), ua.Int16(2))]


def read_request() -> ua.ReadRequest:
    value = ua.UInt32(AttributeIds.Value)
    nodes = [ua.ReadValueId(NodeId=node, AttributeId=value) for node in NODES]
    parameters = ua.ReadParameters(MaxAge=ua.Double(0), TimestampsToReturn=ua.TimestampsToReturn.Source, NodesToRead=nodes)
    return ua.ReadRequest(Parameters=parameters)


def since_1970_ns(stamp: datetime) -> int:
    return (stamp - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def test_a_prepared_read_has_the_bytes_that_asyncua_makes_of_the_request() -> None:
    request, header = read_request(), ua.RequestHeader()
    header.AuthenticationToken = ua.NodeId(ua.ByteString(b"token"), ua.Int16(1))
    header.Timestamp = ua.DateTime(2026, 11, 22, 10, 20, 30, 123456, tzinfo=UTC)
    header.TimeoutHint = ua.UInt32(2500)
    request.RequestHeader = header
    prepared = PreparedRead(NODES)
    for token in (header.AuthenticationToken, ua.NodeId(ua.Int32(5), ua.Int16(0))):
        header.AuthenticationToken = token
        for handle in (0x01020304, 1):
            header.RequestHandle = ua.UInt32(handle)
            assert prepared.encoded(token, since_1970_ns(header.Timestamp), handle, 2.5) == struct_to_binary(request)


async def test_and_it_is_sent_and_answered_as_asyncua_would() -> None:
    """The same message of the same request in the same state, but for the time in it; and the answer finds its way."""
    theirs, their_transport = open_protocol()
    ours, our_transport = open_protocol()
    for _ in range(2):
        request = read_request()
        their_future = theirs._send_request(request, 2.5)
        with patch("drivers.opcua.wire_prepared.time") as clock:
            clock.time_ns.return_value = since_1970_ns(request.RequestHeader.Timestamp)
            answer = asyncio.ensure_future(answer_to(ours, PreparedRead(NODES), 2.5, Deadlines(2.5)))
            await asyncio.sleep(0)
        assert our_transport.messages == their_transport.messages
        assert (ours._request_id, ours._request_handle) == (theirs._request_id, theirs._request_handle)
        assert ours._callbackmap.keys() == theirs._callbackmap.keys()
        body = struct_to_binary(ua.ReadResponse())
        for protocol in (ours, theirs):
            protocol._call_callback(protocol._request_id, Buffer(body))
        assert await answer == body == bytes(await their_future)


async def test_a_fault_instead_of_an_answer_is_raised() -> None:
    protocol, _ = open_protocol()
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(StatusCodes.BadTooManyOperations))
    asking = asyncio.ensure_future(answer_to(protocol, PreparedRead(NODES), 1, Deadlines(1)))
    await asyncio.sleep(0)
    protocol._call_callback(protocol._request_id, Buffer(struct_to_binary(fault)))
    with pytest.raises(UaStatusCodeError) as error:
        await asking
    assert error.value.code == StatusCodes.BadTooManyOperations


async def test_a_lost_connection_ends_the_waiting_and_a_closed_one_takes_nothing() -> None:
    protocol, _ = open_protocol()
    asking = asyncio.ensure_future(answer_to(protocol, PreparedRead(NODES), 1, Deadlines(1)))
    await asyncio.sleep(0)
    protocol.connection_lost(None)
    with pytest.raises(ConnectionError):
        await asking
    with pytest.raises(ConnectionError, match="not open"):
        await answer_to(protocol, PreparedRead(NODES), 1, Deadlines(1))


class Taker:
    """Takes messages whose body ends in a full stop."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, body: bytes) -> Numbers | None:
        self.seen.append(body)
        if body.endswith(b"!"):
            raise ZeroDivisionError
        return ((7, len(self.seen)),) if body.endswith(b".") else None


def acknowledged(message: bytes) -> list[tuple[int, int]]:
    """By a PublishRequest, as asyncua reads it."""
    request = struct_from_binary(ua.PublishRequest, Buffer(message[24:]))
    return [(each.SubscriptionId, each.SequenceNumber) for each in request.Parameters.SubscriptionAcknowledgements]


async def publishing(protocol: UASocketProtocol, received: Numbers = ()) -> tuple[asyncio.Task[bytes], Taker]:
    take = Taker()
    waiting = asyncio.create_task(not_taken(protocol, received, take))
    await asyncio.sleep(0)
    return waiting, take


def publish_answer(end: bytes) -> Buffer:
    return Buffer(PreparedPublish.answer_type + end)


async def test_messages_that_are_taken_are_acknowledged_at_once_and_the_first_other_one_is_given() -> None:
    protocol, sent = open_protocol()
    waiting, take = await publishing(protocol, [(5, 6), (5, 7)])
    for number in (1, 2):
        protocol._call_callback(number, publish_answer(b"."))
        assert len(sent.messages) == number + 1, "the next is asked for in the same turn"
    assert [acknowledged(message) for message in sent.messages] == [[(5, 6), (5, 7)], [(7, 1)], [(7, 2)]]
    assert not waiting.done()
    protocol._call_callback(3, publish_answer(b"?"))
    assert await waiting == take.seen[-1] == PreparedPublish.answer_type + b"?"
    assert (len(take.seen), len(sent.messages), protocol._callbackmap) == (3, 3, {})


async def test_a_fault_or_a_lost_connection_or_a_defect_ends_the_waiting_for_messages() -> None:
    protocol, sent = open_protocol()
    waiting, take = await publishing(protocol)
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(StatusCodes.BadNoSubscription))
    protocol._call_callback(1, Buffer(struct_to_binary(fault)))
    with pytest.raises(UaStatusCodeError):
        await waiting
    waiting, _ = await publishing(protocol)
    protocol._call_callback(2, publish_answer(b"!"))
    with pytest.raises(ZeroDivisionError):
        await waiting
    waiting, _ = await publishing(protocol)
    protocol.connection_lost(None)
    with pytest.raises(ConnectionError):
        await waiting
    with pytest.raises(ConnectionError, match="not open"):
        await not_taken(protocol, (), take)
    assert (take.seen, len(sent.messages)) == ([], 3)


async def test_what_comes_when_nobody_waits_for_messages_any_more_is_left_alone() -> None:
    protocol, sent = open_protocol()
    waiting, take = await publishing(protocol)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    protocol._call_callback(1, publish_answer(b"."))
    assert (take.seen, len(sent.messages)) == ([], 1)


async def test_a_client_that_did_not_connect_has_no_task_and_no_protocol() -> None:
    client = Client("opc.tcp://127.0.0.1:4840")
    assert client.uaclient.protocol is None
    assert client.security_policy.URI.endswith("#None")


def test_only_wire_touches_what_is_private() -> None:
    """`_name` of another object, other than of `self` or `cls`."""
    for source in SOURCES:
        foreign = {
            f"{source.stem}.{node.attr}"
            for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
            and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        }
        assert foreign <= PRIVATE, foreign


def is_the_sockets_write(node: ast.Attribute) -> bool:
    """`protocol.transport.write`: what it sends there is a Read, as the tests of its bytes show."""
    return node.attr == "write" and isinstance(node.value, ast.Attribute) and node.value.attr == "transport"


def test_nothing_here_can_change_a_controller() -> None:
    """No name of a service or method of asyncua that writes, calls, adds or deletes is used anywhere in the driver."""
    services = {
        name
        for holder in (Client, Node, UaSession)
        for name in dir(holder)
        if not name.startswith("_") and name.startswith(CHANGES) and name not in READS
    }
    assert {"write", "write_value", "set_value", "call", "call_method", "add_nodes", "delete_nodes", "set_writable"} <= services
    for source in SOURCES:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and not (source.stem == "wire_prepared" and is_the_sockets_write(node))
        }
        assert not used & services, source.name
        requests = {name for name in used if name.endswith("Request")}
        assert requests <= ONLY_READING, source.name


def test_and_that_check_would_see_it() -> None:
    tree = ast.parse("async def f(client): await client.get_node('i=1').write_value(1)")
    assert "write_value" in {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def body_of(response: object) -> Buffer:
    return Buffer(struct_to_binary(response))


def test_results_of_a_read() -> None:
    response = ua.ReadResponse()
    response.Results = [ua.DataValue(ua.Variant(1.5, ua.VariantType.Double))]
    (answer,) = read_results(body_of(response), 1, "a read")
    assert answer.Value is not None
    assert answer.Value.Value == 1.5
    with pytest.raises(DeviceError, match="a read: 1 results for 2 nodes"):
        read_results(body_of(response), 2, "a read")
    with pytest.raises(Undecodable, match="3 bytes are left over"):
        read_results(Buffer(struct_to_binary(response) + bytes(3)), 1, "a read")
    with pytest.raises(Undecodable):
        read_results(Buffer(struct_to_binary(response)[:-9]), 1, "a read")


def test_an_answer_of_another_kind_or_a_bad_one() -> None:
    with pytest.raises(DeviceError, match="the answer is of another kind"):
        read_results(body_of(ua.WriteResponse()), 0, "a read")
    response = ua.ReadResponse()
    response.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(StatusCodes.BadSessionClosed))
    with pytest.raises(DeviceError, match="BadSessionClosed") as error:
        read_results(body_of(response), 1, "a read")
    assert error.value.status == StatusCodes.BadSessionClosed


async def test_the_servers_limits_are_taken_the_right_way_round() -> None:
    """asyncua 2.1 swaps them, and bounds answers by what the server takes as a request; if this fails it was mended."""
    acknowledge = ua.Acknowledge()
    acknowledge.ReceiveBufferSize, acknowledge.SendBufferSize = ua.UInt32(8192), ua.UInt32(65000)
    acknowledge.MaxMessageSize, acknowledge.MaxChunkCount = ua.UInt32(10_000), ua.UInt32(2)
    device = {"unit": "R", "tags": {"T": {"address": "i=1"}}}
    endpoint = OpcUaEndpoint.model_validate({"name": "e", "url": "opc.tcp://plc/path", "devices": {"d": device}})
    connection = Connection.to(endpoint)
    protocol = connection.client.uaclient._make_protocol()
    limits = protocol._connection._limits
    limits.update_client_limits(acknowledge)
    assert (limits.max_recv_buffer, limits.max_send_buffer) == (8192, 65000)
    connection._keep_limits(acknowledge)
    assert (limits.max_recv_buffer, limits.max_send_buffer) == (65000, 8192)
    assert (limits.max_message_size, limits.max_chunk_count) == (0, 0)
    assert connection.bounds.message_bytes == 9_500 - 512
    acknowledge.MaxMessageSize = ua.UInt32(0)
    assert Bounds.of(acknowledge).message_bytes == int(2 * 8192 * 0.95) - 512
    acknowledge.MaxChunkCount = ua.UInt32(0)
    assert Bounds.of(acknowledge).message_bytes is None
    assert connection.place == "e (opc.tcp://plc/path)"


def test_a_server_that_tells_no_lifetimes_is_taken_to_grant_those_asked_for() -> None:
    """With 0 the token was renewed, and the server asked how it is, twenty times a second."""
    device = {"unit": "R", "tags": {"T": {"address": "i=1"}}}
    endpoint = OpcUaEndpoint.model_validate({"name": "e", "url": "opc.tcp://plc/path", "devices": {"d": device}})
    connection = Connection.to(endpoint)
    asked = (connection.token_life_s, connection.session_timeout_s)
    connection.client.secure_channel_timeout = connection.client.session_timeout = 0
    assert (connection.token_life_s, connection.session_timeout_s) == asked
    connection.client.secure_channel_timeout = connection.client.session_timeout = 5_000
    assert (connection.token_life_s, connection.session_timeout_s) == (5.0, 5.0)
