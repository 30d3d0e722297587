"""Servers that take or send small messages only, as open62541 in a small controller: some end the connection over one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import ServiceError
from asyncua.server.subscription_service import SubscriptionService
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import uatcp_to_binary

from config.model import OpcUaEndpoint
from drivers.base import Clock, DeviceError, Quality, Scan, ScanGroup, scan_groups
from drivers.opcua.browse import Browser, start_of, walk
from drivers.opcua.learned import FIRST_WAIT_S, STRIKES, learned_of
from drivers.opcua.session import connect
from tests.system.opcua_peers import CLOCK, SLOT_NS, PlantServer, SystemClock, endpoint_of, nothing_left_behind

MANY = 100
NAMES = [f"{'a long name for a node, as controllers have them ':.50}{number:03}" for number in range(MANY)]
GREAT = NAMES[70]


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    async with nothing_left_behind():
        yield


@pytest.fixture
def plant() -> Iterator[PlantServer]:
    with PlantServer() as server:
        for number, name in enumerate(NAMES):
            server.put(name, ua.DataValue(ua.Variant(float(number), ua.VariantType.Double)))
        yield server


def endpoint_at(plant: PlantServer, mode: str = "poll") -> OpcUaEndpoint:
    tags = {f"T{number}": {"address": plant.address(name)} for number, name in enumerate(NAMES)}
    device = {"unit": "R-1", "groups": {"main": {"mode": mode, "period_s": 0.1}}, "tags": tags}
    return endpoint_of(plant.url, {}, devices={"plc": device}, timeout_s=60.0)


def hang_up(plant: PlantServer) -> None:
    """In the server's loop: end each connection as open62541 does."""
    error = ua.ErrorMessage()
    error.Error = ua.StatusCode(ua.UInt32(StatusCodes.BadResponseTooLarge))
    for client in list(plant.sockets):
        assert client.transport is not None
        client.transport.write(uatcp_to_binary(ua.MessageType.Error, error))  # type: ignore[arg-type]  # asyncua says bytes
        client.transport.close()


async def first_scan(endpoint: OpcUaEndpoint, group: ScanGroup, most: int, clock: Clock = CLOCK) -> tuple[Scan, int]:
    """As the endpoint's task does it: connect again until there is a scan. And how often it took."""
    for attempt in range(1, most + 1):
        try:
            async with connect(endpoint, [group], clock) as driver:
                return await driver.read(group, SLOT_NS), attempt
        except DeviceError as exc:
            assert exc.status == StatusCodes.BadResponseTooLarge
            assert exc.connection_lost
    pytest.fail(f"no scan in {most} connections")


@pytest.mark.parametrize("closes", [True, False], ids=["the connection ends", "the request is refused"])
async def test_a_value_too_great_for_its_server_costs_itself_only(plant: PlantServer, closes: bool) -> None:
    def answers(parameters: ua.ReadParameters) -> list[ua.DataValue]:
        if any(each.NodeId == plant.node(GREAT) for each in parameters.NodesToRead):
            if closes:
                hang_up(plant)
            raise ServiceError(StatusCodes.BadResponseTooLarge)
        return plant.stock_answers(parameters)

    endpoint = endpoint_at(plant)
    (group,) = scan_groups(endpoint)
    with plant.answering(answers):
        scan, attempts = await first_scan(endpoint, group, most=6)
        assert (attempts > 1) == closes
        again, attempts = await first_scan(endpoint, group, most=1)
    for each in (scan, again):
        assert each.status[70] == StatusCodes.BadResponseTooLarge
        assert each.quality.tolist() == [Quality.BAD if column == 70 else Quality.GOOD for column in range(MANY)]
        assert each.values[each.quality == Quality.GOOD].tolist() == [float(n) for n in range(MANY) if n != 70]


class Hurried(SystemClock):
    """Of which time can be let pass."""

    ahead_s = 0.0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + round(self.ahead_s * 1e9)


async def test_a_value_that_was_too_great_is_asked_for_again_after_a_while(plant: PlantServer) -> None:
    """It was bad until the daemon was started anew, though the server was set up better long ago."""
    too_great = [True]

    def answers(parameters: ua.ReadParameters) -> list[ua.DataValue]:
        if too_great[0] and any(each.NodeId == plant.node(GREAT) for each in parameters.NodesToRead):
            hang_up(plant)
            raise ServiceError(StatusCodes.BadResponseTooLarge)
        return plant.stock_answers(parameters)

    endpoint, clock = endpoint_at(plant), Hurried()
    (group,) = scan_groups(endpoint)
    with plant.answering(answers):
        scan, _ = await first_scan(endpoint, group, most=6, clock=clock)
        assert scan.status[70] == StatusCodes.BadResponseTooLarge
        async with connect(endpoint, [group], clock) as driver:
            clock.ahead_s += FIRST_WAIT_S
            with pytest.raises(DeviceError, match="BadResponseTooLarge"):
                await driver.read(group, SLOT_NS)
        scan, _ = await first_scan(endpoint, group, most=1, clock=clock)
        assert scan.status[70] == StatusCodes.BadResponseTooLarge, "one connection is enough to see that it still is"
        async with connect(endpoint, [group], clock) as driver:
            too_great[0] = False
            clock.ahead_s += FIRST_WAIT_S  # and as long as the machine takes for all this
            assert (await driver.read(group, SLOT_NS)).status[70] == StatusCodes.BadResponseTooLarge
            clock.ahead_s += FIRST_WAIT_S
            for _ in range(2):
                assert (await driver.read(group, SLOT_NS)).values.tolist() == [float(n) for n in range(MANY)]
    assert not learned_of(group).waits_s


async def test_a_tag_that_is_asked_for_beside_the_one_that_is_too_great_is_asked_for_again(plant: PlantServer) -> None:
    def answers(parameters: ua.ReadParameters) -> list[ua.DataValue]:
        if any(each.NodeId == plant.node(GREAT) for each in parameters.NodesToRead):
            hang_up(plant)
            raise ServiceError(StatusCodes.BadResponseTooLarge)
        return plant.stock_answers(parameters)

    tags = {f"T{number}": {"address": plant.address(name)} for number, name in enumerate([GREAT, *NAMES[:70]])}
    groups = {"main": {"period_s": 0.1}, "alone": {"period_s": 0.1}}
    tags["T70"]["group"] = "alone"
    device = {"unit": "R-1", "groups": groups, "tags": tags}
    endpoint = endpoint_of(plant.url, {}, devices={"plc": device}, timeout_s=60.0)
    main, alone = scan_groups(endpoint)
    with plant.answering(answers):
        for _ in range(8):
            async with connect(endpoint, [main, alone], CLOCK) as driver:
                both = await asyncio.gather(driver.read(main, SLOT_NS), driver.read(alone, SLOT_NS), return_exceptions=True)
            if not any(isinstance(each, BaseException) for each in both):
                break
    scans = [each for each in both if isinstance(each, Scan)]
    assert [each.status.tolist() for each in scans] == [[StatusCodes.BadResponseTooLarge] + [0] * 69, [0]]


async def test_a_group_of_which_nothing_is_asked_for_still_tells_that_its_server_is_gone(plant: PlantServer) -> None:
    endpoint = endpoint_at(plant)
    (group,) = scan_groups(endpoint)
    learned_of(group).refused.update(dict.fromkeys(range(MANY), int(StatusCodes.BadResponseTooLarge)))
    async with connect(endpoint, [group], CLOCK) as driver:
        assert set((await driver.read(group, SLOT_NS)).status.tolist()) == {StatusCodes.BadResponseTooLarge}
        driver.connection.abort()
        with pytest.raises(DeviceError):
            await driver.read(group, SLOT_NS)


@pytest.mark.parametrize(
    "limits", [{"max_message_size": 4096, "max_chunk_count": 0}, {"max_send_buffer": 8192, "max_chunk_count": 1}]
)
async def test_requests_are_as_small_as_the_server_says(
    plant: PlantServer, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plant.server.bserver is not None
    monkeypatch.setattr(plant.server.bserver, "limits", TransportLimits(**limits))
    endpoint = endpoint_at(plant)
    (group,) = scan_groups(endpoint)
    async with connect(endpoint, [group], CLOCK) as driver:
        plant.reads.clear()
        assert (await driver.read(group, SLOT_NS)).values.tolist() == [float(number) for number in range(MANY)]
        assert sum(plant.reads) == MANY
        assert len(plant.reads) == (3 if "max_message_size" in limits else 2), "as few as may be"


async def test_what_is_browsed_comes_in_small_answers(plant: PlantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plant.server.bserver is not None
    monkeypatch.setattr(plant.server.bserver, "limits", TransportLimits(max_message_size=4096, max_chunk_count=0))
    asked: list[tuple[int, int]] = []
    view = plant.server.iserver.view_service
    stock = view.browse

    def browse(parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
        asked.append((len(parameters.NodesToBrowse), parameters.RequestedMaxReferencesPerNode))
        return stock(parameters)

    monkeypatch.setattr(view, "browse", browse)
    async with connect(endpoint_at(plant), [], CLOCK) as driver:
        browser = Browser(driver.connection)
        found = await walk(browser, await start_of(browser, "Objects"), 5, 10_000, lambda *_: None)
    assert len(found.variables) == MANY
    assert all(nodes * references * 200 <= 4096 for nodes, references in asked)


async def test_changes_come_in_smaller_messages_after_one_was_too_large(
    plant: PlantServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    stock = SubscriptionService.create_subscription

    async def create(service: SubscriptionService, parameters: Any, *rest: Any, **more: Any) -> Any:
        asked.append(parameters.MaxNotificationsPerPublish)
        return await stock(service, parameters, *rest, **more)

    monkeypatch.setattr(SubscriptionService, "create_subscription", create)
    assert plant.server.bserver is not None
    monkeypatch.setattr(plant.server.bserver, "limits", TransportLimits(max_message_size=0, max_chunk_count=0))
    endpoint = endpoint_at(plant, "subscribe")
    (group,) = scan_groups(endpoint)
    for _ in range(2):
        with pytest.raises(DeviceError, match=r"BadResponseTooLarge|closed"):
            await _watched(plant, endpoint, group)
    assert asked == [0, MANY // 2]
    assert learned_of(group).notifications == MANY // 4


async def test_a_group_of_which_no_message_is_small_enough_is_polled(plant: PlantServer) -> None:
    endpoint = endpoint_at(plant, "subscribe")
    (group,) = scan_groups(endpoint)
    learned = learned_of(group)
    learned.notifications = 1
    for _ in range(STRIKES):
        assert not learned.unsubscribable
        with pytest.raises(DeviceError, match=r"BadResponseTooLarge|closed"):
            await _watched(plant, endpoint, group)
    async with connect(endpoint, [group], CLOCK) as driver, asyncio.timeout(60):
        notes = [*(scan := await driver.read(group, SLOT_NS)).notes]
        while scan.quality.any():
            await asyncio.sleep(0.01)
            notes += (scan := await driver.read(group, SLOT_NS)).notes
    assert scan.values.tolist() == list(range(MANY))
    assert [note.state for note in notes] == ["polled"]


async def _watched(plant: PlantServer, endpoint: OpcUaEndpoint, group: ScanGroup) -> None:
    """Until the server has ended the connection over a message of the subscription."""
    async with connect(endpoint, [group], CLOCK) as driver, asyncio.timeout(60):
        while (await driver.read(group, SLOT_NS)).quality.any():  # noqa: ASYNC110  the server is in another thread
            await asyncio.sleep(0.01)
        plant.loop.call_soon_threadsafe(hang_up, plant)
        while True:
            await driver.read(group, SLOT_NS)
            await asyncio.sleep(0.01)
