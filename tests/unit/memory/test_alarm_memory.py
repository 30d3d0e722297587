"""What the registry remembers of alarms is what the journal says, whenever the daemon dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from collector.__main__ import app
from collector.memory import alarms as alarm_memory
from collector.memory.alarms import AS_OF, KIND, AlarmMemory
from collector.monitor.alarms.alarm import ADVISORY
from collector.monitor.alarms.alarms import Alarms, Command, Refused
from collector.monitor.alarms.settings import Book
from collector.monitor.alarms.states import Happening
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.terms import Event, EventKind
from tests.unit.monitor.judged import DOSE, SECOND_NS, START_NS, limit

UNITS = ("R-201", "R-202", "R-203")
BOOK = Book([limit(par=[0.0, 70.0], consequence="runs away", action="cool")], [(unit, "t") for unit in UNITS])
DAY_S = 86_400


def transition(unit: str, to: str, at_s: int) -> Event:
    body = {"role": "t", "statistic": "value", "window_s": None, "rule": "PAR high", "to": to, "value": 71.0, "level": 70.0}
    return Event(EventKind.TRANSITION, START_NS + at_s * SECOND_NS, unit, DOSE, {**body})


@contextmanager
def remembered(data: Path) -> Iterator[AlarmMemory]:
    with closing(Reader(data)) as reader, closing(Registry(data)) as registry:
        yield AlarmMemory(reader, registry)


def learnt(data: Path) -> Alarms:
    """As a daemon that starts has them."""
    with remembered(data) as memory:
        memory.catch_up(0)
        return Alarms(BOOK, memory.alarms())


DEEDS = st.sampled_from(["outside", "inside", *Happening])
STEPS = st.lists(st.tuples(st.sampled_from(UNITS), DEEDS, st.sampled_from([1, 1, 1, DAY_S])), max_size=12)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return (tmp_path_factory.mktemp("data") for _ in iter(int, 1))


@settings(deadline=None, max_examples=12)
@given(STEPS, st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)))
def test_a_start_knows_what_was_committed(
    folders: Iterator[Path], steps: list[tuple[str, str, int]], remembers: set[int], losses: set[int]
) -> None:
    """At some steps the registry is brought up to date, at some it is lost."""
    data, alarms, at_s = next(folders), Alarms(BOOK), 0
    (data / "journal").mkdir()
    with closing(Journal(data)) as journal:
        for step, (unit, deed, later_s) in enumerate(steps):
            at_s += later_s
            journal.append(done(alarms, unit, deed, at_s) or [transition(unit, "inside", at_s)], START_NS + at_s * SECOND_NS)
            if step in losses:
                (data / "registry.db").unlink(missing_ok=True)
            if step in remembers:
                with remembered(data) as memory:
                    memory.catch_up(journal.totals.seq)
        assert learnt(data).now == alarms.now
        assert learnt(data).now == alarms.now  # and again, now that it has caught up


def done(alarms: Alarms, unit: str, deed: str, at_s: int) -> list[Event]:
    if deed in ("outside", "inside"):
        return alarms.observe([transition(unit, deed, at_s)])
    key = next(key for key in BOOK.keys if key.unit == unit and key.rule == "PAR high")
    try:
        command = Command(Happening(deed), key, "meier", "why", 3600.0 if deed == "shelved" else None)
        return alarms.command(command, START_NS + at_s * SECOND_NS)
    except Refused:
        return []


def test_what_is_not_committed_is_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    alarms = Alarms(BOOK)
    with closing(Journal(tmp_path)) as journal, remembered(tmp_path) as memory:
        journal.append(alarms.observe([transition("R-201", "outside", 0)]), START_NS)
        alarms.observe([transition("R-202", "outside", 1)])
        memory.catch_up(journal.totals.seq)
        assert [alarm.key.unit for alarm in memory.alarms()] == ["R-201"]


def test_a_long_quiet_time_is_not_read_again_at_each_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "journal").mkdir()
    monkeypatch.setattr(alarm_memory, "ROWS_BEHIND", 50)
    quiet = Event(EventKind.DAEMON, START_NS, body={"state": "started"})
    with closing(Journal(tmp_path)) as journal, remembered(tmp_path) as memory:
        for _ in range(3):
            journal.append([quiet] * 40, START_NS)
            memory.catch_up(journal.totals.seq)
    with closing(Registry(tmp_path)) as registry:
        assert registry.states(KIND)[AS_OF] == {"seq": 80}


def test_an_alarm_that_can_not_be_read_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    with closing(Journal(tmp_path)) as journal:
        (good,) = Alarms(BOOK).observe([transition("R-201", "outside", 0)])
        journal.append([Event(EventKind.ALARM, START_NS, "R-202", body={**good.body, "to": "excited"}), good], START_NS)
    with closing(Registry(tmp_path)) as registry:
        registry.put_states(KIND, {"R-203/t/PAR-high": {"what": "is this"}})
    assert [key.unit for key in learnt(tmp_path).now] == ["R-201"]


def test_status_shows_what_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    alarms = Alarms(BOOK)
    with closing(Journal(tmp_path)) as journal, remembered(tmp_path) as memory:
        journal.append(done(alarms, "R-201", "outside", 0) + done(alarms, "R-201", "acknowledged", 9), START_NS)
        memory.catch_up(journal.totals.seq)
    told = json.loads(CliRunner().invoke(app, ["status", "--data", str(tmp_path), "--json"]).stdout)["alarms"]
    alarm = told["states"]["R-201/t/PAR-high"]
    assert (alarm["state"], alarm["priority"], alarm["acknowledged_by"]) == ("acknowledged", "high", "meier")
    assert (alarm["consequence"], alarm["action"], told["advice"]) == ("runs away", "cool", ADVISORY)
    text = CliRunner().invoke(app, ["status", "--data", str(tmp_path)], env={"COLUMNS": "200"}).stdout
    for words in ("R-201/t/PAR-high", "acknowledged", "high", "meier", "runs away", "cool", ADVISORY):
        assert words in text, words
