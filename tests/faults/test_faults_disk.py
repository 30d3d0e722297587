"""A disk that is full, broken, read-only or stands still: told, survived, and everything is there afterwards.

Limits are judged meanwhile, at the moment: the disk is under the whole daemon, in whose loop the devices answer.
"""

from __future__ import annotations

import asyncio
import threading
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
from tests.faults.watched_daemon import DEADLINE_S, Watched, watched

PERIOD_S = 0.125
VERDICT_S = 0.05
"""From receipt to the published event, at the most, in the long form; it is a millisecond where the machine does nothing else.
In the short form it does much else: there a verdict has to come while the disk is in trouble."""
LEADS_S = (2.4, 10.0, 40.0)
"""From the start until the limit is crossed, which must be when the trouble has been told: later on a busy machine."""


class Stall:
    """From the first change on none returns until it is over; begun, when that holds up a commit."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()

    def __call__(self, change: Change) -> None:
        if change.act in CHANGES:
            if change.path.parent.name == "journal":
                self.begun.set()
            self.over.wait(DEADLINE_S)


def limited_plant(crossing_ns: int) -> object:
    """R-0 leaves PAR at `crossing_ns`; values rise by 1 a millisecond."""
    level = float(values_at(crossing_ns, 1)[0])
    return [{"role": "T0", "unit": "R-0", "par": [None, level]}]


async def trial(row: Row, data: Path, fault: Before | None, holds_s: float) -> None:
    """No fault: the disk stalls. Again with more time until the limit is crossed, where a busy machine did not tell before."""
    for lead_s in LEADS_S:
        if await through(row, data / str(lead_s), fault or Stall(), holds_s, lead_s):
            return
    pytest.fail("the fault was not told before the limit was crossed")


async def through(row: Row, data: Path, fault: Before, holds_s: float, lead_s: float) -> bool:
    """The fault comes while the daemon runs, a limit is crossed meanwhile, the fault goes. False: it was crossed before."""
    disk = Disk()
    state = "stalls" if isinstance(fault, Stall) else "refuses"
    plant = plant_of(4, 20, PERIOD_S, limits=limited_plant(time.time_ns() + round(lead_s * 1e9)))
    async with watched(plant, data, Outside(driver=ScriptedPlant().connect, file=disk.connect())) as seen:
        await seen.until(lambda: seen.daemon.live.counters.committed)
        disk.before = fault
        try:
            await seen.until(lambda: seen.states(EventKind.DISK)[-1:] == [state] and _is_on(fault))
            if seen.verdict_s:
                return False
            await _judged_meanwhile(seen, row)
            await asyncio.sleep(holds_s)
        finally:
            disk.before = lambda _: None
            if isinstance(fault, Stall):
                fault.over.set()
        await seen.until(lambda: seen.states(EventKind.DISK)[-1:] == ["takes"])
        assert not seen.daemon.picture().gateway.disk_fault
    _check(row, data, seen, state)
    return True


def _is_on(fault: Before) -> bool:
    return not isinstance(fault, Stall) or fault.begun.is_set()


async def _judged_meanwhile(seen: Watched, row: Row) -> None:
    assert seen.daemon.picture().gateway.disk_fault
    committed = seen.daemon.live.counters.committed
    await seen.until(lambda: seen.verdict_s)
    assert seen.daemon.live.counters.committed == committed, "nothing is committed while the disk is in trouble"
    row.worst(verdict_ms=max(seen.verdict_s) * 1e3)
    assert max(seen.verdict_s) < VERDICT_S or not row.long
    if seen.states(EventKind.DISK)[-1] == "refuses":
        assert seen.in_journal() == committed, "what is told to be in the journal is there"


def _check(row: Row, data: Path, seen: Watched, state: str) -> None:
    recorded = Recorded(data)
    recorded.walk()
    recorded.assert_ledger()
    assert seen.ledger
    assert seen.ledger.read == recorded.samples
    states = recorded.disk_states(state)
    assert states == [state, "takes"] * (len(states) // 2 if state == "stalls" else 1) != []
    missing = sum((slots[-1] - slots[0]) // recorded.period_ns + 1 - len(slots) for slots in recorded.slots.values()) - sum(
        int(str(gap.body["slots"])) for gap in recorded.gaps_of_the_machine()
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
    for number in row.trials():
        fault = (full, broken, read_only)[number % 3]
        await trial(row, tmp_path / str(number), fault, row.chance(number).uniform(0, 4) if row.long else 0.0)


@pytest.mark.faults(
    "disk that stalls 3 s",
    must="alarm, limits judged on time while the commit hangs, nothing lost",
    short=1,
    long=10,
)
async def test_a_disk_that_stalls(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not row.long:
        monkeypatch.setattr(disk_module, "STALL_S", 0.3)
    for number in row.trials():
        await trial(row, tmp_path / str(number), None, 3.0 if row.long else 0.0)
