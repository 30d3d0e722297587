"""The stage of the sinks' rows: a real journal and registry, fed as fast as wanted, and a clock that can be moved on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from collector.ledger import Ledger, ledger_of
from collector.store.journal import Journal, Stamped
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.terms import Stamp
from collector.uplink.delivery import SinkState
from collector.uplink.influx import encoder_for, hold_s_of, open_sink
from collector.uplink.upload import Pace, Upload
from config.sinks import Sink
from drivers.base import Scan
from tests.journal_rows import SECOND_NS, column, layout
from tests.servers import InfluxDB

TAGS = 20
LAYOUT = layout(*(column(f"t{i:02}") for i in range(TAGS)))
ROWS_PER_COMMIT = 600
DEADLINE_S = 120.0


class Clock:
    """The machine's, moved on by hand."""

    def __init__(self) -> None:
        self.shift_ns = 0

    def now_ns(self) -> int:
        return time.time_ns() + self.shift_ns

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class Stage:
    """One data folder. A row has `TAGS` samples, which follow from its sequence number."""

    def __init__(self, data: Path) -> None:
        (data / "journal").mkdir(parents=True)
        self.clock = Clock()
        self.journal, self.reader, self.registry = Journal(data), Reader(data), Registry(data)
        self.uploads: list[Upload] = []

    def close(self) -> None:
        for part in (self.registry, self.reader, self.journal):
            part.close()

    @property
    def rows(self) -> int:
        """Committed."""
        return self.journal.totals.seq

    def commit(self, count: int = 1) -> None:
        """Rows of the last `count` seconds, the newest of now."""
        newest_ns = self.clock.now_ns()
        slots = [newest_ns - ago * SECOND_NS for ago in range(count - 1, -1, -1)]
        for first in range(0, count, ROWS_PER_COMMIT):
            some = slots[first : first + ROWS_PER_COMMIT]
            self.journal.append([self.row(self.rows + at, slot_ns) for at, slot_ns in enumerate(some, 1)], some[-1])
        for upload in self.uploads:
            upload.notify()

    def pass_time(self, seconds: int) -> None:
        """So long passes at once, each second with its row."""
        self.clock.shift_ns += seconds * SECOND_NS
        self.commit(seconds)

    def row(self, seq: int, slot_ns: int) -> Stamped:
        values = seq + np.arange(TAGS) / 64
        good = np.zeros(TAGS, np.uint32)
        return Stamped(Scan(LAYOUT, slot_ns, slot_ns, values, good, np.zeros(TAGS, np.uint8)), (Stamp("B-1", "Dose"),))

    def ledger(self, *names: str) -> Ledger:
        return ledger_of(self.reader, self.registry, names)

    @asynccontextmanager
    async def uploading(
        self,
        config: Sink,
        told: Callable[[SinkState, str], None] = lambda state, cause: None,
        waits: Callable[[float], None] = lambda seconds: None,
        hold_s: float | None = None,
    ) -> AsyncIterator[Upload]:
        """An uploader as the daemon has it, but that tries a busy sink again soon; `waits` hears how long it meant to wait."""

        async def soon(seconds: float) -> None:
            waits(seconds)
            await asyncio.sleep(min(seconds, 0.02))

        async with open_sink(config) as sink:
            upload = Upload(
                config.name,
                self.reader,
                self.registry,
                partial(encoder_for, config, "basel"),
                sink,
                self.clock,
                on_state=lambda _, state, cause: told(state, cause),
                wait=soon,
                pace=Pace(config.backlog_rate),
                hold_s=hold_s_of(config) if hold_s is None else hold_s,
            )
            self.uploads.append(upload)
            task = asyncio.create_task(upload.run())
            try:
                with closing(upload):
                    yield upload
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
            finally:
                task.cancel()
                await asyncio.wait([task])
                self.uploads.remove(upload)


def sink(**fields: object) -> Sink:
    """As the plant file has it."""
    adapter: TypeAdapter[Sink] = TypeAdapter(Sink)
    return adapter.validate_python({"name": "copy", **fields})


async def until(holds: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Look again and again, in a thread, until it holds."""
    async with asyncio.timeout(deadline_s):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110  of a server in another process
            await asyncio.sleep(0.03)


def counted(influx: InfluxDB, database: str, measurement: str = "process") -> Mapping[str, int]:
    """Points of each field."""
    found = influx.query(f'SELECT count(*) FROM "{measurement}"', database)  # noqa: S608  of a test
    (row,) = found[0].rows() if found else ({},)
    return {name.removeprefix("count_"): int(str(number)) for name, number in row.items() if name != "time"}


def newest_ns(influx: InfluxDB, database: str) -> int:
    """Time of the newest row that it has, 0 while there is none."""
    found = influx.query("SELECT last(t00) FROM process", database)
    return int(str(found[0].rows()[0]["time"])) if found else 0
