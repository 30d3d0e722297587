"""Whatever a Modbus peer does on a real socket: values are right, or marked bad, or an error is raised; never wrong.

And a fresh connection always works afterwards.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest

from config.model import ModbusEndpoint
from drivers.base import DeviceError, Driver, Quality, Scan, ScanGroup, Status
from drivers.modbus.session import connect
from tests.servers import free_port
from tests.system.modbus_peer import CLOSE, FixedClock, Peer, Request, Script, Step, plant, right, serving, value_at
from tests.wire.lateness import where_it_is_prompt
from tests.wire.sockets import held_sockets

TAGS = {"A": "holding:100 uint16", "B": "holding:109 uint16"}
RIGHT = [float(value_at(100)), float(value_at(109))]
SHORT_S, SILENT_S = 0.1, 0.5
SOON_S = 20.0
"""At once, on a machine that may be busy; below the timeout of a request, which is 30 s."""
HOLD = asyncio.Event


@asynccontextmanager
async def driving(endpoint: ModbusEndpoint, groups: tuple[ScanGroup, ...]) -> AsyncIterator[tuple[Driver, ScanGroup]]:
    async with connect(endpoint, groups, FixedClock()) as driver:
        yield driver, groups[0]


async def first_scan(peer: Peer) -> Scan:
    async with driving(*plant(peer.port, TAGS)) as (driver, group):
        return await driver.read(group, 0)


def second(steps: Callable[[Request], Iterable[Step]]) -> Script:
    """The right answer to the first request, `steps` for the second one, and right again after that."""
    return lambda request: steps(request) if request.number == 2 else right(request)


def at_first(steps: Callable[[Request], Iterable[Step]]) -> Script:
    """`steps` for the first request, the right answer after that: nothing has to be in time but what is asked slowly."""
    return lambda request: steps(request) if request.number == 1 else right(request)


def cut(answer: bytes) -> list[Step]:
    return [answer[n : n + 1] for n in range(len(answer))]


GOOD: dict[str, Script] = {
    "in one piece": right,
    "byte by byte": lambda request: cut(request.answer()),
    "in two pieces": lambda request: [request.answer()[:7], request.answer()[7:]],
}


@pytest.mark.parametrize("script", GOOD.values(), ids=GOOD.keys())
async def test_right_answers_are_right_however_they_are_cut(script: Script) -> None:
    async with serving(script) as peer, driving(*plant(peer.port, TAGS)) as (driver, group):
        for slot_ns in range(3):
            scan = await driver.read(group, slot_ns)
            assert (scan.values.tolist(), scan.slot_ns, scan.source_ns) == (RIGHT, slot_ns, None)
            assert not scan.quality.any()


FAULTS: dict[str, tuple[Script, str]] = {
    "short answer": (lambda r: [r.answer(bytes(2))], "length 5 instead of 23"),
    "short answer, right length": (lambda r: [r.answer(bytes(18), length=23, size=20) + b"\0\0\0"], "1 bytes more"),
    "oversized answer": (lambda r: [r.answer(bytes(22))], "length 25 instead of 23"),
    "oversized beyond all frames": (lambda r: [r.answer(bytes(250))], "length 253 instead of 23"),
    "wrong byte count": (lambda r: [r.answer(size=18)], "byte count 18 instead of 20"),
    "foreign transaction": (lambda r: [r.answer(transaction=r.transaction ^ 1)], "transaction id "),
    "foreign protocol": (lambda r: [r.answer(protocol=1)], "protocol id 1 instead of 0"),
    "foreign unit": (lambda r: [r.answer(unit=4)], "unit id 4 instead of 3"),
    "other table": (lambda r: [r.answer(function=4)], "function code 4 instead of 3"),
    "unknown function": (lambda r: [r.answer(function=99)], "function code 99 instead of 3"),
    "refusal of another function": (lambda r: [r.answer(b"\2", function=0x84)[:8] + b"\2"], "length "),
    "garbage": (lambda r: [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "transaction id "),
    "the answer twice": (lambda r: [r.answer() + r.answer()], "29 bytes more than asked for"),
    "an older answer first": (lambda r: [r.answer(transaction=r.transaction - 1 & 0xFFFF) + r.answer()], "transaction id "),
    "an answer and more than any frame holds": (lambda r: [r.answer() + bytes(300)], "300 bytes more than asked for"),
    "a refusal, then the answer": (lambda r: [r.refusal(6) + r.answer()], "29 bytes more than asked for"),
    "closed without an answer": (lambda r: [CLOSE], "the device closed the connection"),
    "closed mid-answer": (lambda r: [r.answer()[:15], CLOSE], "the device closed the connection"),
}


@pytest.mark.parametrize(("script", "text"), FAULTS.values(), ids=FAULTS.keys())
async def test_any_other_answer_ends_the_connection_at_once(script: Script, text: str) -> None:
    async with serving(second(script)) as peer:
        async with driving(*plant(peer.port, TAGS)) as (driver, group):
            assert (await driver.read(group, 0)).values.tolist() == RIGHT
            async with asyncio.timeout(SOON_S):
                with pytest.raises(DeviceError, match=text) as caught:
                    await driver.read(group, 1)
            assert caught.value.connection_lost
            assert caught.value.status == Status.BAD_COMMUNICATION_ERROR
            assert f"modbus://127.0.0.1:{peer.port} unit 3 holding:100-109: " in str(caught.value)
            with pytest.raises(DeviceError, match=text):
                await driver.read(group, 2)
            assert len(peer.requests) == 2, "nothing is asked on a connection that is in doubt"
        assert (await first_scan(peer)).values.tolist() == RIGHT


SILENT: dict[str, Script] = {
    "silent": lambda r: [],
    "half an answer": lambda r: [r.answer()[:20]],
    "a length that never comes": lambda r: [r.answer()[:5]],
}


@pytest.mark.parametrize("script", SILENT.values(), ids=SILENT.keys())
@where_it_is_prompt(SILENT_S / 5)  # it must be connected within it
async def test_silence_ends_the_connection_after_the_timeout(script: Script) -> None:
    async with serving(at_first(script)) as peer:
        async with driving(*plant(peer.port, TAGS, timeout_s=SILENT_S)) as (driver, group):
            with pytest.raises(DeviceError, match=r"unit 3 holding:100-109: no answer within 0\.5 s") as caught:
                await driver.read(group, 0)
            assert (caught.value.status, caught.value.connection_lost) == (Status.BAD_TIMEOUT, True)
            with pytest.raises(DeviceError):
                await driver.read(group, 1)
            await peer.asked.wait()
            assert len(peer.requests) == 1
        assert (await first_scan(peer)).values.tolist() == RIGHT


@where_it_is_prompt(SILENT_S / 5)
async def test_a_late_answer_reaches_nobody() -> None:
    late = HOLD()
    async with serving(at_first(lambda r: [late, r.answer(bytes(20))])) as peer:
        async with driving(*plant(peer.port, TAGS, timeout_s=SILENT_S)) as (driver, group):
            with pytest.raises(DeviceError, match="no answer"):
                await driver.read(group, 0)
            late.set()
            with pytest.raises(DeviceError, match="no answer"):
                await driver.read(group, 1)
        assert (await first_scan(peer)).values.tolist() == RIGHT


async def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    late = HOLD()
    async with serving(lambda r: [r.answer(), late, r.answer()]) as peer, driving(*plant(peer.port, TAGS)) as (driver, group):
        await driver.read(group, 0)
        late.set()
        await peer.closed.wait()
        with pytest.raises(DeviceError, match="29 bytes that nobody asked for"):
            await driver.read(group, 1)
        assert len(peer.requests) == 1


async def test_request_numbers_differ_between_connections() -> None:
    async with serving() as peer:
        for _ in range(4):
            await first_scan(peer)
        assert len({request.transaction for request in peer.requests}) > 1


@where_it_is_prompt(SHORT_S / 2)
async def test_damaged_answers_never_become_wrong_values() -> None:
    """Heads changed, answers cut, doubled or shifted, at random from a fixed seed; the data itself has no checksum."""
    chance = random.Random(20)

    def damaged(request: Request) -> Iterable[Step]:
        answer = bytearray(request.answer())
        for _ in range(chance.randrange(3)):
            answer[chance.randrange(9)] = chance.randrange(256)
        frame = bytes(answer)[chance.choice([0, 0, 0, 1, 2]) :]
        frame = chance.choice([b"", b"", b"", frame, request.refusal(6)]) + frame * chance.choice([1, 1, 2])
        at = chance.randrange(len(frame))
        return chance.choice([[frame], [frame[:at], frame[at:]], [frame[:at], CLOSE], cut(frame)])

    outcomes = {"right": 0, "bad": 0, "raised": 0}
    async with serving(damaged) as peer:
        for _ in range(150):
            try:
                async with driving(*plant(peer.port, TAGS, timeout_s=SHORT_S)) as (driver, group):
                    scan = await driver.read(group, 0)
            except DeviceError:
                outcomes["raised"] += 1
                continue
            if scan.quality.any():
                assert scan.quality.tolist() == [Quality.BAD, Quality.BAD]
                outcomes["bad"] += 1
            else:
                assert scan.values.tolist() == RIGHT
                outcomes["right"] += 1
        peer.script = right
        assert (await first_scan(peer)).values.tolist() == RIGHT
    assert min(outcomes["right"], outcomes["raised"]) > 10, outcomes


async def test_a_cancelled_read_ends_the_connection_promptly() -> None:
    async with serving(lambda r: []) as peer:
        async with driving(*plant(peer.port, TAGS)) as (driver, group):
            reading = asyncio.create_task(driver.read(group, 0))
            await peer.asked.wait()
            reading.cancel()
            async with asyncio.timeout(SOON_S):
                with pytest.raises(asyncio.CancelledError):
                    await reading
                await peer.closed.wait()
            with pytest.raises(DeviceError, match="cut off"):
                await driver.read(group, 1)
        peer.script = right
        assert (await first_scan(peer)).values.tolist() == RIGHT


async def test_a_cancel_that_meets_the_answer_is_not_lost() -> None:
    """asyncio.wait_for of Python 3.11 returns the answer and forgets the cancel: shutting down would then hang."""
    loop = asyncio.get_running_loop()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setblocking(False)
        async with driving(*plant(server.getsockname()[1], TAGS)) as (driver, group):
            reading = asyncio.create_task(driver.read(group, 0))
            device, _ = await loop.sock_accept(server)
            with closing(device):
                request = await loop.sock_recv(device, 12)
                device.send(request[:4] + bytes([0, 23, 3, 3, 20]) + bytes(20))
                loop.call_soon(reading.cancel)
                with pytest.raises(asyncio.CancelledError):
                    await reading


@asynccontextmanager
async def deaf_port() -> AsyncIterator[int]:
    """A port whose queue of connections is full: one more gets no answer at all."""
    loop = asyncio.get_running_loop()
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
        connecting = [loop.create_task(loop.sock_connect(client, server.getsockname())) for client in waiting]
        await asyncio.wait(connecting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(connecting, timeout=0.05)
        try:
            yield server.getsockname()[1]
        finally:
            for task in connecting:
                task.cancel()
            await asyncio.gather(*connecting, return_exceptions=True)
            for client in waiting:
                client.close()


async def test_connecting_in_vain_takes_the_timeout_and_no_longer() -> None:
    async with deaf_port() as port:
        endpoint, groups = plant(port, TAGS, timeout_s=0.1)
        began = time.monotonic()
        with pytest.raises(DeviceError, match=r"no connection, no answer within 0\.1 s") as caught:
            async with connect(endpoint, groups, FixedClock()):
                pytest.fail("connected to a deaf port")
        assert caught.value.status == Status.BAD_TIMEOUT
        assert 0.1 <= time.monotonic() - began < SOON_S


async def test_a_cancelled_connect_is_prompt() -> None:
    async with deaf_port() as port:
        endpoint, groups = plant(port, TAGS)
        entering = asyncio.create_task(connect(endpoint, groups, FixedClock()).__aenter__())
        await asyncio.wait([entering], timeout=0.02)
        entering.cancel()
        async with asyncio.timeout(SOON_S):
            with pytest.raises(asyncio.CancelledError):
                await entering


@pytest.mark.parametrize(
    ("host", "text"),
    [("127.0.0.1", r"refused or unreachable: is the device on, and does it listen on port \d+"), ("nowhere.invalid", "resolved")],
)
async def test_an_unreachable_host_is_named(host: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = socket.getaddrinfo

    def resolved(name: str, *more: Any, **named: Any) -> Any:
        """Without asking anybody, who might be slow to answer here."""
        if str(name).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return stock(name, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    port = free_port()
    endpoint, groups = plant(port, TAGS)
    there = endpoint.model_copy(update={"url": f"modbus://{host}:{port}"})
    with pytest.raises(DeviceError, match=rf"^modbus://{host}:{port}: no connection, .*{text}") as caught:
        async with connect(there, groups, FixedClock()):
            pytest.fail("connected to nobody")
    assert caught.value.connection_lost
    assert caught.value.status == Status.BAD_NO_COMMUNICATION


async def test_the_socket_is_closed_when_the_driver_is() -> None:
    """Not a turn of the loop later: a device that allows one client would refuse the endpoint's next connection."""
    async with serving() as peer:
        endpoint, groups = plant(peer.port, {"TT": "holding:100 uint16"})
        async with connect(endpoint, groups, FixedClock()) as driver:
            await driver.read(groups[0], 0)
            assert len(held_sockets()[peer.port]) == 1
        assert peer.port not in held_sockets()
