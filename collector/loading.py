"""Loads modules beside the event loop: what a first scan does not need must not keep it waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_one_after_the_other = threading.Lock()
"""Two threads that load modules which import each other may see them half made."""


async def loaded(load: Callable[[], T]) -> T:
    """What `load` gives, which imports something, in a thread."""

    def alone() -> T:
        with _one_after_the_other:
            return load()

    return await asyncio.to_thread(alone)
