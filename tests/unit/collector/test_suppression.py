"""Alarms suppressed by design, through the recorder of a plant whose condition and value come from two devices."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.acquire.clock import PlantClock
from collector.batch.context import ContextTracker
from collector.monitor.alarms.alarm import Alarm, AlarmKey
from collector.monitor.alarms.states import State
from collector.recorder import Recorder
from collector.show.live import Live
from collector.store.journal import Journal
from collector.terms import Event, EventKind, Stamp
from config.model import Plant
from drivers.base import Scan, Status, scan_groups
from tests.journal_rows import SECOND_NS, SLOT_NS, scan

TAGS = {"T": {"address": "s=1", "role": "temperature"}, "PH": {"address": "s=2", "role": "phase", "kind": "text"}}
LIMITS: list[dict[str, object]] = [
    {"role": "temperature", "par": [None, 70], "suppressed_when": "speed < 5"},
    {"role": "temperature", "phase": "Hold", "par": [None, 70]},
    {"role": "temperature", "phase": "Dose", "par": [None, 70], "suppressed_when": "speed > 50"},
]


def plant_of(limits: Sequence[dict[str, object]]) -> Plant:
    devices = {
        "plc": {"unit": "R-201", "groups": {"main": {"period_s": 1}}, "tags": TAGS},
        "drive": {"unit": "R-201", "groups": {"main": {"period_s": 1}}, "tags": {"S": {"address": "s=3", "role": "speed"}}},
    }
    endpoints = {"controller": {"url": "opc.tcp://h", "devices": devices}}
    return Plant.model_validate({"site": "Basel", "endpoints": endpoints, "units": {"R-201": None}, "limits": limits})


PLANT = plant_of(LIMITS)
REACTOR, DRIVE = (group.layout for endpoint in PLANT.endpoints for group in scan_groups(endpoint))
PAR = AlarmKey("R-201", "temperature", "value", None, "PAR high")


@dataclass
class Run:
    """A daemon's recorder, and what it told."""

    data: Path
    plant: Plant = PLANT
    alarms: list[Alarm] = field(default_factory=list)
    known: Stamp | None = None
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.data / "journal").mkdir(parents=True, exist_ok=True)
        self.journal, live = Journal(self.data), Live()
        live.listeners.append(lambda what: self.told.append(what) if isinstance(what, Event) else None)
        clock = PlantClock(wall_ns=lambda: SLOT_NS, monotonic_ns=lambda: 0)
        context = ContextTracker(self.plant, {"R-201": self.known} if self.known else None)
        self.context = context
        self.recorder = Recorder(self.plant, self.journal, context, live, clock, lambda: None, self.alarms)
        self.recorder.retire_alarms()

    def take(self, *scans: Scan) -> Run:
        for each in scans:
            self.recorder.take(each)
        return self

    @property
    def state(self) -> State:
        alarm = self.recorder.alarms.now.get(PAR)
        return alarm.state if alarm else State.A

    @property
    def stamp(self) -> Stamp:
        return self.context.stamps["R-201"]

    def close(self) -> list[Alarm]:
        """Killed: nothing ends."""
        known = list(self.recorder.alarms.now.values())
        assert asyncio.run(self.recorder.close())
        self.journal.close()
        return known


def reactor(at: int, temperature: float | None, phase: str) -> Scan:
    status = [Status.BAD_NO_DATA if temperature is None else 0, 0]
    return scan(REACTOR, [temperature or 0.0, phase], SLOT_NS + at * SECOND_NS, status=status)


def drive(at: int, speed: float | None) -> Scan:
    slot_ns = SLOT_NS + at * SECOND_NS
    return Scan.of_lost(DRIVE, slot_ns, slot_ns, Status.BAD_TIMEOUT) if speed is None else scan(DRIVE, [speed], slot_ns)


Step = tuple[float | None, str, float | None]
TEMPERATURES, SPEEDS = st.sampled_from([60.0, 80.0, None]), st.sampled_from([0.0, 20.0, 90.0, None])
STEPS = st.lists(st.tuples(TEMPERATURES, st.sampled_from(["Heat", "Dose", "Hold"]), SPEEDS), min_size=1, max_size=25)


def suppressed(phase: str, speed: float | None) -> bool:
    """By what the rows say; what is not known suppresses nothing."""
    return speed is not None and {"Heat": speed < 5, "Dose": speed > 50, "Hold": False}[phase]


@settings(max_examples=15, deadline=None)
@given(STEPS, st.sets(st.integers(1, 24), max_size=3))
def test_an_alarm_is_suppressed_while_the_condition_of_its_row_is_known_to_hold(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], kills: set[int]
) -> None:
    run, outside = Run(tmp_path_factory.mktemp("data")), False
    for at, (temperature, phase, speed) in enumerate(steps):
        if at in kills:
            run = Run(run.data, alarms=run.close(), known=run.stamp)
        run.take(drive(at, speed), reactor(at, temperature, phase))
        outside = outside if temperature is None else temperature > 70
        calm = {State.B} if outside else {State.A, State.D}
        assert run.state in ({State.H} if suppressed(phase, speed) else calm)
        alarm = run.recorder.alarms.now.get(PAR)
        assert (alarm is not None and alarm.outside) is outside, "the condition underneath is followed"
    run.close()


def test_what_is_suppressed_calls_when_that_is_over_and_excursions_know_nothing_of_it(tmp_path: Path) -> None:
    plain = [{key: value for key, value in row.items() if key != "suppressed_when"} for row in LIMITS]
    course = [
        (drive(at, 0.0 if at < 5 else 20.0), reactor(at, 80.0 if at in (2, 3, 4, 5, 6) else 60.0, "Heat")) for at in range(9)
    ]
    runs = [Run(tmp_path / name, plant_of(limits)) for name, limits in (("with", LIMITS), ("without", plain))]
    for run in runs:
        run.take(*(each for scans in course for each in scans))
        run.close()
    process = [
        [
            (event.kind, event.slot_ns, [value for key, value in event.body.items() if key != "limits_hash"])
            for event in run.told
            if event.kind in (EventKind.TRANSITION, EventKind.EXCURSION, EventKind.EVALUABILITY)
        ]
        for run in runs
    ]
    assert process[0] == process[1] != []
    happened = [
        ((event.slot_ns - SLOT_NS) // SECOND_NS, event.body["happening"], event.body["to"], event.body["reason"])
        for event in runs[0].told
        if event.kind is EventKind.ALARM
    ]
    assert happened == [
        (0, "suppressed", State.H, "speed < 5"),
        (2, "occurs", State.H, "speed < 5"),
        (5, "suppression over", State.B, ""),
        (7, "returns", State.D, ""),
    ]


def test_a_start_changes_nothing_until_the_condition_was_looked_at(tmp_path: Path) -> None:
    run = Run(tmp_path).take(drive(0, 0.0), reactor(0, 80.0, "Heat"))
    again = Run(tmp_path, alarms=run.close(), known=run.stamp)
    again.take(reactor(5, 80.0, "Heat"))
    assert (again.state, [event for event in again.told if event.kind is EventKind.ALARM]) == (State.H, [])
    again.take(drive(5, 20.0))
    assert again.state is State.B
    again.close()


def test_a_start_without_the_setting_suppresses_no_more(tmp_path: Path) -> None:
    run = Run(tmp_path).take(drive(0, 0.0), reactor(0, 80.0, "Heat"))
    again = Run(tmp_path, plant_of([{"role": "temperature", "par": [None, 70]}]), run.close())
    assert again.state is State.B
    again.close()


def test_whether_a_drive_runs_may_be_a_boolean(tmp_path: Path) -> None:
    running = {"S": {"address": "s=3", "role": "running", "kind": "boolean"}}
    limits = [
        {"role": "temperature", "par": [None, 70], "suppressed_when": "running == 0"},
        {"name": "driven", "expression": "running == 1 or temperature < 70"},
    ]
    groups = {"main": {"period_s": 1}}
    plc = {"unit": "R-201", "groups": groups, "tags": TAGS | running}
    endpoints = {"controller": {"url": "opc.tcp://h", "devices": {"plc": plc}}}
    plant = Plant.model_validate({"site": "Basel", "endpoints": endpoints, "units": {"R-201": None}, "limits": limits})
    (group,) = scan_groups(plant.endpoints[0])
    run = Run(tmp_path, plant)
    driven = AlarmKey("R-201", "driven", "value", None, "condition")
    states = []
    for at, runs in enumerate((True, False, True)):
        run.take(scan(group.layout, [80.0, "Heat", runs], SLOT_NS + at * SECOND_NS))
        states.append((run.state, run.recorder.alarms.now[driven].state if driven in run.recorder.alarms.now else State.A))
    assert states == [(State.B, State.A), (State.H, State.B), (State.B, State.D)]
    run.close()
