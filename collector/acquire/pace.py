"""When to do things: fixed grids of slots that never drift, and waits before trying again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from hashlib import blake2s

SPREAD = 0.5
"""Groups start within this share of their period, so that the answers have the rest of it to arrive."""
TICK_NS = 125_000_000
"""They start at multiples of this after their slot: those that start together cost the gateway one awakening, and find its
caches warm. At the slot itself the groups are read that tell the batch context."""


def slot_at(now_ns: int, period_ns: int) -> int:
    """The newest slot not after `now_ns`: a multiple of the period since 1970, so that two gateways agree."""
    return now_ns - now_ns % period_ns


def spread(name: str, period_ns: int) -> int:
    """How long after its slot a group is read: the same for a name for ever, different for different names."""
    digest = int.from_bytes(blake2s(name.encode(), digest_size=4).digest())
    places = int(period_ns * SPREAD) // TICK_NS
    return ((digest * places >> 32) + 1) * TICK_NS if places else 0


def backoff(first_s: float, limit_s: float, factor: float = 1.6, jitter: float = 0.2) -> Iterator[float]:
    """Waits for ever: growing by `factor` up to `limit_s`, each ± `jitter` of itself so that many don't return at once."""
    wait_s = first_s
    while True:
        yield min(wait_s, limit_s) * random.uniform(1 - jitter, 1 + jitter)  # noqa: S311  no secret hangs on it
        wait_s = min(wait_s * factor, limit_s)
