"""All sinks of a plant: one upload task each, none holding back another."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial

import structlog

from collector.ledger import Ledger, ledger_of
from collector.show.picture import SinkPicture
from collector.store.files import StoreError
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.terms import Event, EventKind, Json
from collector.uplink.delivery import SinkState
from collector.uplink.influx import encoder_for, hold_s_of, open_sink
from collector.uplink.removal import Removal
from collector.uplink.sink import Sink as OpenSink
from collector.uplink.upload import Pace, Upload
from config.model import Plant
from config.sinks import SecretError, Sink
from drivers.base import Clock

log = structlog.get_logger()

RETRY_S = 5.0


class Sending:
    """Starts and ends the uploads, and knows how they stand."""

    def __init__(
        self,
        plant: Plant,
        reader: Reader,
        registry: Registry,
        clock: Clock,
        tell: Callable[[Event], None],
        suspect: Callable[[Exception], Awaitable[None]],
    ) -> None:
        """`suspect` is told what could not be read or written: what is damaged is set aside."""
        self._sinks, self._site = plant.sinks, plant.site
        self._reader, self._registry, self._clock, self._tell = reader, registry, clock, tell
        self._suspect = suspect
        self._uploads: dict[str, Upload] = {}
        self._faults: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._sealed = asyncio.Event()
        self._drain_s = 0.0
        self._ledger = Ledger(0, 0, {})
        self.removal = Removal(self.names, reader, registry, clock, tell)

    @property
    def names(self) -> list[str]:
        """Of the sinks, in the order of the plant file."""
        return [sink.name for sink in self._sinks]

    def committed(self) -> None:
        """Rows were committed."""
        self.removal.committed()
        for upload in self._uploads.values():
            upload.notify()

    def start(self, group: asyncio.TaskGroup) -> None:
        """One task per sink."""
        self._tasks = [group.create_task(self._send(sink), name=f"send {sink.name}") for sink in self._sinks]

    async def finish(self, drain_s: float, hurry: asyncio.Event) -> None:
        """The journal is complete: give the sinks `drain_s` to take the rest, less when `hurry` is set, then end."""
        self._drain_s = drain_s
        self._sealed.set()
        hurried = asyncio.ensure_future(hurry.wait())
        waiting: set[asyncio.Future[object]] = {hurried, *self._tasks}  # type: ignore[arg-type]
        while self._tasks and not hurried.done() and any(not task.done() for task in self._tasks):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in (hurried, *self._tasks):
            task.cancel()

    async def _send(self, config: Sink) -> None:
        """Upload until the journal is sealed, and then to its end. A disk that can't be read is tried again."""
        while True:
            try:
                async with open_sink(config) as sink:
                    upload = self._upload(config, sink)
                    if self._faults.pop(config.name, None):
                        log.info("sink can be served again", sink=config.name)
                        self._edge(config.name, SinkState.TAKING, "")
                    with closing(upload):
                        await self._run(upload)
                    return
            except (sqlite3.Error, StoreError, SecretError, OSError) as exc:
                if self._faults.get(config.name) != str(exc):
                    log.error("sink can't be served", sink=config.name, cause=str(exc))
                    self._edge(config.name, SinkState.ALARM, str(exc))
                self._faults[config.name] = str(exc)
                await self._suspect(exc)
            if self._sealed.is_set():
                return
            await asyncio.sleep(RETRY_S)

    def _upload(self, config: Sink, sink: OpenSink) -> Upload:
        upload = self._uploads[config.name] = Upload(
            config.name,
            self._reader,
            self._registry,
            partial(encoder_for, config, self._site),
            sink,
            self._clock,
            self._edge,
            pace=Pace(config.backlog_rate),
            hold_s=hold_s_of(config),
        )
        return upload

    async def _run(self, upload: Upload) -> None:
        running, sealed = asyncio.ensure_future(upload.run()), asyncio.ensure_future(self._sealed.wait())
        try:
            await asyncio.wait((running, sealed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.cancel()
            sealed.cancel()
            await asyncio.wait((running, sealed))
        if not running.cancelled():
            running.result()
        try:
            async with asyncio.timeout(self._drain_s):
                await upload.drain()
        except TimeoutError:
            log.warning("sink did not take everything; the rest waits in the journal", sink=upload.name)

    def _edge(self, name: str, state: SinkState, cause: str) -> None:
        if not self._sealed.is_set():
            body: dict[str, Json] = {"sink": name, "state": state.value, "cause": cause}
            self._tell(Event(EventKind.SINK, self._clock.now_ns(), body=body))

    def count(self) -> None:
        """Make the ledger that `pictures` show; blocking."""
        self._ledger = ledger_of(self._reader, self._registry, self.names)

    @property
    def queued(self) -> int:
        """Samples that the sink which is farthest behind has not got, by the ledger last counted."""
        return max((sink.queued for sink in self._ledger.sinks.values()), default=0)

    def pictures(self) -> list[SinkPicture]:
        """How each sink stands, by the ledger last counted."""
        pictures = []
        for name, ledger in self._ledger.sinks.items():
            state, cause = self._state(name)
            taking = state is SinkState.TAKING
            pictures.append(SinkPicture(name, taking, ledger.accepted, ledger.queued, ledger.dead_lettered, cause))
        return pictures

    def states(self) -> dict[str, dict[str, Json]]:
        """Whether each takes, and why not."""
        return {name: {"state": self._state(name)[0].value, "cause": self._state(name)[1]} for name in self.names}

    def _state(self, name: str) -> tuple[SinkState, str]:
        if fault := self._faults.get(name):
            return SinkState.ALARM, fault
        if upload := self._uploads.get(name):
            return upload.status.state, upload.status.cause
        return SinkState.BUSY, "starting"
