"""A registry that is damaged or gone: a new one, with every cursor that the journal proves, and no other."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from collector.keeping.rescue import COPY, begin_anew, open_registry, relearn, write_copy
from collector.ledger import begin, begun_at, ledger_of, make_room, write_off
from collector.store.cursors import Cursor, Stretch
from collector.store.daily import Totals
from collector.store.files import StoreError, journal_files
from collector.store.losses import losses, quarantine
from collector.store.reader import Reader
from collector.store.recovery import recover
from collector.store.registry import Registry
from collector.store.retention import REMOVED, remove, stored
from tests.journal_rows import SLOT_NS
from tests.unit.store.damages import deleted, emptied, foreign, overwritten, truncated
from tests.unit.store.simple import DAY_NS, journal_of, one

CHANCE = random.Random(3)
CURSORS = {"influx": Cursor(5, 4, 1), "victoria": Cursor(8, 5, 0, (Stretch(1, 4),))}
"""Of a journal of two days, four rows of a sample each."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    with journal_of(tmp_path) as journal:
        for day in range(2):
            for row in range(4):
                journal.append([one(float(day * 4 + row))], SLOT_NS + day * DAY_NS)
    with closing(Registry(tmp_path)) as registry:
        for name, cursor in CURSORS.items():
            registry.acknowledge(name, cursor)
        registry.put_states("context", {"R-201": {"batch": "B-26-101"}})
        write_copy(tmp_path, registry)
    return tmp_path


def opened(data: Path) -> tuple[dict[str, Cursor], str]:
    """The cursors after a start, and what was told."""
    registry, rescued = open_registry(data, SLOT_NS)
    with closing(registry), closing(Reader(data)) as reader:
        lines = relearn(registry, reader, rescued.memories) if rescued else []
        assert ledger_of(reader, registry, registry.cursors()).balanced
        told = str(rescued.event(SLOT_NS, lines).body["cause"]) if rescued else ""
        return registry.cursors(), told


def test_a_sound_registry_is_left_alone(data: Path) -> None:
    assert opened(data) == (CURSORS, "")
    assert not quarantine(data).exists()


DAMAGE = {each.__name__: each for each in (truncated, emptied, overwritten, foreign, deleted)}


@pytest.mark.parametrize("damage", DAMAGE)
def test_cursors_come_back_from_the_copy(data: Path, damage: str) -> None:
    DAMAGE[damage](data / "registry.db", CHANCE)
    cursors, told = opened(data)
    assert cursors == CURSORS
    assert "influx goes on from row 5" in told
    assert bool(list(quarantine(data).glob("registry-*.db"))) == (damage != "deleted")
    with closing(Registry(data)) as registry:
        assert registry.states("context") == {"R-201": {"batch": "B-26-101"}}
    assert opened(data) == (CURSORS, ""), "and from then on it is a registry like any other"


def test_what_a_damaged_registry_still_says_is_newer_than_the_copy(data: Path) -> None:
    with closing(Registry(data)) as registry:
        registry.acknowledge("influx", Cursor(7, 6, 1))
        registry._connection.execute("DROP TABLE dead_letters")
    cursors, told = opened(data)
    assert cursors["influx"] == Cursor(7, 6, 1)
    assert "by what the damaged one still says" in told


@pytest.mark.parametrize(
    "wrong", [Cursor(5, 5, 1), Cursor(5, 3, 1), Cursor(500, 4, 1), Cursor(9, 8, 0), Cursor(-1, 0, 0), Cursor(8, 5, 0)]
)
def test_a_cursor_that_the_journal_does_not_prove_is_not_believed(data: Path, wrong: Cursor) -> None:
    """Rows that were never sent would be passed over. Those that were may be sent again."""
    with closing(Registry(data)) as registry:
        registry.acknowledge("influx", wrong)
        write_copy(data, registry)
        registry._connection.execute("DROP TABLE dead_letters")
    cursors, told = opened(data)
    assert cursors["influx"] == Cursor()
    assert "sink influx is sent everything again" in told
    assert cursors["victoria"] == CURSORS["victoria"]


@pytest.mark.parametrize("copy", [b"", b"{}", b'{"sinks": {"influx": 7}, "states": {}}', b"\xff" * 100])
def test_without_a_copy_everything_is_sent_again(data: Path, copy: bytes) -> None:
    deleted(data / "registry.db", CHANCE)
    (data / COPY).write_bytes(copy)
    cursors, _ = opened(data)
    assert cursors == {}


def test_a_first_start_is_no_damage(tmp_path: Path) -> None:
    registry, rescued = open_registry(tmp_path, SLOT_NS)
    registry.close()
    assert rescued is None


def test_a_newer_programs_registry_is_no_damage(data: Path) -> None:
    with closing(sqlite3.connect(data / "registry.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="99"):
        open_registry(data, SLOT_NS)
    assert (data / "registry.db").exists()


def retired(data: Path) -> None:
    """Retention takes the first day away, and then a sink comes into the plant file."""
    first = stored(journal_files(data)[0])
    with closing(Registry(data)) as registry:
        registry.put_states(REMOVED, first.as_removed())
        remove(first.path)
        begin(registry, "late")
        registry.acknowledge("late", Cursor(6, 2, 0))
        write_copy(data, registry)


def test_a_sink_that_began_late_goes_on_by_the_copy(data: Path) -> None:
    retired(data)
    deleted(data / "registry.db", CHANCE)
    cursors, told = opened(data)
    assert cursors["late"] == Cursor(6, 2, 0)
    assert "late goes on from row 6" in told
    with closing(Registry(data)) as registry:
        assert begun_at(registry)["late"] == 4


@pytest.mark.parametrize("kinds", [("begun",), ("begun", "damaged"), ("begun", "retention")])
def test_a_copy_that_does_not_know_when_a_sink_began_is_not_believed_of_it(data: Path, kinds: tuple[str, ...]) -> None:
    """One of an earlier version has no such states. The sink gets again what there is; no row is passed over."""
    retired(data)
    copy = orjson.loads((data / COPY).read_bytes())
    for kind in kinds:
        del copy["states"][kind]
    (data / COPY).write_bytes(orjson.dumps(copy))
    deleted(data / "registry.db", CHANCE)
    cursors, told = opened(data)
    assert "sink late is sent everything again" in told
    with closing(Reader(data)) as reader:
        assert [row.seq for row in reader.read(cursors["late"].seq, 10)] == [5, 6, 7, 8], "the day that there is, and no more"
    assert cursors["influx"] == CURSORS["influx"], "the others go on"
    assert opened(data) == (cursors, "")


# --- while it runs


def _taken_away(path: Path) -> None:
    deleted(path, CHANCE)


def _overwritten(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(CHANCE.randbytes(path.stat().st_size - 4096))


@pytest.mark.parametrize("damage", [_taken_away, _overwritten])
def test_a_registry_that_is_lost_under_the_daemon_is_begun_anew_with_all_it_knew(
    data: Path, damage: Callable[[Path], None]
) -> None:
    with closing(Registry(data)) as registry:
        assert registry.cursors() == CURSORS
        registry.put_states("sink", {"influx": {"state": "taking"}, "old": {"state": "busy"}})
        registry.put_states("sink", {"old": None})
        registry.acknowledge("influx", Cursor(8, 7, 1))
        assert begin_anew(data, registry, SLOT_NS) is None
        damage(data / "registry.db")
        rescued = begin_anew(data, registry, SLOT_NS)
        assert rescued
        assert registry.cursors() == {**CURSORS, "influx": Cursor(8, 7, 1)}
        registry.acknowledge("influx", Cursor(8, 8, 0))
    with closing(Registry(data)) as registry:
        assert registry.cursors() == {**CURSORS, "influx": Cursor(8, 8, 0)}
        assert registry.states("sink") == {"influx": {"state": "taking"}}


# --- the ledger of what is lost


def test_each_sink_counts_as_damaged_what_it_had_not_settled(data: Path) -> None:
    """The second day is lost: one sink had one row of it, one had all, a new one has nothing."""
    os.truncate(journal_files(data)[-1], 0)
    recover(data, Totals(8, 8, 8), SLOT_NS + 3 * DAY_NS)
    with closing(Registry(data)) as registry, closing(Reader(data)) as reader:
        for _ in range(2):
            ledger = ledger_of(reader, registry, ["influx", "victoria", "new"])
            assert ledger.balanced
            assert ledger.read == 8
            assert {name: sink.damaged for name, sink in ledger.sinks.items()} == {"influx": 3, "victoria": 0, "new": 4}
            assert {name: sink.queued for name, sink in ledger.sinks.items()} == {"influx": 0, "victoria": 3, "new": 4}
            write_off(reader, registry)
        with journal_of(data) as journal:
            end = journal.append([one(1.0)], SLOT_NS + 3 * DAY_NS)
        registry.acknowledge("influx", Cursor(end.seq, 5, 1))
        ledger = ledger_of(reader, registry, ["influx", "victoria", "new"])
        assert ledger.balanced
        assert (ledger.sinks["influx"].damaged, ledger.sinks["influx"].queued) == (3, 0)
        assert "damaged 3" in ledger.lines()[0]
        registry.acknowledge("influx", Cursor(end.seq, 6, 1))
        assert not ledger_of(reader, registry, ["influx"]).balanced, "written down, it is counted like all others"


def test_a_second_loss_is_counted_beside_the_first(data: Path) -> None:
    with closing(Registry(data)) as registry, closing(Reader(data)) as reader:
        known = Totals(8, 5, 5)  # less than a sink knows of
        for count in (1, 2):
            os.truncate(journal_files(data)[-1], 0)
            recover(data, known, SLOT_NS + 9 * DAY_NS)
            make_room(data, reader, registry)
            write_off(reader, registry)
            with journal_of(data) as journal:
                known = journal.append([one(1.0), one(2.0)], SLOT_NS + 9 * DAY_NS)
            assert len(losses(data)) == count
            ledger = ledger_of(reader, registry, ["influx", "victoria", "new"])
            assert ledger.balanced, ledger
    assert (ledger.read, ledger.sinks["new"].damaged) == (12, 6)
