"""Every scan's way from the driver to the disk: context, judge, publish, commit.

    endpoint task ── take(scan) ──> plausibility ──> stamps ──> judge ──> alarms ──> events, published at once
                                                                                       └─> commits (each second)

Judging never waits for the disk: scans and events are pushed to `commits` in their order, and that is all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from collector.batch.context import ContextTracker
from collector.commits import Commits
from collector.keeping.damage import End
from collector.memory.alarms import alarm_book, outside_before
from collector.monitor.alarms.alarm import Alarm
from collector.monitor.alarms.alarms import Alarms, Command
from collector.monitor.durations import PhaseDurations
from collector.monitor.judge import Judge
from collector.monitor.plausibility.plausibility import plausibility_of
from collector.monitor.plausibility.reasons import REASONS
from collector.monitor.relations import Relations
from collector.monitor.suppression import Change, Suppressions
from collector.show.live import Live
from collector.store.journal import Journal, Stamped
from collector.terms import Event, Stamp
from config.model import Plant
from drivers.base import Clock, Layout, Scan, scan_groups

TICK_INTERVAL_S = 1.0


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
        self._plant, self._context, self._live, self._clock = plant, context, live, clock
        self._commits = Commits(journal, live, clock, self.tell, committed)
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
        """By id of the layout, of each that has given a scan; those of relations have one of their own."""
        groups = [group for endpoint in plant.endpoints for group in scan_groups(endpoint)]
        self._prepared = {group.layout.id: self._judge_of(group.layout) for group in groups}
        """By id of the layout: made before the first scans, which come all at once, and are lost where they have to wait."""
        live.stamps = dict(context.stamps)

    @property
    def pending_samples(self) -> int:
        """Samples that are read but not yet committed."""
        return self._commits.samples

    @property
    def end(self) -> End:
        """Where the journal ends, on the disk."""
        return self._commits.end

    @property
    def disk_fault(self) -> str:
        """Why commits fail or hang now; empty while they succeed."""
        return self._commits.disk.cause

    def take(self, scan: Scan) -> None:
        """A scan, on arrival. Publishes what it changes, before returning."""
        scan, doubts = self._plausibility.examine(scan)
        layout = scan.layout
        judge = self.judges.get(layout.id)
        is_new = judge is None
        if judge is None:
            prepared = self._prepared.pop(layout.id, None)
            judge = self.judges[layout.id] = prepared or self._judge_of(layout)
        for event in self._context.observe(scan):
            self._live.phase_since_ns[event.unit] = event.slot_ns
            self.tell(event)
        stamps = self._context.of(layout)
        self._live.stamps.update(zip(layout.units, stamps, strict=True))
        self._live.counters.scans += 1
        self._live.counters.read += scan.samples
        self._live.counters.lost_scans += scan.lost
        self._commits.push(Stamped(scan, stamps))
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

    def _judge_of(self, layout: Layout) -> Judge:
        return Judge(layout, self._plant.limits, *self._before)

    def tell(self, event: Event) -> None:
        """An event, in its place among the scans; behind it what it makes of alarms."""
        self._put([event, *self.alarms.observe([event])])

    def told(self) -> asyncio.Future[Event]:
        """The newest entry, an event that was just told; done when it is on the disk."""
        return self._commits.newest()

    def _put(self, events: Iterable[Event]) -> None:
        for event in events:
            self._commits.push(event)
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
        return self._commits.newest()

    async def commit_forever(self) -> None:
        """Commit what is pending each second, for ever."""
        await self._commits.commit_forever()

    async def commit(self) -> bool:
        """Commit all that is pending now; see `Commits`."""
        return await self._commits.commit()

    async def tick_forever(self) -> None:
        """Let time pass for alarms, for ever."""
        while True:
            await asyncio.sleep(TICK_INTERVAL_S)
            self.tick()

    async def set_aside(self, path: Path, cause: str) -> None:
        """Have a daily file that somebody found damaged set aside. Raises StoreError when it can't be."""
        await self._commits.set_aside(path, cause)

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
        return await self._commits.close()
