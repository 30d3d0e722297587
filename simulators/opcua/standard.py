"""The standard nodes of namespace 0, made once a process and shared by its servers.

asyncua makes all 6,000 of them for every server: a second of a core and 40 MB, twenty times over in a farm of twenty
endpoints. Here a server gets the same objects, and a copy of those that it changes: what stands below Objects, and
whatever gets a reference of its own.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData, NodeManagementService
from asyncua.server.internal_server import InternalServer
from asyncua.server.standard_address_space import standard_address_space
from asyncua.server.user_managers import UserManager

from simulators.opcua.nodes import standard

_OBJECTS, _HAS_TYPE_DEFINITION = standard(85), standard(40)
_lock = threading.Lock()
_made: list[tuple[dict[ua.NodeId, NodeData], frozenset[ua.NodeId]]] = []


@contextmanager
def _for_good() -> Iterator[None]:
    """What is made within stays as long as the process: looking for garbage in it, now or later, would be for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
    gc.freeze()


def _standard() -> tuple[dict[ua.NodeId, NodeData], frozenset[ua.NodeId]]:
    """The nodes, and which of them every server changes."""
    with _lock:
        if not _made:
            space = AddressSpace()
            with _for_good():
                standard_address_space.fill_address_space(NodeManagementService(space))  # type: ignore[no-untyped-call]
            nodes = {node_id: space[node_id] for node_id in space.keys()}  # noqa: SIM118  it is no dict
            _made.append((nodes, frozenset(_below(nodes, _OBJECTS))))
        return _made[0]


def _below(nodes: dict[ua.NodeId, NodeData], root: ua.NodeId) -> set[ua.NodeId]:
    found, open_ends = {root}, [root]
    while open_ends:
        for reference in nodes[open_ends.pop()].references:
            if reference.IsForward and reference.ReferenceTypeId != _HAS_TYPE_DEFINITION and reference.NodeId not in found:
                found.add(reference.NodeId)
                open_ends.append(reference.NodeId)
    return found & nodes.keys()


class SharedServer(InternalServer):
    """asyncua's server, its standard nodes shared."""

    def __init__(self, user_manager: UserManager) -> None:
        super().__init__(user_manager=user_manager)
        self._shared: set[int] = set()

    async def load_standard_address_space(self, shelf_file: Path | None = None) -> None:
        """Instead of making them anew."""
        nodes, changed = await asyncio.to_thread(_standard)
        for node_id, node in nodes.items():
            self.aspace[node_id] = node
        self._shared = {id(node) for node in nodes.values()}
        for node_id in changed:
            self.own(node_id)
        for node_id in (standard(58), standard(24)):
            self.own(node_id)

    def own(self, node_id: ua.NodeId) -> NodeData:
        """The node, this server's own from now on."""
        node = self.aspace[node_id]
        if id(node) not in self._shared:
            return node
        own = NodeData(node.nodeid)
        own.attributes = {key: AttributeValue(attribute.value) for key, attribute in node.attributes.items() if attribute.value}
        own.references = list(node.references)
        own.call = node.call
        self.aspace[node_id] = own
        return own
