"""Messages of a subscription in the order of their numbers, whatever order they come in.

    1 2 4 5 ──> 3 is missing: it is asked for again; 4, and what comes meanwhile, waits for it
    3       ──> comes late after all: it was had, or told as lost, and is left alone: 4 and 5 are newer

Numbers begin with 1 and go round after 2^32 - 1 (part 4, 5.13.1.1). A keep-alive has the number of the message to come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from drivers.opcua.publish import Published

MOST_MISSING = 20
"""That are asked for again; the newest of them."""
MOST_GAPS = 50
"""Whose numbers are remembered."""
_ROUND = 2**32 - 1


class InTurn:
    """`take` takes each message, and `again` asks the server for one by its number: None where it has it no more."""

    def __init__(self, take: Callable[[Published], None], again: Callable[[int], Awaitable[Published | None]]) -> None:
        self._take, self._again = take, again
        self.begin()

    def begin(self) -> None:
        """Of another subscription."""
        self._next = 1
        self._held: list[Published] | None = None
        self._settled: deque[range] = deque(maxlen=MOST_GAPS)
        """Numbers that were missing, and are had or told as lost."""

    @property
    def waiting(self) -> bool:
        """Whether messages have come that wait for another."""
        return self._held is not None

    def at_once(self, published: Published) -> bool:
        """Take a message that is in turn; whether it was."""
        if self._held is not None or self._missing_before(published):
            return False
        self._taken(published)
        return True

    async def after_the_missing(self, published: Published) -> int:
        """Take a message, and first what is missing before it. Gives how many are lost. Raises what `again` raises."""
        if self._held is not None:
            self._held.append(published)
            return 0
        missing = self._missing_before(published)
        if not missing:
            self._taken(published)
            return 0
        held = self._held = [published]
        try:
            return await self._in_order(held)
        finally:
            if self._held is held:
                self._held = None

    async def _in_order(self, held: list[Published]) -> int:
        """Take what is held, until nothing is. When another subscription begins meanwhile, nothing more is taken of this one."""
        lost = 0
        while held:
            first = min(held, key=self._beyond_next)
            if missing := self._missing_before(first):
                lost += await self._fetched(range(self._next, self._next + missing), held)
                if self._held is not held:
                    return 0
                self._next = first.sequence
            held.remove(first)
            self._taken(first)
        return lost

    def _beyond_next(self, published: Published) -> int:
        return (published.sequence - self._next + 2**31) % _ROUND

    def _missing_before(self, published: Published) -> int:
        missing = (published.sequence - self._next) % _ROUND
        return missing if missing < 2**31 else 0

    async def _fetched(self, numbers: range, held: list[Published]) -> int:
        """Those that came late while others were asked for are not lost."""
        lost = max(0, len(numbers) - MOST_MISSING)
        for number in numbers[lost:]:
            found = _late(number, held) or await self._again(number) or _late(number, held)
            if self._held is not held:
                return lost
            if found:
                self._taken(found)
            else:
                lost += 1
        self._settled.append(numbers)
        return lost

    def _taken(self, published: Published) -> None:
        if published.is_message and any(published.sequence in numbers for numbers in self._settled):
            return
        self._take(published)
        if published.is_message:
            self._next = published.sequence % _ROUND + 1


def _late(number: int, held: list[Published]) -> Published | None:
    return next((each for each in held if each.is_message and each.sequence == number), None)
