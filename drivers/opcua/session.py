"""The OPC UA driver: one session with one server, for as long as its context lasts.

    connect ─ what the server offers ─ socket ─ channel ─ session ─ namespaces and limits ─┬─ read, read ... ─┬─ all closed
              (where it is secured)                                                        └─ kept up ─────────┘

A fresh asyncua client each time; nothing here connects a second time, that is the endpoint's. Whatever goes wrong, and
also when cancelled, the way out closes the session within a short deadline, and the socket for certain.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from config.model import OpcUaEndpoint
from drivers.base import Clock, DeviceError, Scan, ScanGroup, Status
from drivers.opcua.faults import guarded
from drivers.opcua.identity import read_user
from drivers.opcua.properties import NOT_TOLD, Description, describe
from drivers.opcua.read import GroupReader, NodeReader
from drivers.opcua.security import Secured, explained, own_of, secured
from drivers.opcua.subscribe import Subscriptions, subscribed
from drivers.opcua.subscription import Subscription, is_subscribed
from drivers.opcua.upkeep import kept_up
from drivers.opcua.wire import Connection

_NAMESPACES, _NODES_PER_READ, _ITEMS_PER_CALL = 0, 1, 2
_FACTS = {
    _NAMESPACES: ua.NodeId(ua.Int32(ObjectIds.Server_NamespaceArray)),
    _NODES_PER_READ: ua.NodeId(ua.Int32(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead)),
    _ITEMS_PER_CALL: ua.NodeId(ua.Int32(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall)),
}

_DISCOVERY = "/discovery"
_TURNED_AWAY = frozenset(
    {
        Status.BAD_NO_COMMUNICATION,
        StatusCodes.BadSecurityPolicyRejected,
        StatusCodes.BadSecurityModeRejected,
        StatusCodes.BadSecurityChecksFailed,
    }
)
"""How a server closes a channel that it does not want."""

Made = TypeVar("Made")

_log = structlog.get_logger()


@asynccontextmanager
async def connect(
    endpoint: OpcUaEndpoint, groups: Sequence[ScanGroup], clock: Clock, *, subscribe: bool = True
) -> AsyncIterator[Session]:
    """A session with the server of `endpoint`, ready to read `groups`. Raises DeviceError.

    Without `subscribe` all groups are polled. Connecting ends within `endpoint.timeout_s`, and so does each request after it.
    """
    _keep_requests_out_of_logs()
    place = f"{endpoint.name} ({endpoint.url})"
    async with guarded(place, "connecting", endpoint.timeout_s):
        user = await _unhurried(read_user, endpoint, place)
        how = None if endpoint.security.is_none else await _secured(endpoint, place)
    connection = Connection.to(endpoint, how)
    try:
        try:
            await connection.open(endpoint.host, endpoint.port, user)
        except DeviceError as exc:
            raise (explained(exc, how.own) if how else exc) from exc
        namespaces, nodes_per_read, items_per_call = await _server_facts(connection)
        readers = {group.layout.id: GroupReader(connection, group, namespaces, nodes_per_read, clock) for group in groups}
        told = [group for group in groups if subscribe and is_subscribed(group)]
        followed = [Subscription(connection, group, readers[group.layout.id], clock) for group in told]
        async with (
            kept_up(connection, _fastest_poll_s(groups, told)),
            subscribed(connection, followed, items_per_call) as subscriptions,
        ):
            notices = how.notices if how else ()
            yield Session(connection, readers, nodes_per_read, namespaces, notices, subscriptions)
    finally:
        await connection.close()


def _fastest_poll_s(groups: Sequence[ScanGroup], told: Sequence[ScanGroup]) -> float:
    """Of the groups that are polled. Those that the server tells of keep no session alive: an idle one may go without a
    request for longer than its timeout. 0 where there are no groups: whoever wants none asks all the time."""
    polled = [group.layout.period_ns / 1e9 for group in groups if group not in told]
    return min(polled, default=math.inf if told else 0.0)


async def offered(endpoint: OpcUaEndpoint) -> list[ua.EndpointDescription]:
    """What the server says it offers; nobody vouches for it. Raises DeviceError.

    Some, Eclipse Milo and what is built on it, let nobody in without security where their sessions are: they tell it a step
    further, at `/discovery`.
    """
    connection = Connection.to(endpoint)
    try:
        return await connection.offers(endpoint.host, endpoint.port)
    except DeviceError as exc:
        if not connection.was_reached or exc.status not in _TURNED_AWAY or endpoint.url.endswith(_DISCOVERY):
            raise
        await connection.close()
        try:
            return await offered(endpoint.model_copy(update={"url": endpoint.url.rstrip("/") + _DISCOVERY}))
        except DeviceError:
            raise exc from None
    finally:
        await connection.close()


async def _secured(endpoint: OpcUaEndpoint, place: str) -> Secured:
    await _unhurried(own_of, endpoint.security, place)  # what is missing here is told before a server is asked
    offers = await offered(endpoint)
    return await _unhurried(secured, endpoint, offers, place)


async def _unhurried(work: Callable[..., Made], *given: object) -> Made:
    """Files are read and keys checked beside the event loop: a key takes tens of milliseconds."""
    return await asyncio.to_thread(work, *given)


@dataclass(frozen=True, slots=True)
class Session:
    """The Driver: a reader for each scan group, by the id of its layout."""

    connection: Connection
    readers: Mapping[str, GroupReader]
    nodes_per_read: int | None
    namespaces: Sequence[str] = ()
    """The server's NamespaceArray."""
    notices: tuple[str, ...] = ()
    """What people should know of the certificates: one that ends soon, one that is for another host."""

    subscriptions: Subscriptions | None = None

    async def read(self, group: ScanGroup, slot_ns: int) -> Scan:
        """The scan of `slot_ns`. Raises DeviceError."""
        if self.subscriptions and (subscription := self.subscriptions.groups.get(group.layout.id)):
            return await self.subscriptions.read(subscription, slot_ns)
        return await self.readers[group.layout.id].read(slot_ns)

    async def describe(self, group: ScanGroup) -> list[Description]:
        """What the server tells of the variables of `group`, in the order of its columns. Raises DeviceError."""
        nodes = self.readers[group.layout.id].nodes
        told = await describe(self.connection, group.name, nodes, self.nodes_per_read)
        return [told.get(column, NOT_TOLD) for column in range(len(group.tags))]


def _keep_requests_out_of_logs() -> None:
    # At DEBUG asyncua writes every request in full, and the one that logs in holds the password.
    library = logging.getLogger("asyncua")
    if library.getEffectiveLevel() < logging.INFO:
        library.setLevel(logging.INFO)


async def _server_facts(connection: Connection) -> tuple[Sequence[str], int | None, int | None]:
    """The server's NamespaceArray, and how many nodes it takes in one Read, how many items at once; None: no limit."""
    reader = NodeReader(connection, "reading its namespaces and limits", _FACTS, None)
    answers = await reader.answers()
    limits = (_limit(answers[fact]) for fact in (_NODES_PER_READ, _ITEMS_PER_CALL))
    nodes_per_read, items_per_call = limits
    return _namespaces(answers[_NAMESPACES], connection.place), nodes_per_read, items_per_call


def _namespaces(answer: ua.DataValue, place: str) -> Sequence[str]:
    value = answer.Value.Value if answer.Value is not None else None
    if isinstance(value, list) and all(isinstance(uri, str) for uri in value):
        return value
    _log.warning("the server does not tell its namespaces: tags addressed by nsu= stay bad", server=place)
    return ()


def _limit(answer: ua.DataValue) -> int | None:
    value = answer.Value.Value if answer.Value is not None else None
    return value if isinstance(value, int) and value > 0 else None
