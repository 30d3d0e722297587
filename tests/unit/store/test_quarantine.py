"""A damaged file is set aside, collection goes on in a new one, and no number is given twice."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from collector.store.daily import Totals
from collector.store.files import StoreError, journal_files, locked
from collector.store.hold import Hold
from collector.store.journal import Journal
from collector.store.losses import Loss, acknowledge, losses, quarantine
from collector.store.quarantine import ROWS_NEVER_GIVEN, Quarantine
from collector.store.reader import Reader
from collector.store.recovery import damage_at_end, holes, recover
from collector.store.rows import ScanRow
from collector.store.walk import walk
from tests.journal_rows import SLOT_NS
from tests.unit.store.damages import OBVIOUS, deleted, put_back_older
from tests.unit.store.simple import DAY_NS, all_rows, journal_of, one, values

CHANCE = random.Random(7)
LATER_NS = SLOT_NS + 10 * DAY_NS


def days(data: Path, count: int, commits: int = 2) -> list[Path]:
    """Days of `commits` commits of two rows of a sample each, so that seq = samples."""
    with journal_of(data) as journal:
        for day in range(count):
            for commit in range(commits):
                value = float(day * 10 + commit)
                journal.append([one(value), one(value + 0.5)], SLOT_NS + day * DAY_NS + commit)
    return journal_files(data)


def totals(seq: int) -> Totals:
    return Totals(seq, seq, seq)


def seqs(data: Path) -> list[int]:
    with closing(Reader(data)) as reader:
        return [row.seq for row in all_rows(reader)]


def recovered(data: Path, known: Totals = Totals()) -> list[Loss]:  # noqa: B008  frozen
    return recover(data, known, LATER_NS)


# --- at a start


def test_a_sound_journal_is_left_alone(data: Path) -> None:
    files = days(data, 2)
    assert recovered(data, totals(8)) == []
    assert journal_files(data) == files
    assert not quarantine(data).exists()


@pytest.mark.parametrize("damage", OBVIOUS)
def test_a_damaged_newest_file_is_set_aside_and_a_new_one_begun(data: Path, damage: str) -> None:
    newest = days(data, 2)[-1]
    OBVIOUS[damage](newest, CHANCE)
    found = newest.read_bytes() if newest.is_file() else b""
    (loss,) = recovered(data, totals(8))
    assert (loss.file, loss.before, loss.samples) == (newest.name, totals(4), 4)
    kept = quarantine(data) / loss.kept
    assert kept.is_dir() if damage == "a_folder" else kept.read_bytes() == found, "kept as it was found"
    assert not newest.exists()
    with journal_of(data) as journal:
        assert journal.totals.samples == 8
        after = journal.append([one(99.0)], SLOT_NS + DAY_NS)
    assert after == Totals(8 + ROWS_NEVER_GIVEN + 1, 9, 9)
    assert values(data) == [0.0, 0.5, 1.0, 1.5, 99.0]
    assert recovered(data, after) == [], "it is told once"
    assert losses(data) == (loss,)


@pytest.mark.parametrize("damage", OBVIOUS)
def test_what_nothing_else_knows_may_be_told_by_the_file(data: Path, damage: str) -> None:
    """Registry and file lost together: numbers are given anew all the same."""
    newest = days(data, 2)[-1]
    OBVIOUS[damage](newest, CHANCE)
    (loss,) = recovered(data)
    assert loss.before == totals(4)
    assert 4 <= loss.after.samples <= 8
    assert loss.after.seq > 8
    assert not loss.exact


def test_the_only_file_may_be_the_damaged_one(data: Path) -> None:
    (only,) = days(data, 1)
    os.truncate(only, 0)
    (loss,) = recovered(data, totals(4))
    assert (loss.before, loss.samples) == (Totals(), 4)
    with journal_of(data) as journal:
        journal.append([one(1.0)], LATER_NS)
    assert seqs(data) == [4 + ROWS_NEVER_GIVEN + 1]


def test_several_newest_files_may_be_damaged(data: Path) -> None:
    """Each is a record of its own, and no row is in two of them."""
    files = days(data, 4)
    for path in files[2:]:
        os.truncate(path, 0)
    found = recovered(data, totals(16))
    assert {loss.file for loss in found} == {path.name for path in files[2:]}
    assert sum(loss.samples for loss in losses(data)) == 8
    first, second = losses(data)
    assert first.before == totals(8)
    assert second.before == first.after
    with journal_of(data) as journal:
        assert journal.append([one(1.0)], LATER_NS).samples == 17


def test_what_goes_on_after_a_damage_may_be_damaged_itself(data: Path) -> None:
    """The numbers of the file begun anew are not given again either, whatever the registry knows."""
    days(data, 1)
    given: set[int] = set()
    for _ in range(3):
        newest = journal_files(data)[-1]
        given |= set(seqs(data))
        os.truncate(newest, 0)
        assert recovered(data)
        with journal_of(data) as journal:
            journal.append([one(1.0)], LATER_NS)
        now = set(seqs(data))
        assert not now & given
        given |= now
    assert len(list(quarantine(data).glob("*.db"))) == 3


def test_rows_that_were_committed_and_are_in_no_file_are_put_down(data: Path) -> None:
    """The newest file was deleted while no daemon ran."""
    newest = days(data, 2)[-1]
    deleted(newest, CHANCE)
    (loss,) = recovered(data, totals(8))
    assert (loss.kept, loss.before, loss.samples) == ("", totals(4), 4)
    with journal_of(data) as journal:
        journal.append([one(99.0)], SLOT_NS + DAY_NS)
    assert values(data) == [0.0, 0.5, 1.0, 1.5, 99.0]
    assert recovered(data, totals(8)) == []


def test_an_older_copy_put_back_is_gone_on_with_behind_a_hole(data: Path, tmp_path: Path) -> None:
    (today,) = days(data, 1)
    older = tmp_path / "copy.db"
    with closing(sqlite3.connect(today)) as source, closing(sqlite3.connect(older)) as copy:
        source.backup(copy)
    with journal_of(data) as journal:
        journal.append([one(7.0)], SLOT_NS + 5)
    put_back_older(today, older)
    (loss,) = recovered(data, totals(5))
    assert (loss.before, loss.samples) == (totals(4), 1)
    for value in (8.0, 9.0):
        with journal_of(data) as journal:
            journal.append([one(value)], SLOT_NS + 6)
    assert values(data) == [0.0, 0.5, 1.0, 1.5, 8.0, 9.0]
    assert [seq - ROWS_NEVER_GIVEN for seq in seqs(data)[4:]] == [6, 7]
    with closing(Reader(data)) as reader:
        assert reader.totals().samples == 7


def test_a_newer_programs_file_is_no_damage(data: Path) -> None:
    (path,) = days(data, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="99"):
        recovered(data, totals(4))
    assert journal_files(data) == [path]


def test_a_file_moved_there_by_hand_is_put_down(data: Path) -> None:
    """Or by a daemon that was killed before it could write the record."""
    middle = days(data, 3)[1]
    quarantine(data).mkdir()
    middle.rename(quarantine(data) / f"{middle.stem}-aside.db")
    (loss,) = recovered(data, totals(12))
    assert (loss.before, loss.after, loss.kept) == (totals(4), totals(8), f"{middle.stem}-aside.db")
    assert recovered(data, totals(12)) == []


def test_a_start_reads_the_end_of_the_newest_file_only(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is."""
    files = days(data, 5)
    looked: list[Path] = []

    def look(path: Path, _: object) -> str:
        looked.append(path)
        return damage_at_end(path)

    monkeypatch.setattr("collector.store.recovery.damage_at_end", look)
    recovered(data, totals(20))
    assert looked == [files[-1]]


# --- while it runs


def test_a_file_that_is_malformed_under_the_writer_is_set_aside_and_the_commit_lands(data: Path) -> None:
    told: list[Loss] = []
    with closing(Journal(data, on_loss=told.append)) as journal, closing(Reader(data)) as reader:
        journal.append([one(1.0), one(2.0)], SLOT_NS)
        assert reader.totals() == totals(2)
        (path,) = journal_files(data)
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.write(b"no database any more" * 4000)
        totals_after = journal.append([one(3.0)], SLOT_NS + 1)
        (loss,) = told
        assert (loss.file, loss.before, loss.samples, loss.exact) == (path.name, Totals(), 2, True)
        assert totals_after == Totals(2 + ROWS_NEVER_GIVEN + 1, 3, 3)
        assert [float(row.scan.values[0]) for row in all_rows(reader)] == [3.0], "the reader follows to the new file"
        journal.append([one(4.0)], SLOT_NS + 2)
        assert reader.totals().samples == 4
    assert (quarantine(data) / loss.kept).read_bytes().startswith(b"no database")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_taken_away_under_the_writer_is_noticed(data: Path, replaced: bool) -> None:
    """SQLite would go on writing to what has no name any more."""
    told: list[Loss] = []
    with closing(Journal(data, on_loss=told.append)) as journal:
        journal.append([one(1.0)], SLOT_NS)
        (path,) = journal_files(data)
        deleted(path, CHANCE)
        if replaced:
            path.write_bytes(b"something else")
        journal.append([one(2.0)], SLOT_NS + 1)
    assert [(loss.file, loss.samples, bool(loss.kept)) for loss in told] == [(path.name, 1, replaced)]
    assert values(data) == [2.0]


def test_a_folder_that_is_deleted_with_all_its_days_is_begun_anew(data: Path) -> None:
    days(data, 2)
    with closing(Journal(data)) as journal:
        shutil.rmtree(data / "journal")
        assert journal.append([one(2.0)], SLOT_NS + DAY_NS + 9).samples == 9
    (loss,) = losses(data)
    assert (loss.samples, loss.kept) == (8, "")
    assert values(data) == [2.0]


@pytest.mark.parametrize("begun", [False, True])
def test_another_folder_in_the_place_of_ours_is_left_alone(
    data: Path, tmp_path_factory: pytest.TempPathFactory, begun: bool
) -> None:
    """Moved away, with a daemon that still runs; one that is restored in its place, and another daemon started there."""
    ours = tmp_path_factory.mktemp("moved") / "data"
    with locked(data), closing(Journal(data)) as journal:
        journal.append([one(1.0)], SLOT_NS)
        hold = Hold.of(data)
        data.rename(ours)
        for _ in range(2):
            with pytest.raises(StoreError, match="moved or replaced"):
                journal.append([one(2.0)], SLOT_NS + 1)
            (data / "journal").mkdir(parents=True, exist_ok=True)
        with locked(data) if begun else nullcontext(), closing(Reader(data, hold=hold)) as reader:
            (there,) = days(data, 1)
            with pytest.raises(StoreError, match="another daemon" if begun else "moved or replaced"):
                journal.append([one(2.0)], SLOT_NS + 1)
            with pytest.raises(StoreError):
                journal.set_aside(there, "damaged", LATER_NS)
            if begun:
                with pytest.raises(StoreError, match="another daemon"):
                    reader.read(0, 1)
        assert losses(data) == ()
        shutil.rmtree(data)
        ours.rename(data)
        assert journal.append([one(2.0)], SLOT_NS + 1).samples == 2
    assert values(data) == [1.0, 2.0]


def test_a_lock_that_somebody_deleted_is_missed_by_nobody(data: Path) -> None:
    with locked(data), closing(Journal(data)) as journal:
        journal.append([one(1.0)], SLOT_NS)
        (data / "daemon.lock").unlink()
        assert journal.append([one(2.0)], SLOT_NS + 1).samples == 2
        with locked(data), pytest.raises(StoreError, match="another daemon"):
            journal.append([one(3.0)], SLOT_NS + 2)


def test_an_older_file_is_set_aside_beside_the_writer(data: Path) -> None:
    oldest = days(data, 3)[0]
    with closing(Journal(data)) as journal, closing(Reader(data)) as reader:
        assert reader.read(0, 1)
        os.truncate(oldest, 0)
        loss = journal.set_aside(oldest, "emptied", LATER_NS)
        assert (loss.before, loss.after) == (Totals(), totals(4))
        assert [row.seq for row in all_rows(reader)] == list(range(5, 13)), "a sink goes on past the lost rows"
        assert journal.append([one(1.0)], SLOT_NS + 2 * DAY_NS) == totals(13), "the numbers go on where they were"


def test_a_full_disk_is_no_damage(data: Path) -> None:
    with closing(Journal(data)) as journal:
        journal.append([one(1.0)], SLOT_NS)
        assert journal._connection
        journal._connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.Error, match="full"):
            journal.append([one(float(n)) for n in range(2000)], SLOT_NS + 1)
    assert losses(data) == ()


# --- files that are none of the record's


@pytest.mark.parametrize("name", ["2031-01-01.db", "2001-01-01.db"])
@pytest.mark.parametrize("copied", [False, True])
def test_a_foreign_file_is_set_aside_beside_the_writer_and_leaves_no_hole(data: Path, name: str, copied: bool) -> None:
    oldest, newest = days(data, 2)
    foreign = data / "journal" / name
    foreign.write_bytes((newest if name < oldest.name else oldest).read_bytes() if copied else b"nothing of ours" * 1000)
    with closing(Journal(data)) if name < oldest.name else closing(_writing(data, foreign)) as journal:
        ((path, cause),) = holes(data)
        assert path == foreign
        assert not copied or "a copy under another name" in cause
        loss = journal.set_aside(path, cause, LATER_NS)
        assert (loss.samples, loss.before.seq) == (0, loss.after.seq)
        assert journal.append([one(1.0)], SLOT_NS + DAY_NS + 9) == totals(9), "the numbers go on where they were"
    assert seqs(data) == list(range(1, 10))
    assert list(holes(data)) == []
    assert all(not walk(each).breaks for each in journal_files(data))
    assert recovered(data, totals(9)) == []


def _writing(data: Path, foreign: Path) -> Journal:
    """A journal that was open before the file came."""
    aside = foreign.rename(data / "aside")
    journal = Journal(data)
    aside.rename(foreign)
    return journal


@pytest.mark.parametrize("known", [0, 8])
def test_a_copy_under_the_name_of_a_day_to_come_is_not_gone_on_with(data: Path, known: int) -> None:
    oldest, newest = days(data, 2)
    shutil.copy(oldest, data / "journal" / "2031-01-01.db")
    (loss,) = recovered(data, totals(known))
    assert (loss.file, loss.samples) == ("2031-01-01.db", 0)
    with journal_of(data) as journal:
        assert journal.totals.samples == 8
        assert journal.append([one(1.0)], SLOT_NS + DAY_NS + 9).samples == 9
    assert journal_files(data) == [oldest, newest]
    assert len(set(seqs(data))) == len(seqs(data)) == 9


def _killed(data: Path) -> Path:
    """A day of four rows that stand in its log only, as a daemon leaves it that was killed."""
    with journal_of(data) as journal:
        for n in range(4):
            journal.append([one(float(n))], SLOT_NS + n)
        (path,) = journal_files(data)
        left = {each: each.read_bytes() for each in (path, path.with_name(f"{path.name}-wal"))}
    for each, body in left.items():
        each.write_bytes(body)
    return path


@pytest.mark.parametrize("kept", [False, True])
def test_the_log_of_a_file_that_is_gone_is_not_read_into_the_next(data: Path, kept: bool) -> None:
    """Somebody deleted the file alone, or the daemon was killed between two renames when it set the file aside."""
    path = _killed(data)
    quarantine(data).mkdir()
    if kept:
        path.rename(quarantine(data) / f"{path.stem}-aside.db")
    else:
        path.unlink()
    (loss,) = recovered(data, totals(4))
    assert (loss.samples, loss.kept) == (4, f"{path.stem}-aside.db" if kept else "")
    with journal_of(data) as journal:
        assert journal.append([one(9.0)], SLOT_NS + 9).samples == 5
    assert values(data) == [9.0]
    assert not walk(path).breaks
    (log,) = quarantine(data).glob("*-wal")
    if kept:
        with closing(sqlite3.connect(quarantine(data) / loss.kept)) as database:
            assert log.name == f"{loss.kept}-wal"
            assert database.execute("SELECT count(*) FROM scans").fetchone() == (4,)


def test_a_new_file_never_takes_up_the_log_of_another(data: Path) -> None:
    path = _killed(data)
    path.unlink()
    with journal_of(data) as journal:
        journal.append([one(9.0)], SLOT_NS + 9)
    assert values(data) == [9.0]
    assert (path.parent / f"left-{path.name}-wal").exists()


# --- looked for


def test_what_is_gone_from_the_middle_is_found(data: Path) -> None:
    files = days(data, 5)
    deleted(files[2], CHANCE)
    ((path, cause),) = holes(data)
    assert path == files[2]
    assert "rows 9 to 12" in cause
    loss = Quarantine(data, totals(20), LATER_NS).set_aside(path, cause)
    assert (loss.before, loss.after, loss.kept) == (totals(8), totals(12), "")
    assert list(holes(data)) == []


def test_what_was_removed_from_the_beginning_is_no_hole(data: Path) -> None:
    """Retention takes the oldest."""
    deleted(days(data, 3)[0], CHANCE)
    assert list(holes(data)) == []


def test_neighbours_that_are_gone_are_one_loss(data: Path) -> None:
    files = days(data, 5)
    for path in files[1:4]:
        deleted(path, CHANCE)
    ((path, cause),) = holes(data)
    loss = Quarantine(data, totals(20), LATER_NS).set_aside(path, cause)
    assert (loss.before, loss.after) == (totals(4), totals(16))


def test_a_damaged_file_beside_one_that_is_gone(data: Path) -> None:
    """No sample is lost twice."""
    files = days(data, 5)
    deleted(files[1], CHANCE)
    os.truncate(files[2], 0)
    for _ in range(3):
        for path, cause in list(holes(data)):
            Quarantine(data, totals(20), LATER_NS).set_aside(path, cause)
    assert list(holes(data)) == []
    assert sum(loss.samples for loss in losses(data)) == 8
    assert seqs(data) == [1, 2, 3, 4, *range(13, 21)]


# --- the record


def test_a_person_takes_note_of_it(data: Path) -> None:
    os.truncate(days(data, 1)[0], 0)
    (loss,) = recovered(data, totals(4))
    noted = acknowledge(data, loss.name, LATER_NS + 1, "disk replaced, see deviation 26-014")
    assert losses(data) == (noted,)
    assert (noted.acknowledged_ns, noted.note) == (LATER_NS + 1, "disk replaced, see deviation 26-014")
    assert (noted.before, noted.after, noted.cause) == (loss.before, loss.after, loss.cause)
    with pytest.raises(StoreError, match="2031"):
        acknowledge(data, "2031-01-01", LATER_NS, "")


def test_rows_are_read_as_they_were(data: Path) -> None:
    """The file that goes on after a damage is a daily file like all others."""
    os.truncate(days(data, 1)[0], 0)
    recovered(data, totals(4))
    with journal_of(data) as journal:
        journal.append([one(3.25)], LATER_NS)
    with closing(Reader(data)) as reader:
        (row,) = reader.read(0, 10)
        assert isinstance(row, ScanRow)
        assert row.scan.values[0] == 3.25
        assert reader.totals(4 + ROWS_NEVER_GIVEN).samples == 4
        assert reader.totals(row.seq).samples == 5
