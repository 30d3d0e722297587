"""The OPC UA driver and peers that fail it: always a DeviceError within the deadline, never a leak, and always a way back."""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from structlog.testing import capture_logs

from config.model import OpcUaEndpoint
from drivers.base import DeviceError, Driver, ScanGroup, Status, scan_groups
from drivers.opcua import upkeep, wire
from drivers.opcua.session import connect
from drivers.opcua.wire import Connection
from tests.servers import free_port
from tests.system.opcua_peers import (
    CLOCK,
    SLOT_NS,
    PlantServer,
    Proxy,
    Talk,
    endpoint_of,
    garbage,
    hang_up,
    nothing_left_behind,
    peer,
    scan_of,
    silent,
)

DEADLINE_S, FROZEN_S = 0.3, 1.0
MARGIN_S = 10.0
"""What a busy machine may add."""
ERROR = struct.pack("<4sIIi", b"ERRF", 16, StatusCodes.BadTcpServerTooBusy, -1)


@pytest.fixture(scope="module")
def plant() -> Iterator[PlantServer]:
    with PlantServer() as server:
        server.put("tt", ua.DataValue(ua.Variant(20.5, ua.VariantType.Double)))
        server.put("text", ua.DataValue(ua.Variant("x" * 500, ua.VariantType.String)))
        yield server


@pytest.fixture(autouse=True)
async def nothing_left(plant: PlantServer) -> AsyncIterator[None]:
    """Nothing is left on this side, and after every fault a healthy server is read as ever."""
    async with nothing_left_behind(wire.CLOSE_S):  # there are servers here that do not let go
        yield
        await works(plant)


def endpoint_at(plant: PlantServer, port: int | None = None, *, period_s: float = 1.0, timeout_s: float = 30.0) -> OpcUaEndpoint:
    tags = {"TT": {"address": plant.address("tt")}, "TEXT": {"address": plant.address("text"), "kind": "text"}}
    endpoint = endpoint_of(f"opc.tcp://127.0.0.1:{port or plant.port}/plant", tags, timeout_s=timeout_s)
    (device,) = endpoint.devices
    group = device.groups[0].model_copy(update={"period_s": period_s})
    return endpoint.model_copy(update={"devices": (device.model_copy(update={"groups": (group,)}),)})


async def works(plant: PlantServer) -> None:
    scan = await scan_of(endpoint_at(plant))
    assert scan.values[0] == 20.5
    assert scan.texts == ("x" * 500,)


async def until(true: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110  the other side lives in another thread
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("talk", "status", "timeout_s"),
    [
        (silent, Status.BAD_TIMEOUT, DEADLINE_S),
        (hang_up, None, DEADLINE_S),
        (garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n"), None, DEADLINE_S),
        (garbage(bytes(64)), None, DEADLINE_S),
        (garbage(b"ACKF\x08\x00\x00\x00"), None, DEADLINE_S),
        (garbage(struct.pack("<4sI5I", b"ACKF", 28, 0, 1, 1, 1, 1)), None, DEADLINE_S),
        (garbage(b"MSGF" + bytes(range(200))), None, DEADLINE_S),
        (garbage(b"\xff" * 100_000), None, DEADLINE_S),
        (garbage(ERROR), StatusCodes.BadTcpServerTooBusy, 6 * MARGIN_S),
    ],
    ids=["silent", "hangs up", "HTTP", "zeros", "short", "senseless limits", "message first", "much", "error message"],
)
async def test_a_peer_that_is_no_server_is_a_device_error_in_time(
    plant: PlantServer, talk: Talk, status: int | None, timeout_s: float
) -> None:
    with peer(talk) as port:
        began_s = time.monotonic()
        with pytest.raises(DeviceError, match=rf"south \(opc.tcp://127.0.0.1:{port}/plant\): connecting: ") as error:
            await scan_of(endpoint_at(plant, port, timeout_s=timeout_s))
        assert time.monotonic() - began_s < DEADLINE_S + MARGIN_S
    assert error.value.connection_lost
    assert error.value.status in (
        {status} if status else {Status.BAD_NO_COMMUNICATION, Status.BAD_COMMUNICATION_ERROR, Status.BAD_TIMEOUT}
    )


async def test_nobody_listens(plant: PlantServer) -> None:
    with pytest.raises(DeviceError, match="refused: is the server running, and are host and port right") as error:
        await scan_of(endpoint_at(plant, free_port()))
    assert error.value.status == Status.BAD_NO_COMMUNICATION


@pytest.mark.parametrize("after_bytes", [1, 27, 28, 100, 163, 164, 500, 900])
async def test_the_server_closes_while_connecting(plant: PlantServer, after_bytes: int) -> None:
    proxy = Proxy(plant.port)
    proxy.cut(after_bytes)
    with peer(proxy) as port, pytest.raises(DeviceError, match=r"connecting|reading its namespaces") as error:
        await scan_of(endpoint_at(plant, port))
    assert error.value.connection_lost


@pytest.mark.parametrize("after_bytes", [1, 8, 24, 60, 300])
async def test_the_server_closes_in_the_middle_of_an_answer(plant: PlantServer, after_bytes: int) -> None:
    proxy = Proxy(plant.port)
    with peer(proxy) as port:
        endpoint = endpoint_at(plant, port)
        (group,) = scan_groups(endpoint)
        async with connect(endpoint, [group], CLOCK) as driver:
            assert (await driver.read(group, SLOT_NS)).values[0] == 20.5
            proxy.cut(after_bytes)
            with pytest.raises(DeviceError, match="reading south/plc/main: the connection failed or was closed") as error:
                await driver.read(group, SLOT_NS)
            assert error.value.status == Status.BAD_NO_COMMUNICATION
            assert error.value.connection_lost
            with pytest.raises(DeviceError):
                await driver.read(group, SLOT_NS)


@asynccontextmanager
async def connected_at_last(endpoint: OpcUaEndpoint, group: ScanGroup) -> AsyncIterator[Driver]:
    """Again and again, where a busy machine takes longer than the timeout for it."""
    async with AsyncExitStack() as stack:
        while True:
            with suppress(DeviceError):
                driver = await stack.enter_async_context(connect(endpoint, [group], CLOCK))
                break
        yield driver


async def test_a_frozen_server_costs_one_timeout_and_is_left(plant: PlantServer) -> None:
    endpoint = endpoint_at(plant, timeout_s=FROZEN_S)
    (group,) = scan_groups(endpoint)
    with ExitStack() as until_thawed:
        async with connected_at_last(endpoint, group) as driver:
            until_thawed.enter_context(plant.frozen())
            began_s = time.monotonic()
            with pytest.raises(DeviceError, match=r"no answer within 1 s") as error:
                await driver.read(group, SLOT_NS)
            assert error.value.status == Status.BAD_TIMEOUT
            assert error.value.connection_lost
        assert time.monotonic() - began_s < 2 * FROZEN_S + MARGIN_S
    await until(lambda: plant.sessions == 0)


async def test_the_way_out_closes_session_and_socket(plant: PlantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CLOSE_S", 6 * MARGIN_S)
    with plant.counting() as services:
        await works(plant)
    assert services["CreateSession"] == services["ActivateSession"] == services["CloseSession"] == 1
    assert plant.sessions == 0
    await until(lambda: plant.connections == 0)


async def test_a_read_that_is_cancelled_closes_the_session(plant: PlantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CLOSE_S", 6 * MARGIN_S)
    asked, answer = threading.Event(), threading.Event()

    def hold_back(parameters: ua.ReadParameters) -> list[ua.DataValue]:
        if len(plant.reads) > 1:
            asked.set()
            answer.wait(60)
        return plant.stock_answers(parameters)

    plant.reads.clear()
    with plant.answering(hold_back), plant.counting() as services:
        reading = asyncio.create_task(scan_of(endpoint_at(plant)))
        assert await asyncio.to_thread(asked.wait, 60)
        reading.cancel()
        answer.set()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert services["CloseSession"] == 1
    assert plant.sessions == 0


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_cancelling_does_not_wait_for_a_frozen_server(plant: PlantServer, cancellations: int) -> None:
    endpoint = endpoint_at(plant, timeout_s=60)
    (group,) = scan_groups(endpoint)
    connected = asyncio.Event()

    async def read() -> None:
        async with connect(endpoint, [group], CLOCK) as driver:
            connected.set()
            await proceed.wait()
            await driver.read(group, SLOT_NS)

    proceed = asyncio.Event()
    reading = asyncio.create_task(read())
    await connected.wait()
    with plant.frozen():
        proceed.set()
        began_s = time.monotonic()
        for _ in range(cancellations):
            await asyncio.sleep(0.02)
            reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert time.monotonic() - began_s < (wire.CLOSE_S if cancellations == 1 else 0) + MARGIN_S
    await until(lambda: plant.sessions == 0)


async def test_connecting_can_be_cancelled(plant: PlantServer) -> None:
    with peer(silent) as port:
        connecting = asyncio.create_task(scan_of(endpoint_at(plant, port, timeout_s=60)))
        await asyncio.sleep(0.02)
        connecting.cancel()
        began_s = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert time.monotonic() - began_s < MARGIN_S


async def test_a_cancellation_is_heeded_wherever_it_strikes(plant: PlantServer) -> None:
    for turns in range(60):
        work = asyncio.create_task(scan_of(endpoint_at(plant)))
        for _ in range(turns):
            await asyncio.sleep(0)
        if work.cancel():
            with pytest.raises(asyncio.CancelledError):
                await work
    await until(lambda: plant.sessions == plant.connections == 0)


async def test_the_session_is_kept_alive_where_polls_are_rare(plant: PlantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many times in what the server grants: it grants so much that a machine that stands still does not use it up."""
    monkeypatch.setattr(upkeep, "KEEP_ALIVE_SHARE", 1 / 400)
    server = plant.server.iserver
    stock = server.min_session_timeout_ms, server.max_session_timeout_ms
    server.min_session_timeout_ms = server.max_session_timeout_ms = 40_000
    endpoint = endpoint_at(plant, period_s=3600)
    (group,) = scan_groups(endpoint)
    try:
        async with connect(endpoint, [group], CLOCK) as driver:
            assert driver.connection.session_timeout_s == 40, "what the server grants, not what was asked for"
            plant.reads.clear()
            await until(lambda: len(plant.reads) >= 5)
            assert set(plant.reads) == {1}
            assert (await driver.read(group, SLOT_NS)).values[0] == 20.5
    finally:
        server.min_session_timeout_ms, server.max_session_timeout_ms = stock


async def test_the_channel_is_renewed(plant: PlantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "RENEW_SHARE", 1e-9)  # as often as may be; long before its end, which a busy machine would miss
    endpoint = endpoint_at(plant)
    (group,) = scan_groups(endpoint)
    await until(lambda: plant.connections == 0)  # that of the test before has ended here, not yet there
    async with connect(endpoint, [group], CLOCK) as driver:
        (server_side,) = plant.sockets
        assert server_side.processor is not None
        channel = server_side.processor._connection
        first = channel.security_token.TokenId
        async with asyncio.timeout(60):
            while channel.security_token.TokenId < first + 3:
                await asyncio.sleep(0.01)
                assert (await driver.read(group, SLOT_NS)).values[0] == 20.5


async def test_a_renewal_that_fails_gives_the_connection_up(plant: PlantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "RENEW_SHARE", 1e-9)
    endpoint = endpoint_at(plant, timeout_s=2 * FROZEN_S)
    (group,) = scan_groups(endpoint)
    async with connected_at_last(endpoint, group) as driver:
        with plant.frozen(), capture_logs() as logs:
            await until(lambda: any(entry["event"] == "connection given up" for entry in logs))
            with pytest.raises(DeviceError) as error:
                await driver.read(group, SLOT_NS)
            assert "renewing the secure channel" in str(error.value), "nobody waits for an answer on a socket that is closed"
        assert error.value.connection_lost


@pytest.mark.parametrize("bug", [AssertionError("a bug of ours"), asyncio.CancelledError()], ids=["raises", "cancels itself"])
async def test_a_renewal_that_ends_by_a_defect_gives_the_connection_up(
    plant: PlantServer, monkeypatch: pytest.MonkeyPatch, bug: BaseException
) -> None:
    async def renew(_: Connection) -> None:
        raise bug

    monkeypatch.setattr(wire, "TOKEN_LIFE_MS", 100)
    monkeypatch.setattr(Connection, "renew", renew)
    endpoint = endpoint_at(plant)
    (group,) = scan_groups(endpoint)
    with capture_logs() as logs:
        async with connect(endpoint, [group], CLOCK) as driver:
            with pytest.raises(DeviceError, match="a defect, please report it") as error:
                async with asyncio.timeout(60):
                    while True:
                        await driver.read(group, SLOT_NS)
                        await asyncio.sleep(0.01)
            assert error.value.connection_lost
    assert [type(log["exc_info"]) for log in logs if log["log_level"] == "error"] == [type(bug)]


async def test_a_server_that_stops_is_lost_and_found_again() -> None:
    with PlantServer(port=free_port()) as first:
        first.put("tt", ua.DataValue(ua.Variant(1.0, ua.VariantType.Double)))
        endpoint = endpoint_of(first.url, {"TT": {"address": first.address("tt")}})
        (group,) = scan_groups(endpoint)
        async with connect(endpoint, [group], CLOCK) as driver:
            assert (await driver.read(group, SLOT_NS)).values[0] == 1.0
            first.stop()
            with pytest.raises(DeviceError) as error:
                await driver.read(group, SLOT_NS)
            assert error.value.connection_lost
        with pytest.raises(DeviceError, match="refused"):
            await scan_of(endpoint)
    with PlantServer(port=first.port) as second:
        second.put("tt", ua.DataValue(ua.Variant(2.0, ua.VariantType.Double)))
        assert (await scan_of(endpoint)).values[0] == 2.0
