"""The whole daemon in the test's own process, watched from outside: what it published, how soon, and what it wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from collector.app import Daemon, Outside
from collector.ledger import Ledger
from collector.store.reader import Reader
from collector.terms import Event, EventKind
from config.model import Plant
from drivers.base import Scan

DEADLINE_S = 60.0


@dataclass(slots=True)
class Watched:
    """A daemon that runs."""

    daemon: Daemon
    outside: Outside
    events: list[Event] = field(default_factory=list)
    verdict_s: list[float] = field(default_factory=list)
    """Of each transition: from the receipt of the scan that showed it to the event's publication."""
    ledger: Ledger | None = None
    _received_s: dict[int, float] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, what: Scan | Event) -> None:
        now_ns = self.daemon.clock.now_ns()
        if isinstance(what, Scan):
            self._received_s[what.slot_ns] = what.received_ns / 1e9
        else:
            self.events.append(what)
            if what.kind is EventKind.TRANSITION and what.body["to"] != "ended":
                self.verdict_s.append(now_ns / 1e9 - self._received_s[what.slot_ns])
        self._changed.set()

    async def until(self, holds: Callable[[], object]) -> None:
        """Until something that was published makes it hold."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def states(self, kind: EventKind) -> list[object]:
        """What events of a kind said."""
        return [event.body["state"] for event in self.events if event.kind is kind]

    def in_journal(self) -> int:
        """Samples, as a reader of its own finds them."""
        reader = Reader(self.daemon.data, self.outside.file)
        try:
            return reader.totals().samples
        finally:
            reader.close()


@asynccontextmanager
async def watched(plant: Plant, data: Path, outside: Outside, *, drain: bool = False) -> AsyncIterator[Watched]:
    """Run a daemon; at the end it is stopped, and its ledger is known. With `drain`, sinks get their last chance."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    async with Daemon(plant, data, outside=outside) as daemon:
        watched = Watched(daemon, outside)
        daemon.live.listeners.append(watched.hear)
        running = asyncio.create_task(daemon.run(stop, hurry))
        try:
            yield watched
        finally:
            stop.set()
            if not drain:
                hurry.set()
            watched.ledger = await running
