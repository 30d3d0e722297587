"""kill -9 at any moment: what was told to be committed is there, to the last row, and nothing else is half there.

The writer is a process of its own. So that a round costs milliseconds, a nursery imports everything once and forks a
writer for each round; a round ends when the test kills the writer, wherever it is then.
(A kill does not show a missing sync: power cuts are another test.)
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from collector.store.files import is_locked, journal_files, locked
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.registry import Registry
from tests.faults.known_rows import Told, assert_all_there, assert_whole, write
from tests.faults.rows import Row

# --- the writer


def nursery(data: Path) -> None:
    """Fork a writer for each seed that is asked for, and tell when it is gone."""
    for line in sys.stdin:
        if (writer := os.fork()) == 0:
            write_for_ever(data, random.Random(line))
        _tell(f"writer {writer}")
        os.waitpid(writer, 0)
        _tell("gone")


def _tell(line: str) -> None:
    """In one piece, or not at all."""
    os.write(1, f"{line}\n".encode())


def write_for_ever(data: Path, chance: random.Random) -> None:
    with locked(data), closing(Journal(data)) as journal, closing(Reader(data)) as reader, closing(Registry(data)) as registry:
        write(journal, reader, registry, chance, _tell)


# --- the test


@contextmanager
def nursery_process(data: Path) -> Iterator[subprocess.Popen[str]]:
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, __file__, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with process:
        yield process
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.faults(
    "kill -9 of the writer, anywhere in a commit",
    must="what was told to be committed is there; nothing else is half there",
    short=20,
    long=200,
)
def test_kill_at_any_moment(row: Row, tmp_path: Path) -> None:
    data, told, seen = tmp_path / "data", Told(), 0
    with nursery_process(data) as process:
        for trial in row.trials():
            _one_round(process, trial, row.chance(trial), told)
            assert not is_locked(data)
            seen = assert_all_there(data, told, seen)
    assert seen > row.planned, "nothing was written"
    assert len(journal_files(data)) > 5, "no kill can have met the beginning of a day"
    row.count(samples=assert_whole(data, seen).samples, rows=seen)


def _one_round(process: subprocess.Popen[str], number: int, chance: random.Random, told: Told) -> None:
    """Kill the writer after some lines and a moment; hear what it had said until then."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{number}\n")
    writer = int(process.stdout.readline().split()[1])
    for _ in range(chance.randrange(12)):
        told.hear(process.stdout.readline())
    _spin(chance.uniform(0, 0.006))
    os.kill(writer, signal.SIGKILL)
    for line in iter(process.stdout.readline, "gone\n"):
        assert line, "the nursery has died"
        told.hear(line)


def _spin(seconds: float) -> None:
    """A sleep is no finer than the scheduler."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


if __name__ == "__main__":
    nursery(Path(sys.argv[1]))
