"""kill -9 at any moment: what was told to be committed is there, to the last row, and nothing else is half there.

The writer is a process of its own. So that a round costs milliseconds, a nursery imports everything once and forks a
writer for each round; a round ends when the test kills the writer, wherever it is then.
(A kill does not show a missing sync: power cuts are another test.)
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from collector.ledger import ledger_of
from collector.store.cursors import Cursor, DeadLetter
from collector.store.daily import Totals
from collector.store.files import is_locked, journal_files, locked
from collector.store.journal import Entry, Journal, Stamped
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.rows import EventRow, Row, ScanRow
from collector.terms import Event, EventKind, Stamp
from drivers.base import Scan, Status
from tests.journal_rows import SLOT_NS, column, layout, scan

ROUNDS = 40
LARGEST_COMMIT = 12
QUARTER_DAY_NS = 86_400_000_000_000 // 4
LAYOUTS = [layout(*(column(f"t{i}") for i in range(k)), group=f"of {k}") for k in (1, 2, 5)]


def entry_of(seq: int) -> Entry:
    """What row `seq` holds, in every round: so that the test needs no other record of it."""
    if seq % 5 == 0:
        return Event(EventKind.DAEMON, SLOT_NS + seq, body={"seq": seq})
    of = LAYOUTS[seq % 3]
    stamp = Stamp(batch=f"B-{seq % 11}")
    if seq % 7 == 0:
        return Stamped(Scan.of_lost(of, SLOT_NS + seq, SLOT_NS + seq, Status.BAD_TIMEOUT), (stamp,))
    return Stamped(scan(of, [float(seq)] * len(of.columns), SLOT_NS + seq), (stamp,))


def samples_of(seq: int) -> int:
    entry = entry_of(seq)
    return entry.scan.samples if isinstance(entry, Stamped) else 0


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
    time_ns = SLOT_NS
    with locked(data), closing(Journal(data)) as journal, closing(Reader(data)) as reader, closing(Registry(data)) as registry:
        time_ns = max(time_ns, reader.last_commit_ns() or 0)
        while True:
            time_ns += chance.randrange(QUARTER_DAY_NS)
            begin = journal.totals.seq + 1
            totals = journal.append([entry_of(begin + i) for i in range(chance.randint(1, LARGEST_COMMIT))], time_ns)
            _tell(f"committed {totals.seq} {totals.samples} {totals.scans}")
            _acknowledge_some(reader, registry, chance)


def _acknowledge_some(reader: Reader, registry: Registry, chance: random.Random) -> None:
    cursor = registry.cursor("influx")
    rows = reader.read(cursor.seq, chance.randint(1, LARGEST_COMMIT))
    if not rows:
        return
    dead = [row for row in rows if row.seq % 13 == 0]
    letters = [DeadLetter(row.seq, samples_of(row.seq), b"line", "refused", 0) for row in dead]
    dead_samples = sum(letter.samples for letter in letters)
    accepted = sum(samples_of(row.seq) for row in rows) - dead_samples
    after = Cursor(rows[-1].seq, cursor.accepted + accepted, cursor.dead_lettered + dead_samples)
    registry.acknowledge("influx", after, letters)
    _tell(f"acknowledged {after.seq} {after.accepted} {after.dead_lettered}")


# --- the test


@dataclass
class Told:
    """The last that writers have told of."""

    totals: Totals = Totals()  # noqa: RUF009  frozen
    cursor: Cursor = Cursor()  # noqa: RUF009  frozen

    def hear(self, line: str) -> None:
        what, *numbers = line.split()
        if what == "committed":
            self.totals = Totals(*map(int, numbers))
        elif what == "acknowledged":
            self.cursor = Cursor(*map(int, numbers))


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
        assert process.wait(10) == 0


def test_kill_at_any_moment(tmp_path: Path) -> None:
    data, chance, told = tmp_path / "data", random.Random(20), Told()
    seen = 0
    with nursery_process(data) as process:
        for number in range(ROUNDS):
            _one_round(process, number, chance, told)
            assert not is_locked(data)
            seen = _assert_all_there(data, told, seen)
    assert seen > ROUNDS, "nothing was written"
    assert len(journal_files(data)) > 5, "no kill can have met the beginning of a day"
    _assert_whole(data, seen)


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


def _assert_all_there(data: Path, told: Told, seen: int) -> int:
    """Rows beyond `seen` are whole; totals and ledger are right. Returns the newest sequence number."""
    if not (data / "journal").exists():
        assert told == Told()
        return 0
    with closing(Reader(data)) as reader, closing(Registry(data)) as registry:
        totals, cursor = reader.totals(), registry.cursor("influx")
        assert told.totals.seq <= totals.seq <= told.totals.seq + LARGEST_COMMIT, "more than what was not yet told"
        assert told.cursor.seq <= cursor.seq <= totals.seq, "acknowledged, and gone"
        assert reader.totals(told.totals.seq) == told.totals
        at = seen
        while rows := reader.read(at, 50):
            for row in rows:
                at += 1
                _assert_row(row, at)
        assert at == totals.seq
        ledger = ledger_of(reader, registry, ["influx"])
        assert ledger.balanced
        assert ledger.read == sum(map(samples_of, range(1, at + 1)))
        assert cursor.dead_lettered == sum(letter.samples for letter in registry.dead_letters("influx"))
    return at


def _assert_row(row: Row, seq: int) -> None:
    entry = entry_of(seq)
    assert row.seq == seq
    if isinstance(entry, Event):
        assert isinstance(row, EventRow)
        assert row.event == entry
        return
    assert isinstance(row, ScanRow)
    assert (row.scan.layout, row.stamps, row.scan.lost) == (entry.scan.layout, entry.stamps, entry.scan.lost)
    assert row.scan.slot_ns == entry.scan.slot_ns
    assert row.scan.values.tobytes() == entry.scan.values.tobytes()


_ROWS = "SELECT count(*), coalesce(max(seq), ?) FROM (SELECT seq FROM scans UNION ALL SELECT seq FROM events)"


def _assert_whole(data: Path, newest: int) -> None:
    """In sqlite's own eyes, and each file beginning where the one before ends."""
    ends = 0
    for path in journal_files(data):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            (first_seq,) = connection.execute("SELECT first_seq FROM meta").fetchone()
            assert first_seq == ends + 1
            count, last = connection.execute(_ROWS, (ends,)).fetchone()
            assert last == ends + count
            ends = last
    assert ends == newest


if __name__ == "__main__":
    nursery(Path(sys.argv[1]))
