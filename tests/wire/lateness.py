"""How late the machine is: what it adds to a wait says whether promptness can be judged at all.

Where the product itself must be hasty in a test (a timeout of tenths), a machine that stands still as long is a fault to it
as well: `where_it_is_prompt` lets such a test begin again, and only then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec

import pytest

_STEP_S = 0.02
_MOST_ATTEMPTS = 10
_P = ParamSpec("_P")


@dataclass
class Lateness:
    """Of one loop."""

    worst_s: float = 0.0
    sum_s: float = 0.0
    """Of all waits: by so much at the most is late what is done step by step."""
    worst_second_s: float = 0.0
    """The greatest sum of what waits were late by in one second."""
    _second: deque[tuple[float, float]] = field(default_factory=deque)
    _in_second_s: float = 0.0

    def add(self, now_s: float, late_s: float) -> None:
        """A wait that ended now."""
        self.worst_s = max(self.worst_s, late_s)
        self.sum_s += late_s
        self._second.append((now_s, late_s))
        self._in_second_s += late_s
        while self._second[0][0] < now_s - 1:
            self._in_second_s -= self._second.popleft()[1]
        self.worst_second_s = max(self.worst_second_s, self._in_second_s)


@asynccontextmanager
async def lateness() -> AsyncIterator[Lateness]:
    """Of the loop that this runs in, while it lasts."""
    loop, measured = asyncio.get_running_loop(), Lateness()

    async def watch() -> None:
        while True:
            due_s = loop.time() + _STEP_S
            await asyncio.sleep(_STEP_S)
            now_s = loop.time()
            measured.add(now_s, now_s - due_s)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)  # it waits from now on
    try:
        yield measured
    finally:
        watching.cancel()
        await asyncio.wait([watching])


def where_it_is_prompt(most_late_s: float) -> Callable[[Callable[_P, Awaitable[None]]], Callable[_P, Awaitable[None]]]:
    """A test whose failure counts where the machine was late by no more than that at once, and twice as much in a second; else it
    is judged by another attempt."""

    def judged(test: Callable[_P, Awaitable[None]]) -> Callable[_P, Awaitable[None]]:
        @wraps(test)
        async def attempted(*arguments: _P.args, **more: _P.kwargs) -> None:
            for attempt in range(1, _MOST_ATTEMPTS + 1):
                async with lateness() as late:
                    try:
                        await test(*arguments, **more)
                    except (Exception, BaseExceptionGroup, pytest.fail.Exception) as exc:
                        await asyncio.sleep(2 * _STEP_S)  # until the watch has seen what was late just now
                        prompt = late.worst_s <= most_late_s and late.worst_second_s <= 2 * most_late_s
                        if prompt or attempt == _MOST_ATTEMPTS:
                            raise
                        print(f"attempt {attempt}: late by {late.worst_s:.2f} s: {exc!r:.300}")  # noqa: T201
                    else:
                        return

        return attempted

    return judged
