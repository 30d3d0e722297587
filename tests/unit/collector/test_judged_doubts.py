"""A finished record is doubted as the daemon doubts: a CSV file by the same rules, a journal by the status it has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from collector.__main__ import app
from collector.acquire.clock import PlantClock
from collector.batch.context import ContextTracker
from collector.monitor.judge import Judge
from collector.monitor.plausibility.plausibility import plausibility_of
from collector.recorder import Recorder
from collector.report.doubted import Doubts
from collector.report.finished import FinishedRecord, judged, scan_of
from collector.report.recording import Batch
from collector.show.live import Live
from collector.store.journal import Journal
from collector.terms import Event, EventKind, Stamp
from config.load import load
from config.model import Plant
from drivers.base import Scan, quality_of, scan_groups

START_NS = 1_795_421_700_000_000_000
SECOND_NS = 1_000_000_000
PLANT = """\
site: Basel
units: {R-1: {}}
endpoints:
  plc:
    url: opc.tcp://h
    devices:
      D:
        unit: R-1
        tags:
          T:
            address: i=1
            role: t
            range: [0, 200]
            plausible: {spike: 20, rate_per_min: 3000, agrees_with: T2, within: 4, for_s: 2}
          T2: {address: i=2, role: t2}
          P: {address: i=3, role: p, plausible: {flat_s: 3}}
limits:
  - {role: t, par: [60, 70], nor: [62, 68], alarm: {hh: 90}}
  - {role: t, statistic: mean, window_s: 3, nor: [null, 69]}
  - {role: p, par: [null, 2]}
"""
Row = tuple[float | None, float | None, float | None]


@dataclass
class Judged:
    """What was found, by the daemon or afterwards."""

    doubts: list[tuple[object, ...]]
    others: list[tuple[object, ...]]
    excursions: list[tuple[object, ...]]
    told: str = ""


def told_of(folder: Path, record: Path) -> Judged:
    result: Result = CliRunner().invoke(
        app, ["judge", "--data", str(record), "--limits", str(folder / "plant.yaml"), "--json"], env={"COLUMNS": "300"}
    )
    assert result.exit_code in (0, 1), result.output
    found: dict[str, Any] = json.loads(result.stdout)
    transitions = [(each["slot_ns"], *(each[name] for name in NAMES)) for each in found["transitions"]]
    excursions = [(each["first_ns"], each["peak"], each["area"]) for each in found["excursions"]]
    return _sorted(transitions, excursions, result.stderr)


NAMES = ("role", "statistic", "rule", "to", "value", "level")


def _sorted(transitions: Sequence[tuple[object, ...]], excursions: Sequence[tuple[object, ...]], told: str = "") -> Judged:
    doubts = sorted(each for each in transitions if str(each[3]).startswith("implausible"))
    others = sorted((each for each in transitions if each not in doubts), key=str)
    return Judged(doubts, others, sorted(excursions), told)


def written(folder: Path, rows: Sequence[Row]) -> Path:
    """The rows as CSV, and the plant file beside it."""
    (folder / "plant.yaml").write_text(PLANT, "utf-8")
    lines = ["time,T,t2,p"]
    for at, row in enumerate(rows):
        time = datetime.fromtimestamp(START_NS // SECOND_NS + at, UTC)
        lines.append(f"{time:%Y-%m-%dT%H:%M:%SZ}," + ",".join("" if value is None else repr(value) for value in row))
    path = folder / "B-1.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def collected(folder: Path, rows: Sequence[Row]) -> Judged:
    """By the daemon's recorder, into a journal in `folder`."""
    (folder / "plant.yaml").write_text(PLANT, "utf-8")
    plant, told = load(folder / "plant.yaml"), list[Event]()
    (folder / "journal").mkdir()
    layout = scan_groups(plant.endpoints[0])[0].layout
    live = Live()
    live.listeners.append(lambda what: told.append(what) if isinstance(what, Event) else None)
    with closing(Journal(folder)) as journal:
        clock = PlantClock(wall_ns=lambda: START_NS, monotonic_ns=lambda: 0)
        recorder = Recorder(plant, journal, ContextTracker(plant), live, clock, lambda: None)
        recorder.tell(Event(EventKind.DAEMON, START_NS - 1, body={"state": "started"}))
        for at, row in enumerate(rows):
            codes = np.array([0x8031_0000 if value is None else 0 for value in row], np.uint32)
            values = np.array([np.nan if value is None else value for value in row])
            slot_ns = START_NS + at * SECOND_NS
            recorder.take(Scan(layout, slot_ns, slot_ns, values, codes, quality_of(codes)))
        asyncio.run(recorder.commit())
        shown = list(told)
        recorder.close = asyncio.sleep  # type: ignore[method-assign, assignment]
    transitions = [(each.slot_ns, *(each.body[name] for name in NAMES)) for each in shown if each.kind is EventKind.TRANSITION]
    closed = [each.body for each in shown if each.kind is EventKind.EXCURSION and each.body["state"] == "closed"]
    return _sorted(transitions, [(body["first_ns"], body["peak"], body["area"]) for body in closed])


ODD: list[Row] = [
    (65.0, 65.5, 1.0), (65.2, 65.4, 1.1), (110.0, 65.4, 1.1), (65.1, 65.3, 1.1), (71.0, 71.0, 1.1), (72.0, 71.5, 1.2),
    (250.0, 71.5, 1.2), (71.5, 71.0, 1.2), (None, 70.0, 2.5), (66.0, 66.0, 2.5), (66.0, 60.0, 2.5), (66.0, 60.0, 2.5),
    (66.0, 60.0, 2.5), (66.0, 60.0, 1.0), (66.0, 66.0, 1.0), (66.0, 66.0, 1.1), (66.0, 66.1, 1.2),
]  # fmt: skip


def test_a_csv_file_is_doubted_as_the_daemon_would_have(tmp_path: Path) -> None:
    found = told_of(tmp_path, written(tmp_path, ODD))
    online = tmp_path / "online"
    online.mkdir()
    daemon = collected(online, ODD)
    assert (found.doubts, found.others, found.excursions) == (daemon.doubts, daemon.others, daemon.excursions)
    assert {rule for _, _, _, rule, *_ in found.doubts} == {
        f"implausible {what}" for what in ("spike", "range", "flat line", "difference")
    }
    assert (
        "batch B-1: 4 samples of t doubted, so not judged: implausible spike 1, implausible range 1, implausible difference 2"
        in found.told
    )
    offline = told_of(online, online)
    assert offline.doubts == [], "the journal has the daemon's own"
    assert (offline.others, offline.excursions) == (daemon.others, daemon.excursions)


VALUES = st.none() | st.sampled_from([61.0, 65.0, 65.5, 66.0, 71.0, 72.0, 95.0, 230.0])
ROWS = st.lists(st.tuples(VALUES, VALUES, st.sampled_from([None, 1.0, 1.5, 2.5])), min_size=1, max_size=25)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    path = tmp_path_factory.mktemp("plant") / "plant.yaml"
    path.write_text(PLANT, "utf-8")
    return load(path)


@given(ROWS)
@settings(deadline=None)
def test_a_batch_is_judged_as_scan_by_scan(plant: Plant, rows: list[Row]) -> None:
    layout = scan_groups(plant.endpoints[0])[0].layout
    values = np.array([[np.nan if value is None else value for value in row] for row in rows])
    slots_ns = START_NS + np.arange(len(rows)) * SECOND_NS
    batch = Batch("R-1", "B-1", slots_ns, values, (Stamp("B-1"),) * len(rows))
    record, doubted = FinishedRecord(plant.limits), Doubts(plant).of(batch, layout)
    offline = [*doubted.events, *(event for events in judged(doubted.batch, layout, record, plant.limits) for event in events)]
    plausibility, judge, online = plausibility_of(plant), Judge(layout, plant.limits), list[Event]()
    for slot_ns, row in zip(slots_ns.tolist(), values, strict=True):
        scan, doubts = plausibility.examine(scan_of(layout, slot_ns, row))
        online += [*(doubt.event(Stamp("B-1")) for doubt in doubts), *judge.judge(scan, (Stamp("B-1"),))]
    assert _found(offline) == _found([*online, *judge.close(int(slots_ns[-1]))])


def _found(events: Iterable[Event]) -> list[str]:
    """What is told of limits and doubts."""
    kept = [each for each in events if each.kind in (EventKind.TRANSITION, EventKind.EXCURSION)]
    return sorted(f"{each.slot_ns} {dict(each.body)}" for each in kept)
