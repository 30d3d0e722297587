"""The journal beside a plain list: whatever is appended, refused, closed, reopened and read, they agree."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from collector.store.daily import Totals
from collector.store.files import StoreError, day_of, journal_files
from collector.store.journal import Entry, Journal, Stamped
from collector.store.reader import Reader
from collector.store.rows import Row
from collector.terms import Event, EventKind
from drivers.base import Layout
from tests.journal_rows import SLOT_NS
from tests.unit.store.entries import assert_same_rows, entries, layouts

DAY_NS = 86_400_000_000_000
HUGE = Event(EventKind.DAEMON, 1, body={"text": "x" * 100_000})
UNWRITABLE = (
    Event(EventKind.DAEMON, 1, body={"number": 2**70}),
    Event(EventKind.DAEMON, 1, body={"text": "\ud800"}),
    Event(EventKind.DAEMON, 2**63),
    Event(EventKind.DAEMON, 1, unit="\ud800"),
)


class JournalAgainstList(RuleBasedStateMachine):
    """The model: entries with their sequence numbers, the newest commit of each day, one file per day begun."""

    @initialize(of=st.lists(layouts(), min_size=1, max_size=4))
    def begin(self, of: list[Layout]) -> None:
        self.layouts = of
        self.model: list[Entry] = []
        self.days: list[str] = []
        self.newest_ns: dict[str, int] = {}
        self.time_ns = SLOT_NS
        self.data = Path(tempfile.mkdtemp())
        (self.data / "journal").mkdir()
        self.reader = Reader(self.data)  # one that stays open all the time
        self.journal = Journal(self.data)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            self.reader.close()
            shutil.rmtree(self.data)

    # --- what happens

    def _append(self, given: list[Entry]) -> None:
        totals = self.journal.append(given, self.time_ns)
        self.model += given
        if given:
            self._day_begins()
            self.newest_ns[self.days[-1]] = max(self.newest_ns.get(self.days[-1], 0), self.time_ns)
        assert totals == self.journal.totals == self._totals(len(self.model))

    def _day_begins(self) -> None:
        day = day_of(self.time_ns)
        if not self.days or day > self.days[-1]:
            self.days.append(day)

    @rule(data=st.data())
    def append(self, data: st.DataObject) -> None:
        self._append(data.draw(entries(self.layouts)))

    @rule(data=st.data())
    def append_the_columns_in_another_order(self, data: st.DataObject) -> None:
        """A tag list is re-ordered between two runs: another layout, and the old rows keep theirs."""
        one = data.draw(st.sampled_from(self.layouts))
        columns = tuple(data.draw(st.permutations(one.columns)))
        self.layouts.append(Layout(one.endpoint, one.device, one.group, one.period_ns, columns))
        self._append(data.draw(entries(self.layouts[-1:])))

    @rule(before=st.booleans(), unwritable=st.sampled_from(UNWRITABLE), data=st.data())
    def append_something_that_cannot_be_written(self, before: bool, unwritable: Event, data: st.DataObject) -> None:
        given = data.draw(entries(self.layouts))
        try:
            self.journal.append([unwritable, *given] if before else [*given, unwritable], self.time_ns)
        except (ValueError, TypeError, OverflowError, sqlite3.Error, StoreError):
            self._day_begins()
        else:
            raise AssertionError("it was written after all")

    @rule(data=st.data())
    def append_to_a_full_disk(self, data: st.DataObject) -> None:
        connection = self.journal._connection
        if connection is None or day_of(self.time_ns) > self.days[-1]:
            return
        connection.execute("PRAGMA max_page_count = 1")  # as few as there are
        try:
            self.journal.append([*data.draw(entries(self.layouts)), HUGE], self.time_ns)
        except sqlite3.Error:
            pass
        else:
            raise AssertionError("it was written after all")
        finally:
            connection.execute("PRAGMA max_page_count = 1073741823")

    @rule()
    def fail_to_begin_a_day(self) -> None:
        if self.days and day_of(self.time_ns) <= self.days[-1]:
            return
        obstacle = self.data / "journal" / f"{day_of(self.time_ns)}.new"
        obstacle.unlink(missing_ok=True)
        obstacle.mkdir()
        try:
            self.journal.append([HUGE], self.time_ns)
        except StoreError as exc:
            assert day_of(self.time_ns) in str(exc)
        else:
            raise AssertionError("it was written after all")
        finally:
            obstacle.rmdir()

    @rule()
    def leave_an_unfinished_file(self) -> None:
        (self.data / "journal" / f"{day_of(self.time_ns + DAY_NS)}.new").write_bytes(b"half of a file")

    @rule(step_ns=st.sampled_from([1, 1_000_000_000, DAY_NS // 3, DAY_NS, 40 * DAY_NS, -1, -DAY_NS // 3, -DAY_NS, -3 * DAY_NS]))
    def pass_time(self, step_ns: int) -> None:
        self.time_ns += step_ns

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = Journal(self.data)

    @rule()
    def reopen_the_reader(self) -> None:
        self.reader.close()
        self.reader = Reader(self.data)

    # --- what must hold

    @rule(after_seq=st.integers(0, 60), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5))
    def read_on_from_anywhere(self, after_seq: int, sizes: list[int]) -> None:
        rows: list[Row] = []
        at, piece = min(after_seq, len(self.model)), 0
        begin = at
        while got := self.reader.read(at, sizes[piece % len(sizes)]):
            assert len(got) <= sizes[piece % len(sizes)]
            rows += got
            at, piece = got[-1].seq, piece + 1
        assert_same_rows(rows, list(enumerate(self.model, 1))[begin:])

    @rule(from_ns=st.integers(0, 2**62), span_ns=st.integers(0, 2**62))
    def read_by_time(self, from_ns: int, span_ns: int) -> None:
        to_ns = from_ns + span_ns
        inside = [(seq, entry) for seq, entry in enumerate(self.model, 1) if from_ns <= _slot_of(entry) < to_ns]
        scans = sorted(self.reader.scans_between(from_ns, to_ns), key=lambda row: row.seq)
        events = list(self.reader.events_between(from_ns, to_ns))
        assert_same_rows(scans, [(seq, entry) for seq, entry in inside if isinstance(entry, Stamped)])
        assert_same_rows(events, [(seq, entry) for seq, entry in inside if isinstance(entry, Event)])
        assert self.reader.count_between(from_ns, to_ns) == len(scans)

    @rule(kind=st.sampled_from(list(EventKind)), limit=st.integers(0, 5))
    def read_the_newest_events(self, kind: EventKind, limit: int) -> None:
        of_kind = [entry for entry in self.model if isinstance(entry, Event) and entry.kind is kind]
        assert self.reader.newest_events(kind, limit) == of_kind[len(of_kind) - min(limit, len(of_kind)) :]

    @invariant()
    def totals_are_right_at_every_row(self) -> None:
        if not hasattr(self, "journal"):
            return
        assert self.reader.totals() == self.journal.totals == self._totals(len(self.model))
        for seq in range(len(self.model) + 1):
            assert self.reader.totals(seq) == self._totals(seq)
        assert self.reader.totals(len(self.model) + 1000) == self._totals(len(self.model))

    @invariant()
    def there_is_a_file_for_each_day_begun(self) -> None:
        if hasattr(self, "journal"):
            assert [path.stem for path in journal_files(self.data)] == self.days

    @invariant()
    def the_newest_time_is_known(self) -> None:
        """Of the newest day that has any: plant time goes on from there after a restart."""
        if hasattr(self, "journal"):
            assert self.reader.last_commit_ns() == (self.newest_ns[max(self.newest_ns)] if self.newest_ns else None)

    @invariant()
    def layouts_are_all_there(self) -> None:
        if hasattr(self, "journal"):
            used = {entry.scan.layout.id for entry in self.model if isinstance(entry, Stamped)}
            assert used <= {layout.id for layout in self.reader.layouts()}

    def _totals(self, seq: int) -> Totals:
        samples = [entry.scan.samples if isinstance(entry, Stamped) else 0 for entry in self.model]
        scans = [isinstance(entry, Stamped) for entry in self.model]
        return Totals(seq, [0, *accumulate(samples)][seq], [0, *accumulate(scans)][seq])


def _slot_of(entry: Entry) -> int:
    return entry.scan.slot_ns if isinstance(entry, Stamped) else entry.slot_ns


TestJournalAgainstList = JournalAgainstList.TestCase
TestJournalAgainstList.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestJournalAgainstList = pytest.mark.timeout(300)(TestJournalAgainstList)  # each append waits for the disk, whatever else uses it
