"""A sink that can be away, be slow, die and lose what it took last, all in virtual time; and an uploader to it, whose
threads do their work at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeVar

import pytest

from collector.store.rows import ScanRow
from collector.uplink import upload
from collector.uplink.lines import Encoder
from collector.uplink.sink import Busy, Outcome, Refused, Taken
from collector.uplink.upload import Pace, Upload
from drivers.base import Clock
from tests.fakes import VirtualLoop, VirtualWall
from tests.journal_rows import MemoryJournal, column, layout, scan, scan_row

P = ParamSpec("P")
T = TypeVar("T")
LAYOUT = layout(column("a"), column("b"))
SECOND_NS = 1_000_000_000


class AtOnce(Executor):
    """Virtual time passes only where somebody waits: a thread that works would lose hours."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except BaseException as exc:  # noqa: BLE001  as executors do
            future.set_exception(exc)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None: ...


class VirtualSink:
    """Takes lines in `write_s` each body; what it took in its last `loses_s` is gone when it dies."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.away = False
        self.write_s = 0.01
        self.loses_s = 0.0
        self.poison: Callable[[bytes], bool] = lambda line: False
        self.starts = 1
        self.taken: list[tuple[float, bytes]] = []
        """When, and which line; all that it has now."""
        self.times: dict[bytes, int] = {}
        """How often each line was taken, lost or not."""

    async def write(self, body: bytes) -> Outcome:
        await asyncio.sleep(self.write_s)
        if self.away:
            return Busy("nobody listens", unanswered=True)
        lines = body.split(b"\n")
        good = [line for line in lines if not self.poison(line)]
        self.taken += [(self.loop.time(), line) for line in good]
        for line in good:
            self.times[line] = self.times.get(line, 0) + 1
        return Taken() if len(good) == len(lines) else Refused("HTTP 400: poison")

    async def incarnation(self) -> str | None:
        return None if self.away else str(self.starts)

    def die(self) -> None:
        """And be there again at once."""
        self.taken = [(at, line) for at, line in self.taken if at <= self.loop.time() - self.loses_s]
        self.starts += 1

    def slots(self) -> set[int]:
        """Of the process lines that it has."""
        return {int(line.rpartition(b" ")[2]) for _, line in self.taken if line.startswith(b"process")}


class Line:
    """A plant that commits a row of two samples each second, numbered from the journal's last."""

    def __init__(self, loop: VirtualLoop, wall: VirtualWall) -> None:
        self.journal, self.loop, self.clock = MemoryJournal(), loop, wall.clock

    def commit(self, slot_ns: int = 0) -> None:
        seq = len(self.journal.rows) + 1
        self.journal.append(row(seq, slot_ns or self.clock.now_ns()))

    async def commit_for(self, seconds: int, *uploads: Upload) -> None:
        for _ in range(seconds):
            self.commit()
            for each in uploads:
                each.notify()
            await asyncio.sleep(1.0)

    @property
    def slots(self) -> set[int]:
        return {row.scan.slot_ns for row in self.journal.rows if isinstance(row, ScanRow)}


def row(seq: int, slot_ns: int) -> ScanRow:
    return scan_row(seq, scan(LAYOUT, [seq, -seq], slot_ns))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "ThreadPoolExecutor", AtOnce)


@asynccontextmanager
async def uploading(
    sink: VirtualSink,
    journal: MemoryJournal,
    clock: Clock,
    *,
    name: str = "influx",
    pace: Pace = upload.AT_MOST,
    hold_s: float = 0,
) -> AsyncIterator[Upload]:
    """It runs until the block is left."""
    each = Upload(name, journal, journal, partial(Encoder, "s"), sink, clock, pace=pace, hold_s=hold_s)
    task = asyncio.create_task(each.run())
    try:
        yield each
    finally:
        task.cancel()
        await asyncio.wait([task])
        each.close()
    if not task.cancelled():
        task.result()
