"""Every scan's way from the driver to the disk: context, judge, publish, commit.

    endpoint task ── take(scan) ──> plausibility ──> stamps ──> judge ──> alarms ──> events, published at once
                                                                                       └─> pending ──> commit (each second,
                                                                                                       one transaction)

Judging never waits for the disk. What was taken is pending, within bounds, until a commit with it has returned; a commit that
failed is tried again with the same rows, and one that does not return is told. Only when the disk has not taken anything for
so long that `pending` is full are the oldest scans dropped, counted, and told as one gap at the head of the next commit that
succeeds. Events are not dropped for scans: a batch's beginning makes no room.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from collector import disk
from collector.alarm_memory import alarm_book, outside_before
from collector.batch.context import ContextTracker
from collector.disk import Disk
from collector.keeping import End
from collector.live import Live
from collector.monitor.alarms.alarm import Alarm
from collector.monitor.alarms.alarms import Alarms, Command
from collector.monitor.durations import PhaseDurations
from collector.monitor.judge import Judge
from collector.monitor.plausibility.plausibility import plausibility_of
from collector.monitor.plausibility.reasons import REASONS
from collector.monitor.relations import Relations
from collector.monitor.suppression import Change, Suppressions
from collector.pending import Dropped, Numbered, Pending
from collector.store.daily import Totals
from collector.store.files import StoreError
from collector.store.journal import Entry, Journal, Stamped
from collector.terms import Event, Stamp
from config.model import Plant
from drivers.base import Clock, Scan, scan_groups

log = structlog.get_logger()

COMMIT_INTERVAL_S = 1.0
TICK_INTERVAL_S = 1.0
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


class Recorder:
    """Takes scans and events, judges them, and commits them in their order."""

    def __init__(
        self,
        plant: Plant,
        journal: Journal,
        context: ContextTracker,
        live: Live,
        clock: Clock,
        committed: Callable[[], None],
        alarms: Iterable[Alarm] = (),
        accumulated: Sequence[Event] = (),
    ) -> None:
        """`committed` is called after every commit that wrote something; `alarms`, `accumulated`: of before a restart."""
        self._plant, self._journal, self._context, self._live, self._clock = plant, journal, context, live, clock
        self._committed = committed
        self._pending = Pending()
        self.disk = Disk(self.tell, clock)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        known = list(alarms)
        before = outside_before(known)
        self._plausibility = plausibility_of(plant, before)
        self.alarms = Alarms(alarm_book(plant, self._plausibility.rules), known)
        self._before = tuple(each for each in before if each.rule not in REASONS), accumulated
        self.relations = Relations(plant.limits, *self._before)
        self.durations = PhaseDurations(plant.limits, *self._before)
        suppressed = (alarm.key for alarm in known if alarm.suppression)
        self._suppressions = Suppressions(plant.limits, self.alarms.keys, suppressed)
        self.judges: dict[str, Judge] = {}
        """By id of the layout; those of relations have one of their own."""
        self._waiting: dict[int, asyncio.Future[Event]] = {}
        """By number among the pending: who waits until it is on the disk."""
        live.stamps = dict(context.stamps)

    @property
    def pending_samples(self) -> int:
        """Samples that are read but not yet committed."""
        return self._pending.samples

    @property
    def end(self) -> End:
        """Where the journal ends, on the disk."""
        return End.of(self._journal)

    @property
    def disk_fault(self) -> str:
        """Why commits fail or hang now; empty while they succeed."""
        return self.disk.cause

    def take(self, scan: Scan) -> None:
        """A scan, on arrival. Publishes what it changes, before returning."""
        scan, doubts = self._plausibility.examine(scan)
        layout = scan.layout
        judge = self.judges.get(layout.id)
        is_new = judge is None
        if judge is None:
            judge = self.judges[layout.id] = Judge(layout, self._plant.limits, *self._before)
        for event in self._context.observe(scan):
            self._live.phase_since_ns[event.unit] = event.slot_ns
            self.tell(event)
        stamps = self._context.of(layout)
        self._live.stamps.update(zip(layout.units, stamps, strict=True))
        self._live.counters.scans += 1
        self._live.counters.read += scan.samples
        self._live.counters.lost_scans += scan.lost
        self._enqueue(Stamped(scan, stamps))
        self._live.publish(scan)
        for doubt in doubts:
            self.tell(doubt.event(self._context.stamps[doubt.unit]))
        self._suppress(self._suppressions.judge(scan, stamps), scan.slot_ns)
        for event in (*judge.judge(scan, stamps), *self.relations.judge(scan, stamps)):
            self.tell(event)
        for event in self.durations.judge(scan.slot_ns, layout.units, stamps):
            self.tell(event)
        if is_new:
            self.judges.update(self.relations.judges)

    def tell(self, event: Event) -> None:
        """An event, in its place among the scans; behind it what it makes of alarms."""
        self._put([event, *self.alarms.observe([event])])

    def _put(self, events: Iterable[Event]) -> None:
        for event in events:
            self._enqueue(event)
            self._live.publish(event)

    def _suppress(self, changes: Iterable[Change], at_ns: int) -> None:
        for key, why, stamp in changes:
            self._put(self.alarms.suppress(key, why, at_ns, stamp))

    def tick(self) -> None:
        """Time has passed: of alarms, what ends by itself."""
        self._put(self.alarms.tick(self._clock.now_ns()))

    def retire_alarms(self) -> None:
        """A start: alarms whose limit was taken out of the plant file, or what suppressed them."""
        now_ns = self._clock.now_ns()
        layouts = [group.layout for endpoint in self._plant.endpoints for group in scan_groups(endpoint)]
        self._suppress(self._suppressions.retired(layouts, self._context.stamps), now_ns)
        self._put(self.alarms.retire(now_ns))

    def command(self, command: Command) -> asyncio.Future[Event]:
        """Do what somebody wants done with an alarm, and tell it; done when that is on the disk. Raises Refused."""
        stamp = self._context.stamps.get(command.key.unit, Stamp())
        (event,) = self.alarms.command(command, self._clock.now_ns(), stamp)
        self._put([event])
        return self._waiting.setdefault(self._pending.newest, asyncio.get_running_loop().create_future())

    def _enqueue(self, entry: Entry) -> None:
        self._pending.push(entry)
        told = OVERLOAD in self._pending.dropped
        self._live.counters.overflowed += self._pending.trim(PENDING_SAMPLES, PENDING_EVENTS, OVERLOAD)
        if not told and OVERLOAD in self._pending.dropped:
            log.error("journal overflow: the oldest is dropped", cause=self.disk.cause or "the disk is too slow")

    async def commit_forever(self) -> None:
        """Commit what is pending every `COMMIT_INTERVAL_S`, for ever."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            due_s = max(due_s + COMMIT_INTERVAL_S, loop.time())  # the time that a commit takes makes no interval longer
            await asyncio.sleep(due_s - loop.time())
            await self.commit()

    async def tick_forever(self) -> None:
        """Let time pass for alarms, for ever."""
        while True:
            await asyncio.sleep(TICK_INTERVAL_S)
            self.tick()

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
        except _DISK_FAULTS as exc:
            return _Written(self._journal.totals, 0, fault=exc)
        except _REFUSALS:
            return self._append_singly(entries, time_ns)

    def _append_singly(self, entries: list[Entry], time_ns: int) -> _Written:
        refused: set[int] = set()
        error: Exception | None = None
        for at, entry in enumerate(entries):
            try:
                self._journal.append([entry], time_ns)
            except _DISK_FAULTS as exc:
                return _Written(self._journal.totals, at, frozenset(refused), error, exc)
            except _REFUSALS as exc:
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

    async def close(self, stopped_ns: int | None = None) -> bool:
        """Commit the rest and end what is open; False when the disk did not take it. No `take` afterwards. `stopped_ns`: as the
        record has it, so that judging that comes to the same end; None: now."""
        now_ns = self._clock.now_ns() if stopped_ns is None else stopped_ns
        for judge in self.judges.values():
            for event in judge.close(now_ns):
                self.tell(event)
        for doubt in self._plausibility.close(now_ns):
            self.tell(doubt.event(self._context.stamps[doubt.unit]))
        for event in self.durations.close(now_ns):
            self.tell(event)
        try:
            return await self.commit()
        finally:
            self._thread.shutdown(wait=True)
