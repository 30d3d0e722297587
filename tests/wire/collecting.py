"""The whole daemon in this process, with its journal, while a test lets things go wrong around it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from collector.app import Daemon
from collector.terms import Event, EventKind
from config.model import Plant
from drivers.base import Scan


class Watch:
    """What came of each device, and whoever waits for more."""

    def __init__(self) -> None:
        self.good: dict[str, list[int]] = defaultdict(list)
        """Slots in which all was good."""
        self.partly: dict[str, list[int]] = defaultdict(list)
        """Slots that were read, with something in them that was not."""
        self.causes: dict[str, list[str]] = defaultdict(list)
        """Of its losses and gaps."""
        self._more = asyncio.Event()

    def __call__(self, what: Scan | Event) -> None:
        if isinstance(what, Scan) and not what.lost:
            (self.partly if what.quality.any() else self.good)[what.layout.device].append(what.slot_ns)
            self._more.set()
        elif isinstance(what, Event) and what.kind in (EventKind.DEVICE, EventKind.GAP) and "device" in what.body:
            self.causes[str(what.body["device"])].append(str(what.body["cause"]))
            self._more.set()

    async def until(self, true: Callable[[], bool], limit_s: float) -> bool:
        """As soon as it is; False when it was not within `limit_s`."""
        try:
            async with asyncio.timeout(limit_s):
                while not true():
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            return False
        return True

    def have(self, devices: Iterable[str], count: int, after_ns: int = 0) -> bool:
        """Whether each of `devices` was good in so many slots after a time."""
        return all(sum(slot_ns > after_ns for slot_ns in self.good[device][-count:]) >= count for device in devices)

    def without(self, devices: Iterable[str], after_ns: int = 0) -> str:
        """Which of `devices` were not good after a time, and what was told of them last."""
        lacking = [device for device in devices if not self.have([device], 1, after_ns)]
        return f"never good: {[(device, self.causes[device][-1:]) for device in lacking]}"


@asynccontextmanager
async def collecting(plant: Plant, data: Path) -> AsyncIterator[Watch]:
    """The daemon runs inside, and has drained to its journal afterwards."""
    stop, hurry, watch = asyncio.Event(), asyncio.Event(), Watch()
    async with Daemon(plant, data) as daemon:
        daemon.live.listeners.append(watch)
        running = asyncio.create_task(daemon.run(stop, hurry))
        try:
            yield watch
        finally:
            stop.set()
            await running
