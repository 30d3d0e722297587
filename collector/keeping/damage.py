"""Looks after the data folder: what is damaged is set aside and told, at the start, while it runs, and once a day.

found at the start     recover, before the journal is opened
found in a commit      the journal itself, in the thread that writes
found by a reader      `suspect`, from whoever could not read
found by looking       `run`: the edges of every file, soon after the start and once a day
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from collector.keeping.rescue import Rescued, begin_anew, write_copy
from collector.store.daily import Totals
from collector.store.files import Connect, Damaged, StoreError, connect, day_of, inode_of, journal_files, tells_damage
from collector.store.hold import Hold
from collector.store.journal import Journal
from collector.store.losses import Loss, losses
from collector.store.recovery import holes
from collector.store.registry import Registry
from collector.terms import Event, EventKind, Json

log = structlog.get_logger()

FIRST_LOOK_S = 5.0
LOOK_INTERVAL_S = 86_400.0
COPY_INTERVAL_S = 60.0


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
    """The daemon, as far as it concerns us. `set_aside` works in the thread that writes, the others in the event loop."""

    def tell_loss(self, loss: Loss) -> None:
        """Into the record."""

    def tell_rescue(self, rescued: Rescued, resumed: Sequence[str]) -> None:
        """Into the record."""

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

    def __init__(
        self, data: Path, registry: Registry, aside: Aside, wall_ns: Callable[[], int], connect: Connect = connect
    ) -> None:
        self._data, self._registry, self._aside = data, registry, aside
        self._wall_ns, self._connect = wall_ns, connect
        self._hold = Hold.of(data)
        self._loop = asyncio.get_running_loop()
        self._busy = asyncio.Lock()

    def heard(self, loss: Loss) -> None:
        """A file was set aside; called from any thread."""
        log.error("journal file set aside", file=loss.file, kept=loss.kept, samples=loss.samples, cause=loss.cause)
        self._loop.call_soon_threadsafe(self._aside.tell_loss, loss)

    async def suspect(self, exc: Exception) -> None:
        """Somebody could not read or write: what is damaged is set aside, unless it was meanwhile. Never raises."""
        try:
            async with self._busy:
                if isinstance(exc, Damaged):
                    if exc.inode and inode_of(exc.path) == exc.inode:
                        await self._aside.set_aside(exc.path, exc.what)
                elif tells_damage(exc):
                    await asyncio.to_thread(self.look_at_registry)
        except (StoreError, sqlite3.Error, OSError) as why:
            log.error("what is damaged can't be set aside", cause=str(why))

    def look_at_registry(self) -> None:
        """Begin it anew where it is damaged or gone; blocking, from any thread. Raises StoreError, sqlite3.Error."""
        self._hold.check()
        if rescued := begin_anew(self._data, self._registry, self._wall_ns()):
            log.error("the registry was begun anew", kept=rescued.kept, cause=rescued.cause)
            self._loop.call_soon_threadsafe(self._aside.tell_rescue, rescued, ["each sink goes on where it was"])

    async def run(self) -> None:
        """Look at the edges of all files: soon, once a day, and when one is there that can't be ours. Copy each minute what the
        registry knows."""
        next_look_s, turn_s = FIRST_LOOK_S, 0.0
        while True:
            wait_s = min(COPY_INTERVAL_S, next_look_s - turn_s)
            await asyncio.sleep(wait_s)
            turn_s += wait_s
            await asyncio.to_thread(self.copy)
            if turn_s >= next_look_s or await asyncio.to_thread(self._is_ahead):
                next_look_s, turn_s = LOOK_INTERVAL_S, 0.0
                await self._look()

    def copy(self) -> None:
        """Blocking. A disk that refuses is told by whoever needs it more."""
        with contextlib.suppress(OSError, sqlite3.Error, StoreError):
            self._hold.check()
            if self._registry.is_gone():
                self.look_at_registry()
            write_copy(self._data, self._registry)

    def _is_ahead(self) -> bool:
        """A daily file has a name that is none of ours yet: readers would take it for the newest."""
        with contextlib.suppress(OSError, sqlite3.Error):
            head = End.from_json(self._registry.states("journal").get("head") or {})
            return bool(head.time_ns) and any(path.stem > day_of(head.time_ns) for path in journal_files(self._data)[-1:])
        return False

    async def _look(self) -> None:
        """Set aside what can't be opened, put down what is gone."""
        try:
            async with self._busy:
                for path, cause in await asyncio.to_thread(lambda: list(holes(self._data, self._connect))):
                    await self._aside.set_aside(path, cause)
        except (StoreError, sqlite3.Error) as exc:
            log.error("the journal's files can't be looked at", cause=str(exc))
