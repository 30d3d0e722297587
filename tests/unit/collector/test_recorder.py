"""From the driver to the disk: in order, once, and all of it; what does not fit is counted and told."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import commits
from collector.acquire.clock import PlantClock
from collector.batch.context import ContextTracker
from collector.recorder import Recorder
from collector.show.live import Live
from collector.store.daily import Totals
from collector.store.journal import Entry, Journal
from collector.store.reader import Reader
from collector.store.rows import EventRow, Row, ScanRow
from collector.terms import Event, EventKind
from config.model import Plant
from config.tags import Kind
from drivers.base import Changes, Layout, Scan, Status
from tests.fakes import endpoint_of
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout, scan

PLANT = Plant.model_validate(
    {
        "site": "Basel",
        "endpoints": (endpoint_of({"plc": {"main": 1.0}}),),
        "units": {"R-201": {}},
        "limits": [{"role": "temperature", "par": [60.0, 70.0]}],
    }
)
REACTOR = layout(column("temperature"), column("batch_id", Kind.TEXT), column("phase", Kind.TEXT))
PLAIN = layout(column("pressure"), group="plain")
OTHER = layout(column("weight"), group="other")


def reactor(slot: int, temperature: float = 65.0, batch: str = "", phase: str = "") -> Scan:
    return scan(REACTOR, [temperature, batch, phase], SLOT_NS + slot * SECOND_NS)


def plain(slot: int, of: Layout = PLAIN) -> Scan:
    """One sample, that tells its slot."""
    return scan(of, [float(slot)], SLOT_NS + slot * SECOND_NS)


class Disk(Journal):
    """The real journal on a disk that can be full, and that can be held up in the middle of a commit."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.free = threading.Event()
        self.free.set()
        self.reached = threading.Event()
        self.full = False
        self.full_after: int | None = None
        """Appends that are still possible."""

    def append(self, entries: Sequence[Entry], time_ns: int) -> Totals:
        self.reached.set()
        assert self.free.wait(60)
        if self.full_after is not None:
            self.full_after -= 1
        if not self.full and (self.full_after is None or self.full_after >= 0):
            return super().append(entries, time_ns)
        connection = self._file_for(time_ns)
        connection.execute("PRAGMA max_page_count = 1")
        try:
            return super().append([*entries, Event(EventKind.DAEMON, 1, body={"text": "x" * 200_000})], time_ns)
        finally:
            connection.execute("PRAGMA max_page_count = 1073741823")


@dataclass
class Bench:
    """A recorder on a data folder."""

    data: Path
    disk: Disk
    live: Live
    recorder: Recorder
    commits: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, data: Path) -> Bench:
        (data / "journal").mkdir(parents=True)
        disk, live, commits = Disk(data), Live(), list[int]()
        clock = PlantClock(wall_ns=lambda: SLOT_NS, monotonic_ns=lambda: 0)
        recorder = Recorder(PLANT, disk, ContextTracker(PLANT), live, clock, lambda: commits.append(disk.totals.seq))
        return cls(data, disk, live, recorder, commits)

    def take(self, *scans: Scan) -> None:
        for each in scans:
            self.recorder.take(each)

    async def committing(self) -> asyncio.Task[bool]:
        """A commit that has reached the disk, and is held there."""
        self.disk.reached.clear()
        self.disk.free.clear()
        task = asyncio.create_task(self.recorder.commit())
        assert await asyncio.to_thread(self.disk.reached.wait, 60)
        return task

    def rows(self) -> list[Row]:
        with closing(Reader(self.data)) as reader:
            rows: list[Row] = []
            while got := reader.read(rows[-1].seq if rows else 0, 1000):
                rows += got
        return rows

    def scans(self, of: Layout = PLAIN) -> list[int]:
        """Slots on the disk, in order."""
        scans = [row.scan for row in self.rows() if isinstance(row, ScanRow) and row.scan.layout.id == of.id]
        return [(each.slot_ns - SLOT_NS) // SECOND_NS for each in scans]

    def events(self, kind: EventKind) -> list[Event]:
        return [row.event for row in self.rows() if isinstance(row, EventRow) and row.event.kind is kind]

    def gapped(self) -> tuple[int, int]:
        """Slots and samples that gaps on the disk tell of."""
        gaps = [gap.body for gap in self.events(EventKind.GAP)]
        return sum(int(str(gap["slots"])) for gap in gaps), sum(int(str(gap["samples"])) for gap in gaps)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as bench:
        yield bench


@asynccontextmanager
async def opened(data: Path) -> AsyncIterator[Bench]:
    bench = Bench.of(data)
    try:
        yield bench
    finally:
        bench.disk.full, bench.disk.full_after = False, None
        bench.disk.free.set()
        with suppress(Exception):
            await bench.recorder.close()
        bench.disk.close()


# --- order


async def test_rows_lie_in_the_order_in_which_things_happened(bench: Bench) -> None:
    published: list[Scan | Event] = []
    bench.live.listeners.append(published.append)
    started = Event(EventKind.DAEMON, SLOT_NS)
    bench.recorder.tell(started)
    bench.take(reactor(0), reactor(1, batch="B-24-017", phase="Dose"), plain(1), reactor(2, 75.0, "B-24-017", "Dose"))
    bench.take(Scan.of_lost(PLAIN, SLOT_NS + 2 * SECOND_NS, SLOT_NS, Status.BAD_TIMEOUT), reactor(3, 65.0, "B-24-017", "Dose"))
    at_once = list(published)
    assert await bench.recorder.close()
    on_disk = [row.scan if isinstance(row, ScanRow) else row.event for row in bench.rows()]
    assert [_key(each) for each in on_disk] == [_key(each) for each in published]
    kinds = [each.kind.value if isinstance(each, Event) else each.layout.group for each in at_once]
    assert kinds[:6] == ["daemon", "main", "batch", "batch", "main", "plain"]
    assert kinds.index("transition") > kinds.index("plain") + 1, "what a scan changes comes behind it"
    assert "excursion" in kinds


def _key(what: Scan | Event) -> object:
    return what if isinstance(what, Event) else (what.layout.id, what.slot_ns, what.values.tobytes(), what.lost)


async def test_a_change_of_context_applies_to_the_scan_that_showed_it(bench: Bench) -> None:
    bench.take(reactor(0), plain(0), reactor(1, batch="B-24-017", phase="Dose"), plain(1))
    assert await bench.recorder.commit()
    stamps = [(row.scan.layout.group, row.stamps[0].batch) for row in bench.rows() if isinstance(row, ScanRow)]
    assert stamps == [("main", ""), ("plain", ""), ("main", "B-24-017"), ("plain", "B-24-017")]


async def test_counters_tell_what_was_read(bench: Bench) -> None:
    bench.take(reactor(0), plain(0), Scan.of_lost(PLAIN, SLOT_NS + SECOND_NS, SLOT_NS, Status.BAD_TIMEOUT))
    assert bench.recorder.pending_samples == 4
    assert await bench.recorder.commit()
    counters = bench.live.counters
    assert (counters.read, counters.scans, counters.lost_scans, counters.committed, counters.overflowed) == (4, 3, 1, 4, 0)
    assert bench.recorder.pending_samples == 0
    assert bench.commits == [bench.disk.totals.seq]
    assert await bench.recorder.commit()
    assert len(bench.commits) == 1, "nothing was written, so nobody is told"


async def test_many_rows_go_in_several_commits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "ROWS_PER_COMMIT", 7)
    bench.take(*(plain(slot) for slot in range(40)))
    assert await bench.recorder.commit()
    assert bench.scans() == list(range(40))
    assert len(bench.commits) == 6


async def test_commits_are_made_by_themselves(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "COMMIT_INTERVAL_S", 0.001)
    committing = asyncio.create_task(bench.recorder.commit_forever())
    for slot in (0, 1):
        bench.disk.reached.clear()
        bench.take(plain(slot))
        assert await asyncio.to_thread(bench.disk.reached.wait, 60)
    committing.cancel()
    with suppress(asyncio.CancelledError):
        await committing
    assert bench.scans() == [0, 1]
    assert len(bench.commits) == 2


# --- a disk that refuses


async def test_what_the_disk_refused_is_kept_and_written_later(bench: Bench) -> None:
    bench.take(plain(0))
    assert await bench.recorder.commit()
    bench.disk.full = True
    bench.take(plain(1), plain(2))
    for slot in (3, 4):
        assert not await bench.recorder.commit()
        assert bench.recorder.disk_fault
        bench.take(plain(slot))
    assert bench.recorder.pending_samples == 4
    assert bench.scans() == [0]
    assert len(bench.commits) == 1
    bench.disk.full = False
    assert await bench.recorder.commit()
    assert not bench.recorder.disk_fault
    assert bench.recorder.pending_samples == 0
    assert bench.scans() == [0, 1, 2, 3, 4]
    assert bench.events(EventKind.GAP) == []


async def test_a_day_that_cannot_be_begun_is_tried_again(bench: Bench) -> None:
    obstacle = bench.data / "journal" / "2024-11-22.new"
    obstacle.mkdir()
    bench.take(plain(0))
    assert not await bench.recorder.commit()
    assert "2024-11-22" in bench.recorder.disk_fault
    obstacle.rmdir()
    assert await bench.recorder.close()
    assert bench.scans() == [0]


async def test_scans_that_come_during_a_refused_commit_stay_behind_it(bench: Bench) -> None:
    bench.disk.full = True
    bench.take(plain(0), plain(1))
    work = await bench.committing()
    bench.take(plain(2), plain(3))
    bench.disk.free.set()
    assert not await work
    bench.disk.full = False
    assert await bench.recorder.commit()
    assert bench.scans() == [0, 1, 2, 3]


async def test_closing_on_a_full_disk_says_so(bench: Bench) -> None:
    bench.disk.full = True
    bench.take(plain(0))
    assert not await bench.recorder.close()
    assert bench.recorder.pending_samples == 1
    assert bench.recorder.disk_fault


# --- overflow


async def test_overflow_drops_the_oldest_counts_and_tells(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "PENDING_SAMPLES", 10)
    bench.disk.full = True
    bench.take(*(plain(slot) for slot in range(12)))
    assert not await bench.recorder.commit()
    bench.take(*(plain(slot) for slot in range(12, 15)))
    assert bench.recorder.pending_samples == 10
    assert bench.live.counters.overflowed == 5
    bench.disk.full = False
    assert await bench.recorder.commit()
    assert bench.scans() == list(range(5, 15))
    assert bench.gapped() == (5, 5)
    gaps = bench.events(EventKind.GAP)
    assert min(int(str(gap.body["from_ns"])) for gap in gaps) == SLOT_NS
    assert max(int(str(gap.body["to_ns"])) for gap in gaps) == SLOT_NS + 4 * SECOND_NS
    assert all("overload" in str(gap.body["cause"]) for gap in gaps)
    assert {gap.body["cause_class"] for gap in gaps} == {"overload"}


async def test_changes_between_the_slots_take_room_like_samples(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "PENDING_SAMPLES", 10)
    three = Changes(np.zeros(3, np.int32), np.ones(3, np.int64), np.ones(3), np.zeros(3, np.uint32))
    bench.disk.full = True
    bench.take(*(replace(plain(slot), changes=three) for slot in range(4)))
    assert bench.recorder.pending_samples == bench.live.counters.overflowed == 2
    bench.disk.full = False
    assert await bench.recorder.commit()
    bench.take(*(plain(slot) for slot in range(4, 14)))
    assert bench.recorder.pending_samples == 10


async def test_a_gap_that_was_told_is_not_itself_dropped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage of hours, with a try each second: every gap of its beginning must still be known at its end."""
    monkeypatch.setattr(commits, "PENDING_SAMPLES", 10)
    bench.disk.full = True
    for slot in range(0, 60, 5):
        bench.take(*(plain(slot + i) for i in range(5)))
        assert not await bench.recorder.commit()
    bench.disk.full = False
    assert await bench.recorder.close()
    kept = bench.scans()
    assert kept == list(range(50, 60))
    assert bench.gapped() == (50, 50)


async def test_events_are_not_dropped_unseen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event has no samples: dropping it makes no room, and no gap tells of it. A batch's beginning would be gone."""
    monkeypatch.setattr(commits, "PENDING_SAMPLES", 10)
    bench.take(reactor(0, batch="B-24-017", phase="Dose"), *(plain(slot) for slot in range(1, 15)))
    assert await bench.recorder.commit()
    assert [event.body["what"] for event in bench.events(EventKind.BATCH)] == ["batch", "phase"]
    assert bench.gapped() == (5, 7), "of them one of three samples"


async def test_scans_dropped_behind_the_last_commit_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """All there is room for is on its way to a slow disk, and what comes meanwhile is dropped: nothing is left pending."""
    monkeypatch.setattr(commits, "PENDING_SAMPLES", 5)
    bench.take(*(plain(slot) for slot in range(5)))
    work = await bench.committing()
    bench.take(*(plain(slot) for slot in range(5, 8)))
    bench.disk.free.set()
    assert await work
    assert await bench.recorder.close()
    assert len(bench.scans()) + bench.gapped()[0] == 8
    assert len(bench.scans()) + bench.live.counters.overflowed == 8


async def test_a_gap_reaches_over_all_that_was_dropped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow groups answer for older slots than fast ones: the order of arrival is not that of slots."""
    monkeypatch.setattr(commits, "PENDING_SAMPLES", 3)
    bench.take(plain(10), plain(2, OTHER), plain(14), plain(7, OTHER), plain(20), plain(21), plain(22))
    assert await bench.recorder.commit()
    (gap,) = bench.events(EventKind.GAP)
    assert (gap.body["from_ns"], gap.body["to_ns"]) == (SLOT_NS + 2 * SECOND_NS, SLOT_NS + 14 * SECOND_NS)
    assert (gap.body["slots"], gap.body["samples"]) == (4, 4)


async def test_a_scan_greater_than_the_room_is_dropped_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "PENDING_SAMPLES", 2)
    bench.take(reactor(0), plain(1), plain(2))
    assert await bench.recorder.close()
    assert bench.scans() == [1, 2]
    assert bench.gapped() == (1, 3)


ACTIONS = st.lists(st.sampled_from(["take", "take", "take", "lost", "tell", "commit", "fail", "fail"]), min_size=20, max_size=40)


@given(ACTIONS)
def test_everything_taken_is_on_the_disk_or_in_a_gap(tmp_path_factory: pytest.TempPathFactory, actions: list[str]) -> None:
    data = tmp_path_factory.mktemp("recorder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commits, "PENDING_SAMPLES", 4)
        patch.setattr(commits, "ROWS_PER_COMMIT", 3)
        asyncio.run(_act(data, actions))


async def _act(data: Path, actions: list[str]) -> None:
    async with opened(data) as bench:
        for slot, action in enumerate(actions):
            if action == "take":
                bench.take(plain(slot))
            elif action == "lost":
                bench.take(Scan.of_lost(PLAIN, SLOT_NS + slot * SECOND_NS, SLOT_NS, Status.BAD_TIMEOUT))
            elif action == "tell":
                bench.recorder.tell(Event(EventKind.DAEMON, SLOT_NS, body={"slot": slot}))
            else:
                bench.disk.full = action == "fail"
                before = bench.recorder.pending_samples
                done = await bench.recorder.commit()
                assert done or before == bench.recorder.pending_samples
        bench.disk.full = False
        assert await bench.recorder.close()
        slots, samples = bench.gapped()
        assert len(bench.scans()) + slots == sum(action in ("take", "lost") for action in actions)
        assert bench.disk.totals.samples + samples == actions.count("take") == bench.live.counters.read
        assert samples == bench.live.counters.overflowed
        assert bench.scans() == sorted(set(bench.scans())), "nothing twice, and in order"
        told = [event.body["slot"] for event in bench.events(EventKind.DAEMON)]
        assert told == [slot for slot, action in enumerate(actions) if action == "tell"]


# --- cancellation


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("cancels", [1, 2])
async def test_cancelling_a_commit_loses_nothing_and_doubles_nothing(bench: Bench, cancels: int, refused: bool) -> None:
    bench.disk.full = refused
    bench.take(plain(0), plain(1))
    work = await bench.committing()
    bench.take(plain(2))
    for _ in range(cancels):
        work.cancel()
        await asyncio.sleep(0)
    assert not work.done(), "the thread is still writing: its rows are neither here nor there"
    bench.disk.free.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert bench.recorder.pending_samples == (3 if refused else 1)
    bench.disk.full = False
    assert await bench.recorder.close()
    assert bench.scans() == [0, 1, 2]


# --- the end


async def test_closing_commits_the_rest_and_ends_what_is_open(bench: Bench) -> None:
    bench.take(reactor(0, 75.0), plain(0))
    assert await bench.recorder.close()
    assert bench.recorder.pending_samples == 0
    states = [event.body["state"] for event in bench.events(EventKind.EXCURSION)]
    assert states[-1] != "open"
    assert bench.scans() == [0]


UNWRITABLE = {
    "for the body": Event(EventKind.DAEMON, SLOT_NS, body={"number": 2**70}),
    "for the chain": Event(EventKind.DAEMON, 2**70),
    "for SQLite": Event(EventKind.DAEMON, cast("int", np.int64(SLOT_NS))),
}


@pytest.mark.parametrize("bad", UNWRITABLE.values(), ids=UNWRITABLE)
async def test_a_row_that_cannot_be_written_costs_no_other_row(bench: Bench, bad: Event) -> None:
    """A bug of ours is loud; but it does not take the second's scans of the whole plant with it."""
    bench.take(plain(0))
    bench.recorder.tell(bad)
    bench.take(plain(1))
    with pytest.raises((TypeError, OverflowError, sqlite3.IntegrityError)):
        await bench.recorder.commit()
    assert bench.scans() == [0, 1]
    assert bench.recorder.pending_samples == 0
    with suppress(OverflowError, sqlite3.IntegrityError):  # of the gap that tells of it, at a time that can't be written either
        await bench.recorder.close()
    assert bench.scans() == [0, 1]


async def test_a_journal_that_takes_nothing_at_all_refuses_no_row(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed connection has the same kind of error as a value that SQLite does not know."""

    def closed(_entries: Sequence[Entry], _time_ns: int) -> Totals:
        raise sqlite3.ProgrammingError("Cannot operate on a closed database.")

    bench.take(plain(0), plain(1))
    with monkeypatch.context() as patch:
        patch.setattr(bench.disk, "append", closed)
        assert not await bench.recorder.commit()
    assert await bench.recorder.close()
    assert bench.scans() == [0, 1]


async def test_a_number_that_is_taken_costs_no_row(bench: Bench) -> None:
    """Somebody else wrote to the file: that is no matter of what is to be written."""
    bench.take(plain(0))
    assert await bench.recorder.commit()
    with closing(sqlite3.connect(next((bench.data / "journal").glob("*.db")))) as other:
        other.execute("INSERT INTO scans SELECT seq + 1, slot_ns, received_ns, layout, stamps, 0, 0, x'' FROM scans")
        other.commit()
    bench.take(plain(1), plain(2))
    assert not await bench.recorder.commit()
    assert bench.recorder.pending_samples == 2


async def test_rows_are_pending_until_a_commit_has_returned(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it ended with an error that nobody expected."""

    def fail(_entries: Sequence[Entry], _time_ns: int) -> Totals:
        raise MemoryError

    bench.take(plain(0), plain(1))
    with monkeypatch.context() as patch:
        patch.setattr(bench.disk, "append", fail)
        with pytest.raises(MemoryError):
            await bench.recorder.commit()
    assert bench.recorder.pending_samples == 2
    assert await bench.recorder.close()
    assert bench.scans() == [0, 1]


def unwritable(slot: int) -> Scan:
    """One that does not fit its layout: a driver's bug."""
    return replace(plain(slot), values=np.zeros(3))


async def test_a_row_that_cannot_be_written_on_a_disk_that_then_refuses_doubles_nothing(bench: Bench) -> None:
    """Both at once: rows that are on the disk already are not pending again."""
    bench.take(plain(0), unwritable(1), plain(2))
    bench.disk.full_after = 2  # the commit of all, which fails by its own fault, and one row
    with suppress(ValueError):
        await bench.recorder.commit()
    bench.disk.full_after = None
    with suppress(ValueError):
        await bench.recorder.commit()
    with suppress(ValueError):
        await bench.recorder.close()
    assert bench.scans() == [0, 2]
    assert bench.disk.totals.samples == 2
    assert bench.recorder.pending_samples == 0


async def test_a_row_that_cannot_be_written_does_not_end_the_last_commits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing is the last chance of all the rows behind it, too."""
    monkeypatch.setattr(commits, "ROWS_PER_COMMIT", 2)
    bench.take(plain(0), unwritable(1), *(plain(slot) for slot in range(2, 8)))
    with suppress(ValueError):
        await bench.recorder.close()
    assert bench.scans() == [0, *range(2, 8)]


async def test_a_row_that_cannot_be_written_is_in_a_gap_that_says_so(bench: Bench) -> None:
    """There was no overload: who reads the batch record would look for one."""
    bench.take(plain(0), unwritable(1), plain(2))
    with suppress(ValueError):
        await bench.recorder.commit()
    assert await bench.recorder.commit()
    (gap,) = bench.events(EventKind.GAP)
    assert gap.body["from_ns"] == gap.body["to_ns"] == SLOT_NS + SECOND_NS
    assert "overload" not in str(gap.body["cause"])
    assert gap.body["cause_class"] == "defect"


async def test_overflow_stays_quick_however_many_events_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After hours without a disk the oldest of what waits is all events; making room must not walk past them each time."""
    monkeypatch.setattr(commits, "PENDING_SAMPLES", 10)
    alone_s = await _cost_of_overflow_s(tmp_path / "alone", 0)
    assert await _cost_of_overflow_s(tmp_path / "behind", 40_000) < 20 * alone_s


async def _cost_of_overflow_s(data: Path, events: int) -> float:
    """Of 200 scans that each drop another, behind so many events."""
    costs = []
    async with opened(data) as bench:
        for _ in range(events):
            bench.recorder.tell(Event(EventKind.DAEMON, SLOT_NS))
        bench.take(*(plain(slot) for slot in range(20)))
        for _ in range(3):
            scans = [plain(slot) for slot in range(200)]
            gc.disable()  # a full collection walks past all of them
            begin = time.thread_time()
            bench.take(*scans)
            costs.append(time.thread_time() - begin)
            gc.enable()
    return min(costs)


async def test_the_disk_refuses_with_its_own_error(bench: Bench) -> None:
    """The full disk of these tests is sqlite's own."""
    bench.disk.full = True
    with pytest.raises(sqlite3.OperationalError, match="full"):
        bench.disk.append([], SLOT_NS)
