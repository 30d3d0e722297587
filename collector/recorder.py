"""Every scan's way from the driver to the disk: context, judge, publish, commit.

    endpoint task ── take(scan) ──> stamps ──> judge ──> events, published at once
                                                 └─────> pending, bounded ──> commit (each second, one transaction)

Judging never waits for the disk. What was taken is pending until a commit with it has returned; a commit that failed is
tried again with the same rows. Only when the disk has not taken anything for so long that `pending` is full are the
oldest scans dropped, counted, and told as one gap at the head of the next commit that succeeds. Events are not dropped
for scans: a batch's beginning makes no room.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from collector.batch.context import ContextTracker
from collector.live import Live
from collector.monitor.judge import Judge
from collector.store.daily import Totals
from collector.store.files import StoreError
from collector.store.journal import Entry, Journal, Stamped
from collector.terms import Event, EventKind, Json
from config.model import Plant
from drivers.base import Clock, Scan

log = structlog.get_logger()

COMMIT_INTERVAL_S = 1.0
PENDING_SAMPLES = 20_000_000
"""About 400 MB at the most: half an hour of 10,000 tags at 1 Hz."""
PENDING_EVENTS = 100_000
ROWS_PER_COMMIT = 20_000


@dataclass(frozen=True, slots=True)
class Dropped:
    """What there was no room for, since the last commit that succeeded."""

    from_ns: int
    to_ns: int
    slots: int = 0
    samples: int = 0
    events: int = 0

    def with_(self, other: Dropped | None) -> Dropped:
        """Both together."""
        if other is None:
            return self
        return Dropped(
            min(self.from_ns, other.from_ns),
            max(self.to_ns, other.to_ns),
            self.slots + other.slots,
            self.samples + other.samples,
            self.events + other.events,
        )

    def gap(self, cause: str) -> Event:
        """As the journal has it."""
        body: dict[str, Json] = {"from_ns": self.from_ns, "to_ns": self.to_ns, "slots": self.slots}
        return Event(EventKind.GAP, self.to_ns, body={**body, "samples": self.samples, "events": self.events, "cause": cause})


@dataclass(frozen=True, slots=True)
class _Written:
    """How a commit ended: what is on the disk, and what can never be written, with the first reason."""

    totals: Totals
    refused: tuple[Entry, ...] = ()
    error: Exception | None = None


class Recorder:
    """Takes scans and events, judges them, and commits them in their order."""

    def __init__(
        self, plant: Plant, journal: Journal, context: ContextTracker, live: Live, clock: Clock, committed: Callable[[], None]
    ) -> None:
        """`committed` is called after every commit that wrote something."""
        self._plant, self._journal, self._context, self._live, self._clock = plant, journal, context, live, clock
        self._committed = committed
        self._pending: deque[Entry] = deque()
        self._pending_samples = 0
        self._pending_events = 0
        self._dropped: Dropped | None = None
        self._disk_fault = ""
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self.judges: dict[str, Judge] = {}
        live.stamps = dict(context.stamps)

    @property
    def pending_samples(self) -> int:
        """Samples that are read but not yet committed."""
        return self._pending_samples

    @property
    def disk_fault(self) -> str:
        """Why commits fail now; empty while they succeed."""
        return self._disk_fault

    def take(self, scan: Scan) -> None:
        """A scan, on arrival. Publishes what it changes, before returning."""
        layout = scan.layout
        judge = self.judges.get(layout.id)
        if judge is None:
            judge = self.judges[layout.id] = Judge(layout, self._plant.limits)
        for event in self._context.observe(scan):
            self._live.phase_since_ns[event.unit] = event.slot_ns
            self.tell(event)
        stamps = self._context.of(layout)
        self._live.stamps.update(zip(layout.units, stamps, strict=True))
        self._live.counters.scans += 1
        self._live.counters.read += scan.samples
        self._live.counters.lost_scans += scan.lost
        self._enqueue(Stamped(scan, stamps), scan.samples)
        self._live.publish(scan)
        for event in judge.judge(scan, stamps):
            self.tell(event)

    def tell(self, event: Event) -> None:
        """An event, in its place among the scans."""
        self._enqueue(event, 0)
        self._live.publish(event)

    def _enqueue(self, entry: Entry, samples: int) -> None:
        self._pending.append(entry)
        self._pending_samples += samples
        self._pending_events += isinstance(entry, Event)
        while self._pending_samples > PENDING_SAMPLES and self._drop_oldest(Stamped):
            pass
        while self._pending_events > PENDING_EVENTS and self._drop_oldest(Event):
            pass

    def _drop_oldest(self, kind: type[Stamped] | type[Event]) -> bool:
        """Drop the oldest of its kind that is not on its way to the disk; False when there is none."""
        at = next((i for i, entry in enumerate(self._pending) if isinstance(entry, kind)), None)
        if at is None:
            return False
        entry = self._pending[at]
        del self._pending[at]
        if self._dropped is None:
            log.error("journal overflow: the oldest is dropped", cause=self._disk_fault or "the disk is too slow")
        self._forget(entry)
        return True

    def _forget(self, entry: Entry) -> None:
        """`entry` will never be on the disk: count it."""
        if isinstance(entry, Event):
            self._pending_events -= 1
            lost = Dropped(entry.slot_ns, entry.slot_ns, events=1)
        else:
            samples = entry.scan.samples
            self._pending_samples -= samples
            self._live.counters.overflowed += samples
            lost = Dropped(entry.scan.slot_ns, entry.scan.slot_ns, slots=1, samples=samples)
        self._dropped = lost.with_(self._dropped)

    async def commit_forever(self) -> None:
        """Commit what is pending every `COMMIT_INTERVAL_S`, for ever."""
        while True:
            await asyncio.sleep(COMMIT_INTERVAL_S)
            await self.commit()

    async def commit(self) -> bool:
        """Commit all that is pending now; False when the disk refused, and all of it is still pending.

        An entry that can never be written costs no other: the rest is committed, then its error is raised.
        """
        while self._pending or self._dropped:
            told, self._dropped = self._dropped, None
            gap = [told.gap(f"overload: {self._disk_fault or 'the disk was too slow'}")] if told else []
            rows = [self._pending.popleft() for _ in range(min(len(self._pending), ROWS_PER_COMMIT))]
            work = asyncio.get_running_loop().run_in_executor(self._disk, self._append, [*gap, *rows])
            cancelled = await _finished(work)
            done = self._settle(rows, told, gap, work)
            if cancelled:
                raise asyncio.CancelledError
            if not done:
                return False
        return True

    def _append(self, rows: list[Entry]) -> _Written:
        time_ns = self._clock.now_ns()
        try:
            return _Written(self._journal.append(rows, time_ns))
        except (TypeError, ValueError, OverflowError):
            return self._append_singly(rows, time_ns)

    def _append_singly(self, rows: list[Entry], time_ns: int) -> _Written:
        refused: list[Entry] = []
        error: Exception | None = None
        for row in rows:
            try:
                self._journal.append([row], time_ns)
            except (TypeError, ValueError, OverflowError) as exc:
                refused.append(row)
                error = error or exc
        return _Written(self._journal.totals, tuple(refused), error)

    def _settle(self, rows: list[Entry], told: Dropped | None, gap: Sequence[Event], work: asyncio.Future[_Written]) -> bool:
        """After a commit has ended: rows that did not get to the disk are pending again."""
        try:
            written = work.result()
        except BaseException as exc:
            self._pending.extendleft(reversed(rows))
            if told:
                self._dropped = told.with_(self._dropped)
            if not isinstance(exc, (sqlite3.Error, StoreError, OSError)):
                raise
            self._disk_failed(str(exc))
            return False
        self._committed_now(rows, gap, written)
        if written.error:
            raise written.error
        return True

    def _committed_now(self, rows: list[Entry], gap: Sequence[Event], written: _Written) -> None:
        for row in rows:
            if row in written.refused:
                self._forget(row)
            elif isinstance(row, Event):
                self._pending_events -= 1
            else:
                self._pending_samples -= row.scan.samples
        for event in gap:
            self._live.publish(event)
        self._live.counters.committed = written.totals.samples
        if self._disk_fault:
            log.info("journal takes scans again")
            self._disk_fault = ""
        self._committed()

    def _disk_failed(self, cause: str) -> None:
        if not self._disk_fault:
            log.error("journal can't be written; scans are kept in memory", cause=cause)
        self._disk_fault = cause

    async def close(self) -> bool:
        """Commit the rest and end what is open; False when the disk did not take it. No `take` afterwards."""
        now_ns = self._clock.now_ns()
        for judge in self.judges.values():
            for event in judge.close(now_ns):
                self.tell(event)
        done = await self.commit()
        self._disk.shutdown(wait=True)
        return done


async def _finished(work: asyncio.Future[_Written]) -> bool:
    """Wait for `work` to the end, whatever happens to this task; True when it was cancelled meanwhile."""
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
