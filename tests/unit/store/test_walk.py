"""The chain over commits: whole as it was written, and broken by whatever changes one row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.store.chain import Head
from collector.store.files import journal_files
from collector.store.journal import Entry, Journal
from collector.store.walk import Walked, walk
from collector.terms import Event, EventKind
from tests.journal_rows import SLOT_NS
from tests.unit.store.entries import entries, layouts
from tests.unit.store.simple import DAY_NS, journal_of, one, two

GAP = Event(EventKind.GAP, SLOT_NS, unit="R-201", body={"device": "plc", "cause": "late"})
COMMITS: list[list[Entry]] = [[one(1.0), GAP], [two(2.0, 3.0), one(4.0)], [one(5.0), GAP, two(6.0, 7.0)]]


def written(data: Path, commits: Sequence[Sequence[Entry]] = COMMITS) -> Path:
    with journal_of(data) as journal:
        for n, commit in enumerate(commits):
            journal.append(commit, SLOT_NS + n)
    return journal_files(data)[-1]


def test_a_file_as_it_was_written_is_whole(data: Path) -> None:
    found = walk(written(data))
    assert (found.before, found.head.seq, found.commits, found.unchained, found.breaks) == (Head(), 7, 3, 0, ())


def test_the_hash_is_the_one_that_the_reference_tells(data: Path) -> None:
    """By hand: a verifier of others must come to the same."""
    path = written(data, [[one(1.0), GAP]])
    with closing(sqlite3.connect(path)) as database:
        (layout,) = database.execute("SELECT body FROM layouts").fetchone()
        bodies = dict(database.execute("SELECT key, body FROM stamps"))
        seq, slot, received, status, key, blob = database.execute(
            "SELECT seq, slot_ns, received_ns, lost_status, stamps, columns FROM scans"
        ).fetchone()
        scan = b"s" + b"".join(n.to_bytes(8, "little") for n in (seq, slot, received, status)) + len(blob).to_bytes(4, "little")
        scan += sha256(layout.encode()).digest() + sha256(bodies[key].encode()).digest() + blob
        seq, slot, kind, unit, key, body = database.execute("SELECT * FROM events").fetchone()
        event = b"e" + b"".join(n.to_bytes(8, "little") for n in (seq, slot))
        event += b"".join(len(text).to_bytes(4, "little") for text in (kind, unit, body)) + sha256(bodies[key].encode()).digest()
        event += (kind + unit + body).encode()
        *numbers, hash_ = database.execute("SELECT * FROM commits").fetchone()
        commit = b"c" + b"".join(n.to_bytes(8, "little") for n in numbers)
    assert hash_ == sha256(bytes(32) + scan + event + commit).digest()


def test_it_goes_on_over_restarts_and_days(data: Path) -> None:
    for n in range(4):
        with journal_of(data) as journal:
            journal.append([one(float(n))], SLOT_NS + n // 2 * DAY_NS)
            head = journal.head
    first, second = (walk(path) for path in journal_files(data))
    assert (first.breaks, second.breaks) == ((), ())
    assert second.before == first.head
    assert second.head == head


def test_a_refused_commit_leaves_no_link(data: Path) -> None:
    with journal_of(data) as journal:
        journal.append([one(1.0)], SLOT_NS)
        with pytest.raises(TypeError):
            journal.append([one(2.0), Event(EventKind.DAEMON, 0, body={"number": 2**70})], SLOT_NS)
        journal.append([one(3.0)], SLOT_NS)
    assert walk(journal_files(data)[0]).breaks == ()


CHANGES = {
    "a value": "UPDATE scans SET columns = CAST(columns || x'00' AS BLOB) WHERE seq = 3",
    "one bit of a value": "UPDATE scans SET columns = CAST(x'0001' || substr(columns, 3) AS BLOB) WHERE seq = 3",
    "a slot": "UPDATE scans SET slot_ns = slot_ns + 1 WHERE seq = 4",
    "when it came": "UPDATE scans SET received_ns = received_ns + 1 WHERE seq = 4",
    "its layout": "UPDATE scans SET layout = 1 WHERE seq = 3",
    "its batch": "UPDATE scans SET stamps = 1 WHERE seq = 3",
    "a status": "UPDATE scans SET lost_status = 2147483648 WHERE seq = 4",
    "what an event tells": "UPDATE events SET body = '{}' WHERE seq = 2",
    "where it happened": "UPDATE events SET unit = 'R-202' WHERE seq = 2",
    "when it happened": "UPDATE events SET slot_ns = 0 WHERE seq = 2",
    "a row taken out": "DELETE FROM scans WHERE seq = 4",
    "the last of a commit taken out": "DELETE FROM events WHERE seq = 2",
    "when it was committed": "UPDATE commits SET time_ns = 5 WHERE seq = 4",
    "its totals": "UPDATE commits SET samples_total = 99 WHERE seq = 4",
    "a hash": "UPDATE commits SET hash = zeroblob(32) WHERE seq = 4",
    "no hash": "UPDATE commits SET hash = NULL WHERE seq = 4",
    "a commit taken out": "DELETE FROM commits WHERE seq = 4",
    "the last commit taken out": "DELETE FROM commits WHERE seq = 7",
    "the name of a tag": "UPDATE layouts SET body = replace(body, 'pressure', 'level') WHERE key = 2",
    "the batch of all": "UPDATE stamps SET body = replace(body, 'B-24-017', 'B-24-018')",
    "where it begins": "UPDATE meta SET hash_before = randomblob(32)",
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_is_seen(data: Path, change: str) -> None:
    path = written(data)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute(CHANGES[change]).rowcount > 0
        database.commit()
    assert walk(path).breaks


def test_a_break_names_the_rows_of_its_commit_only(data: Path) -> None:
    path = written(data)
    with closing(sqlite3.connect(path)) as database:
        database.execute(CHANGES["one bit of a value"])
        database.commit()
    ((after_seq, seq),) = [(found.after_seq, found.seq) for found in walk(path).breaks]
    assert (after_seq, seq) == (2, 4)


def test_a_forged_file_does_not_fit_the_next(data: Path) -> None:
    """Whoever makes a day anew, hashes and all, must make every day after it anew too."""
    for day in range(2):
        with journal_of(data) as journal:
            journal.append([one(float(day))], SLOT_NS + day * DAY_NS)
    elsewhere = data / "elsewhere"
    (elsewhere / "journal").mkdir(parents=True)
    with journal_of(elsewhere) as journal:
        journal.append([one(99.0)], SLOT_NS)
    (forged,) = journal_files(elsewhere)
    assert walk(forged).breaks == ()
    first, second = (walk(path) for path in journal_files(data))
    assert second.before == first.head != walk(forged).head


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_appended_is_whole(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    of = data.draw(st.lists(layouts(), min_size=1, max_size=3))
    folder = tmp_path_factory.mktemp("data")
    (folder / "journal").mkdir()
    with closing(Journal(folder)) as journal:
        for commit in data.draw(st.lists(entries(of), min_size=1, max_size=4)):
            journal.append(commit, SLOT_NS)
        head = journal.head
    found: list[Walked] = [walk(path) for path in journal_files(folder)]
    assert [each.breaks for each in found] == [()] * len(found)
    assert not found or found[-1].head == head


def test_it_is_walked_beside_the_writer(data: Path) -> None:
    with journal_of(data) as journal:
        for n in range(250):
            journal.append([one(float(n))], SLOT_NS + n)
            if n % 100 == 0:
                assert walk(journal_files(data)[0]).breaks == ()
    assert walk(journal_files(data)[0]).commits == 250
