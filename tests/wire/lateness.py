"""How late the machine is: what it adds to a wait says whether promptness can be judged at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_STEP_S = 0.02


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
