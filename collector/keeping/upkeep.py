"""Compacts daily files, and takes away those that the plant file no longer keeps: in a thread of its own, at its leisure.

The thread has the priority of all others: as it shares the interpreter with the event loop, a lower one would let the loop wait
for a thread that does not get to run. It rests as long as it worked instead, and holds the journal's turn for some
milliseconds only.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import structlog

from collector.keeping.doubts import Doubts
from collector.ledger import pass_by
from collector.show.live import Live
from collector.store.compactor import Compactor
from collector.store.files import Connect, Damaged, StoreError, connect, identity_of, journal_files
from collector.store.hold import Hold
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.retention import (
    ARCHIVED,
    REMOVED,
    Decision,
    Keep,
    Stored,
    decide,
    free_to_remove,
    remove,
    removed_until,
    stored,
    to_be_freed,
)
from collector.terms import Event, EventKind, Json
from drivers.base import Clock

log = structlog.get_logger()

T = TypeVar("T")

FIRST_S = 15.0
"""After a start, devices and sinks come first."""
INTERVAL_S = 5.0
ROUNDS_PER_LOOK = 60
"""Rounds from one look at what is kept to the next."""
_LEAST_REST_S, _MOST_REST_S = 0.001, 0.05


def leisurely(work: Iterator[None], stop: threading.Event) -> None:
    """Do it step by step, resting after each as long as it took, until it is done or `stop` is set."""
    began_s = time.perf_counter()
    for _ in work:
        if stop.wait(min(max(time.perf_counter() - began_s, _LEAST_REST_S), _MOST_REST_S)):
            break
        began_s = time.perf_counter()


async def _ignore(exc: Exception) -> None:
    pass


class _Stopped(Exception):
    """In the middle of a step that takes long."""


class Upkeep:
    """Of one daemon."""

    def __init__(
        self,
        data: Path,
        journal: Journal,
        registry: Registry,
        live: Live,
        clock: Clock,
        tell: Callable[[Event], None],
        keep: Keep = Keep(),  # noqa: B008  frozen
        connect: Connect = connect,
        suspect: Callable[[Exception], Awaitable[None]] = _ignore,
    ) -> None:
        """`tell` is called in the event loop; `suspect` is told what is damaged, and has it set aside."""
        self._data, self._registry, self._live, self._clock, self._tell = data, registry, live, clock, tell
        self._keep, self._connect = keep, connect
        self._suspect = suspect
        self._compactor = Compactor(data, journal.turn, connect)
        self._stop = threading.Event()
        self._hold = Hold.of(data)
        self._doubts = Doubts(data, registry, connect, self._rest)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="upkeep")
        self._told: set[tuple[str, str]] = set()
        self._closed: dict[tuple[str, int], Stored] = {}
        """Of closed files: what is asked of them here does not change any more."""
        self._fault = ""

    async def run(self) -> None:
        """For ever. When it is cancelled, the step that runs ends first: some milliseconds."""
        turn = 0
        try:
            await asyncio.sleep(FIRST_S)
            while True:
                await self._in_thread(self._compact)
                if turn % ROUNDS_PER_LOOK == 0:
                    for damaged in await self._in_thread(self._doubts.look):
                        await self._suspect(damaged)
                    for event in await self._in_thread(self._look):
                        self._tell(event)
                turn += 1
                await asyncio.sleep(INTERVAL_S)
        finally:
            self._stop.set()
            self._thread.shutdown(wait=True)

    async def _in_thread(self, work: Callable[[], list[T]]) -> list[T]:
        """What it gives. A disk that refuses is logged once, and tried again; what is damaged is suspected."""
        try:
            self._hold.check()
            given = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, StoreError, OSError) as exc:
            if not self._fault:
                log.error("daily files can't be looked after now", cause=str(exc))
            self._fault = str(exc)
            if isinstance(exc, Damaged):
                await self._suspect(exc)
            return []
        self._fault = ""
        return given

    def _rest(self) -> None:
        if self._stop.wait(_LEAST_REST_S):
            raise _Stopped

    def _compact(self) -> list[Event]:
        leisurely(self._compactor.work(self._clock.now_ns()), self._stop)
        for path, cause in self._compactor.faults.items():
            if (path.name, cause) not in self._told:
                self._told.add((path.name, cause))
                log.error("daily file can't be compacted, and stays as it is", file=path.name, cause=cause)
                self._doubts.about(path, cause)
        return []

    def _look(self) -> list[Event]:
        """Take away what may go; what was, and why what should may not, once."""
        if self._keep.everything:
            return []
        decision = self._decide()
        with free_to_remove(self._data) as is_free:  # else at the next look: a copy is being made
            events = [self._remove(file) for file in decision.remove if is_free and not self._stop.is_set()]
        if decision.held and (decision.held.path.name, decision.reason) not in self._told:
            self._told.add((decision.held.path.name, decision.reason))
            events.append(self._event("held", decision.held, decision.reason))
        return events

    def to_be_freed(self, free_bytes: int) -> int:
        """Bytes that keeping by size frees before a disk with `free_bytes` free is full; blocking, from any thread.

        Raises StoreError, sqlite3.Error.
        """
        if self._keep.size_bytes is None:
            return 0
        files, sinks, running = self._kept()
        return to_be_freed(files, self._keep, free_bytes, sinks, running)

    def to_archive(self) -> int:
        """Closed days with gmp data that no archive has, as far as is noted; blocking, from any thread. Raises sqlite3.Error."""
        notes = self._registry.states(ARCHIVED)
        paths = journal_files(self._data)[:-1]
        known, self._closed = self._closed, {}
        for path in paths:
            identity = identity_of(path)
            with suppress(StoreError):  # one that can't be read is told by who looks at the edges of all
                self._closed[identity] = known.get(identity) or stored(path, self._connect)
        return sum(file.is_gmp and not file.noted(notes).is_archived for file in self._closed.values())

    def _decide(self) -> Decision:
        files, sinks, running = self._kept()
        return decide(files, self._keep, self._clock.now_ns(), sinks, running)

    def _kept(self) -> tuple[list[Stored], dict[str, int], set[str]]:
        """The daily files, up to where each sink has settled, and the batches that run."""
        notes = self._registry.states(ARCHIVED)
        files = [stored(path, self._connect).noted(notes) for path in journal_files(self._data)]
        known = {name: sink.cursor.settled_until for name, sink in self._registry.sinks().items()}
        sinks = dict.fromkeys(self._keep.sinks, 0) | known
        running = {stamp.batch for stamp in self._live.stamps.values() if stamp.batch}
        return files, sinks, running

    def _remove(self, file: Stored) -> Event:
        """The registry knows first, durably: what is found missing was taken away, and by whom."""
        with closing(Reader(self._data, self._connect)) as reader:
            pass_by(reader, self._registry, file.end.seq)
        if file.end.seq > removed_until(self._registry.states(REMOVED)).seq:  # else it was put back from a copy
            self._registry.put_states(REMOVED, file.as_removed())
        remove(file.path)
        with suppress(sqlite3.Error):  # a note that is left does no harm, an event that is not told would
            self._registry.put_states(ARCHIVED, {file.path.name: None})
        log.info("daily file removed", file=file.path.name, samples=file.samples, archive=file.archive or "none")
        return self._event("removed", file, "the plant file keeps no more")

    def _event(self, state: str, file: Stored, cause: str) -> Event:
        body: dict[str, Json] = {
            "state": state,
            "file": file.path.name,
            "last_seq": file.end.seq,
            "samples": file.samples,
            "bytes": file.size_bytes,
            "cause": cause,
            "archive": file.archive,
        }
        return Event(EventKind.RETENTION, self._clock.now_ns(), body=body)
