"""A record with closed and compacted gmp days, to be archived."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from collector.archive.copying import Outcome, archive
from collector.store.compactor import Compactor
from collector.store.files import journal_files
from collector.store.journal import Journal, Stamped
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.retention import ARCHIVED
from collector.store.rows import ScanRow
from collector.terms import Event, EventKind, Json, Stamp
from tests.journal_rows import SECOND_NS, SLOT_NS, scan
from tests.unit.store.simple import DAY_NS, TWO

GMP = Stamp("B-7", "Dose", "ONCB", "2", "gmp")
SITE = "works"


def record(data: Path, days: int = 4, first: float = 0.0, site: str = SITE, stamp: Stamp = GMP, commits: int = 20) -> Path:
    """Days of scans and events; all but the newest closed and compacted, as the daemon leaves them."""
    (data / "journal").mkdir(parents=True)
    with closing(Journal(data)) as journal, closing(Registry(data)) as registry:
        for day in range(days):
            grow(journal, day, first, stamp, commits)
        registry.put_states("daemon", {"about": {"site": site}})
        compact(data, journal)
    return data


def grow(journal: Journal, day: int, first: float = 0.0, stamp: Stamp = GMP, commits: int = 20) -> None:
    """Another day."""
    for second in range(commits):
        now_ns = SLOT_NS + day * DAY_NS + second * SECOND_NS
        gap = Event(EventKind.GAP, now_ns, body={"cause": "late: 2 s", "cause_class": "late"})
        journal.append([Stamped(scan(TWO, [first + second, first + day], now_ns), (stamp,)), gap], now_ns)


def compact(data: Path, journal: Journal) -> None:
    """All that is closed."""
    compactor = Compactor(data, journal.turn)
    for _ in compactor.work(SLOT_NS):
        pass
    assert compactor.faults == {}


def archived(data: Path, to: Path, until: str = "9999-12-31") -> list[Outcome]:
    """What became of each day. Test folders are on one disk."""
    return list(archive(data, to, "0.1.0", lambda: SLOT_NS, until=until, same_disk=True))


def states(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.state.value for outcome in outcomes]


def notes(data: Path) -> dict[str, dict[str, Json]]:
    with closing(Registry(data, read_only=True)) as registry:
        return registry.states(ARCHIVED)


def days_of(folder: Path) -> list[str]:
    return [path.stem for path in journal_files(folder)]


def values(folder: Path) -> list[float]:
    """Of every scan, in order."""
    found: list[float] = []
    with closing(Reader(folder)) as reader:
        after = 0
        while rows := reader.read(after, 1000):
            found += [float(value) for row in rows if isinstance(row, ScanRow) for value in row.scan.values]
            after = rows[-1].seq
    return found
