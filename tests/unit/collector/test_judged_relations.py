"""`reactorwatch judge` with limits on deviations and expressions alone: counts, coverage and exit codes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from collector.__main__ import app
from collector.acquire.clock import PlantClock
from collector.batch.context import ContextTracker
from collector.recorder import Recorder
from collector.show.live import Live
from collector.store.journal import Journal
from config.model import Plant
from config.tags import Kind
from drivers.base import Status
from tests.fakes import endpoint_of
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout, scan

ROWS = {"TT deviation": "role: TT, sp_role: SP", "lead": "name: lead, expression: TT - SP"}
Course = list[tuple[float | None, float | None]]
INSIDE: Course = [(65.0, 65.0), (65.5, 65.0), (66.0, 65.0), (64.0, 65.0)]
LEFT: Course = [(65.0, 65.0), (68.0, 65.0), (67.0, 65.0), (None, 65.0), (65.0, 65.0), (66.5, 65.0), (65.0, 65.0), (65.0, None)]


def judge(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["judge", *map(str, words)], env={"COLUMNS": "300"})


def judged(record: Path, limits: Path, *words: str) -> tuple[int, dict[str, Any], dict[str, dict[str, Any]]]:
    """Exit code, the one verdict, and the counts by rule."""
    result = judge("--data", record, "--limits", limits, "--json", *words)
    told = json.loads(result.stdout)
    (verdict,) = told["verdicts"]
    return result.exit_code, verdict, {each["rule"]: each for each in told["violations"]}


def plainly(course: Course, high: float) -> tuple[int, int, float, float]:
    """Samples, runs, seconds of 1 s each up to the next good sample, and the worst, above `high`."""
    good = [(at, tt - sp) for at, (tt, sp) in enumerate(course) if tt is not None and sp is not None]
    beyond = [at for at, lead in good if lead > high]
    before = dict(zip([at for at, _ in good[1:]], [lead for _, lead in good], strict=False))
    runs = sum(before.get(at, high) <= high for at in beyond)
    seconds = sum(min(later for later, _ in good if later > at) - at for at in beyond)
    return len(beyond), runs, float(seconds), max((lead for _, lead in good), default=0.0)


def written(folder: Path, course: Course, row: str) -> tuple[Path, Path]:
    record, limits = folder / "batch.csv", folder / "limits.yaml"
    lines = [f"{at},{'' if tt is None else tt},{'' if sp is None else sp}" for at, (tt, sp) in enumerate(course)]
    record.write_text("\n".join(["time,TT,SP", *lines]), "utf-8")
    limits.write_text(f"- {{{row}, par: [-1, 1]}}\n", "utf-8")
    return record, limits


@pytest.mark.parametrize("role", ROWS)
def test_a_csv_file_that_is_inside(tmp_path: Path, role: str) -> None:
    code, verdict, counts = judged(*written(tmp_path, INSIDE, ROWS[role]))
    assert code == 0
    assert (verdict["role"], verdict["samples"], verdict["good"], verdict["coverage"]) == (role, 4, 4, 1.0)
    assert (verdict["low"], verdict["high"], verdict["excursions"]) == (-1.0, 1.0, 0)
    assert {(each["runs"], each["samples"], each["duration_s"]) for each in counts.values()} == {(0, 0, 0.0)}


@pytest.mark.parametrize("role", ROWS)
def test_a_csv_file_that_is_not(tmp_path: Path, role: str) -> None:
    code, verdict, counts = judged(*written(tmp_path, LEFT, ROWS[role]))
    samples, runs, seconds, worst = plainly(LEFT, 1.0)
    assert (code, samples, runs, seconds, worst) == (1, 3, 2, 4.0, 3.0)
    high = counts["PAR high"]
    assert (high["samples"], high["runs"], high["duration_s"], high["worst"]) == (samples, runs, seconds, worst)
    assert (high["worst_time"], high["left"]) == ("1.0", 2)
    assert (verdict["samples_outside"], verdict["samples"], verdict["good"], verdict["coverage"]) == (3, 8, 6, 0.75)
    assert (verdict["not_evaluable_s"], verdict["low"], verdict["high"]) == (2.0, 0.0, 3.0)


@pytest.mark.parametrize("role", ROWS)
def test_a_relation_that_is_never_known_is_no_success(tmp_path: Path, role: str) -> None:
    record, limits = written(tmp_path, [(65.0, None), (None, 65.0), (65.0, None)], ROWS[role])
    result = judge("--data", record, "--limits", limits)
    assert (result.exit_code, "nothing could be judged" in result.stderr) == (1, True)
    assert "0.00 %, 3 s not evaluable" in result.stdout


REACTOR = layout(column("TT"), column("batch_id", Kind.TEXT))
SETPOINT = layout(column("SP"), group="setpoint")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Batch B-1 is inside, B-2 not; the setpoint is of another scan group, and of this one some samples are bad."""
    plant = Plant.model_validate({"site": "Basel", "endpoints": (endpoint_of({"plc": {"main": 1.0}}),), "units": {"R-201": {}}})
    (tmp_path / "journal").mkdir()
    journal = Journal(tmp_path)
    clock = PlantClock(wall_ns=lambda: SLOT_NS, monotonic_ns=lambda: 0)
    recorder = Recorder(plant, journal, ContextTracker(plant), Live(), clock, lambda: None)
    rows = [("B-1", *row) for row in INSIDE] + [("B-2", *row) for row in LEFT[:-1]]
    for at, (batch, tt, _) in enumerate([*rows, ("", 65.0, 65.0)]):
        slot_ns = SLOT_NS + at * SECOND_NS
        recorder.take(scan(SETPOINT, [65.0], slot_ns))
        status = [Status.BAD_NO_DATA if tt is None else 0, 0]
        recorder.take(scan(REACTOR, [tt or 0.0, batch], slot_ns, status=status))
    assert asyncio.run(recorder.close())
    journal.close()
    return tmp_path


@pytest.mark.parametrize("role", ROWS)
def test_a_data_folder(folder: Path, role: str) -> None:
    limits = folder / "limits.yaml"
    limits.write_text(f"- {{{ROWS[role]}, par: [-1, 1]}}\n", "utf-8")
    code, verdict, _ = judged(folder, limits, "--batch", "B-1")
    assert (code, verdict["role"], verdict["good"], verdict["samples"]) == (0, role, len(INSIDE), len(INSIDE))
    code, verdict, counts = judged(folder, limits, "--batch", "B-2")
    samples, runs, seconds, worst = plainly(LEFT[:-1], 1.0)
    high = counts["PAR high"]
    assert (high["samples"], high["runs"], high["duration_s"], high["worst"]) == (samples, runs, seconds, worst)
    assert (code, verdict["samples_outside"], verdict["good"], verdict["samples"]) == (1, samples, 6, 7)
