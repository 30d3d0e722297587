"""The files of a data folder come to harm between two runs: detected or rightly read, set aside, and collection goes on.

Each trial writes some days of rows that follow from their numbers, harms a file at random, and does what a daemon does:
opens the folder, appends, reads all to a sink, and sets aside what turns out to be damaged meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from collector.keeping.damage import End
from collector.keeping.opening import open_record
from collector.keeping.rescue import write_copy
from collector.ledger import ledger_of
from collector.proof.record import prove
from collector.store.files import Damaged, inode_of, journal_files
from collector.store.journal import Journal, Stamped
from collector.store.losses import losses
from collector.store.reader import Reader
from collector.store.recovery import holes
from collector.store.registry import Registry
from collector.store.rows import Row as JournalRow
from collector.store.rows import ScanRow
from collector.terms import Stamp
from drivers.base import Layout
from tests.faults.known_rows import LARGEST_COMMIT, QUARTER_DAY_NS, acknowledge_some, assert_row, entry_of
from tests.faults.rows import Row
from tests.journal_rows import SLOT_NS, column, layout, scan
from tests.unit.store.damages import OBVIOUS, deleted, flipped, many_flipped, settled

COMMITS = 16


def written(data: Path, chance: random.Random) -> int:
    """A folder as a daemon leaves it that was killed; the last row."""
    (data / "journal").mkdir(parents=True)
    time_ns = SLOT_NS
    with closing(Journal(data)) as journal, closing(Reader(data)) as reader, closing(Registry(data)) as registry:
        for _ in range(COMMITS):
            time_ns += chance.randrange(QUARTER_DAY_NS)
            begin = journal.totals.seq + 1
            journal.append([entry_of(begin + i) for i in range(chance.randint(1, LARGEST_COMMIT))], time_ns)
            if chance.random() < 0.4:
                acknowledge_some(reader, registry, chance, lambda _: None)
            if chance.random() < 0.2:
                _remember(data, journal, registry)
        _remember(data, journal, registry)
        return journal.totals.seq


def _remember(data: Path, journal: Journal, registry: Registry) -> None:
    registry.put_states("journal", {"head": asdict(End.of(journal))})
    write_copy(data, registry)


def goes_on(data: Path, last_seq: int, chance: random.Random) -> tuple[int, int]:
    """A run of the daemon. Returns the rows that the sink got, and those among them that are not what was written."""
    opened = open_record(data, SLOT_NS + COMMITS * QUARTER_DAY_NS)
    time_ns = SLOT_NS + COMMITS * QUARTER_DAY_NS
    with closing(opened.registry) as registry, closing(Journal(data)) as journal, closing(Reader(data)) as reader:
        for _ in range(3):
            begin = journal.totals.seq + 1
            assert begin > last_seq, "a number is given twice"
            last_seq = journal.append([entry_of(begin + i) for i in range(chance.randint(1, 5))], time_ns).seq
        for path, cause in list(holes(data)):
            journal.set_aside(path, cause, time_ns)
        got, wrong, at = 0, 0, registry.cursor("influx").seq
        while rows := _read(reader, journal, at, time_ns):
            got += len(rows)
            wrong += sum(not _is_right(row) for row in rows)
            at = rows[-1].seq
        assert at == journal.totals.seq, "the sink got to the end"
        while registry.cursor("influx").seq < at:
            acknowledge_some(reader, registry, chance, lambda _: None)
        ledger = ledger_of(reader, registry, ["influx", "new"])
        assert wrong or ledger.balanced, ledger
    return got, wrong


def _read(reader: Reader, journal: Journal, at: int, time_ns: int) -> list[JournalRow]:
    while True:
        try:
            return reader.read(at, 20)
        except Damaged as exc:
            assert inode_of(exc.path) == exc.inode
            journal.set_aside(exc.path, exc.what, time_ns)


def _is_right(row: JournalRow) -> bool:
    try:
        assert_row(row, row.seq)
    except AssertionError:
        return False
    return True


def _assert_accounted_for(data: Path, last_seq: int) -> int:
    """Rows that are in no file are in a loss, or `verify` says so. Returns how many are lost."""
    with closing(Reader(data)) as reader:
        at, there = 0, set()
        with suppress(Damaged):
            while rows := reader.read(at, 500):
                there |= {row.seq for row in rows}
                at = rows[-1].seq
    missing = set(range(1, last_seq + 1)) - there
    lost = losses(data)
    unknown = [seq for seq in missing if not any(loss.holds(seq) for loss in lost)]
    assert not unknown or not prove(data).sound, f"rows {unknown[:5]} are gone and nobody knows"
    return len(missing)


HARM: dict[str, Callable[[Path, random.Random], object]] = {
    "flipped": flipped,
    "many_flipped": many_flipped,
    "deleted": deleted,
    **OBVIOUS,
}


@pytest.mark.faults(
    "journal bytes flipped, truncated, file deleted",
    must="detected or rightly read, set aside, collection goes on",
    short=6,
    long=2000,
)
def test_damage(row: Row, tmp_path: Path) -> None:
    for trial in row.trials():
        chance = row.chance(trial)
        data = tmp_path / str(trial)
        last_seq = written(data, chance)
        files = journal_files(data)
        harm = chance.choice(list(HARM))
        path = data / "registry.db" if chance.random() < 0.15 else chance.choice([*files, files[-1], files[-1]])
        if path.name == "registry.db" and harm in ("without_a_table", "without_meta", "a_folder"):
            harm = "flipped"
        settled(path)
        HARM[harm](path, chance)
        got, wrong = goes_on(data, last_seq, chance)
        proof = prove(data)
        assert proof.sound or not harm.startswith("delet"), [harm, *proof.findings]
        assert not wrong or not proof.sound, f"{wrong} rows are wrong, and nothing says so"
        lost = _assert_accounted_for(data, last_seq)
        row.count(samples=got, lost=lost, set_aside=len(losses(data)), wrong_and_detected=wrong, sound_after=int(proof.sound))


@pytest.mark.faults("tag list re-ordered between runs", must="every value under its own tag", short=3, long=100)
def test_reordered(row: Row, tmp_path: Path) -> None:
    for trial in row.trials():
        chance, data = row.chance(trial), tmp_path / str(trial)
        (data / "journal").mkdir(parents=True)
        names = [f"t{i}" for i in range(6)]
        for run in range(4):
            chance.shuffle(names)
            names = names[: chance.randint(2, 6)] or names
            of: Layout = layout(*(column(name) for name in names))
            with closing(Journal(data)) as journal:
                for slot in range(5):
                    values = [_value(name, run, slot) for name in names]
                    journal.append([Stamped(scan(of, values, SLOT_NS + run * 100 + slot), (Stamp(),))], SLOT_NS + run)
            names = [f"t{i}" for i in range(6)]
        with closing(Reader(data)) as reader:
            rows = [each for each in reader.read(0, 1000) if isinstance(each, ScanRow)]
        assert len(rows) == 20
        for each in rows:
            run, slot = divmod(each.scan.slot_ns - SLOT_NS, 100)
            told = [_value(about.role, run, slot) for about in each.scan.layout.columns]
            np.testing.assert_array_equal(each.scan.values, told)
        row.count(samples=sum(each.scan.samples for each in rows))


def _value(name: str, run: int, slot: int) -> float:
    return float(int(name[1:]) * 10_000 + run * 100 + slot)
