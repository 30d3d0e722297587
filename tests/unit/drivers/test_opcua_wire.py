"""The contract with asyncua: what `drivers.opcua` uses of its insides, and that it can only read."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UASocketProtocol, UASocketState
from asyncua.client.ua_session import UaSession
from asyncua.common.node import Node
from asyncua.common.utils import Buffer
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary

import drivers.opcua
from config.model import OpcUaEndpoint
from drivers.base import DeviceError
from drivers.opcua.wire import Connection, Undecodable, read_results

SOURCES = sorted(Path(next(iter(drivers.opcua.__path__))).glob("*.py"))
CHANGES = ("write", "set_", "call", "add_", "delete", "import", "register", "create_sub", "history", "modify", "transfer")
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
        assert foreign <= {"wire._connection", "wire._limits"}, foreign


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
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not used & services, source.name
        requests = {name for name in used if name.endswith("Request")}
        assert requests <= {"ReadRequest", "TranslateBrowsePathsToNodeIdsRequest"}, source.name


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
    assert connection.place == "e (opc.tcp://plc/path)"
