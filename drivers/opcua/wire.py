"""A connection to one OPC UA server: asyncua's Client, opened, asked and closed step by step.

Only the steps are asyncua's. Its `connect()` would start a supervisor and watchdogs that mark a connection dead without
closing its socket, so it is not used: the polls are the watchdog, and `upkeep` has the rest. This module and
`wire_prepared` alone touch what asyncua keeps to itself; tests/unit/drivers/test_opcua_wire.py pins it to asyncua 2.1:

- `client.uaclient.protocol`: `send_request`, `transport`, `state`, and its `_connection._limits`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UASocketState
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from config.model import OpcUaEndpoint
from drivers.base import DeviceError, Status
from drivers.deadlines import Deadlines
from drivers.opcua.faults import device_error, guarded, refused
from drivers.opcua.identity import User, activation
from drivers.opcua.learned import UnderWay
from drivers.opcua.security import Secured
from drivers.opcua.wire_plain import Shortcut
from drivers.opcua.wire_prepared import Numbers, PreparedRead, Take, answer_to, not_taken

SPARE_BYTES, SPARE_SHARE = 512, 0.05
"""Of the greatest message that a server takes: for its head, and for what security adds to each chunk."""
CLOSE_S = 1.0
"""A server that does not let go within this is left."""
SESSION_TIMEOUT_MS = 60_000
"""How long a server keeps a session whose client has gone without a word."""
TOKEN_LIFE_MS = 3_600_000
"""Asked for; the server may give less."""
_BUFFER_BYTES = 65535

Question = (
    ua.ReadRequest
    | ua.TranslateBrowsePathsToNodeIdsRequest
    | ua.BrowseRequest
    | ua.BrowseNextRequest
    | ua.CreateSubscriptionRequest
    | ua.CreateMonitoredItemsRequest
    | ua.DeleteMonitoredItemsRequest
    | ua.DeleteSubscriptionsRequest
    | ua.RepublishRequest
)
"""The services that are used: none can change anything in the plant; a subscription belongs to our own session."""

_log = structlog.get_logger()


class Undecodable(Exception):
    """The body of an answer that asyncua can't decode, though it came whole and in turn."""


@dataclass(slots=True)
class Bounds:
    """What the server said when the connection was made."""

    message_bytes: int | None = None
    """The most that a request's body may have; None: no bound."""

    @classmethod
    def of(cls, acknowledge: ua.Acknowledge) -> Bounds:
        """Part 6, 7.1.2.4: the sizes are of requests, 0 is no bound."""
        in_chunks = acknowledge.MaxChunkCount * (acknowledge.ReceiveBufferSize or _BUFFER_BYTES)
        told = [size for size in (acknowledge.MaxMessageSize, in_chunks) if size > 0]
        return cls(max(1, int(min(told) * (1 - SPARE_SHARE)) - SPARE_BYTES) if told else None)


@dataclass(slots=True)
class Ending:
    """Of a connection that this side has given up."""

    why: DeviceError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Connection:
    """One channel and session. `place` names it in every error text."""

    client: Client
    place: str
    timeout_s: float
    deadlines: Deadlines
    """Of polls."""
    bounds: Bounds = field(default_factory=Bounds)
    under_way: UnderWay = field(default_factory=UnderWay)
    ending: Ending = field(default_factory=Ending)

    @classmethod
    def to(cls, endpoint: OpcUaEndpoint, secured: Secured | None = None) -> Connection:
        """A connection, not open yet."""
        client = Client(endpoint.url, timeout=endpoint.timeout_s)
        client.name = client.description = f"Reactorwatch {endpoint.name}"
        client.application_uri = secured.own.application_uri if secured else "urn:reactorwatch:collector"
        client.product_uri = "urn:reactorwatch"
        client.session_timeout = SESSION_TIMEOUT_MS
        client.secure_channel_timeout = TOKEN_LIFE_MS
        if secured:
            client.security_policy = secured.policy  # type: ignore[assignment]  # asyncua says None of it
            client.uaclient.set_security(secured.policy)
        return cls(client, f"{endpoint.name} ({endpoint.url})", endpoint.timeout_s, Deadlines(endpoint.timeout_s))

    async def open(self, host: str, port: int, user: User) -> None:
        """Socket, channel, session, all within `timeout_s`. Raises DeviceError; `close` is due in any case."""
        async with guarded(self.place, "connecting", self.timeout_s) as honour:
            await self._open_channel(host, port, honour)
            session = await self.client.create_session()
            url = self.client.server_url.geturl()
            parameters = activation(user, self.client.security_policy, session, url, self.place)
            await self.client.uaclient.activate_session(parameters)

    async def offers(self, host: str, port: int) -> list[ua.EndpointDescription]:
        """What the server offers, asked over a channel of its own, without session. Raises DeviceError; `close` is due."""
        async with guarded(self.place, "asking for its endpoints", self.timeout_s) as honour:
            await self._open_channel(host, port, honour)
            return await self.client.get_endpoints() or []

    async def _open_channel(self, host: str, port: int, honour: Callable[[], None]) -> None:
        await self.client.uaclient.connect_socket(host, port)
        honour()
        assert self.client.uaclient.protocol is not None
        Shortcut.into(self.client.uaclient.protocol)
        self._keep_limits(await self.client.uaclient.send_hello(self.client.server_url.geturl()))
        await self.client.open_secure_channel()

    def _keep_limits(self, acknowledge: ua.Acknowledge) -> None:
        # asyncua takes the server's receive buffer for its own and the server's bounds of a request for bounds of an
        # answer: a server with a small input and large answers is then cut off.
        assert self.client.uaclient.protocol is not None
        limits = self.client.uaclient.protocol._connection._limits
        limits.max_recv_buffer = acknowledge.SendBufferSize or _BUFFER_BYTES
        limits.max_send_buffer = acknowledge.ReceiveBufferSize or _BUFFER_BYTES
        limits.max_message_size = limits.max_chunk_count = 0
        self.bounds.message_bytes = Bounds.of(acknowledge).message_bytes

    async def ask(self, request: Question, doing: str) -> Buffer:
        """The body of the answer to `request`, whole and decrypted. Raises DeviceError."""
        async with guarded(self.place, doing, self.timeout_s):
            if self.client.uaclient.protocol is None:
                raise ConnectionError("it is not open")
            request.RequestHeader = ua.RequestHeader()
            try:
                return await self.client.uaclient.protocol.send_request(request)
            except UaStatusCodeError as exc:
                raise self._failed(exc, doing) from exc

    async def poll(self, request: PreparedRead, doing: str) -> bytes:
        """The same as `ask`, for a Read that was encoded beforehand. Raises DeviceError."""
        try:
            return await answer_to(self.client.uaclient.protocol, request, self.timeout_s, self.deadlines)
        except Exception as exc:
            raise self._failed(exc, doing) from exc

    def _failed(self, exc: Exception, doing: str) -> DeviceError:
        """A refusal may also be the last word of a server that closes the connection with it."""
        if self.ending.why is not None and not isinstance(exc, UaStatusCodeError):
            return DeviceError(str(self.ending.why), status=self.ending.why.status)
        error = device_error(exc, f"{self.place}: {doing}", self.timeout_s)
        error.connection_lost = error.connection_lost or not self.is_open
        return error

    async def publish(self, received: Numbers, take: Take) -> bytes:
        """The next message of any subscription that `take` does not take, whenever it comes; acknowledges `received`, and what
        is taken. Raises DeviceError."""
        try:
            return await not_taken(self.client.uaclient.protocol, received, take)
        except Exception as exc:
            raise self._failed(exc, "waiting for changes") from exc

    async def renew(self) -> None:
        """Have a new security token for the channel. Raises DeviceError."""
        async with guarded(self.place, "renewing the secure channel", self.timeout_s):
            await self.client.open_secure_channel(renew=True)
            self.client.uaclient.revolve_security_token()

    @property
    def token_life_s(self) -> float:
        """How long the server honours the channel's security token; as asked for, where it says 0."""
        return float(self.client.secure_channel_timeout or TOKEN_LIFE_MS) / 1000

    @property
    def session_timeout_s(self) -> float:
        """How long the server keeps the session without a request; as asked for, where it says 0."""
        return float(self.client.session_timeout or SESSION_TIMEOUT_MS) / 1000

    @property
    def was_reached(self) -> bool:
        """Whether somebody took the connection."""
        return self.client.uaclient.protocol is not None

    @property
    def is_open(self) -> bool:
        """Whether there is a socket, as far as this side knows."""
        protocol = self.client.uaclient.protocol
        if protocol is None or protocol.transport is None:
            return False
        return protocol.state is UASocketState.OPEN and not protocol.transport.is_closing()

    def abort(self, why: DeviceError | None = None) -> None:
        """Close the socket now; whoever waits for an answer, or asks from now on, gets a DeviceError: `why`, if given."""
        self.ending.why = self.ending.why or why
        protocol = self.client.uaclient.protocol
        if protocol is not None and protocol.transport is not None:
            protocol.transport.abort()

    async def close(self) -> None:
        """Close session and channel if the server lets us within CLOSE_S, and the socket for certain."""
        try:
            if self.is_open:
                async with guarded(self.place, "closing the session", min(self.timeout_s, CLOSE_S)):
                    await self.client.close_session()
                    await self.client.close_secure_channel()
        except DeviceError as exc:
            _log.info("session left to its timeout", reason=str(exc))
        finally:
            self.deadlines.end()
            self.abort()
            await asyncio.sleep(0)  # the loop closes the socket in its next turn


def read_results(body: Buffer, count: int, what: str) -> list[ua.DataValue]:
    """The DataValues of a ReadResponse to `count` nodes. Raises Undecodable, or DeviceError when it is no such answer."""
    results: list[ua.DataValue] = _results(ua.ReadResponse, ObjectIds.ReadResponse_Encoding_DefaultBinary, body, count, what)
    return results


def translate_results(body: Buffer, count: int, what: str) -> list[ua.BrowsePathResult]:
    """The targets of `count` browse paths. Raises Undecodable, or DeviceError when it is no such answer."""
    encoding = ObjectIds.TranslateBrowsePathsToNodeIdsResponse_Encoding_DefaultBinary
    results: list[ua.BrowsePathResult] = _results(ua.TranslateBrowsePathsToNodeIdsResponse, encoding, body, count, what)
    return results


def browse_results(body: Buffer, count: int, what: str) -> list[ua.BrowseResult]:
    """The references of `count` nodes, of a Browse. Raises Undecodable, or DeviceError when it is no such answer."""
    encoding = ObjectIds.BrowseResponse_Encoding_DefaultBinary
    results: list[ua.BrowseResult] = _results(ua.BrowseResponse, encoding, body, count, what)
    return results


def browse_next_results(body: Buffer, count: int, what: str) -> list[ua.BrowseResult]:
    """The same of a BrowseNext."""
    encoding = ObjectIds.BrowseNextResponse_Encoding_DefaultBinary
    results: list[ua.BrowseResult] = _results(ua.BrowseNextResponse, encoding, body, count, what)
    return results


def _results(kind: type[Any], encoding: int, body: Buffer, count: int, what: str) -> list[Any]:
    try:
        response = struct_from_binary(kind, body)
    except Exception as exc:  # asyncua raises nearly anything on a value it can't decode; told as its own kind
        raise Undecodable(f"{type(exc).__name__}: {exc}") from exc
    if response.TypeId.Identifier != encoding:
        raise DeviceError(f"{what}: the answer is of another kind, {response.TypeId}", status=Status.BAD_COMMUNICATION_ERROR)
    if not response.ResponseHeader.ServiceResult.is_good():
        raise refused(response.ResponseHeader.ServiceResult.value, what)
    holder = response if hasattr(response, "Results") else response.Parameters  # asyncua has it so for BrowseNext alone
    results: list[Any] = holder.Results or []
    if len(results) != count:
        text = f"{what}: {len(results)} results for {count} nodes: the server is at fault, and no result can be trusted"
        raise DeviceError(text, status=Status.BAD_COMMUNICATION_ERROR)
    if len(body):
        raise Undecodable(f"{len(body)} bytes are left over")
    return results


def answer(kind: type[Any], body: Buffer, what: str) -> Any:
    """The answer of another service, decoded. Raises DeviceError where it is none, or can't be decoded."""
    try:
        response = struct_from_binary(kind, body)
    except Exception as exc:  # asyncua raises nearly anything on what it can't decode
        text = f"{what}: the answer can't be decoded ({type(exc).__name__}: {exc})"
        raise DeviceError(text, status=Status.BAD_COMMUNICATION_ERROR) from exc
    if not response.ResponseHeader.ServiceResult.is_good():
        raise refused(response.ResponseHeader.ServiceResult.value, what)
    return response
