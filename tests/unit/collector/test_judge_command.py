"""`reactorwatch judge` as it is typed: what is told, and by which exit code."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path

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
from drivers.base import Scan
from tests.fakes import endpoint_of
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout, scan

BATCHES = """\
batch_id,phase,TT,PT
1,Heat,20,1
1,Heat,75,1
1,Dose,66,1
1,Dose,72,
1,Dose,71,1
1,Dose,69,1
2,Heat,50,1
2,Heat,51,Bad
"""
LIMITS = "- {role: TT, phase: Dose, par: [60, 70]}\n- {role: TT, phase: Heat, par: [0, 80]}\n- {role: PT, alarm: {h: 2}}\n"


def judge(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["judge", *map(str, words)], env={"COLUMNS": "300"})


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    record, limits = tmp_path / "batches.csv", tmp_path / "limits.yaml"
    record.write_text(BATCHES, "utf-8")
    limits.write_text(LIMITS, "utf-8")
    return record, limits


def test_batches_of_a_csv_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    record, limits = files
    result = judge("--data", record, "--limits", limits, "-o", tmp_path / "found.csv")
    assert result.exit_code == 1
    (*table, last) = result.stdout.splitlines()
    blank = table.index("")
    table, violations = table[:blank], [line.split() for line in table[blank + 1 : -1]]
    assert [line.split()[:4] for line in table[1:]] == [["1", "TT", "1", "2"], ["1", "PT", "0", "0"], ["2", "PT", "0", "0"]]
    assert "2 s" in table[1] and "PAR high 1x" in table[1] and table[1].endswith("100 %")
    assert table[2].endswith("83.33 %, 1 s not evaluable")
    assert violations == [
        ["role", "limit", "phase", "batches", "runs", "samples", "time", "worst", "left"],
        ["TT", "PAR", "high", "70", "Dose", "1", "1", "2", "2", "s", "72", "1x"],
        ["TT", "excursions", "1", "1", "2", "2", "s", "72"],
    ]
    assert last == "2 batches, 1 excursion, rules left 1 time; 3 of 4 trends (one role in one batch) stayed inside all limits"
    assert "batch from column batch_id, phase from column phase, period 1 s" in result.stderr
    assert "column PT: 1 cell is no number ('Bad' 1x), the first on line 9: bad samples" in result.stderr
    with (tmp_path / "found.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    excursion = found[0]
    assert {key: excursion[key] for key in ("kind", "batch", "phase", "role", "first", "last", "duration_s", "peak", "area")} == {
        "kind": "excursion",
        "batch": "1",
        "phase": "Dose",
        "role": "TT",
        "first": "3.0",
        "last": "5.0",
        "duration_s": "2.0",
        "peak": "72.0",
        "area": "2.0",
    }
    assert [(row["rule"], row["to"]) for row in found[1:] if row["role"] == "TT"] == [
        ("PAR high", "outside"),
        ("PAR high", "inside"),
    ]


def test_how_often_each_limit_was_violated_as_csv(files: tuple[Path, Path], tmp_path: Path) -> None:
    judge("--data", files[0], "--limits", files[1], "--counts", tmp_path / "counts.csv")
    with (tmp_path / "counts.csv").open(newline="", encoding="utf-8") as file:
        found = {(row["batch"], row["role"], row["rule"]): row for row in csv.DictReader(file)}
    assert [key for key, row in found.items() if row["runs"] != "0"] == [("1", "TT", "PAR high")]
    of = found["1", "TT", "PAR high"]
    named = ("level", "phases", "runs", "samples", "duration_s", "worst", "worst_time", "left")
    assert [of[name] for name in named] == ["70.0", "Dose", "1", "2", "2.0", "72.0", "3.0", "1"]


def test_for_machines(files: tuple[Path, Path]) -> None:
    result = judge("--data", files[0], "--limits", files[1], "--json")
    told = json.loads(result.stdout)
    assert [(each["batch"], each["role"], each["first_ns"]) for each in told["excursions"]] == [("1", "TT", 3 * SECOND_NS)]
    verdicts = {(each["batch"], each["role"]): each for each in told["verdicts"]}
    assert (verdicts["1", "TT"]["samples_outside"], verdicts["1", "TT"]["rules_left"]) == (2, {"PAR high": 1})
    assert (verdicts["1", "PT"]["good"], verdicts["1", "PT"]["not_evaluable_s"]) == (5, 1.0)
    assert (verdicts["2", "TT"]["low"], verdicts["2", "TT"]["high"]) == (50.0, 51.0)


def test_inside_is_exit_0(files: tuple[Path, Path]) -> None:
    assert judge("--data", files[0], "--limits", files[1], "--batch", "2").exit_code == 0
    assert judge("--data", files[0], "--limits", files[1], "--batch", "1").exit_code == 1


def test_a_limit_that_never_held_is_told_and_judging_nothing_is_no_success(files: tuple[Path, Path]) -> None:
    files[1].write_text("- {role: TT, phase: Cool, par: [60, 70]}\n", "utf-8")
    result = judge("--data", files[0], "--limits", files[1])
    assert result.exit_code == 1
    assert "a limit never held: role TT (phase Cool), value" in result.stderr
    assert "nothing could be judged" in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--batch", "3"], "has no batch 3"),
        (["--time-column", "clock"], "batches.csv:1: no column 'clock'"),
        (["--from", "2026-11-23"], "the times of this one are seconds"),
        (["--from", "2026-11-23", "--to", "2026-11-22"], "is not before --to"),
        (["--period", "soon"], "is no span of time"),
    ],
)
def test_wrong_input(files: tuple[Path, Path], words: list[str], told: str) -> None:
    result = judge("--data", files[0], "--limits", files[1], *words)
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize("row", ["role: TT, sp_role: SP", "name: lead, expression: abs(TT - SP)"])
def test_limits_on_several_columns_have_all_they_are_made_of(tmp_path: Path, row: str) -> None:
    record, limits = tmp_path / "batch.csv", tmp_path / "limits.yaml"
    record.write_text("time,TT,SP\n0,65,65\n1,68,65\n2,68,65\n3,65,65\n4,65,65\n", "utf-8")
    limits.write_text(f"- {{{row}, par: [-1, 1]}}\n- {{role: TT, par: [60, 70]}}\n", "utf-8")
    result = judge("--data", record, "--limits", limits, "--json")
    assert result.exit_code == 1
    (closed,) = (each for each in json.loads(result.stdout)["excursions"] if each["ended"])
    assert (closed["peak"], closed["duration_s"]) == (3.0, 2.0)
    assert "never held" not in result.stderr and "passed over" not in result.stderr


def test_faults_of_either_file_have_their_line(files: tuple[Path, Path]) -> None:
    record, limits = files
    limits.write_text("- {role: TT, par: [70, 60]}\n", "utf-8")
    result = judge("--data", record, "--limits", limits)
    assert result.exit_code == 2
    assert "limits.yaml:1:" in result.stderr
    assert "low 70 is not below high 60" in result.stderr
    limits.write_text(LIMITS, "utf-8")
    record.write_text("batch_id,TT\n1,2\n1,2,3\n", "utf-8")
    result = judge("--data", record, "--limits", limits)
    assert (result.exit_code, "batches.csv:3: has 3 cells" in result.stderr) == (2, True)
    missing = judge("--data", record.with_name("none.csv"), "--limits", limits)
    assert (missing.exit_code, "none.csv is not there" in missing.stderr) == (2, True)
    empty = judge("--data", record.parent, "--limits", limits)
    assert (empty.exit_code, "there is no journal here" in empty.stderr) == (2, True)


# --- a data folder

PLANT_FILE = """
site: Basel
endpoints:
  plc: {url: "modbus://127.0.0.1:502", devices: {plc: {unit: R-201, tags: {
    TEMPERATURE: {address: "holding:0", type: float32, role: temperature}}}}}
units: {R-201: {}}
limits:
  - {role: temperature, par: [60, 70]}
"""
REACTOR = layout(column("temperature"), column("batch_id", Kind.TEXT))


def reactor(slot: int, temperature: float, batch: str) -> Scan:
    return scan(REACTOR, [temperature, batch], SLOT_NS + slot * SECOND_NS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """B-1 has one excursion, B-2 is inside, B-3 runs and has one that is open."""
    plant = Plant.model_validate({"site": "Basel", "endpoints": (endpoint_of({"plc": {"main": 1.0}}),), "units": {"R-201": {}}})
    (tmp_path / "journal").mkdir()
    journal = Journal(tmp_path)
    clock = PlantClock(wall_ns=lambda: SLOT_NS, monotonic_ns=lambda: 0)
    recorder = Recorder(plant, journal, ContextTracker(plant), Live(), clock, lambda: None)
    courses = {"B-1": [65.0, 75.0, 65.0, 65.0], "": [20.0], "B-2": [65.0, 66.0], "B-3": [65.0, 71.0]}
    at = 0
    for batch, course in courses.items():
        for temperature in course:
            recorder.take(reactor(at, temperature, batch))
            at += 1
    assert asyncio.run(recorder.close())
    journal.close()
    (tmp_path / "plant.yaml").write_text(PLANT_FILE, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "peaks"),
    [
        ([], 1, [75.0, 20.0, 71.0]),
        (["--batch", "B-1"], 1, [75.0]),
        (["--batch", "B-2"], 0, []),
        (["--batch", "B-3"], 1, [71.0]),
        (["--from", "2024-11-22T10:06:47Z"], 1, [71.0]),
    ],
)
def test_batches_of_a_data_folder(folder: Path, words: list[str], code: int, peaks: list[float]) -> None:
    result = judge("--data", folder, "--limits", folder / "plant.yaml", "--json", *words)
    told = json.loads(result.stdout)
    assert [each["peak"] for each in told["excursions"]] == peaks
    assert all(each["time"].startswith("2024-11-22T") for each in told["excursions"])
    assert result.exit_code == code


def test_what_a_data_folder_does_not_have(folder: Path) -> None:
    unknown = judge("--data", folder, "--limits", folder / "plant.yaml", "--batch", "B-4")
    assert (unknown.exit_code, "knows no batch B-4; did you mean" in unknown.stderr) == (2, True)
    unit = judge("--data", folder, "--limits", folder / "plant.yaml", "--unit", "R-2")
    assert (unit.exit_code, "knows no unit R-2" in unit.stderr) == (2, True)
    period = judge("--data", folder, "--limits", folder / "plant.yaml", "--period", "1s")
    assert (period.exit_code, "are for CSV files" in period.stderr) == (2, True)
