"""One timer for all requests of a connection, instead of one for each.

Hardly a request ever meets its deadline, but to set and cancel a timer for each costs more than to pack it. All have the same
time to be answered, so they run out in the order in which they were made: a queue, and a timer for its head that looks
again when it goes off.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Deadlines:
    """Ends with TimeoutError what is not answered within `timeout_s`."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[float, asyncio.Future[object]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, answer: asyncio.Future[object]) -> None:
        """From now on `answer` has `timeout_s` to come."""
        self._forget_answered()
        due = answer.get_loop().time() + self._timeout_s
        self._waiting.append((due, answer))
        if self._timer is None:
            self._timer = answer.get_loop().call_at(due, self._look, answer.get_loop())

    def end(self) -> None:
        """Watch nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._waiting.clear()

    def _forget_answered(self) -> None:
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._forget_answered()
        while self._waiting and self._waiting[0][0] <= loop.time():
            self._waiting.popleft()[1].set_exception(TimeoutError())
            self._forget_answered()
        self._timer = loop.call_at(self._waiting[0][0], self._look, loop) if self._waiting else None
