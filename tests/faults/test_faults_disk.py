"""A disk that is full, broken, read-only or stands still: told, survived, and everything is there afterwards.

Limits are judged meanwhile, at the moment: the disk is under the whole daemon, in whose loop the devices answer.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from collector.app import Outside
from collector.keeping import disk as disk_module
from collector.terms import EventKind
from tests.faults.disk import CHANGES, Before, Change, Disk, broken, full, read_only
from tests.faults.recorded import Recorded
from tests.faults.rows import Row
from tests.faults.scripted_plant import ScriptedPlant, plant_of, values_at
from tests.faults.watched_daemon import Watched, watched

PERIOD_S = 0.125
VERDICT_S, SHORT_VERDICT_S = 0.05, 0.3
"""From receipt to the published event, at the most; it is a millisecond where the machine does nothing else. In the short form
it does much else, and a verdict that waited for the disk would still be later."""


def stalling(seconds: float) -> Before:
    """From the first change on none returns for so long."""
    until_s: list[float] = []

    def before(change: Change) -> None:
        if change.act in CHANGES:
            now_s = time.monotonic()
            until_s.append(until_s[0] if until_s else now_s + seconds)
            time.sleep(max(0.0, until_s[0] - now_s))

    return before


def limited_plant(crossing_ns: int) -> object:
    """R-0 leaves PAR at `crossing_ns`; values rise by 1 a millisecond."""
    level = float(values_at(crossing_ns, 1)[0])
    return [{"role": "T0", "unit": "R-0", "par": [None, level]}]


async def through(row: Row, data: Path, fault: Before, lasts_s: float, state: str) -> None:
    """One trial: the fault comes while the daemon runs, a limit is crossed meanwhile, the fault goes."""
    disk = Disk()
    begin_s = time.monotonic()
    plant = plant_of(4, 20, PERIOD_S, limits=limited_plant(time.time_ns() + round((1.6 + lasts_s / 2) * 1e9)))
    async with watched(plant, data, Outside(driver=ScriptedPlant().connect, file=disk.connect())) as seen:
        await seen.until(lambda: seen.daemon.live.counters.committed)
        disk.before = fault
        await seen.until(lambda: seen.states(EventKind.DISK) == [state])
        assert seen.daemon.picture().gateway.disk_fault
        await _judged_on_time(seen, row)
        if state == "refuses":
            assert seen.in_journal() == seen.daemon.live.counters.committed, "what is told to be in the journal is there"
            await asyncio.sleep(max(0.0, 1.6 + lasts_s - (time.monotonic() - begin_s))) if lasts_s > 1 else None
        disk.before = lambda _: None
        await seen.until(lambda: seen.states(EventKind.DISK) == [state, "takes"])
        assert not seen.daemon.picture().gateway.disk_fault
    _check(row, data, seen, state)


async def _judged_on_time(seen: Watched, row: Row) -> None:
    committed = seen.daemon.live.counters.committed
    await seen.until(lambda: seen.verdict_s)
    assert seen.daemon.live.counters.committed == committed, "the limit was crossed after the fault had gone: no test"
    row.worst(verdict_ms=max(seen.verdict_s) * 1e3)
    assert max(seen.verdict_s) < (VERDICT_S if row.long else SHORT_VERDICT_S)


def _check(row: Row, data: Path, seen: Watched, state: str) -> None:
    recorded = Recorded(data)
    recorded.walk()
    recorded.assert_ledger()
    assert seen.ledger
    assert seen.ledger.read == recorded.samples
    assert [event.body["state"] for event in recorded.events if event.kind is EventKind.DISK] == [state, "takes"]
    missing = sum((slots[-1] - slots[0]) // recorded.period_ns + 1 - len(slots) for slots in recorded.slots.values()) - sum(
        int(str(gap.body["slots"])) for gap in recorded.gaps if gap.body.get("cause_class") == "overload"
    )
    row.count(samples=recorded.samples, lost=max(0, missing), doubled=recorded.doubled)
    assert (row.lost, row.doubled, recorded.silent()) == (0, 0, 0)


@pytest.mark.faults(
    "disk full, I/O errors, read-only disk (in turn)",
    must="alarm, no crash, no lie in the ledger, limits judged on time, recovery without restart",
    short=3,
    long=30,
)
async def test_a_disk_that_refuses(row: Row, tmp_path: Path) -> None:
    for trial in row.trials():
        fault = (full, broken, read_only)[trial % 3]
        await through(row, tmp_path / str(trial), fault, row.chance(trial).uniform(1, 5) if row.long else 0.4, "refuses")


@pytest.mark.faults(
    "disk that stalls 3 s",
    must="alarm, limits judged on time while the commit hangs, nothing lost",
    short=1,
    long=10,
)
async def test_a_disk_that_stalls(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stall_s = 3.0 if row.long else 1.5
    if not row.long:
        monkeypatch.setattr(disk_module, "STALL_S", 0.3)
    for trial in row.trials():
        await through(row, tmp_path / str(trial), stalling(stall_s), stall_s, "stalls")
