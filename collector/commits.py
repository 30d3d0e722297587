"""The last stretch of the way to the disk: what was taken is pending, within bounds, and committed each second.

    push ──> pending ──> commit (one transaction, on a thread of its own) ──> settled; who waits for an entry is told
                ▲            │
                └────────────┘  refused: the same rows again; never returns: told, and all of it still pending

An entry counts as pending until a commit with it has returned. Only when the disk has not taken anything for so long that
there is no room are the oldest scans dropped, counted, and told as one gap at the head of the next commit that succeeds.
Events are not dropped for scans: a batch's beginning makes no room.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from collector.keeping import disk
from collector.keeping.damage import End
from collector.keeping.disk import Disk
from collector.pending import Dropped, Numbered, Pending
from collector.show.live import Live
from collector.store.daily import Totals
from collector.store.files import StoreError
from collector.store.journal import Entry, Journal, Stamped
from collector.terms import Event
from drivers.base import Clock

log = structlog.get_logger()

COMMIT_INTERVAL_S = 1.0
PENDING_SAMPLES = 20_000_000
"""About 400 MB at the most: half an hour of 10,000 tags at 1 Hz."""
PENDING_EVENTS = 100_000
ROWS_PER_COMMIT = 20_000


OVERLOAD = "overload: the disk did not take it in time"


@dataclass(frozen=True, slots=True)
class _Written:
    """How a commit ended. Rows before `left_from` are on the disk, but for those refused: they can never be written."""

    totals: Totals
    left_from: int
    refused: frozenset[int] = frozenset()
    error: Exception | None = None
    """The first reason of a refusal: a bug of ours."""
    fault: Exception | None = None
    """Why the disk took no more."""


_DISK_FAULTS = (sqlite3.Error, StoreError, OSError)
_REFUSALS = (TypeError, ValueError, OverflowError)
_OF_A_VALUE = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError, sqlite3.DataError)
"""What SQLite says of a value that it does not take; also of a connection that is closed, when it takes none."""
_NUMBER_TAKEN = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID)
"""No matter of the value: somebody else writes to the file."""


def _is_refusal(exc: Exception) -> bool:
    """The entry can't be written; else it is the disk."""
    return isinstance(exc, (*_REFUSALS, *_OF_A_VALUE)) and getattr(exc, "sqlite_errorcode", 0) not in _NUMBER_TAKEN


class Commits:
    """Commits entries in the order in which they came."""

    def __init__(
        self, journal: Journal, live: Live, clock: Clock, tell: Callable[[Event], None], committed: Callable[[], None]
    ) -> None:
        """`tell`: how the disk stands, when that changes; `committed` is called after every commit that wrote something."""
        self._journal, self._live, self._clock, self._committed = journal, live, clock, committed
        self._pending = Pending()
        self.disk = Disk(tell, clock)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting: dict[int, asyncio.Future[Event]] = {}
        """By number among the pending: who waits until it is on the disk."""

    @property
    def samples(self) -> int:
        """Samples that are read but not yet committed."""
        return self._pending.samples

    @property
    def end(self) -> End:
        """Where the journal ends, on the disk."""
        return End.of(self._journal)

    def push(self, entry: Entry) -> None:
        """The newest entry."""
        self._pending.push(entry)
        told = OVERLOAD in self._pending.dropped
        self._live.counters.overflowed += self._pending.trim(PENDING_SAMPLES, PENDING_EVENTS, OVERLOAD)
        if not told and OVERLOAD in self._pending.dropped:
            log.error("journal overflow: the oldest is dropped", cause=self.disk.cause or "the disk is too slow")

    def newest(self) -> asyncio.Future[Event]:
        """The newest entry, an event; done when it is on the disk."""
        return self._waiting.setdefault(self._pending.newest, asyncio.get_running_loop().create_future())

    async def commit_forever(self) -> None:
        """Commit what is pending every `COMMIT_INTERVAL_S`, for ever."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            due_s = max(due_s + COMMIT_INTERVAL_S, loop.time())  # the time that a commit takes makes no interval longer
            await asyncio.sleep(due_s - loop.time())
            await self.commit()

    async def commit(self) -> bool:
        """Commit all that is pending now; False when the disk refused, and all of it is still pending.

        An entry that can never be written costs no other: the rest is committed, then its error is raised.
        """
        error: Exception | None = None
        while self._pending:
            dropped, self._pending.dropped = list(self._pending.dropped.items()), {}
            rows = self._pending.take(ROWS_PER_COMMIT)
            gaps = [what.gap(cause) for cause, what in dropped]
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._append, [*gaps, *(row[1] for row in rows)])
            cancelled = await self._finished(work)
            written = self._settle(dropped, gaps, rows, work)
            error = error or written.error
            if cancelled:
                raise asyncio.CancelledError
            if written.fault:
                break
        if error:
            raise error
        return not self._pending

    def _append(self, entries: list[Entry]) -> _Written:
        time_ns = self._clock.now_ns()
        try:
            return _Written(self._journal.append(entries, time_ns), len(entries))
        except (*_DISK_FAULTS, *_REFUSALS) as exc:
            if _is_refusal(exc):
                written = self._append_singly(entries, time_ns)
                if len(written.refused) < len(entries) or not isinstance(exc, _OF_A_VALUE):
                    return written
            return _Written(self._journal.totals, 0, fault=exc)

    def _append_singly(self, entries: list[Entry], time_ns: int) -> _Written:
        refused: set[int] = set()
        error: Exception | None = None
        for at, entry in enumerate(entries):
            try:
                self._journal.append([entry], time_ns)
            except (*_DISK_FAULTS, *_REFUSALS) as exc:
                if not _is_refusal(exc):
                    return _Written(self._journal.totals, at, frozenset(refused), error, exc)
                refused.add(at)
                error = error or exc
        return _Written(self._journal.totals, len(entries), frozenset(refused), error)

    def _settle(
        self, dropped: list[tuple[str, Dropped]], gaps: list[Event], rows: list[Numbered], work: asyncio.Future[_Written]
    ) -> _Written:
        """After a commit has ended: what did not get to the disk is pending again."""
        try:
            written = work.result()
        except BaseException:
            self._pending.put_back(rows)
            for cause, what in dropped:
                self._pending.tell_again(cause, what)
            raise
        first = len(gaps)
        for at, (cause, what) in enumerate(dropped):
            if at >= written.left_from:
                self._pending.tell_again(cause, what)
            elif at in written.refused:
                log.error("a gap can't be written: a defect, please report it", cause=cause, samples=what.samples)
            else:
                self._live.publish(gaps[at])
        self._pending.put_back(rows[max(0, written.left_from - first) :])
        for at, row in enumerate(rows[: max(0, written.left_from - first)], first):
            if at in written.refused:
                self._refuse(row, str(written.error))
            else:
                self._pending.settle(row)
                self._durable(row)
        self._tell_disk(written)
        return written

    def _durable(self, row: Numbered) -> None:
        waiting = self._waiting.pop(row[0], None)
        if waiting and not waiting.done() and isinstance(row[1], Event):
            waiting.set_result(row[1])

    def _refuse(self, row: Numbered, reason: str) -> None:
        entry = row[1]
        log.error("an entry can't be written and is lost: a defect, please report it", reason=reason)
        if isinstance(entry, Stamped):
            self._live.counters.overflowed += entry.scan.samples
        self._pending.drop(row, f"defect: it could not be written: {reason}")

    def _tell_disk(self, written: _Written) -> None:
        if written.left_from:
            self._live.counters.committed = written.totals.samples
            self._committed()
        if written.fault:
            self.disk.refuses(str(written.fault))
        else:
            self.disk.takes()

    async def _finished(self, work: asyncio.Future[_Written]) -> bool:
        """Wait for `work` to the end, whatever happens to this task; True when it was cancelled meanwhile."""
        cancelled = False
        while not work.done():
            try:
                done, _ = await asyncio.wait([work], timeout=disk.STALL_S)
            except asyncio.CancelledError:
                cancelled = True
            else:
                if not done:
                    self.disk.stalls()
        return cancelled

    async def set_aside(self, path: Path, cause: str) -> None:
        """Have a daily file that somebody found damaged set aside. Raises StoreError when it can't be."""
        now_ns = self._clock.now_ns()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.set_aside, path, cause, now_ns)

    async def close(self) -> bool:
        """Commit the rest; False when the disk did not take it. Nothing is pushed afterwards."""
        try:
            return await self.commit()
        finally:
            self._thread.shutdown(wait=True)
