"""An OPC UA server of one configured endpoint: every tag at its NodeId, read-only, its values asked for when it is read.

The source moves once per request and holds still while it is answered, so the values of one answer belong together.

    space    the tree around the tags       answers    Read, prepared
    access   policies, users, certificates  monitored  subscriptions
    upsets   what it can be made to refuse  requests   the only touch of asyncua's inside
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from config.model import OpcUaEndpoint
from simulators.listening import bracketed, listening, numeric_address
from simulators.opcua.access import Security, Users, policies, tokens
from simulators.opcua.answers import Attributes, Plans
from simulators.opcua.certificates import Trust, identity
from simulators.opcua.identity import PRODUCT_URI, OperationLimits, introduce
from simulators.opcua.monitored import Monitored
from simulators.opcua.nodes import STRUCTURE_URI, Namespaces, namespaces
from simulators.opcua.requests import HookedServer
from simulators.opcua.space import Space
from simulators.opcua.standard import SharedServer
from simulators.opcua.upsets import Limits
from simulators.opcua.values import Variable
from simulators.opcua.writing import Writer
from simulators.source import SimulationError, Source
from simulators.upset import End, Upset

_log = logging.getLogger(__name__)
_MOVES = (ObjectIds.ReadRequest_Encoding_DefaultBinary, ObjectIds.CreateMonitoredItemsRequest_Encoding_DefaultBinary)
"""Requests that look at values."""


class OpcUaServer:
    """Serves `endpoint` from `source` while its context is open; `url` then has the real port.

    `advertised`: host and port that clients are told to connect to, where a relay stands between.
    `keys`: folder of its key and certificate, made when they are not there; default: a private one, gone at the end.
    `trusted`: folder of the certificates that may connect; None accepts any certificate.
    `lean`: no properties around the tags, for farms.
    Raises SimulationError where it cannot listen, or cannot serve a tag.
    """

    def __init__(
        self, endpoint: OpcUaEndpoint, source: Source, host: str = "127.0.0.1", port: int = 0, *,
        advertised: tuple[str, int] | None = None, security: Security = "none", keys: Path | None = None,
        trusted: Path | None = None, limits: OperationLimits | None = None, lean: bool = False,
    ) -> None:  # fmt: skip
        self._endpoint, self._source = endpoint, source
        self._host, self._port, self._advertised = host, port, advertised
        self._security, self._keys, self._trust = security, keys, Trust(trusted)
        self._lean = lean
        self._operation_limits = limits or OperationLimits()
        self._limits = Limits(self._operation_limits)
        self._application_uri = f"urn:reactorwatch:simulator:server:{endpoint.name}"
        self._plans = Plans({})
        self._server: HookedServer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._url(self._host, self._port)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def sessions(self) -> int:
        """How many sessions it holds now."""
        return self._server.sessions if self._server else 0

    async def __aenter__(self) -> Self:
        address = numeric_address(self._endpoint.name, self._host, self._port)
        async with AsyncExitStack() as stack:
            server = await self._made(stack, address)
            spaces = namespaces(self._endpoint, self._application_uri)
            variables = self._variables(spaces)
            await self._furnish(server, spaces, variables)
            with listening(self._endpoint.name, self._host, self._port):
                await stack.enter_async_context(server)
            stack.push_async_callback(self._ended)
            monitored = Monitored(server.iserver, variables, self._source.refresh)
            self._begin(monitored.run(), f"subscriptions of {self._endpoint.name}")
            self._open = stack.pop_all()
        assert server.bserver is not None
        self._server, self._port = server, server.bserver.port
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._server = None
        await self._open.aclose()

    def disturb(self, upset: Upset) -> End:
        """Begin an upset of the server itself; those of the connection belong to the wire. Raises SimulationError."""
        if upset.kind in ("too_many_operations", "service_fault"):
            return self._limits.disturb(upset)
        if upset.kind != "drop_sessions":
            raise SimulationError(f"endpoint {self._endpoint.name}: {upset.kind} is nothing that an OPC UA server can do")
        if self._server is not None:
            self._begin(self._server.drop_sessions(), f"dropping sessions of {self._endpoint.name}")
        return lambda: None

    def admit(self, service: int, parameters: bytes) -> None:
        """What the desk asks first: may it go on? Then values are those of now. Raises ServiceError."""
        self._limits.admit(service, parameters)
        if service in _MOVES:
            self._source.refresh()

    def trust(self, certificate: bytes) -> None:
        """What the desk asks of a channel's certificate. Raises ServiceError."""
        self._trust.check_der(certificate)

    def read(self, parameters: bytes, request_handle: int) -> bytes | None:
        """A prepared answer, or None."""
        plan = self._plans.plan(parameters)
        return None if plan is None else plan.answer(request_handle)

    def _url(self, host: str, port: int) -> str:
        return f"opc.tcp://{bracketed(host)}:{port}{urlsplit(self._endpoint.url).path}"

    async def _made(self, stack: AsyncExitStack, address: str) -> HookedServer:
        """asyncua's server, its policies and users set."""
        iserver = SharedServer(Users(self._endpoint, self._trust))
        server = HookedServer(iserver, self)
        await server.init()
        stack.callback(iserver.method_service.stop)
        name = f"Reactorwatch simulator {self._endpoint.name}"
        server.set_server_name(name)
        server.product_uri, server.application_type = PRODUCT_URI, ua.ApplicationType.Server
        server.set_endpoint(self._url(*(self._advertised or (address, self._port))))
        server.socket_address = (address, self._port)
        server.set_match_discovery_endpoint_url(self._advertised is None)
        server.set_match_discovery_client_ip(self._advertised is None)
        server.allow_remote_admin(False)
        await server.set_application_uri(self._application_uri)
        await introduce(server, name, self._operation_limits)
        server.set_security_policy(policies(self._security))
        server.set_identity_tokens(tokens(self._endpoint, self._security, self._trust))
        if self._security == "all":
            await self._certify(stack, server)
        return server

    async def _certify(self, stack: AsyncExitStack, server: HookedServer) -> None:
        folder = self._keys
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reactorwatch-simulator-")))
        hosts = (self._host, *(self._advertised or ())[:1])
        own = await asyncio.to_thread(identity, folder, self._endpoint.name, self._application_uri, hosts)
        server.iserver.certificate, server.iserver.private_key = own.certificate, own.key
        server.iserver.certificate_validator = self._trust
        if self._trust.anyone:
            _log.info("endpoint %s: any client certificate is accepted, none has to be trusted", self._endpoint.name)

    def _variables(self, spaces: Namespaces) -> list[Variable]:
        """Every tag that has a node of its own. Raises SimulationError."""
        found = []
        for device in self._endpoint.devices:
            for tag in device.tags:
                node_id = spaces.node_id(tag.address)
                if node_id.NamespaceIndex:
                    found.append(Variable(device, tag, node_id, self._source.point(device, tag)))
        return found

    async def _furnish(self, server: HookedServer, spaces: Namespaces, variables: list[Variable]) -> None:
        """The namespace array, the nodes, and who answers for them."""
        await server.nodes.namespace_array.write_value(list(spaces.uris))
        iserver = server.iserver
        assert isinstance(iserver, SharedServer)
        writer = Writer(iserver.aspace, spaces.index(STRUCTURE_URI), iserver.own)
        Space(writer, spaces, lean=self._lean).build(self._endpoint, variables)
        by_node = {variable.node_id: variable for variable in variables}
        self._plans = Plans(by_node)
        iserver.attribute_service = Attributes(iserver.aspace, by_node)

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ended(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
