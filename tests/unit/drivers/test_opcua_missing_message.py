"""What a server gives where it was asked for a missing message again, and it is no such message."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary

from collector.acquire.clock import PlantClock
from config.model import OpcUaEndpoint
from drivers.base import DeviceError, Status, scan_groups
from drivers.opcua.publish import Published
from drivers.opcua.read import GroupReader
from drivers.opcua.subscription import Subscription
from drivers.opcua.wire import Connection, Question

TAGS = {"T0": {"address": "ns=2;s=T0"}}
DEVICE = {"unit": "R-201", "groups": {"main": {"mode": "subscribe", "period_s": 1.0}}, "tags": TAGS}
ENDPOINT = {"name": "opc", "url": "opc.tcp://h:1/plant", "devices": {"plc": DEVICE}}


async def test_a_missing_message_that_comes_as_something_else_is_a_fault_of_the_connection() -> None:
    async def ask(_: Connection, request: Question, __: str) -> Buffer:
        assert isinstance(request, ua.RepublishRequest)
        response = ua.RepublishResponse()
        response.NotificationMessage.SequenceNumber = request.Parameters.RetransmitSequenceNumber
        response.NotificationMessage.NotificationData = [ua.EventNotificationList()]
        return Buffer(struct_to_binary(response))

    endpoint = OpcUaEndpoint.model_validate(ENDPOINT)
    (group,) = scan_groups(endpoint)
    connection = Connection.to(endpoint)
    followed = Subscription(connection, group, GroupReader(connection, group, [], None, PlantClock()), PlantClock())
    with patch.object(Connection, "ask", ask), pytest.raises(DeviceError, match="can't be decoded") as told:
        await followed.take(Published(7, 2, is_message=True))
    assert told.value.status == Status.BAD_DECODING
