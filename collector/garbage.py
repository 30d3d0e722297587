"""Python's search for garbage in cycles, kept away from what a daemon keeps to its end.

A plant of 10,000 tags is 200,000 objects. To look through all of them takes 0.1 to 0.2 s, in which nothing is read; and while
they are made the search goes through them again and again, which doubles the time of a start. None of them is ever garbage.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import TypeVar

T = TypeVar("T")

SETTLED_S = 10.0
"""By then what is loaded beside the first scans is there, and their devices' layouts are known."""


@contextmanager
def unsearched() -> Iterator[None]:
    """While many objects are made that will be kept."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()


@asynccontextmanager
async def for_good(opened: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Open what lives as long as the process: no search ever looks at what there is by then, nor at what there is once it has
    settled. What has no more use is freed all the same, unless it is in a cycle."""
    async with AsyncExitStack() as stack:
        with unsearched():
            kept = await stack.enter_async_context(opened)
            gc.freeze()
        stack.callback(asyncio.get_running_loop().call_later(SETTLED_S, gc.freeze).cancel)
        yield kept
