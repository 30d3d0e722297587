"""What must hold of everything an endpoint's task gave: the slots of good scans and the slots of gaps are a tiling.

    slot      0    1    2    3    4    5
    good      x    x                   x
    gap                 [---------]
    lost                L

No slot twice, none left out, none before the first or beyond the last whose time of reading had come.
"""

from __future__ import annotations

import numpy as np

from collector.acquire.pace import spread
from collector.terms import CauseClass, Event
from drivers.base import Quality, ScanGroup
from tests.fakes import Collected, answer

WITHOUT_A_READ = ("start: ", "overload: ", "clock: ", "stopped: ", "waiting: ", "connecting again")
"""Causes of gaps in which nothing was asked, so that nothing could be lost."""


def assert_tiled(collected: Collected, group: ScanGroup, started_ns: int, *, first: bool = False) -> list[int]:
    """Check one group's scans and gaps; returns its slots, ascending. `first`: the group tells the context."""
    slots = [scan.slot_ns for scan in collected.scans(group)]
    for gap in collected.gaps(group):
        slots += _slots_of(gap, group)
    if not slots:
        return []
    slots.sort()
    period_ns = group.layout.period_ns
    offset_ns = 0 if first else spread(group.name, period_ns)
    assert slots == list(range(slots[0], slots[-1] + 1, period_ns)), "a slot is there twice, or none knows of it"
    assert slots[0] % period_ns == 0
    assert slots[0] + offset_ns - period_ns <= started_ns < slots[0] + offset_ns, "the first slot is the next one after the start"
    _assert_in_order(collected, group)
    _assert_gaps_begin_with_a_lost_scan(collected, group)
    _assert_answers_are_their_slots(collected, group)
    return slots


def _slots_of(gap: Event, group: ScanGroup) -> list[int]:
    from_ns, to_ns, count = gap.body["from_ns"], gap.body["to_ns"], gap.body["slots"]
    assert isinstance(from_ns, int)
    assert isinstance(to_ns, int)
    slots = list(range(from_ns, to_ns + 1, group.layout.period_ns))
    assert slots[-1] == to_ns == gap.slot_ns
    assert len(slots) == count
    assert gap.body["cause"], "a gap says why"
    assert CauseClass(str(gap.body["cause_class"]))
    assert gap.body["endpoint"] == group.layout.endpoint
    return slots


def _assert_in_order(collected: Collected, group: ScanGroup) -> None:
    """Slots only go forward, and a gap is told before the scan that ended it."""
    ends = {id(each) for each in (*collected.scans(group), *collected.gaps(group))}
    slots = [entry.slot_ns for entry in collected.entries if id(entry) in ends]
    assert slots == sorted(slots)


def _assert_gaps_begin_with_a_lost_scan(collected: Collected, group: ScanGroup) -> None:
    lost = [scan.slot_ns for scan in collected.lost(group)]
    claimed = 0
    for gap in collected.gaps(group):
        covered = set(_slots_of(gap, group))
        inside = sum(slot_ns in covered for slot_ns in lost)
        assert inside == (0 if str(gap.body["cause"]).startswith(WITHOUT_A_READ) else 1), gap
        claimed += inside
    assert claimed == len(lost), "a lost scan that belongs to no gap"
    for scan in collected.lost(group):
        assert np.all(scan.quality == Quality.BAD)
        assert np.all(scan.status >> 31 == 1)
        assert np.isnan(scan.values).all()
        assert scan.samples == 0


def _assert_answers_are_their_slots(collected: Collected, group: ScanGroup) -> None:
    for scan in collected.scans(group):
        np.testing.assert_array_equal(scan.values, answer(group, scan.slot_ns, 0).values)
        assert np.all(scan.quality == Quality.GOOD)
