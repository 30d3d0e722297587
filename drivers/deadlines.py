"""One timer for all requests of a connection, instead of one for each.

Hardly a request ever meets its deadline, but to set and cancel a timer for each costs more than to pack it. All have the same
time to be answered, so they run out in the order in which they were made: a queue, and a timer for its head that looks
again when it goes off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class Request(Protocol):
    """What waits for an answer; a future does."""

    def done(self) -> bool:
        """Whether it waits no more."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Its time has passed: `exception` is a TimeoutError."""


class Deadlines:
    """Ends with TimeoutError what is not answered within `timeout_s`."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[float, Request]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, request: Request) -> None:
        """From now on `request` has `timeout_s` to be answered. Call it where the event loop runs."""
        loop, waiting = asyncio.get_running_loop(), self._waiting
        while waiting and waiting[0][1].done():
            waiting.popleft()
        due = loop.time() + self._timeout_s
        waiting.append((due, request))
        if self._timer is None:
            self._timer = loop.call_at(due, self._look, loop)

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
