"""A limit on two devices through the whole daemon, with real drivers: one device is lost and comes back, and the daemon is
started anew; the record gives the same verdicts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from itertools import groupby
from pathlib import Path

from collector.app import Daemon
from collector.report.finished import TOLD, FinishedRecord, replayed
from collector.store.reader import Reader
from collector.store.rows import EventRow
from collector.terms import Event, EventKind
from config.model import Plant
from drivers.base import Scan
from tests.faults.recorded import rows_of
from tests.system.modbus_peer import CLOSE, Request, Step, serving

DEADLINE_S = 60.0
LEAD = {
    "name": "lead",
    "expression": "jacket_temperature - product_temperature",
    "par": [None, 60.0],
    "max_age_s": 4.0,
    "cpp": True,
}


class Device:
    """One register, that a test sets; it hangs up when there is none. Silence would be told apart from a busy machine by time."""

    def __init__(self, value: int) -> None:
        self.value: int | None = value

    def __call__(self, request: Request) -> Iterable[Step]:
        return [CLOSE] if self.value is None else [request.answer(self.value.to_bytes(2, "big") * request.count)]


def plant(jacket: int, product: int) -> Plant:
    """`product` is read half as often, through another connection."""
    endpoints = {
        role: {
            **{"url": f"modbus://127.0.0.1:{port}", "timeout_s": 30.0, "backoff_s": 0.1, "backoff_limit_s": 0.2},
            "devices": {
                f"{role}-plc": {
                    **{"unit": "R-201", "groups": {"main": {"period_s": period_s}}},
                    "tags": {f"TT-{role}": {"address": "holding:0", "type": "uint16", "role": f"{role}_temperature"}},
                }
            },
        }
        for role, port, period_s in (("jacket", jacket, 0.1), ("product", product, 0.2))
    }
    return Plant.model_validate(
        {
            "site": "Basel",
            "endpoints": endpoints,
            "units": {"R-201": None},
            "limits": [LEAD],
            "web": None,
            "disk": {"reserve_mb": 1.0},
        }
    )


class Course:
    """What a daemon tells of the relation, and how many scans of each device there were."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.scans = Counter[str]()
        self._news = asyncio.Event()

    def listen(self, what: Scan | Event) -> None:
        if isinstance(what, Scan) and not what.lost:
            self.scans[what.layout.endpoint] += 1
        if isinstance(what, Event) and what.kind in TOLD:
            self.told.append(what)
        self._news.set()

    async def until_told(self, *kinds: EventKind) -> list[Event]:
        """What was told since the last time, once all of these are among it."""
        while not set(kinds) <= {event.kind for event in self.told}:
            await self._heard()
        told, self.told = self.told, []
        return told

    async def until_scanned(self, more: int, *devices: str) -> None:
        wanted = {device: self.scans[device] + more for device in devices}
        while any(self.scans[device] < count for device, count in wanted.items()):
            await self._heard()

    async def _heard(self) -> None:
        self._news.clear()
        await self._news.wait()


@asynccontextmanager
async def running(of: Plant, data: Path) -> AsyncIterator[Course]:
    stop, course = asyncio.Event(), Course()
    stop_now = asyncio.Event()
    stop_now.set()
    async with asyncio.timeout(DEADLINE_S), Daemon(of, data) as daemon:
        daemon.live.listeners.append(course.listen)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(daemon.run(stop, stop_now))
            try:
                yield course
            finally:
                stop.set()


def levels(events: Iterable[Event]) -> list[tuple[object, ...]]:
    keys = {EventKind.TRANSITION: ("rule", "to"), EventKind.EXCURSION: ("state", "ended")}
    return [tuple(event.body[key] for key in keys[event.kind]) for event in events if event.kind in keys]


async def test_one_device_is_lost_and_back_and_the_daemon_starts_anew(tmp_path: Path) -> None:
    jacket, product = Device(70), Device(20)
    async with serving(jacket) as one, serving(product) as other:
        of = plant(one.port, other.port)
        async with running(of, tmp_path) as course:
            await course.until_scanned(3, "jacket", "product")
            jacket.value = 90
            assert levels(await course.until_told(EventKind.EXCURSION)) == [("PAR high", "outside"), ("open", "")]
            product.value = None
            (lost,) = await course.until_told(EventKind.EVALUABILITY)
            assert (lost.unit, lost.body["evaluable"], lost.body["only"]) == ("R-201", False, {"value": ["lead"]})
            assert "operand" in str(lost.body["cause"]) and lost.body["group"] == "main, relations"
            jacket.value = 30  # inside again, if anybody knew what product is
            await course.until_scanned(6, "jacket")
            jacket.value, product.value = 90, 20
            (back,) = await course.until_told(EventKind.EVALUABILITY)
            assert back.body["evaluable"], "and nothing else was told meanwhile"
            await course.until_scanned(3, "jacket")
        assert levels(course.told) == [("PAR high", "ended"), ("closed", "stopped")]
        closed = course.told[-1].body
        assert float(str(closed["not_evaluable_s"])) >= 0.5 and float(str(closed["coverage"])) < 1.0 and closed["peak"] == 70.0
        async with running(of, tmp_path) as course:
            assert levels(await course.until_told(EventKind.EXCURSION)) == [("PAR high", "outside"), ("open", "")]
            jacket.value = 70
            assert levels(await course.until_told(EventKind.EXCURSION)) == [("PAR high", "inside"), ("closed", "inside")]
    judged_alike(tmp_path, of)


def judged_alike(data: Path, of: Plant) -> None:
    """Slot by slot; of one slot in any order."""
    with closing(Reader(data)) as reader:
        offline = [event for _, told in replayed(reader, FinishedRecord(of.limits), 0, 1 << 62) for event in told]
    daemon = [row.event for row in rows_of(data) if isinstance(row, EventRow) and row.event.kind in TOLD]
    assert len(daemon) >= 8
    assert by_slot(offline) == by_slot(daemon)


def by_slot(events: Iterable[Event]) -> list[tuple[int, list[str]]]:
    return [(slot_ns, sorted(map(repr, told))) for slot_ns, told in groupby(events, key=lambda event: event.slot_ns)]
