"""Every command that reads a record says so where there is none, or not what was asked for, and never that all is well."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from collector.__main__ import app
from tests.unit.archive.archived import archived, record

LIMITS = "tag,low,high\nTT,60,70\n"


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    "typed",
    [
        *("status", "export", "verify", "quarantine", "alarms list", "alarms figures", "dead-letters list", "sinks forget x"),
        *("judge --limits limits.csv", "backup copy", "archive elsewhere --same-disk"),
    ],
)
def test_a_folder_without_a_record_is_wrong_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, there: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("limits.csv").write_text(LIMITS, "utf-8")
    if there:
        Path("data").mkdir()
    result = CliRunner().invoke(app, [*typed.split(), "--data", "data"])
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    told = result.stderr.splitlines()[-1]
    assert told.startswith("data") and "--data" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["limits.csv", *(["data"] if there else [])])


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "run plant.yaml",
            "demo",
            "status",
            "export",
            "verify",
            "quarantine",
            "restore copy",
            "backup copy",
            "archive elsewhere",
        ),
        *("alarms list", "alarms figures", "alarms acknowledge x", "dead-letters list", "dead-letters retry", "sinks forget x"),
        "judge --limits limits.csv",
    ],
)
def test_a_folder_without_a_name_is_not_the_one_somebody_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [*typed.split(), "--data", ""])
    assert (result.exit_code, "the name is empty" in result.stderr) == (2, True), result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("typed", ["status", "alarms list", "dead-letters list", "backup copy", "archive elsewhere --same-disk"])
def test_an_archive_is_told_from_a_folder_that_nobody_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.chdir(tmp_path)
    archived(record(Path("data"), days=2, commits=2), Path("archive"))
    result = CliRunner().invoke(app, [*typed.split(), "--data", "archive"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("archive is an archive, which verify, export and judge read")


def test_an_export_of_a_name_that_the_record_lacks_says_what_was_probably_meant(tmp_path: Path) -> None:
    data = record(tmp_path / "data", days=1, commits=1)

    def told(*typed: str) -> str:
        result = CliRunner().invoke(app, ["export", "--data", str(data), *typed])
        assert (result.exit_code, result.stdout) == (2, "")
        return result.stderr

    assert told("--tags", "temperatur") == "the journal knows no tag or role temperatur; did you mean 'temperature'?\n"
    assert told("--tags", "x,pressure").startswith("the journal knows no tag or role x, only ")
    assert told("--unit", "R-9") == "the journal knows no unit R-9, only R-201\n"
