"""An archive of closed days is proved by what the disk gives back; only then it is noted; whatever ends it, it goes on."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from collector.archive import copying
from collector.archive.copying import State, archive, bytes_to_archive
from collector.archive.proof import prove_archive
from collector.proof.record import prove
from collector.store.archive import copy_day, read_manifest, sha256_of, sha256_on_disk, write_manifest
from collector.store.cursors import Cursor, DeadLetter
from collector.store.daily import Totals
from collector.store.files import StoreError, journal_files, locked
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.recovery import recover
from collector.store.registry import Registry
from collector.store.retention import Note, remove, stored
from tests.journal_rows import SLOT_NS
from tests.unit.archive.archived import archived, compact, days_of, grow, notes, record, states, values
from tests.unit.store.simple import DAY_NS

DAYS = ["2024-11-22", "2024-11-23", "2024-11-24"]
ARCHIVED = [State.ARCHIVED] * 3 + [State.WAITING]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a daemon left it."""
    return record(tmp_path_factory.mktemp("left") / "data")


@pytest.fixture
def data(left: Path, tmp_path: Path) -> Path:
    return shutil.copytree(left, tmp_path / "data")


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def test_closed_days_are_copied_proved_and_noted(data: Path, to: Path) -> None:
    outcomes = archived(data, to)
    assert states(outcomes) == ARCHIVED
    assert "newest" in outcomes[-1].cause
    assert days_of(to) == DAYS
    assert sorted(path.name for path in to.iterdir()) == ["archive.json", "journal"]
    for path, entry in zip(journal_files(data), read_manifest(to).days, strict=False):
        found = stored(path)
        assert (entry.before.seq, entry.end, entry.hash, entry.gmp) == (found.end.seq - 40, found.end, found.hash, True)
        assert (entry.rows, entry.samples, entry.scans, entry.commits) == (40, 40, 20, 20)
        assert (entry.version, entry.archived_ns) == ("0.1.0", SLOT_NS)
        assert entry.sha256 == sha256(entry.path(to).read_bytes()).hexdigest()
        note = Note.from_json(notes(data)[path.name])
        assert note == Note(str(to), entry.last_seq, entry.hash, entry.sha256, SLOT_NS, "0.1.0")
    assert prove_archive(to).sound
    assert prove(data).sound


def test_progress_is_shown_of_what_was_foretold(data: Path, to: Path) -> None:
    shown: list[int] = []
    archived(data, to, until=DAYS[0])
    expected = bytes_to_archive(data, to, "9999-12-31")
    list(archive(data, to, "0", lambda: SLOT_NS, same_disk=True, show=shown.append))
    assert expected > 0
    assert sum(shown) == pytest.approx(expected, rel=0.1)
    assert bytes_to_archive(data, to, "9999-12-31") == 0


def test_it_is_read_in_place_also_where_nothing_can_be_written(data: Path, to: Path) -> None:
    archived(data, to)
    before = {path: path.read_bytes() for path in journal_files(to)}
    assert values(to) == values(data)[:120]
    assert {path: path.read_bytes() for path in journal_files(to)} == before
    assert sorted(path.suffix for path in (to / "journal").iterdir()) == [".db"] * 3, "no log is left beside"


def test_what_is_read_back_comes_from_the_disk(tmp_path: Path) -> None:
    def read_bytes() -> int:
        (line,) = [line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("read_bytes")]
        return int(line.split()[1])

    path = tmp_path / "file"
    path.write_bytes(os.urandom(3_000_000))
    with path.open("rb") as file:
        os.fsync(file.fileno())
    before = read_bytes()
    sha256_of(path)
    if read_bytes() != before:
        pytest.skip("this file system keeps nothing in memory")
    digest = sha256_on_disk(path)
    if "tmpfs" in subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout:
        pytest.skip("a file system in memory")
    assert read_bytes() - before > 2_000_000, "a page that somebody holds may have stayed"
    assert digest == sha256(path.read_bytes()).hexdigest()


def test_another_run_goes_on_with_the_days_since(data: Path, to: Path) -> None:
    assert states(archived(data, to, until="2024-11-22")) == [State.ARCHIVED]
    assert states(archived(data, to)) == [State.ALREADY, State.ARCHIVED, State.ARCHIVED, State.WAITING]
    with closing(Journal(data)) as journal:
        grow(journal, 4)
        assert states(archived(data, to))[3:] == [State.WAITING, State.WAITING], "not compacted yet"
        compact(data, journal)
    assert states(archived(data, to)) == [State.ALREADY] * 3 + [State.ARCHIVED, State.WAITING]
    assert prove_archive(to).sound


def test_days_that_retention_took_stay_in_the_archive(data: Path, to: Path) -> None:
    archived(data, to)
    remove(journal_files(data)[0])
    remove(journal_files(data)[0])
    assert states(archived(data, to)) == [State.ALREADY, State.WAITING]
    assert len(values(to)) == 120


def test_beside_a_writer(data: Path, to: Path) -> None:
    """Commits, compaction and acknowledgements go on while days are archived."""
    stop, committed = threading.Event(), threading.Event()

    def write() -> None:
        with closing(Journal(data)) as journal, closing(Registry(data)) as registry:
            for day in range(4, 400):
                grow(journal, day, commits=3)
                compact(data, journal)
                registry.acknowledge("influx", Cursor(journal.totals.seq, journal.totals.samples, 0))
                committed.set()
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            committed.clear()
            assert committed.wait(60)
            assert {*states(archived(data, to))} <= {State.ARCHIVED, State.ALREADY, State.WAITING}
    finally:
        stop.set()
        writer.join()
    assert len(days_of(to)) > 4
    assert prove_archive(to).sound
    assert prove(data).sound


@pytest.mark.parametrize(("number", "ends"), [(errno.EINVAL, None), (errno.EIO, "can't be written: .*Input/output error")])
def test_a_share_that_can_not_sync_its_folders_will_do_and_one_that_fails_to_will_not(
    data: Path, to: Path, monkeypatch: pytest.MonkeyPatch, number: int, ends: str | None
) -> None:
    def refused(folder: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("collector.store.archive.sync_folder", refused)
    if ends is None:
        assert states(archived(data, to)) == ARCHIVED
    else:
        with pytest.raises(StoreError, match=ends):
            archived(data, to)
        assert notes(data) == {}


# --- what must not be


@contextmanager
def faults(to: Path, says: str, entries: int = 0) -> Iterator[None]:
    """An error that says so; the archive has so many days all the same, and no other file."""
    with pytest.raises(StoreError, match=says):
        yield
    assert len(read_manifest(to).days) == entries
    assert {path.name for path in (to / "journal").iterdir()} == {f"{day}.db" for day in DAYS[:entries]}


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_bit_that_flips_on_the_way_is_found_and_nothing_noted(
    data: Path, to: Path, monkeypatch: pytest.MonkeyPatch, at: float
) -> None:
    """Wherever it is: in a row, an index, or a page that nothing uses."""

    def flipping(path: Path) -> str:
        body = bytearray(path.read_bytes())
        body[int(at * len(body))] ^= 1
        path.write_bytes(body)
        return sha256_on_disk(path)

    archived(data, to, until=DAYS[0])
    monkeypatch.setattr(copying, "sha256_on_disk", flipping)
    with faults(to, "is not a copy of the original.*nothing was noted", 1):
        archived(data, to)
    assert list(notes(data)) == [f"{DAYS[0]}.db"]
    monkeypatch.undo()
    assert states(archived(data, to)) == [State.ALREADY, State.ARCHIVED, State.ARCHIVED, State.WAITING]


def test_rows_that_were_not_those_of_the_original_are_found(data: Path, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that is whole in itself, and of something else."""
    original = copy_day

    def other(reader: sqlite3.Connection, target: Path, show: Callable[[int], None]) -> None:
        original(reader, target, show)
        with closing(sqlite3.connect(target, isolation_level=None)) as connection:
            connection.execute("UPDATE chunks SET low = low + 1 WHERE key = 1")

    monkeypatch.setattr(copying, "copy_day", other)
    with faults(to, "other rows were read back"):
        archived(data, to)
    assert notes(data) == {}


def test_an_original_that_is_not_sound_is_not_archived_and_the_others_are(data: Path, to: Path) -> None:
    with closing(sqlite3.connect(journal_files(data)[1])) as connection:
        connection.execute("UPDATE events SET body = '{}' WHERE seq = (SELECT min(seq) FROM events)")
        connection.commit()
    outcomes = archived(data, to)
    assert states(outcomes) == [State.ARCHIVED, State.UNSOUND, State.ARCHIVED, State.WAITING]
    assert "not those that were appended" in outcomes[1].cause
    assert [*notes(data)] == [f"{DAYS[0]}.db", f"{DAYS[2]}.db"]
    assert days_of(to) == [DAYS[0], DAYS[2]]
    proof = prove_archive(to)
    assert proof.sound
    assert [finding.what for finding in proof.findings] == ["rows 41 to 80, between them, are not in this archive"]


def test_a_full_disk_is_told_and_leaves_what_was_archived(data: Path, to: Path) -> None:
    """RLIMIT_FSIZE: the system refuses every file beyond it."""
    archived(data, to, until=DAYS[0])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with faults(to, "has no room|can't be written", 1):
            archived(data, to)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(notes(data)) == 1
    assert states(archived(data, to)) == [State.ALREADY, State.ARCHIVED, State.ARCHIVED, State.WAITING]


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    at = tmp_path / "disk"
    at.mkdir()
    told = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", at], capture_output=True, check=False)
    if told.returncode:
        pytest.skip(f"nobody may mount here: {told.stderr.decode().strip()}")
    yield at
    subprocess.run(["umount", "--lazy", at], check=True)


def test_a_small_disk_that_is_full_and_one_that_is_read_only(data: Path, mounted: Path) -> None:
    to = mounted / "archive"

    def run() -> list[str]:
        return states(list(archive(data, to, "0", lambda: SLOT_NS)))

    with faults(to, "has no room for the next day.*go on in another folder", 2):
        run()
    assert len(notes(data)) == 2
    assert prove_archive(to).sound
    subprocess.run(["mount", "-o", "remount,ro,size=9m", mounted], check=True)
    assert len(values(to)) == 80
    with faults(to, "can't be written: .*[Rr]ead-only", 2):
        run()
    subprocess.run(["mount", "-o", "remount,rw,size=9m", mounted], check=True)
    assert run() == [State.ALREADY, State.ALREADY, State.ARCHIVED, State.WAITING]


def test_folders_that_are_wrong(data: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("")
    archived(record(tmp_path / "elsewhere", site="mill"), tmp_path / "mills")
    for to, says in {
        data / "archive": "lie in each other",
        data: "lie in each other",
        tmp_path: "lie in each other",
        tmp_path / "mills" / "works": "lies in .*mills, which is an archive itself: give a folder beside it",
        tmp_path / "mills" / "journal" / "works": "lies in .*mills, which is an archive itself",
        tmp_path / "elsewhere" / "works": "lies in .*elsewhere, which is the data folder of a daemon",
        tmp_path / "other": "is no archive, and not empty",
        tmp_path / "file": "is no folder",
        tmp_path / "no" / "mount": "is its disk or share mounted",
    }.items():
        with pytest.raises(StoreError, match=says):
            archived(data, to)
    with pytest.raises(StoreError, match=r"is on the disk of the data folder.*--same-disk"):
        list(archive(data, tmp_path / "archive", "0", lambda: SLOT_NS))
    with pytest.raises(StoreError, match="no daemon has ever written here"):
        archived(tmp_path / "none", tmp_path / "archive")
    assert not (tmp_path / "archive").exists()
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["letter.txt"]
    assert notes(data) == {}


def test_another_records_archive_is_never_written_to(data: Path, to: Path, tmp_path: Path) -> None:
    archived(record(tmp_path / "elsewhere", site="mill"), to)
    with pytest.raises(StoreError, match="the archive of site mill, not of works"):
        archived(data, to)
    there = tmp_path / "same-site"
    other = record(tmp_path / "second", first=0.5)
    archived(other, there, until=DAYS[0])
    before = {path: path.read_bytes() for path in there.rglob("*") if path.is_file()}
    with pytest.raises(StoreError, match="another record's 2024-11-22"):
        archived(data, there)
    remove(journal_files(data)[0])
    with pytest.raises(StoreError, match="don't go on from each other"):
        archived(data, there)
    assert {path: path.read_bytes() for path in there.rglob("*") if path.is_file()} == before
    assert notes(data) == {}


def test_one_at_a_time(data: Path, to: Path) -> None:
    running = archive(data, to, "0", lambda: SLOT_NS, same_disk=True)
    assert next(running).state is State.ARCHIVED
    with pytest.raises(StoreError, match="another `reactorwatch archive` is at work"):
        archived(data, to)
    assert states(list(running)) == ARCHIVED[1:]


def test_no_daemon_writes_to_an_archive(data: Path, to: Path) -> None:
    archived(data, to)
    with pytest.raises(StoreError, match="is an archive"), locked(to):
        pass
    assert sorted(path.name for path in to.iterdir()) == ["archive.json", "journal"]


# --- ended in the middle

_KILLED = """
import os, signal, sys
from pathlib import Path
from collector.archive import copying
from collector.archive.copying import archive

data, to, when = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if when == "note":
    copying._Archiving._note = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
elif when == "entry":
    copying.write_manifest = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
shown = 0
def show(size):
    global shown
    shown += size
    if when == "copy" and shown > 600_000:
        os.kill(os.getpid(), signal.SIGKILL)
for outcome in archive(data, to, "0.1.0", lambda: 1, same_disk=True, show=show):
    print(outcome.day, flush=True)
"""


@pytest.mark.parametrize(
    ("when", "then"),
    [
        ("copy", [State.ALREADY, State.ARCHIVED, State.ARCHIVED, State.WAITING]),
        ("entry", ARCHIVED),
        ("note", [State.NOTED, State.ARCHIVED, State.ARCHIVED, State.WAITING]),
    ],
)
def test_killed_in_the_middle_it_goes_on(data: Path, to: Path, when: str, then: list[State]) -> None:
    ended = subprocess.run([sys.executable, "-c", _KILLED, data, to, when], check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    if when == "copy":
        assert [path.name for path in (to / "journal").glob("*.unproved")] == ["2024-11-23.unproved"]
    if when == "entry":
        assert [finding.what for finding in prove_archive(to).findings] == ["archive.json does not have it"]
    assert len(notes(data)) == (1 if when == "copy" else 0), "never before it is proved and entered"
    assert states(archived(data, to)) == then
    assert {path.name for path in (to / "journal").iterdir()} == {f"{day}.db" for day in DAYS}
    assert len(notes(data)) == 3
    assert prove_archive(to).sound


def test_what_lies_under_a_days_name_without_an_entry_is_not_taken_for_it(data: Path, to: Path, tmp_path: Path) -> None:
    archived(data, to, until=DAYS[0])
    shutil.copy(journal_files(record(tmp_path / "other", first=0.5))[1], to / "journal")
    before = (to / "journal" / f"{DAYS[1]}.db").read_bytes()
    with pytest.raises(StoreError, match="is not a copy of the original"):
        archived(data, to)
    assert (to / "journal" / f"{DAYS[1]}.db").read_bytes() == before
    assert len(notes(data)) == 1


def test_a_copy_that_came_to_harm_is_not_noted_again(data: Path, to: Path) -> None:
    archived(data, to)
    path = to / "journal" / f"{DAYS[1]}.db"
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    with closing(Registry(data)) as registry:
        registry.put_states("archive", {f"{DAYS[1]}.db": None})
    with pytest.raises(StoreError, match="is not what was archived"):
        archived(data, to)
    assert f"{DAYS[1]}.db" not in notes(data)
    path.unlink()
    with pytest.raises(StoreError, match="or gone"):
        archived(data, to)


# --- later


def test_what_happens_later_changes_no_archived_day(data: Path, to: Path) -> None:
    """Dead letters, cursors and compaction: the original keeps its bytes, the note stays true."""
    with closing(Journal(data)) as journal, closing(Registry(data)) as registry, closing(Reader(data)) as reader:
        letter = DeadLetter(2, 2, b"line", "refused", SLOT_NS)
        registry.acknowledge("influx", Cursor(2, 0, 2), [letter])
        archived(data, to)
        before = [path.read_bytes() for path in journal_files(data)[:3]]
        registry.retry("influx")
        registry.acknowledge("influx", Cursor(160, 160, 0), taken_up=[1])
        compact(data, journal)
        reader.read(0, 100)
        assert [path.read_bytes() for path in journal_files(data)[:3]] == before
    assert all(stored(path).noted(notes(data)).is_archived for path in journal_files(data)[:3])
    assert states(archived(data, to)) == [State.ALREADY] * 3 + [State.WAITING]


def test_a_day_is_put_back_by_hand(data: Path, to: Path) -> None:
    """As the how-to says: of a damaged one, with the daemon stopped."""
    archived(data, to)
    first = journal_files(data)[0]
    first.write_bytes(b"nothing of ours" * 1000)
    assert not prove(data).sound
    shutil.copy(to / "journal" / first.name, first)
    assert prove(data).sound
    with closing(Journal(data)) as journal:
        compact(data, journal)
        grow(journal, 4)
    assert prove(data).sound
    assert stored(first).noted(notes(data)).is_archived


# --- verify

CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda to: _flip(to / "journal" / f"{DAYS[1]}.db"),
    "gone": lambda to: (to / "journal" / f"{DAYS[1]}.db").unlink(),
    "cut short": lambda to: os.truncate(to / "journal" / f"{DAYS[1]}.db", 50_000),
    "no entry": lambda to: _entries(to, lambda days: [days[0], days[2]]),
    "another total": lambda to: _entries(to, lambda days: [days[0], days[1] | {"samples": 41}, days[2]]),
    "another hash": lambda to: _entries(to, lambda days: [days[0], days[1] | {"hash": "00"}, days[2]]),
    "exchanged": lambda to: shutil.copy(to / "journal" / f"{DAYS[0]}.db", to / "journal" / f"{DAYS[1]}.db"),
}


def _flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


def _entries(to: Path, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
    told = orjson.loads((to / "archive.json").read_bytes())
    (to / "archive.json").write_bytes(orjson.dumps(told | {"days": change(told["days"])}))


@pytest.mark.parametrize("what", CHANGES)
def test_verify_finds_what_was_changed_without_the_original(data: Path, to: Path, what: str) -> None:
    archived(data, to)
    CHANGES[what](to)
    proof = prove_archive(to)
    assert not proof.sound
    assert all(DAYS[1] in finding.where for finding in proof.findings if finding.fault), proof.findings
    assert all(finding.advice for finding in proof.findings if finding.fault)


@pytest.mark.parametrize("change", [{"hash": "00"}, {"samples": 41}, {"rows": 39}, {"commits": 19}])
def test_verify_finds_what_was_changed_in_the_newest_entry(data: Path, to: Path, change: dict[str, object]) -> None:
    """No other day goes on from it."""
    archived(data, to)
    _entries(to, lambda days: [*days[:2], days[2] | change])
    (finding,) = prove_archive(to).findings
    assert (finding.fault, finding.where) == (True, f"{DAYS[2]}.db")
    assert "are not those of archive.json" in finding.what


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"form": 2}', b'{"form": 1, "site": "works", "days": [{"day": "../x"}], "lost": []}']
)
def test_a_manifest_that_is_none_is_told(data: Path, to: Path, body: bytes) -> None:
    archived(data, to)
    (to / "archive.json").write_bytes(body)
    with pytest.raises(StoreError, match=r"archive\.json (can't be read|is of form 2)"):
        prove_archive(to)
    with pytest.raises(StoreError, match=r"archive\.json"):
        archived(data, to)
    assert (to / "archive.json").read_bytes() == body


def test_a_day_that_leads_elsewhere_is_refused(data: Path, to: Path) -> None:
    archived(data, to)
    manifest = read_manifest(to)
    write_manifest(to, replace(manifest, days=(replace(manifest.days[0], day="../../x"),)))
    with pytest.raises(StoreError, match="can't be read"):
        read_manifest(to)


def test_a_loss_is_told_by_the_archive_too(data: Path, to: Path, tmp_path: Path) -> None:
    journal_files(data)[-1].write_bytes(b"nothing of ours" * 1000)
    recover(data, Totals(160, 160, 80), SLOT_NS + 4 * DAY_NS)
    with closing(Journal(data)) as journal:
        grow(journal, 5)
        grow(journal, 6)
        compact(data, journal)
    assert states(archived(data, to)) == [State.ARCHIVED] * 4 + [State.WAITING]
    proof = prove_archive(to)
    assert proof.sound, proof.findings
    assert ["2024-11-25.db" in finding.where for finding in proof.findings].count(True) == 1
    assert prove(data).sound
