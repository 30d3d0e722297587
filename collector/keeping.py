"""Looks after the data folder: what is damaged is set aside and told, at the start, while it runs, and once a day.

found at the start     recover, before the journal is opened
found in a commit      the journal itself, in the thread that writes
found by a reader      `suspect`, from whoever could not read
found by looking       `run`: the edges of every file, soon after the start and once a day
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from collector.store.daily import Totals
from collector.store.files import Connect, Damaged, StoreError, connect, inode_of
from collector.store.journal import Journal
from collector.store.losses import Loss, losses
from collector.store.recovery import holes
from collector.terms import Event, EventKind, Json

log = structlog.get_logger()

FIRST_LOOK_S = 5.0
LOOK_INTERVAL_S = 86_400.0


@dataclass(frozen=True, slots=True)
class End:
    """Where the journal ended, as the registry remembers it: what is cut short afterwards has no more of it."""

    seq: int = 0
    samples: int = 0
    scans: int = 0
    time_ns: int = 0
    hash: str = ""
    """Of the newest commit, hexadecimal."""

    @classmethod
    def of(cls, journal: Journal) -> End:
        """Now."""
        totals, head = journal.totals, journal.head
        return cls(totals.seq, totals.samples, totals.scans, journal.newest_ns, head.hash.hex() if head.hash else "")

    @classmethod
    def from_json(cls, body: Mapping[str, Json]) -> End:
        """What `asdict` gave; zeros for what is missing."""
        told = (body.get(name) for name in ("seq", "samples", "scans", "time_ns"))
        seq, samples, scans, time_ns = (number if isinstance(number, int) else 0 for number in told)
        return cls(seq, samples, scans, time_ns, str(body.get("hash", "")))

    @property
    def totals(self) -> Totals:
        """Without the time."""
        return Totals(self.seq, self.samples, self.scans)


class Aside(Protocol):
    """Who sets a file aside, in the thread that writes."""

    def set_aside(self, path: Path, cause: str) -> Awaitable[None]:
        """Raises StoreError when it can't be."""


def loss_event(loss: Loss, now_ns: int) -> Event:
    """As the journal has it."""
    body: dict[str, Json] = {
        "file": loss.file,
        "kept": loss.kept,
        "cause": loss.cause,
        "from_ns": loss.from_ns,
        "to_ns": loss.to_ns,
        "first_seq": loss.before.seq + 1,
        "last_seq": loss.after.seq,
        "samples": loss.samples,
        "scans": loss.scans,
    }
    return Event(EventKind.DAMAGE, now_ns, body=body)


def unnoted(data: Path) -> list[Loss]:
    """What nobody has taken note of yet. Raises StoreError."""
    return [loss for loss in losses(data) if loss.acknowledged_ns is None]


class Keeping:
    """Of one daemon."""

    def __init__(self, data: Path, tell: Callable[[Loss], None], aside: Aside, connect: Connect = connect) -> None:
        """`tell` is called in the event loop for each loss that `heard` was told of."""
        self._data, self._tell, self._aside, self._connect = data, tell, aside, connect
        self._loop = asyncio.get_running_loop()
        self._busy = asyncio.Lock()

    def heard(self, loss: Loss) -> None:
        """A file was set aside; called from any thread."""
        log.error("journal file set aside", file=loss.file, kept=loss.kept, samples=loss.samples, cause=loss.cause)
        self._loop.call_soon_threadsafe(self._tell, loss)

    async def suspect(self, damaged: Damaged) -> None:
        """A reader found a file damaged: it is set aside, unless it was meanwhile. Raises StoreError when it can't be."""
        async with self._busy:
            if damaged.inode and inode_of(damaged.path) == damaged.inode:
                await self._aside.set_aside(damaged.path, damaged.what)

    async def run(self) -> None:
        """Look at the edges of all files, soon and then once a day."""
        await asyncio.sleep(FIRST_LOOK_S)
        while True:
            try:
                await self.look()
            except StoreError as exc:
                log.error("the journal's files can't be looked at", cause=str(exc))
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def look(self) -> None:
        """Set aside what can't be opened, put down what is gone. Raises StoreError."""
        async with self._busy:
            for path, cause in await asyncio.to_thread(lambda: list(holes(self._data, self._connect))):
                await self._aside.set_aside(path, cause)
