"""Every scan's way from the driver to the disk: context, judge, publish, commit.

    endpoint task ── take(scan) ──> stamps ──> judge ──> events, published at once
                                                 └─────> pending, bounded ──> commit (each second, one transaction)

Judging never waits for the disk. What was taken is pending until a commit has returned; a commit that failed is
tried again with the same rows. Only when the disk has not taken anything for so long that `pending` is full are the
oldest scans dropped, counted, and told as a gap.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from collector.batch.context import ContextTracker
from collector.live import Live
from collector.monitor.judge import Judge
from collector.store.files import StoreError
from collector.store.journal import Entry, Journal, Stamped
from collector.store.reader import Totals
from collector.terms import Event, EventKind, Json
from config.model import Plant
from drivers.base import Clock, Scan

log = structlog.get_logger()

COMMIT_INTERVAL_S = 1.0
PENDING_SAMPLES = 20_000_000
"""About 400 MB at the most: half an hour of 10,000 tags at 1 Hz."""
ROWS_PER_COMMIT = 20_000


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
        self._dropped: tuple[int, int, int, int] | None = None  # from_ns, to_ns, slots, samples
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
        while self._pending_samples > PENDING_SAMPLES:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        entry = self._pending.popleft()
        if isinstance(entry, Event):
            return
        scan = entry.scan
        self._pending_samples -= scan.samples
        self._live.counters.overflowed += scan.samples
        first_ns, _, slots, samples = self._dropped or (scan.slot_ns, 0, 0, 0)
        if self._dropped is None:
            log.error("journal overflow: oldest scans are dropped", cause=self._disk_fault)
        self._dropped = (first_ns, scan.slot_ns, slots + 1, samples + scan.samples)

    async def commit_forever(self) -> None:
        """Commit what is pending every `COMMIT_INTERVAL_S`, for ever."""
        while True:
            await asyncio.sleep(COMMIT_INTERVAL_S)
            await self.commit()

    async def commit(self) -> bool:
        """Commit all that is pending now; False when the disk refused, and all of it is still pending."""
        while self._pending:
            self._tell_dropped()
            rows = [self._pending.popleft() for _ in range(min(len(self._pending), ROWS_PER_COMMIT))]
            work = asyncio.get_running_loop().run_in_executor(self._disk, self._append, rows)
            cancelled = await _finished(work)
            done = self._settle(rows, work)
            if cancelled:
                raise asyncio.CancelledError
            if not done:
                return False
        return True

    def _settle(self, rows: list[Entry], work: asyncio.Future[Totals]) -> bool:
        """After a commit has ended: rows that did not get to the disk are pending again."""
        try:
            totals = work.result()
        except (sqlite3.Error, StoreError, OSError) as exc:
            self._pending.extendleft(reversed(rows))
            self._disk_failed(str(exc))
            return False
        self._pending_samples -= sum(row.scan.samples for row in rows if isinstance(row, Stamped))
        self._live.counters.committed = totals.samples
        if self._disk_fault:
            log.info("journal takes scans again")
            self._disk_fault = ""
        self._committed()
        return True

    def _append(self, rows: list[Entry]) -> Totals:
        return self._journal.append(rows, self._clock.now_ns())

    def _disk_failed(self, cause: str) -> None:
        if not self._disk_fault:
            log.error("journal can't be written; scans are kept in memory", cause=cause)
        self._disk_fault = cause

    def _tell_dropped(self) -> None:
        if self._dropped is None:
            return
        from_ns, to_ns, slots, samples = self._dropped
        self._dropped = None
        cause = f"overload: the disk took nothing ({self._disk_fault or 'too slow'})"
        body: dict[str, Json] = {"from_ns": from_ns, "to_ns": to_ns, "slots": slots, "samples": samples, "cause": cause}
        self.tell(Event(EventKind.GAP, to_ns, body=body))

    async def close(self) -> bool:
        """Commit the rest and end what is open; False when the disk did not take it. No `take` afterwards."""
        now_ns = self._clock.now_ns()
        for judge in self.judges.values():
            for event in judge.close(now_ns):
                self.tell(event)
        done = await self.commit()
        self._disk.shutdown(wait=True)
        return done


async def _finished(work: asyncio.Future[Totals]) -> bool:
    """Wait for `work` to the end, whatever happens to this task; True when it was cancelled meanwhile."""
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
