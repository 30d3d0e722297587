"""The whole daemon on a data folder that came to harm: it starts, tells what is lost, and goes on."""

from __future__ import annotations

import asyncio
import os
import random
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector import gateway
from collector.app import Daemon, Outside
from collector.keeping import damage
from collector.proof.record import prove
from collector.store.files import journal_files
from collector.store.losses import acknowledge, losses, quarantine
from collector.store.reader import Reader
from collector.terms import Event, EventKind
from config.model import Plant
from tests.unit.store.damages import deleted

DEADLINE_S = 60.0
DAY_NS = 86_400_000_000_000
TO_NOON_NS = DAY_NS // 2 - time.time_ns() % DAY_NS
REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "events.md").read_text("utf-8")


def at_noon_ns() -> int:
    """A wall clock that is far from midnight: a run has one daily file."""
    return time.time_ns() + TO_NOON_NS


def plant() -> Plant:
    """A device that nobody answers for: what is told of it is enough of a record."""
    return Plant.model_validate(
        {
            "site": "damage",
            "endpoints": {"plc": {"url": "modbus://127.0.0.1:1", "devices": _devices()}},
            "units": {"R-201": None},
            "web": None,
        }
    )


def _devices() -> dict[str, object]:
    return {
        "DCS": {
            "unit": "R-201",
            "groups": {"main": {"period_s": 0.05}},
            "tags": {"TT-1": {"address": "holding:1", "type": "uint16"}},
        }
    }


async def run_until(data: Path, done: Callable[[Event], bool], harm: Callable[[Path], None] | None = None) -> None:
    """One run, ended when an event is told that the test waits for; `harm` is done to its file once there is one."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    hurry.set()

    def listen(what: object) -> None:
        if isinstance(what, Event) and done(what):
            stop.set()

    outside = Outside(wall_ns=at_noon_ns)
    async with asyncio.timeout(DEADLINE_S), Daemon(plant(), data, outside=outside) as daemon, asyncio.TaskGroup() as group:
        daemon.live.listeners.append(listen)
        if harm:
            group.create_task(_harm_the_first(data, daemon, harm))
        await daemon.run(stop, hurry)


async def _harm_the_first(data: Path, daemon: Daemon, harm: Callable[[Path], None]) -> None:
    while not daemon.recorder.end.seq:  # noqa: ASYNC110  nobody is told of a commit
        await asyncio.sleep(0.01)
    harm(journal_files(data)[0])


def of_kind(kind: EventKind) -> Callable[[Event], bool]:
    return lambda event: event.kind is kind


def told(data: Path) -> list[Event]:
    with closing(Reader(data)) as reader:
        return reader.newest_events(EventKind.DAMAGE, 10)


async def test_a_damaged_newest_file_does_not_stop_the_start(tmp_path: Path) -> None:
    await run_until(tmp_path, of_kind(EventKind.DEVICE))
    (newest,) = journal_files(tmp_path)
    os.truncate(newest, 3000)
    await run_until(tmp_path, of_kind(EventKind.DAMAGE))
    (loss,) = losses(tmp_path)
    assert (quarantine(tmp_path) / loss.kept).stat().st_size == 3000
    (event,) = told(tmp_path)
    documented = re.findall(
        r"^\| `(\w+)` ", REFERENCE.partition("### damage: of a daily file")[2].partition("###")[0], re.MULTILINE
    )
    assert list(event.body) == documented
    assert (event.body["file"], event.body["kept"]) == (newest.name, loss.kept)
    with closing(Reader(tmp_path)) as reader:
        assert min(row.seq for row in reader.read(0, 100)) == loss.after.seq + 1


async def test_a_loss_is_told_at_each_start_until_a_person_has_taken_note(tmp_path: Path) -> None:
    await run_until(tmp_path, of_kind(EventKind.DEVICE))
    os.truncate(journal_files(tmp_path)[-1], 0)
    for count in (1, 2):
        await run_until(tmp_path, of_kind(EventKind.DEVICE))
        assert len(told(tmp_path)) == count
    acknowledge(tmp_path, losses(tmp_path)[0].name, 1, "seen")
    await run_until(tmp_path, of_kind(EventKind.DEVICE))
    assert len(told(tmp_path)) == 2


async def test_rows_that_the_registry_remembers_and_no_file_has_are_told(tmp_path: Path) -> None:
    """Somebody deleted the newest file while no daemon ran."""
    await run_until(tmp_path, of_kind(EventKind.DEVICE))
    with closing(Reader(tmp_path)) as reader:
        end = reader.totals()
    deleted(journal_files(tmp_path)[-1], random.Random())
    await run_until(tmp_path, of_kind(EventKind.DAMAGE))
    (event,) = told(tmp_path)
    assert event.body["kept"] == ""
    assert event.body["first_seq"] == 1
    with closing(Reader(tmp_path)) as reader:
        assert min(row.seq for row in reader.read(0, 100)) > end.seq


async def test_a_file_that_is_deleted_while_it_is_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "REMEMBER_INTERVAL_S", 0.02)  # soon something to write again
    await run_until(tmp_path, of_kind(EventKind.DAMAGE), lambda path: deleted(path, random.Random()))
    (event,) = told(tmp_path)
    assert "taken away" in str(event.body["cause"])


async def test_a_copy_under_the_name_of_a_day_to_come_is_soon_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers take it for the newest: sinks would wait at its end."""
    monkeypatch.setattr(gateway, "REMEMBER_INTERVAL_S", 0.02)
    monkeypatch.setattr(damage, "COPY_INTERVAL_S", 0.02)
    monkeypatch.setattr(damage, "FIRST_LOOK_S", 1e9)

    def copied(path: Path) -> None:
        with closing(sqlite3.connect(path)) as here, closing(sqlite3.connect(path.with_name("2999-01-01.db"))) as there:
            here.backup(there)

    await run_until(tmp_path, of_kind(EventKind.DAMAGE), copied)
    (event,) = told(tmp_path)
    assert (event.body["file"], event.body["samples"]) == ("2999-01-01.db", 0)
    assert prove(tmp_path).sound


async def test_what_is_gone_from_the_middle_is_looked_for_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "FIRST_LOOK_S", 0.0)
    await run_until(tmp_path, of_kind(EventKind.DEVICE))
    (first,) = journal_files(tmp_path)
    first.rename(first.with_name("2020-01-01.db"))  # an older day
    await run_until(tmp_path, of_kind(EventKind.DEVICE))
    second = journal_files(tmp_path)[-1]
    second.rename(second.with_name("2021-01-01.db"))
    await run_until(tmp_path, of_kind(EventKind.DEVICE))
    assert told(tmp_path) == []
    os.truncate(tmp_path / "journal" / "2021-01-01.db", 100)
    await run_until(tmp_path, of_kind(EventKind.DAMAGE))
    (event,) = told(tmp_path)
    assert event.body["file"] == "2021-01-01.db"


async def test_an_oldest_file_that_somebody_deleted_is_told_at_the_start(tmp_path: Path) -> None:
    await run_until(tmp_path, of_kind(EventKind.DEVICE))
    (first,) = journal_files(tmp_path)
    first.rename(first.with_name("2020-01-01.db"))  # an older day
    await run_until(tmp_path, of_kind(EventKind.DEVICE))
    deleted(tmp_path / "journal" / "2020-01-01.db", random.Random())
    await run_until(tmp_path, of_kind(EventKind.DAMAGE))
    (event,) = told(tmp_path)
    assert (event.body["kept"], event.body["first_seq"]) == ("", 1)
    assert "not removed by keep_days" in str(event.body["cause"])
