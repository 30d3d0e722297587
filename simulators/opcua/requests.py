"""The only touch of asyncua's inside: its listening, its connections and its requests, each with a hook of ours.

Server.start ─> Listener ─> Connection (one a client) ─> Requests ─> Desk: a fault, a prepared answer, or
                                                                     nothing: then asyncua goes on
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import structlog
from asyncua import ua
from asyncua.common.utils import Buffer, ServiceError
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.internal_session import SessionState
from asyncua.server.server import Server
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary

from simulators.opcua.identity import run_clock
from simulators.opcua.standard import SharedServer

_log = structlog.get_logger()
_READ = ObjectIds.ReadRequest_Encoding_DefaultBinary


class Desk(Protocol):
    """Sees every request before asyncua does."""

    def admit(self, service: int, parameters: bytes) -> None:
        """Raises ServiceError for a request that is refused. `service` is the NodeId of the request's encoding."""

    def trust(self, certificate: bytes) -> None:
        """The client's certificate of the channel on which a session is created. Raises ServiceError."""

    def read(self, parameters: bytes, request_handle: int) -> bytes | None:
        """A whole ReadResponse, or None: asyncua answers."""


class Requests(UaProcessor):
    """asyncua's processor of one connection, which asks the desk first."""

    def __init__(self, iserver: SharedServer, transport: Any, limits: Any, desk: Desk) -> None:
        super().__init__(iserver, transport, limits)
        self._desk = desk

    async def process_message(self, seqhdr: Any, body: Buffer) -> Any:
        """One request."""
        rest = body.copy()
        type_id = nodeid_from_binary(rest)
        header = struct_from_binary(ua.RequestHeader, rest)
        try:
            self._forgotten(type_id)
            self._check_channel(type_id)
            self._desk.admit(int(type_id.Identifier), bytes(rest))
            answer = self._prepared(type_id, header, rest)
        except ServiceError as fault:
            self._fault(header.RequestHandle, seqhdr, fault.code)
            return True
        except Exception:  # noqa: BLE001  as asyncua does where it answers: told and logged, no client waits for ever
            _log.exception("simulated OPC UA server cannot answer", service=str(type_id.Identifier))
            self._fault(header.RequestHandle, seqhdr, StatusCodes.BadInternalError)
            return True
        if answer is None:
            return await super().process_message(seqhdr, body)  # type: ignore[no-untyped-call]
        data = self._connection.message_to_binary(answer, request_id=seqhdr.RequestId)
        self._transport.write(data)
        return True

    def _forgotten(self, type_id: ua.NodeId) -> None:
        """A session that the server has dropped is unknown to it; another may be created on the same connection."""
        sessionless = type_id.Identifier in (
            ObjectIds.CreateSessionRequest_Encoding_DefaultBinary,
            ObjectIds.GetEndpointsRequest_Encoding_DefaultBinary,
            ObjectIds.FindServersRequest_Encoding_DefaultBinary,
        )
        if self.session is not None and self.session.state is SessionState.Closed and not sessionless:
            raise ServiceError(StatusCodes.BadSessionIdInvalid)

    def _check_channel(self, type_id: ua.NodeId) -> None:
        """asyncua checks the certificate that CreateSession shows, and none where it shows none."""
        certificate = self._connection.security_policy.peer_certificate
        if certificate and type_id.Identifier == ObjectIds.CreateSessionRequest_Encoding_DefaultBinary:
            self._desk.trust(certificate)

    def _prepared(self, type_id: ua.NodeId, header: ua.RequestHeader, rest: Buffer) -> bytes | None:
        if type_id.Identifier != _READ or self.session is None or not self.session.is_activated():
            return None
        permissions = self._connection.security_policy.permissions
        allowed = permissions is None or permissions.check_validity(self.session.user, type_id, rest)  # type: ignore[no-untyped-call]
        if not allowed:
            return None
        answer = self._desk.read(bytes(rest), header.RequestHandle)
        if answer is not None:
            self.session_last_activity = time.monotonic()
            self.session.touch()
        return answer

    def _fault(self, request_handle: int, seqhdr: Any, code: int) -> None:
        response = ua.ServiceFault()
        response.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(code))
        self.send_response(request_handle, seqhdr, response)  # type: ignore[no-untyped-call]

    def forget(self) -> None:
        """The session is being dropped: publishes that wait are answered, the watchdog of the session ends."""
        while self._publish_requests:
            waiting = self._publish_requests.popleft()
            self._fault(waiting.requesthdr.RequestHandle, waiting.seqhdr, StatusCodes.BadSessionClosed)
        if self._session_watchdog_task is not None:
            self._session_watchdog_task.cancel()


class Connection(OPCUAProtocol):
    """asyncua's connection, its requests answered by `Requests`."""

    def __init__(self, desk: Desk, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._desk = desk

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        super().connection_made(transport)
        if self.processor is not None:
            assert isinstance(self.iserver, SharedServer)
            self.processor = Requests(self.iserver, transport, self.limits, self._desk)
            self.processor.set_policies(self.policies)  # type: ignore[no-untyped-call]


class Listener(BinaryServer):
    """asyncua's listening socket, with connections of ours."""

    def __init__(self, desk: Desk, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._desk = desk

    def _make_protocol(self) -> OPCUAProtocol:
        return Connection(
            self._desk, iserver=self.iserver, policies=self._policies, clients=self.clients,
            closing_tasks=self.closing_tasks, limits=self.limits,
        )  # fmt: skip


class HookedServer(Server):
    """asyncua's server, with a desk before it and a clock that goes by itself."""

    def __init__(self, iserver: SharedServer, desk: Desk) -> None:
        super().__init__(iserver=iserver)
        self._desk = desk
        self.disable_clock()

    async def start(self) -> None:
        """Listen. Raises OSError."""
        await self._setup_server_nodes()
        await self.iserver.start()
        run_clock(self.iserver.aspace)
        host, port = self._get_bind_socket_info()
        self.bserver = Listener(self._desk, self.iserver, host, port, self.limits)
        self.bserver.set_policies(self._policies)
        try:
            await self.bserver.start()
        except OSError:
            await self.iserver.stop()
            raise

    @property
    def sessions(self) -> int:
        """How many sessions it holds now."""
        return len(self.iserver._external_sessions)

    async def drop_sessions(self) -> None:
        """Forget every session with its subscriptions, those that wait for their client to come back too; connections stay."""
        assert self.bserver is not None
        for connection in tuple(self.bserver.clients):
            processor = connection.processor
            if isinstance(processor, Requests):
                processor.forget()
        for session in tuple(self.iserver._external_sessions.values()):
            await session.close_session(True)
