"""A finished record gets the verdicts that it got while it was read, and those that its definition gives."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.acquire.clock import PlantClock
from collector.batch.context import ContextTracker
from collector.monitor.alarms.alarm import Alarm
from collector.monitor.durations import PhaseDurations
from collector.monitor.judge import Judge
from collector.monitor.relations import Relations
from collector.recorder import Recorder
from collector.report import finished, rolling_screen
from collector.report.contexts import Contexts
from collector.report.finished import FinishedRecord, judged, replayed, scan_of
from collector.report.recording import Batch
from collector.report.screen import Screen, screened
from collector.show.live import Live
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.rows import EventRow
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit
from config.model import Plant
from config.tags import Kind
from drivers.base import Column, Layout, Scan, Status
from tests.fakes import endpoint_of
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout, scan

LIMITS: list[dict[str, Any]] = [
    {"role": "temperature", "par": [60, 70], "nor": [62, 68], "deadband": 0.5},
    {"role": "temperature", "par": [50, 65], "phase": "Hold"},
    {"role": "temperature", "statistic": "mean", "window_s": 4, "nor": [61, 69]},
    {"role": "pressure", "alarm": {"l": 1, "h": 9}},
]
PLANT = Plant.model_validate(
    {"site": "Basel", "endpoints": (endpoint_of({"plc": {"main": 1.0}}),), "units": {"R-201": {}}, "limits": LIMITS}
)
REACTOR = layout(column("temperature"), column("batch_id", Kind.TEXT), column("phase", Kind.TEXT))
PLAIN = layout(column("pressure"), group="plain")

Sample = tuple[float | None, str, str, float | None]
"""Temperature, batch, phase, pressure; None is bad."""
values = st.one_of(st.none(), st.sampled_from([59.0, 60.0, 61.5, 65.0, 68.0, 70.0, 71.0, 80.0]))
samples = st.tuples(values, st.sampled_from(["", "B-1", "B-2"]), st.sampled_from(["", "Dose", "Hold"]), values)
Run = tuple[list[Sample], bool]
"""What was read, and whether the daemon was killed in the end."""
runs = st.lists(st.tuples(st.lists(samples, max_size=15), st.booleans()), min_size=1, max_size=3)


def scans(slot: int, sample: Sample) -> list[Scan]:
    temperature, batch, phase, pressure = sample
    at = SLOT_NS + slot * SECOND_NS
    main = scan(REACTOR, [temperature or 0.0, batch, phase], at, status=[0 if temperature else Status.BAD_NO_DATA, 0, 0])
    if pressure is None:
        return [main, Scan.of_lost(PLAIN, at, at, Status.BAD_TIMEOUT)]
    return [scan(PLAIN, [pressure / 10], at), main]


def recorded(data: Path, of: list[Run]) -> None:
    """By the daemon's recorder, in as many runs."""
    (data / "journal").mkdir(parents=True)
    slot, context, alarms = 0, ContextTracker(PLANT), list[Alarm]()
    for run, killed in of:
        journal = Journal(data)
        now_ns = SLOT_NS + slot * SECOND_NS
        recorder = Recorder(PLANT, journal, context, Live(), Clock(now_ns + len(run) * SECOND_NS), lambda: None, alarms)
        recorder.tell(Event(EventKind.DAEMON, now_ns, body={"state": "started"}))
        for sample in run:
            for each in scans(slot, sample):
                recorder.take(each)
            slot += 1
        if killed:
            assert asyncio.run(recorder.commit())
            recorder.judges.clear()
        else:
            recorder.tell(Event(EventKind.DAEMON, SLOT_NS + slot * SECOND_NS, body={"state": "stopped"}))
        assert asyncio.run(recorder.close())
        alarms = list(recorder.alarms.now.values())
        journal.close()
        slot += 5


class Clock(PlantClock):
    """Stands at the end of a run."""

    def __init__(self, now_ns: int) -> None:
        super().__init__(wall_ns=lambda: now_ns, monotonic_ns=lambda: 0)


def told_by_the_daemon(reader: Reader) -> list[Event]:
    rows, after = [], 0
    while got := reader.read(after, 1000):
        rows += got
        after = got[-1].seq
    return [row.event for row in rows if isinstance(row, EventRow) and row.event.kind in finished.TOLD]


def by_slot(events: Iterable[Event]) -> list[tuple[int, list[str]]]:
    """Slot by slot in their order; of one slot in any: what a run ends that the one before left outside comes in the order of its
    alarms, of which the record knows nothing."""
    return [(slot_ns, sorted(map(repr, told))) for slot_ns, told in groupby(events, key=lambda event: event.slot_ns)]


@settings(max_examples=25, deadline=None)
@given(runs)
def test_a_replayed_journal_gives_the_verdicts_of_the_daemon(of: list[Run]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorded(Path(folder), of)
        with closing(Reader(Path(folder))) as reader:
            record = FinishedRecord(PLANT.limits)
            offline = [event for _, events in replayed(reader, record, 0, 1 << 62) for event in events]
            daemon = told_by_the_daemon(reader)
    open_at_a_kill = [event for event in offline if event not in daemon]
    # one that was inside again is known to have ended only a merge gap later, which the daemon did not live to see
    assert all(event.body.get("state") == "closed" for event in open_at_a_kill)
    assert {event.body.get("ended") for event in open_at_a_kill} <= {"stopped", "inside"}
    assert by_slot(event for event in offline if event in daemon) == by_slot(daemon)
    states = [event.body["state"] for event in offline if event.kind is EventKind.EXCURSION]
    assert states.count("open") == states.count("closed"), "a kill leaves no excursion open for ever"


def test_a_part_of_a_journal_has_the_state_of_what_was_before() -> None:
    above, inside = (80.0, "B-1", "Dose", 65.0), (65.0, "B-1", "Dose", 65.0)
    course: list[Sample] = [*[above] * 5, *[inside] * 5]
    with tempfile.TemporaryDirectory() as folder:
        recorded(Path(folder), [(course, False)])
        with closing(Reader(Path(folder))) as reader:
            record = FinishedRecord(PLANT.limits, from_ns=SLOT_NS + 3 * SECOND_NS)
            told = [event for _, events in replayed(reader, record, 0, SLOT_NS + 8 * SECOND_NS) for event in events]
    (excursion,) = (event for event in told if event.kind is EventKind.EXCURSION)
    assert (excursion.body["first_ns"], excursion.body["last_ns"]) == (SLOT_NS, SLOT_NS + 5 * SECOND_NS)
    verdict = next(each for each in record.verdicts if each.role == "temperature")
    assert (verdict.scans, verdict.outside, verdict.excursions) == (5, 2, 1)


# --- recorded batches

THREE = Layout("recorded", "R-1", "B-1", SECOND_NS, tuple(Column(role, role, "R-1", Kind.REAL) for role in ("a", "b", "c")))
cells = st.sampled_from([2.0, 2.0, 2.5, 2.5, 3.0, 3.0, 1.0, 4.0, float("nan")])
rows = st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=40)
levels = st.sampled_from([None, 1.0, 2.0, 3.0])
calm = st.sampled_from([2.0, 2.5, 3.0])
delays = st.sampled_from([0.0, 1.0, 2.0, 4.0])
settling = st.sampled_from([0.0, 0.0, 0.0, 2.0])


@st.composite
def limit_sets(draw: st.DrawFn) -> list[Limit]:
    found = []
    for role in ("a", "b", "c"):
        for phase in (None, "Hold"):
            if draw(st.booleans()):
                fields: dict[str, object] = {"role": role, "phase": phase, "par": [draw(levels) or 0.0, draw(calm) + 2]}
                if draw(st.booleans()):
                    fields |= {"alarm": {"h": draw(calm)}, "deadband": 0.5}
                if draw(st.booleans()):
                    fields |= {"on_delay_s": draw(delays), "off_delay_s": draw(delays), "settle_s": draw(settling)}
                found.append(Limit.model_validate(fields))
    for _ in range(draw(st.integers(0, 3))):
        found.append(draw(rolling_limits()))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        found.append(draw(lasting_limits()))
    if draw(st.integers(0, 3)) == 0:
        long_s, phase = draw(st.sampled_from([0.5, 1, 3, 8])), draw(st.sampled_from([None, "Hold"]))
        found.append(
            Limit.model_validate({"statistic": "duration", "phase": phase, "par": [1, long_s + 2], "alarm": {"h": long_s}})
        )
    return list({(limit.role, limit.phase, limit.measure, limit.window_s): limit for limit in found}.values())


@st.composite
def lasting_limits(draw: st.DrawFn) -> Limit:
    since: dict[str, object] = draw(st.sampled_from([{"window_s": 3}, {"within": "phase"}, {"within": "batch"}]))
    fields: dict[str, object] = draw(
        st.sampled_from(
            [
                {"statistic": "time_outside", "par": [2, 2.75], "allowed_outside_s": 2, **since},
                {"statistic": "ewma", "time_constant_s": 1, "nor": [2.25, 2.75]},
                {"statistic": "cusum_high", "sp": 2.25, "slack": 0.25, "decision_interval": 1.5},
            ]
        )
    )
    more = {"role": draw(st.sampled_from(["a", "b", "c"])), "phase": draw(st.sampled_from([None, None, "Hold"]))}
    return Limit.model_validate({**fields, **more, "on_delay_s": draw(delays), "settle_s": draw(settling)})


@st.composite
def rolling_limits(draw: st.DrawFn) -> Limit:
    statistic = draw(st.sampled_from(["mean", "min", "max", "std", "slope"]))
    low, high = {"std": (0.25, 0.75), "slope": (-10.0, 10.0)}.get(statistic, (2.0, 2.75))
    return Limit.model_validate(
        {
            "role": draw(st.sampled_from(["a", "b", "c"])),
            "phase": draw(st.sampled_from([None, None, "Hold"])),
            "statistic": statistic,
            "window_s": draw(st.sampled_from([2, 3, 6, 12])),
            "min_coverage": draw(st.sampled_from([0.3, 0.8, 1.0])),
            "spans_phases": draw(st.booleans()),
            "nor": [draw(st.sampled_from([None, low])), high],
            "deadband": draw(st.sampled_from([0.0, 0.25])),
            "on_delay_s": draw(delays),
            "settle_s": draw(settling),
        }
    )


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    values = np.array(draw(rows))
    values[:, draw(st.integers(0, 2))] = draw(calm)
    possible = [1, 1, 2, 5, 0] if draw(st.integers(0, 4)) == 0 else [1, 1, 1, 2, 5]
    steps = draw(st.lists(st.sampled_from(possible), min_size=len(values), max_size=len(values)))
    phases = ["Dose", "Hold"] if draw(st.booleans()) else ["Dose"]
    stamps = tuple(Stamp("B-1", draw(st.sampled_from(phases))) for _ in values)
    return Batch("R-1", "B-1", np.cumsum(steps).astype(np.int64) * SECOND_NS, values, stamps)


def screen_of(batch: Batch, limits: list[Limit]) -> Screen:
    return screened(batch, THREE, limits, list(Contexts(limits).of(batch, THREE)))


def seen_in_full(batch: Batch, limits: list[Limit]) -> list[Event]:
    """By a judge that sees every sample."""
    judge, durations, told = Judge(THREE, limits), PhaseDurations(limits), list[Event]()
    for slot_ns, row, stamp in zip(batch.slots_ns.tolist(), batch.values, batch.stamps, strict=True):
        told += judge.judge(scan_of(THREE, slot_ns, row), (stamp,)) + durations.judge(slot_ns, THREE.units, (stamp,))
    told += judge.close(int(batch.slots_ns.max())) + durations.close(int(batch.slots_ns.max()))
    return [event for event in told if event.kind in finished.TOLD]


def seen_in_part(batch: Batch, limits: list[Limit]) -> list[Event]:
    record = FinishedRecord(limits)
    return [event for events in judged(batch, THREE, record, limits) for event in events]


@given(batches(), limit_sets())
def test_columns_that_are_passed_over_have_nothing_to_tell(batch: Batch, limits: list[Limit]) -> None:
    assert seen_in_part(batch, limits) == seen_in_full(batch, limits)


@st.composite
def long_courses(draw: st.DrawFn) -> tuple[Batch, list[Limit]]:
    """Some hundred scans about a slow wave, with spikes, bad samples, gaps and phases; windows of many scans, and levels near
    to what the statistics come to."""
    dice = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    scans, window = int(dice.integers(150, 500)), int(dice.integers(100, 180))
    noise = draw(st.sampled_from([0.0, 0.01, 1.0]))
    wave = np.sin(np.arange(scans)[:, None] / dice.integers(5, 90, 3)) * draw(st.sampled_from([0.0, 1.0, 20.0]))
    values = draw(st.sampled_from([0.0, 150.0, -1e6])) + wave + noise * dice.standard_normal((scans, 3))
    values[dice.random((scans, 3)) < 0.002] += 30.0
    if draw(st.booleans()):
        values[dice.random((scans, 3)) < 0.01] = np.nan
    steps = dice.choice([1, 2, 70], scans, p=[0.98, 0.015, 0.005]) if draw(st.booleans()) else np.ones(scans, np.int64)
    phases = np.cumsum(dice.random(scans) < draw(st.sampled_from([0.0, 0.01]))) % 2
    stamps = tuple(Stamp("B-1", ("Dose", "Hold")[phase]) for phase in phases.tolist())
    batch = Batch("R-1", "B-1", np.cumsum(steps) * SECOND_NS, values, stamps)
    limits = []
    for role, course in zip("abc", values.T, strict=True):
        good = course[~np.isnan(course)]
        middle, spread = float(good.mean()), float(good.std()) + 1e-6
        for statistic in draw(
            st.lists(st.sampled_from(["mean", "min", "max", "std", "slope"]), min_size=1, max_size=3, unique=True)
        ):
            reach = spread * draw(st.sampled_from([0.3, 1.0, 3.0, 30.0]))
            nor = {"std": [None, reach], "slope": [-reach, reach]}.get(statistic, [middle - reach, middle + reach])
            about = {"role": role, "statistic": statistic, "window_s": float(window), "nor": nor, "deadband": spread / 10}
            limits.append(
                Limit.model_validate(
                    {**about, "spans_phases": draw(st.booleans()), "min_coverage": draw(st.sampled_from([0.5, 0.95]))}
                )
            )
    return batch, limits


@settings(max_examples=15)
@given(long_courses())
def test_bounds_of_panes_pass_nothing_over_that_has_something_to_tell(course: tuple[Batch, list[Limit]]) -> None:
    assert seen_in_part(*course) == seen_in_full(*course)


def test_only_columns_that_leave_a_rolling_level_go_through_a_window() -> None:
    dice = np.random.default_rng(1)
    values = 100 + dice.standard_normal((400, 3))
    values[200:240, 1] += 5
    limits = [Limit.model_validate({"role": role, "statistic": "mean", "window_s": 100, "nor": [99, 101]}) for role in "abc"]
    batch = Batch("R-1", "B-1", np.arange(400) * SECOND_NS, values, (Stamp("B-1", "Dose"),) * 400)
    screen = screen_of(batch, limits)
    assert screen.loud.tolist() == [1]
    (rolled, _) = screen.rolled[100 * SECOND_NS]
    assert [(quiet.pane, quiet.columns.tolist()) for quiet in rolled.quiet] == [(4, [0, 2]), (1, [])]
    assert 0 < len(screen.due) < 200


def test_a_delay_of_a_rolling_statistic_runs_on_while_nothing_else_changes() -> None:
    about = {"role": "a", "statistic": "max", "window_s": 2, "nor": [None, 2.5], "deadband": 0.5}
    limits = [Limit.model_validate({**about, "on_delay_s": 4, "off_delay_s": 3})]
    values = np.full((24, 3), 1.0)
    values[4:14, 0] = [3.0, 3.0, *[2.25] * 8]
    batch = Batch("R-1", "B-1", np.arange(24) * SECOND_NS, values, (Stamp("B-1", "Dose"),) * 24)
    told = [event.slot_ns // SECOND_NS for event in seen_in_part(batch, limits)]
    assert told == [8, 18]
    assert seen_in_part(batch, limits) == seen_in_full(batch, limits)


def test_what_is_too_much_to_know_beforehand_is_judged_scan_by_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [Limit.model_validate({"role": "a", "statistic": "mean", "window_s": 3, "nor": [None, 2]})]
    values = np.array([[1.0, 1.0, 1.0]] * 5 + [[4.0, 1.0, 1.0]] * 5)
    batch = Batch("R-1", "B-1", np.arange(10) * SECOND_NS, values, (Stamp("B-1", "Dose"),) * 10)
    assert len(screen_of(batch, limits).due) < 10
    monkeypatch.setattr(rolling_screen, "MOST_BYTES", 10 * 5 * 8 - 1)
    assert (len(screen_of(batch, limits).due), seen_in_part(batch, limits)) == (10, seen_in_full(batch, limits))


def test_a_limit_on_the_duration_of_a_phase_lets_the_calm_be_passed_over() -> None:
    limits = [
        Limit.model_validate({"role": "b", "par": [1, 3]}),
        Limit.model_validate({"statistic": "duration", "alarm": {"h": 4}}),
    ]
    stamps = (Stamp("B-1", "Heat"),) * 3 + (Stamp("B-1", "Dose"),) * 8
    batch = Batch("R-1", "B-1", np.arange(11) * SECOND_NS, np.full((11, 3), 2.0), stamps)
    screen = screen_of(batch, limits)
    assert (screen.loud.tolist(), screen.due.tolist()) == ([0], [0, 3, 5, 8])
    told = [(event.slot_ns // SECOND_NS, event.body["to"]) for event in seen_in_part(batch, limits)]
    assert told == [(8, "outside"), (10, "ended")]


def test_a_long_window_begins_on_its_pane() -> None:
    scans, window = 7_500, 7_260
    values = 100 + np.random.default_rng(3).standard_normal((scans, 3))
    values[7_330:, 0] += 60
    rows = [("a", "mean", [99.9, 100.5]), ("b", "std", [None, 3]), ("c", "slope", [-1, 1])]
    limits = [Limit.model_validate({"role": r, "statistic": s, "window_s": window, "nor": nor}) for r, s, nor in rows]
    stamps = (Stamp("B-1", "Heat"),) * 50 + (Stamp("B-1", "Dose"),) * (scans - 50)
    batch = Batch("R-1", "B-1", np.arange(scans) * SECOND_NS, values, stamps)
    told = seen_in_part(batch, limits)
    changed = [(event.body["role"], event.body["to"]) for event in told if event.kind is EventKind.TRANSITION]
    assert changed == [("a", "outside"), ("a", "ended")]
    assert told == seen_in_full(batch, limits)


def test_a_delay_runs_on_within_the_deadband() -> None:
    limits = [Limit.model_validate({"role": "a", "alarm": {"h": 2.5}, "deadband": 0.5, "on_delay_s": 2})]
    values = np.full((12, 3), 2.25)
    values[4, 0] = 3.0
    batch = Batch("R-1", "B-1", np.arange(12) * SECOND_NS, values, (Stamp("B-1", "Dose"),) * 12)
    (told,) = (event for event in seen_in_part(batch, limits) if event.body["to"] == "outside")
    assert told.slot_ns == 6 * SECOND_NS
    assert seen_in_part(batch, limits) == seen_in_full(batch, limits)


@given(batches())
def test_deviations_and_expressions_of_a_finished_batch_are_judged_too(batch: Batch) -> None:
    limits = [
        Limit.model_validate({"role": "a", "sp_role": "b", "par": [-1, 1], "phase": "Dose"}),
        Limit.model_validate({"name": "sum", "expression": "a + b + c", "par": [None, 5]}),
        Limit.model_validate({"role": "a", "par": [None, 5]}),
    ]
    judge, relations, wanted = Judge(THREE, limits), Relations(limits), list[Event]()
    for slot_ns, row, stamp in zip(batch.slots_ns.tolist(), batch.values, batch.stamps, strict=True):
        wanted += judge.judge(scan_of(THREE, slot_ns, row), (stamp,)) + relations.judge(scan_of(THREE, slot_ns, row), (stamp,))
    for each in (judge, *(derived for _, derived in relations.judges)):
        wanted += each.close(int(batch.slots_ns.max()))
    record = FinishedRecord(limits)
    told = [event for events in judged(batch, THREE, record, limits) for event in events]
    assert told == [event for event in wanted if event.kind in finished.TOLD]
    excursions = {verdict.role: verdict.excursions for verdict in record.verdicts if verdict.excursions}
    closed = [(event.body["role"], event.body["statistic"]) for event in told if event.body.get("state") == "closed"]
    names = [f"{role} deviation" if statistic == "deviation" else role for role, statistic in closed]
    assert excursions == {name: names.count(name) for name in names}
    assert record.held >= set(limits[1:])


@given(batches(), limit_sets())
def test_counts_are_those_of_the_samples(batch: Batch, limits: list[Limit]) -> None:
    record = FinishedRecord(limits)
    for _ in judged(batch, THREE, record, limits):
        pass
    taken = [at for at in range(len(batch.values)) if at == 0 or batch.slots_ns[at] > batch.slots_ns[:at].max()]
    for at, role in enumerate(("a", "b", "c")):
        raw = {limit.phase: limit.par for limit in limits if limit.role == role and limit.statistic == "value"}
        rolling = {limit.phase for limit in limits if limit.role == role and limit.statistic != "value"}
        found = [verdict for verdict in record.verdicts if verdict.role == role]
        pars = [raw.get(batch.stamps[row].phase) or raw.get(None) for row in taken]
        limited = [row for row, par in zip(taken, pars, strict=True) if par or rolling & {None, batch.stamps[row].phase}]
        assert sum(each.scans for each in found) == len(limited)
        assert sum(each.good for each in found) == sum(not np.isnan(batch.values[row, at]) for row in limited)
        outside = [row for row, par in zip(taken, pars, strict=True) if par and _beyond(batch.values[row, at], par.low, par.high)]
        assert sum(each.outside for each in found) == len(outside)


def _beyond(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)


def test_what_is_calm_is_passed_over_and_a_bad_sample_is_not_calm() -> None:
    limits = [Limit.model_validate({"role": role, "par": [1, 3]}) for role in ("a", "b", "c")]
    values = np.full((11, 3), 2.0)
    values[4, 1], values[7, 2], values[8, 0] = np.nan, 3.5, 3.0
    batch = Batch("R-1", "B-1", np.arange(11) * SECOND_NS, values, (Stamp("B-1", "Heat"),) * 2 + (Stamp("B-1", "Dose"),) * 9)
    screen = screen_of(batch, limits)
    assert screen.loud.tolist() == [1, 2]
    assert screen.due.tolist() == [0, 2, 4, 5, 7, 8]
    assert [screen.next_due(at) for at in (0, 5, 8)] == [2, 7, 11]
