"""The picture: nothing bad, stale or missing is shown as if it were good, and nothing that is wrong is left out.

Scans go through the real recorder, context and judges; only the clock is set by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.acquire.health import Health
from collector.batch.context import ContextTracker
from collector.monitor.alarms.alarm import ADVISORY, Alarm, AlarmKey
from collector.monitor.alarms.alarms import Command
from collector.monitor.alarms.rate import AlarmRate
from collector.monitor.alarms.states import Happening, State
from collector.recorder import Recorder
from collector.show.alarm_picture import MOST_SHOWN, alarms_picture
from collector.show.live import Live
from collector.show.painter import RECENT_EVENTS, Painter
from collector.show.picture import Picture, SinkPicture, Span, TagPicture, UnitPicture
from collector.show.words import digits, duration, iso_time, visible
from collector.store.files import locked
from collector.store.journal import Journal
from collector.terms import Event, EventKind, Stamp
from config.model import Plant
from config.tags import Kind
from drivers.base import Column, Quality, Scan, Status, quality_of, scan_groups

START_NS = 1_795_421_700_000_000_000  # 2026-11-23T08:15:00Z
SECOND_NS = 1_000_000_000
FAST = {
    "BATCH": {"address": "ns=2;s=BATCH", "role": "batch_id", "kind": "text"},
    "TT": {"address": "ns=2;s=TT", "role": "temperature", "engineering_unit": "°C", "range": [-30, 200]},
    "PT": {"address": "ns=2;s=PT", "role": "pressure", "engineering_unit": "bar(a)", "range": [0, 7]},
    "N": {"address": "ns=2;s=N", "kind": "integer"},
    "STEP": {"address": "ns=2;s=STEP", "kind": "integer", "states": {3: "Heat"}},
    "XV": {"address": "ns=2;s=XV", "kind": "boolean"},
    "NOTE": {"address": "ns=2;s=NOTE", "kind": "text"},
    "PHASE": {"address": "ns=2;s=PHASE", "role": "phase", "kind": "text"},
}
LIMITS: list[dict[str, object]] = [
    {
        "role": "temperature",
        "phase": "Dose",
        "sp": 65,
        "nor": [63, 67],
        "par": [60, 70],
        "alarm": {"hh": 75},
        "deadband": 0.5,
        "consequence": "By-product.",
        "action": "Stop the\n feed.",
    },
    {"role": "temperature", "phase": "Hold", "nor": [64, 66]},
    {"role": "pressure", "phase": "Heat", "statistic": "slope", "window_s": 10, "nor": [None, 0.5]},
]
USUAL: dict[str, object] = {"TT": 65.04, "PT": 1.42, "N": 7, "STEP": 3, "XV": 1, "NOTE": "fine", "BATCH": "B-1", "PHASE": "Dose"}


@dataclass
class HandClock:
    time_ns: int = START_NS

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_ns(self) -> int:
        return self.time_ns


@dataclass
class Watched:
    """A plant of one unit with one scan group, and a painter that looks at it."""

    folder: Path
    clock: HandClock = field(default_factory=HandClock)
    sinks: list[SinkPicture] = field(default_factory=list)
    limits: list[dict[str, object]] = field(default_factory=lambda: LIMITS)

    def __post_init__(self) -> None:
        device = {"unit": "R-1", "tags": FAST}
        self.plant = Plant.model_validate(
            {
                "site": "basel",
                "units": {"R-1": {"description": "Reactor"}},
                "endpoints": {"plc": {"url": "opc.tcp://127.0.0.1:4840", "devices": {"plc-1": device}}},
                "limits": self.limits,
            }
        )
        self.layout = scan_groups(self.plant.endpoints[0])[0].layout
        self.live = Live()
        self.journal = Journal(self.folder)
        self.recorder = Recorder(
            self.plant, self.journal, ContextTracker(self.plant), self.live, self.clock, committed=lambda: None
        )
        self.health = Health(self.recorder.tell)
        self.health.expect("plc", "plc-1")
        self.painter = self.new_painter()

    def new_painter(self) -> Painter:
        recorder = self.recorder
        return Painter(
            self.plant,
            self.live,
            recorder.judges,
            self.health.devices,
            lambda: self.sinks,
            self.clock,
            disk_fault=lambda: recorder.disk_fault,
            pending=lambda: recorder.pending_samples,
            alarms=recorder.alarms.now.values,
            relations=lambda: recorder.relations.boards,
        )

    def scan(self, status: dict[str, int] | None = None, **changed: object) -> None:
        """A second passes, and a scan comes: the usual values but for what `changed`, good but for `status`."""
        self.clock.time_ns += SECOND_NS
        values, columns = {**USUAL, **changed}, self.layout.columns
        codes = np.array([(status or {}).get(column.name, 0) for column in columns], np.uint32)
        numbers = [math.nan if column.kind is Kind.TEXT else float(str(values[column.name])) for column in columns]
        integers = [int(str(values[column.name])) for column in columns if column.kind is Kind.INTEGER]
        texts = tuple(str(values[column.name]) for column in columns if column.kind is Kind.TEXT)
        slot_ns = self.clock.time_ns
        scan = Scan(
            self.layout, slot_ns, slot_ns, np.array(numbers), codes, quality_of(codes), None, np.array(integers, np.int64), texts
        )
        self.recorder.take(scan)

    def lose(self) -> None:
        """A second passes, and the device is lost."""
        self.clock.time_ns += SECOND_NS
        self.health.lost("plc-1", self.clock.time_ns, "no answer")
        self.recorder.take(Scan.of_lost(self.layout, self.clock.time_ns, self.clock.time_ns, Status.BAD_TIMEOUT))

    def wait(self, seconds: float) -> None:
        self.clock.time_ns += round(seconds * 1e9)

    def paint(self) -> Picture:
        return self.painter.paint()

    def unit(self) -> UnitPicture:
        (unit,) = self.paint().units
        return unit

    def tag(self, name: str = "TT") -> TagPicture:
        return next(tag for tag in self.unit().tags if tag.name == name)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with locked(tmp_path):
        yield Watched(tmp_path)


def test_a_good_value_inside_its_limits(watched: Watched) -> None:
    watched.scan()
    watched.wait(0.5)
    tag = watched.tag()
    assert (tag.value, tag.shown, tag.engineering_unit, tag.quality, tag.status) == (65.04, "65.0", "°C", "good", "")
    assert (tag.age_s, tag.state, tag.breaches) == (0.5, "ok", ())
    (limit,) = tag.limits
    assert (limit.sp, limit.nor, limit.par, limit.alarm, limit.alarm_far) == (
        65,
        Span(63, 67),
        Span(60, 70),
        None,
        Span(None, 75),
    )


@pytest.mark.parametrize(
    ("value", "state", "text"),
    [
        (67.0, "ok", None),
        (67.2, "alert", "above NOR 67 °C"),
        (62.0, "alert", "below NOR 63 °C"),
        (70.5, "action", "above PAR 70 °C"),
        (59.0, "action", "below PAR 60 °C"),
        (76.0, "action", "above PAR 70 °C"),
    ],
)
def test_outside_nor_is_an_alert_and_outside_par_an_action(watched: Watched, value: float, state: str, text: str | None) -> None:
    watched.scan(TT=value)
    tag = watched.tag()
    assert tag.state == watched.unit().state == state
    assert (tag.breaches[0].text if tag.breaches else None) == text
    if tag.breaches:
        assert tag.breaches[0].side == ("high" if value > 65 else "low")
        assert tag.breaches[0].since == "2026-11-23T08:15:01.000Z"


def test_a_value_that_came_back_by_less_than_the_deadband_says_so(watched: Watched) -> None:
    watched.scan(TT=67.2)
    watched.scan(TT=66.8)
    assert watched.tag().state == "alert"
    assert watched.tag().breaches[0].text == "was above NOR 67 °C, not yet back by the deadband"
    watched.scan(TT=66.4)
    assert watched.tag().state == "ok"


def test_a_bad_value_is_not_evaluable_and_its_age_runs(watched: Watched) -> None:
    watched.scan()
    for _ in range(3):
        watched.scan({"TT": Status.BAD_SENSOR_FAILURE}, TT=64.0)
    tag = watched.tag()
    assert (tag.shown, tag.quality, tag.status, tag.age_s) == ("64.0", "bad", "BadSensorFailure", 3.0)
    assert (tag.state, tag.limits[0].state, watched.unit().state) == ("not evaluable", "not evaluable", "not evaluable")
    assert watched.tag("PT").quality == "good"


def test_a_breach_is_remembered_while_the_value_is_bad_but_not_claimed(watched: Watched) -> None:
    watched.scan(TT=71.0)
    watched.scan({"TT": Status.BAD_SENSOR_FAILURE}, TT=71.0)
    tag = watched.tag()
    assert (tag.state, tag.breaches[0].text) == ("not evaluable", "was above PAR 70 °C")


def test_uncertain_is_not_evaluable_either(watched: Watched) -> None:
    watched.scan({"TT": 0x4092_0000})
    assert (watched.tag().quality, watched.tag().status, watched.tag().state) == (
        "uncertain",
        "status 0x40920000",
        "not evaluable",
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_good_whatever_its_status(watched: Watched, value: float) -> None:
    watched.scan(TT=value)
    tag = watched.tag()
    assert (tag.value, tag.quality, tag.state, tag.status) == (None, "bad", "not evaluable", "no finite number")
    assert tag.shown == ("no value" if math.isnan(value) else "infinite")


def test_of_a_lost_device_the_last_answer_stays_but_is_bad_then_stale(watched: Watched) -> None:
    watched.scan()
    watched.lose()
    assert {(tag.quality, tag.status) for tag in watched.unit().tags} == {("bad", "BadTimeout")}
    assert (watched.tag().shown, watched.tag("NOTE").shown, watched.tag().age_s) == ("65.0", "fine", 1.0)
    watched.wait(3.0)
    assert watched.tag().quality == "bad"
    watched.wait(0.001)
    assert {tag.quality for tag in watched.unit().tags} == {"stale"}
    assert (watched.unit().state, watched.unit().context, watched.unit().batch) == ("not evaluable", "last known", "B-1")
    (device,) = watched.paint().devices
    assert (device.answers, device.since, device.cause) == (False, "2026-11-23T08:15:02.000Z", "no answer")


def test_a_group_that_falls_silent_is_stale_after_three_periods(watched: Watched) -> None:
    watched.scan(TT=71.0)
    watched.wait(3.0)
    assert (watched.tag().quality, watched.tag().state) == ("good", "action")
    watched.wait(0.001)
    assert (watched.tag().quality, watched.tag().status, watched.tag().state) == ("stale", "no scan comes", "not evaluable")
    assert watched.unit().context == "last known"


def test_before_the_first_scan_nothing_is_known(watched: Watched) -> None:
    for tag in watched.unit().tags:
        assert (tag.value, tag.shown, tag.quality, tag.status, tag.age_s) == (None, "no value", "stale", "no value yet", None)
    assert watched.unit().seconds_in_phase is None
    assert watched.paint().devices[0].answers is None


def test_a_device_that_never_answered(watched: Watched) -> None:
    watched.lose()
    assert (watched.tag().shown, watched.tag().quality, watched.tag().age_s) == ("no value", "bad", None)


def test_kinds_are_shown_exactly(watched: Watched) -> None:
    watched.scan(N=9_007_199_254_740_993, STEP=3, XV=0, NOTE="")
    assert (watched.tag("N").value, watched.tag("N").shown) == (9_007_199_254_740_993, "9007199254740993")
    assert watched.tag("STEP").shown == "Heat (3)"
    assert (watched.tag("XV").value, watched.tag("XV").shown) == (False, "off")
    assert watched.tag("NOTE").shown == "(empty)"
    watched.scan(STEP=9)
    assert watched.tag("STEP").shown == "9"


def test_texts_of_the_plant_can_steer_nothing(watched: Watched) -> None:
    watched.scan(NOTE="\x1b[2Jgone\n\u202eback\ud800", BATCH="B\x1b[31m", PHASE="Dose")
    assert watched.tag("NOTE").shown == "\ufffd[2Jgone\ufffd\ufffdback\ufffd"
    assert watched.unit().batch == "B\ufffd[31m"
    orjson.dumps(watched.paint())


def test_tags_that_tell_the_context_come_last(watched: Watched) -> None:
    assert [tag.name for tag in watched.unit().tags] == ["TT", "PT", "N", "STEP", "XV", "NOTE", "BATCH", "PHASE"]
    assert watched.unit().context == "last known"
    watched.scan()
    watched.wait(1.0)
    watched.scan(PHASE="Hold")
    watched.wait(2.5)
    unit = watched.unit()
    assert (unit.batch, unit.phase, unit.mode, unit.context, unit.seconds_in_phase) == ("B-1", "Hold", "pilot", "told", 2.5)


def test_limits_go_with_the_phase(watched: Watched) -> None:
    watched.scan(TT=66.5)
    assert watched.tag().state == "ok"
    watched.scan(TT=66.5, PHASE="Hold")
    assert (watched.tag().state, watched.tag().limits[0].nor, watched.tag().limits[0].par) == ("alert", Span(64, 66), None)
    watched.scan(TT=66.5, PHASE="Cool")
    assert (watched.tag().state, watched.tag().limits, watched.tag().breaches) == ("no limits", (), ())


def test_a_rolling_limit_alone_is_never_taken_for_kept_before_it_can_be_told(watched: Watched) -> None:
    watched.scan(PHASE="Heat")
    tag = watched.tag("PT")
    assert (tag.limits[0].statistic, tag.limits[0].nor, tag.state) == ("slope over 10 s", Span(None, 0.5), "not evaluable")


def test_a_rolling_limit_that_is_left(watched: Watched) -> None:
    for second in range(14):
        watched.scan(PHASE="Heat", PT=1.0 + second / 50)
    tag = watched.tag("PT")
    assert (tag.state, tag.breaches[0].text) == ("alert", "slope over 10 s above NOR 0.5 bar(a)/min")


def test_an_excursion_open_and_closed(watched: Watched) -> None:
    watched.scan()
    watched.scan(TT=71.0)
    watched.scan(TT=72.25)
    (open_one,) = watched.paint().excursions
    assert (open_one.unit, open_one.tag, open_one.batch, open_one.phase, open_one.ended) == ("R-1", "TT", "B-1", "Dose", "")
    assert (open_one.first, open_one.duration_s, open_one.peak) == ("2026-11-23T08:15:02.000Z", 1.0, "72.2")
    assert (open_one.par, open_one.par_shown, open_one.area) == (Span(60, 70), "60 … 70", "1.62")
    assert (open_one.consequence, open_one.action) == ("By-product.", "Stop the feed.")
    for _ in range(3):
        watched.scan()
    picture = watched.paint()
    assert picture.excursions == ()
    (closed,) = picture.closed_excursions
    assert (closed.tag, closed.ended, closed.last, closed.duration_s) == ("TT", "inside", "2026-11-23T08:15:04.000Z", 2.0)


def test_the_last_twenty_closed_excursions_are_kept_the_newest_first(watched: Watched) -> None:
    for number in range(25):
        watched.scan(TT=71.0 + number)
        for _ in range(3):
            watched.scan()
    closed = watched.paint().closed_excursions
    assert [float(each.peak) for each in closed] == [71.0 + number for number in range(24, 4, -1)]


def test_a_painter_made_late_knows_what_live_still_knows(watched: Watched) -> None:
    watched.scan(TT=71.0)
    for _ in range(3):
        watched.scan()
    watched.lose()
    watched.painter = watched.new_painter()
    picture = watched.paint()
    assert [each.peak for each in picture.closed_excursions] == ["71.0"]
    assert any("lost" in event.text for event in picture.events)
    assert watched.tag().quality == "bad"


def test_events_are_told_in_words_the_newest_first(watched: Watched) -> None:
    watched.health.answered("plc-1", START_NS)
    watched.scan()
    watched.scan(TT=67.04)
    watched.scan(TT=70.04)
    watched.scan({"PT": Status.BAD_SENSOR_FAILURE, "TT": Status.BAD_SENSOR_FAILURE})
    watched.lose()
    told = [(event.severity, event.unit, event.text) for event in watched.paint().events]
    assert told == [
        ("fault", "", "device plc-1 lost: no answer"),
        ("alert", "R-1", "TT can't be evaluated: the sample is not good, BadSensorFailure"),
        ("action", "R-1", "TT left PAR 60 … 70 °C: 70.04 °C"),
        ("alert", "R-1", "TT above NOR 67 °C: 67.04 °C"),
        ("info", "R-1", "Phase Dose began"),
        ("info", "R-1", "Batch B-1 began"),
        ("info", "", "device plc-1 answers"),
    ]


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (EventKind.SINK, {"sink": "influx", "state": "busy", "cause": "503"}, "sink influx takes nothing: 503"),
        (EventKind.SINK, {"sink": "influx", "state": "taking"}, "sink influx takes"),
        (EventKind.SINK, {"sink": "old", "state": "removed", "cause": "taken out"}, "sink old removed: taken out"),
        (EventKind.DAEMON, {"state": "started", "version": "0.1.0"}, "daemon started, version 0.1.0"),
        (EventKind.DISK, {"state": "refuses", "cause": "disk is full"}, "THE DISK TAKES NOTHING: disk is full"),
        (EventKind.DISK, {"state": "takes", "cause": ""}, "the disk takes again"),
        (EventKind.ROOM, {"state": "short", "cause": "it lasts 3 h"}, "ROOM ON THE DISK IS SHORT: it lasts 3 h"),
        (EventKind.ROOM, {"state": "reserve made", "cause": ""}, "room on the disk: reserve made"),
        (EventKind.CLOCK, {"moved_s": 75.0}, "plant time moved forward by 1 min 15 s"),
        (
            EventKind.CLOCK,
            {"set_back_s": 75.0, "offset_s": -75.0},
            "the wall clock was set back by 1 min 15 s; plant time goes on",
        ),
        (EventKind.CLOCK, {"synchronised": False, "max_error_s": 16.0}, "nothing synchronises the gateway's clock"),
        (EventKind.CLOCK, {"synchronised": True, "max_error_s": 0.1}, "clock synchronised"),
        (EventKind.CLOCK, {"device": "plc", "skewed": True, "skew_s": -75.0}, "the clock of plc is 1 min 15 s behind"),
        (EventKind.CLOCK, {"device": "plc", "skewed": False, "skew_s": 0.1}, "the clock of plc is right again"),
        (EventKind.CERTIFICATE, {"endpoint": "opc", "cause": "it ends"}, "endpoint opc: it ends"),
        (
            EventKind.GAP,
            {
                "device": "plc-1",
                "group": "main",
                "from_ns": START_NS,
                "to_ns": START_NS + 4 * SECOND_NS,
                "slots": 5,
                "cause": "late",
            },
            "gap in plc-1/main: 5 slots, 08:15:00 – 08:15:04: late",
        ),
    ],
)
def test_other_events_in_words(watched: Watched, kind: EventKind, body: dict[str, str], text: str) -> None:
    watched.recorder.tell(Event(kind, START_NS, body=dict(body)))
    assert [event.text for event in watched.paint().events] == [text]


@pytest.mark.parametrize(
    ("statistic", "rule", "to", "figures", "told"),
    [
        ("time outside PAR in phase", "PAR time", "outside", (301.0, 300.0), "above 300 s: 301.0 s"),
        ("time outside NOR", "NOR time", "inside", (0.0, 300.0), "no longer above 300 s: 0.0 s"),
        ("cusum low", "decision interval", "outside", (20.5, 20.0), "above decision interval 20 °C: 20.5 °C"),
        ("ewma 60 s", "NOR high", "ended", (None, 67.0), "was above NOR 67 °C: the limit no longer applies"),
        ("duration", "PAR low", "outside", (1200.0, 1800.0), "below PAR 1800 s: 1200.0 s"),
    ],
)
def test_what_lasts_longer_than_a_window_in_words(
    watched: Watched, statistic: str, rule: str, to: str, figures: tuple[float | None, float], told: str
) -> None:
    role, (value, level) = "phase" if statistic == "duration" else "temperature", figures
    body = {"role": role, "statistic": statistic, "window_s": None, "rule": rule, "to": to, "value": value, "level": level}
    watched.recorder.tell(Event(EventKind.TRANSITION, START_NS, "R-1", Stamp(), body))
    (event,) = watched.paint().events
    assert event.text.endswith(f" {statistic} {told}"), event.text


def test_what_nobody_has_to_read_pushes_no_event_out(watched: Watched) -> None:
    watched.scan()
    for _ in range(700):
        watched.recorder.tell(Event(EventKind.GATEWAY, START_NS))
        watched.recorder.tell(Event(EventKind.STATISTICS, START_NS, "R-1"))
        watched.recorder.tell(Event(EventKind.ACCUMULATED, START_NS, "R-1"))
    assert [event.text for event in watched.paint().events] == ["Phase Dose began", "Batch B-1 began"]


def test_of_a_flood_of_events_the_newest_are_told(watched: Watched) -> None:
    slots = [START_NS + n * 10**9 for n in range(2345)]
    for slot_ns in slots:
        watched.recorder.tell(Event(EventKind.CLOCK, slot_ns, body={"moved_s": 1.0}))
    told = [event.time for event in watched.paint().events]
    assert told == [iso_time(slot_ns) for slot_ns in reversed(slots[-RECENT_EVENTS:])]
    watched.recorder.tell(Event(EventKind.CLOCK, START_NS, body={"moved_s": 1.0}))
    assert [event.time for event in watched.paint().events] == [iso_time(START_NS), *told[:-1]]


async def test_counters_sinks_and_the_disk(watched: Watched) -> None:
    watched.sinks.append(SinkPicture("influx", False, 10, 6, 1, "no\nanswer"))
    watched.scan()
    watched.lose()
    picture = watched.paint()
    gateway = picture.gateway
    assert (gateway.read, gateway.scans, gateway.lost_scans, gateway.pending, gateway.committed) == (8, 2, 1, 8, 0)
    assert picture.sinks == (SinkPicture("influx", False, 10, 6, 1, "no\ufffdanswer"),)
    assert await watched.recorder.close()
    watched.journal.close()
    gateway = watched.paint().gateway
    assert (gateway.pending, gateway.committed, gateway.disk_fault) == (0, 8, "")


def test_the_picture_is_json(watched: Watched) -> None:
    watched.scan(TT=math.nan)
    picture = orjson.loads(orjson.dumps(watched.paint()))
    assert (picture["site"], picture["time"]) == ("basel", "2026-11-23T08:15:01.000Z")
    assert picture["units"][0]["tags"][0]["value"] is None


@pytest.fixture(scope="module")
def fresh() -> Iterator[Callable[[], Watched]]:
    """Makes a watched plant per example."""
    with TemporaryDirectory() as folder:
        yield lambda: Watched(Path(folder))


READS = st.lists(
    st.tuples(
        st.one_of(st.floats(55, 80), st.sampled_from([math.nan, math.inf, 60.0, 63.0, 67.0, 70.0])),
        st.sampled_from([Status.GOOD, Status.GOOD, 0x4092_0000, Status.BAD_SENSOR_FAILURE]),
        st.sampled_from([0.0, 0.0, 1.0, 5.0]),
    ),
    min_size=1,
    max_size=8,
)


@given(reads=READS)
def test_what_is_shown_as_ok_is_good_fresh_and_inside(
    fresh: Callable[[], Watched], reads: list[tuple[float, int, float]]
) -> None:
    watched = fresh()
    for value, status, silence_s in reads:
        watched.scan({"TT": status}, TT=value)
        watched.wait(silence_s)
        tag = watched.tag()
        evaluable = status == Status.GOOD and math.isfinite(value) and silence_s <= 3.0
        assert (tag.quality == "good") == evaluable
        assert (tag.state == "not evaluable") == (not evaluable)
        if tag.state == "ok":
            assert 63 <= value <= 67
        if evaluable and not 60 <= value <= 70:
            assert tag.state == "action"
        if evaluable and not 63 <= value <= 67:
            assert tag.state in ("alert", "action")


RANGED = Column("TT", "temperature", "R-1", Kind.REAL, "°C", low=-30.0, high=200.0)


@given(level=st.floats(-1000, 1000).map(lambda level: round(level, 3)), off=st.floats(1e-6, 5), sign=st.sampled_from([-1, 0, 1]))
def test_no_figure_is_rounded_across_a_limit(level: float, off: float, sign: int) -> None:
    value = level + sign * off
    shown = float(digits(value, RANGED, [level]))
    assert (shown > level) == (value > level)
    assert (shown < level) == (value < level)


@pytest.mark.parametrize(
    ("low", "high", "engineering_unit", "value", "shown"),
    [
        (-30.0, 200.0, "°C", 64.93, "64.9"),
        (0.0, 7.0, "bar(a)", 1.4249, "1.425"),
        (0.0, 2500.0, "kg", 853.7, "854"),
        (0.0, 14.0, None, 7.666, "7.67"),
        (0.0, 150.0, "rpm", -0.04, "0.0"),
        (None, None, "°C", 64.93, "64.9"),
        (None, None, None, 12.345678, "12.346"),
        (None, None, None, 0.00012345, "0.00012345"),
        (None, None, None, 0.0, "0"),
        (0.0, 7.0, "bar", 1e12, "1e+12"),
    ],
)
def test_digits_go_by_range_or_engineering_unit(
    low: float | None, high: float | None, engineering_unit: str | None, value: float, shown: str
) -> None:
    column = Column("X", "x", "R-1", Kind.REAL, engineering_unit, low=low, high=high)
    assert digits(value, column) == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0 s"), (4.5, "4.5 s"), (45.9, "45 s"), (130.0, "2 min 10 s"), (3900.0, "1 h 05 min"), (273_600.0, "3 d 04 h")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@given(st.text(st.characters(), max_size=400))
def test_what_is_visible_is_printable_and_bounded(text: str) -> None:
    shown = visible(text)
    assert (shown.isprintable() or not shown) and len(shown) <= 200
    assert shown == text or not text.isprintable() or len(text) > 200


def test_every_quality_has_its_word(watched: Watched) -> None:
    words = []
    for quality, status in ((Quality.GOOD, 0), (Quality.UNCERTAIN, 0x4000_0000), (Quality.BAD, Status.BAD_NO_DATA)):
        watched.scan({"PT": status})
        words.append((quality.name.lower(), watched.tag("PT").quality))
    assert all(expected == shown for expected, shown in words)


# --- alarms


async def test_alarms_are_shown_the_most_urgent_first_with_what_to_do(watched: Watched) -> None:
    watched.scan()
    assert watched.paint().alarms.shown == ()
    watched.scan(TT=76.0)
    alarms = watched.paint().alarms
    assert [(alarm.priority, alarm.rule, alarm.state, alarm.limit) for alarm in alarms.shown] == [
        ("critical", "HH", "unacknowledged", "above HH 75 °C"),
        ("high", "PAR high", "unacknowledged", "above PAR 70 °C"),
        ("low", "NOR high", "unacknowledged", "above NOR 67 °C"),
    ]
    first = alarms.shown[0]
    assert (first.tag, first.value, first.since, first.phase) == ("TT", "76.0", iso_time(watched.clock.time_ns), "Dose")
    assert (first.consequence, first.action) == ("By-product.", "Stop the feed.")
    assert (alarms.calling, alarms.hidden, alarms.advice) == (3, 0, ADVISORY)


async def test_what_people_did_with_an_alarm_is_shown(watched: Watched) -> None:
    watched.scan(TT=76.0)
    highest, par, _ = (AlarmKey("R-1", "temperature", "value", None, rule) for rule in ("HH", "PAR high", "NOR high"))
    watched.recorder.command(Command(Happening.ACKNOWLEDGED, highest, "meier", "cooling\u202eis on"))
    watched.recorder.command(Command(Happening.SHELVED, par, "huber", "probe", 3600.0))
    alarms = watched.paint().alarms
    assert [(alarm.rule, alarm.state, alarm.calls, alarm.hidden) for alarm in alarms.shown] == [
        ("NOR high", "unacknowledged", True, False),
        ("HH", "acknowledged", False, False),
        ("PAR high", "shelved", False, True),
    ]
    assert alarms.shown[1].handled == f"acknowledged by meier {iso_time(watched.clock.time_ns)[11:19]}: cooling\ufffdis on"
    assert alarms.shown[2].handled == f"until {iso_time(watched.clock.time_ns + 3600 * SECOND_NS)[11:19]}, by huber: probe"
    assert (alarms.calling, alarms.hidden) == (1, 1)
    watched.recorder.command(Command(Happening.SHELVED, par, "huber", "probe", 86_400.0))
    tomorrow = iso_time(watched.clock.time_ns + 86_400 * SECOND_NS)
    assert watched.paint().alarms.shown[2].handled == f"until {tomorrow[:10]} {tomorrow[11:19]}, by huber: probe"


def test_of_a_flood_the_rest_is_counted() -> None:
    keys = [AlarmKey("R-1", f"t{number}", "value", None, "H") for number in range(MOST_SHOWN + 7)]
    alarms = alarms_picture([Alarm(key, state=State.B, outside=True, since_ns=1) for key in keys], {}, AlarmRate(0), 1)
    assert (len(alarms.shown), alarms.calling, alarms.left_out) == (MOST_SHOWN, MOST_SHOWN + 7, 7)
