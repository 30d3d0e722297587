"""Compaction changes nothing that can be read: not the rows, not their order, not the chain; wherever it is cut short."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.store import blocks, chunks, segment_writer
from collector.store import compactor as compactor_module
from collector.store import files as files_module
from collector.store.blobs import Columns
from collector.store.blocks import Index
from collector.store.chunks import Chunk
from collector.store.compactor import Compactor
from collector.store.daily import DailyFile, Totals
from collector.store.files import Damaged, StoreError, journal_files, open_compactor
from collector.store.journal import Entry, Journal, Stamped
from collector.store.reader import Reader
from collector.store.recovery import recover
from collector.store.rows import Row, ScanRow
from collector.store.segment_writer import SegmentWriter
from collector.store.walk import walk
from collector.terms import Event, EventKind, Stamp
from config.tags import Kind
from drivers.base import Layout, Scan
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout, scan
from tests.unit.store import version_1
from tests.unit.store.entries import assert_same_rows, entries, layouts
from tests.unit.store.simple import DAY_NS, all_rows, journal_of, one

LATER_NS = SLOT_NS + DAY_NS // 2
MANY = layout(column("t"), column("n", Kind.INTEGER), column("s", Kind.TEXT), column("f"))
OTHER = layout(column("p"), group="other")
GAP = Event(EventKind.GAP, SLOT_NS, body={"device": "plc", "cause": "late"})


def at(second: int) -> list[Entry]:
    """What is committed in a second of a plant."""
    slot_ns = SLOT_NS + second * SECOND_NS
    if second % 17 == 3:
        return [Stamped(Scan.of_lost(MANY, slot_ns, slot_ns + 9, 0x800A_0000), (Stamp("B-1", "Dose"),)), GAP]
    status = [0, 0, 0, 0x808C_0000 if second % 5 == 0 else 0]
    values = scan(MANY, [20 + second / 100, 2**53 + second, f"phase {second // 40}", float(np.sin(second))], slot_ns, status)
    more = [Stamped(scan(OTHER, [second / 7], slot_ns - SECOND_NS // 2), (Stamp(),))] if second % 3 == 0 else []
    return [Stamped(values, (Stamp("B-1", "Dose" if second > 50 else "Heat"),)), *more]


def written(data: Path, seconds: int = 120, begin: int = 0) -> list[tuple[int, Entry]]:
    """A commit a second; each row with its number."""
    with journal_of(data) as journal:
        number, rows = journal.totals.seq, []
        for second in range(begin, begin + seconds):
            given = at(second)
            journal.append(given, SLOT_NS + second * SECOND_NS)
            rows += [(number + n, entry) for n, entry in enumerate(given, 1)]
            number += len(given)
    return rows


def compacted(data: Path, now_ns: int = LATER_NS, turn: threading.Lock | None = None) -> Compactor:
    compactor = Compactor(data, turn or threading.Lock())
    for _ in compactor.work(now_ns):
        pass
    return compactor


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten seconds, so that a test has several."""
    monkeypatch.setattr(compactor_module, "SEGMENT_S", 10.0)


def read_all(data: Path, limit: int = 7) -> list[Row]:
    with closing(Reader(data)) as reader:
        rows: list[Row] = []
        while got := reader.read(rows[-1].seq if rows else 0, limit):
            rows += got
    return rows


def table(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute(f"SELECT count(*) FROM {name}").fetchone()[0])  # noqa: S608


def assert_reads_the_same(data: Path, rows: Sequence[tuple[int, Entry]]) -> None:
    """By number, by time, by count, by total, and by the chain."""
    assert_same_rows(read_all(data), rows)
    scans = [(seq, entry) for seq, entry in rows if isinstance(entry, Stamped)]
    slots = sorted(entry.scan.slot_ns for _, entry in scans)
    with closing(Reader(data)) as reader:
        for from_ns, to_ns in ((0, 2**62), (slots[len(slots) // 3], slots[len(slots) // 2])):
            inside = [(seq, entry) for seq, entry in scans if from_ns <= entry.scan.slot_ns < to_ns]
            inside.sort(key=lambda row: (row[1].scan.slot_ns, row[0]))
            assert_same_rows(list(reader.scans_between(from_ns, to_ns)), inside)
            assert reader.count_between(from_ns, to_ns) == len(inside)
            of_group = [row for row in inside if row[1].scan.layout.group == "other"]
            assert_same_rows(list(reader.scans_of(lambda of: of.group == "other", from_ns, to_ns)), of_group)
        samples = scans_before = 0
        for seq, entry in rows:
            samples += entry.scan.samples if isinstance(entry, Stamped) else 0
            scans_before += isinstance(entry, Stamped)
            assert reader.totals(seq) == Totals(seq, samples, scans_before)
    assert all(walk(path).breaks == () for path in journal_files(data))


# --- the same, before and after


def test_what_is_read_is_the_same_before_and_after(data: Path) -> None:
    rows = written(data)
    assert_reads_the_same(data, rows)
    head = walk(journal_files(data)[0]).head
    assert compacted(data).faults == {}
    (path,) = journal_files(data)
    assert table(path, "segments") > 8
    assert table(path, "scans") < 30
    assert_reads_the_same(data, rows)
    assert walk(path).head == head


def test_the_newest_minutes_stay_as_they_are(data: Path) -> None:
    written(data)
    compacted(data, SLOT_NS + 119 * SECOND_NS + 300 * SECOND_NS)
    assert table(journal_files(data)[0], "segments") == 0


def test_a_finished_day_is_compacted_to_its_end_and_shrinks(data: Path) -> None:
    wide = layout(*(column(f"t{i}") for i in range(100)))
    rows: list[Entry] = [Stamped(scan(wide, [n / 10] * 100, SLOT_NS + n), (Stamp(),)) for n in range(1000)]
    with journal_of(data) as journal:
        journal.append(rows, SLOT_NS)
        journal.append([one()], SLOT_NS + DAY_NS)
    first = journal_files(data)[0]
    before = first.stat().st_size
    compacted(data, SLOT_NS + DAY_NS)
    assert table(first, "scans") == 0
    with closing(sqlite3.connect(first)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert database.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert first.stat().st_size < before / 2
    assert_same_rows(read_all(data, 300)[:-1], list(enumerate(rows, 1)))


def test_free_pages_are_given_back_many_at_a_time(data: Path) -> None:
    write_wide(data, 60)
    (path,) = journal_files(data)
    with closing(open_compactor(path)) as connection:
        connection.execute("DELETE FROM scans")
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        assert free > 20
        assert len(list(SegmentWriter(connection, threading.Lock(), 1 << 16).give_back())) == 1
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)


def test_a_file_of_version_1_is_brought_up_to_date_and_compacted(data: Path) -> None:
    version_1.write(data / "journal" / "2024-11-21.db", [at(second) for second in range(60)], SLOT_NS - DAY_NS)
    with journal_of(data) as journal:
        journal.append([one()], SLOT_NS)
    rows = list(enumerate([*(entry for second in range(60) for entry in at(second)), one()], 1))
    compacted(data)
    old = journal_files(data)[0]
    assert (table(old, "scans"), walk(old).unchained) == (0, 60)
    assert_same_rows(read_all(data), rows)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_anything_comes_back_to_the_bit(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    of = data.draw(st.lists(layouts(), min_size=1, max_size=3))
    commits = data.draw(st.lists(entries(of), min_size=1, max_size=5))
    folder = tmp_path_factory.mktemp("data")
    (folder / "journal").mkdir()
    with closing(Journal(folder)) as journal:
        for commit in commits:
            journal.append(commit, SLOT_NS)
        journal.append([one()], SLOT_NS + DAY_NS)
    rows = list(enumerate([*(entry for commit in commits for entry in commit), one()], 1))
    assert compacted(folder).faults == {}
    assert len(journal_files(folder)) == 1 or table(journal_files(folder)[0], "scans") == 0
    assert_same_rows(read_all(folder, 3), rows)
    assert all(walk(path).breaks == () for path in journal_files(folder))


def test_a_history_and_blocks_are_the_same_before_and_after(data: Path) -> None:
    """Of a tag: of its own column only, lost and bad samples among them; of all: column by column."""
    rows = written(data, 60)
    scans = sorted((entry.scan for _, entry in rows if isinstance(entry, Stamped)), key=lambda each: each.slot_ns)
    begin_ns, end_ns = SLOT_NS + 7 * SECOND_NS, SLOT_NS + 51 * SECOND_NS
    for _ in range(2):
        with closing(Reader(data)) as reader:
            for role, at_column, group in (("t", 0, "main"), ("n", 1, "main"), ("f", 3, "main"), ("p", 0, "other")):
                expected = [each for each in scans if each.layout.group == group and begin_ns <= each.slot_ns < end_ns]
                found = reader.history("R-201", role.upper(), begin_ns, end_ns)
                assert found.column == expected[0].layout.columns[at_column]
                assert found.slot_ns.tolist() == [each.slot_ns for each in expected]
                assert found.values.tobytes() == np.array([each.values[at_column] for each in expected]).tobytes()
                assert found.quality.tolist() == [each.quality[at_column] for each in expected]
            counted = dict.fromkeys(("main", "other"), 0)
            for block in reader.blocks_between(begin_ns, end_ns):
                counted[block.layout.group] += len(block.index.seq)
                assert ((block.index.slot_ns >= begin_ns) & (block.index.slot_ns < end_ns)).all()
                assert block.columns.values.shape == (len(block.layout.columns), int(block.index.with_columns.sum()))
            assert counted == {
                name: sum(each.layout.group == name and begin_ns <= each.slot_ns < end_ns for each in scans) for name in counted
            }
            newest = reader.newest_slots(10 * SECOND_NS)
        compacted(data)
    with closing(Reader(data)) as reader:
        assert reader.newest_slots(10 * SECOND_NS) == newest


def test_where_rows_were_lost_it_goes_on_behind_them(data: Path) -> None:
    """Rows beyond a file's end were lost, and the file goes on a billion numbers later."""
    rows = written(data, 40)
    end = rows[-1][0]
    assert recover(data, Totals(end + 5, 10**6, 10**6), LATER_NS)
    with journal_of(data) as journal:
        goes_on = journal.totals.seq + 1
        for second in range(40, 80):
            journal.append(at(second), LATER_NS + second * SECOND_NS)
    rows += enumerate([entry for second in range(40, 80) for entry in at(second)], goes_on)
    assert compacted(data, LATER_NS + DAY_NS // 4).faults == {}
    (path,) = journal_files(data)
    assert table(path, "scans") < 15
    assert_same_rows(read_all(data), rows)
    with closing(Reader(data)) as reader:
        assert reader.totals(end) == Totals(end, *sums(rows[:end]))


def sums(rows: Sequence[tuple[int, Entry]]) -> tuple[int, int]:
    scans = [entry.scan for _, entry in rows if isinstance(entry, Stamped)]
    return sum(each.samples for each in scans), len(scans)


# --- the proof


def a_bit_off(part: str) -> Callable[..., Iterator[Chunk]]:
    """Encodes columns of which one bit is another."""

    def encode(columns: Columns, of: Layout) -> Iterator[Chunk]:
        changed = getattr(columns, part).copy()
        changed.reshape(-1).view(np.uint8)[-1] ^= 1
        yield from chunks.encode(replace(columns, **{part: changed}), of)

    return encode


def a_row_off(index: Index) -> bytes:
    return blocks.encode_index(replace(index, slot_ns=index.slot_ns + (index.seq == index.seq[-1])))


def a_text_off(index: Index) -> bytes:
    return blocks.encode_index(replace(index, rests=replace(index.rests, body=index.rests.body[:-1] + b"?")))


WRONG: dict[str, tuple[str, Callable[..., object]]] = {
    "a value": ("encode", a_bit_off("values")),
    "a status code": ("encode", a_bit_off("status")),
    "an integer": ("encode", a_bit_off("integers")),
    "a slot": ("encode_index", a_row_off),
    "a text": ("encode_index", a_text_off),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_brought_back_to_the_bit_is_never_written(wrong: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = written(data, 40)
    monkeypatch.setattr(segment_writer, *WRONG[wrong])
    faults = compacted(data).faults
    (path,) = journal_files(data)
    assert "can't be compacted" in faults[path]
    assert (table(path, "blocks"), table(path, "chunks"), table(path, "segments")) == (0, 0, 0)
    assert_same_rows(read_all(data), rows)


# --- cut short


def test_cut_short_after_any_step_nothing_is_lost_or_doubled(data: Path) -> None:
    """Each time by a process that is gone: what it left is read, and taken up by the next."""
    rows = written(data, 40)
    (path,) = journal_files(data)
    steps = 0
    while True:
        work = Compactor(data, threading.Lock()).work(LATER_NS)
        took = sum(1 for _ in zip(range(steps), work, strict=False))
        work.close()  # type: ignore[attr-defined]
        assert_same_rows(read_all(data), rows)
        with closing(DailyFile.open(path)) as file:
            assert file.totals().seq == rows[-1][0]
        if took < steps:
            break
        steps += 1
    assert steps > 10
    assert_reads_the_same(data, rows)
    with closing(sqlite3.connect(path)) as database:
        columns = "SELECT sum(json_array_length(body, '$.columns')) FROM blocks JOIN layouts ON layouts.key = layout"
        assert database.execute(columns).fetchone() == (table(path, "chunks"),), "blocks that were thrown away left nothing"


def test_a_killed_compaction_leaves_no_chunk_behind(data: Path) -> None:
    written(data, 40)
    (path,) = journal_files(data)
    compacted(data)
    whole = {name: table(path, name) for name in ("segments", "blocks", "chunks", "scans")}
    with closing(sqlite3.connect(path)) as database:
        (key,) = database.execute("SELECT max(key) FROM chunks").fetchone()
        database.execute("INSERT INTO blocks SELECT ?, 999999, layout, scans, 0, 1, rows FROM blocks LIMIT 1", (key + 1,))
        database.execute("INSERT INTO chunks SELECT ?, good, low, high, total, data FROM chunks LIMIT 1", (key + 1,))
        database.execute("INSERT INTO chunks SELECT ?, good, low, high, total, data FROM chunks LIMIT 1", (key + 2,))
        database.commit()
    compacted(data)
    assert {name: table(path, name) for name in whole} == whole


def test_rows_that_stand_in_a_segment_too_count_once(data: Path) -> None:
    """Between a segment and the end of taking its rows away."""
    rows = written(data, 40)
    (path,) = journal_files(data)
    with closing(sqlite3.connect(path)) as database:
        hot = database.execute("SELECT * FROM scans").fetchall()
    compacted(data)
    with closing(sqlite3.connect(path)) as database:
        database.executemany("INSERT OR IGNORE INTO scans VALUES (?, ?, ?, ?, ?, ?, ?, ?)", hot)
        database.commit()
    assert_reads_the_same(data, rows)
    compacted(data)
    assert table(path, "scans") < 15
    assert_reads_the_same(data, rows)


# --- beside others


def test_readers_and_the_writer_go_on_beside_it(data: Path) -> None:
    rows = written(data, 100)
    turn, ended, wrong = threading.Lock(), threading.Event(), []

    def read() -> None:
        try:
            while not ended.is_set():
                assert_same_rows(read_all(data, 50)[: len(rows)], rows)
        except BaseException as exc:  # noqa: BLE001  a thread's error must fail the test
            wrong.append(exc)

    reading = threading.Thread(target=read)
    reading.start()
    with journal_of(data) as journal:
        work, second = Compactor(data, journal.turn).work(LATER_NS), 100
        for _ in work:
            if second < 130:
                journal.append(at(second), SLOT_NS + second * SECOND_NS)
                second += 1
    ended.set()
    reading.join()
    assert not wrong
    assert not turn.locked()
    assert table(journal_files(data)[0], "segments") > 5
    assert all(walk(path).breaks == () for path in journal_files(data))


def test_a_reader_that_was_open_before_sees_the_same(data: Path) -> None:
    rows = written(data, 60)
    with closing(Reader(data)) as reader:
        assert_same_rows(reader.read(0, 20), rows[:20])
        compacted(data)
        assert_same_rows(reader.read(20, 20), rows[20:40])
        assert [row.seq for row in all_rows(reader)] == [seq for seq, entry in rows if isinstance(entry, Stamped)]


class Held:
    """The journal's turn as the compactor takes it: each time it asks for a commit meanwhile, and notes the CPU that it took."""

    def __init__(self, lock: threading.Lock, ask: Callable[[], None]) -> None:
        self._lock, self._ask = lock, ask
        self._began_s = 0.0
        self.cpu_ms: list[float] = []

    def __enter__(self) -> None:
        self._lock.acquire()
        self._ask()
        self._began_s = time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.cpu_ms.append((time.thread_time() - self._began_s) * 1e3)
        self._lock.release()


WIDE = [layout(*(column(f"t{i}") for i in range(500)), group=f"of 500, {n}") for n in range(2)]


def write_wide(data: Path, seconds: int) -> None:
    """A thousand tags with two decimals."""
    values = np.round(np.random.default_rng(1).normal(80, 1, (seconds, 500)), 2)
    status, quality = np.zeros(500, np.uint32), np.zeros(500, np.uint8)
    with journal_of(data) as journal:
        for begin in range(0, seconds, 60):
            slots = [(SLOT_NS + second * SECOND_NS, values[second]) for second in range(begin, begin + 60)]
            scans = [Scan(of, slot_ns, slot_ns + 5, row, status, quality) for slot_ns, row in slots for of in WIDE]
            journal.append([Stamped(each, (Stamp(),)) for each in scans], slots[-1][0])


def test_a_commit_waits_for_one_step_of_less_than_20_ms(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In CPU time, which is what it takes on a machine that nobody shares; a commit is asked for in every step."""
    monkeypatch.setattr(compactor_module, "SEGMENT_S", 3600.0)
    write_wide(data, 600)
    with journal_of(data) as journal, ThreadPoolExecutor(1) as writer:
        commits: list[Future[Totals]] = []
        held = Held(journal.turn, lambda: commits.append(writer.submit(journal.append, [one()], LATER_NS)))
        before = 0
        for _ in Compactor(data, held).work(LATER_NS):
            assert len(held.cpu_ms) <= before + 1, "a step takes the turn once: who waits for it comes before the next"
            assert all(commit.result(60) for commit in commits), "served while no step runs"
            before = len(held.cpu_ms)
    assert table(journal_files(data)[0], "segments") == 1
    assert len(held.cpu_ms) > 10, "in many short transactions"
    assert max(held.cpu_ms) <= 20


# --- damage


def test_a_damaged_chunk_is_told_and_costs_its_block_only(data: Path) -> None:
    written(data, 40)
    compacted(data)
    (path,) = journal_files(data)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE chunks SET data = CAST(substr(data, 1, length(data) - 1) || x'00' AS BLOB) WHERE key = 2")
        database.commit()
    with pytest.raises(Damaged, match="damaged"):
        read_all(data)
    assert walk(path).breaks
    with closing(Reader(data)) as reader, closing(DailyFile.open(path)) as file:
        (segment,) = file.connection.execute("SELECT min(last_seq) FROM segments").fetchone()
        assert reader.read(segment, 5)[0].seq == segment + 1
        others = [row for row in reader.scans_of(lambda of: of.group == "other", 0, 2**62) if isinstance(row, ScanRow)]
        assert len(others) == 13


def test_a_file_whose_rows_are_not_those_committed_is_left_alone(data: Path) -> None:
    written(data, 40)
    (path,) = journal_files(data)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM scans WHERE seq = 5")
        database.commit()
    before = table(path, "scans")
    compactor = compacted(data)
    assert list(compactor.faults) == [path]
    assert "are not those that were committed" in compactor.faults[path]
    assert (table(path, "segments"), table(path, "scans")) == (0, before)


def test_a_damaged_day_does_not_keep_the_others_from_being_compacted(data: Path) -> None:
    written(data, 40)
    with journal_of(data) as journal:
        journal.append([one(1.0)], SLOT_NS + DAY_NS)
        journal.append([one(2.0)], SLOT_NS + 2 * DAY_NS)
    first, second, _ = journal_files(data)
    first.write_bytes(b"this is no database" * 1000)
    compactor = compacted(data, SLOT_NS + 3 * DAY_NS)
    assert list(compactor.faults) == [first]
    assert table(second, "scans") == 0


def test_a_new_day_that_gets_the_inode_of_one_that_was_removed_is_compacted(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most file systems give it to the next file that is made."""
    monkeypatch.setattr(files_module, "inode_of", lambda path: 7)
    compactor = Compactor(data, threading.Lock())
    for day in range(3):
        with journal_of(data) as journal:
            journal.append([one(1.0)], SLOT_NS + day * DAY_NS)
            journal.append([one(2.0)], SLOT_NS + (day + 1) * DAY_NS)
        first = journal_files(data)[0]
        for _ in compactor.work(SLOT_NS + (day + 1) * DAY_NS):
            pass
        assert table(first, "scans") == 0
        first.unlink()


def test_a_file_that_the_disk_refuses_does_not_keep_the_others_and_is_tried_again(data: Path) -> None:
    with journal_of(data) as journal:
        for day in range(3):
            journal.append([one(float(day))], SLOT_NS + day * DAY_NS)
    first, second, _ = journal_files(data)
    broken = True

    def connect(path: Path, mode: str) -> sqlite3.Connection:
        if broken and path == first:
            raise sqlite3.OperationalError("disk I/O error")
        return files_module.connect(path, mode)

    compactor = Compactor(data, threading.Lock(), connect)
    with pytest.raises(StoreError, match="disk I/O error"):
        list(compactor.work(SLOT_NS + 2 * DAY_NS))
    assert (table(first, "scans"), table(second, "scans")) == (1, 0)
    broken = False
    list(compactor.work(SLOT_NS + 2 * DAY_NS))
    assert table(first, "scans") == 0
    assert compactor.faults == {}
