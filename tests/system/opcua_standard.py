"""asyncua's standard nodes, made once a process: each test server takes copies of those that it looks at.

asyncua makes all 6,000 of them for every server, more than a second of a core. A copy is made when a node is first asked
for, so that no server can change what another one has.
"""

from __future__ import annotations

import asyncio
import gc
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData, NodeManagementService
from asyncua.server.internal_server import InternalServer
from asyncua.server.standard_address_space import standard_address_space


@cache
def _standard() -> dict[ua.NodeId, NodeData]:
    """As asyncua makes them. Nothing of it becomes garbage, so none is looked for while they are made, or later."""
    gc.disable()
    try:
        space = AddressSpace()
        standard_address_space.fill_address_space(NodeManagementService(space))  # type: ignore[no-untyped-call]
    finally:
        gc.enable()
    gc.freeze()
    return {node_id: space[node_id] for node_id in space.keys()}  # noqa: SIM118  it is no dict


def _copied(node: NodeData) -> NodeData:
    own = NodeData(node.nodeid)
    own.attributes = {key: AttributeValue(attribute.value) for key, attribute in node.attributes.items() if attribute.value}
    own.references = [copy(reference) for reference in node.references]
    own.call = node.call
    return own


class _Nodes(dict[ua.NodeId, NodeData]):
    """Of one server; it holds what is its own, and a standard node from when it was first asked for."""

    def __missing__(self, node_id: ua.NodeId) -> NodeData:
        node = self[node_id] = _copied(_standard()[node_id])
        return node

    def __contains__(self, node_id: object) -> bool:
        return super().__contains__(node_id) or node_id in _standard()

    def get(self, node_id: ua.NodeId, default: Any = None) -> Any:
        """As of a dictionary that holds them all."""
        try:
            return self[node_id]
        except KeyError:
            return default


class QuickServer(InternalServer):
    """asyncua's server, but for the time that it takes to start and to stop."""

    async def load_standard_address_space(self, shelf_file: Path | None = None) -> None:
        self.aspace._nodes = _Nodes()

    async def stop(self) -> None:
        """Without waiting for the next second of the server's clock."""
        if self.time_task:
            self.time_task.cancel()
            await asyncio.wait([self.time_task])
            self.time_task = None
        await super().stop()
