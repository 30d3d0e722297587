"""What stands at the other end of the OPC UA driver in tests: a real asyncua server, and peers that misbehave.

All of them live in threads of their own, so that the tasks of a test's event loop are the driver's alone.
"""

from __future__ import annotations

import asyncio
import gc
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Self
from unittest.mock import patch

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.utils import Buffer
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.uaprocessor import UaProcessor
from asyncua.server.user_managers import UserManager
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from config.model import OpcUaEndpoint
from drivers.base import Scan, scan_groups
from drivers.opcua import wire
from drivers.opcua.session import connect
from tests.system.opcua_standard import QuickServer

PLANT = "urn:reactorwatch:test:plant"
_SERVER_STATUS = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus))
"""What the server's own clock reads by itself, each second."""
SLOT_NS = 1795342831000000000
Answers = Callable[[ua.ReadParameters], list[ua.DataValue]]


class SystemClock:
    """The machine's own time."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


CLOCK = SystemClock()


def endpoint_of(url: str, tags: dict[str, dict[str, Any]], **settings: Any) -> OpcUaEndpoint:
    device = {"unit": "R-201", "tags": tags}
    return OpcUaEndpoint.model_validate({"name": "south", "url": url, "devices": {"plc": device}, "timeout_s": 30.0} | settings)


def stock_client(url: str, timeout_s: float = 30.0) -> Client:
    """asyncua's own, without its watchdogs: they give a connection up when a machine stands still for a second."""
    client = Client(url, timeout=timeout_s, watchdog_intervall=3600.0)
    client._stale_check_interval = 3600.0
    return client


async def scan_of(endpoint: OpcUaEndpoint) -> Scan:
    """Connect, read once, close."""
    (group,) = scan_groups(endpoint)
    async with connect(endpoint, [group], CLOCK) as driver:
        return await driver.read(group, SLOT_NS)


@asynccontextmanager
async def nothing_left_behind(close_s: float = 60.0) -> AsyncIterator[None]:
    """No task, no exception that nobody fetched, and (warnings being errors) no open socket is left. And a server has `close_s`
    to let go, so that what it has or is told at the end says nothing of how busy the machine is."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    gc.freeze()  # what was there before need not be looked through
    with patch.object(wire, "CLOSE_S", close_s):
        yield
    gc.collect()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not complaints


class _Users(UserManager):
    def __init__(self, passwords: dict[str, str]) -> None:
        self._passwords = passwords

    def get_user(
        self, iserver: object, username: str | None = None, password: str | None = None, certificate: object = None
    ) -> User | None:
        known = username is not None and self._passwords.get(username) == password
        return User(role=UserRole.User) if known else None


class PlantServer:
    """A real OPC UA server on loopback; its variables are `s=<name>` in the namespace PLANT."""

    def __init__(self, namespaces: Sequence[str] = (PLANT,), port: int = 0, passwords: dict[str, str] | None = None) -> None:
        self._namespaces = namespaces
        self._passwords = passwords
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._known: set[str] = set()
        self.port = port
        self.reads: list[int] = []
        """Nodes of each Read."""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(110)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it, and wait until it has."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(110)

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.server = Server(iserver=QuickServer(user_manager=_Users(self._passwords) if self._passwords else None))
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/plant")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        for uri in self._namespaces:
            await self.server.register_namespace(uri)
        self.index = await self.server.get_namespace_index(PLANT)
        self.stock_answers: Answers = self.server.iserver.attribute_service.read
        self.answer_with(self.stock_answers)
        await self.server.start()
        assert self.server.bserver is not None
        self.sockets = self.server.bserver.clients
        self.port = self.server.bserver.port
        self._ready.set()
        await self._stop.wait()
        await self.server.stop()

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/plant"

    @property
    def sessions(self) -> int:
        """Sessions the server holds now."""
        return len(self.server.iserver._external_sessions)

    @property
    def connections(self) -> int:
        """Sockets the server holds now."""
        return len(self.sockets)

    def call(self, work: Coroutine[Any, Any, object]) -> None:
        """Run `work` in the server's loop, to its end."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def address(self, name: str) -> str:
        return f"ns={self.index};s={name}"

    def node(self, name: str) -> ua.NodeId:
        return ua.NodeId(ua.String(name), ua.Int16(self.index))

    def put(self, name: str, value: ua.DataValue) -> None:
        """Make the variable if there is none, and give it this DataValue as it is."""
        self.call(self._put(self.node(name), name, value))

    async def _put(self, node: ua.NodeId, name: str, value: ua.DataValue) -> None:
        if name not in self._known:
            self._known.add(name)
            await self.server.nodes.objects.add_variable(node, name, ua.Variant(0.0, ua.VariantType.Double))
        # Not written, which would check its type and take the value from a bad one: given as it is.
        self.server.iserver.aspace.set_attribute_value_callback(node, AttributeIds.Value, lambda *_: value)

    def answer_with(self, answers: Answers) -> None:
        """What Read gives from now on; may raise ServiceError."""

        def read(parameters: ua.ReadParameters) -> list[ua.DataValue]:
            if [each.NodeId for each in parameters.NodesToRead] == [_SERVER_STATUS]:
                return self.stock_answers(parameters)
            self.reads.append(len(parameters.NodesToRead))
            return answers(parameters)

        setattr(self.server.iserver.attribute_service, "read", read)  # noqa: B010  mypy takes methods for constants

    @contextmanager
    def answering(self, answers: Answers) -> Iterator[None]:
        """`answer_with`, for a while."""
        self.answer_with(answers)
        try:
            yield
        finally:
            self.answer_with(self.stock_answers)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server's process stands still: its sockets stay open, nothing is answered."""
        thaw, still = threading.Event(), threading.Event()

        def stand_still() -> None:
            still.set()
            thaw.wait(60)

        self.loop.call_soon_threadsafe(stand_still)
        assert still.wait(60)
        try:
            yield
        finally:
            thaw.set()

    @contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        """Count the services asked for, of all servers of this process."""
        stock: Callable[..., Awaitable[object]] = UaProcessor._process_message
        names = {
            number: name.removesuffix("Request_Encoding_DefaultBinary")
            for name, number in vars(ObjectIds).items()
            if name.endswith("Request_Encoding_DefaultBinary")
        }
        counter: Counter[str] = Counter()

        async def counted(processor: UaProcessor, type_id: ua.NodeId, header: object, sequence: object, body: Buffer) -> object:
            counter[names.get(type_id.Identifier, str(type_id))] += 1
            return await stock(processor, type_id, header, sequence, body)

        with patch.object(UaProcessor, "_process_message", counted):
            yield counter


Talk = Callable[[socket.socket], None]


@contextmanager
def peer(talk: Talk) -> Iterator[int]:
    """The port of a TCP peer that does `talk` with each connection, then closes it."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while True:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    if ended.is_set():
                        return
                    connection.settimeout(20)
                    with suppress(OSError):
                        talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        socket.create_connection(listener.getsockname(), 20).close()
        thread.join(20)
        listener.close()


def silent(connection: socket.socket) -> None:
    """Take everything, say nothing, until the other side closes."""
    while connection.recv(65536):
        pass


def hang_up(connection: socket.socket) -> None:
    """Close at once."""


def garbage(data: bytes) -> Talk:
    """Answer the first bytes with `data`, then stay silent."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)
        silent(connection)

    return talk


class Proxy:
    """Bytes between driver and server; `cut(n)` closes both ends after n more bytes of the server's."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._left: int | None = None

    def cut(self, after_bytes: int) -> None:
        self._left = after_bytes

    def lets_in(self, _data: bytes) -> bool:
        """Whether the server takes what the driver says; both ends are closed where it does not."""
        return True

    def __call__(self, downstream: socket.socket) -> None:
        with socket.create_connection(self._upstream, 20) as upstream, selectors.DefaultSelector() as ready:
            ready.register(downstream, selectors.EVENT_READ, upstream)
            ready.register(upstream, selectors.EVENT_READ, downstream)
            while True:
                for key, _ in ready.select(20):
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(65536)
                    if source is downstream and not self.lets_in(data):
                        return
                    if source is upstream and self._left is not None:
                        data, self._left = data[: self._left], max(0, self._left - len(data))
                    if data:
                        target.sendall(data)
                    if not data or self._left == 0:
                        self._left = None
                        return
