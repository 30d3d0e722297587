"""What a client sees of each upset of the wire: real sockets, a server that echoes, and once an OPC UA server."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from config.model import Device, OpcUaEndpoint
from config.tags import Tag
from simulators.opcua.server import OpcUaServer
from simulators.source import Point, Reading, SimulationError
from simulators.upset import End, Upset
from simulators.wire.wire import Wire
from tests.servers import free_port
from tests.system.opcua_peers import stock_client
from tests.wire.lateness import where_it_is_prompt

SOON_S = 30.0
NOTHING_S = 0.04
"""How long nothing must come for it to count as nothing."""


class Echo(asyncio.Protocol):
    """Answers what it gets, in upper case."""

    def __init__(self, behind: Behind) -> None:
        self.behind = behind

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.behind.connections.add(transport)

    def data_received(self, data: bytes) -> None:
        self.behind.received += data
        self.transport.write(data.upper())

    def connection_lost(self, exc: Exception | None) -> None:
        self.behind.connections.discard(self.transport)


@dataclass
class Behind:
    """The server behind the wire, as it sees things."""

    received: bytearray = field(default_factory=bytearray)
    connections: set[asyncio.Transport] = field(default_factory=set)

    def unsent(self) -> int:
        """Bytes of its answers that it could not even give to the system."""
        return sum(each.get_write_buffer_size() for each in self.connections)


@dataclass
class Peer:
    """A raw client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, text: bytes = b"hello") -> bytes:
        self.writer.write(text)
        async with asyncio.timeout(SOON_S):
            return await self.reader.readexactly(len(text))

    async def rest(self) -> bytes:
        """All until the end. Raises ConnectionResetError for RST."""
        async with asyncio.timeout(SOON_S):
            return await self.reader.read()

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(NOTHING_S):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


@dataclass
class Bench:
    wire: Wire
    behind: Behind
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    def begin(self, kind: str, value: float | str | None = None) -> End:
        return self.wire.disturb(Upset(kind, "wire", value))

    async def peer(self) -> Peer:
        async with asyncio.timeout(SOON_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.wire.port)
        self.opened.append(writer)
        return Peer(reader, writer)


@asynccontextmanager
async def bench(seed: int = 1) -> AsyncIterator[Bench]:
    behind = Behind()
    server = await asyncio.get_running_loop().create_server(lambda: Echo(behind), "127.0.0.1", 0)
    async with server, Wire("wire", port=free_port(), seed=seed) as wire:
        wire.target = server.sockets[0].getsockname()[:2]
        made = Bench(wire, behind)
        try:
            yield made
        finally:
            for writer in made.opened:
                writer.close()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(int(SOON_S / 0.001)):
        if true():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it did not come true")


async def is_reset(attempt: Awaitable[object]) -> bool:
    try:
        await attempt
    except ConnectionResetError:
        return True
    return False


async def test_without_upsets_bytes_pass_both_ways_and_ends_too() -> None:
    async with bench() as b:
        one, two = await b.peer(), await b.peer()
        assert (await one.ask(b"one"), await two.ask(b"two")) == (b"ONE", b"TWO")
        one.writer.write(b"last")
        one.writer.write_eof()
        assert await one.rest() == b"LAST", "what was asked before the end is answered"
        await until(lambda: b.wire.connections == 1 and len(b.behind.connections) == 1)
        assert await two.ask() == b"HELLO"


async def test_clients_wait_until_there_is_a_server_behind() -> None:
    behind = Behind()
    async with Wire("wire") as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        early = Peer(reader, writer)
        writer.write(b"early")
        server = await asyncio.get_running_loop().create_server(lambda: Echo(behind), "127.0.0.1", 0)
        async with server:
            wire.target = server.sockets[0].getsockname()[:2]
            assert await early.ask(b"") == b"" and await reader.readexactly(5) == b"EARLY"
            writer.close()
            await until(lambda: not behind.connections)


async def test_a_client_is_reset_where_nobody_is_behind() -> None:
    async with Wire("wire") as wire:
        wire.target = ("127.0.0.1", free_port())
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        assert await is_reset(Peer(reader, writer).rest())
        writer.close()


async def test_more_clients_than_a_wire_takes_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.wire.wire.AT_MOST_LINKS", 2)
    async with bench() as b:
        one, two, three = [await b.peer() for _ in range(3)]
        assert (await one.ask(), await two.ask()) == (b"HELLO", b"HELLO")
        three.writer.write(b"waiting")
        assert await three.hears_nothing()
        two.writer.close()
        async with asyncio.timeout(SOON_S):
            assert await three.reader.readexactly(7) == b"WAITING"


async def test_a_reset_on_one_side_is_a_reset_on_the_other() -> None:
    async with bench() as b:
        client = await b.peer()
        await client.ask()
        (behind,) = b.behind.connections
        behind.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        behind.abort()
        assert await is_reset(client.rest())
        await until(lambda: b.wire.connections == 0)


async def test_refuse_keeps_new_ones_out_and_lets_the_others_stay() -> None:
    async with bench() as b:
        inside = await b.peer()
        await inside.ask()
        port = b.wire.port
        end = b.begin("refuse")
        with pytest.raises(ConnectionRefusedError):
            await b.peer()
        assert await inside.ask() == b"HELLO"
        end()
        end()
        assert b.wire.port == port
        assert await (await b.peer()).ask() == b"HELLO"


async def test_reset_ends_the_existing_ones_once() -> None:
    async with bench() as b:
        one, two = await b.peer(), await b.peer()
        await one.ask(), await two.ask()
        end = b.begin("reset")
        assert await is_reset(one.rest()) and await is_reset(two.rest())
        await until(lambda: not b.behind.connections)
        assert await (await b.peer()).ask() == b"HELLO"
        end()


async def test_restart_ends_all_refuses_and_comes_back_on_its_port() -> None:
    async with bench() as b:
        client = await b.peer()
        await client.ask()
        port = b.wire.port
        end = b.begin("restart")
        assert await client.rest() == b"", "an idle connection of a dead process ends with FIN"
        await until(lambda: not b.behind.connections)
        with pytest.raises(ConnectionRefusedError):
            await b.peer()
        end()
        assert b.wire.port == port
        assert await (await b.peer()).ask() == b"HELLO"


async def test_a_port_that_was_taken_meanwhile_is_said_once_and_had_again_when_it_is_free() -> None:
    async with bench() as b:
        end = b.begin("restart")
        with capture_logs() as logs, socket.create_server(("127.0.0.1", b.wire.port)):
            end()
            b.begin("delay", 0.0)()
        (told,) = logs
        assert told["endpoint"] == "wire" and "in use" in told["reason"]

        async def comes_back() -> Peer:
            while True:
                try:
                    return await b.peer()
                except ConnectionRefusedError:
                    await asyncio.sleep(0.01)

        async with asyncio.timeout(SOON_S):
            assert await (await comes_back()).ask() == b"HELLO"


async def test_freeze_answers_nobody_loses_nothing_and_answers_late() -> None:
    async with bench() as b:
        old = await b.peer()
        await old.ask()
        end = b.begin("freeze")
        new = await b.peer()
        for client in (old, new):
            client.writer.write(b"ping")
        assert await old.hears_nothing() and await new.hears_nothing()
        assert bytes(b.behind.received) == b"hello", "the server was not asked"
        end()
        assert await old.ask(b"") == b"" and await old.reader.readexactly(4) == b"PING"
        assert await new.reader.readexactly(4) == b"PING"


async def test_a_frozen_wire_takes_no_more_than_the_system_buffers() -> None:
    async with bench() as b:
        client = await b.peer()
        await client.ask()
        end = b.begin("freeze")
        raw: socket.socket = client.writer.get_extra_info("socket")
        sent, chunk = 0, b"x" * 65536
        with socket.socket(fileno=socket.dup(raw.fileno())) as own:
            own.setblocking(False)
            with pytest.raises(BlockingIOError):
                while sent < 1 << 28:
                    sent += own.send(chunk)
        assert sent < 1 << 28 and bytes(b.behind.received) == b"hello"
        end()
        async with asyncio.timeout(SOON_S):
            assert await client.reader.readexactly(sent) == b"X" * sent


async def test_half_open_swallows_what_old_ones_send_while_new_ones_work() -> None:
    async with bench() as b:
        old = await b.peer()
        await old.ask()
        end = b.begin("half_open")
        for _ in range(3):
            old.writer.write(b"anyone there?")
            assert await old.hears_nothing(), "neither answer nor FIN nor RST"
        assert bytes(b.behind.received) == b"hello"
        await until(lambda: not b.behind.connections)
        new = await b.peer()
        assert await new.ask() == b"HELLO"
        end()
        assert await is_reset(old.rest()), "a peer that is back knows nothing of it"
        assert await new.ask() == b"HELLO"


async def test_a_client_that_gives_a_half_open_connection_up_is_let_go() -> None:
    async with bench() as b:
        old = await b.peer()
        await old.ask()
        b.begin("half_open")
        old.writer.close()
        await until(lambda: b.wire.connections == 0)


async def test_delay_adds_to_every_answer_and_delays_add_up() -> None:
    async with bench() as b:
        client = await b.peer()
        await client.ask()
        ends = [b.begin("delay", 0.03), b.begin("delay", 0.02)]
        began_s = time.monotonic()
        assert await client.ask() == b"HELLO"
        assert time.monotonic() - began_s >= 0.05
        ends.pop()()
        began_s = time.monotonic()
        assert await client.ask() == b"HELLO"
        assert time.monotonic() - began_s >= 0.03


async def test_what_a_delay_holds_comes_when_it_ends() -> None:
    async with bench() as b:
        client = await b.peer()
        end = b.begin("delay", 3600.0)
        client.writer.write(b"held")
        await until(lambda: bytes(b.behind.received) == b"held")
        client.writer.write(b"more")
        await until(lambda: bytes(b.behind.received) == b"heldmore")
        end()
        assert await client.reader.readexactly(8) == b"HELDMORE"


async def test_a_delayed_line_holds_a_bounded_amount() -> None:
    async with bench() as b:
        client = await b.peer()
        await client.ask()
        end = b.begin("delay", 3600.0)
        data = b"x" * 12_000_000  # the system's own buffers take up to 4 MB of the answer
        client.writer.write(data)
        await until(lambda: len(b.behind.received) == len(b"hello") + len(data))
        left, before = b.behind.unsent(), -1
        async with asyncio.timeout(SOON_S):
            while left != before:
                await asyncio.sleep(0.03)
                left, before = b.behind.unsent(), left
        assert left > 1_000_000, "the server can't get rid of it: the wire has stopped reading"
        end()
        async with asyncio.timeout(SOON_S):
            assert await client.reader.readexactly(len(data)) == data.upper()


@where_it_is_prompt(0.01)  # a machine that is late sends what is due all at once
async def test_slow_sends_byte_after_byte() -> None:
    async with bench() as b:
        client = await b.peer()
        await client.ask()
        end = b.begin("slow", 0.005)
        client.writer.write(b"abcdef")
        began_s, pieces = time.monotonic(), [await client.reader.read(100)]
        while len(b"".join(pieces)) < 6:
            pieces.append(await client.reader.read(100))
        assert b"".join(pieces) == b"ABCDEF"
        assert time.monotonic() - began_s >= 5 * 0.005
        assert len(pieces) > 1
        end()
        assert await client.ask() == b"HELLO"


async def test_cut_sends_half_and_closes() -> None:
    async with bench() as b:
        client = await b.peer()
        await client.ask()
        end = b.begin("cut")
        client.writer.write(b"abcdef")
        assert await client.rest() == b"ABC"
        await until(lambda: b.wire.connections == 0 and not b.behind.connections)
        end()
        assert await (await b.peer()).ask() == b"HELLO"


async def scrambled(seed: int) -> list[bytes]:
    async with bench(seed) as b:
        one, two = await b.peer(), await b.peer()
        assert await one.ask() == b"HELLO"
        end = b.begin("garbage")
        found = [await one.ask(b"a" * 20), await two.ask(b"a" * 20), await one.ask(b"a" * 20)]
        end()
        assert await one.ask() == b"HELLO"
        assert bytes(b.behind.received) == b"hello" + b"a" * 60 + b"hello", "requests arrive as they were sent"
        return found


async def test_garbage_is_of_the_same_length_and_repeats_with_its_seed() -> None:
    first, again, other = await scrambled(1), await scrambled(1), await scrambled(2)
    assert first == again != other
    assert len({b"A" * 20, *first, *other}) == 7


async def test_several_at_once_and_each_ends_alone() -> None:
    async with bench() as b:
        client = await b.peer()
        await client.ask()
        thaw, allow, quicken, clear = b.begin("freeze"), b.begin("refuse"), b.begin("delay", 0.02), b.begin("garbage")
        client.writer.write(b"hello")
        assert await client.hears_nothing()
        with pytest.raises(ConnectionRefusedError):
            await b.peer()
        thaw()
        began_s = time.monotonic()
        assert await client.ask(b"") == b"" and await client.reader.readexactly(5) != b"HELLO"
        clear()
        assert await client.ask() == b"HELLO"
        assert time.monotonic() - began_s >= 0.02
        with pytest.raises(ConnectionRefusedError):
            await b.peer()
        allow()
        assert await (await b.peer()).ask() == b"HELLO"
        quicken()


async def test_two_of_a_kind_end_one_by_one() -> None:
    async with bench() as b:
        upset = Upset("refuse", "wire")
        first, second = b.wire.disturb(upset), b.wire.disturb(upset)
        first()
        first()
        with pytest.raises(ConnectionRefusedError):
            await b.peer()
        second()
        assert await (await b.peer()).ask() == b"HELLO"


async def test_upsets_that_no_wire_does_are_refused_in_a_sentence() -> None:
    async with bench() as b:
        with pytest.raises(SimulationError, match="wire: exception is nothing a wire does: refuse, reset, restart"):
            b.begin("exception")
        for value in ("soon", -1.0, float("nan"), 4000.0):
            with pytest.raises(SimulationError, match="is no how much later: give 0 to 3600 s"):
                b.begin("delay", value)
        assert await (await b.peer()).ask() == b"HELLO"


async def test_a_wire_that_is_closed_in_the_middle_of_everything_leaves_nothing() -> None:
    behind = Behind()
    server = await asyncio.get_running_loop().create_server(lambda: Echo(behind), "127.0.0.1", 0)
    async with server:
        async with Wire("wire", port=free_port()) as wire:
            wire.target = server.sockets[0].getsockname()[:2]
            peers = [await asyncio.open_connection("127.0.0.1", wire.port) for _ in range(5)]
            ends = [wire.disturb(Upset(kind, "wire")) for kind in ("half_open", "delay", "slow", "freeze", "restart")]
            for _, writer in peers:
                writer.write(b"hello")
        assert wire.connections == 0
        for end in ends:
            end()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", wire.port)
        for _, writer in peers:
            writer.close()
        await until(lambda: not behind.connections)


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SimulationError, match=f"endpoint r301: cannot listen on 127.0.0.1 port {port}"):
            async with Wire("r301", port=port):
                pass


class Steady:
    """A source of 1.5."""

    def refresh(self) -> int:
        return 0

    def point(self, _device: Device, _tag: Tag) -> Point:
        return lambda: Reading(1.5)


async def test_an_opcua_server_behind_the_wire_answers_and_freezes() -> None:
    tags = {"T": {"address": "ns=2;s=T"}}
    endpoint = OpcUaEndpoint.model_validate({"name": "opc", "url": "opc.tcp://h:1", "devices": {"plc": {"tags": tags}}})
    async with OpcUaServer(endpoint, Steady()) as server, Wire("opc") as wire:
        wire.target = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        async with stock_client(f"opc.tcp://127.0.0.1:{wire.port}", SOON_S) as client:
            assert await client.get_node("ns=2;s=T").read_value() == 1.5
            end = wire.disturb(Upset("freeze", "opc"))
            reading = asyncio.create_task(client.get_node("ns=2;s=T").read_value())
            done, _ = await asyncio.wait([reading], timeout=NOTHING_S)
            assert not done
            end()
            assert await reading == 1.5
