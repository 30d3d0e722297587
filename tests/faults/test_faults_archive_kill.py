"""kill -9 of `archive` at any moment: what is noted lies there whole, and the next run goes on from whatever is left.

A nursery imports everything once, and forks an archiver for each round, which the test kills wherever it is then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from collector.archive.copying import State, archive
from collector.archive.proof import prove_archive
from collector.store.archive import read_manifest
from collector.store.files import ARCHIVE
from collector.store.registry import Registry
from collector.store.retention import ARCHIVED, Note
from tests.faults.rows import Row
from tests.unit.archive.archived import archived, notes, record

DAYS = 4


def nursery(data: Path) -> None:
    """Archive to each folder that is asked for, in a process of its own that waits for its end, and tell when it has come."""
    for line in sys.stdin:
        if (archiver := os.fork()) == 0:
            _tell(f"{os.getpid()}")
            for _ in archive(data, Path(line.strip()), "0", time.time_ns, same_disk=True, show=lambda _: _tell("step")):
                _tell("day")
            _tell("done")
            signal.pause()
        os.waitpid(archiver, 0)
        _tell("gone")


def _tell(line: str) -> None:
    """In one piece, or not at all."""
    os.write(1, f"{line}\n".encode())


@contextmanager
def nursery_process(data: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, __file__, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    with process:
        yield process
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


def run(process: subprocess.Popen[str], to: Path, lines: int, moment_s: float) -> bool:
    """Archive, killed a moment after so many lines; whether it had come to its end."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{to}\n")
    archiver, heard = int(process.stdout.readline()), [""]
    while len(heard) <= lines and heard[-1] != "done\n":
        heard.append(process.stdout.readline())
        assert heard[-1], "the nursery has died"
    _spin(moment_s)
    os.kill(archiver, signal.SIGKILL)
    heard += iter(process.stdout.readline, "gone\n")
    return "done\n" in heard


def _spin(seconds: float) -> None:
    """A sleep is no finer than the scheduler."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def forget(data: Path) -> None:
    """All notes."""
    with closing(Registry(data)) as registry:
        registry.put_states(ARCHIVED, dict.fromkeys(registry.states(ARCHIVED)))


@pytest.mark.faults(
    "kill -9 of archive at any moment, then run again",
    must="what is noted lies there whole; the next run archives the rest and doubles nothing",
    short=5,
    long=200,
)
def test_kill_of_archive(row: Row, tmp_path: Path) -> None:
    data = record(tmp_path / "data", days=DAYS)
    with nursery_process(data) as process:
        assert run(process, tmp_path / "whole", 1000, 0.0)
        whole = read_manifest(tmp_path / "whole").days
        for trial in row.trials():
            forget(data)
            to = tmp_path / f"{trial}"
            chance = row.chance(trial)
            killed = not run(process, to, chance.randrange(11), chance.uniform(0, 0.02))
            entries = {day.day: day for day in read_manifest(to).days} if (to / ARCHIVE).exists() else {}
            for name, told in notes(data).items():
                note, entry = Note.from_json(told), entries[name.removesuffix(".db")]
                assert sha256(entry.path(to).read_bytes()).hexdigest() == entry.sha256 == note.sha256
            outcomes = archived(data, to)
            assert {outcome.state for outcome in outcomes[:-1]} <= {State.ALREADY, State.NOTED, State.ARCHIVED}
            assert [(day.sha256, day.hash, day.rows) for day in read_manifest(to).days] == [
                (day.sha256, day.hash, day.rows) for day in whole
            ]
            assert prove_archive(to).sound
            assert len(notes(data)) == DAYS - 1
            row.count(
                samples=sum(day.samples for day in whole),
                killed=killed,
                noted=sum(outcome.state is State.NOTED for outcome in outcomes),
                already=sum(outcome.state is State.ALREADY for outcome in outcomes),
            )


if __name__ == "__main__":
    nursery(Path(sys.argv[1]))
