"""How many values of a tag a server keeps from one message to the next, and what is to be told where these are too few. Pure.

A full queue of several drops its oldest value and says so, by the overflow bit of the next. A queue of one always has the newest
value, and no bit is set, whatever was dropped (part 4, 5.13.1.5): that is told beforehand, or nobody would ever know.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from config.model import OpcUaGroup

MOST = 10_000
"""Asked for, where the plant file says nothing."""
_MANY = 5
"""Tags that are not named one by one, where they are all."""


class Queues:
    """Of the tags of one group, by their columns."""

    def __init__(self, group: OpcUaGroup) -> None:
        self._group = group
        self._publishing_s = group.period_s
        self._short: dict[int, int] = {}
        self._told: set[int] = set()

    @property
    def sampling_s(self) -> float:
        """Asked for."""
        return self._group.sampling_s or self._group.period_s

    @property
    def _sampled(self) -> int:
        """Values between two messages, as asked for."""
        return max(1, math.ceil(round(self._publishing_s / self.sampling_s, 6)))

    @property
    def size(self) -> int:
        """Asked for."""
        return self._group.queue_size or min(MOST, 2 * self._sampled)

    def begin(self, publishing_s: float) -> None:
        """The server is going to send a message each `publishing_s`."""
        self._publishing_s = max(publishing_s, self._group.period_s)
        self._short.clear()

    def granted(self, column: int, size: int) -> None:
        """What the server keeps of a tag."""
        self._short.pop(column, None)
        if size < min(self.size, self._sampled):
            self._short[column] = max(1, size)

    @property
    def overflowing(self) -> dict[int, int]:
        """The sizes that are too small, and more than one."""
        return {column: size for column, size in self._short.items() if size > 1}

    def newest_only(self) -> list[int]:
        """Columns of which the server keeps one value, where more were asked for: each is given once."""
        found = {column for column, size in self._short.items() if size == 1} - self._told
        self._told |= found
        return sorted(found)


def some(names: Iterable[str], columns: int) -> str:
    """The names of tags; shorter, where they are all of a group that has many."""
    listed = list(names)
    return f"all its {columns} tags" if len(listed) == columns >= _MANY else ", ".join(listed)
