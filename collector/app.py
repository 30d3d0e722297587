"""The daemon: builds the parts, runs them, and stops them in order.

The indentation is the order of stopping: polls end first, then what they gave is committed, then the sinks get a last
chance, then everything is closed. A bug in any part ends all of them, after what was read is on the disk.

    send        journal -> sinks
      support   pending -> journal each second; page; health; clock
        poll    endpoints -> scans
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from collector.acquire import certificates
from collector.acquire.clock import PlantClock
from collector.acquire.clock_watch import ClockWatch
from collector.acquire.endpoint import Connect, EndpointTask
from collector.acquire.health import Health
from collector.acquire.kernel_clock import KernelClock, kernel_clock
from collector.batch.context import ContextTracker, tells_context
from collector.desk.service import Desk
from collector.gateway import Gateway
from collector.keeping.damage import Keeping, loss_event, unnoted
from collector.keeping.opening import open_record
from collector.keeping.owner import Owner, expect_site, known_site
from collector.keeping.rescue import Rescued
from collector.keeping.room import Room
from collector.keeping.upkeep import Upkeep
from collector.ledger import Ledger, ledger_of
from collector.memory.before import RunBefore
from collector.protocols import connect_driver, load_drivers
from collector.recorder import Recorder
from collector.show.live import Live
from collector.show.painter import Painter
from collector.show.picture import Picture
from collector.show.trend import Trend, trend
from collector.store import files
from collector.store.files import locked
from collector.store.hold import Hold
from collector.store.journal import Journal
from collector.store.losses import Loss
from collector.store.reader import Reader
from collector.store.retention import Keep
from collector.terms import Event, EventKind, Json
from collector.uplink.sending import Sending
from collector.version import VERSION
from collector.web.page import Page
from config.model import Plant, Unit
from drivers.base import Endpoint, scan_groups

log = structlog.get_logger()

DRAIN_S = 10.0
"""The sinks' last chance after the last commit; what is left waits in the journal for the next start."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the daemon meets: devices, a disk and a wall clock. Tests put faults here."""

    driver: Connect = connect_driver
    file: files.Connect = files.connect
    wall_ns: Callable[[], int] = time.time_ns
    kernel: Callable[[], KernelClock | None] = kernel_clock


class JournalRefused(Exception):
    """At the end, the disk did not take what was still in memory; the text says how much was lost and why."""


class Daemon:
    """One plant, one data folder. `async with` opens and closes it, `run` runs it until it is asked to stop."""

    def __init__(
        self,
        plant: Plant,
        data: Path,
        config_hash: str = "",
        page_port: int | None = None,
        outside: Outside = Outside(),
        *,
        renamed: bool = False,
    ) -> None:
        """`page_port` overrides the plant's; its address is `page.url`. `renamed`: the record may be that of a site
        of another name."""
        self.plant, self.data, self.config_hash = plant, data, config_hash
        self.live = Live()
        self.page = Page(plant.web, page_port)
        self._outside, self._renamed = outside, renamed
        self._opened = ExitStack()

    async def __aenter__(self) -> Self:
        """Take the data folder. Raises OtherSite, StoreError, SecretError."""
        with ExitStack() as stack:
            stack.enter_context(locked(self.data))
            connect = self._outside.file
            if not self._renamed:
                expect_site(self.data, self.plant.site, connect)
            site_before = known_site(self.data, connect)
            self._begun = open_record(self.data, self._outside.wall_ns(), connect)
            self.registry = self._begun.registry
            stack.callback(self.registry.close)
            self._owner = Owner(self.registry, self.plant.site, site_before)
            self.keeping = Keeping(self.data, self.registry, self, self._outside.wall_ns, connect)
            self.journal = Journal(self.data, connect, self.keeping.heard)
            stack.callback(self.journal.close)
            self.reader = Reader(self.data, connect, Hold.of(self.data))
            stack.callback(self.reader.close)  # before the journal, which then leaves its files whole
            self._build()
            self._opened = stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._opened.close()

    def _build(self) -> None:
        load_drivers(self.plant.endpoints)
        self.reader.know(group.layout for endpoint in self.plant.endpoints for group in scan_groups(endpoint))
        self._before = RunBefore(self.plant, self.journal, self.reader, self.registry, self._begun.end.time_ns)
        self.clock = PlantClock((self._before.stopped_ns or 0) + 1, self._outside.wall_ns)
        self.sending = Sending(self.plant, self.reader, self.registry, self.clock, self._tell, self.keeping.suspect)
        alarms = self._before.alarms
        self.recorder = Recorder(
            self.plant,
            self.journal,
            ContextTracker(self.plant, self._before.context),
            self.live,
            self.clock,
            self.sending.committed,
            alarms.alarms(),
            self._before.accumulated,
        )
        self.health = Health(self.recorder.tell)
        units = {unit.name: unit for unit in self.plant.units}
        self._endpoints = [self._endpoint(endpoint, units) for endpoint in self.plant.endpoints]
        self._build_upkeep()
        clocks = ClockWatch(self.clock, self._outside.kernel, self.plant.endpoints, self._tell)
        look = self.keeping.look_at_registry
        parts = (self.recorder, self.health, self.sending, self.room, self.clock, clocks, look, alarms)
        self.gateway = Gateway(self.live, self.registry, *parts)
        self._painter = self._new_painter()

    def _build_upkeep(self) -> None:
        parts = (self.data, self.journal, self.registry, self.live, self.clock, self._tell)
        self.upkeep = Upkeep(*parts, self._keep(), self._outside.file, self.keeping.suspect)
        self.room = Room(
            self.data,
            self.plant.disk,
            self.reader,
            self.clock,
            self._tell,
            disk_fault=lambda: self.recorder.disk_fault,
            to_be_freed=self.upkeep.to_be_freed,
            to_archive=self.upkeep.to_archive,
        )

    def _new_painter(self) -> Painter:
        return Painter(
            self.plant,
            self.live,
            self.recorder.judges,
            self.health.devices,
            self.sending.pictures,
            self.clock,
            disk_fault=lambda: self.recorder.disk_fault,
            pending=lambda: self.recorder.pending_samples,
            alarms=self.recorder.alarms.now.values,
            relations=lambda: self.recorder.relations.boards,
        )

    def _keep(self) -> Keep:
        disk = self.plant.disk
        return Keep(disk.keep_days, disk.keep_gb and disk.keep_gb * 1e9, tuple(self.sending.names))

    def picture(self) -> Picture:
        """What people are shown now."""
        return self._painter.paint()

    def past(self, unit: str, tag: str, seconds: float) -> Trend:
        """The tag's samples of the last `seconds` that are on the disk. Blocks; raises NoTrend, StoreError."""
        now_ns = self.clock.now_ns()
        return trend(self.reader, unit, tag, now_ns - round(seconds * 1e9), now_ns)

    def _tell(self, event: Event) -> None:
        self.recorder.tell(event)

    def tell_loss(self, loss: Loss) -> None:
        """See `damage.Aside`."""
        self.recorder.tell(loss_event(loss, self.clock.now_ns()))

    def tell_rescue(self, rescued: Rescued, resumed: Sequence[str]) -> None:
        """See `damage.Aside`."""
        self.recorder.tell(rescued.event(self.clock.now_ns(), resumed))

    async def set_aside(self, path: Path, cause: str) -> None:
        """See `damage.Aside`."""
        await self.recorder.set_aside(path, cause)

    def _endpoint(self, endpoint: Endpoint, units: Mapping[str, Unit]) -> EndpointTask:
        groups = scan_groups(endpoint)
        context = frozenset(group.name for group in groups if tells_context(group.layout, units))
        return EndpointTask(
            endpoint, groups, self._outside.driver, self.clock, self.recorder, self.health, context_groups=context
        )

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event) -> Ledger:
        """Collect until `stop`; `hurry` cuts the sinks' last chance short. Returns the ledger of what is on the disk.

        Raises JournalRefused when the disk did not take the rest, and an ExceptionGroup for a bug of ours.
        """
        self._begin()
        async with asyncio.TaskGroup() as send:
            self.sending.start(send)
            try:
                async with asyncio.TaskGroup() as support:
                    watch = certificates.watch(self.plant.endpoints, self.clock, self.health)
                    works = (
                        self.recorder.commit_forever(),
                        self.recorder.tick_forever(),
                        Desk(self.data, self.recorder).run(),
                        self.gateway.run(),
                        self._name(),
                        self.page.run(self.picture, self.past),
                        watch,
                        self.keeping.run(),
                        self.sending.removal.run(),
                        self.room.run(),
                        self.upkeep.run(),
                    )
                    tasks = [support.create_task(work) for work in works]
                    async with asyncio.TaskGroup() as poll:
                        tasks += [poll.create_task(each.run(), name=each.name) for each in self._endpoints]
                        await stop.wait()
                        for task in reversed(tasks):
                            task.cancel()
            finally:
                refusal = await self._seal()
            await self.sending.finish(DRAIN_S, hurry)
        if refusal:
            raise JournalRefused(refusal)
        return ledger_of(self.reader, self.registry, self.sending.names)

    def _begin(self) -> None:
        now_ns = self.clock.now_ns()
        if rescued := self._begun.rescued:
            log.error("the registry was made anew", kept=rescued.kept, cause=rescued.cause, sinks=self._begun.resumed)
            self.tell_rescue(rescued, self._begun.resumed)
        for loss in unnoted(self.data):
            self.tell_loss(loss)
        if gap := self._before.gap(now_ns):
            self.recorder.tell(gap)
            left = self._before.left()
            for endpoint in self._endpoints:
                endpoint.resume(left)
            for ended in self._before.left_open:
                self.recorder.tell(ended)
        about: dict[str, Json] = {"version": VERSION, "config_hash": self.config_hash}
        self._owner.begin({**about, "started_ns": now_ns})
        self.recorder.tell(Event(EventKind.DAEMON, now_ns, body={"state": "started", **about, **self._owner.new_name}))
        self._started_told = self.recorder.told()
        self.recorder.retire_alarms()

    async def _name(self) -> None:
        await self._started_told
        self._owner.put_new_name()

    async def _seal(self) -> str:
        """What was read goes to the disk, whatever ended the daemon; why not, where the disk did not take it."""
        now_ns = self.clock.now_ns()
        self.recorder.tell(Event(EventKind.DAEMON, now_ns, body={"state": "stopped", "version": VERSION}))
        durable = await self.recorder.close(now_ns)
        self.gateway.remember()
        if durable:
            self._owner.put_new_name()
        self.keeping.copy()
        if durable:
            return ""
        left, fault = self.recorder.pending_samples, self.recorder.disk_fault
        log.error("the disk did not take what was still in memory", samples=left, cause=fault)
        return f"{self.data}: {left} samples could not be written and are lost: {fault}"
