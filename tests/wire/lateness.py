"""How late the machine is: what it adds to a wait says whether promptness can be judged at all.

Where the product itself must be hasty in a test (a timeout of tenths), a machine that stands still as long is a fault to it
as well: `where_it_is_prompt` lets such a test begin again, and only then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
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


@asynccontextmanager
async def lateness() -> AsyncIterator[Lateness]:
    """Of the loop that this runs in, while it lasts."""
    loop, measured = asyncio.get_running_loop(), Lateness()

    async def watch() -> None:
        while True:
            due_s = loop.time() + _STEP_S
            await asyncio.sleep(_STEP_S)
            late_s = loop.time() - due_s
            measured.worst_s = max(measured.worst_s, late_s)
            measured.sum_s += late_s

    watching = asyncio.create_task(watch())
    try:
        yield measured
    finally:
        watching.cancel()
        await asyncio.wait([watching])


def where_it_is_prompt(most_late_s: float) -> Callable[[Callable[_P, Awaitable[None]]], Callable[_P, Awaitable[None]]]:
    """A test whose failure counts where the machine was late by no more than that; else it is judged by another attempt."""

    def judged(test: Callable[_P, Awaitable[None]]) -> Callable[_P, Awaitable[None]]:
        @wraps(test)
        async def attempted(*arguments: _P.args, **more: _P.kwargs) -> None:
            for attempt in range(1, _MOST_ATTEMPTS + 1):
                async with lateness() as late:
                    try:
                        await test(*arguments, **more)
                    except (Exception, pytest.fail.Exception) as exc:
                        await asyncio.sleep(2 * _STEP_S)  # until the watch has seen what was late just now
                        if late.worst_s <= most_late_s or attempt == _MOST_ATTEMPTS:
                            raise
                        print(f"attempt {attempt}: late by {late.worst_s:.2f} s: {exc!r:.300}")  # noqa: T201
                    else:
                        return

        return attempted

    return judged
