"""Sinks that were taken out of the plant file: told once, kept with what they had not got, forgotten when somebody asks.

Putting one back into the plant file makes it go on where it was. Forgetting is told by an event, and done when that is
on the disk: what became of a sink's share can always be found out.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

import structlog

from collector.ledger import begin, ledger_of
from collector.store.files import StoreError
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.terms import Event, EventKind, Json
from drivers.base import Clock

log = structlog.get_logger()

INTERVAL_S = 2.0
COMMITS_UNTIL_DURABLE = 2
"""The first after an event was told may have begun before it."""


class Removal:
    """Looks after the sinks that a plant has no more."""

    def __init__(
        self, present: Sequence[str], reader: Reader, registry: Registry, clock: Clock, tell: Callable[[Event], None]
    ) -> None:
        """A start with the sinks `present` in the plant file. Raises StoreError."""
        self._reader, self._registry, self._clock, self._tell = reader, registry, clock, tell
        for name in set(present) - set(registry.sinks()):
            begin(registry, name)
        self._gone = registry.place(present, reader.totals().seq)
        self._commits = 0
        self._told: dict[str, int] = {}
        """Of the sinks to be forgotten whose event was told: the commits until then."""

    def committed(self) -> None:
        """Rows were committed."""
        self._commits += 1

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                while self._gone:
                    left = await asyncio.to_thread(self._left, self._gone[0])
                    self._tell_of(self._gone.pop(0), "removed", f"taken out of the plant file; {left}")
                for name in await asyncio.to_thread(self._asked):
                    await self._forget(name)
            except (sqlite3.Error, StoreError) as exc:  # tried again each time
                log.warning("sinks can't be forgotten now", cause=str(exc))
            await asyncio.sleep(INTERVAL_S)

    def _asked(self) -> list[str]:
        return [name for name, sink in self._registry.sinks().items() if sink.forget and sink.removed_seq is not None]

    async def _forget(self, name: str) -> None:
        if name not in self._told:
            self._tell_of(name, "forgotten", f"as asked by sinks forget; {await asyncio.to_thread(self._left, name)}")
            self._told[name] = self._commits
        elif self._commits >= self._told[name] + COMMITS_UNTIL_DURABLE:
            await asyncio.to_thread(self._registry.forget, name)
            log.info("sink forgotten", sink=name)

    def _left(self, name: str) -> str:
        share = ledger_of(self._reader, self._registry, [name]).sinks[name]
        return f"{share.queued} samples it had not got, {share.dead_lettered} dead-lettered"

    def _tell_of(self, name: str, state: str, cause: str) -> None:
        body: dict[str, Json] = {"sink": name, "state": state, "cause": cause}
        self._tell(Event(EventKind.SINK, self._clock.now_ns(), body=body))
