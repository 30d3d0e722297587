"""One scan group's subscription: built, filled by what the server tells, and read in each slot.

    Publish answers ──> take ──> newest value of each tag ──> the scan of each slot
                         │
                         └── a number is missing: the message is asked for again; what has come meanwhile waits for it

A slot has the last value told while the subscription is heard (data or keep-alive). After `silence_s` without, every sample is
stale and has no value. A tag that the server does not monitor is bad with the server's own status, and asked for again slowly.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from config.model import OpcUaGroup
from drivers.base import Changes, Clock, DeviceError, Note, Scan, ScanGroup, Status
from drivers.opcua.faults import status_name
from drivers.opcua.freshness import Freshness
from drivers.opcua.in_turn import InTurn
from drivers.opcua.learned import learned_of
from drivers.opcua.monitored_items import MonitoredItems, asked_group, interval_s
from drivers.opcua.publish import PublishDecoder, Published, Told
from drivers.opcua.read import GroupReader
from drivers.opcua.samples import is_zero
from drivers.opcua.tag_faults import TagFaults
from drivers.opcua.told_values import MOST_CHANGES, ToldValues
from drivers.opcua.wire import Connection, answer

KEEP_ALIVE_S = 2.0
"""How often an idle subscription says that it lives, where its period is not longer."""
SILENT_KEEP_ALIVES = 3
LOOKS_IN_SILENCE = 6
LIFETIME_KEEP_ALIVES = 10
FRESHNESS_S = 60.0
"""After which time a tag is read of which nothing was told, where the plant file says nothing."""
DEADBAND_ROUNDING = 1 + 1e-6
"""A deadband is scaled on its way to the server, and what it holds back on its way here."""
_OVERFLOW_MASK, _OVERFLOW = np.uint32(0xC80), np.uint32(0x480)
_OF_A_NOTIFICATION_BYTES = 100
"""A number with its stamp has 26; texts may have more."""


def is_subscribed(group: ScanGroup) -> bool:
    """Whether the plant file asks for a subscription."""
    return any(
        isinstance(each, OpcUaGroup) and each.mode == "subscribe"
        for each in group.device.groups
        if each.name == group.layout.group
    )


class Subscription:
    """The subscription of `reader`'s group; `reader` reads its tags by polling where it has to be."""

    def __init__(self, connection: Connection, group: ScanGroup, reader: GroupReader, clock: Clock) -> None:
        self._connection, self.group, self._clock, self.reader = connection, group, clock, reader
        asked = asked_group(group)
        self._period_s = asked.period_s
        self._freshness = Freshness(len(group.layout.columns), asked.freshness_s or FRESHNESS_S)
        self._faults = TagFaults(group)
        self._learned = learned_of(group)
        self._told = ToldValues(group.layout)
        self.items = MonitoredItems(connection, group, reader, self._told.refuse)
        self._decoder = PublishDecoder()
        self._messages = InTurn(self._apply, self._republished)
        self._heard_ns = 0
        self._renewed: set[int] = set()
        """Columns that were not delivered once."""
        self._without: set[int] = set()
        """Columns that were told to have no changes recorded."""
        self.silence_s = 0.0
        self.number: int | None = None
        """The server's, while there is one."""
        self.over = asyncio.Event()
        self.why = ""
        self.polled = self.distrusted = False
        self.taken = 0
        """Values told."""
        self.notes: list[Note] = []

    @property
    def _what(self) -> str:
        return f"{self._connection.place}: subscribing to {self.group.name}"

    async def build(self, decoder: PublishDecoder, items_per_call: int | None) -> None:
        """Create it, with all its items. Raises DeviceError."""
        period_s, sampling_s = self._period_s, self.items.queues.sampling_s
        keep_alive = max(1, math.ceil(KEEP_ALIVE_S / period_s))
        request = ua.CreateSubscriptionRequest()
        asked = request.Parameters
        asked.RequestedPublishingInterval = ua.Double(period_s * 1000)
        asked.RequestedMaxKeepAliveCount = ua.UInt32(keep_alive)
        asked.RequestedLifetimeCount = ua.UInt32(keep_alive * LIFETIME_KEEP_ALIVES)
        asked.MaxNotificationsPerPublish = ua.UInt32(self._notifications())
        asked.PublishingEnabled = True
        body = await self._connection.ask(request, f"subscribing to {self.group.name}")
        granted = answer(ua.CreateSubscriptionResponse, body, self._what).Parameters
        publishing_s = interval_s(granted.RevisedPublishingInterval, period_s)
        self.silence_s = SILENT_KEEP_ALIVES * max(publishing_s * granted.RevisedMaxKeepAliveCount, KEEP_ALIVE_S)
        self.number, self._decoder = granted.SubscriptionId, decoder
        self._messages.begin()
        self._told.begin()
        self.over.clear()
        self._heard_ns = self._clock.monotonic_ns()
        decoder.columns[granted.SubscriptionId] = self.group.layout.columns
        self.items.begin(granted.SubscriptionId, publishing_s)
        slowest_s = max([sampling_s, *await self.items.create(items_per_call)])
        self._freshness.begin(self._now_s, publishing_s + slowest_s + self._connection.timeout_s)
        self._freshness.watch(self.items.columns, self._now_s)
        told = f"published each {publishing_s:g} s, sampled each {slowest_s:g} s (asked: {period_s:g}, {sampling_s:g})"
        if self.items.without_deadband:
            told += f"; the server takes no deadband of {self._names(self.items.without_deadband)}: every change is told"
        self.notes.append(Note("subscribed", told + self.items.short_queues))
        await self._look_at_what_is_granted()
        self.polled = False

    async def _look_at_what_is_granted(self) -> None:
        if why := self.items.newest_only():
            self._note("changes lost", why)
        if names := await self.items.let_read():
            self.distrusted = True
            self.end(f"the server does not monitor what it lets read: {names}")

    def _notifications(self) -> int:
        """The most in one message: of a server that bounds the messages it takes, we expect the same of those it sends."""
        of_bytes = (self._connection.bounds.message_bytes or 0) // _OF_A_NOTIFICATION_BYTES
        return min((most for most in (self._learned.notifications, of_bytes) if most), default=0)

    def too_large(self) -> None:
        """The server ended the connection over the size of a message."""
        self._learned.too_large(self._notifications() or len(self.group.layout.columns))

    @property
    def unbearable(self) -> bool:
        """The server was seen to end the connection over any message of it: it is not to be built again."""
        return self._learned.unsubscribable

    async def ask_again(self, items_per_call: int | None) -> None:
        """For what the server did not monitor. Raises DeviceError."""
        await self.items.create(items_per_call)
        await self._look_at_what_is_granted()
        self._freshness.watch(self.items.columns, self._now_s)

    async def verify(self, items_per_call: int | None) -> None:
        """Read what is due, and ask anew for what the subscription does not deliver. Raises DeviceError."""
        number, columns = self.number, self._freshness.due(self._now_s)
        if not columns:
            return
        try:
            read = await self.reader.look(columns)
        except DeviceError as exc:
            if exc.connection_lost:
                raise
            self._freshness.suspect(columns, self._now_s)  # asked again later: nothing is known of them
            return
        if self.over.is_set() or self.number != number:
            return
        tolerance = np.array([self.items.deadband(column) for column in columns]) * DEADBAND_ROUNDING
        differ = self._told.differ(columns, read, tolerance).tolist()
        missing = [
            column
            for column, differs in zip(columns, differ, strict=True)
            if self._freshness.verify(column, self._now_s, differs=differs)
        ]
        if missing:
            await self._renew(missing, items_per_call)

    async def _renew(self, columns: list[int], items_per_call: int | None) -> None:
        why = f"the server does not tell changes of {self._names(columns)}: what is read is another value than what was told last"
        if again := self._renewed.intersection(columns):
            self.distrusted = True
            self.end(f"{why}; not for the first time of {self._names(again)}")
            return
        self._renewed.update(columns)
        self._told.withhold(columns)
        self._note("stale", why)
        await self.items.renew(columns, items_per_call)
        await self._look_at_what_is_granted()
        self._freshness.watch(self.items.columns, self._now_s)
        self._freshness.suspect(set(columns).intersection(self.items.columns), self._now_s)

    def _names(self, columns: Iterable[int]) -> str:
        return ", ".join(self.group.tags[column].name for column in sorted(columns))

    @property
    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9

    def take_in_turn(self, published: Published) -> bool:
        """Take what the server has told, where no message before it is missing; whether that was so."""
        taken = self._messages.at_once(published)
        if taken:
            self._heard_ns = self._clock.monotonic_ns()
        return taken

    async def take(self, published: Published) -> None:
        """What the server has told, in the order of its numbers. Raises DeviceError."""
        number = self.number
        lost = await self._messages.after_the_missing(published)
        if not self._messages.waiting and number == self.number:  # what waits for another message has told nothing yet
            self._heard_ns = self._clock.monotonic_ns()
        if lost:
            self._note("changes lost", f"{lost} messages did not come, and the server has them no more")
            # Nobody knows whose values they had: what was told before is no value any more. A new subscription tells all.
            self.end("messages are missing for good, and with them the newest values of some tags")

    async def _republished(self, number: int) -> Published | None:
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = ua.IntegerId(self.number or 0)
        request.Parameters.RetransmitSequenceNumber = ua.Counter(number)
        try:
            body = await self._connection.ask(request, f"asking for a missing message of {self.group.name}")
            message = answer(ua.RepublishResponse, body, self._what).NotificationMessage
        except DeviceError as exc:
            if exc.status not in (StatusCodes.BadMessageNotAvailable, StatusCodes.BadSubscriptionIdInvalid):
                raise
            return None
        if message.SequenceNumber != number or not message.NotificationData:
            return None
        try:
            return self._decoder.message(self.number or 0, message)
        except Exception as exc:  # as with one that came by itself: values are missing, and nobody knows which
            text = f"{self._what}: a missing message can't be decoded ({type(exc).__name__}: {exc})"
            raise DeviceError(text, status=Status.BAD_DECODING) from exc

    def _apply(self, published: Published) -> None:
        for told in published.told:
            self._put(told)
        if published.ended is not None:
            self.end(f"the server ended it: {status_name(published.ended)}")

    def _put(self, told: Told) -> None:
        columns, samples = told.columns, told.samples
        self.taken += len(columns)
        self._told.put(told)
        self._freshness.told(columns)
        for misfit in samples.misfits:
            self._faults.tell(int(columns[misfit.column]), misfit.status, misfit.found)
        if not is_zero(samples.status):
            overflown = columns[(samples.status & _OVERFLOW_MASK) == _OVERFLOW]
            if len(overflown):
                self._note("changes lost", f"the server's queue overflowed: {self._names(set(overflown.tolist()))}")

    def _note(self, state: str, cause: str) -> None:
        if Note(state, cause) not in self.notes:
            self.notes.append(Note(state, cause))

    @property
    def silent(self) -> bool:
        """Whether nothing was heard for too long."""
        return self._clock.monotonic_ns() - self._heard_ns > self.silence_s * 1e9

    @property
    def pause_s(self) -> float:
        """Within which to look whether it is silent, or something is to be verified."""
        return min(self._freshness.pause_s, self.silence_s / LOOKS_IN_SILENCE)

    def end(self, why: str) -> None:
        """It is of no more use."""
        if not self.over.is_set():
            self.why = why
            self.over.set()

    async def read(self, slot_ns: int) -> Scan:
        """The scan of `slot_ns`. Raises DeviceError where it has to be polled, and can't."""
        polled = await self.reader.read(slot_ns) if self.polled else None
        stale = self.number is None or self.over.is_set() or self.silent
        changes = self._between(newest_too=stale or polled is not None)
        told, self.notes = tuple(self.notes), []
        if polled is not None:
            return replace(polled, changes=changes, notes=told) if told or changes else polled
        of_values = self._told.stale if stale else self._told.scan
        scan = of_values(slot_ns, self._clock.now_ns(), changes)
        return replace(scan, notes=told) if told else scan

    def _between(self, *, newest_too: bool) -> Changes | None:
        between = self._told.between(newest_too=newest_too)
        if between.beyond:
            self._note("changes lost", f"{between.beyond} values beyond the {MOST_CHANGES} that are kept between two slots")
        if news := set(between.without) - self._without:
            self._without |= news
            told = "texts, and integers beyond 2^53, are recorded in slots only, also from now on"
            self._note("changes lost", f"{told}: {self._names(news)}")
        return between.changes
