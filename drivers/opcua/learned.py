"""What a scan group has learned of its server over several connections: some servers end the connection over a message that
is too large for them, and the same request on the next one would end that too, again and again.

    BadResponseTooLarge, and the connection is closed ──> the request is cut in pieces from then on, at the same places each time
                                                      └─> a node that stands alone, again and again: not asked for any more,
                                                          but once more after a while, in case its value is smaller now

The server does not say which of the requests under way it means. It is one of many nodes rather than one of a single node, and
the one that was sent first rather than another. So a node is given up after some such closings, and its answer clears it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from asyncua.ua.status_codes import StatusCodes

from drivers.base import ScanGroup

STRIKES, PIECES = 4, 8
FIRST_WAIT_S, LONGEST_WAIT_S = 900.0, 86_400.0
"""Until a tag that is not asked for any more is asked for once more: twice as long each time, for it may cost the connection."""
APART_S = 300.0
"""Between two such attempts, whosever."""
OF_THE_FIRST, OF_ANOTHER = 2, 1
"""Strikes for a node, by whether its request was the first of those under way."""
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
    """Of tags that were asked for alone when the connection ended, and were not answered since."""
    refused: dict[int, int] = field(default_factory=dict)
    """Tags that are not asked for now, and the status that tells why."""
    retry_ns: dict[int, int] = field(default_factory=dict)
    """When they are to be asked for again, on a monotonic clock."""
    waits_s: dict[int, float] = field(default_factory=dict)
    """How long that took the last time."""
    notifications: int = 0
    """The most in one message of a subscription; 0: no bound."""
    too_large_alone: int = 0
    """How often the connection ended though there was one in each message."""

    @property
    def unsubscribable(self) -> bool:
        """No message of a subscription is small enough."""
        return self.too_large_alone >= STRIKES

    def too_large(self, notifications: int) -> None:
        """The server ended the connection while there were at most so many in a message of the subscription."""
        self.too_large_alone += notifications == 1
        self.notifications = max(1, notifications // 2)

    def closed(self, columns: Sequence[int], status: int, strikes: int) -> None:
        """The server ended the connection for the size of something while these were asked for."""
        if len(columns) > 1:
            self.cuts.update(columns[:: -(-len(columns) // PIECES)][1:])
            return
        for column in columns:
            self.strikes[column] = self.strikes.get(column, 0) + strikes
            if self.strikes[column] >= STRIKES:
                self.refused[column] = status

    def answered(self, columns: Iterable[int]) -> None:
        """They are not too large."""
        if self.strikes:
            for column in columns:
                self.strikes.pop(column, None)
                self.waits_s.pop(column, None)

    def retries(self, now_ns: int) -> bool:
        """Whether one of `refused` is asked for again from now on; when the connection ends over it, it is refused at once."""
        for column in self.refused.keys() - self.retry_ns.keys():
            wait_s = self.waits_s[column] = min(2 * self.waits_s.get(column, FIRST_WAIT_S / 2), LONGEST_WAIT_S)
            self.retry_ns[column] = now_ns + round(wait_s * 1e9)
        due = [column for column, retry_ns in self.retry_ns.items() if retry_ns <= now_ns]
        if not due:
            return False
        self.retry_ns.update((column, now_ns + round(APART_S * 1e9)) for column in due[1:])
        self.strikes[due[0]] = STRIKES - OF_ANOTHER
        del self.retry_ns[due[0]], self.refused[due[0]]
        return True


@dataclass(slots=True)
class UnderWay:
    """The requests of one connection that are not answered, in the order in which they were sent, and their numbers of nodes."""

    nodes: dict[object, int] = field(default_factory=dict)

    def strikes(self, request: object) -> int:
        """How strongly it is to be suspected when the server ends the connection."""
        if max(self.nodes.values()) > self.nodes[request]:
            return 0
        return OF_THE_FIRST if next(iter(self.nodes)) is request else OF_ANOTHER


_OF_GROUPS: WeakKeyDictionary[ScanGroup, Learned] = WeakKeyDictionary()


def learned_of(group: ScanGroup) -> Learned:
    """What was learned on the connections before; the same object for as long as there is the group."""
    return _OF_GROUPS.setdefault(group, Learned())
