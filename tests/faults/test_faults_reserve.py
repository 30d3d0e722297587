"""A disk that somebody else fills, with a reserve on it: the daemon goes on, and says so. A real, small file system."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.app import Daemon
from collector.keeping import room
from collector.store.cursors import Cursor
from collector.store.reader import Reader
from collector.terms import Event, EventKind
from config.model import Plant
from tests.faults.rows import Row

DISK_MB, RESERVE_MB = 24, 4.0
DEADLINE_S = 60.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        missing = "a small file system can't be mounted: run this as root"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def plant() -> Plant:
    device = {"unit": "R-1", "tags": {"TT-1": {"address": "input:0", "type": "float32"}}}
    return Plant.model_validate(
        {
            "site": "disk",
            "endpoints": {"absent": {"url": "modbus://127.0.0.1:9", "devices": {"PLC": device}}},
            "units": {"R-1": None},
            "web": None,
            "disk": {"reserve_mb": RESERVE_MB},
        }
    )


def fill(disk: Path) -> None:
    """To the last byte."""
    with (disk / "ballast").open("ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(1 << 16))
        except OSError:
            pass


@pytest.mark.faults(
    "the disk filled by somebody else, with a reserve on it",
    must="told; events and acknowledgements go on with the reserve; made anew when room returns; no event lost",
    short=1,
    long=10,
)
async def test_reserve(row: Row, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "INTERVAL_S", 0.05)
    for trial in row.trials():
        await _trial(row, small_disk, small_disk / f"data {trial}")


async def _trial(row: Row, disk: Path, data: Path) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    number = 0

    def listen(what: object) -> None:
        if isinstance(what, Event) and what.kind in (EventKind.ROOM, EventKind.DISK):
            told.put_nowait(str(what.body["state"]))

    async def heard(wanted: str) -> None:
        while await told.get() != wanted:
            pass

    async with asyncio.timeout(DEADLINE_S), Daemon(plant(), data) as daemon:
        daemon.live.listeners.append(listen)
        running = asyncio.create_task(daemon.run(stop, stop))
        while not (data / "reserve").exists():  # noqa: ASYNC110  of a file system
            await asyncio.sleep(0.02)
        await asyncio.to_thread(fill, disk)
        while not told.qsize():
            number += 1
            daemon.recorder.tell(Event(EventKind.BATCH, number, "R-1", body={"what": "x" * 20_000, "number": number}))
            await asyncio.sleep(0.02)
        await heard("reserve given back")
        assert not (data / "reserve").exists()
        await asyncio.to_thread(daemon.registry.acknowledge, "sink", Cursor(1, 1, 0))
        assert await daemon.recorder.commit(), "what waited is on the disk, with the reserve's room"
        (disk / "ballast").unlink()
        await heard("reserve made")
        stop.set()
        await running
    with_number = _numbers(data)
    row.count(events=number)
    row.lost += number - len(with_number)
    assert with_number == list(range(1, number + 1))
    shutil.rmtree(data)


def _numbers(data: Path) -> list[object]:
    reader = Reader(data)
    try:
        events = [each.event for each in reader.events_between(0, 2**62)]
    finally:
        reader.close()
    return [event.body["number"] for event in events if "number" in event.body]
