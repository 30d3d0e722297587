"""`dead-letters` and `sinks`, on a data folder as a daemon leaves it."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from collector.__main__ import app
from collector.store.cursors import Cursor, DeadLetter, Stretch
from collector.store.files import locked
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.terms import Event, EventKind
from collector.uplink import removal
from collector.uplink.removal import Removal
from tests.fakes import START_NS
from tests.unit.store.simple import one

LETTERS = [
    DeadLetter(1, 2, b'process,unit=R-201 a="x" 1', "HTTP 400: field type conflict", START_NS),
    DeadLetter(2, 2, b"process,unit=R-201 a=2 2\nb" + b"y" * 300, "HTTP 413", START_NS + 1_000_000_000),
    DeadLetter(3, 2, b"process,unit=R-201 a=3 3", "HTTP 413", START_NS + 2_000_000_000),
]


class Clock:
    def now_ns(self) -> int:
        return START_NS

    def monotonic_ns(self) -> int:
        return 0


def run(*arguments: str, data: Path) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data", str(data)], env={"COLUMNS": "300"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five samples read; `historian` refused three lines, `old` is no more in the plant file."""
    (tmp_path / "journal").mkdir()
    with closing(Journal(tmp_path)) as journal, closing(Registry(tmp_path)) as registry:
        journal.append([one() for _ in range(5)], START_NS)
        registry.acknowledge("historian", Cursor(3, 0, 6), LETTERS)
        registry.acknowledge("old", Cursor(2, 1, 0, (Stretch(0, 1),)), LETTERS[:1])
        registry.place(["historian"], 5)
    return tmp_path


def test_letters_are_listed_with_reasons_counts_and_lines_that_are_cut(data: Path) -> None:
    told = run("dead-letters", "list", "--sink", "historian", data=data).stdout.splitlines()
    assert told[0] == "historian: 2 lines, 4 samples: HTTP 413"
    assert told[1] == "historian: 1 line, 2 samples: HTTP 400: field type conflict"
    assert re.split(" {2,}", told[3].strip()) == [
        "2024-11-22T10:06:40Z", "2", "HTTP 400: field type conflict", 'process,unit=R-201 a="x" 1',
    ]  # fmt: skip
    assert "a=2 2\\nb" in told[4]
    assert told[4].endswith("…")
    assert len(told) == 6


def test_letters_are_listed_for_machines_whole(data: Path) -> None:
    told = json.loads(run("dead-letters", "list", "--json", "--limit", "1", data=data).stdout)["sinks"]
    assert set(told) == {"historian", "old"}
    historian = told["historian"]
    assert (historian["letters"], historian["samples"], historian["to_retry"]) == (3, 6, 0)
    assert historian["reasons"][0] == {"reason": "HTTP 413", "letters": 2, "samples": 4, "to_retry": 0}
    assert [letter["line"] for letter in historian["newest"]] == ["process,unit=R-201 a=3 3"]


def test_retry_marks_them_and_says_when(data: Path) -> None:
    told = run("dead-letters", "retry", data=data)
    assert told.stdout.startswith("3 dead letters of historian will be sent once more, when the daemon")
    with closing(Registry(data)) as registry:
        assert len(registry.letters("historian", only_retry=True)) == 3
        assert registry.letters("old", only_retry=True) == [], "nothing is sent to it"
    with locked(data):
        told = run("dead-letters", "retry", "--json", data=data)
    assert json.loads(told.stdout) == {"running": True, "retry": {"historian": 3}}
    assert "3 of them" not in run("dead-letters", "list", data=data).stdout
    assert "2 of them to be sent once more: HTTP 413" in run("dead-letters", "list", data=data).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("dead-letters", "list", "--sink", "nobody"), 2, "there is no sink nobody here, only historian, old"),
        (("dead-letters", "retry", "--sink", "old"), 2, "sink old was taken out of the plant file"),
        (("sinks", "forget", "historian"), 2, "sink historian was in the plant file at the last start"),
        (("sinks", "forget", "nobody"), 2, "there is no sink nobody here"),
    ],
)
def test_what_is_not_there_is_said(data: Path, arguments: tuple[str, ...], code: int, text: str) -> None:
    result = run(*arguments, data=data)
    assert (result.exit_code, text in result.stderr) == (code, True), result.stderr
    elsewhere = run(*arguments, data=data / "journal")
    assert (elsewhere.exit_code, "no daemon has ever written here" in elsewhere.stderr) == (2, True)


def test_status_shows_what_a_removed_sink_had_not_got_and_no_growing_queue(data: Path) -> None:
    with closing(Journal(data)) as journal:
        journal.append([one()], START_NS)
    facts = json.loads(run("status", "--json", data=data).stdout)
    assert facts["balanced"] is False, "old says it accepted one of two, and the registry was told wrongly here"
    assert facts["sinks"]["old"]["state"] == "removed"
    assert facts["sinks"]["old"]["queued"] == 4
    assert facts["sinks"]["historian"]["queued"] == 3


async def test_a_sink_is_forgotten_after_its_event_is_on_the_disk(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "INTERVAL_S", 0.001)
    told: asyncio.Queue[Event] = asyncio.Queue()
    with closing(Registry(data)) as registry, closing(Reader(data)) as reader:
        registry.acknowledge("gone too", Cursor())
        looking = Removal(["historian"], reader, registry, Clock(), told.put_nowait)
        task = asyncio.create_task(looking.run())
        event = await told.get()
        cause = "taken out of the plant file; 5 samples it had not got, 0 dead-lettered"
        assert event == Event(EventKind.SINK, START_NS, body={"sink": "gone too", "state": "removed", "cause": cause})
        assert run("sinks", "forget", "old", data=data).stdout.startswith("the daemon forgets sink old")
        event = await told.get()
        cause = "as asked by sinks forget; 4 samples it had not got, 0 dead-lettered"
        assert event.body == {"sink": "old", "state": "forgotten", "cause": cause}
        looking.committed()
        await asyncio.sleep(0.02)
        assert "old" in registry.sinks(), "that commit may have begun before"
        looking.committed()
        async with asyncio.timeout(30):
            while "old" in registry.sinks():  # noqa: ASYNC110  what another thread does to a database
                await asyncio.sleep(0.001)
        assert registry.dead_letters("old") == []
        assert registry.dead_letters("historian") == LETTERS
        assert told.empty()
        task.cancel()
        await asyncio.wait([task])
