"""The subscriptions of one session: two or more Publish requests that wait for messages, and one task a group that tends it.

    build ──> live ── silent, or ended by the server ──> stale ──> build ...     after FAILURES in a row: polled
      ^                                                                            │ tried again each RETRY_S
      └────────────────────────────────────────────────────────────────────────────┘
              └── keeps changes of a tag to itself ──> item renewed ── again ──> polled, for as long as the connection lasts

Each edge is told as a note of the group's next scan. When the connection itself fails it is closed, and the next read raises why:
the endpoint is the only one to connect again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from drivers.base import DeviceError, Note, Scan, Status
from drivers.opcua.beside import Work, beside
from drivers.opcua.learned import TOO_LARGE
from drivers.opcua.publish import PublishDecoder, Published
from drivers.opcua.subscription import Subscription
from drivers.opcua.wire import Connection
from drivers.opcua.wire_prepared import Numbers

FAILURES = 2
FIRST_WAIT_S, RETRY_S = 1.0, 120.0
LASTING_S = 60.0
"""A subscription that fails sooner has hardly worked."""
WATCH_S, CLOSED_S = 0.25, 0.1
"""At least between two looks at a subscription, each of which wakes the process; at most for the news that it is closed."""
_OF_SUBSCRIPTIONS = frozenset(
    {
        StatusCodes.BadTooManySubscriptions,
        StatusCodes.BadTooManyMonitoredItems,
        StatusCodes.BadTooManyPublishRequests,
        StatusCodes.BadSubscriptionIdInvalid,
        StatusCodes.BadNoSubscription,
        StatusCodes.BadServiceUnsupported,
        StatusCodes.BadNotImplemented,
        StatusCodes.BadUserAccessDenied,
        StatusCodes.BadTooManyOperations,
    }
)
"""Refusals that say nothing against the session: its tags can still be polled."""
_log = structlog.get_logger()


class Subscriptions:
    """Those of one connection."""

    def __init__(self, connection: Connection, groups: Sequence[Subscription], items_per_call: int | None) -> None:
        self._connection, self._groups, self._items_per_call = connection, groups, items_per_call
        self._decoder = PublishDecoder()
        self._some, self._failed = asyncio.Event(), asyncio.Event()
        self._fault: DeviceError | None = None
        self.groups = {each.group.layout.id: each for each in groups}

    async def read(self, group: Subscription, slot_ns: int) -> Scan:
        """The scan of `slot_ns`. Raises DeviceError."""
        if not self._connection.is_open and self._fault is None:
            with suppress(TimeoutError):  # whoever waits for changes is told why, a moment later
                async with asyncio.timeout(CLOSED_S):
                    await self._failed.wait()
        if self._fault is not None:
            raise self._fault
        if not self._connection.is_open:
            text = f"{self._connection.place}: reading {group.group.name}: the connection is closed"
            raise DeviceError(text, status=Status.BAD_NO_COMMUNICATION)
        return await group.read(slot_ns)

    def give_up(self, exc: DeviceError) -> None:
        """The connection is of no more use."""
        if self._fault is None and exc.status in TOO_LARGE:
            for group in self._groups:
                group.too_large()
        self.fail(exc)
        self._connection.abort(exc)

    def fail(self, exc: DeviceError) -> None:
        """The next read raises it: then the session is closed in peace."""
        self._fault = self._fault or exc
        self._failed.set()

    async def tend(self, group: Subscription) -> None:
        """Build it, and build it again when it fails; until the server can't be trusted with it on this connection."""
        failures, wait_s = 0, FIRST_WAIT_S
        if group.unbearable:
            group.polled = True
            group.notes.append(Note("polled", "the server ends the connection over the size of a message with a single change"))
            return
        while self._fault is None:
            try:
                await group.build(self._decoder, self._items_per_call)
                self._some.set()
                lasted = await self._live(group)
                if not group.distrusted:
                    group.notes.append(Note("stale", group.why))
                failures, wait_s = (1, FIRST_WAIT_S) if lasted else (failures + 1, wait_s)
                why = group.why
            except DeviceError as exc:
                if exc.status not in _OF_SUBSCRIPTIONS and exc.connection_lost:
                    self.give_up(exc)
                    return
                failures, why = failures + 1, str(exc)
            if (failures >= FAILURES or group.distrusted) and not group.polled:
                group.polled, wait_s = True, RETRY_S
                group.notes.append(Note("polled", why))
            await self._delete(group)
            if group.distrusted:
                return
            await asyncio.sleep(wait_s)

    async def _live(self, group: Subscription) -> bool:
        """Until it fails; whether it has lasted."""
        now_s = asyncio.get_running_loop().time
        began_s = asked_s = now_s()
        while not group.over.is_set():
            try:
                async with asyncio.timeout(max(WATCH_S, group.pause_s)):
                    await group.over.wait()
            except TimeoutError:
                pass
            if group.silent:
                group.end(f"nothing was heard of it for {group.silence_s:g} s")
            elif group.items.refused and now_s() - asked_s >= RETRY_S:
                asked_s = now_s()
                await group.ask_again(self._items_per_call)
            else:
                await group.verify(self._items_per_call)
        return now_s() - began_s > LASTING_S

    async def _delete(self, group: Subscription) -> None:
        """The server may still have it: then its messages would be those of nobody."""
        if group.number is None:
            return
        number, group.number = group.number, None
        self._decoder.forget(number)
        if not self._decoder.columns:
            self._some.clear()
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [ua.IntegerId(number)]
        try:
            await self._connection.ask(request, f"ending the subscription to {group.group.name}")
        except DeviceError as exc:
            if exc.status not in _OF_SUBSCRIPTIONS and exc.connection_lost:
                self.give_up(exc)

    async def publish(self) -> None:
        """Ask for messages, one after the other, for ever."""
        received: Numbers = ()
        while self._fault is None:
            await self._some.wait()
            try:
                body = await self._connection.publish(received, self._taken)
                received = await self._take(body)
            except DeviceError as exc:
                received = ()
                if exc.status == StatusCodes.BadTooManyPublishRequests:
                    return
                if exc.status not in _OF_SUBSCRIPTIONS:
                    self.give_up(exc)
                    return
                for group in self._groups:
                    if group.number is not None:
                        group.end(str(exc))
                await asyncio.sleep(WATCH_S)

    def _taken(self, body: bytes) -> Numbers | None:
        """What is to be acknowledged of a message with which nothing is the matter. Any other is left to `_take`."""
        if self._fault is not None or not self._some.is_set():
            return None
        try:
            published = self._decoder.decode(body)
        except Exception:  # noqa: BLE001  whatever it is, it is told when it is decoded again
            return None
        group = self._group_of(published)
        return _received(published) if group and group.take_in_turn(published) else None

    async def _take(self, body: bytes) -> Numbers:
        try:
            published = self._decoder.decode(body)
        except Exception as exc:  # asyncua raises nearly anything: values are missing, and nobody knows which
            text = f"{self._connection.place}: changes can't be decoded ({type(exc).__name__}: {exc})"
            raise DeviceError(text, status=Status.BAD_DECODING) from exc
        group = self._group_of(published)
        if group is None:
            return ()
        await group.take(published)
        return _received(published)

    def _group_of(self, published: Published) -> Subscription | None:
        return next((each for each in self._groups if each.number == published.subscription), None)


def _received(published: Published) -> Numbers:
    return ((published.subscription, published.sequence),) if published.is_message else ()


@asynccontextmanager
async def subscribed(
    connection: Connection, groups: Sequence[Subscription], items_per_call: int | None
) -> AsyncIterator[Subscriptions]:
    """Subscribe to `groups`, and keep at it."""
    subscriptions = Subscriptions(connection, groups, items_per_call)
    works: list[Work] = [partial(subscriptions.tend, group) for group in groups]
    works += [subscriptions.publish] * (len(groups) + 1 if groups else 0)
    async with beside(works, connection.place, subscriptions.fail):
        yield subscriptions
