"""What a scan group has learned of its server over several connections: some servers end the connection over a message that
is too large for them, and the same request on the next one would end that too, again and again.

    BadResponseTooLarge, and the connection is closed ──> the request is cut in pieces from then on, at the same places each time
                                                      └─> a node that stands alone STRIKES times: not asked for any more
"""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from asyncua.ua.status_codes import StatusCodes

from drivers.base import ScanGroup

STRIKES, PIECES = 2, 8
"""The server does not say which of the requests under way it means, so once is not enough."""
TOO_LARGE = frozenset(
    {
        StatusCodes.BadRequestTooLarge,
        StatusCodes.BadResponseTooLarge,
        StatusCodes.BadEncodingLimitsExceeded,
        StatusCodes.BadTcpMessageTooLarge,
    }
)
"""With what a server refuses a message, or ends the connection, for its size."""


@dataclass(slots=True)
class Learned:
    """Of one group; its tags go by their columns."""

    cuts: set[int] = field(default_factory=set)
    """Where a new request begins."""
    strikes: dict[int, int] = field(default_factory=dict)
    """How often the connection ended while this tag alone was asked for."""
    refused: dict[int, int] = field(default_factory=dict)
    """Tags that are not asked for any more, and the status that tells why."""
    notifications: int = 0
    """The most in one message of a subscription; 0: no bound."""

    def closed(self, columns: list[int], status: int) -> None:
        """The server ended the connection for the size of something while these were asked for."""
        if len(columns) > 1:
            self.cuts.update(columns[:: -(-len(columns) // PIECES)][1:])
            return
        for column in columns:
            self.strikes[column] = self.strikes.get(column, 0) + 1
            if self.strikes[column] >= STRIKES:
                self.refused[column] = status


_OF_GROUPS: WeakKeyDictionary[ScanGroup, Learned] = WeakKeyDictionary()


def learned_of(group: ScanGroup) -> Learned:
    """What was learned on the connections before; the same object for as long as there is the group."""
    return _OF_GROUPS.setdefault(group, Learned())
