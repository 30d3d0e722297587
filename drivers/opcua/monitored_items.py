"""The monitored items of one subscription: asked for in as few requests as the server takes, each with its column as handle.

A tag that the server does not monitor is `refused`, with the server's own status, and can be asked for again. A deadband that the
server does not take is left out: it only saves messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from config.model import OpcUaGroup
from config.tags import OpcUaTag
from drivers.base import DeviceError, ScanGroup, Status
from drivers.opcua.decode import BAD
from drivers.opcua.faults import status_name
from drivers.opcua.queues import Queues, some
from drivers.opcua.read import SMALLER_HELPS, GroupReader
from drivers.opcua.tag_faults import TagFaults
from drivers.opcua.wire import Connection, answer
from drivers.opcua.wire_prepared import PreparedRead

ITEMS_PER_CALL = 1000
"""Asked for at once where the server does not say how many it takes."""
_OF_AN_ITEM_BYTES = 64
"""At most, beside its node: how it is to be watched, and a deadband."""
_OF_FILTERS = frozenset(
    {
        StatusCodes.BadFilterNotAllowed,
        StatusCodes.BadDeadbandFilterInvalid,
        StatusCodes.BadMonitoredItemFilterInvalid,
        StatusCodes.BadMonitoredItemFilterUnsupported,
        StatusCodes.BadFilterOperatorUnsupported,
    }
)
"""Refusals of an item for its deadband."""
_LONGEST_MS = 86_400_000
_NO_NODE = frozenset({StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid})
"""Refusals after which a Read gives no more."""


def asked_group(group: ScanGroup) -> OpcUaGroup:
    """What the plant file asks for. Raises ValueError where it is no group of an OPC UA server."""
    for each in group.device.groups:
        if each.name == group.layout.group and isinstance(each, OpcUaGroup):
            return each
    raise ValueError(f"{group.name} is no scan group of an OPC UA server")


def interval_s(told_ms: float, asked_s: float) -> float:
    """What a server granted; what was asked for, where it tells no interval (0, -1, NaN, more than a day)."""
    return told_ms / 1000 if 0 < told_ms <= _LONGEST_MS else asked_s


class MonitoredItems:
    """Those of `reader`'s tags."""

    def __init__(self, connection: Connection, group: ScanGroup, reader: GroupReader, refuse: Callable[[int, int], None]) -> None:
        """`refuse` is told each column that is not monitored, and the server's status."""
        self._connection, self._group, self._reader, self._refuse = connection, group, reader, refuse
        self.queues = Queues(asked_group(group))
        self._faults = TagFaults(group)
        self._number = 0
        self._doing = f"subscribing to {group.name}"
        self._ids: dict[int, int] = {}
        """The server's numbers, by column."""
        self.refused: list[int] = []
        """Columns that the server does not monitor."""
        self._perhaps_readable: list[int] = []
        """Of the last `create`: those of them for which nothing says that there is no node."""
        self.without_deadband: set[int] = set()
        """Columns whose deadband the server does not take."""

    def begin(self, number: int, publishing_s: float) -> None:
        """Of another subscription, the server's `number`: none is monitored yet."""
        self._number, self._ids = number, {}
        self.queues.begin(publishing_s)
        self.refused = sorted(self._reader.nodes)

    @property
    def columns(self) -> list[int]:
        """Those that are monitored."""
        return sorted(self._ids)

    def deadband(self, column: int) -> float:
        """In engineering units; smaller changes are not told."""
        tag = self._group.tags[column]
        given = tag.deadband if isinstance(tag, OpcUaTag) and column not in self.without_deadband else None
        return given or 0.0

    @property
    def short_queues(self) -> str:
        """What is to be told of those that will overflow, and say so."""
        short = self.queues.overflowing
        kept = f"; the server keeps {min(short.values(), default=0)} values (asked: {self.queues.size})"
        return f"{kept} of {self._names(short)}" if short else ""

    def newest_only(self) -> str:
        """What is to be told of those that leave out values and never say so; once of each tag."""
        kept = f"the server keeps 1 value (asked: {self.queues.size}) and tells the newest only of those between two messages"
        columns = self.queues.newest_only()
        return f"{kept}: {self._names(columns)}" if columns else ""

    def _names(self, columns: Iterable[int]) -> str:
        return some((self._group.tags[column].name for column in sorted(columns)), len(self._group.tags))

    async def renew(self, columns: list[int], items_per_call: int | None) -> None:
        """Give them up, and ask for them anew. Raises DeviceError."""
        numbers = [ua.IntegerId(self._ids.pop(column)) for column in columns if column in self._ids]
        size = items_per_call or ITEMS_PER_CALL
        for first in range(0, len(numbers), size):
            request = ua.DeleteMonitoredItemsRequest()
            request.Parameters.SubscriptionId = ua.IntegerId(self._number)
            request.Parameters.MonitoredItemIds = numbers[first : first + size]
            body = await self._connection.ask(request, self._doing)
            answer(ua.DeleteMonitoredItemsResponse, body, f"{self._connection.place}: {self._doing}")
        self.refused = sorted({*self.refused, *columns})
        await self.create(items_per_call)

    async def let_read(self) -> str:
        """The names of tags that the server did not monitor just now, and lets read. Raises DeviceError."""
        columns = self._perhaps_readable
        if not columns:
            return ""
        try:
            read = await self._reader.look(columns)
        except DeviceError as exc:
            if exc.connection_lost:
                raise
            return ""  # nothing is known of them
        return self._names(column for column, status in zip(columns, read.status.tolist(), strict=True) if status < BAD)

    async def create(self, items_per_call: int | None) -> list[float]:
        """Ask for those of `refused`; who is refused again stays there. Gives sampling intervals, s. Raises DeviceError."""
        sampling: list[float] = []
        waiting, self.refused, self._perhaps_readable = self.refused, [], []
        size = items_per_call or ITEMS_PER_CALL
        if most_bytes := self._connection.bounds.message_bytes:
            widest = max((PreparedRead.bytes_of(self._reader.nodes[column]) for column in waiting), default=0)
            size = max(1, min(size, most_bytes // (widest + _OF_AN_ITEM_BYTES)))
        for column, status in self._reader.unresolved:
            self._refuse(column, status)
        while waiting:
            columns, waiting = waiting[:size], waiting[size:]
            try:
                told, again = await self._create(columns)
                sampling, waiting = sampling + told, again + waiting
            except DeviceError as exc:
                if size == 1 or exc.status not in SMALLER_HELPS:
                    raise
                waiting, size = columns + waiting, max(1, min(size, len(columns)) // 2)
        return sampling

    async def _create(self, columns: list[int]) -> tuple[list[float], list[int]]:
        """Sampling intervals, and those that are to be asked for without their deadband."""
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = ua.IntegerId(self._number)
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Source
        request.Parameters.ItemsToCreate = [self._item(column) for column in columns]
        what = f"{self._connection.place}: {self._doing}"
        body = await self._connection.ask(request, self._doing)
        results = answer(ua.CreateMonitoredItemsResponse, body, what).Results or []
        if len(results) != len(columns):
            text = f"{what}: {len(results)} results for {len(columns)} items: none can be trusted"
            raise DeviceError(text, status=Status.BAD_COMMUNICATION_ERROR)
        again = []
        for column, result in zip(columns, results, strict=True):
            if result.StatusCode.is_good():
                self._ids[column] = result.MonitoredItemId
                self.queues.granted(column, result.RevisedQueueSize)
            elif result.StatusCode.value in _OF_FILTERS and self.deadband(column):
                self.without_deadband.add(column)
                again.append(column)
            else:
                self._refused(column, result.StatusCode.value)
        asked_s = self.queues.sampling_s
        granted = (result.RevisedSamplingInterval for result in results if result.StatusCode.is_good())
        return [interval_s(told_ms, asked_s) for told_ms in granted], again

    def _refused(self, column: int, status: int) -> None:
        self._refuse(column, status)
        self.refused.append(column)
        if status not in _NO_NODE:
            self._perhaps_readable.append(column)
        self._faults.tell(column, status, reason=f"not monitored: {status_name(status)}")

    def _item(self, column: int) -> ua.MonitoredItemCreateRequest:
        wanted = ua.MonitoringParameters()
        wanted.ClientHandle = ua.IntegerId(column)
        wanted.SamplingInterval = ua.Double(self.queues.sampling_s * 1000)
        wanted.QueueSize = ua.UInt32(self.queues.size)
        wanted.DiscardOldest = True
        if deadband := self.deadband(column):
            of_the_wire = deadband / abs(self._group.tags[column].scale)
            wanted.Filter = ua.DataChangeFilter(
                ua.DataChangeTrigger.StatusValue, ua.UInt32(ua.DeadbandType.Absolute), ua.Double(of_the_wire)
            )
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor = ua.ReadValueId(NodeId=self._reader.nodes[column], AttributeId=ua.UInt32(AttributeIds.Value))
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters = wanted
        return item
