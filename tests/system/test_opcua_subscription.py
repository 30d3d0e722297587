"""Subscribed groups against asyncua's server: values right or marked, what is missing told, and always a way back."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.server.subscription_service import SubscriptionService
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from config.model import OpcUaEndpoint
from drivers.base import DeviceError, Quality, Scan, ScanGroup, scan_groups
from drivers.opcua import subscribe, subscription, upkeep
from drivers.opcua.session import Session, connect
from tests.system.opcua_peers import CLOCK, PlantServer, nothing_left_behind
from tests.wire.lateness import where_it_is_prompt

DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    async with nothing_left_behind():
        yield


@pytest.fixture
def plant() -> Iterator[PlantServer]:
    with PlantServer() as server:
        yield server


def write(plant: PlantServer, name: str, value: ua.DataValue) -> None:
    """Make the variable if there is none, and tell subscribers."""
    node = plant.node(name)

    async def give() -> None:
        if node not in plant.server.iserver.aspace:
            await plant.server.nodes.objects.add_variable(node, name, value.Value)
        await plant.server.iserver.aspace.write_attribute_value(node, AttributeIds.Value, value)

    plant.call(give())


def real(value: float, status: int = 0) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, ua.VariantType.Double), ua.StatusCode(ua.UInt32(status)), ua.DateTime(2026, 11, 26))


def endpoint_at(plant: PlantServer, **tags: dict[str, Any]) -> OpcUaEndpoint:
    group = {"mode": "subscribe", "period_s": 0.05}
    device = {"unit": "R-1", "groups": {"main": group}, "tags": tags}
    return OpcUaEndpoint.model_validate({"name": "south", "url": plant.url, "devices": {"plc": device}, "timeout_s": 30.0})


def with_group(endpoint: OpcUaEndpoint, **settings: object) -> OpcUaEndpoint:
    """The same, its one group set otherwise."""
    (device,) = endpoint.devices
    groups = (device.groups[0].model_copy(update=settings),)
    return endpoint.model_copy(update={"devices": (device.model_copy(update={"groups": groups}),)})


async def scan_until(driver: Session, group: ScanGroup, true: Callable[[Scan], bool]) -> Scan:
    async with asyncio.timeout(DEADLINE_S):
        while not true(scan := await driver.read(group, time.time_ns())):  # noqa: ASYNC110  the server is in another thread
            await asyncio.sleep(0.01)
    return scan


def states_of(scans: list[Scan]) -> list[str]:
    return [note.state for scan in scans for note in scan.notes]


async def test_a_slot_has_the_last_value_told_and_each_tag_its_own_status(plant: PlantServer) -> None:
    write(plant, "tt", real(20.5))
    write(plant, "phase", ua.DataValue(ua.Variant("Dose", ua.VariantType.String)))
    endpoint = endpoint_at(
        plant,
        TT={"address": plant.address("tt"), "scale": 2.0},
        GONE={"address": plant.address("gone")},
        ELSEWHERE={"address": "nsu=urn:elsewhere;s=x"},
        PHASE={"address": plant.address("phase"), "kind": "text"},
    )
    (group,) = scan_groups(endpoint)
    with plant.counting() as services:
        async with connect(endpoint, [group], CLOCK) as driver:
            scan = await scan_until(driver, group, lambda scan: scan.values[0] == 41.0 and scan.texts == ("Dose",))
            assert scan.quality.tolist() == [Quality.GOOD, Quality.BAD, Quality.BAD, Quality.GOOD]
            assert scan.status[1:3].tolist() == [StatusCodes.BadNodeIdUnknown] * 2
            write(plant, "tt", real(30.0))
            write(plant, "phase", ua.DataValue(ua.Variant("Heat", ua.VariantType.String)))
            await scan_until(driver, group, lambda scan: scan.values[0] == 60.0 and scan.texts == ("Heat",))
            write(plant, "tt", real(1.0, StatusCodes.BadSensorFailure))
            scan = await scan_until(driver, group, lambda scan: scan.status[0] == StatusCodes.BadSensorFailure)
            assert scan.values[0] != scan.values[0]
            assert scan.texts == ("Heat",)
        assert services["Read"] == 1, "nothing is polled"
    assert plant.sessions == 0


async def test_a_session_of_which_nothing_is_polled_is_kept_alive(plant: PlantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keep-alives are answers: where they are rarer than the session's timeout the server would end it."""
    monkeypatch.setattr(subscription, "KEEP_ALIVE_S", 60.0)
    monkeypatch.setattr(upkeep, "KEEP_ALIVE_SHARE", 1 / 400)
    server = plant.server.iserver  # it grants so much that a machine that stands still does not use it up
    server.min_session_timeout_ms = server.max_session_timeout_ms = 40_000
    write(plant, "tt", real(20.5))
    endpoint = endpoint_at(plant, TT={"address": plant.address("tt")})
    (group,) = scan_groups(endpoint)
    async with connect(endpoint, [group], CLOCK) as driver:
        await scan_until(driver, group, lambda scan: scan.values[0] == 20.5)
        plant.reads.clear()
        scan = await scan_until(driver, group, lambda scan: len(plant.reads) >= 8 or bool(scan.notes) or bool(scan.quality[0]))
        assert (states_of([scan]), scan.quality[0]) == ([], Quality.GOOD)
        assert plant.sessions == 1


@asynccontextmanager
async def subscribed_at_last(endpoint: OpcUaEndpoint, group: ScanGroup, value: float) -> AsyncIterator[Session]:
    """Told `value`; connected to again and again, where a busy machine takes longer than the timeout for it."""
    async with AsyncExitStack() as lasting:
        while True:
            with suppress(DeviceError):
                async with AsyncExitStack() as attempt:
                    driver = await attempt.enter_async_context(connect(endpoint, [group], CLOCK))
                    await scan_until(driver, group, lambda scan: bool(scan.values[0] == value))
                    await lasting.enter_async_context(attempt.pop_all())
                    break
        yield driver


async def test_a_server_that_stands_still_is_stale_and_never_good(plant: PlantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "KEEP_ALIVE_S", 0.1)
    write(plant, "tt", real(20.5))
    endpoint = endpoint_at(plant, TT={"address": plant.address("tt")}).model_copy(update={"timeout_s": 2.0})
    (group,) = scan_groups(endpoint)
    async with subscribed_at_last(endpoint, group, 20.5) as driver:
        with plant.frozen():
            scan = await scan_until(driver, group, lambda scan: bool(scan.quality[0] == Quality.STALE))
            assert scan.values[0] != scan.values[0]
            with pytest.raises(DeviceError, match="no answer within 2 s"):
                await scan_until(driver, group, lambda scan: scan.quality[0] == Quality.GOOD)


async def test_a_subscription_that_the_server_has_lost_is_built_again(
    plant: PlantServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "KEEP_ALIVE_S", 0.1)
    monkeypatch.setattr(subscribe, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(subscribe, "FAILURES", 100)
    write(plant, "tt", real(20.5))
    endpoint = endpoint_at(plant, TT={"address": plant.address("tt")})
    (group,) = scan_groups(endpoint)
    scans: list[Scan] = []

    def seen(scan: Scan) -> bool:
        scans.append(scan)
        return states_of(scans)[-1:] == ["subscribed"] and scan.values[0] == 33.0

    async with connect(endpoint, [group], CLOCK) as driver:
        await scan_until(driver, group, lambda scan: seen(scan) or scan.values[0] == 20.5)
        service = plant.server.iserver.subscription_service
        before = states_of(scans)
        plant.call(service.delete_subscriptions(list(service.subscriptions)))
        write(plant, "tt", real(33.0))
        await scan_until(driver, group, lambda scan: seen(scan) and len(states_of(scans)) >= len(before) + 2)
    states = states_of(scans)  # a machine that stands still is a silent server too, and may be told as often
    assert states == ["subscribed", *["stale", "subscribed"] * (len(states) // 2)]


async def test_a_server_without_subscriptions_is_polled_and_that_is_told_once(
    plant: PlantServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribe, "FIRST_WAIT_S", 0.01)
    write(plant, "tt", real(20.5))

    async def refuse(*_: object, **__: object) -> None:
        raise ServiceError(StatusCodes.BadTooManySubscriptions)

    monkeypatch.setattr(plant.server.iserver.subscription_service, "create_subscription", refuse)
    endpoint = endpoint_at(plant, TT={"address": plant.address("tt")})
    (group,) = scan_groups(endpoint)
    scans: list[Scan] = []

    def seen(scan: Scan) -> bool:
        scans.append(scan)
        return bool(scan.values[0] == 20.5)

    async with connect(endpoint, [group], CLOCK) as driver:
        await scan_until(driver, group, seen)
        scans.append(await driver.read(group, time.time_ns()))
    assert states_of(scans) == ["polled"]
    assert any("BadTooManySubscriptions" in note.cause for scan in scans for note in scan.notes)


async def test_a_message_that_is_missing_is_asked_for_again(plant: PlantServer) -> None:
    """The driver is made to expect an earlier number: the server has that message no more, and that is told."""
    write(plant, "tt", real(20.5))
    endpoint = endpoint_at(plant, TT={"address": plant.address("tt")})
    (group,) = scan_groups(endpoint)
    async with connect(endpoint, [group], CLOCK) as driver:
        await scan_until(driver, group, lambda scan: scan.values[0] == 20.5)
        assert driver.subscriptions is not None
        (followed,) = driver.subscriptions.groups.values()
        followed._messages._next -= 1
        with plant.counting() as services:
            write(plant, "tt", real(21.0))
            scan = await scan_until(driver, group, lambda scan: "changes lost" in states_of([scan]))
            assert any("the server has them no more" in note.cause for note in scan.notes)
            await scan_until(driver, group, lambda scan: scan.values[0] == 21.0)
        assert services["Republish"] == 1


class Reticent:
    """A server that, from `begin` on, tells no change of the variable `name` to the first items that monitor it."""

    def __init__(self, name: str) -> None:
        self._name, self._items, self._muted = name, 0, set[int]()

    def begin(self, items: int) -> None:
        """To so many items, those that are there included."""
        self._items = items

    def mutes(self, number: int, node: ua.NodeId) -> bool:
        """Whether a change is kept from the monitored item `number`."""
        if node.Identifier == self._name and len(self._muted) < self._items:
            self._muted.add(number)
        return number in self._muted


@contextmanager
def reticent(name: str) -> Iterator[Reticent]:
    """Of a server that is connected to while it lasts."""
    stock, keeping = MonitoredItemService.datachange_callback, Reticent(name)

    async def callback(service: MonitoredItemService, handle: int, value: ua.DataValue, error: object = None) -> None:
        number = service._monitored_datachange[handle]
        node = service._monitored_items[number].read_value_id
        assert node is not None
        if not keeping.mutes(number, node.NodeId):
            await stock(service, handle, value)

    with patch.object(MonitoredItemService, "datachange_callback", callback):
        yield keeping


def verified_soon(endpoint: OpcUaEndpoint) -> OpcUaEndpoint:
    """A quiet tag is read five times a second, and each has 2.1 s to be told."""
    return with_group(endpoint.model_copy(update={"timeout_s": 2.0}), freshness_s=0.2)


async def seen_until(driver: Session, group: ScanGroup, scans: list[Scan], true: Callable[[Scan], bool]) -> Scan:
    """As `scan_until`; all that were read are added to `scans`."""

    def seen(scan: Scan) -> bool:
        scans.append(scan)
        return true(scan)

    return await scan_until(driver, group, seen)


@where_it_is_prompt(0.5)  # whatever changes is to be told within 2.1 s
async def test_a_tag_whose_changes_are_not_told_is_stale_then_asked_for_anew_then_polled(plant: PlantServer) -> None:
    for name in ("tt", "pt"):
        write(plant, name, real(20.0))
    endpoint = verified_soon(endpoint_at(plant, TT={"address": plant.address("tt")}, PT={"address": plant.address("pt")}))
    (group,) = scan_groups(endpoint)
    scans: list[Scan] = []
    with reticent("tt") as server:
        async with connect(endpoint, [group], CLOCK) as driver:
            await seen_until(driver, group, scans, lambda scan: scan.values.tolist() == [20.0, 20.0])
            server.begin(items=2)
            write(plant, "tt", real(21.0))
            write(plant, "pt", real(22.0))
            scan = await seen_until(driver, group, scans, lambda scan: bool(scan.quality[0] == Quality.STALE))
            assert scan.values[1] == 22.0, "the others go on"
            assert "does not tell changes of TT:" in scan.notes[0].cause
            stale = len(scans)
            await seen_until(driver, group, scans, lambda scan: scan.values.tolist() == [21.0, 22.0])
            write(plant, "tt", real(23.0))
            await seen_until(driver, group, scans, lambda scan: scan.values[0] == 23.0)
    assert states_of(scans) == ["subscribed", "stale", "polled"]
    assert any("not for the first time of TT" in note.cause for scan in scans for note in scan.notes)
    assert {scan.values[0] for scan in scans[stale:] if scan.quality[0] == Quality.GOOD} == {21.0, 23.0}


@where_it_is_prompt(0.5)
async def test_a_tag_that_is_told_once_it_was_asked_for_anew_stays_subscribed(plant: PlantServer) -> None:
    write(plant, "tt", real(20.0))
    endpoint = verified_soon(endpoint_at(plant, TT={"address": plant.address("tt")}))
    (group,) = scan_groups(endpoint)
    scans: list[Scan] = []
    with reticent("tt") as server:
        server.begin(items=1)
        async with connect(endpoint, [group], CLOCK) as driver:
            await seen_until(driver, group, scans, lambda scan: scan.values[0] == 20.0)
            write(plant, "tt", real(21.0))
            await seen_until(driver, group, scans, lambda scan: scan.values[0] == 21.0)
    assert states_of(scans) == ["subscribed", "stale"], "it had no first value"
    assert {scan.values[0] for scan in scans if scan.quality[0] == Quality.GOOD} == {20.0, 21.0}


async def test_a_server_that_takes_no_deadband_is_asked_without(plant: PlantServer) -> None:
    for name in ("tt", "pt"):
        write(plant, name, real(20.0))
    stock = MonitoredItemService.create_monitored_items

    async def create(service: MonitoredItemService, params: ua.CreateMonitoredItemsParameters) -> list[Any]:
        results = await stock(service, params)
        for item, result in zip(params.ItemsToCreate, results, strict=True):
            if hasattr(item.RequestedParameters.Filter, "DeadbandValue"):
                service.delete_monitored_items([result.MonitoredItemId])
                result.StatusCode = ua.StatusCode(ua.UInt32(StatusCodes.BadMonitoredItemFilterUnsupported))
        return results

    with_deadband = {"address": plant.address("tt"), "deadband": 5.0}
    endpoint = endpoint_at(plant, TT=with_deadband, PT={"address": plant.address("pt")})
    (group,) = scan_groups(endpoint)
    with patch.object(MonitoredItemService, "create_monitored_items", create):
        async with connect(endpoint, [group], CLOCK) as driver:
            scan = await scan_until(driver, group, lambda scan: bool(scan.notes))
            assert "the server takes no deadband of TT: every change is told" in scan.notes[0].cause
            await scan_until(driver, group, lambda scan: scan.values.tolist() == [20.0, 20.0])
            write(plant, "tt", real(20.125))
            await scan_until(driver, group, lambda scan: scan.values.tolist() == [20.125, 20.0])


@pytest.mark.parametrize("told_ms", [0.0, -1.0, float("nan"), float("inf"), 1e300])
async def test_a_server_that_tells_no_interval_is_taken_to_do_as_asked(plant: PlantServer, told_ms: float) -> None:
    write(plant, "tt", real(20.0))
    stock, stock_items = SubscriptionService.create_subscription, MonitoredItemService.create_monitored_items

    async def create(service: SubscriptionService, *given: Any, **named: Any) -> ua.CreateSubscriptionResult:
        result = await stock(service, *given, **named)
        return dataclasses.replace(result, RevisedPublishingInterval=ua.Double(told_ms))

    async def create_items(service: MonitoredItemService, params: ua.CreateMonitoredItemsParameters) -> list[Any]:
        results = await stock_items(service, params)
        for result in results:
            result.RevisedSamplingInterval = ua.Double(told_ms)
        return results

    endpoint = endpoint_at(plant, TT={"address": plant.address("tt")})
    (group,) = scan_groups(endpoint)
    with (
        patch.object(SubscriptionService, "create_subscription", create),
        patch.object(MonitoredItemService, "create_monitored_items", create_items),
    ):
        async with connect(endpoint, [group], CLOCK) as driver:
            scan = await scan_until(driver, group, lambda scan: bool(scan.notes))
            assert scan.notes[0].cause == "published each 0.05 s, sampled each 0.05 s (asked: 0.05, 0.05)"
            await scan_until(driver, group, lambda scan: scan.values[0] == 20.0)


async def test_a_group_with_a_tag_that_can_be_read_and_not_monitored_is_polled(plant: PlantServer) -> None:
    """A server that takes two monitored items, say: the third tag stayed bad, and its value was there to be read."""
    for name in ("tt", "pt", "ft"):
        write(plant, name, real(20.0))
    stock = MonitoredItemService.create_monitored_items

    async def create(service: MonitoredItemService, params: ua.CreateMonitoredItemsParameters) -> list[Any]:
        results = await stock(service, params)
        service.delete_monitored_items([results[2].MonitoredItemId])
        results[2].StatusCode = ua.StatusCode(ua.UInt32(StatusCodes.BadTooManyMonitoredItems))
        return results

    tags = {name.upper(): {"address": plant.address(name)} for name in ("tt", "pt", "ft")}
    endpoint = endpoint_at(plant, **tags)
    (group,) = scan_groups(endpoint)
    scans: list[Scan] = []
    with patch.object(MonitoredItemService, "create_monitored_items", create):
        async with connect(endpoint, [group], CLOCK) as driver:
            await seen_until(driver, group, scans, lambda scan: scan.values.tolist() == [20.0, 20.0, 20.0])
            write(plant, "ft", real(21.0))
            await seen_until(driver, group, scans, lambda scan: scan.values.tolist() == [20.0, 20.0, 21.0])
    notes = [note for scan in scans for note in scan.notes]
    assert [note.state for note in notes] == ["subscribed", "polled"]
    assert notes[1].cause == "the server does not monitor what it lets read: FT"


@pytest.mark.parametrize(("kept", "asked"), [(1, 10), (3, 10), (10, 10), (1, 1)])
async def test_a_server_that_keeps_fewer_values_than_asked_for_is_told_of(plant: PlantServer, kept: int, asked: int) -> None:
    """A queue of one drops values and sets no bit: the gap was silent."""
    write(plant, "tt", real(20.0))
    endpoint = with_group(endpoint_at(plant, TT={"address": plant.address("tt")}), sampling_s=0.01, queue_size=asked)
    (group,) = scan_groups(endpoint)
    with patch.object(MonitoredItemService, "_revise_queue_size", lambda _, size: min(size, kept)):
        async with connect(endpoint, [group], CLOCK) as driver:
            (built, *more) = (await scan_until(driver, group, lambda scan: bool(scan.notes))).notes
            await scan_until(driver, group, lambda scan: scan.values[0] == 20.0)
    assert ("the server keeps 3 values (asked: 10) of TT" in built.cause) == (kept == 3)
    assert [note.state for note in more] == (["changes lost"] if (kept, asked) == (1, 10) else [])
    assert all("keeps 1 value (asked: 10)" in note.cause and note.cause.endswith(": TT") for note in more)


async def test_what_comes_between_two_slots_is_in_the_scan_of_the_next_in_its_order(plant: PlantServer) -> None:
    for name in ("tt", "pt"):
        write(plant, name, real(20.0))
    write(plant, "phase", ua.DataValue(ua.Variant("Heat", ua.VariantType.String)))
    endpoint = endpoint_at(
        plant,
        TT={"address": plant.address("tt"), "scale": 2.0},
        PT={"address": plant.address("pt")},
        PHASE={"address": plant.address("phase"), "kind": "text"},
    )
    endpoint = with_group(endpoint, sampling_s=0.01, queue_size=10)
    (group,) = scan_groups(endpoint)
    async with connect(endpoint, [group], CLOCK) as driver:
        await scan_until(driver, group, lambda scan: scan.values[0] == 40.0 and scan.texts == ("Heat",))
        for n, value in enumerate([21.0, 22.0, 23.0]):
            stamp = ua.DateTime(2026, 11, 26, 12, 0, n)
            write(plant, "tt", ua.DataValue(ua.Variant(value), SourceTimestamp=stamp))
        write(plant, "pt", real(5.0))
        for phase in ("Dose", "Hold"):
            write(plant, "phase", ua.DataValue(ua.Variant(phase, ua.VariantType.String)))
        assert driver.subscriptions is not None
        (followed,) = driver.subscriptions.groups.values()
        async with asyncio.timeout(DEADLINE_S):
            while followed.taken < 9:  # noqa: ASYNC110  the server is in another thread
                await asyncio.sleep(0.01)
        scan = await driver.read(group, time.time_ns())
        later = await driver.read(group, time.time_ns())
    assert scan.values[:2].tolist() == [46.0, 5.0]
    assert scan.texts == ("Hold",)
    assert scan.changes is not None
    assert scan.changes.columns.tolist() == [0, 0]
    assert scan.changes.values.tolist() == [42.0, 44.0]
    assert np.diff(scan.changes.source_ns).tolist() == [1_000_000_000]
    assert [note.state for note in scan.notes] == ["changes lost"]
    assert "recorded in slots only, also from now on: PHASE" in scan.notes[0].cause
    assert later.changes is None
