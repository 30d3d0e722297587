"""Several units behind one connection, the whole daemon: one that is silent costs the others one timeout a backoff, not more."""

from __future__ import annotations

import re
import time
from math import ceil
from pathlib import Path

import pytest

from tests.wire.account import Account, accounts, silent_ends
from tests.wire.collecting import collecting
from tests.wire.devices import devices
from tests.wire.lateness import lateness
from tests.wire.lines import Line, Pace, plant

PACE = Pace(period_s=0.2, timeout_s=0.3, backoff_s=1.2)
SHORTEST_BACKOFF_S = 0.8 * PACE.backoff_s
LINES = [Line("tcp", "modbus", units=3), Line("rtu", "rtu", units=3)]
SLOTS_PER_TIMEOUT = ceil(PACE.timeout_s / PACE.period_s) + 1


def lost_to_the_unit(account: Account) -> int:
    """Slots of a neighbour that were not read while the silent unit was waited for."""
    gaps = [gap for gap in account.gaps if "unit 2" in gap.cause or re.match("waiting: .*-2/main", gap.cause)]
    return sum(round((gap.to_ns - gap.from_ns) / 1e9 / PACE.period_s) + 1 for gap in gaps)


@pytest.mark.timeout(400)
async def test_a_silent_unit_costs_the_others_one_timeout_a_backoff(tmp_path: Path) -> None:
    names = [device for line in LINES for device in line.devices]
    neighbours = [name for name in names if not name.endswith("-2")]
    silent = [name for name in names if name.endswith("-2")]
    async with devices() as served, lateness() as late:
        fields = [line.fields(PACE, await served.serve(line.fields(PACE))) for line in LINES]
        async with collecting(plant(fields), tmp_path) as watch:
            assert await watch.until(lambda: watch.have(names, 3), 60)
            begun = [await served.begin(line.name, "silent", target=f"{line.name}-2") for line in LINES]
            began_ns = time.time_ns()
            before = await served.ask("counts")
            assert await watch.until(lambda: watch.have(neighbours, 14, began_ns), 60), "the neighbours are read all the while"
            after = await served.ask("counts")
            silent_s = (time.time_ns() - began_ns) / 1e9
            for number in begun:
                await served.end(number)
            ended_ns = time.time_ns()
            assert await watch.until(lambda: watch.have(silent, 2, ended_ns), 60), "and it comes back"
    found = accounts(tmp_path)
    assert not [fault for account in found.values() for fault in account.faults()] + silent_ends(found)
    assert not [slot_ns for name in silent for slot_ns in found[name].good if began_ns < slot_ns < ended_ns - 1e9 * PACE.period_s]
    for line in LINES:
        asked = after[line.name]["asked"]["2"] - before[line.name]["asked"]["2"]
        assert 1 <= asked <= 2 + silent_s / SHORTEST_BACKOFF_S, "not asked more often than once a backoff"
        for name in (f"{line.name}-1", f"{line.name}-3"):
            # It was asked once more, at the most, before it was counted and once after; and a wait ends late on a late machine.
            most = (asked + 2) * SLOTS_PER_TIMEOUT + late.sum_s / PACE.period_s
            assert lost_to_the_unit(found[name]) <= most, name
