"""What the machine refuses, told in words: a full disk, another character set, a pipe that nobody reads, another's folder."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector.__main__ import COMMANDS, GROUPS, application
from collector.commands.edge import edge

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
COMMAND = (sys.executable, "-m", "collector")
DIFF = ("diff", str(EXAMPLES / "minimal.yaml"), str(EXAMPLES / "pilot-plant.yaml"))


@pytest.mark.parametrize("arguments", [("schema",), DIFF])
def test_a_full_disk_under_standard_output_is_told_in_words(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, "standard output can't be written: No space left on device\n")


@pytest.mark.parametrize("charset", ["ascii", "latin-1"])
def test_a_pipe_gets_utf_8_whatever_the_terminal_has(charset: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": charset}
    ended = subprocess.run([*COMMAND, *DIFF], capture_output=True, timeout=60, env=environment, check=False)
    assert (ended.returncode, ended.stderr) == (1, b"")
    assert "°C" in ended.stdout.decode("utf-8")


def test_a_name_that_is_no_text_is_told_all_the_same() -> None:
    ended = subprocess.run([*COMMAND, "check", b"\xff.yaml"], capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr.splitlines()[0][:26]) == (2, rb"\udcff.yaml:1: can't be re")


def test_a_pipe_that_nobody_reads_and_no_stream_at_all() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        ended = subprocess.run([*COMMAND, "schema"], stdout=pipe, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, b"")
    script = " ".join([*COMMAND, "schema", ">&-", "2>&-"])
    assert subprocess.run(["sh", "-c", script], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("command", ["status", "export", "verify", "alarms list", "backup to", "archive to"])
def test_a_path_that_the_system_refuses_is_told(tmp_path: Path, command: str) -> None:
    """A name that is too long is refused even to root, and at the same places as another user's folder."""
    name = "x" * 300
    with contextlib.chdir(tmp_path), pytest.raises(SystemExit) as ended, edge():
        application((*COMMANDS, *GROUPS))([*command.split(), "--data", name])
    assert ended.value.code == 1


def test_another_users_folder_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, edge():
        raise PermissionError(errno.EACCES, "Permission denied", "/var/lib/reactorwatch/registry.db")
    told = (
        "/var/lib/reactorwatch/registry.db: Permission denied: what is the daemon's is for its user, e.g. sudo -u reactorwatch\n"
    )
    assert (ended.value.code, capsys.readouterr().err) == (1, told)


def test_a_defect_keeps_its_traceback() -> None:
    for defect in (OSError(errno.ENOENT, "No such file", "state"), OSError("?"), ValueError("?")):
        with pytest.raises(type(defect)), edge():
            raise defect


def test_ctrl_c_while_it_loads_is_no_defect(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, edge():
        raise KeyboardInterrupt
    assert (ended.value.code, capsys.readouterr().err) == (130, "Aborted!\n")
