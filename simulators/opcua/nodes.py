"""Namespaces and NodeIds: the plant file's addresses in the numbers of one server.

    0 http://opcfoundation.org/UA/     1 the application     2 … the plant file's `ns=`, then its `nsu=`
    then Device Integration (DI), then the structure around the tags, which is ours

`ns=3` in the plant file is 3, so there are at least so many; URIs follow after them.
"""

from __future__ import annotations

from dataclasses import dataclass

from asyncua import ua

from config.model import OpcUaEndpoint

UA_URI = "http://opcfoundation.org/UA/"
DI_URI = "http://opcfoundation.org/UA/DI/"
STRUCTURE_URI = "urn:reactorwatch:simulator:structure"
_NUMBERED = "urn:reactorwatch:simulator:namespace:"


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The namespace array of a server."""

    uris: tuple[str, ...]

    def node_id(self, address: str) -> ua.NodeId:
        """The NodeId of an address in the plant file."""
        space = _space(address)
        node_id = ua.NodeId.from_string(address.removeprefix(f"{space};"))
        return ua.NodeId(node_id.Identifier, ua.Int16(self._index(space)), node_id.NodeIdType)

    def index(self, uri: str) -> int:
        """The index of a namespace."""
        return self.uris.index(uri)

    def _index(self, space: str) -> int:
        if space.startswith("ns="):
            return int(space.removeprefix("ns="))
        return self.index(space.removeprefix("nsu=")) if space else 0


def standard(number: int) -> ua.NodeId:
    """A node of namespace 0."""
    return ua.NodeId(ua.Int32(number))


def namespaces(endpoint: OpcUaEndpoint, application_uri: str) -> Namespaces:
    """The namespaces that `endpoint`'s tags need, and ours."""
    spaces = dict.fromkeys(_space(tag.address) for device in endpoint.devices for tag in device.tags)
    highest = max((int(space.removeprefix("ns=")) for space in spaces if space.startswith("ns=")), default=0)
    uris = [UA_URI, application_uri, *(f"{_NUMBERED}{index}" for index in range(2, highest + 1))]
    wanted = [space.removeprefix("nsu=") for space in spaces if space.startswith("nsu=")]
    uris += [uri for uri in dict.fromkeys([*wanted, DI_URI, STRUCTURE_URI]) if uri not in uris]
    return Namespaces(tuple(uris))


def _space(address: str) -> str:
    space, separator, _ = address.partition(";")
    return space if separator and space.startswith(("ns=", "nsu=")) else ""
