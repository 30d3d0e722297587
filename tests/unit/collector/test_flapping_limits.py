"""Devices of many limits that come and go: a few events, and what is outside stays outside."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np

from collector.acquire.clock import PlantClock
from collector.batch.context import ContextTracker
from collector.recorder import Recorder
from collector.show.live import Live
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.terms import Event, EventKind
from config.model import Plant
from drivers.base import Layout, Scan, Status
from tests.fakes import endpoint_of
from tests.journal_rows import SECOND_NS, SLOT_NS, column, scan

DEVICES, ROLES, SECONDS = 20, 250, 8
UNITS = [f"R-{n:02}" for n in range(DEVICES)]
PLANT = Plant.model_validate(
    {
        "site": "Basel",
        "endpoints": (endpoint_of({"plc": {"main": 1.0}}),),
        "units": {unit: {} for unit in ("R-201", *UNITS)},
        "limits": [
            row
            for n in range(ROLES)
            for row in ({"role": f"t{n}", "par": [0, 10]}, {"role": f"t{n}", "statistic": "mean", "window_s": 2, "nor": [1, 9]})
        ],
    }
)
GROUPS = [Layout("plc", unit, "main", SECOND_NS, tuple(column(f"t{n}", unit=unit) for n in range(ROLES))) for unit in UNITS]
"""10,000 limits, half of them on raw values."""


def scans(slot: int) -> list[Scan]:
    """Every device is lost in two of three seconds, not all at once; its first tag is outside whenever it is seen."""
    at, values = SLOT_NS + slot * SECOND_NS, np.full(ROLES, 5.0)
    values[0] = 11.0
    return [
        scan(group, values.tolist(), at) if slot < 3 or (slot + n) % 3 == 0 else Scan.of_lost(group, at, at, Status.BAD_TIMEOUT)
        for n, group in enumerate(GROUPS)
    ]


def test_what_flaps_is_told_per_device_and_changes_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    live, clock = Live(), PlantClock(wall_ns=lambda: SLOT_NS, monotonic_ns=lambda: 0)
    with closing(Journal(tmp_path)) as journal:
        recorder = Recorder(PLANT, journal, ContextTracker(PLANT), live, clock, lambda: None)
        for slot in range(SECONDS):
            for each in scans(slot):
                recorder.take(each)
        outside, unacknowledged = sum(len(judge.active) for judge in recorder.judges.values()), len(list(recorder.alarms.now))
        assert asyncio.run(recorder.commit())
    with closing(Reader(tmp_path)) as reader:
        told = [row.event for row in reader.events_between(0, 1 << 62)]
    evaluability = [event for event in told if event.kind is EventKind.EVALUABILITY]
    per_second = Counter(event.slot_ns for event in evaluability)
    assert 0 < max(per_second.values()) <= 2 * DEVICES
    lost = [event for event in evaluability if event.body["status"] is not None]
    assert sum(int(str(event.body["limits"])) for event in lost) == len(lost) * ROLES > 1000
    assert max(map(size, lost)) < 300, "a lost scan names no roles"
    rules = [event for event in told if event.kind is EventKind.TRANSITION]
    assert len(rules) == outside == unacknowledged == 2 * DEVICES, "PAR of the value, NOR of its mean: once each"
    assert len([event for event in told if event.kind is EventKind.EXCURSION]) == DEVICES


def size(event: Event) -> int:
    return len(json.dumps(event.body))
