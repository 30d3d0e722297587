"""The whole record beside a plain list: appended, acknowledged, compacted, crashed, damaged, set aside and read, they agree.

The model knows every row that was committed and which of them are lost; `RecordAgainstList` does to a data folder what a
daemon, a sink, a power cut and a bad disk do to it.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from collector.keeping.damage import End
from collector.keeping.opening import open_record
from collector.ledger import ledger_of
from collector.proof.record import prove
from collector.store.compactor import Compactor
from collector.store.cursors import Stretch
from collector.store.files import Damaged, journal_files
from collector.store.journal import Entry, Journal, Stamped
from collector.store.reader import Reader
from collector.store.rows import Row
from collector.terms import Json
from tests.journal_rows import SLOT_NS
from tests.unit.store.damages import OBVIOUS, deleted
from tests.unit.store.entries import assert_same_rows, entries
from tests.unit.store.simple import DAY_NS, ONE, TWO

SINK = "influx"
HARM = ["truncated", "emptied", "overwritten", "foreign", "without_meta", "deleted"]


class RecordAgainstList(RuleBasedStateMachine):
    """The model: `rows` that can be read, by number; `read` samples of all that was ever committed; the sink's `settled`."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.data = Path(tempfile.mkdtemp())
        (self.data / "journal").mkdir()
        self.time_ns = SLOT_NS
        self.rows: dict[int, Entry] = {}
        self.read = 0
        self.highest = 0
        self.settled: set[int] = set()
        self.accepted = 0
        self._open()

    def _open(self) -> None:
        self.registry = open_record(self.data, self.time_ns).registry
        self.journal, self.reader = Journal(self.data), Reader(self.data)

    def _close(self) -> None:
        self.reader.close()
        self.journal.close()
        self.registry.close()

    def teardown(self) -> None:
        if hasattr(self, "data"):
            self._close()
            shutil.rmtree(self.data)

    # --- what happens

    @rule(data=st.data())
    def append(self, data: st.DataObject) -> None:
        given: list[Entry] = data.draw(entries([ONE, TWO]))
        before = self.journal.totals.seq
        totals = self.journal.append(given, self.time_ns)
        assert before >= self.highest, "a number is given twice"
        self.rows |= dict(enumerate(given, before + 1))
        self.read += sum(_samples(entry) for entry in given)
        self.highest = totals.seq
        assert totals.seq == before + len(given)
        self._remember()

    def _remember(self) -> None:
        """As the daemon does, of what is on the disk."""
        end = End.of(self.journal)
        head: dict[str, Json] = {
            "seq": end.seq,
            "samples": end.samples,
            "scans": end.scans,
            "time_ns": end.time_ns,
            "hash": end.hash,
        }
        self.registry.put_states("journal", {"head": head})

    @rule(step_ns=st.sampled_from([1, DAY_NS // 3, DAY_NS, -DAY_NS]))
    def pass_time(self, step_ns: int) -> None:
        self.time_ns += step_ns

    @rule(limit=st.integers(1, 8))
    def acknowledge(self, limit: int) -> None:
        cursor = self.registry.cursor(SINK)
        if rows := self._read(cursor.seq, limit):
            taken = sum(_samples(self.rows[row.seq]) for row in rows)
            self.registry.acknowledge(SINK, cursor.settled(Stretch(cursor.seq, rows[-1].seq), taken, 0))
            self.settled |= {row.seq for row in rows}
            self.accepted += taken

    def _read(self, after_seq: int, limit: int) -> list[Row]:
        """As a sink reads: what is damaged is set aside, and it goes on behind it."""
        while True:
            try:
                return self.reader.read(after_seq, limit)
            except Damaged as exc:
                self.journal.set_aside(exc.path, exc.what, self.time_ns)
                self._forget_lost()

    @rule()
    def compact(self) -> None:
        compactor = Compactor(self.data, threading.Lock())
        for _ in compactor.work(self.time_ns + DAY_NS):
            pass
        assert compactor.faults == {}

    @rule()
    def restart(self) -> None:
        self._close()
        self._open()

    @rule()
    def crash(self) -> None:
        """The files as they are at this moment, with what stands in the logs only."""
        copy = Path(tempfile.mkdtemp())
        shutil.copytree(self.data, copy, dirs_exist_ok=True)
        self._close()
        shutil.rmtree(self.data)
        self.data = copy
        self._open()

    @rule(harm=st.sampled_from(HARM), newest=st.booleans())
    def come_to_harm_while_nothing_runs(self, harm: str, newest: bool) -> None:
        self._close()
        if files := journal_files(self.data):
            path = files[-1] if newest else self.chance.choice(files)
            (deleted if harm == "deleted" else OBVIOUS[harm])(path, self.chance)
        self._open()
        while self._read_all() is None:
            pass

    def _read_all(self) -> list[Row] | None:
        """Every row; None where a file had to be set aside on the way."""
        rows: list[Row] = []
        try:
            while got := self.reader.read(rows[-1].seq if rows else 0, 50):
                rows += got
        except Damaged as exc:
            self.journal.set_aside(exc.path, exc.what, self.time_ns)
            return None
        return rows

    def _forget_lost(self) -> None:
        lost = self.reader.losses()
        self.rows = {seq: entry for seq, entry in self.rows.items() if not any(loss.holds(seq) for loss in lost)}

    # --- what must hold

    @invariant()
    def what_can_be_read_is_what_was_committed_and_is_not_lost(self) -> None:
        if not hasattr(self, "journal"):
            return
        self._forget_lost()
        rows = self._read_all()
        assert rows is not None
        assert_same_rows(rows, sorted(self.rows.items()))

    @invariant()
    def the_ledger_adds_up(self) -> None:
        if not hasattr(self, "journal"):
            return
        self._forget_lost()
        ledger = ledger_of(self.reader, self.registry, [SINK, "new"])
        assert ledger.balanced, ledger
        assert ledger.read == self.read
        assert ledger.sinks[SINK].accepted == self.accepted
        unsettled = sum(_samples(entry) for seq, entry in self.rows.items() if seq not in self.settled)
        assert ledger.sinks[SINK].queued == unsettled

    @rule()
    def verify(self) -> None:
        proof = prove(self.data)
        assert proof.sound, proof.findings


def _samples(entry: Entry) -> int:
    return entry.scan.samples if isinstance(entry, Stamped) else 0


TestRecordAgainstList = RecordAgainstList.TestCase
TestRecordAgainstList.settings = settings(
    max_examples=5, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRecordAgainstList = pytest.mark.timeout(300)(TestRecordAgainstList)  # each append waits for the disk, whatever else uses it
