"""`archive` as it is typed, beside a daemon that runs: its gmp days go when they are archived, and are read elsewhere."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.app import Daemon
from collector.keeping import room, upkeep
from collector.store.daily import DailyFile
from collector.terms import Event, EventKind
from config.model import Plant
from tests.unit.archive.archived import days_of, record, values

OLD = ["2024-11-22", "2024-11-23", "2024-11-24", "2024-11-25"]
TAGS = {"TT-1": {"address": "input:0", "type": "float32", "role": "temperature"}}
PLANT = {
    "site": "works",
    "endpoints": {"absent": {"url": "modbus://127.0.0.1:1", "devices": {"D-1": {"unit": "R-201", "tags": TAGS}}}},
    "units": {"R-201": {"mode": "gmp"}},
    "sinks": {},
    "web": None,
    "disk": {"keep_days": 1, "reserve_mb": 0},
}


async def reactorwatch(*arguments: str | Path) -> tuple[int, str, str]:
    """Run a command to its end, while the loop goes on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "collector", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"COLUMNS": "200"},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def hot(path: Path) -> int:
    with closing(DailyFile.open(path)) as file:
        return int(file.connection.execute("SELECT count(*) FROM scans").fetchone()[0])


async def until(holds: Callable[[], bool]) -> None:
    """Asked in a thread, so that the loop goes on."""

    def wait() -> None:
        while not holds():
            time.sleep(0.02)

    await asyncio.to_thread(wait)


async def test_gmp_days_of_a_running_daemon_are_archived_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "FIRST_S", 0.0)
    monkeypatch.setattr(upkeep, "INTERVAL_S", 0.05)
    monkeypatch.setattr(upkeep, "ROUNDS_PER_LOOK", 1)
    monkeypatch.setattr(room, "INTERVAL_S", 0.05)
    monkeypatch.setattr(room, "LOOKS_PER_KEEPING", 1)
    data, to = record(tmp_path / "data"), tmp_path / "archive"
    before, told = values(data), dict[str, Event]()
    stop, hurry, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def listen(what: object) -> None:
        if isinstance(what, Event) and what.kind is EventKind.RETENTION and what.body["state"] == "removed":
            told[str(what.body["file"])] = what
            if len(told) == len(OLD):
                gone.set()

    async with asyncio.timeout(60), Daemon(Plant.model_validate(PLANT), data) as daemon:
        daemon.live.listeners.append(listen)
        running = asyncio.create_task(daemon.run(stop, hurry))
        await until(lambda: daemon.room.state()["days_to_archive"] == len(OLD) and not hot(data / "journal" / f"{OLD[3]}.db"))
        code, out, err = await reactorwatch("archive", to, "--data", data, "--same-disk")
        assert (code, err) == (0, "")
        assert "2024-11-25: archived, rows 121 to 160, 40 samples, SHA-256 " in out
        assert out.endswith(f"4 days archived to {to}, read back and noted; 0 had been before\n")
        await gone.wait()
        stop.set()
        await running
    assert {event.body["archive"] for event in told.values()} == {str(to)}
    assert set(days_of(data)).isdisjoint(OLD)
    assert values(to) == before
    code, out, err = await reactorwatch("verify", "--data", data)
    assert (code, out.endswith("sound\n")) == (0, True), out + err
