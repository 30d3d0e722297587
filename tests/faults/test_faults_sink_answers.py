"""Whatever servers, proxies and networks answer: each outcome as documented, and only poisoned lines are dead letters.

A peer answers by a script between the daemon and a real InfluxDB, which judges all that comes through.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector.ledger import SinkLedger
from collector.store.journal import Stamped
from collector.terms import Stamp
from collector.uplink import upload
from collector.uplink.delivery import SinkState
from config.tags import Kind
from tests.faults.rows import Row
from tests.faults.sink_stage import TAGS, Stage, counted, sink, until
from tests.http_peer import Reply, Request, scripted
from tests.journal_rows import column, layout, scan
from tests.servers import InfluxDB, request, running_influxdb
from tests.wire.lateness import lateness

POISON = layout(column("t00", Kind.TEXT), column("spare"), group="poison")
"""Where InfluxDB knows a number it gets a text: it refuses that line for good."""
TOKEN = "FAULTS_TOKEN"
RETRY_AFTER_S = 9.0
TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the peer, and what the uploader must say of itself then; None: nothing, it only sends less."""

    name: str
    reply: Reply
    state: SinkState | None
    cause: str = ""


BUSY, ALARM = SinkState.BUSY, SinkState.ALARM
JSON = {"Content-Type": "application/json"}
ANSWERS = (
    Answer("401", Reply(401, b'{"code":"unauthorized","message":"no such token"}', JSON), ALARM, "HTTP 401: no such token"),
    Answer("403", Reply(403, b'{"code":"forbidden","message":"read only"}', JSON), ALARM, "HTTP 403: read only"),
    Answer("404", Reply(404, b'{"code":"not found","message":"no such bucket"}', JSON), ALARM, "HTTP 404: no such bucket"),
    Answer("400 of a proxy", Reply(400, b"<html>bad request</html>"), ALARM, "HTTP 400: <html>"),
    Answer("200 with a page", Reply(200, b"<html>log in</html>"), ALARM, "not a database's answer"),
    Answer("redirect", Reply(302, headers={"Location": "http://127.0.0.1:9/"}), ALARM, "HTTP 302"),
    Answer("413", Reply(413), None),
    Answer("422 on a whim", Reply(422, b'{"code":"unprocessable entity","message":"a whim"}', JSON), None),
    Answer("429", Reply(429, headers={"Retry-After": f"{RETRY_AFTER_S:.0f}"}), BUSY, "HTTP 429"),
    Answer("500", Reply(500, b"oops"), BUSY, "HTTP 500: oops"),
    Answer("503", Reply(503, headers={"Retry-After": f"{RETRY_AFTER_S:.0f}"}), BUSY, "HTTP 503"),
    Answer("502", Reply(502), BUSY, "HTTP 502"),
    Answer("no answer", Reply(fault="silence"), BUSY, "no answer within the timeout"),
    Answer("half-open link", Reply(fault="deaf"), BUSY, "no answer within the timeout"),
    Answer("reset in the body", Reply(fault="reset"), BUSY, "http://127.0.0.1"),
    Answer("half an answer", Reply(401, b"no token at all", fault="cut"), BUSY, "http://127.0.0.1"),
    Answer("taken, answered after the deadline", Reply(fault="late"), BUSY, "no answer within the timeout"),
)


@pytest.fixture(scope="module")
def influx() -> Iterator[InfluxDB]:
    with running_influxdb() as influx:
        yield influx


@pytest.mark.faults(
    "poisoned lines (400) among 401, 403, 404, 413, 422, 429, 500, 502, 503, timeout, reset, cut, half-open, late",
    must="each outcome as documented; only the poisoned lines dead-lettered",
    short=2,
    long=100,
)
async def test_answers(row: Row, tmp_path: Path, influx: InfluxDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "x")
    monkeypatch.setattr(upload, "LIVE_LAG_S", 3600.0)  # what is late goes another way, which rests between bodies that were taken
    for trial in row.trials():
        with closing(Stage(tmp_path / f"data {trial}")) as stage:
            await _trial(row, stage, influx, f"answers {trial}", row.chance(trial))


async def _trial(row: Row, stage: Stage, influx: InfluxDB, database: str, chance: random.Random) -> None:
    influx.create(database)
    more = [answer for answer in ANSWERS if answer.state]  # the others halve a body: a line that they meet alone is a dead letter
    script = [*ANSWERS, *chance.choices(more, k=5)]
    chance.shuffle(script)
    poisoned = _committed(stage, chance)
    told: list[tuple[SinkState, str]] = []
    waits: list[float] = []
    slow = 0

    async def forward(asked: Request) -> Reply:
        nonlocal slow
        query, begin_s = {"db": database, "precision": "ns"}, time.monotonic()
        reply = Reply(*await asyncio.to_thread(request, f"{influx.url}/write", asked.text, query))
        slow += time.monotonic() - begin_s > TIMEOUT_S / 2
        return reply

    async with scripted(*[answer.reply for answer in script], otherwise=forward) as peer:
        config = sink(kind="influxdb2", url=peer.url, bucket="x", token={"env": TOKEN}, timeout_s=TIMEOUT_S, backlog_rate=1e9)
        async with stage.uploading(config, told=lambda *edge: told.append(edge), waits=waits.append), lateness() as late:
            await until(lambda: stage.ledger("copy").sinks["copy"].queued == 0)
        assert not peer.script, "it was done before all was tried"
    _assert_outcome(row, stage, influx, database, poisoned)
    if late.worst_s < TIMEOUT_S / 5:  # else answers came too late here, by some such steps, and were none
        _assert_told(script, told, waits, slow)
    row.count(answers=len(script))


def _committed(stage: Stage, chance: random.Random) -> set[int]:
    """Rows of which some are poison: their numbers. The first, which tells InfluxDB the type, is not."""
    stage.commit(chance.randint(100, 200))
    poisoned = set()
    for _ in range(chance.randint(1, 5)):
        bad = Stamped(scan(POISON, ["no number", 7.0], stage.clock.now_ns()), (Stamp("B-1", "Dose"),))
        stage.journal.append([bad], stage.clock.now_ns())
        poisoned.add(stage.rows)
        stage.commit(chance.randint(1, 30))
    return poisoned


def _assert_outcome(row: Row, stage: Stage, influx: InfluxDB, database: str, poisoned: set[int]) -> None:
    good = stage.rows - len(poisoned)
    found = counted(influx, database)
    row.count(samples=good * TAGS, lost=sum(good - found.get(f"t{i:02}", 0) for i in range(TAGS)), poisoned_lines=len(poisoned))
    letters = stage.registry.dead_letters("copy")
    assert [letter.seq for letter in letters] == sorted(poisoned), "only they, and once each"
    assert all(letter.line.startswith(b"process,") for letter in letters)
    assert all(letter.reason.startswith("HTTP 400: partial write: field type conflict") for letter in letters)
    assert set(found.values()) == {good}, "what stood beside the poison in a body is there, and is there once"
    assert stage.ledger("copy").sinks["copy"] == SinkLedger(good * TAGS, 0, 2 * len(poisoned))


def _assert_told(script: list[Answer], told: list[tuple[SinkState, str]], waits: list[float], slow: int) -> None:
    """Every edge is one that the script explains, the alarms were raised, and a server that named a time had it.

    So many times InfluxDB itself was too slow, or nearly so, on a busy machine.
    """
    expected = {(answer.state, answer.cause) for answer in script if answer.state}
    for state, cause in told:
        if state is SinkState.TAKING:
            assert cause == ""
        else:
            assert any(state is wanted and words in cause for wanted, words in expected), (state, cause)
    assert told[-1] == (SinkState.TAKING, "")
    refused = sum(answer.state is not None for answer in script)
    assert refused <= len(waits) <= refused + slow, "each is tried again after a wait, and only they"
    named = sum("Retry-After" in answer.reply.headers for answer in script)
    assert sum(wait >= RETRY_AFTER_S for wait in waits) >= named
    alarms = sum(answer.state is ALARM for answer in script)
    assert sum(wait >= 2.5 for wait in waits) >= alarms
