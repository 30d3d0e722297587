"""The monitored items of one subscription: asked for in as few requests as the server takes, each with its column as handle.

A tag that the server does not monitor is `refused`, with the server's own status, and can be asked for again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from config.model import OpcUaGroup
from config.tags import OpcUaTag
from drivers.base import DeviceError, ScanGroup, Status
from drivers.opcua.faults import status_name
from drivers.opcua.read import SMALLER_HELPS, GroupReader
from drivers.opcua.tag_faults import TagFaults
from drivers.opcua.wire import Connection, answer

ITEMS_PER_CALL = 1000
"""Asked for at once where the server does not say how many it takes."""


def asked_group(group: ScanGroup) -> OpcUaGroup:
    """What the plant file asks for. Raises ValueError where it is no group of an OPC UA server."""
    for each in group.device.groups:
        if each.name == group.layout.group and isinstance(each, OpcUaGroup):
            return each
    raise ValueError(f"{group.name} is no scan group of an OPC UA server")


class MonitoredItems:
    """Those of `reader`'s tags."""

    def __init__(self, connection: Connection, group: ScanGroup, reader: GroupReader, refuse: Callable[[int, int], None]) -> None:
        """`refuse` is told each column that is not monitored, and the server's status."""
        self._connection, self._group, self._reader, self._refuse = connection, group, reader, refuse
        self._asked = asked_group(group)
        self._faults = TagFaults(group)
        self._number = 0
        self._doing = f"subscribing to {group.name}"
        self.refused: list[int] = []
        """Columns that the server does not monitor."""

    def begin(self, number: int) -> None:
        """Of another subscription, the server's `number`: none is monitored yet."""
        self._number = number
        self.refused = sorted(self._reader.nodes)

    @property
    def sampling_s(self) -> float:
        """Asked for."""
        return self._asked.sampling_s or self._asked.period_s

    async def create(self, items_per_call: int | None) -> list[float]:
        """Ask for those of `refused`; who is refused again stays there. Gives sampling intervals, s. Raises DeviceError."""
        waiting, self.refused, sampling = self.refused, [], []
        size = items_per_call or ITEMS_PER_CALL
        for column, status in self._reader.unresolved:
            self._refuse(column, status)
        while waiting:
            columns, waiting = waiting[:size], waiting[size:]
            try:
                sampling += await self._create(columns)
            except DeviceError as exc:
                if size == 1 or exc.status not in SMALLER_HELPS:
                    raise
                waiting, size = columns + waiting, max(1, min(size, len(columns)) // 2)
        return sampling

    async def _create(self, columns: list[int]) -> list[float]:
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
        for column, result in zip(columns, results, strict=True):
            if not result.StatusCode.is_good():
                self._refused(column, result.StatusCode.value)
        return [result.RevisedSamplingInterval / 1000 for result in results if result.StatusCode.is_good()]

    def _refused(self, column: int, status: int) -> None:
        self._refuse(column, status)
        self.refused.append(column)
        self._faults.tell(column, status, reason=f"not monitored: {status_name(status)}")

    def _item(self, column: int) -> ua.MonitoredItemCreateRequest:
        wanted = ua.MonitoringParameters()
        wanted.ClientHandle = ua.IntegerId(column)
        wanted.SamplingInterval = ua.Double(self.sampling_s * 1000)
        queue = self._asked.queue_size or max(1, math.ceil(2 * self._asked.period_s / self.sampling_s))
        wanted.QueueSize = ua.UInt32(queue)
        wanted.DiscardOldest = True
        tag = self._group.tags[column]
        if isinstance(tag, OpcUaTag) and tag.deadband is not None:
            of_the_wire = tag.deadband / abs(tag.scale)
            wanted.Filter = ua.DataChangeFilter(
                ua.DataChangeTrigger.StatusValue, ua.UInt32(ua.DeadbandType.Absolute), ua.Double(of_the_wire)
            )
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor = ua.ReadValueId(NodeId=self._reader.nodes[column], AttributeId=ua.UInt32(AttributeIds.Value))
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters = wanted
        return item
