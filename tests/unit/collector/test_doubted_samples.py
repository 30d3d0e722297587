"""A doubted sample on its way through the daemon: recorded as it came, uncertain for its reason, not judged, never silent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from collector.batch.context import ContextTracker
from collector.memory.alarms import AlarmMemory
from collector.monitor.alarms.alarm import AlarmKey
from collector.monitor.alarms.states import State
from collector.recorder import Recorder
from collector.report.export import HEADER, samples
from collector.show.live import Live
from collector.show.painter import Painter
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.rows import EventRow, Row, ScanRow
from collector.terms import Event, EventKind
from collector.uplink.lines import Encoder
from config.model import Plant
from drivers.base import Scan, quality_of, scan_groups

START_NS = 1_795_421_700_000_000_000
SECOND_NS = 1_000_000_000
TAGS = {
    "TT-A": {
        "address": "i=1",
        "role": "t",
        "engineering_unit": "°C",
        "range": [-30, 200],
        "plausible": {"spike": 20, "flat_s": 4},
    },
    "PT": {"address": "i=2", "role": "p", "range": [0, 8]},
    "TT-B": {"address": "i=3", "role": "b", "plausible": {"rate_per_min": 60}},
}
LIMITS = [
    {"role": "t", "par": [60, 70], "alarm": {"hh": 75}, "cpp": True},
    {"role": "b", "par": [0, 70], "alarm": {"hh": 75}},
    {"role": "t", "statistic": "mean", "window_s": 3, "nor": [None, 68]},
]
PLANT = Plant.model_validate(
    {
        "site": "basel",
        "units": {"R-1": {}},
        "endpoints": {"plc": {"url": "opc.tcp://h", "devices": {"plc-1": {"unit": "R-1", "tags": TAGS}}}},
        "limits": LIMITS,
    }
)
LAYOUT = scan_groups(PLANT.endpoints[0])[0].layout


class Clock:
    time_ns = START_NS

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_ns(self) -> int:
        return self.time_ns


@dataclass
class Run:
    """One run of the daemon's recorder on a data folder."""

    recorder: Recorder
    painter: Painter
    clock: Clock
    published: list[Event] = field(default_factory=list)

    def take(self, t: float, p: float = 1.0, b: float = 20.0) -> None:
        """A second passes, and a scan comes."""
        self.clock.time_ns += SECOND_NS
        codes = np.zeros(3, np.uint32)
        self.recorder.take(Scan(LAYOUT, self.clock.time_ns, self.clock.time_ns, np.array([t, p, b]), codes, quality_of(codes)))

    def transitions(self) -> list[tuple[str, str]]:
        told = [event.body for event in self.published if event.kind is EventKind.TRANSITION]
        return [(str(body["rule"]), str(body["to"])) for body in told]


@contextmanager
def running(data: Path, clock: Clock) -> Iterator[Run]:
    """Closed as the daemon is, after what it tells of its stop."""
    (data / "journal").mkdir(parents=True, exist_ok=True)
    live = Live()
    with closing(Registry(data)) as registry, closing(Journal(data)) as journal:
        with closing(Reader(data)) as reader:
            memory = AlarmMemory(reader, registry)
            memory.catch_up(journal.totals.seq)
        recorder = Recorder(PLANT, journal, ContextTracker(PLANT), live, clock, lambda: None, memory.alarms())
        painter = Painter(
            PLANT, live, recorder.judges, {}, tuple, clock, disk_fault=lambda: "", alarms=recorder.alarms.now.values
        )
        run = Run(recorder, painter, clock)
        live.listeners.append(lambda what: run.published.append(what) if isinstance(what, Event) else None)
        recorder.tell(Event(EventKind.DAEMON, clock.now_ns(), body={"state": "started"}))
        recorder.retire_alarms()
        yield run
        recorder.tell(Event(EventKind.DAEMON, clock.now_ns(), body={"state": "stopped"}))
        assert asyncio.run(recorder.close())


def rows(data: Path) -> list[Row]:
    with closing(Reader(data)) as reader:
        return reader.read(0, 1000)


def recorded(data: Path) -> list[tuple[float, int, int]]:
    """Value, quality and status of each sample of TT-A on the disk."""
    scans = [row.scan for row in rows(data) if isinstance(row, ScanRow)]
    return [(float(scan.values[0]), int(scan.quality[0]), int(scan.status[0])) for scan in scans]


def play(run: Run, values: Sequence[float]) -> None:
    for value in values:
        run.take(value)


def test_it_is_recorded_as_it_came_with_its_reason_everywhere(tmp_path: Path) -> None:
    with running(tmp_path, Clock()) as run:
        play(run, [65.0, 250.0, 65.5])
        (unit,) = run.painter.paint().units
        assert unit.tags[0].quality == "good"
        run.take(250.0)
        (unit,) = run.painter.paint().units
        shown = unit.tags[0]
        assert (shown.value, shown.quality, shown.status) == (250.0, "uncertain", "implausible range")
        assert {limit.state for limit in shown.limits} == {"not evaluable"}
    code = 0x4094_0600
    assert recorded(tmp_path) == [(65.0, 0, 0), (250.0, 1, code), (65.5, 0, 0), (250.0, 1, code)]
    scans = [row for row in rows(tmp_path) if isinstance(row, ScanRow)]
    exported = [dict(zip(HEADER, next(samples(row)), strict=True)) for row in scans]
    assert [(each["value"], each["quality"], each["status"]) for each in exported[:2]] == [
        ("65.0", "good", "0x00000000"),
        ("250.0", "uncertain", "0x40940600"),
    ]
    lines = [line.data.decode() for each in Encoder("basel").encode(scans) for line in each.lines]
    assert "process,site=basel,unit=R-1 t=250.0,p=1.0,b=20.0 1795421702000000000" in lines
    quality = "quality,site=basel,unit=R-1,role=t,tagname=TT-A"
    assert f'{quality} quality="uncertain",status={code}i 1795421702000000000' in lines
    assert f'{quality} quality="good",status=0i 1795421703000000000' in lines


def test_it_is_not_judged_and_clears_nothing(tmp_path: Path) -> None:
    with running(tmp_path, Clock()) as run:
        play(run, [65.0, 75.5, 76.0, 250.0, 250.0, 76.0])
        assert run.transitions() == [
            ("PAR high", "outside"),
            ("HH", "outside"),
            ("NOR high", "outside"),
            ("implausible range", "outside"),
            ("implausible range", "inside"),
        ]
        excursions = [event.body for event in run.published if event.kind is EventKind.EXCURSION]
        assert [(body["state"], body["peak"]) for body in excursions] == [("open", 75.5)]
        (excursion,) = run.recorder.judges[LAYOUT.id].open.values()
        assert excursion.peak == 76.0, "what is doubted is no peak"


def test_it_is_an_alarm_as_urgent_as_what_can_not_come_meanwhile(tmp_path: Path) -> None:
    with running(tmp_path, Clock()) as run:
        run.take(65.0, 1.0)
        run.take(250.0, 99.0)
        alarms = run.recorder.alarms.now
        of_t = alarms[AlarmKey("R-1", "t", "value", None, "implausible range")]
        assert (of_t.state, of_t.settings.priority, of_t.settings.cpp) == (State.B, "critical", True)
        assert (of_t.value, of_t.level) == (250.0, 200 + 230 / 32)
        assert alarms[AlarmKey("R-1", "p", "value", None, "implausible range")].settings.priority == "low"
        shown = {alarm.rule: alarm for alarm in run.painter.paint().alarms.shown if alarm.tag == "TT-A"}
        assert shown["implausible range"].limit == "implausible range: beyond 207.1875 °C"
        run.take(65.0)
        assert alarms[AlarmKey("R-1", "t", "value", None, "implausible range")].state is State.D


def test_a_runaway_faster_than_it_should_be_possible_is_told_all_the_while(tmp_path: Path) -> None:
    """By the alarm of the doubt from its first sample on, as urgent as HH, and by PAR and HH once it can have got there."""
    key = AlarmKey("R-1", "b", "value", None, "implausible rate")
    with running(tmp_path, Clock()) as run:
        for at, b in enumerate([60.0, 61.0, 66.0, 76.0, *[90.0] * 30]):
            run.take(65.0 + at % 2, b=b)
            alarm = run.recorder.alarms.now.get(key)
            assert (alarm is not None and alarm.outside) == (2 <= at < 1 + 29)
            assert alarm is None or alarm.settings.priority == "critical"
            beyond = {rule.rule for rule in run.recorder.judges[LAYOUT.id].active.values() if rule.role == "b"}
            assert beyond == ({"PAR high", "HH"} if at >= 1 + 29 else set())


@pytest.mark.parametrize("killed", [False, True])
def test_what_was_doubted_before_a_restart_goes_on(tmp_path: Path, killed: bool) -> None:
    """A probe that stands still does so after the restart: none of its samples is good in between."""
    clock, key = Clock(), AlarmKey("R-1", "t", "value", None, "implausible flat line")
    with running(tmp_path, clock) as run:
        play(run, [65.0] * 6)
        assert run.recorder.alarms.now[key].outside
        if killed:
            assert asyncio.run(run.recorder.commit())
            run.recorder.close = committed  # type: ignore[method-assign]
    clock.time_ns += 60 * SECOND_NS
    with running(tmp_path, clock) as run:
        assert run.recorder.alarms.now[key].outside, "known before the first scan"
        play(run, [65.0, 65.0])
        assert run.recorder.alarms.now[key].outside
        assert run.transitions() == [("implausible flat line", "outside")]
        run.take(65.1)
        assert run.recorder.alarms.now[key].state is State.D
    flat = [status == 0x4090_0700 for _, _, status in recorded(tmp_path)]
    assert flat == [False] * 4 + [True] * 2 + [True] * 2 + [False]


async def committed(stopped_ns: int | None = None) -> bool:
    return True


def test_the_order_on_the_disk_is_scan_doubt_alarm_rule(tmp_path: Path) -> None:
    with running(tmp_path, Clock()) as run:
        play(run, [65.0, 90.0, 91.0])
    told = [
        row.event.body.get("rule", row.event.kind.value) if isinstance(row, EventRow) else row.scan.values[0]
        for row in rows(tmp_path)
        if not (isinstance(row, EventRow) and row.event.kind is EventKind.EVALUABILITY)
    ]
    first = told.index(90.0)
    assert told[first : first + 3] == [90.0, "implausible spike", "implausible spike"]
    second = told.index(91.0)
    assert told[second : second + 3] == [91.0, "implausible spike", "implausible spike"]
    assert "PAR high" in told[second + 3 :] and "HH" in told[second + 3 :], "the step is real, and told one sample late"
