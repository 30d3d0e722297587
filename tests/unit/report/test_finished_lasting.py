"""Limits on what lasts longer than a window: through the daemon's recorder, over stops and kills, and again from the journal."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.acquire.clock import PlantClock
from collector.batch.context import ContextTracker
from collector.memory.figures import accumulated_before
from collector.monitor import minutes
from collector.monitor.alarms.alarm import Alarm
from collector.monitor.durations import PhaseDurations
from collector.recorder import Recorder
from collector.report.finished import FinishedRecord, replayed
from collector.show.live import Live
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.rows import EventRow
from collector.terms import Event, EventKind
from config.model import Plant
from config.tags import Kind
from drivers.base import Scan, Status
from tests.fakes import endpoint_of
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout, scan

LIMITS: list[dict[str, Any]] = [
    {"role": "temperature", "statistic": "time_outside", "within": "batch", "par": [60, 70], "allowed_outside_s": 4},
    {"role": "temperature", "statistic": "time_outside", "within": "phase", "nor": [62, 68], "allowed_outside_s": 3},
    {"role": "temperature", "statistic": "time_outside", "window_s": 6, "nor": [62, 68], "allowed_outside_s": 2},
    {
        **{"role": "temperature", "sp_role": "setpoint", "statistic": "time_outside", "within": "batch"},
        **{"par": [-5, 5], "allowed_outside_s": 3},
    },
    {"role": "temperature", "statistic": "ewma", "time_constant_s": 1, "spans_phases": True, "nor": [62, 68]},
    {"role": "temperature", "statistic": "cusum_high", "sp": 65, "slack": 1, "decision_interval": 14},
    {"role": "temperature", "sp_role": "setpoint", "statistic": "cusum_low", "slack": 0.5, "decision_interval": 1.5},
    {
        **{"name": "lead", "expression": "temperature - setpoint", "statistic": "time_outside", "within": "phase"},
        **{"nor": [-2, 2], "allowed_outside_s": 2},
    },
    {"statistic": "duration", "par": [2, 4], "alarm": {"h": 3}},
    {"statistic": "duration", "phase": "Hold", "nor": [3, None]},
]
PLANT = Plant.model_validate(
    {"site": "Basel", "endpoints": (endpoint_of({"plc": {"main": 1.0}}),), "units": {"R-201": {}}, "limits": LIMITS}
)
REACTOR = layout(column("temperature"), column("batch_id", Kind.TEXT), column("phase", Kind.TEXT))
SETPOINTS = layout(column("setpoint"), group="setpoints")

Sample = tuple[float | None, str, str]
"""Temperature, batch, phase; None is bad."""
TEMPERATURES = st.sampled_from([None, 65.0, 65.0, 69.0, 75.0, 75.0])
SAMPLES = st.tuples(TEMPERATURES, st.sampled_from(["B-1", "B-1", "B-2"]), st.sampled_from(["Dose", "Hold"]))
RUNS = st.lists(st.tuples(st.lists(SAMPLES, max_size=12), st.booleans()), min_size=1, max_size=4)
"""What was read, and whether the daemon was killed in the end."""


class Clock(PlantClock):
    """Stands at the end of a run."""

    def __init__(self, now_ns: int) -> None:
        super().__init__(wall_ns=lambda: now_ns, monotonic_ns=lambda: 0)


def scans(slot: int, sample: Sample) -> list[Scan]:
    temperature, batch, phase = sample
    at, status = SLOT_NS + slot * SECOND_NS, Status.BAD_NO_DATA if temperature is None else 0
    main = scan(REACTOR, [temperature or 0.0, batch, phase], at, status=[status, 0, 0])
    return [main, scan(SETPOINTS, [66.0], at)] if slot % 3 == 0 else [main]


def recorded(data: Path, runs: Sequence[tuple[list[Sample], bool]]) -> None:
    """By the daemon's recorder, each run going on with what the journal tells of the one before."""
    (data / "journal").mkdir(parents=True)
    slot, context, alarms = 0, ContextTracker(PLANT), list[Alarm]()
    for run, killed in runs:
        with closing(Reader(data)) as reader:
            accumulated = accumulated_before(reader, PLANT.limits)
        journal, now_ns = Journal(data), SLOT_NS + slot * SECOND_NS
        clock = Clock(now_ns + len(run) * SECOND_NS)
        recorder = Recorder(PLANT, journal, context, Live(), clock, lambda: None, alarms, accumulated)
        recorder.tell(Event(EventKind.DAEMON, now_ns, body={"state": "started"}))
        for sample in run:
            for each in scans(slot, sample):
                recorder.take(each)
            slot += 1
        if killed:
            assert asyncio.run(recorder.commit())
            recorder.judges.clear()
            recorder.durations = PhaseDurations(())
        else:
            recorder.tell(Event(EventKind.DAEMON, SLOT_NS + slot * SECOND_NS, body={"state": "stopped"}))
        assert asyncio.run(recorder.close())
        alarms = list(recorder.alarms.now.values())
        journal.close()
        slot += 5


def transitions(events: Sequence[Event]) -> list[str]:
    """Slot by slot in any order, as `by_slot` of the other records."""
    found = [event for event in events if event.kind in (EventKind.TRANSITION, EventKind.EVALUABILITY)]
    return sorted(f"{event.slot_ns} {event.unit} {event.stamp} {dict(event.body)}" for event in found)


def both(data: Path) -> tuple[list[Event], list[Event]]:
    """What the daemon told, and what the journal tells."""
    with closing(Reader(data)) as reader:
        record = FinishedRecord(PLANT.limits)
        offline = [event for _, events in replayed(reader, record, 0, 1 << 62) for event in events]
        rows, after = [], 0
        while got := reader.read(after, 1000):
            rows += got
            after = got[-1].seq
    return [row.event for row in rows if isinstance(row, EventRow)], offline


@settings(max_examples=12, deadline=None)
@given(RUNS, st.sampled_from([3 * SECOND_NS, 60 * SECOND_NS]))
def test_a_replayed_journal_gives_the_transitions_of_the_daemon(runs: list[tuple[list[Sample], bool]], told_each_ns: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(minutes, "STATISTICS_WINDOW_NS", told_each_ns)
        recorded(Path(folder), runs)
        daemon, offline = both(Path(folder))
    assert transitions(daemon) == transitions(offline)


@pytest.mark.parametrize("killed", [True, False])
def test_a_batch_goes_on_after_a_restart_as_if_there_had_been_none(tmp_path: Path, killed: bool) -> None:
    before: list[Sample] = [(65.0, "", ""), *[(75.0, "B-1", "Dose")] * 4]
    recorded(tmp_path, [(before, killed), ([(65.0, "B-1", "Dose"), (75.0, "B-1", "Dose"), (75.0, "B-1", "Dose")], True)])
    daemon, _ = both(tmp_path)
    told = {
        (event.body["statistic"], (event.slot_ns - SLOT_NS) // SECOND_NS, event.body["value"])
        for event in daemon
        if event.kind is EventKind.TRANSITION and event.body["to"] == "outside"
    }
    # 3 s before it ended, at most three periods up to the first good sample behind the gap
    assert ("time outside PAR in batch", 10, 6.0) in told
    assert ("time outside NOR in phase", 10, 6.0) in told
    alarms = [event.body["happening"] for event in daemon if event.kind is EventKind.ALARM and event.body["rule"] == "PAR time"]
    assert "occurs" in alarms
    assert {event.body["role"] for event in daemon if event.kind is EventKind.ALARM} >= {"temperature", "lead"}


def test_a_phase_that_runs_too_long_over_a_restart_has_not_ended_in_it(tmp_path: Path) -> None:
    """Its limits are told of the role `phase`, which is a tag's, too: of that they are not."""
    long: list[Sample] = [(65.0, "B-1", "Dose")] * 8
    recorded(tmp_path, [(long, True), (long, True)])
    daemon, offline = both(tmp_path)
    for events in (daemon, offline):
        changes = [event.body for event in events if event.kind is EventKind.TRANSITION and event.body["statistic"] == "duration"]
        assert [(body["rule"], body["to"]) for body in changes] == [("H", "outside"), ("PAR high", "outside")] * 2
    alarms = [event.body for event in daemon if event.kind is EventKind.ALARM and event.body["statistic"] == "duration"]
    assert [(body["rule"], body["happening"]) for body in alarms] == [("H", "occurs"), ("PAR high", "occurs")]
