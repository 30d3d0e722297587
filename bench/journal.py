"""What the journal costs: CPU and bytes per sample, appended and compacted; how fast it is read; how long a commit waits.

    python -m bench.journal [--quick]

Signals are those of simulated reactors with their instruments' noise and resolution, in scan groups of 50 tags at 1 Hz, a
commit a second with a full sync: 200 groups for what it costs, 20 over an hour for its size; and a dryer's recorded batches,
where ../shared/data/dryer.csv is there. The rivals hold the same samples in the same run: SQLite with a row per sample, by tag
and time, and Parquet with zstd for the archive. All that is compacted is compared to the bit with what was appended.
"""

from __future__ import annotations

import argparse
import csv
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench._figures import figure
from bench._signals import SECOND_NS, Signals, reactors
from collector.keeping.upkeep import leisurely
from collector.store.compactor import HOT_S, Compactor
from collector.store.files import journal_files
from collector.store.journal import Journal, Stamped
from collector.store.reader import Reader
from collector.terms import Stamp
from config.tags import Kind
from drivers.base import Column, Layout, Scan

BEGIN_NS = 1_764_115_200_000_000_000
"""Midnight of a day, so that a day's samples stand in one file."""
Found = TypeVar("Found")
LOADED_GROUPS, GROUPS = 200, 20
DAY_S = 86_400
DRYER = Path(__file__).parents[2] / "shared" / "data" / "dryer.csv"
STAMP = (Stamp("B-26-017", "Dose", "ONCB", "1.0"),)


class Cpu:
    """CPU seconds of this process, all threads."""

    def __init__(self) -> None:
        self._began_s = time.process_time()

    @property
    def used_s(self) -> float:
        """Since it was made."""
        return time.process_time() - self._began_s


@contextmanager
def folder() -> Iterator[Path]:
    """A data folder, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-journal-") as name:
        (Path(name) / "journal").mkdir()
        yield Path(name)


def append(journal: Journal, signals: Sequence[Signals], seconds_per_commit: int = 1, begin_ns: int = BEGIN_NS) -> float:
    """All of them in the order of time; CPU seconds of the commits alone, for it is not the journal that makes the scans."""
    pending: list[Stamped] = []
    used_s = 0.0
    for second, scans in enumerate(zip(*(each.scans(begin_ns) for each in signals), strict=True), 1):
        pending += [Stamped(scan, STAMP * len(scan.layout.units)) for scan in scans]
        if second % seconds_per_commit == 0 or second == len(signals[0].values):
            cpu = Cpu()
            journal.append(pending, scans[0].slot_ns)
            used_s += cpu.used_s
            pending = []
    return used_s


def finish(data: Path) -> None:
    """A row of the next day: the day before is finished, and will be compacted to its end."""
    layout = Layout("end", "end", "end", SECOND_NS, (Column("END", "end", "", Kind.REAL),))
    with closing(Journal(data)) as journal:
        at = BEGIN_NS + DAY_S * SECOND_NS
        scan = Scan(layout, at, at, np.zeros(1), np.zeros(1, np.uint32), np.zeros(1, np.uint8))
        journal.append([Stamped(scan, (Stamp(),))], at)


def compact(compactor: Compactor) -> None:
    """All that is finished."""
    for _ in compactor.work(BEGIN_NS + DAY_S * SECOND_NS):
        pass
    if compactor.faults:
        raise RuntimeError(f"not compacted: {compactor.faults}")


def check(data: Path, signals: Sequence[Signals]) -> None:
    """To the bit."""
    by_id = {each.layout.id: each for each in signals}
    found = {each.layout.id: 0 for each in signals}
    with closing(Reader(data)) as reader:
        for block in reader.blocks_between(BEGIN_NS, BEGIN_NS + DAY_S * SECOND_NS):
            values, first = block.columns.values, found[block.layout.id]
            expected = by_id[block.layout.id].values[first : first + values.shape[1]].T
            if values.tobytes() != np.ascontiguousarray(expected).tobytes():
                raise RuntimeError(f"{block.layout.device}: values differ from those that were appended")
            found[block.layout.id] += values.shape[1]
    if any(found[each.layout.id] != len(each.values) for each in signals):
        raise RuntimeError("samples are missing")


def size(data: Path) -> int:
    """Bytes of the first daily file, when its log is in it."""
    path = journal_files(data)[0]
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return path.stat().st_size


# --- rivals


def rival_table(path: Path) -> sqlite3.Connection:
    """SQLite as it is used first."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    columns = "tag INTEGER, slot_ns INTEGER, value REAL, status INTEGER, quality INTEGER, PRIMARY KEY (tag, slot_ns)"
    database.execute(f"CREATE TABLE samples ({columns}) WITHOUT ROWID")
    return database


def row_per_sample(signals: Sequence[Signals], seconds: int, data: Path) -> tuple[float, float]:
    """CPU ms per 10,000 samples, bytes per sample."""
    path, count = data / "rival.db", 0
    with closing(rival_table(path)) as database:
        cpu, columns = Cpu(), signals[0].values.shape[1]
        for second in range(seconds):
            slot_ns = BEGIN_NS + second * SECOND_NS
            rows = [
                (n * columns + tag, slot_ns, value, 0, 0)
                for n, each in enumerate(signals)
                for tag, value in enumerate(each.values[second].tolist())
            ]
            database.execute("BEGIN")
            database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", rows)
            database.execute("COMMIT")
            count += len(rows)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return cpu.used_s * 1e3 / count * 1e4, path.stat().st_size / count


def parquet(signals: Sequence[Signals], data: Path) -> tuple[float, float]:
    """CPU ms per 10,000 samples, bytes per sample of one file per group: a column per tag, zstd."""
    total, cpu = 0, Cpu()
    for n, each in enumerate(signals):
        path = data / f"rival-{n}.parquet"
        slots = BEGIN_NS + np.arange(len(each.values)) * SECOND_NS
        columns = {"slot_ns": slots, **{f"c{i}": np.ascontiguousarray(each.values[:, i]) for i in range(each.values.shape[1])}}
        pq.write_table(pa.table(columns), path, compression="zstd", compression_level=3)
        total += path.stat().st_size
    count = sum(each.values.size for each in signals)
    return cpu.used_s * 1e7 / count, total / count


# --- figures


def cost(signals: Sequence[Signals], seconds: int) -> None:
    """CPU of 10,000 tags at 1 Hz, committed second by second, then compacted: a full segment."""
    short = [Signals(each.layout, each.values[:seconds], each.texts[:seconds]) for each in signals]
    first = [Signals(each.layout, each.values[:1], each.texts[:1]) for each in signals]
    with folder() as data, folder() as other:
        compactor = Compactor(data, threading.Lock())
        with closing(Journal(data)) as journal:
            append(journal, first, begin_ns=BEGIN_NS - DAY_S * SECOND_NS)
            append(journal, first)  # layouts are written once a day,
            compact(compactor)  # and read once
            before = journal.totals.samples
            appended_s = append(journal, short)
            samples = journal.totals.samples - before
            appended_ms = appended_s * 1e7 / samples
        finish(data)
        cpu = Cpu()
        compact(compactor)
        compacted_ms = cpu.used_s * 1e7 / samples
        row_ms, _ = row_per_sample(short, 10, other)
        parquet_ms, _ = parquet(short, other)
    unit = "CPU ms per 10,000 samples"
    figure("journal_append_and_compact", appended_ms + compacted_ms, unit, "a row per sample", row_ms)
    figure("journal_append", appended_ms, unit)
    figure("journal_compact", compacted_ms, unit, "Parquet with zstd, from arrays", parquet_ms)


def sizes(signals: Sequence[Signals], rival_s: int) -> None:
    """Bytes of an hour as it is appended, and compacted; then all of it is read."""
    with folder() as data, folder() as other:
        with closing(Journal(data)) as journal:
            append(journal, signals, 10)
            samples = journal.totals.samples
        hot_bytes = size(data)
        finish(data)
        compact(Compactor(data, threading.Lock()))
        check(data, signals)
        _, row_bytes = row_per_sample(signals, rival_s, other)
        figure("journal_hot", hot_bytes / samples, "bytes per sample", "a row per sample", row_bytes)
        figure("journal_compacted", size(data) / samples, "bytes per sample", "Parquet with zstd", parquet(signals, other)[1])
        replay(data, samples)


def replay(data: Path, samples: int) -> None:
    """All samples, block by block, and row by row as a sink reads them; by CPU, which others on the machine disturb least."""
    with closing(Reader(data)) as reader:
        cpu = Cpu()
        seen = sum(block.columns.values.size for block in reader.blocks_between(0, BEGIN_NS + DAY_S * SECOND_NS))
        block_s = cpu.used_s
        if seen != samples:
            raise RuntimeError(f"{seen} samples were read of {samples}")
        cpu, at, seen = Cpu(), 0, 0
        while (rows := reader.read(at, 2000)) and seen < samples:
            at, seen = rows[-1].seq, seen + sum(row.scan.samples for row in rows if hasattr(row, "scan"))
        row_s = cpu.used_s
    figure("journal_replay", samples / block_s / 1e6, "M samples per CPU second, in blocks")
    figure("journal_replay_rows", seen / row_s / 1e6, "M samples per CPU second, in rows")


def size_only(name: str, signals: Sequence[Signals]) -> None:
    """Bytes per sample when compacted, beside Parquet."""
    with folder() as data:
        with closing(Journal(data)) as journal:
            append(journal, signals, 60)
            samples = journal.totals.samples
        finish(data)
        compact(Compactor(data, threading.Lock()))
        check(data, signals)
        with folder() as empty:
            with closing(Journal(empty)) as journal:
                append(journal, [Signals(each.layout, each.values[:1], each.texts[:1]) for each in signals])
            fixed = size(empty)
        held = (size(data) - fixed) / samples
        figure(name, held, "bytes per sample, a file's fixed size apart", "Parquet with zstd", parquet(signals, data)[1])


def dryer() -> list[Signals]:
    """The recorded batches, one after the other at 1 Hz."""
    with DRYER.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in {"batch_id", "ClockTime"}]
    columns = tuple(Column(name, name.lower(), "D-301", Kind.REAL) for name in names)
    values = np.array([[float(row[name] or "nan") for name in names] for row in rows])
    return [Signals(Layout("dryer", "dryer", "main", SECOND_NS, columns), values, [()] * len(rows))]


def history(signal: Signals) -> None:
    """One tag of fifty over a day."""
    times = DAY_S // len(signal.values)
    day = Signals(signal.layout, np.concatenate([signal.values] * times), list(signal.texts) * times)
    with folder() as data:
        with closing(Journal(data)) as journal:
            append(journal, [day], 60)
        for _ in Compactor(data, threading.Lock()).work(BEGIN_NS + (DAY_S + round(HOT_S)) * SECOND_NS):
            pass
        column = day.layout.columns[7]
        with closing(Reader(data)) as reader:
            spent_ms, found = least_ms(lambda: reader.history(column.unit, column.name, BEGIN_NS, BEGIN_NS + DAY_S * SECOND_NS))
        if found.values.tobytes() != np.ascontiguousarray(day.values[:, 7]).tobytes():
            raise RuntimeError("a history differs from what was appended")
        figure(
            "journal_history",
            spent_ms,
            "ms for 24 h of one tag at 1 Hz",
            "a row per sample",
            history_of_rows(day.values[:, 7], data),
        )


def history_of_rows(values: NDArray[np.float64], data: Path) -> float:
    """ms, in a table that holds this tag only."""
    with closing(rival_table(data / "history.db")) as database:
        rows = [(7, BEGIN_NS + n * SECOND_NS, value, 0, 0) for n, value in enumerate(values.tolist())]
        database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", rows)
        query = "SELECT slot_ns, value, quality FROM samples WHERE tag = 7 AND slot_ns >= 0"
        spent_ms, _ = least_ms(lambda: np.array(database.execute(query).fetchall()))
    return spent_ms


class TimedTurn:
    """The turn: remembers how long it was waited for, and how much CPU was spent in it, which is the wait on an idle machine."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._began_s = 0.0
        self.waited_ms: list[float] = []
        self.held_cpu_ms: list[float] = []

    def __enter__(self) -> None:
        began_s = time.perf_counter()
        self._lock.acquire()
        self.waited_ms.append((time.perf_counter() - began_s) * 1e3)
        self._began_s = time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.held_cpu_ms.append((time.thread_time() - self._began_s) * 1e3)
        self._lock.release()


def commits(signals: Sequence[Signals]) -> None:
    """Commits of a second's scans while an hour is compacted, and while nothing is."""
    with folder() as data, closing(Journal(data)) as journal:
        append(journal, signals, 60)
        turn, held = TimedTurn(lock := threading.Lock()), TimedTurn(lock)
        journal.turn = turn  # type: ignore[assignment]
        late_ns = BEGIN_NS + (len(signals[0].values) + 7200) * SECOND_NS
        alone_ms = [commit_ms(journal, signals, late_ns) for _ in range(100)]
        compaction = threading.Thread(target=leisurely, args=(Compactor(data, held).work(late_ns), threading.Event()))
        turn.waited_ms.clear()
        compaction.start()
        beside_ms = []
        while compaction.is_alive():
            beside_ms.append(commit_ms(journal, signals, late_ns))
        if not size_of_segments(data):
            raise RuntimeError("nothing was compacted")
    figure("journal_commit_waits_for_compaction", max(turn.waited_ms), f"ms, longest of {len(turn.waited_ms)}")
    figure("journal_step_of_compaction", max(held.held_cpu_ms), f"CPU ms, longest of {len(held.held_cpu_ms)}")
    figure("journal_commit_beside_compaction", max(beside_ms), "ms, longest", "while nothing is compacted", max(alone_ms))
    figure("journal_commit_beside_compaction_median", median(beside_ms), "ms", "while nothing is compacted", median(alone_ms))


def size_of_segments(data: Path) -> int:
    """Samples that are compacted."""
    with closing(sqlite3.connect(journal_files(data)[0])) as database:
        return int(database.execute("SELECT coalesce(sum(samples), 0) FROM segments").fetchone()[0])


def commit_ms(journal: Journal, signals: Sequence[Signals], time_ns: int) -> float:
    """One, and a rest behind it."""
    entries = [Stamped(next(each.scans(time_ns)), STAMP * len(each.layout.units)) for each in signals]
    began_s = time.perf_counter()
    journal.append(entries, time_ns)
    spent_ms = (time.perf_counter() - began_s) * 1e3
    time.sleep(0.01)
    return spent_ms


def least_ms(call: Callable[[], Found]) -> tuple[float, Found]:
    """The fastest of some calls, which others on the machine disturb least, and what the last gave."""
    spent = []
    for _ in range(15):
        began_s = time.perf_counter()
        found = call()
        spent.append((time.perf_counter() - began_s) * 1e3)
    return min(spent), found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    quick = parser.parse_args().quick
    few = reactors(2 if quick else 8, 3600)
    signals = [few[n % len(few)].named(f"controller-{n}") for n in range(GROUPS)]
    cost([few[n % len(few)].named(f"controller-{n}") for n in range(LOADED_GROUPS)], 399)
    sizes(signals, 60 if quick else 600)
    size_only("journal_compacted_float32", [each.in_float32() for each in few])
    if DRYER.exists():
        size_only("journal_compacted_dryer", dryer())
    else:
        print(f"the dryer's recorded batches are not measured: {DRYER} is not there", file=sys.stderr)
    history(few[0])
    commits(signals)


if __name__ == "__main__":
    main()
