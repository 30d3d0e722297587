"""What is wrong with single tags, told to people: once per connection and fault, never per scan.

Told is what somebody can mend in the plant file or on the server: an address without a node, a node of another type. That
a sensor is bad at the moment is the record's and the monitor's business.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import structlog
from asyncua.ua.status_codes import StatusCodes

from config.tags import Kind
from drivers.base import Scan, ScanGroup, Status
from drivers.opcua.faults import status_name
from drivers.opcua.samples import Misfit, is_zero

_TOLD = {
    StatusCodes.BadNodeIdUnknown: "check the address: the server has no such node",
    StatusCodes.BadNodeIdInvalid: "check the address: it is no NodeId",
    StatusCodes.BadAttributeIdInvalid: "check the address: the node is no variable",
    StatusCodes.BadNotReadable: "let the server's owner make the node readable",
    StatusCodes.BadUserAccessDenied: "let the server's owner allow this user to read it",
    StatusCodes.BadResponseTooLarge: "the server can't send so great a value: leave the tag out, or let it send larger messages",
    Status.BAD_DECODING: "what the server sends for it can't be decoded: leave the tag out, or ask the server's vendor",
}
_MISFITS = {
    Status.BAD_TYPE_MISMATCH: "give the tag the kind of its node, or another address",
    Status.BAD_NO_DATA: "the server calls an empty value good: ask the server's owner",
    Status.BAD_OUT_OF_RANGE: "the server calls a value good that is no number here (NaN, infinite, or too great)",
}
_KINDS = {
    Kind.REAL: "a number",
    Kind.INTEGER: "a whole number of 64 bits",
    Kind.BOOLEAN: "a Boolean",
    Kind.TEXT: "a text",
}

_log = structlog.get_logger()


class TagFaults:
    """The faults of one scan group's tags that this connection has told."""

    def __init__(self, group: ScanGroup) -> None:
        self._group = group
        self._told: set[tuple[int, int]] = set()

    def look(self, scan: Scan, misfits: Sequence[Misfit]) -> None:
        """Tell what is new in `scan`."""
        if is_zero(scan.quality):
            return
        for misfit in misfits:
            self.tell(misfit.column, misfit.status, misfit.found)
        for column in np.flatnonzero(np.isin(scan.status, tuple(_TOLD))).tolist():
            self.tell(column, int(scan.status[column]))

    def tell(self, column: int, status: int, found: str | None = None, reason: str | None = None) -> None:
        """Log what is wrong with a column, unless it was already. `found` is the type on the wire."""
        if (column, status) in self._told:
            return
        self._told.add((column, status))
        tag = self._group.tags[column]
        facts = {"found": found, "expected": found and _KINDS[tag.value_kind], "reason": reason}
        _log.warning(
            "tag can't be read",
            tag=tag.name,
            address=tag.address,
            group=self._group.name,
            status=status_name(status),
            advice=_TOLD.get(status) or _MISFITS.get(status),
            **{name: fact for name, fact in facts.items() if fact},
        )
