"""NodeIds: as the plant file writes them, and as a server numbers them today.

A server gives its namespaces their indices anew at every start, so an address by namespace URI (`nsu=urn:plant;s=TT-201A`)
is resolved against the server's NamespaceArray at every connect. One address that can't be resolved concerns its own tag only.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from urllib.parse import unquote
from uuid import UUID

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from drivers.base import Status

_ADDRESS = re.compile(r"(?:ns=(?P<index>\d+);|nsu=(?P<uri>[^;]+);)?(?P<form>[isgb])=(?P<identifier>.+)", re.DOTALL)


class Unresolved(Exception):
    """An address that names no node of this server: why, and the status code of its tag."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


def node_id(address: str, namespaces: Sequence[str]) -> ua.NodeId:
    """The NodeId of `address` on a server with this NamespaceArray. Raises Unresolved."""
    match = _ADDRESS.fullmatch(address)
    if not match:
        raise Unresolved(f"{address!r} is no NodeId", StatusCodes.BadNodeIdInvalid)
    index = int(match["index"] or 0) if match["uri"] is None else _namespace_index(match["uri"], namespaces)
    try:
        return ua.NodeId(_identifier(match["form"], match["identifier"]), ua.Int16(_at_most(0xFFFF, index)))
    except ValueError as exc:
        raise Unresolved(f"{address!r} is no NodeId: {exc}", StatusCodes.BadNodeIdInvalid) from None


def _namespace_index(uri: str, namespaces: Sequence[str]) -> int:
    # A URI that holds ';' or '%' is written with them escaped (part 6, 5.1.12).
    for written in (uri, unquote(uri)):
        if written in namespaces:
            return namespaces.index(written)
    known = ", ".join(namespaces) or "none, or they can't be read"
    raise Unresolved(f"the server has no namespace {uri}; it has: {known}", Status.BAD_NODE_ID_UNKNOWN)


def _identifier(form: str, text: str) -> ua.Int32 | ua.String | ua.Guid | ua.ByteString:
    match form:
        case "i":
            return ua.Int32(_at_most(0xFFFF_FFFF, int(text)))
        case "s":
            return ua.String(text)
        case "g":
            return ua.Guid(hex=UUID(text).hex)
        case _:
            return ua.ByteString(b64decode(text, validate=True))


def _at_most(limit: int, number: int) -> int:
    if number > limit:
        raise ValueError(f"{number} is beyond {limit}")
    return number
