"""verify: a sound record is sound, and whatever is changed in it is found and named."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.keeping.damage import End
from collector.keeping.opening import open_record
from collector.keeping.rescue import write_copy
from collector.proof.as_json import as_json
from collector.proof.record import Proof, prove, rows_to_read
from collector.store.cursors import Cursor
from collector.store.daily import Totals
from collector.store.files import journal_files
from collector.store.journal import Journal, Stamped
from collector.store.losses import losses
from collector.store.recovery import recover
from collector.store.registry import Registry
from collector.store.retention import ARCHIVED, REMOVED, remove, stored
from collector.terms import Event, EventKind, Json, Stamp
from tests.journal_rows import SLOT_NS
from tests.unit.store.damages import deleted, truncated
from tests.unit.store.simple import DAY_NS, one, two

DAYS = 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three days of four rows, five samples each; the registry as the daemon leaves it."""
    (tmp_path / "journal").mkdir()
    with closing(Journal(tmp_path)) as journal:
        for day in range(DAYS):
            gap = Event(EventKind.GAP, SLOT_NS, body={"cause": "late: 2 s", "cause_class": "late"})
            journal.append([one(float(day)), gap], SLOT_NS + day * DAY_NS)
            journal.append([two(1.0, 2.0), two(3.0, 4.0)], SLOT_NS + day * DAY_NS + 1)
        end = End.of(journal)
    with closing(Registry(tmp_path)) as registry:
        registry.acknowledge("influx", Cursor(4, 5, 0))
        registry.put_states("journal", {"head": {"seq": end.seq, "samples": end.samples, "scans": end.scans, "hash": end.hash}})
    return tmp_path


def faults(proof: Proof) -> list[str]:
    return [f"{finding.where}: {finding.what}" for finding in proof.findings if finding.fault]


def test_a_sound_record_is_sound(data: Path) -> None:
    read: list[int] = []
    proof = prove(data, read.append)
    assert proof.sound
    assert not proof.findings
    assert sum(read) == rows_to_read(data) == 12
    assert [(each.before.seq, each.end.seq, each.rows, each.commits) for each in proof.files] == [
        (0, 4, 4, 2),
        (4, 8, 4, 2),
        (8, 12, 4, 2),
    ]
    assert proof.gaps == {"late": 3}
    assert proof.ledger
    assert (proof.ledger.read, proof.ledger.sinks["influx"].queued) == (15, 10)
    assert as_json(proof)["sound"] is True


def test_it_changes_nothing(data: Path) -> None:
    before = {path.name: path.read_bytes() for path in journal_files(data)}
    prove(data)
    assert {path.name: path.read_bytes() for path in journal_files(data)} == before


def sql(statement: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(statement)
            connection.commit()

    return run


TAMPERED = {
    "a value": sql("UPDATE scans SET columns = CAST(substr(columns, 1, length(columns) - 1) || x'41' AS BLOB)"),
    "a slot": sql("UPDATE scans SET slot_ns = slot_ns + 1 WHERE seq = (SELECT min(seq) FROM scans)"),
    "an event": sql('UPDATE events SET body = \'{"cause": "none"}\''),
    "a row": sql("DELETE FROM scans WHERE seq = (SELECT max(seq) FROM scans)"),
    "a total": sql("UPDATE commits SET samples_total = samples_total + 1 WHERE seq = (SELECT min(seq) FROM commits)"),
    "a commit": sql("DELETE FROM commits WHERE seq = (SELECT min(seq) FROM commits)"),
    "a blob that fits nothing": sql("UPDATE scans SET columns = x'00' WHERE seq = (SELECT max(seq) FROM scans)"),
    "a layout": sql("UPDATE layouts SET body = replace(body, 'temperature', 'temperaturf')"),
    "its beginning": sql("UPDATE meta SET samples_before = samples_before + 1"),
    "the index": sql("DROP TABLE stamps"),
}


@pytest.mark.parametrize("day", range(DAYS))
@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_is_changed_is_found_and_named(data: Path, what: str, day: int) -> None:
    path = journal_files(data)[day]
    TAMPERED[what](path)
    proof = prove(data)
    assert not proof.sound
    assert any(path.name in fault for fault in faults(proof)), faults(proof)
    assert all(finding.advice for finding in proof.findings if finding.fault and finding.where == path.name)


def test_a_truncated_file_is_found(data: Path) -> None:
    path = journal_files(data)[1]
    truncated(path, random.Random(1))
    assert any(path.name in fault for fault in faults(prove(data)))


def test_a_file_that_is_gone_is_found(data: Path) -> None:
    deleted(journal_files(data)[1], random.Random(1))
    assert any("rows 5 to 8 are in no file" in fault for fault in faults(prove(data)))


def test_a_newest_file_that_is_gone_is_found(data: Path) -> None:
    deleted(journal_files(data)[-1], random.Random(1))
    assert any("rows up to 12 had been committed" in fault for fault in faults(prove(data)))


def test_older_files_that_were_removed_are_no_fault(data: Path) -> None:
    """Retention."""
    oldest = journal_files(data)[0]
    with closing(Registry(data)) as registry:
        registry.acknowledge("influx", Cursor(8, 10, 0))
        registry.put_states(REMOVED, stored(oldest).as_removed())
    remove(oldest)
    proof = prove(data)
    assert proof.sound
    assert any("begins at row 5" in finding.what for finding in proof.findings)


@pytest.mark.parametrize("settled", [0, 2, 4, 8])
def test_older_files_that_a_hand_removed_are_found_told_once_and_balanced(data: Path, settled: int) -> None:
    """Of three days the first goes by retention, the second by hand; what a sink lacked of it is damaged."""
    samples = {0: 0, 2: 1, 4: 5, 8: 10}[settled]
    first, second, _ = journal_files(data)
    with closing(Registry(data)) as registry:
        registry.acknowledge("influx", Cursor(max(settled, 4), max(samples, 5), 0))
        registry.acknowledge("behind", Cursor(settled, samples, 0))
        if settled >= 4:
            registry.put_states(REMOVED, stored(first).as_removed())
    deleted(first, random.Random(1))
    deleted(second, random.Random(1))
    begin = 4 if settled >= 4 else 0
    assert any(f"rows {begin + 1} to 8 are in no file" in fault for fault in faults(prove(data)))
    for _ in range(2):
        open_record(data, SLOT_NS + 9 * DAY_NS).registry.close()
    (loss,) = losses(data)
    assert (loss.before.seq, loss.after.seq, loss.kept) == (begin, 8, "")
    assert loss.samples == (10 if begin == 0 else 5)
    proof = prove(data)
    assert proof.sound, faults(proof)
    assert proof.ledger
    assert proof.ledger.sinks["behind"].damaged == 10 - samples
    assert proof.ledger.sinks["behind"].queued == 5


def test_a_registry_made_anew_still_knows_what_retention_removed_and_what_is_archived(data: Path) -> None:
    first = journal_files(data)[0]
    note: dict[str, Json] = {"folder": "/mnt/archive", "seq": 8, "hash": "ab"}
    with closing(Registry(data)) as registry:
        registry.put_states(REMOVED, stored(first).as_removed())
        registry.put_states(ARCHIVED, {journal_files(data)[1].name: note})
        write_copy(data, registry)
    remove(first)
    deleted(data / "registry.db", random.Random(1))
    with closing(open_record(data, SLOT_NS + 9 * DAY_NS).registry) as registry:
        assert registry.states(ARCHIVED) == {journal_files(data)[0].name: note}
    assert losses(data) == ()


def test_a_first_file_that_does_not_go_on_from_what_was_removed_is_found(data: Path) -> None:
    first = journal_files(data)[0]
    removed = stored(first).as_removed()
    removed["removed"]["hash"] = "00" * 32
    with closing(Registry(data)) as registry:
        registry.put_states(REMOVED, removed)
    remove(first)
    assert any("exchanged" in fault for fault in faults(prove(data)))


def test_a_file_that_was_exchanged_is_found(data: Path, tmp_path: Path) -> None:
    """Whole in itself, with the right numbers: only the hash of the file behind it tells."""
    other = tmp_path / "other"
    (other / "journal").mkdir(parents=True)
    with closing(Journal(other)) as journal:
        for day in range(2):
            event = Event(EventKind.GAP, SLOT_NS, body={"cause": "device down"})
            journal.append([one(float(day + 7)), event], SLOT_NS + day * DAY_NS)
            journal.append([two(1.0, 2.0), two(3.0, 4.0)], SLOT_NS + day * DAY_NS + 1)
    shutil.copy(journal_files(other)[1], journal_files(data)[1])
    assert len(faults(prove(data))) == 2
    assert all("hash" in fault for fault in faults(prove(data)))


def test_what_is_known_to_be_lost_is_told_and_no_fault(data: Path) -> None:
    newest = journal_files(data)[-1]
    truncated(newest, random.Random(1))
    recover(data, Totals(12, 15, 9), SLOT_NS + 5 * DAY_NS)
    with closing(Journal(data)) as journal:
        journal.append([Stamped(one(1.0).scan, (Stamp(),))], SLOT_NS + 5 * DAY_NS)
    proof = prove(data)
    assert proof.sound, faults(proof)
    (lost,) = [finding for finding in proof.findings if newest.name in finding.where]
    assert "5 samples" in lost.what
    assert proof.ledger
    assert proof.ledger.sinks["influx"].damaged == 5


def test_a_ledger_that_does_not_add_up_is_found(data: Path) -> None:
    with closing(Registry(data)) as registry:
        registry.acknowledge("influx", Cursor(8, 9, 0))
    assert any("sink influx" in fault for fault in faults(prove(data)))


def test_a_damaged_registry_is_found(data: Path) -> None:
    (data / "registry.db").write_bytes(b"no database" * 1000)
    assert any("registry.db" in fault for fault in faults(prove(data)))


def test_beside_a_writer(data: Path) -> None:
    """What comes meanwhile is left for the next time."""
    with closing(Journal(data)) as journal:

        def commit(_: int) -> None:
            journal.append([one(1.0)], SLOT_NS + DAYS * DAY_NS)

        assert prove(data, commit).sound
    assert prove(data).sound
