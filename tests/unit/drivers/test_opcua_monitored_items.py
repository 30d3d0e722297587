"""Monitored items are asked for, and given up, in as few requests as the server takes."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary

from collector.acquire.clock import PlantClock
from config.model import OpcUaEndpoint
from drivers.base import DeviceError, scan_groups
from drivers.opcua.monitored_items import MonitoredItems
from drivers.opcua.read import GroupReader
from drivers.opcua.wire import Connection, Question

TAGS = {f"T{n}": {"address": f"ns=2;s=T{n}"} for n in range(10)}
DEVICE = {"unit": "R-201", "groups": {"main": {"mode": "subscribe", "period_s": 1.0}}, "tags": TAGS}
ENDPOINT = {"name": "opc", "url": "opc.tcp://h:1/plant", "devices": {"plc": DEVICE}}


class Taking:
    """A server that takes so many items in a request, to create or to delete."""

    def __init__(self, most: int) -> None:
        self.most, self.created, self.sizes = most, 0, list[int]()

    async def ask(self, request: Question, doing: str) -> Buffer:
        response: ua.CreateMonitoredItemsResponse | ua.DeleteMonitoredItemsResponse
        if isinstance(request, ua.CreateMonitoredItemsRequest):
            count, response = len(request.Parameters.ItemsToCreate), ua.CreateMonitoredItemsResponse()
            response.Results = [ua.MonitoredItemCreateResult(MonitoredItemId=ua.IntegerId(n)) for n in range(count)]
        else:
            assert isinstance(request, ua.DeleteMonitoredItemsRequest)
            count, response = len(request.Parameters.MonitoredItemIds), ua.DeleteMonitoredItemsResponse()
        if count > self.most:
            raise DeviceError(doing, status=StatusCodes.BadTooManyOperations, connection_lost=False)
        self.sizes.append(count)
        return Buffer(struct_to_binary(response))


@pytest.mark.parametrize("most", [1, 3, 10])
async def test_no_request_has_more_than_the_server_takes(most: int) -> None:
    server, endpoint = Taking(most), OpcUaEndpoint.model_validate(ENDPOINT)
    (group,) = scan_groups(endpoint)
    connection = Connection.to(endpoint)
    items = MonitoredItems(connection, group, GroupReader(connection, group, [], None, PlantClock()), lambda *_: None)
    items.begin(7, 1.0)
    with patch.object(Connection, "ask", lambda _, *given: server.ask(*given)):
        await items.create(most)
        assert sum(server.sizes) == 10 and not items.refused
        server.sizes.clear()
        await items.renew(list(range(10)), most)
    assert sum(server.sizes) == 20 and max(server.sizes) == most
    assert items.columns == list(range(10))
