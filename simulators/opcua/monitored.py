"""Subscriptions: the values of monitored tags are pushed to asyncua, which asks no callback by itself.

Nothing goes on while nobody subscribes. While somebody does, the source is asked to move on every 100 ms; when it has
moved, the tags that are monitored, and only they, are read once, and what changed goes to asyncua's monitored items,
which apply their own filters and queues. Each item gets every change, whatever sampling interval it asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from asyncua import ua
from asyncua.common.callback import CallbackType
from asyncua.server.address_space import AttributeValue
from asyncua.server.internal_server import InternalServer
from asyncua.ua.attribute_ids import AttributeIds

from simulators.opcua.nodes import standard
from simulators.opcua.values import BOTH, Variable, data_value
from simulators.opcua.variables import SAMPLING_MS
from simulators.source import Reading

_CLOCK = tuple(standard(number) for number in (2256, 2258))
"""ServerStatus and its CurrentTime."""


class Monitored:
    """Pushes changes while `run` runs. `refresh` moves the source and returns its version."""

    def __init__(self, server: InternalServer, variables: Iterable[Variable], refresh: Callable[[], int]) -> None:
        self._server, self._variables, self._refresh = server, tuple(variables), refresh
        self._wanted = asyncio.Event()
        self._pushed: dict[int, Reading] = {}
        self._version = -1
        self._second = -1
        server.subscribe_server_callback(CallbackType.ItemSubscriptionCreated, self._created)  # type: ignore[arg-type]

    def _created(self, _event: object, _service: object) -> None:
        self._wanted.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._wanted.wait()
            watched = [variable for variable in self._variables if variable.attribute.datachange_callbacks]
            clocks = self._watched_clocks()
            if not (watched or clocks):
                self._wanted.clear()
                self._pushed.clear()
                continue
            version = self._refresh()
            if version != self._version:
                self._version = version
                await self._push(watched)
            await self._push_clocks(clocks)
            await asyncio.sleep(SAMPLING_MS / 1000)

    async def _push(self, watched: Iterable[Variable]) -> None:
        now = datetime.now(UTC)
        for variable in watched:
            reading = variable.reading()
            if reading != self._pushed.get(id(variable)):
                self._pushed[id(variable)] = reading
                await _notify(variable.attribute, data_value(variable, reading, BOTH, now))

    async def _push_clocks(self, clocks: Iterable[tuple[ua.NodeId, AttributeValue]]) -> None:
        """Once a second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            for node_id, attribute in clocks:
                await _notify(attribute, self._server.aspace.read_attribute_value(node_id, AttributeIds.Value))

    def _watched_clocks(self) -> list[tuple[ua.NodeId, AttributeValue]]:
        clocks = ((node_id, self._server.aspace[node_id].attributes[AttributeIds.Value]) for node_id in _CLOCK)
        return [(node_id, attribute) for node_id, attribute in clocks if attribute.datachange_callbacks]


async def _notify(attribute: AttributeValue, value: ua.DataValue) -> None:
    for handle, changed in tuple(attribute.datachange_callbacks.items()):
        if handle in attribute.datachange_callbacks:
            await changed(handle, value)
