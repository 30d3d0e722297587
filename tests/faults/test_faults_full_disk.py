"""A disk that is really full, and one that is really read-only: a small file system of its own, made for the test."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.daemon_process import DEADLINE_S, Wish, daemon_process
from tests.faults.recorded import Recorded
from tests.faults.rows import Row

SIZE_MB = 24


@contextmanager
def small_disk(at: Path) -> Iterator[Path]:
    """A tmpfs; skipped where nobody may mount one, and failed in CI where root could not."""
    at.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("needs root: a file system of its own is mounted")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", at], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"root may not mount here, a container without CAP_SYS_ADMIN: {mounted.stderr.decode().strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


def fill(balloon: Path) -> None:
    """Take all room that is left."""
    with balloon.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def wait_for(log: Path, text: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while text not in log.read_text():
        assert time.monotonic() < deadline, f"{text!r} did not come:\n{log.read_text()[-2000:]}"
        time.sleep(0.02)


@pytest.mark.faults(
    "disk really full (tmpfs), then room again; then mounted read-only",
    must="alarm, no crash, no lie in the ledger, recovery without restart; a start that can't write says so",
    short=1,
    long=10,
)
def test_a_full_file_system(row: Row, tmp_path: Path) -> None:
    for trial in row.trials():
        with small_disk(tmp_path / str(trial) / "data") as disk, daemon_process() as daemon:
            recorded = Recorded(disk)
            wish = Wish(str(recorded.data))
            daemon.start(wish)
            daemon.hear("committed")
            fill(disk / "balloon")
            wait_for(disk.with_name("log"), "journal can't be written")
            time.sleep(row.chance(trial).uniform(1, 5) if row.long else 0.5)
            (disk / "balloon").unlink()
            daemon.hear("committed")
            daemon.kill(signal.SIGTERM)
            assert daemon.hear("gone")[-1] == "gone 0"
            recorded.walk()
            recorded.assert_ledger()
            assert recorded.disk_states("refuses") == ["refuses", "takes"]
            row.count(samples=recorded.samples, doubled=recorded.doubled, silent=recorded.silent())
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            daemon.start(wish)
            assert any(line.startswith("refused") for line in daemon.hear("gone"))
    assert (row.doubled, row.others["silent"]) == (0, 0)
