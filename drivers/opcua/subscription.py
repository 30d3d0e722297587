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

import numpy as np
import structlog
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from config.model import OpcUaGroup
from config.tags import OpcUaTag
from drivers.base import Clock, DeviceError, Note, Quality, Scan, ScanGroup, Status, quality_of
from drivers.opcua.faults import status_name
from drivers.opcua.publish import PublishDecoder, Published, Told
from drivers.opcua.read import SMALLER_HELPS, GroupReader
from drivers.opcua.tag_faults import TagFaults
from drivers.opcua.wire import Connection, answer

KEEP_ALIVE_S = 2.0
"""How often an idle subscription says that it lives, where its period is not longer."""
SILENT_KEEP_ALIVES = 3
LIFETIME_KEEP_ALIVES = 10
ITEMS_PER_CALL = 1000
"""Asked for at once where the server does not say how many it takes."""
_OVERFLOW_MASK, _OVERFLOW = np.uint32(0xC80), np.uint32(0x480)
_MOST_MISSING = 20
_log = structlog.get_logger()


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
        self._asked = next(each for each in group.device.groups if each.name == group.layout.group)
        self._faults = TagFaults(group)
        k = len(group.layout.columns)
        self._values, self._source_ns = np.full(k, np.nan), np.zeros(k, np.int64)
        self._status = np.full(k, StatusCodes.BadWaitingForInitialData, np.uint32)
        self._integers, self._texts = np.zeros(k, np.int64), [""] * k
        self._fresh = np.zeros(k, np.bool_)
        self._is_integer = np.isin(np.arange(k), group.layout.integer_columns)
        self._is_text = np.isin(np.arange(k), group.layout.text_columns)
        self._next = 1
        self._held: list[Published] | None = None
        self._heard_ns = 0
        self.silence_s = 0.0
        self.number: int | None = None
        """The server's, while there is one."""
        self.refused: list[int] = []
        """Columns that the server does not monitor."""
        self.over = asyncio.Event()
        self.why = ""
        self.polled = False
        self.taken = 0
        """Values told."""
        self.passed_over = 0
        """Changes that were followed by another one before their slot was read."""
        self.notes: list[Note] = []

    @property
    def _what(self) -> str:
        return f"{self._connection.place}: subscribing to {self.group.name}"

    async def build(self, decoder: PublishDecoder, items_per_call: int | None) -> None:
        """Create it, with all its items. Raises DeviceError."""
        period_s, sampling_s = self._times()
        keep_alive = max(1, math.ceil(KEEP_ALIVE_S / period_s))
        request = ua.CreateSubscriptionRequest()
        asked = request.Parameters
        asked.RequestedPublishingInterval = ua.Double(period_s * 1000)
        asked.RequestedMaxKeepAliveCount = ua.UInt32(keep_alive)
        asked.RequestedLifetimeCount = ua.UInt32(keep_alive * LIFETIME_KEEP_ALIVES)
        asked.PublishingEnabled = True
        body = await self._connection.ask(request, f"subscribing to {self.group.name}")
        granted = answer(ua.CreateSubscriptionResponse, body, self._what).Parameters
        publishing_s = granted.RevisedPublishingInterval / 1000
        self.silence_s = SILENT_KEEP_ALIVES * max(publishing_s * granted.RevisedMaxKeepAliveCount, KEEP_ALIVE_S)
        self.number, self._next, self._held = granted.SubscriptionId, 1, None
        self._status[:] = StatusCodes.BadWaitingForInitialData
        self._values[:] = np.nan
        self._fresh[:] = False
        self.over.clear()
        self._heard_ns = self._clock.monotonic_ns()
        decoder.columns[granted.SubscriptionId] = self.group.layout.columns
        self.refused = sorted(self.reader.nodes)
        sampling = await self.monitor(items_per_call)
        slowest_s = max([sampling_s, *(each / 1000 for each in sampling)])
        self.notes.append(
            Note(
                "subscribed",
                f"published each {publishing_s:g} s, sampled each {slowest_s:g} s (asked: {period_s:g}, {sampling_s:g})",
            )
        )
        self.polled = False

    def _times(self) -> tuple[float, float]:
        period_s = self._asked.period_s
        sampling_s = self._asked.sampling_s if isinstance(self._asked, OpcUaGroup) else None
        return period_s, sampling_s or period_s

    async def monitor(self, items_per_call: int | None) -> list[float]:
        """Ask for the items of `refused`; those refused again stay there. Gives sampling intervals, ms. Raises DeviceError."""
        waiting, self.refused, sampling = self.refused, [], []
        size = items_per_call or ITEMS_PER_CALL
        for column, status in self.reader.unresolved:
            self._status[column] = status
        while waiting:
            columns, waiting = waiting[:size], waiting[size:]
            try:
                sampling += await self._monitor(columns)
            except DeviceError as exc:
                if size == 1 or exc.status not in SMALLER_HELPS:
                    raise
                waiting, size = columns + waiting, max(1, min(size, len(columns)) // 2)
        return sampling

    async def _monitor(self, columns: list[int]) -> list[float]:
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = ua.IntegerId(self.number or 0)
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Source
        request.Parameters.ItemsToCreate = [self._item(column) for column in columns]
        body = await self._connection.ask(request, f"subscribing to {self.group.name}")
        results = answer(ua.CreateMonitoredItemsResponse, body, self._what).Results or []
        if len(results) != len(columns):
            text = f"{self._what}: {len(results)} results for {len(columns)} items: none can be trusted"
            raise DeviceError(text, status=Status.BAD_COMMUNICATION_ERROR)
        for column, result in zip(columns, results, strict=True):
            if not result.StatusCode.is_good():
                self._status[column] = result.StatusCode.value
                self.refused.append(column)
                self._faults.tell(
                    column, result.StatusCode.value, reason=f"not monitored: {status_name(result.StatusCode.value)}"
                )
        return [result.RevisedSamplingInterval for result in results if result.StatusCode.is_good()]

    def _item(self, column: int) -> ua.MonitoredItemCreateRequest:
        period_s, sampling_s = self._times()
        queue = self._asked.queue_size if isinstance(self._asked, OpcUaGroup) else None
        wanted = ua.MonitoringParameters()
        wanted.ClientHandle = ua.IntegerId(column)
        wanted.SamplingInterval = ua.Double(sampling_s * 1000)
        wanted.QueueSize = ua.UInt32(queue or max(1, math.ceil(2 * period_s / sampling_s)))
        wanted.DiscardOldest = True
        tag = self.group.tags[column]
        if isinstance(tag, OpcUaTag) and tag.deadband is not None:
            of_the_wire = tag.deadband / abs(tag.scale)
            wanted.Filter = ua.DataChangeFilter(
                ua.DataChangeTrigger.StatusValue, ua.UInt32(ua.DeadbandType.Absolute), ua.Double(of_the_wire)
            )
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor = ua.ReadValueId(NodeId=self.reader.nodes[column], AttributeId=ua.UInt32(AttributeIds.Value))
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters = wanted
        return item

    async def take(self, published: Published, decoder: PublishDecoder) -> None:
        """What the server has told, in the order of its numbers. Raises DeviceError."""
        self._heard_ns = self._clock.monotonic_ns()
        if self._held is not None:
            self._held.append(published)
            return
        missing = (published.sequence - self._next) % (2**32 - 1)
        if 0 < missing < 2**31:
            self._held = [published]
            try:
                await self._fetch_missing(missing, decoder)
            finally:
                held, self._held = self._held, None
            self._next = published.sequence
            for each in held:
                await self.take(each, decoder)
            return
        self._apply(published)

    async def _fetch_missing(self, missing: int, decoder: PublishDecoder) -> None:
        """Messages that have not come are asked for again; those the server has no more are told as lost."""
        lost = max(0, missing - _MOST_MISSING)
        for number in range(self._next + lost, self._next + missing):
            request = ua.RepublishRequest()
            request.Parameters.SubscriptionId = ua.IntegerId(self.number or 0)
            request.Parameters.RetransmitSequenceNumber = ua.Counter(number)
            try:
                body = await self._connection.ask(request, f"asking for a missing message of {self.group.name}")
                message = answer(ua.RepublishResponse, body, self._what).NotificationMessage
            except DeviceError as exc:
                if exc.status not in (StatusCodes.BadMessageNotAvailable, StatusCodes.BadSubscriptionIdInvalid):
                    raise
                lost += 1
                continue
            if message.SequenceNumber == number and message.NotificationData:
                self._apply(decoder.message(self.number or 0, message))
            else:
                lost += 1
        if lost:
            self._note("changes lost", f"{lost} messages did not come, and the server has them no more")

    def _apply(self, published: Published) -> None:
        for told in published.told:
            self._put(told)
        if published.is_message:
            self._next = published.sequence % (2**32 - 1) + 1
        if published.ended is not None:
            self.end(f"the server ended it: {status_name(published.ended)}")

    def _put(self, told: Told) -> None:
        """Later ones over earlier ones."""
        columns, samples = told.columns, told.samples
        self.taken += len(columns)
        before = np.count_nonzero(self._fresh)
        self._fresh[columns] = True
        self.passed_over += len(columns) - int(np.count_nonzero(self._fresh) - before)
        self._values[columns], self._status[columns] = samples.values, samples.status
        self._source_ns[columns] = samples.source_ns
        if len(samples.integers):
            self._integers[columns[self._is_integer[columns]]] = samples.integers
        if samples.texts:
            for column, text in zip(columns[self._is_text[columns]].tolist(), samples.texts, strict=True):
                self._texts[column] = text
        for misfit in samples.misfits:
            self._faults.tell(int(columns[misfit.column]), misfit.status, misfit.found)
        if samples.status.any():
            overflown = columns[(samples.status & _OVERFLOW_MASK) == _OVERFLOW]
            if len(overflown):
                names = ", ".join(sorted({self.group.tags[column].name for column in overflown.tolist()}))
                self._note("changes lost", f"the server's queue overflowed: {names}")

    def _note(self, state: str, cause: str) -> None:
        if Note(state, cause) not in self.notes:
            self.notes.append(Note(state, cause))

    @property
    def silent(self) -> bool:
        """Whether nothing was heard for too long."""
        return self._clock.monotonic_ns() - self._heard_ns > self.silence_s * 1e9

    def end(self, why: str) -> None:
        """It is of no more use."""
        if not self.over.is_set():
            self.why = why
            self.over.set()

    async def read(self, slot_ns: int) -> Scan:
        """The scan of `slot_ns`. Raises DeviceError where it has to be polled, and can't."""
        scan = await self.reader.read(slot_ns) if self.polled else self._scan(slot_ns)
        told, self.notes = tuple(self.notes), []
        if not told:
            return scan
        return Scan(
            scan.layout, scan.slot_ns, scan.received_ns, scan.values, scan.status, scan.quality, scan.source_ns, scan.integers,
            scan.texts, notes=told,
        )  # fmt: skip

    def _scan(self, slot_ns: int) -> Scan:
        layout, now_ns = self.group.layout, self._clock.now_ns()
        self._fresh[:] = False
        if self.number is None or self.over.is_set() or self.silent:
            k = len(layout.columns)
            return Scan(
                layout, slot_ns, now_ns, np.full(k, np.nan), np.full(k, Status.BAD_TIMEOUT, np.uint32),
                np.full(k, Quality.STALE, np.uint8), np.zeros(k, np.int64), np.zeros(len(layout.integer_columns), np.int64),
                ("",) * len(layout.text_columns),
            )  # fmt: skip
        bad = self._status >> np.uint32(31) == 1
        texts = tuple("" if bad[column] else self._texts[column] for column in layout.text_columns.tolist())
        integers = np.where(bad, 0, self._integers)[layout.integer_columns]
        values = np.where(bad, np.nan, self._values)
        return Scan(
            layout,
            slot_ns,
            now_ns,
            values,
            self._status.copy(),
            quality_of(self._status),
            self._source_ns.copy(),
            integers,
            texts,
        )
