"""What is intact of a file in quarantine comes out as it was read; what is not, does not, and the record stays as it is."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from collector.store import compactor as compactor_module
from collector.store.compactor import Compactor
from collector.store.daily import Totals
from collector.store.files import StoreError, journal_files
from collector.store.journal import Entry, Stamped
from collector.store.losses import Loss, quarantine
from collector.store.quarantine import Quarantine
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.rows import ScanRow
from collector.store.salvage import REPORT, Salvaged, salvage
from collector.store.walk import walk
from collector.terms import Event, EventKind
from tests.command_line import typed
from tests.journal_rows import SECOND_NS, SLOT_NS
from tests.unit.store.damages import OBVIOUS, many_flipped
from tests.unit.store.entries import assert_same_rows
from tests.unit.store.simple import DAY_NS, all_rows, journal_of, one, two

COMMITS = 50


def commit_of(n: int) -> list[Entry]:
    """Three rows."""
    slot_ns = SLOT_NS + n * SECOND_NS
    return [one(n + 0.25, slot_ns), two(float(n), -float(n)), Event(EventKind.GATEWAY, slot_ns, body={"read": n})]


def written(data: Path) -> Path:
    with journal_of(data) as journal:
        for n in range(COMMITS):
            journal.append(commit_of(n), SLOT_NS + n * SECOND_NS)
    return journal_files(data)[0]


def set_aside(data: Path, path: Path) -> Loss:
    return Quarantine(data, Totals(3 * COMMITS, 3 * COMMITS, 2 * COMMITS), SLOT_NS + DAY_NS).set_aside(path, "a test harmed it")


def values_of(row: Stamped | ScanRow) -> tuple[float, ...]:
    return (row.scan.slot_ns, *row.scan.values.tolist())


def assert_holds(to: Path, commits: Sequence[int]) -> None:
    """Exactly these, in a sound record of their own."""
    expected = [entry for n in commits for entry in commit_of(n)]
    with closing(Reader(to)) as reader:
        assert_same_rows(reader.read(0, 4 * COMMITS), list(enumerate(expected, 1)))
    assert [walk(path).breaks for path in journal_files(to)] == [()]
    assert sorted(path.name for path in to.iterdir()) == ["daemon.lock", "journal", "registry.db", REPORT]


def test_commits_that_were_changed_are_left_and_all_others_taken(data: Path, tmp_path: Path) -> None:
    path = written(data)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE scans SET columns = zeroblob(length(columns)) WHERE seq = 1 + 3 * 20")
        database.execute("DELETE FROM events WHERE seq = 3 + 3 * 40")
        database.commit()
    loss = set_aside(data, path)
    kept = {each.name: each.read_bytes() for each in quarantine(data).iterdir()}
    found = salvage(data, loss, tmp_path / "out")
    assert [(left.after_seq, left.seq) for left in found.left] == [(60, 63), (120, 123)]
    assert (found.commits, found.rows, found.samples, found.unproved) == (COMMITS - 2, 3 * COMMITS - 6, 3 * COMMITS - 6, 0)
    assert_holds(tmp_path / "out", [n for n in range(COMMITS) if n not in {20, 40}])
    assert {each.name: each.read_bytes() for each in quarantine(data).iterdir()} == kept
    assert journal_files(data) == []


def test_of_a_compacted_file_a_damaged_block_costs_its_commits_only(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compactor_module, "SEGMENT_S", 10.0)
    path = written(data)
    for _ in Compactor(data, threading.Lock()).work(SLOT_NS + DAY_NS // 2):
        pass
    with closing(sqlite3.connect(path)) as database:
        first, last = database.execute("SELECT first_seq, last_seq FROM segments LIMIT 1 OFFSET 1").fetchone()
        key = "SELECT key FROM blocks WHERE segment = ? LIMIT 1"
        database.execute(f"UPDATE chunks SET data = zeroblob(length(data)) WHERE key = ({key})", (last,))  # noqa: S608
        database.commit()
    found = salvage(data, set_aside(data, path), tmp_path / "out")
    assert (found.left[0].after_seq, found.left[-1].seq) == (first - 1, last)
    assert_holds(tmp_path / "out", [n for n in range(COMMITS) if not first <= 3 * n + 1 <= last])


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("damage", ["many_flipped", "truncated", "overwritten", "zeroed", "without_a_table", "foreign"])
def test_whatever_came_over_it_nothing_wrong_comes_out(damage: str, seed: int, data: Path, tmp_path: Path) -> None:
    path = written(data)
    (OBVIOUS | {"many_flipped": many_flipped})[damage](path, random.Random(seed))
    loss = set_aside(data, path)
    to = tmp_path / "out"
    try:
        found: Salvaged | None = salvage(data, loss, to)
    except StoreError:
        found = None
    given = {values_of(entry) for n in range(COMMITS) for entry in commit_of(n) if isinstance(entry, Stamped)}
    with closing(Reader(to)) as reader:
        rows = all_rows(reader)
    assert {values_of(row) for row in rows} <= given
    assert len(rows) == (2 * found.commits if found else 0)
    assert not list(to.glob("copy*"))


def test_as_a_command(data: Path, tmp_path: Path) -> None:
    loss, to = set_aside(data, written(data)), tmp_path / "out"
    asked = ["quarantine", "--data", str(data), "--salvage", loss.name, "--to", str(to)]
    with closing(Registry(data)) as registry:
        registry.put_states("daemon", {"about": {"site": "pilot"}})
    done = typed(*asked)
    assert (done.returncode, done.stdout) == (0, f"{to}: 50 commits, 150 rows, 150 samples\n")
    assert typed("verify", "--data", str(to)).returncode == 0
    assert typed("export", "--data", str(to), "--format", "lines").stdout.count("process,site=pilot,unit=R-201 temperature") == 50
    again = typed(*asked)
    assert (again.returncode, "not empty" in again.stderr) == (1, True), "what is there is never written over"
    assert typed(*asked[:3], "--salvage", "another", "--to", str(to)).returncode == 2
    kept = quarantine(data) / loss.kept
    kept.write_bytes(b"no database" * 1000)
    other = tmp_path / "other"
    for _ in range(2):
        refused = typed(*asked[:-1], str(other))
        assert (refused.returncode, f"{loss.name} can't be salvaged: {kept} " in refused.stderr) == (1, True), refused.stderr
    assert list(other.iterdir()) == [], "it may be given again"
    assert typed(*asked[:5]).returncode == 2
