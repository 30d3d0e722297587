"""Subscribed groups through what wires and servers do, on real sockets: values are right or marked, and collecting resumes.

The server's value is the time, in steps of 50 ms: so a good value tells by itself how old it is.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer, ServiceError
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.subscription_service import SubscriptionService
from asyncua.ua.status_codes import StatusCodes
from structlog.testing import capture_logs

from collector.acquire.clock import PlantClock
from collector.acquire.endpoint import EndpointTask
from collector.acquire.health import Health
from collector.terms import Event, EventKind
from config.model import Device, OpcUaEndpoint
from config.tags import Tag
from drivers.base import Clock, Driver, Endpoint, Quality, Scan, ScanGroup, scan_groups
from drivers.opcua import subscribe, subscription, upkeep, wire
from drivers.opcua.faults import refused
from drivers.opcua.session import connect
from drivers.opcua.wire import Connection, Question
from drivers.opcua.wire_prepared import Numbers, Take
from simulators.opcua.server import OpcUaServer
from simulators.source import Point, Reading
from simulators.upset import Upset
from simulators.wire.wire import Wire
from tests.servers import free_port
from tests.simulated_source import Changeable
from tests.system.opcua_peers import nothing_left_behind
from tests.system.secured_plant import Site
from tests.wire.lateness import Lateness, lateness

PERIOD_S, TIMEOUT_S, BACKOFF_S, KEEP_ALIVE_S = 0.05, 0.9, 0.1, 0.15
PATIENCE_S = 60.0
"""The timeout where nothing is to time out."""
SILENCE_S = subscription.SILENT_KEEP_ALIVES * KEEP_ALIVE_S
STEP_NS = 50_000_000
SLACK_S = 1.0
"""What the simulator's sampling and the machine may add to any wait; a machine that is busier is measured."""
DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    async with nothing_left_behind(wire.CLOSE_S):  # there are servers here that do not let go
        yield


@pytest.fixture(autouse=True)
def hasty() -> Iterator[None]:
    """Waits of seconds are tenths here."""
    with (
        patch.object(subscription, "KEEP_ALIVE_S", KEEP_ALIVE_S),
        patch.object(subscribe, "FIRST_WAIT_S", 0.02),
        patch.object(subscribe, "WATCH_S", 0.05),
        patch.object(subscribe, "RETRY_S", 0.2),
        patch.object(subscribe, "LASTING_S", 0.0),
    ):
        yield


@pytest.fixture
def patient() -> Iterator[None]:
    """A machine that stands still for a while is not taken for a server that is silent: for tests of anything else."""
    with patch.object(subscription, "SILENT_KEEP_ALIVES", 500), patch.object(subscription, "LIFETIME_KEEP_ALIVES", 5000):
        yield


def step_at(time_ns: int) -> int:
    return time_ns // STEP_NS


class Ticking:
    """A source whose every value is the time."""

    def refresh(self) -> int:
        return step_at(time.time_ns())

    def point(self, _device: Device, _tag: Tag) -> Point:
        return lambda: Reading(float(step_at(time.time_ns())), 0, time.time_ns() // 1000 * 1000)


@dataclass
class Seen:
    """What the endpoint's task has given. `ticking`: the values are the time, and held against it."""

    ticking: bool = True
    scans: list[Scan] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    late: Lateness = field(default_factory=Lateness)
    """Of the machine."""
    oldest_s: float = 0.0
    """Of the good values."""
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, scan: Scan) -> None:
        if self.ticking:
            self.oldest_s = max(self.oldest_s, age_s_of_right_or_marked(scan))
        self.scans.append(scan)
        self.more.set()

    def tell(self, event: Event) -> None:
        self.events.append(event)

    async def until(self, true: Callable[[Scan], bool]) -> Scan:
        """The first scan from now on of which it is true."""
        begin = len(self.scans)
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for scan in self.scans[begin:]:
                    if true(scan):
                        return scan
                begin = len(self.scans)
                self.more.clear()
                await self.more.wait()

    async def until_told(self, *states: str) -> None:
        """Until these were told of the subscription, and no others."""
        async with asyncio.timeout(DEADLINE_S):
            while self.states != list(states):
                assert self.states == list(states)[: len(self.states)]
                await self.until(lambda _: True)

    def is_unharmed(self, scan: Scan) -> bool:
        """All good; or lost to the machine alone, which was late by more than a good part of a period."""
        return is_good(scan) or (scan.lost and self.late.worst_s > PERIOD_S / 2)

    @property
    def states(self) -> list[str]:
        return [str(event.body["state"]) for event in self.events if event.kind is EventKind.SUBSCRIPTION]


def age_s_of_right_or_marked(scan: Scan) -> float:
    """Of the oldest good value; never from the future."""
    oldest_s = 0.0
    for value, quality in zip(scan.values.tolist(), scan.quality.tolist(), strict=True):
        if quality == Quality.GOOD:
            age_s = (step_at(scan.received_ns) - value) * STEP_NS / 1e9
            assert age_s >= -0.06, age_s
            oldest_s = max(oldest_s, age_s)
        else:
            assert math.isnan(value), "what is not good has no value"
    return oldest_s


def is_good(scan: Scan) -> bool:
    return not scan.quality.any()


def is_marked(scan: Scan) -> bool:
    return bool((scan.quality >= Quality.BAD).all())


def is_stale(scan: Scan) -> bool:
    return bool((scan.quality == Quality.STALE).all())


def connect_opcua(endpoint: Endpoint, groups: Sequence[ScanGroup], clock: Clock) -> AbstractAsyncContextManager[Driver]:
    assert isinstance(endpoint, OpcUaEndpoint)
    return connect(endpoint, groups, clock)


TAGS = {f"T{n}": {"address": f"ns=2;s=T{n}"} for n in range(3)}


def endpoint_of(url: str, tags: dict[str, dict[str, Any]] = TAGS, **settings: Any) -> OpcUaEndpoint:
    group = {"mode": "subscribe", "period_s": PERIOD_S} | settings.pop("group", {})
    device = {"unit": "R-201", "groups": {"main": group}, "tags": tags}
    waits = {"timeout_s": TIMEOUT_S, "backoff_s": BACKOFF_S, "backoff_limit_s": 2 * BACKOFF_S}
    return OpcUaEndpoint.model_validate({"name": "opc", "url": url, "devices": {"plc": device}} | waits | settings)


@asynccontextmanager
async def collecting(endpoint: OpcUaEndpoint, *, ticking: bool = True) -> AsyncIterator[Seen]:
    """The endpoint as the daemon runs it; a good value is not older than a subscription that is heard may leave it."""
    seen = Seen(ticking)
    work = EndpointTask(endpoint, scan_groups(endpoint), connect_opcua, PlantClock(), seen, Health(seen.tell))
    task = asyncio.create_task(work.run())
    async with lateness() as seen.late:
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
    assert seen.oldest_s <= SILENCE_S + SLACK_S + 3 * seen.late.worst_s


async def resumes(seen: Seen) -> float:
    """How long it takes from now until there is a good value of now, seconds."""
    now_ns = time.time_ns()
    scan = await seen.until(lambda scan: is_good(scan) and bool((scan.values >= step_at(now_ns)).all()))
    return (scan.received_ns - now_ns) / 1e9


async def test_through_each_trouble_of_the_wire_values_are_right_or_marked_and_come_back() -> None:
    async with Wire("opc", port=free_port()) as relay:
        endpoint = endpoint_of(f"opc.tcp://127.0.0.1:{relay.port}/plant")
        async with OpcUaServer(endpoint, Ticking(), advertised=("127.0.0.1", relay.port), lean=True) as server:
            relay.target = ("127.0.0.1", server.port)
            async with collecting(endpoint) as seen:
                await resumes(seen)
                for kind in ("freeze", "half_open", "reset", "restart", "cut", "garbage", "drop_sessions"):
                    upset = Upset(kind, "opc")
                    end = server.disturb(upset) if kind == "drop_sessions" else relay.disturb(upset)
                    await seen.until(is_stale if kind in ("freeze", "half_open") else is_marked)
                    end()
                    async with lateness() as late:
                        took_s = await resumes(seen)
                    assert took_s <= 2 * BACKOFF_S * 1.2 + PERIOD_S + TIMEOUT_S + SLACK_S + 2 * late.sum_s, kind
                async with asyncio.timeout(DEADLINE_S):
                    while relay.connections != 1:  # one, whatever happened; the relay hears of the end of another a moment later
                        await seen.until(lambda _: True)


async def test_late_answers_are_right_values_all_the_same(patient: None) -> None:
    async with Wire("opc") as relay:
        endpoint = endpoint_of(f"opc.tcp://127.0.0.1:{relay.port}/plant", timeout_s=PATIENCE_S)
        async with OpcUaServer(endpoint, Ticking(), advertised=("127.0.0.1", relay.port), lean=True) as server:
            relay.target = ("127.0.0.1", server.port)
            async with collecting(endpoint) as seen:
                await resumes(seen)
                begin = len(seen.scans)
                relay.disturb(Upset("delay", "opc", 0.15))
                await resumes(seen)
                await resumes(seen)
                assert all(seen.is_unharmed(scan) for scan in seen.scans[begin:])
    assert seen.states == ["subscribed"]


async def test_a_message_that_got_lost_is_had_again_and_nothing_is_missing(patient: None) -> None:
    """The server has sent it, and keeps it until it is acknowledged."""
    source = Changeable()
    source.set("T0", 1.0)
    tags = {"T0": TAGS["T0"]}
    endpoint = endpoint_of("opc.tcp://h:1/plant", tags, group={"queue_size": 10}, timeout_s=PATIENCE_S)
    stock, losing = Connection.publish, [False]

    async def publish(connection: Connection, received: Numbers, take: Take) -> bytes:
        def taken_or_lost(body: bytes) -> Numbers | None:
            if losing[0] and len(body) > 100:
                losing[0] = False
                return ()
            return take(body)

        return await stock(connection, received, taken_or_lost)

    async with OpcUaServer(endpoint, source, lean=True) as server:
        (group,) = scan_groups(endpoint.model_copy(update={"url": server.url}))
        with patch.object(Connection, "publish", publish):
            async with connect(endpoint.model_copy(update={"url": server.url}), [group], PlantClock()) as driver:
                told = Told(driver, group)
                await told.until(1.0)
                losing[0] = True
                source.set("T0", 2.0)
                async with asyncio.timeout(DEADLINE_S):
                    while losing[0]:  # noqa: ASYNC110  the loss has no event
                        await asyncio.sleep(0.005)
                source.set("T0", 3.0)
                await told.until(3.0)
                await told.until_told("subscribed")
    assert told.values == [1.0, 2.0, 3.0]


async def test_while_missing_messages_are_slow_to_come_no_old_value_is_called_good() -> None:
    """Newer messages come and wait for them: the subscription is heard, and its values are as old as they would be in silence."""
    endpoint = endpoint_of("opc.tcp://h:1/plant", {"T0": TAGS["T0"]})
    stock, stock_ask, to_lose = Connection.publish, Connection.ask, [0]

    async def publish(connection: Connection, received: Numbers, take: Take) -> bytes:
        def taken_or_lost(body: bytes) -> Numbers | None:
            if to_lose[0] and len(body) > 100:
                to_lose[0] -= 1
                return ()
            return take(body)

        return await stock(connection, received, taken_or_lost)

    async def ask(connection: Connection, request: Question, doing: str) -> Buffer:
        if isinstance(request, ua.RepublishRequest):
            await asyncio.sleep(0.9 * TIMEOUT_S)
        return await stock_ask(connection, request, doing)

    slots_between = patch.object(subscribe, "FIRST_WAIT_S", 4 * PERIOD_S)  # else it may be built anew between two slots
    async with OpcUaServer(endpoint, Ticking(), lean=True) as server:
        with slots_between, patch.object(Connection, "publish", publish), patch.object(Connection, "ask", ask):
            async with collecting(endpoint.model_copy(update={"url": server.url})) as seen:
                await seen.until(is_good)
                to_lose[0] = 3
                await seen.until(is_stale)
                await seen.until(is_good)


async def test_after_messages_are_missing_for_good_no_old_value_is_called_good(patient: None) -> None:
    """The message with the newest value came never, and nothing changes any more: the value before it was recorded as good."""
    source = Changeable()
    source.set("T0", 1.0)
    endpoint = endpoint_of("opc.tcp://h:1/plant", {"T0": TAGS["T0"]}, timeout_s=PATIENCE_S)
    stock, stock_ask, losing = Connection.publish, Connection.ask, [False]

    async def publish(connection: Connection, received: Numbers, take: Take) -> bytes:
        def taken_or_lost(body: bytes) -> Numbers | None:
            if losing[0] and len(body) > 100:
                losing[0] = False
                return ()
            return take(body)

        return await stock(connection, received, taken_or_lost)

    async def ask(connection: Connection, request: Question, doing: str) -> Buffer:
        if isinstance(request, ua.RepublishRequest):
            raise refused(StatusCodes.BadMessageNotAvailable, doing)
        return await stock_ask(connection, request, doing)

    async with OpcUaServer(endpoint, source, lean=True) as server:
        (group,) = scan_groups(endpoint.model_copy(update={"url": server.url}))
        with patch.object(Connection, "publish", publish), patch.object(Connection, "ask", ask):
            async with connect(endpoint.model_copy(update={"url": server.url}), [group], PlantClock()) as driver:
                told = Told(driver, group)
                await told.until(1.0)
                losing[0] = True
                source.set("T0", 2.0)
                await told.until(2.0)
                await told.until_told("subscribed", "changes lost", "stale", "subscribed")
    assert told.values == [1.0, 2.0]


@dataclass
class Told:
    """A driver that is read in each slot, and all values of its one tag in their order."""

    driver: Driver
    group: ScanGroup
    values: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    async def until(self, value: float) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while value not in self.values:
                await self._read()

    async def until_told(self, *states: str) -> None:
        """These, and no others: a value may be there before it is told that the subscription stands."""
        async with asyncio.timeout(DEADLINE_S):
            while self.states != list(states):
                assert self.states == list(states)[: len(self.states)]
                await self._read()

    async def _read(self) -> None:
        scan = await self.driver.read(self.group, time.time_ns())
        between = [] if scan.changes is None else scan.changes.values.tolist()
        for each in [*between, *scan.values.tolist()]:
            if not math.isnan(each) and each not in self.values[-1:]:
                self.values.append(each)
        self.states += [note.state for note in scan.notes]
        await asyncio.sleep(0.01)


@contextmanager
def overflow_told() -> Iterator[None]:
    """asyncua's server drops the oldest of a full queue, but leaves out the bit that says so (part 4, 7.39.1)."""
    stock = InternalSubscription._enqueue_event

    async def enqueue(self: InternalSubscription, mid: int, event: Any, size: int, queue: dict[int, list[Any]]) -> None:
        full = mid in queue and len(queue[mid]) >= size
        await stock(self, mid, event, size, queue)
        if full:
            queue[mid][0].Value.StatusCode = ua.StatusCode(ua.UInt32(0x480))

    with patch.object(InternalSubscription, "_enqueue_event", enqueue):
        yield


async def test_a_queue_that_overflowed_is_told_and_the_newest_value_is_right(patient: None) -> None:
    source = Changeable()
    source.set("T0", 0.0)
    group = {"queue_size": 2, "period_s": 0.4}
    endpoint = endpoint_of("opc.tcp://h:1/plant", {"T0": TAGS["T0"]}, group=group, timeout_s=PATIENCE_S)
    with overflow_told():
        async with OpcUaServer(endpoint, source, lean=True) as server, collecting(at(endpoint, server), ticking=False) as seen:
            await seen.until(is_good_of(0.0))
            value = 0
            async with asyncio.timeout(DEADLINE_S):
                while "changes lost" not in seen.states:
                    value += 1
                    source.set("T0", float(value))
                    await asyncio.sleep(0.02)
            await seen.until(lambda scan: scan.values[0] == value)
    assert any("queue overflowed: T0" in str(event.body.get("cause")) for event in seen.events)


def at(endpoint: OpcUaEndpoint, server: OpcUaServer) -> OpcUaEndpoint:
    return endpoint.model_copy(update={"url": server.url})


def is_good_of(value: float) -> Callable[[Scan], bool]:
    return lambda scan: is_good(scan) and bool((scan.values == value).all())


async def test_a_deadband_keeps_small_changes_back_and_lets_great_ones_through(patient: None) -> None:
    """It is in engineering units: a change of 1.0 is one of 0.5 on the wire."""
    source = Changeable()
    tags = {
        "T0": {"address": "ns=2;s=T0", "scale": 2.0, "deadband": 1.0},
        "T1": {"address": "ns=2;s=T1", "scale": 2.0},
    }
    endpoint = endpoint_of("opc.tcp://h:1/plant", tags, timeout_s=PATIENCE_S)
    async with OpcUaServer(endpoint, source, lean=True) as server:
        (group,) = scan_groups(at(endpoint, server))
        async with connect(at(endpoint, server), [group], PlantClock()) as driver:
            for value, told in ((20.0, 20.0), (20.75, 20.0), (22.0, 22.0)):
                for name in tags:
                    source.set(name, value)
                async with asyncio.timeout(DEADLINE_S):
                    while (scan := await driver.read(group, time.time_ns())).values[1] != value:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                assert scan.values[0] == told, "the server looks at it before the other"


async def test_a_group_that_was_polled_is_subscribed_to_as_soon_as_the_server_lets_it(patient: None) -> None:
    stock, refusing = SubscriptionService.create_subscription, [True]

    async def create(self: SubscriptionService, *given: Any, **named: Any) -> Any:
        if refusing[0]:
            raise ServiceError(StatusCodes.BadTooManySubscriptions)
        return await stock(self, *given, **named)

    endpoint = endpoint_of("opc.tcp://h:1/plant", timeout_s=PATIENCE_S, group={"period_s": 0.25})
    with patch.object(SubscriptionService, "create_subscription", create):
        async with OpcUaServer(endpoint, Ticking(), lean=True) as server, collecting(at(endpoint, server)) as seen:
            await seen.until_told("polled")
            await resumes(seen)
            refusing[0] = False
            begin = len(seen.scans)
            await seen.until_told("polled", "subscribed")
            await resumes(seen)
            assert seen.states == ["polled", "subscribed"]
            assert all(seen.is_unharmed(scan) for scan in seen.scans[begin:] if scan.lost)


@pytest.mark.parametrize("bug", [AssertionError("a bug of ours"), asyncio.CancelledError()], ids=["raises", "cancels itself"])
async def test_what_asks_for_messages_never_ends_in_silence(bug: BaseException) -> None:
    """Values were stale, and their cause was told with the end of the session only: hours later, or never."""
    stock, failed = Connection.publish, asyncio.Event()

    async def publish(connection: Connection, received: Numbers, take: Take) -> bytes:
        if not failed.is_set():
            failed.set()
            raise bug
        return await stock(connection, received, take)

    endpoint = endpoint_of("opc.tcp://h:1/plant")
    with patch.object(Connection, "publish", publish), capture_logs() as logs:
        async with OpcUaServer(endpoint, Ticking(), lean=True) as server, collecting(at(endpoint, server)) as seen:
            await seen.until(lambda scan: scan.lost)
            await resumes(seen)
            async with asyncio.timeout(DEADLINE_S):
                while server.sessions != 1:  # that of the connection before ends a moment later
                    await seen.until(lambda _: True)
    assert [type(log["exc_info"]) for log in logs if log["log_level"] == "error"] == [type(bug)]
    causes = [str(event.body["cause"]) for event in seen.events if event.kind is EventKind.GAP]
    assert any("a defect, please report it" in cause for cause in causes), causes


async def test_a_signed_and_encrypted_channel_is_subscribed_over_and_its_renewal_costs_no_value(
    patient: None, tmp_path: Path
) -> None:
    site = Site(tmp_path)
    site.own()
    endpoint = endpoint_of("opc.tcp://h:1/plant", security=site.security(), timeout_s=PATIENCE_S)
    server = OpcUaServer(endpoint, Ticking(), security="all", keys=site.server_keys, trusted=site.server_trusts, lean=True)
    stock, renewed = Connection.renew, asyncio.Event()

    async def renew(connection: Connection) -> None:
        await stock(connection)
        renewed.set()

    soon = 0.5 / 3600  # long before the token's end: a machine that stands still would miss a near one
    with patch.object(upkeep, "RENEW_SHARE", soon), patch.object(Connection, "renew", renew):
        async with server:
            site.trust_server()
            async with collecting(at(endpoint, server)) as seen:
                await resumes(seen)
                begin = len(seen.scans)
                async with asyncio.timeout(DEADLINE_S):
                    await renewed.wait()
                await resumes(seen)
                await resumes(seen)
                assert all(seen.is_unharmed(scan) for scan in seen.scans[begin:])
    assert seen.states == ["subscribed"]
