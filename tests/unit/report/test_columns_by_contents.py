"""Columns that no list of names knows: what can be meant in one way only is read so and told; all else is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from collector.__main__ import app


def judge(folder: Path, record: str | bytes, limits: str = "tag,low,high\nP,60,70\n", *words: str) -> Result:
    (folder / "d.csv").write_bytes(record.encode() if isinstance(record, str) else record)
    (folder / "limits.csv").write_text(limits, "utf-8")
    asked = ["judge", "--data", str(folder / "d.csv"), "--limits", str(folder / "limits.csv"), "--json", *words]
    return CliRunner().invoke(app, asked, env={"COLUMNS": "300"})


def counts(result: Result) -> dict[str, tuple[int, int, float]]:
    """By batch: runs, samples and seconds above the upper limit of P."""
    assert result.exit_code in (0, 1), result.output
    told: dict[str, Any] = json.loads(result.stdout)
    high = [each for each in told["violations"] if each["rule"] == "PAR high"]
    return {each["batch"]: (each["runs"], each["samples"], each["duration_s"]) for each in high}


ONE = {"d": (2, 2, 60.0)}
TWO = {"1": (1, 1, 1.0), "2": (1, 2, 1.0)}


@pytest.mark.parametrize(
    ("record", "found", "told"),
    [
        ("Horodatage,P\n2026-01-01 00:01,75\n2026-01-01 00:00,65\n2026-01-01 00:02,65\n2026-01-01 00:03,75\n", ONE, "Horodatage"),
        (
            "Q,Start,Moment,P\n"
            + "".join(f"{n}.5,2026-01-01 00:00,2026-01-01 00:0{n},{value}\n" for n, value in enumerate((65, 75, 65, 75))),
            ONE,
            "time from column Moment",
        ),
        (
            "Date,Time,P\n20260101,235900,65\n20260102,000000,75\n20260102,000100,65\n20260102,000200,75\n",
            ONE,
            "date from column",
        ),
        ("t,P\n0,65\n60,75\n120,65\n180,75\n", ONE, "time from column t"),
        ("Minutes,tag,value\n0,P,65\n0,Q,1\n1,P,75\n1,Q,1\n2,P,65\n3,P,75\n", ONE, "time from column Minutes"),
        ("T,P\n20,75\n21,75\n22,75\n", {"d": (1, 3, 2.0)}, "passed over, no limit names them: T"),
        ("t,P\n20,75\n19,65\n20,75\n", {"d": (2, 2, 1.0)}, "passed over, no limit names them: t"),
        ("P,total\n75,123456789\n75,123456790\n75,123456791\n", {"d": (1, 3, 2.0)}, "no time column"),
        (
            "fault,simulationRun,sample,P\n0,1,1,65\n0,1,2,75\n0,1,3,65\n0,2,1,75\n0,2,2,75\n",
            TWO,
            "batch from column simulationRun, time from column sample",
        ),
        (",P\n0,65\n1,75\n2,65\n0,75\n1,75\n", {f"d-{name}": each for name, each in TWO.items()}, "begins anew on line 5"),
        ("sample,P\n1,65\n2,75\n5,65\n", {"d": (1, 1, 3.0)}, "counts of rows, taken as 1 s apart"),
        ("Heater,P\n0,75\n1,75\n1,75\n0,65\n", {"d": (1, 3, 3.0)}, "passed over, no limit names them: Heater"),
        ("SP [bar],P\n1,75\n1,75\n2,75\n2,65\n", {"d": (1, 3, 3.0)}, "passed over, no limit names them: SP [bar]"),
        ("phase,P\nA,75\nA,75\nB,75\nB,65\n", {"d": (1, 3, 3.0)}, "'phase' is not used"),
        ("time,P,Status\n0,75,Good\n1,75,Bad\n2,65,Good\n", {"d": (1, 1, 2.0)}, "status of each row from column 'Status'"),
        ("batch,time,P\n1,0,75\n,1,75\n", {"1": (1, 1, 0.0), "": (1, 1, 0.0)}, "1 row names no batch, the first on line 3"),
        ("time,tag,value,unit\n0,P,75,bar\n0,Q,1,mg O2/L\n1,P,65,bar\n", {"d": (1, 1, 1.0)}, "no limit names them: unit"),
        ("lot,P,Quality\nA,75,Good\nA,65,Good\nB,75,Bad\n", {"A": (1, 1, 1.0), "B": (1, 1, 0.0)}, "passed over, no limit names"),
        ("time,P,Status\n0,75,Running\n1,75,Bad\n2,65,Good\n", {"d": (1, 2, 2.0)}, "passed over, no limit names them: Status"),
        ("time,P\n0,75\n1,75\ntime,P\n2,65\n", {"d": (1, 2, 2.0)}, "the header stands again on line 4"),
        ("sep=;\ntime;P\n0;75\n1;75\n2;65\n\nEnd of report\n", {"d": (1, 2, 2.0)}, "1 line behind the table passed over"),
        ("time;P [°C]\n0;75\n1;65\n".encode("cp1252"), {"d": (1, 1, 1.0)}, "is not UTF-8: letters beyond ASCII read as cp1252"),
        ("time;P\n0;75\n1;65\n".encode("utf-16-le"), {"d": (1, 1, 1.0)}, "time from column time"),
        ("time;P\n0;75\n1;\u201375\n", {"d": (1, 1, 1.0)}, "time from column time"),
    ],
)
def test_what_can_be_meant_in_one_way_only(
    tmp_path: Path, record: str | bytes, found: dict[str, tuple[int, int, float]], told: str
) -> None:
    result = judge(tmp_path, record)
    assert counts(result) == found
    assert told in result.stderr


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ("Q,Start,End,P\n" + "".join(f"1,2026-01-01 00:0{n},2026-01-01 00:1{n},65\n" for n in range(4)), "both hold dates"),
        ("fault,simulationRun,sample,P\n" + "".join(f"{f},1,{n},65\n" for f in (0, 1) for n in (1, 2, 3)), "as LINE,RUN"),
        ("time,P\n0,65\n1,>100\n", "column P: '>100' is no number"),
        ('[{"time": 0, "P": 65}]', "d.csv:1: is JSON, no table: export it as CSV"),
        ("time,P\n0,65\n1,(5)\n", "column P: '(5)' is no number"),
        ("batch,time,P\n1,0,65\n,1,75\n,2,75\n2,0,75\n,1,65\n", "the time of the rows that name no batch begins anew here"),
        ("time,P\n0,65\n0,75\n0,76\n", "have the time of another row and other values"),
        ("time,P °C\n0,65\n".encode() + b"1,75\xb0\n", "byte 0xB0 is not UTF-8"),
    ],
)
def test_what_can_be_meant_in_two_ways_is_asked_for(tmp_path: Path, record: str | bytes, told: str) -> None:
    result = judge(tmp_path, record)
    assert (result.exit_code, told in result.stderr) == (2, True), result.output


def test_several_columns_may_name_the_batch(tmp_path: Path) -> None:
    record = "fault,simulationRun,sample,P\n" + "".join(f"{f},1,{n},{75 + n}\n" for f in (0, 1) for n in (1, 2, 3))
    assert counts(judge(tmp_path, record, "tag,high\nP,76\n", "--batch-column", "fault,simulationRun", "--period", "3min")) == {
        "0, 1": (1, 2, 180.0),
        "1, 1": (1, 2, 180.0),
    }


PHASES = "tag,phase,low,high\nP,Heat,,80\nP,Dose,60,70\n"


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ("RecipeState,P\nHeat,75\nDose,75\nDose,65\n", "phase from column RecipeState"),
        ("phase,P\nHEAT,75\ndose,75\ndose,65\n", "phase 'HEAT' as 'Heat', 'dose' as 'Dose'"),
        ("phase,step name,P\n1,Heat,75\n2,Dose,75\n2,Dose,65\n", "phase from column step name"),
    ],
)
def test_phases_are_found_by_what_limits_call_them(tmp_path: Path, record: str, told: str) -> None:
    result = judge(tmp_path, record, PHASES)
    found = json.loads(result.stdout)["violations"]
    assert [(each["level"], each["phases"], each["runs"]) for each in found if each["rule"] == "PAR high"] == [
        (80, ["Heat"], 0),
        (70, ["Dose"], 1),
    ]
    assert told in result.stderr


def test_phases_that_are_numbers_are_so_however_they_are_written(tmp_path: Path) -> None:
    result = judge(tmp_path, "phase,P\n1.0,75\n2.0,75\n2.0,65\n", "tag,phase,high\nP,1,80\nP,2,70\n")
    assert [each["runs"] for each in json.loads(result.stdout)["violations"]] == [0, 1]
    assert "phase '1.0' as '1', '2.0' as '2'" in result.stderr


def test_phases_are_not_guessed_at(tmp_path: Path) -> None:
    result = judge(tmp_path, "now,next,P\nHeat,Dose,75\nDose,Dose,75\n", PHASES)
    assert (result.exit_code, "columns 'now' and 'next' both hold phases" in result.stderr) == (2, True)
    result = judge(tmp_path, "phase,P\nHeat,75\nHEAT,75\n", "tag,phase,low,high\nP,Heat,,70\n")
    assert counts(result) == {"d": (1, 1, 1.0)}, "a phase that is there as it is called is no other one"


def test_what_is_not_about_samples_has_no_count_of_them(tmp_path: Path) -> None:
    record = "time,P\n" + "".join(f"{n},{60 + n / 10}\n" for n in range(200))
    result = judge(tmp_path, record, "tag,statistic,window_s,nor_high\nP,slope,60,3\n", "--counts", str(tmp_path / "counts.csv"))
    told = json.loads(result.stdout)
    for each in (told["violations"][0], told["totals"][0]):
        assert (each["runs"], each["samples"], each["left"]) == (None, None, 1)
    assert (tmp_path / "counts.csv").read_text("utf-8").splitlines()[1].startswith(",d,P,slope,60.0,NOR high,3.0,,,,140.0,,,1")


def test_what_every_limit_names_is_that_of_a_file_that_tells_none(tmp_path: Path) -> None:
    record = "batch,time,P\n1,0,65\n1,1,75\n"
    limits = "reactor,product,recipe,tag,low,high\nR-1,A,2.0,P,60,70\n"
    result = judge(tmp_path, record, limits)
    assert counts(result) == {"1": (1, 1, 0.0)}
    assert json.loads(result.stdout)["violations"][0]["unit"] == "R-1"
    assert "taken as of unit R-1, product A, recipe version 2.0" in result.stderr
    told = judge(tmp_path, "batch,product,time,P\n1,B,0,65\n1,B,1,75\n", limits)
    assert (told.exit_code, "a limit never held: role P (product A" in told.stderr) == (1, True)
    several = judge(tmp_path, record, "product,tag,low,high\nA,P,60,70\nB,P,60,80\n")
    assert (several.exit_code, "taken as of" in several.stderr) == (1, False)
