"""An OPC UA server of one configured endpoint: every tag at its NodeId, read-only, its values asked for when it is read.

The source moves once per Read request and holds still while it is answered, so the values of one answer belong
together. A value is built when it is read the first time after the source moved, and kept until it moves again.
A tag in namespace 0 is the server's own node (its clock, its status) and is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, timedelta
from itertools import count
from typing import Any, Self
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.common.callback import CallbackType
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager

from config.model import OpcUaDevice, OpcUaEndpoint
from config.tags import Kind, OpcUaTag
from simulators.listening import bracketed, listening, numeric_address
from simulators.source import BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH, Point, Reading, SimulationError, Source, Value

_TYPES = {
    Kind.REAL: ua.VariantType.Double,
    Kind.INTEGER: ua.VariantType.Int64,
    Kind.BOOLEAN: ua.VariantType.Boolean,
    Kind.TEXT: ua.VariantType.String,
}
_EMPTY: dict[Kind, Value] = {Kind.REAL: 0.0, Kind.INTEGER: 0, Kind.BOOLEAN: False, Kind.TEXT: ""}
_OWN = ua.Int16(1)
"""The server's own namespace."""
_Served = tuple[OpcUaDevice, OpcUaTag, Callable[..., ua.DataValue]]
_EPOCH = ua.DateTime(1970, 1, 1, tzinfo=UTC)


class OpcUaServer:
    """Serves `endpoint` from `source` while its context is open; `url` then has the real port."""

    def __init__(self, endpoint: OpcUaEndpoint, source: Source, host: str = "127.0.0.1", port: int = 0) -> None:
        self._endpoint, self._source = endpoint, source
        self._host, self._port = host, port
        self._values: dict[int, ua.DataValue] = {}
        self._keys = count()
        self._version = -1
        self._open = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where a client connects to."""
        return f"opc.tcp://{bracketed(self._host)}:{self._port}{urlsplit(self._endpoint.url).path}"

    async def __aenter__(self) -> Self:
        address = numeric_address(self._endpoint.name, self._host, self._port)
        served = tuple(self._served())
        server = await self._server(f"opc.tcp://{bracketed(address)}:{self._port}{urlsplit(self._endpoint.url).path}")
        await _add_tags(server, self._endpoint, served)
        server.iserver.subscribe_server_callback(CallbackType.PreRead, self._refresh)  # type: ignore[arg-type]
        with listening(self._endpoint.name, self._host, self._port):
            await self._open.enter_async_context(server)
        assert server.bserver is not None
        self._port = server.bserver.port
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._open.aclose()

    async def _server(self, url: str) -> Server:
        """Without certificates there is only the open policy, so only the tokens that it can carry are offered."""
        user_name = self._endpoint.user_name
        password = self._endpoint.password.reveal() if self._endpoint.password else None
        server = Server(user_manager=_Users(user_name, password))
        await server.init()
        server.set_endpoint(url)
        server.set_server_name(f"Reactorwatch simulator {self._endpoint.name}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.UserNameIdentityToken if user_name else ua.AnonymousIdentityToken])
        server.allow_remote_admin(False)
        await server.set_application_uri(f"urn:reactorwatch:simulator:server:{self._endpoint.name}")
        return server

    def _refresh(self, _event: object, _service: object) -> None:
        version = self._source.refresh()
        if version != self._version:
            self._version = version
            self._values.clear()

    def _served(self) -> Iterator[_Served]:
        for device in self._endpoint.devices:
            for tag in device.tags:
                yield device, tag, self._callback(tag, self._source.point(device, tag))

    def _callback(self, tag: OpcUaTag, point: Point) -> Callable[..., ua.DataValue]:
        values, key = self._values, next(self._keys)

        def read(_node_id: object, _attribute: object) -> ua.DataValue:
            value = values.get(key)
            if value is None:
                value = values[key] = data_value(tag, point())
            return value

        return read


def data_value(tag: OpcUaTag, reading: Reading) -> ua.DataValue:
    """What a server sends for a reading: raw = (value − offset) / scale, null where there is no good value."""
    value, status = _raw(tag, reading)
    variant = ua.Variant(None, ua.VariantType.Null) if value is None else ua.Variant(value, _TYPES[tag.kind])
    stamp = _EPOCH + timedelta(microseconds=reading.source_ns // 1000) if reading.source_ns else None
    return ua.DataValue(variant, ua.StatusCode(ua.UInt32(status)), stamp)


def _raw(tag: OpcUaTag, reading: Reading) -> tuple[Value | None, int]:
    value = reading.value
    if value is None or reading.bad:
        return None, reading.status
    if tag.kind is Kind.INTEGER:
        whole = int(value)
        if whole != value:
            return None, BAD_TYPE_MISMATCH
        return (whole, reading.status) if -(2**63) <= whole < 2**63 else (None, BAD_OUT_OF_RANGE)
    if tag.kind is Kind.REAL:
        number = float(value)
        unscaled = (tag.scale, tag.offset) == (1.0, 0.0)
        return number if unscaled else (number - tag.offset) / tag.scale, reading.status
    return (bool(value) if tag.kind is Kind.BOOLEAN else str(value)), reading.status


async def _add_tags(server: Server, endpoint: OpcUaEndpoint, served: Iterable[_Served]) -> None:
    """One folder per device, one variable per tag. Raises SimulationError where two tags have one NodeId."""
    indices = await _namespaces(server, endpoint)
    folders: dict[str, Node] = {}
    owners: dict[ua.NodeId, str] = {}
    for device, tag, callback in served:
        node_id = _node_id(tag.address, indices)
        if node_id.NamespaceIndex == 0:
            continue
        if node_id in owners:
            raise SimulationError(f"endpoint {endpoint.name}: {owners[node_id]} and {tag.name} have one NodeId, {tag.address}")
        owners[node_id] = tag.name
        if device.name not in folders:
            folder = ua.NodeId(ua.String(f"device:{device.name}"), _OWN)
            folders[device.name] = await server.nodes.objects.add_folder(folder, ua.QualifiedName(device.name, _OWN))
        name = ua.QualifiedName(tag.name, node_id.NamespaceIndex)
        await folders[device.name].add_variable(node_id, name, ua.Variant(_EMPTY[tag.kind], _TYPES[tag.kind]))
        server.iserver.set_attribute_value_callback(node_id, callback)


async def _namespaces(server: Server, endpoint: OpcUaEndpoint) -> dict[str, int]:
    """Index by the text before the identifier: `ns=3` is 3, so there are at least so many; URIs follow after them."""
    spaces = dict.fromkeys(_namespace(tag.address) for device in endpoint.devices for tag in device.tags)
    numbered = {space: int(space.removeprefix("ns=")) for space in spaces if space.startswith("ns=")}
    for index in range(len(await server.get_namespace_array()), max(numbered.values(), default=0) + 1):
        await server.register_namespace(f"urn:reactorwatch:simulator:namespace:{index}")
    uris = [space for space in spaces if space.startswith("nsu=")]
    return {"": 0} | numbered | {space: await server.register_namespace(space.removeprefix("nsu=")) for space in uris}


def _namespace(address: str) -> str:
    space, separator, _ = address.partition(";")
    return space if separator and space.startswith(("ns=", "nsu=")) else ""


def _node_id(address: str, indices: dict[str, int]) -> ua.NodeId:
    space = _namespace(address)
    node_id = ua.NodeId.from_string(address.removeprefix(f"{space};"))
    return ua.NodeId(node_id.Identifier, ua.Int16(indices[space]), node_id.NodeIdType)


class _Users(UserManager):
    """Lets anonymous clients in, or only the configured user; nobody may write."""

    def __init__(self, user_name: str | None, password: str | None) -> None:
        self._wanted = (user_name, password)

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        known = self._wanted[0] is None or (username, password or None) == self._wanted
        return User(role=UserRole.User, name=username) if known else None
