"""read = accepted + queued + dead-lettered: true at every moment, and false when something is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.ledger import Ledger, SinkLedger, begin, ledger_of, pass_by
from collector.store.cursors import Cursor, DeadLetter, Stretch
from collector.store.daily import Totals
from collector.store.files import journal_files
from collector.store.journal import Entry, Journal, Stamped
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.retention import REMOVED, remove, stored
from collector.terms import Event, EventKind, Stamp
from drivers.base import Scan, Status
from tests.journal_rows import SLOT_NS, column, layout, scan

DAY_NS = 86_400_000_000_000
OF_THREE = layout(*(column(f"t{i}") for i in range(3)))
SCAN, LOST, EVENT = "scan", "lost", "event"


def entry(what: str) -> Entry:
    if what == EVENT:
        return Event(EventKind.DAEMON, SLOT_NS)
    lost = Scan.of_lost(OF_THREE, SLOT_NS, SLOT_NS, Status.BAD_TIMEOUT)
    return Stamped(lost if what == LOST else scan(OF_THREE, [1.0, 2.0, 3.0]), (Stamp(),))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    return tmp_path


@pytest.fixture
def reader(data: Path) -> Iterator[Reader]:
    with closing(Reader(data)) as reader:
        yield reader


@pytest.fixture
def registry(data: Path) -> Iterator[Registry]:
    with closing(Registry(data)) as registry:
        yield registry


def written(data: Path, commits: list[list[str]]) -> list[int]:
    """Commits, each on a day of its own; returns the samples up to each row, from row 0."""
    samples = [0]
    with closing(Journal(data)) as journal:
        for day, whats in enumerate(commits):
            journal.append([entry(what) for what in whats], SLOT_NS + day * DAY_NS)
            samples += [0] * len(whats)
    rows = [what for whats in commits for what in whats]
    for seq, what in enumerate(rows, 1):
        samples[seq] = samples[seq - 1] + (3 if what == SCAN else 0)
    return samples


COMMITS = st.lists(st.lists(st.sampled_from([SCAN, SCAN, LOST, EVENT]), min_size=1, max_size=6), max_size=5)


@given(COMMITS, st.data())
def test_balanced_at_every_cursor(
    tmp_path_factory: pytest.TempPathFactory, commits: list[list[str]], draw: st.DataObject
) -> None:
    """Also with a cursor in the middle of a commit, and in a file long gone by."""
    data = tmp_path_factory.mktemp("ledger")
    (data / "journal").mkdir()
    samples = written(data, commits)
    with closing(Reader(data)) as reader, closing(Registry(data)) as registry:
        for seq, settled in enumerate(samples):
            dead = draw.draw(st.integers(0, settled))
            registry.acknowledge("influx", Cursor(seq, settled - dead, dead))
            ledger = ledger_of(reader, registry, ["influx", "new"])
            assert ledger.read == samples[-1]
            assert ledger.scans == sum(what != EVENT for whats in commits for what in whats)
            assert ledger.sinks["influx"] == SinkLedger(settled - dead, samples[-1] - settled, dead)
            assert ledger.sinks["new"] == SinkLedger(0, samples[-1], 0)
            assert ledger.balanced


@pytest.mark.parametrize("cursor", [Cursor(2, 2, 0), Cursor(2, 4, 0), Cursor(2, 0, 0), Cursor(1, 3, 3), Cursor(9, 9, 0)])
def test_what_does_not_add_up_is_not_balanced(data: Path, reader: Reader, registry: Registry, cursor: Cursor) -> None:
    written(data, [[SCAN, EVENT, SCAN]])
    registry.acknowledge("influx", cursor)
    assert not ledger_of(reader, registry, ["influx"]).balanced


def test_rows_that_are_gone_are_not_balanced(data: Path, reader: Reader, registry: Registry) -> None:
    """The newest day is lost with its disk block: the sink has taken what the journal no longer holds."""
    written(data, [[SCAN], [SCAN], [SCAN]])
    registry.acknowledge("influx", Cursor(3, 9, 0))
    assert ledger_of(reader, registry, ["influx"]).balanced
    journal_files(data)[-1].unlink()
    assert not ledger_of(reader, registry, ["influx"]).balanced


def test_a_day_that_was_taken_away_by_retention_still_counts(data: Path, reader: Reader, registry: Registry) -> None:
    written(data, [[SCAN, SCAN], [SCAN, LOST], [SCAN]])
    registry.acknowledge("influx", Cursor(3, 6, 3), [DeadLetter(3, 3, b"line", "refused", 0)])
    journal_files(data)[0].unlink()
    ledger = ledger_of(reader, registry, ["influx"])
    assert (ledger.read, ledger.scans, ledger.sinks["influx"]) == (12, 5, SinkLedger(6, 3, 3))
    assert ledger.balanced


def test_rows_that_come_while_it_is_made_are_queued(data: Path, registry: Registry) -> None:
    """A commit between the counting of the cursor and of the total."""
    written(data, [[SCAN]])

    class Interrupted(Reader):
        def totals(self, until_seq: int | None = None) -> Totals:
            if until_seq is None:
                with closing(Journal(data)) as journal:
                    journal.append([entry(SCAN)], SLOT_NS)
            return super().totals(until_seq)

    registry.acknowledge("influx", Cursor(1, 3, 0))
    with closing(Interrupted(data)) as reader:
        ledger = ledger_of(reader, registry, ["influx"])
    assert ledger.sinks["influx"] == SinkLedger(3, 3, 0)
    assert ledger.balanced


def test_rows_that_are_taken_while_it_is_made_are_not_counted_before_they_were_read(data: Path, registry: Registry) -> None:
    """A commit and its acknowledgement right behind the counting of the total."""
    written(data, [[SCAN]])

    class Interrupted(Reader):
        def totals(self, until_seq: int | None = None) -> Totals:
            totals = super().totals(until_seq)
            if until_seq is None:
                with closing(Journal(data)) as journal:
                    journal.append([entry(SCAN)], SLOT_NS)
                registry.acknowledge("influx", Cursor(2, 6, 0))
            return totals

    registry.acknowledge("influx", Cursor(1, 3, 0))
    with closing(Interrupted(data)) as reader:
        ledger = ledger_of(reader, registry, ["influx"])
    assert ledger.sinks["influx"] == SinkLedger(3, 0, 0)
    assert ledger.balanced


def test_a_cursor_that_passed_rows_over_has_them_queued(data: Path, reader: Reader, registry: Registry) -> None:
    written(data, [[SCAN, EVENT, SCAN], [SCAN, LOST, SCAN], [SCAN]])
    registry.acknowledge("influx", Cursor(6, 6, 0, (Stretch(1, 4),)))
    ledger = ledger_of(reader, registry, ["influx"])
    assert ledger.sinks["influx"] == SinkLedger(6, 9, 0)
    assert ledger.balanced
    registry.acknowledge("influx", Cursor(6, 6, 0, (Stretch(1, 3),)))
    assert not ledger_of(reader, registry, ["influx"]).balanced


def test_a_sink_taken_out_has_queued_what_it_had_not_got_by_then(data: Path, reader: Reader, registry: Registry) -> None:
    written(data, [[SCAN, SCAN, SCAN]])
    registry.acknowledge("old", Cursor(1, 3, 0))
    assert registry.place(["influx"], 2) == ["old"]
    assert registry.place(["influx"], 3) == [], "told once"
    ledger = ledger_of(reader, registry, registry.sinks())
    assert ledger.sinks == {"influx": SinkLedger(0, 9, 0), "old": SinkLedger(3, 3, 0, beyond=3)}
    assert ledger.balanced
    registry.place(["influx", "old"], 3)
    assert ledger_of(reader, registry, ["old"]).sinks["old"] == SinkLedger(3, 6, 0), "put back, it gets everything"


def test_a_sink_begins_with_what_retention_has_left(data: Path, reader: Reader, registry: Registry) -> None:
    written(data, [[SCAN, SCAN], [SCAN], [SCAN, EVENT, SCAN]])
    first = stored(journal_files(data)[0])
    registry.put_states(REMOVED, first.as_removed())
    remove(first.path)
    with closing(Reader(data)) as after:
        begin(registry, "new")
        assert [row.seq for row in after.read(registry.cursor("new").seq, 10)] == [3], "of the oldest day there is"
        ledger = ledger_of(after, registry, ["new"])
        assert ledger.sinks["new"] == SinkLedger(0, 9, 0, beyond=6)
        assert ledger.balanced
        registry.acknowledge("new", Cursor(4, 6, 0))
        assert ledger_of(after, registry, ["new"]).sinks["new"] == SinkLedger(6, 3, 0, beyond=6)
        registry.acknowledge("new", Cursor(4, 3, 0))
        assert not ledger_of(after, registry, ["new"]).balanced, "what is missing is not taken for what was removed"


def retain(data: Path, registry: Registry) -> None:
    """The oldest day goes."""
    first = stored(journal_files(data)[0])
    with closing(Reader(data)) as before:
        pass_by(before, registry, first.end.seq)
        pass_by(before, registry, first.end.seq)  # after a crash it is done again
    registry.put_states(REMOVED, first.as_removed())
    remove(first.path)


BEHIND = Cursor(5, 6, 0, (Stretch(1, 3),))


@pytest.mark.parametrize("removed_at", [1, 3, 5, 7])
@pytest.mark.parametrize("cursor", [Cursor(), Cursor(1, 2, 1), Cursor(3, 9), BEHIND, Cursor(5, 9, 3)])
def test_a_sink_overtaken_by_retention_while_it_was_out_balances_when_it_is_back(
    data: Path, registry: Registry, cursor: Cursor, removed_at: int
) -> None:
    written(data, [[SCAN, SCAN], [SCAN, LOST], [SCAN, SCAN], [SCAN]])
    registry.acknowledge("old", cursor)
    registry.place([], max(removed_at, cursor.seq))
    for days in (1, 2):
        retain(data, registry)
        with closing(Reader(data)) as reader:
            ledger = ledger_of(reader, registry, ["old"])
            assert ledger.balanced, f"{days} days gone: {ledger}"
    registry.place(["old"], 7)
    with closing(Reader(data)) as reader:
        ledger = ledger_of(reader, registry, ["old"])
        assert ledger.balanced, f"it is back: {ledger}"
        at = registry.cursor("old")
        left = reader.read(at.seq, 9)
        left += reader.read(left[-1].seq, 9) if left[-1].seq < 7 else []  # a call reads one day
        assert ledger.sinks["old"].queued == 3 * len(left), "what is still there it gets"
        registry.acknowledge("old", Cursor(7, at.accepted + 3 * len(left), at.dead_lettered))
        assert ledger_of(reader, registry, ["old"]).balanced
        registry.acknowledge("old", Cursor(7, at.accepted + 3 * len(left) - 1, at.dead_lettered))
        assert not ledger_of(reader, registry, ["old"]).balanced, "what is missing is not taken for what was removed"


def test_an_empty_journal_is_balanced(reader: Reader, registry: Registry) -> None:
    ledger = ledger_of(reader, registry, ["influx"])
    assert ledger == Ledger(0, 0, {"influx": SinkLedger(0, 0, 0)})
    assert ledger.balanced


def test_its_line_for_people() -> None:
    assert Ledger(12, 4, {}).lines() == ["ledger: read 12, all of it in the journal; no sinks"]
    (line,) = Ledger(12, 4, {"influx": SinkLedger(6, 4, 2)}).lines()
    for part in ("influx", "read 12", "accepted 6", "queued 4", "dead-lettered 2"):
        assert part in line
