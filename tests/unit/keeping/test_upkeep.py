"""The daemon's upkeep: it compacts beside the event loop, removes what may go, and tells what it does and why it can't."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from collector.archive.proof import prove_archive
from collector.keeping import upkeep as upkeep_module
from collector.keeping.opening import open_record
from collector.keeping.upkeep import Upkeep, leisurely
from collector.proof.record import prove
from collector.show.live import Live
from collector.store import compactor
from collector.store.cursors import Cursor
from collector.store.daily import DailyFile
from collector.store.files import Damaged, journal_files
from collector.store.journal import Journal
from collector.store.losses import losses
from collector.store.registry import Registry
from collector.store.retention import UNSOUND, Keep, held, stored
from collector.terms import Event, EventKind, Stamp
from tests.journal_rows import SECOND_NS, SLOT_NS
from tests.unit.archive.archived import archived, days_of, notes, record, states
from tests.unit.store.simple import DAY_NS, one


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep_module, "FIRST_S", 0.0)


class Still:
    """A clock that stands, four days after the first commit."""

    def now_ns(self) -> int:
        return SLOT_NS + 4 * DAY_NS

    def monotonic_ns(self) -> int:
        return 0


class Bench:
    """An upkeep with all it needs, four days of journal, and what it told."""

    def __init__(self, data: Path, keep: Keep, days: int = 4) -> None:
        self.data, self.told, self.came = data, list[Event](), asyncio.Event()
        self.journal, self.registry, self.live = Journal(data), Registry(data), Live()
        for day in range(days):
            for second in range(30):
                time_ns = SLOT_NS + day * DAY_NS + second * SECOND_NS
                self.journal.append([one(second / 10, time_ns)], time_ns)
        parts = (data, self.journal, self.registry, self.live, Still(), self.tell)
        self.upkeep = Upkeep(*parts, keep, suspect=self.suspect)

    def tell(self, event: Event) -> None:
        self.told.append(event)
        self.came.set()

    async def suspect(self, exc: Exception) -> None:
        """As the daemon does it."""
        assert isinstance(exc, Damaged)
        self.journal.set_aside(exc.path, exc.what, SLOT_NS + 4 * DAY_NS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.upkeep.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.journal.close()
            self.registry.close()

    def removed(self) -> list[object]:
        """Files of which that was told."""
        return [event.body["file"] for event in self.told if event.body["state"] == "removed"]

    def hot(self) -> list[int]:
        """Rows that are not compacted, of each day."""
        found = []
        for path in journal_files(self.data):
            with closing(DailyFile.open(path)) as file:
                found.append(int(file.connection.execute("SELECT count(*) FROM scans").fetchone()[0]))
        return found


async def until(holds: Callable[[], bool]) -> None:
    """Asked in a thread, so that the loop goes on."""

    def wait() -> None:
        deadline_s = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline_s, "it did not come"
            time.sleep(0.02)

    await asyncio.to_thread(wait)


async def test_finished_days_are_compacted_while_the_loop_runs(data: Path) -> None:
    bench = Bench(data, Keep())
    async with bench.running():
        await until(lambda: not any(bench.hot()[:-1]))
    assert bench.told == []
    assert len(journal_files(data)) == 4


async def test_days_that_every_sink_has_settled_go_and_the_rest_is_told(data: Path) -> None:
    bench = Bench(data, Keep(days=0.5, sinks=("influx",)))
    bench.registry.acknowledge("influx", Cursor(60, 60, 0))
    async with bench.running(), asyncio.timeout(60):
        while len(bench.told) < 3:
            bench.came.clear()
            await bench.came.wait()
    assert [(event.kind, event.body["state"], event.body["file"]) for event in bench.told] == [
        (EventKind.RETENTION, "removed", "2024-11-22.db"),
        (EventKind.RETENTION, "removed", "2024-11-23.db"),
        (EventKind.RETENTION, "held", "2024-11-24.db"),
    ]
    assert bench.told[2].body["cause"] == "sink influx has not settled all of it"
    assert [path.name for path in journal_files(data)] == ["2024-11-24.db", "2024-11-25.db"]
    with closing(Registry(data)) as registry:
        noted = registry.states("retention")["removed"]
    with closing(DailyFile.open(journal_files(data)[0])) as file:
        assert (noted["seq"], noted["hash"]) == (60, (file.before_head.hash or b"").hex())


async def test_nothing_goes_while_a_copy_is_made(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep_module, "ROUNDS_PER_LOOK", 1)
    monkeypatch.setattr(upkeep_module, "INTERVAL_S", 0.02)
    bench = Bench(data, Keep(days=0.5, sinks=("influx",)))
    bench.registry.acknowledge("influx", Cursor(60, 60, 0))
    async with bench.running():
        with held(data):
            await until(lambda: bool(bench.told))
            assert [event.body["state"] for event in bench.told] == ["held"]
            assert len(journal_files(data)) == 4
        await until(lambda: len(journal_files(data)) == 2)


async def test_a_sink_that_never_took_anything_is_waited_for(data: Path) -> None:
    bench = Bench(data, Keep(days=0.5, sinks=("influx",)))
    async with bench.running(), asyncio.timeout(60):
        await bench.came.wait()
    assert [event.body["state"] for event in bench.told] == ["held"]
    assert len(journal_files(data)) == 4


async def test_gmp_days_go_when_they_are_archived_and_the_event_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "ROUNDS_PER_LOOK", 1)
    monkeypatch.setattr(upkeep_module, "INTERVAL_S", 0.02)
    data, to = record(tmp_path / "data"), tmp_path / "archive"
    bench = Bench(data, Keep(days=0.5), days=0)
    assert bench.upkeep.to_archive() == 3
    async with bench.running():
        await until(lambda: bool(bench.told))
        assert [(event.body["state"], event.body["archive"]) for event in bench.told] == [("held", "")]
        assert "run `reactorwatch archive`" in str(bench.told[0].body["cause"])
        await asyncio.to_thread(archived, data, to, "2024-11-23")
        await until(lambda: bench.told[-1].body["file"] == "2024-11-24.db")
        assert bench.upkeep.to_archive() == 1
        assert notes(data) == {}, "a note goes with its file"
    told = [(event.body["file"], event.body["archive"]) for event in bench.told if event.body["state"] == "removed"]
    assert told == [("2024-11-22.db", str(to)), ("2024-11-23.db", str(to))]
    assert bench.told[-1].body["state"] == "held"
    assert days_of(data) == ["2024-11-24", "2024-11-25"]
    assert days_of(to) == ["2024-11-22", "2024-11-23"]
    assert prove(data).sound
    assert prove_archive(to).sound


async def test_a_removed_day_that_was_put_back_goes_again_and_no_row_counts_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "ROUNDS_PER_LOOK", 1)
    monkeypatch.setattr(upkeep_module, "INTERVAL_S", 0.02)
    data, to = record(tmp_path / "data"), tmp_path / "archive"
    archived(data, to)
    for copied in ([], ["2024-11-22"], ["2024-11-22", "2024-11-23", "2024-11-24"]):
        for name in copied:
            shutil.copy(to / "journal" / f"{name}.db", data / "journal")
        assert prove(data).sound == (len(copied) != 1), "the days behind it are missing"
        archived(data, to)
        bench = Bench(data, Keep(days=0.5), days=0)
        async with bench.running():
            await until(lambda: days_of(data) == ["2024-11-25"])
        assert prove(data).sound
        open_record(data, SLOT_NS + 9 * DAY_NS).registry.close()
        assert losses(data) == ()


def test_a_day_that_is_not_what_was_archived_stays(tmp_path: Path) -> None:
    """Another file has its name: put back from an older copy, or of another record."""
    data, other = record(tmp_path / "data"), record(tmp_path / "other", first=0.5)
    archived(data, tmp_path / "archive")
    bench = Bench(data, Keep(days=0.5), days=0)
    assert bench.upkeep.to_archive() == 0
    shutil.copy(journal_files(other)[0], tmp_path / "in its place")
    (tmp_path / "in its place").replace(journal_files(data)[0])
    assert bench.upkeep.to_archive() == 1
    bench.journal.close()
    bench.registry.close()


def test_a_damaged_day_does_not_keep_the_others_from_being_counted(tmp_path: Path) -> None:
    data = record(tmp_path / "data")
    bench = Bench(data, Keep(), days=0)
    journal_files(data)[1].write_bytes(b"nothing of ours" * 1000)
    assert bench.upkeep.to_archive() == 2
    bench.journal.close()
    bench.registry.close()


def _change_a_row(path: Path) -> None:
    """Of a row that no sink will read again: only who reads all of it notices."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE events SET body = '{}' WHERE seq = (SELECT min(seq) FROM events)")
        connection.commit()


async def test_a_gmp_day_that_is_not_sound_is_set_aside_and_those_behind_it_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "ROUNDS_PER_LOOK", 1)
    monkeypatch.setattr(upkeep_module, "INTERVAL_S", 0.02)
    data, to = record(tmp_path / "data"), tmp_path / "archive"
    _change_a_row(journal_files(data)[0])
    bench = Bench(data, Keep(days=0.5), days=0)
    async with bench.running():
        await until(lambda: bool(bench.told))
        assert bench.told[0].body["state"] == "held"
        assert states(await asyncio.to_thread(archived, data, to)) == ["unsound", "archived", "archived", "waiting"]
        await until(lambda: bench.removed() == ["2024-11-23.db", "2024-11-24.db"])
        await until(lambda: not bench.registry.states(UNSOUND))
    assert days_of(data) == ["2024-11-25"]
    (loss,) = losses(data)
    assert (loss.file, loss.samples, bool(loss.kept)) == ("2024-11-22.db", 40, True)
    assert "not those that were appended" in loss.cause
    assert prove(data).sound
    open_record(data, SLOT_NS + 9 * DAY_NS).registry.close()
    assert losses(data) == (loss,)


async def test_a_day_that_could_not_be_archived_and_is_sound_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was the memory, or the way."""
    monkeypatch.setattr(upkeep_module, "ROUNDS_PER_LOOK", 1)
    monkeypatch.setattr(upkeep_module, "INTERVAL_S", 0.02)
    data = record(tmp_path / "data")
    bench = Bench(data, Keep(), days=0)
    bench.registry.put_states(UNSOUND, {"2024-11-22.db": {"cause": "row 7"}, "2020-01-01.db": {"cause": "gone since"}})
    async with bench.running():
        await until(lambda: not bench.registry.states(UNSOUND))
    assert len(journal_files(data)) == 4
    assert losses(data) == ()


async def test_a_day_that_can_not_be_compacted_for_damage_is_set_aside(data: Path) -> None:
    bench = Bench(data, Keep())
    with closing(sqlite3.connect(journal_files(data)[1])) as connection:
        connection.execute("DELETE FROM scans WHERE seq = 35")
        connection.commit()
    async with bench.running():
        await until(lambda: len(journal_files(data)) == 3)
    (loss,) = losses(data)
    assert (loss.file, loss.samples) == ("2024-11-23.db", 30)


async def test_a_day_whose_stamps_are_damaged_does_not_end_keeping(data: Path) -> None:
    bench = Bench(data, Keep(days=0.5))
    with closing(sqlite3.connect(journal_files(data)[2])) as connection:
        connection.execute("DROP TABLE stamps")
        connection.commit()
    async with bench.running():
        await until(lambda: [loss.file for loss in losses(data)] == ["2024-11-24.db"])


async def test_a_batch_that_runs_keeps_its_days(data: Path) -> None:
    bench = Bench(data, Keep(days=0.5))
    bench.live.stamps = {"R-201": Stamp("B-1")}
    async with bench.running(), asyncio.timeout(60):
        await bench.came.wait()
    assert {event.body["state"] for event in bench.told} == {"removed"}, "no sample of B-1 is in any"
    assert len(journal_files(data)) == 1


def test_only_settled_days_are_room_to_come(data: Path) -> None:
    bench = Bench(data, Keep(size_bytes=1e3, sinks=("influx",)))
    sizes = [stored(path).size_bytes for path in journal_files(data)]
    assert bench.upkeep.to_be_freed(10**9) == 0, "the sink has taken nothing yet"
    bench.registry.acknowledge("influx", Cursor(60, 60, 0))
    assert bench.upkeep.to_be_freed(10**9) == sum(sizes[:2])
    bench.journal.close()
    bench.registry.close()


async def test_it_ends_at_the_step_that_runs(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of work must not keep the daemon from stopping."""
    begun = threading.Event()

    def endless(_self: object, _now_ns: int) -> Iterator[None]:
        while True:
            begun.set()
            yield

    monkeypatch.setattr(compactor.Compactor, "work", endless)
    bench = Bench(data, Keep())
    async with asyncio.timeout(60), bench.running():
        await until(begun.is_set)


async def test_a_disk_that_refuses_is_tried_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def refused(_self: object, _now_ns: int) -> Iterator[None]:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("no room")
        yield

    monkeypatch.setattr(compactor.Compactor, "work", refused)
    monkeypatch.setattr(upkeep_module, "INTERVAL_S", 0.01)
    bench = Bench(data, Keep())
    async with bench.running():
        await until(lambda: len(tries) > 3)


def test_work_rests_between_its_steps_and_stops_when_it_is_told() -> None:
    stop = threading.Event()
    done: list[int] = []

    def work() -> Iterator[None]:
        for n in range(100):
            done.append(n)
            if n == 5:
                stop.set()
            yield

    leisurely(work(), stop)
    assert done == [0, 1, 2, 3, 4, 5]
