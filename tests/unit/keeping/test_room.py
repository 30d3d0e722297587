"""Room on the disk: told before it is short, once; the reserve goes when the disk is full, and comes back with the room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from collector.keeping import room
from collector.keeping.room import Room
from collector.store.files import StoreError
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.reserve import Reserve, runway_hours
from collector.terms import Event, EventKind
from config.model import Disk
from tests.fakes import START_NS
from tests.unit.store.simple import DAY_NS, one

SECOND_NS = 1_000_000_000
RESERVE_BYTES = 2_000_000
WANTED = Disk(reserve_mb=2.0, runway_h=24.0)


class Clock:
    def now_ns(self) -> int:
        return START_NS

    def monotonic_ns(self) -> int:
        return 0


@dataclass
class Site:
    """A data folder on a disk that is as free as the test wants; the reserve file is a real one, and takes its room."""

    data: Path
    else_free: int = 10**9
    fault: str = ""
    told: list[Event] = field(default_factory=list)
    rate: float | None = 1e6
    unarchived: int = 0
    damage: str = ""
    removable: int = 0
    """Bytes of days that go by size before the disk is full."""
    looks: int = 0
    """Begun, in the thread; each begins when what the one before found has been told."""

    def free_bytes(self, data: Path) -> int:
        self.looks += 1
        taken = RESERVE_BYTES if (data / "reserve").exists() else 0
        return max(0, self.else_free - taken)

    def bytes_per_hour(self) -> float | None:
        return self.rate

    def to_be_freed(self, free_bytes: int) -> int:
        if self.damage:
            raise StoreError(self.damage)
        return self.removable if free_bytes > 10_000_000 else 0

    @property
    def states(self) -> list[object]:
        return [event.body["state"] for event in self.told]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path)
    monkeypatch.setattr(room, "free_bytes", site.free_bytes)
    monkeypatch.setattr(room, "INTERVAL_S", 0.0)
    monkeypatch.setattr(room, "LOOKS_PER_RATE", 1)
    monkeypatch.setattr(room, "LOOKS_PER_KEEPING", 1)
    return site


@asynccontextmanager
async def looking(site: Site) -> AsyncIterator[Room]:
    looks = Room(
        site.data,
        WANTED,
        site,  # type: ignore[arg-type]
        Clock(),
        site.told.append,
        disk_fault=lambda: site.fault,
        to_be_freed=site.to_be_freed,
        to_archive=lambda: site.unarchived,
    )
    task = asyncio.create_task(looks.run())
    yield looks
    task.cancel()
    await asyncio.wait([task])


async def some_looks(site: Site) -> None:
    """Until three that began from now on are over; the one that is under way may have begun before."""
    wanted = site.looks + 4
    async with asyncio.timeout(60):
        while site.looks < wanted:  # noqa: ASYNC110  in a thread
            await asyncio.sleep(0.001)


async def test_short_is_told_once_and_enough_when_it_clearly_is(site: Site) -> None:
    site.else_free = 23_000_000 + RESERVE_BYTES
    async with looking(site) as looks:
        await some_looks(site)
        assert site.states == ["short"]
        assert looks.short
        (event,) = site.told
        assert event.kind is EventKind.ROOM
        assert event.body["runway_hours"] == 23.0
        assert event.body["free_bytes"] == 23_000_000
        assert event.body["cause"] == "the disk lasts 23.0 h at this rate, less than 24 h"
        site.else_free = 29_000_000 + RESERVE_BYTES
        await some_looks(site)
        assert site.states == ["short"], "not for a moment's relief"
        site.else_free = 31_000_000 + RESERVE_BYTES
        await some_looks(site)
        assert site.states == ["short", "enough"]
        site.rate = 2e6
        await some_looks(site)
        assert site.states == ["short", "enough", "short"], "the rate counts too"


async def test_days_that_will_go_by_size_are_room(site: Site) -> None:
    site.else_free, site.removable = 20_000_000 + RESERVE_BYTES, 15_000_000
    async with looking(site) as looks:
        await some_looks(site)
        assert looks.runway.hours == 35.0
        assert looks.state()["to_be_freed_bytes"] == 15_000_000
        assert site.states == []
        site.removable = 0
        await some_looks(site)
        assert site.states == ["short"], "a sink fell behind: they may not go any more"


async def test_a_day_that_cannot_be_read_does_not_keep_short_from_being_told(site: Site) -> None:
    site.else_free, site.removable, site.damage = 20_000_000 + RESERVE_BYTES, 15_000_000, "a day is damaged"
    async with looking(site) as looks:
        await some_looks(site)
        assert looks.state()["to_be_freed_bytes"] == 0
    assert site.states == ["short"]


@pytest.mark.parametrize(("days", "told"), [(1, "1 day with gmp data waits for"), (12, "12 days with gmp data wait for")])
async def test_short_tells_what_waits_for_an_archive(site: Site, days: int, told: str) -> None:
    site.else_free, site.unarchived = 23_000_000 + RESERVE_BYTES, days
    async with looking(site) as looks:
        await some_looks(site)
        assert looks.state()["days_to_archive"] == days
    (event,) = site.told
    assert f"less than 24 h; {told} `reactorwatch archive FOLDER`" in str(event.body["cause"])


async def test_an_unknown_rate_tells_nothing(site: Site) -> None:
    site.else_free, site.rate = 5_000_000, None
    async with looking(site) as looks:
        await some_looks(site)
        assert looks.runway.hours is None
    assert site.told == []


@pytest.mark.parametrize("fault", ["database or disk is full", "x.db can't be made: [Errno 28] No space left on device"])
async def test_the_reserve_goes_when_a_commit_finds_no_room_and_comes_back_with_it(site: Site, fault: str) -> None:
    reserve = site.data / "reserve"
    async with looking(site):
        await some_looks(site)
        assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES, "it really takes the room"
        assert site.told == [], "an ordinary start is no news"
        site.fault = fault
        await some_looks(site)
        assert not reserve.exists()
        assert site.states == ["reserve given back"]
        assert site.told[0].body["cause"] == fault
        site.fault, site.else_free = "", 3_000_000
        await some_looks(site)
        assert not reserve.exists(), "twice its size must be free"
        site.else_free = 10**9
        await some_looks(site)
        assert reserve.exists()
    assert site.states == ["reserve given back", "short", "reserve made", "enough"]


async def test_next_to_nothing_free_gives_it_back_before_a_commit_fails(site: Site) -> None:
    async with looking(site):
        await some_looks(site)
        site.else_free = RESERVE_BYTES + 900_000
        await some_looks(site)
    assert not (site.data / "reserve").exists()
    assert "reserve given back" in site.states


async def test_the_reserve_that_is_missing_is_not_counted_as_room(site: Site) -> None:
    site.fault, site.else_free = "database or disk is full", 30_000_000
    async with looking(site) as looks:
        await some_looks(site)
        assert looks.runway.hours == pytest.approx(28.0)


def test_a_reserve_of_another_size_or_with_holes_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    assert Reserve(tmp_path, 1_000_000).make()
    assert Reserve(tmp_path, 3_000_000).missing_bytes > 1_900_000
    assert Reserve(tmp_path, 3_000_000).make()
    assert path.stat().st_size == 3_000_000
    assert Reserve(tmp_path, 1_000_000).make()
    assert path.stat().st_size == 1_000_000
    with path.open("wb") as holes:
        holes.truncate(1_000_000)
    assert Reserve(tmp_path, 1_000_000).missing_bytes > 900_000
    assert Reserve(tmp_path, 1_000_000).make()
    assert Reserve(tmp_path, 1_000_000).missing_bytes == 0
    assert not Reserve(tmp_path, 2**60).make(), "no disk has so much"
    assert not path.exists(), "and half of it helps nobody"


def test_a_reserve_of_nothing_is_none(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, 0)
    assert reserve.make()
    assert not reserve.held
    assert list(tmp_path.iterdir()) == []


def test_runway() -> None:
    assert runway_hours(61e6, 1e6) == 61.0
    assert runway_hours(-5.0, 1e6) == 0.0
    assert runway_hours(1e9, None) is None


def rate(data: Path) -> float | None:
    with closing(Reader(data)) as reader:
        return reader.bytes_per_hour()


def test_the_rate_survives_pauses_and_the_beginning_of_a_day(tmp_path: Path) -> None:
    """An hour of commits, a pause, then the first minutes of another day: nearly the rate of the hour."""
    (tmp_path / "journal").mkdir()
    with closing(Journal(tmp_path)) as journal, closing(Reader(tmp_path)) as reader:
        assert rate(tmp_path) is None
        for second in range(0, 50, 10):
            journal.append([one() for _ in range(200)], START_NS + second * SECOND_NS)
        assert rate(tmp_path) is None, "not yet a minute"
        for second in range(50, 3600, 10):
            journal.append([one() for _ in range(200)], START_NS + second * SECOND_NS)
            assert second % 100 or reader.bytes_per_hour() == rate(tmp_path), "added up bit by bit, as all at once"
        of_the_hour = rate(tmp_path)
        assert of_the_hour is not None
        for second in range(3600, 3900, 10):
            journal.append([one() for _ in range(200)], START_NS + (second + 40_000) * SECOND_NS)
        after_the_pause = rate(tmp_path)
        assert after_the_pause == pytest.approx(of_the_hour, rel=0.05)
        journal.append([one() for _ in range(200)], START_NS + DAY_NS)
        next_day = rate(tmp_path)
        assert next_day == pytest.approx(of_the_hour, rel=0.1)
