"""`archive` and what reads an archive, as they are typed: words, JSON and exit codes."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from collector.__main__ import app
from collector.store.registry import Registry
from tests.unit.archive.archived import days_of, record

DAYS = ["2024-11-22", "2024-11-23"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "300"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return record(tmp_path / "data", days=3)


@pytest.fixture
def to(data: Path, tmp_path: Path) -> Path:
    """An archive of it."""
    folder = tmp_path / "archive"
    told = run("archive", folder, "--data", data, "--same-disk")
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[1].startswith("2024-11-23: archived, rows 41 to 80, 40 samples, SHA-256 ")
    assert lines[2] == "2024-11-24: waits, it is the newest: rows may still come"
    assert lines[3] == f"2 days archived to {folder}, read back and noted; 0 had been before"
    return folder


def test_for_machines(data: Path, to: Path) -> None:
    told = run("archive", to, "--data", data, "--same-disk", "--json", "--until", DAYS[0])
    facts = json.loads(told.stdout)
    assert (told.exit_code, facts["folder"], facts["failed"], len(facts["days"])) == (0, str(to), "", 1)
    (day,) = facts["days"]
    assert (day["day"], day["state"], day["cause"]) == (DAYS[0], "already", "")
    assert day["entry"] == json.loads((to / "archive.json").read_bytes())["days"][0]


def test_wrong_input_and_failures(data: Path, to: Path, tmp_path: Path) -> None:
    for code, says, *arguments in (
        (2, "lie in each other", data / "there"),
        (2, "is no day", to, "--until", "20"),
        (1, "is the disk or share mounted? --same-disk", tmp_path / "new"),
    ):
        told = run("archive", *arguments, "--data", data)
        assert (told.exit_code, told.stdout) == (code, "")
        assert says in told.stderr
    assert not (tmp_path / "new").exists()
    told = run("archive", tmp_path / "new", "--data", data, "--json")
    assert "--same-disk" in json.loads(told.stdout)["failed"]
    assert told.exit_code == 1


def test_an_unsound_original_is_told_and_is_exit_1(data: Path, tmp_path: Path) -> None:
    os.truncate(data / "journal" / f"{DAYS[0]}.db", 100_000)
    told = run("archive", tmp_path / "new", "--data", data, "--same-disk")
    assert told.exit_code == 1
    assert told.stdout.startswith("✗ 2024-11-22: not archived, the original is not sound: ")
    assert days_of(tmp_path / "new") == DAYS[1:]


def test_an_archive_is_read_in_place(to: Path, tmp_path: Path) -> None:
    told = run("export", "--data", to)
    assert len(told.stdout.splitlines()) == 81, told.stderr
    assert run("export", "--data", to, "--format", "lines").stdout.startswith("process,site=works,unit=R-201,batch=B-7")
    (tmp_path / "limits.yaml").write_text("limits:\n  - {role: temperature, par: [0, 15]}\n")
    told = run("judge", "--data", to, "--limits", tmp_path / "limits.yaml", "--json")
    assert (told.exit_code, len(json.loads(told.stdout)["excursions"])) == (1, 2), told.stderr
    told = run("verify", "--data", to)
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (0, "sound")
    assert "rows 41 to 80, 40 samples in 20 commits" in told.stdout
    os.truncate(to / "journal" / f"{DAYS[0]}.db", 100_000)
    told = run("verify", "--data", to, "--json")
    assert (told.exit_code, json.loads(told.stdout)["sound"]) == (1, False)


def test_what_an_archive_is_not(to: Path, tmp_path: Path) -> None:
    told = run("restore", to, "--data", tmp_path / "new")
    assert (told.exit_code, f"reactorwatch export --data {to} --from" in told.stderr) == (1, True)
    assert "start `run` with a data folder that is not there" in told.stderr
    told = run("verify", "--data", to, "--sink", "historian")
    assert (told.exit_code, "knows no sinks" in told.stderr) == (2, True)


def test_status_tells_what_waits(data: Path) -> None:
    with closing(Registry(data)) as registry:
        registry.put_states("room", {"disk": {"short": True, "runway_h": 24, "days_to_archive": 2}})
    assert "2 days with gmp data in no archive: see `reactorwatch archive`" in run("status", "--data", data).stdout
