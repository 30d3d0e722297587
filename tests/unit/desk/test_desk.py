"""The desk on a real socket: who asks is known, what is done is on the disk, and what can't be done is told."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from collector.desk import messages, service
from collector.desk.messages import SOCKET, Answer, NobodyThere, Request, ask
from collector.desk.service import Desk
from collector.monitor.alarms.alarms import Alarms
from collector.monitor.alarms.settings import Book
from collector.monitor.alarms.states import State
from collector.terms import EventKind
from tests.unit.collector.test_recorder import PLANT, Bench, opened, reactor

USER = pwd.getpwuid(os.geteuid()).pw_name
HIGH, LOW = "R-201/temperature/PAR-high", "R-201/temperature/PAR-low"


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[Bench]:
    """A recorder whose commits are made as they come, and the desk before it."""
    async with opened(data) as bench:
        bench.recorder.alarms = Alarms(Book(PLANT.limits, [("R-201", "temperature")]))
        tasks = [asyncio.create_task(Desk(data, bench.recorder).run()), asyncio.create_task(committing(bench))]
        async with asyncio.timeout(60):
            while not listens(data):  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0)
        try:
            yield bench
        finally:
            bench.disk.free.set()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def listens(data: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, messages.at_folder(data) as folder:
        return probe.connect_ex(f"{folder}/{SOCKET}") == 0


async def committing(bench: Bench) -> None:
    while True:
        await asyncio.sleep(0.01)
        await bench.recorder.commit()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with served(tmp_path) as bench:
        bench.take(reactor(0, 75.0))
        yield bench


async def acknowledged(bench: Bench) -> None:
    """In memory."""
    async with asyncio.timeout(60):
        while State.C not in {alarm.state for alarm in bench.recorder.alarms.now.values()}:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def asked(bench: Bench, do: str, *alarms: str, reason: str = "", lasts_s: float | None = None) -> Answer:
    request = Request.model_validate({"do": do, "alarms": alarms, "reason": reason, "lasts_s": lasts_s})
    return await asyncio.to_thread(ask, bench.data, request)


def on_disk(bench: Bench) -> list[tuple[object, ...]]:
    return [tuple(event.body[key] for key in ("happening", "by", "reason")) for event in bench.events(EventKind.ALARM)]


async def test_only_the_owner_can_open_it_and_it_goes_with_the_daemon(tmp_path: Path) -> None:
    async with served(tmp_path):
        assert stat.S_IMODE((tmp_path / SOCKET).stat().st_mode) == 0o600
    assert not (tmp_path / SOCKET).exists()
    with pytest.raises(NobodyThere, match="no daemon runs on"):
        await asyncio.to_thread(ask, tmp_path, Request(do="list"))


async def test_what_a_killed_daemon_has_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead, messages.at_folder(tmp_path) as folder:
        dead.bind(f"{folder}/{SOCKET}")
    async with served(tmp_path) as bench:
        assert (await asked(bench, "list")).alarms == {}


async def test_a_folder_with_a_long_name_has_a_desk_too(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    async with served(deep) as bench:
        bench.take(reactor(0, 75.0))
        assert list((await asked(bench, "list")).alarms) == [HIGH]


async def test_what_is_done_is_on_the_disk_with_the_name_that_the_kernel_knows(bench: Bench) -> None:
    answer = await asked(bench, "acknowledge", HIGH, reason="cooling is on")
    assert on_disk(bench) == [("occurs", "", ""), ("acknowledged", USER, "cooling is on")]
    assert answer.said == (f"{HIGH} acknowledged by {USER}: it is acknowledged",)
    assert (answer.alarms[HIGH]["state"], answer.alarms[HIGH]["acknowledged_by"]) == ("acknowledged", USER)
    answer = await asked(bench, "shelve", HIGH, reason="probe is cleaned", lasts_s=60.0)
    assert answer.alarms[HIGH]["until_ns"] and on_disk(bench)[-1] == ("shelved", USER, "probe is cleaned")


async def test_a_reply_waits_for_the_disk(bench: Bench) -> None:
    bench.disk.free.clear()
    asking = asyncio.create_task(asked(bench, "acknowledge", HIGH))
    await acknowledged(bench)
    await asyncio.sleep(0.03)
    assert not asking.done()
    bench.disk.free.set()
    assert (await asking).failed == ""
    assert on_disk(bench)[-1][0] == "acknowledged"


async def test_a_disk_that_takes_nothing_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "DURABLE_S", 0.05)
    bench.disk.full = True
    answer = await asked(bench, "acknowledge", HIGH)
    assert answer.said == () and answer.failed.startswith("1 of 1 done, but not yet on the disk: ")
    bench.disk.full = False
    async with asyncio.timeout(60):
        while [what for what, *_ in on_disk(bench)] != ["occurs", "acknowledged"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_pattern_means_those_with_which_it_can_be_done(bench: Bench) -> None:
    assert (await asked(bench, "acknowledge", "R-201/*")).said == (f"{HIGH} acknowledged by {USER}: it is acknowledged",)
    assert (await asked(bench, "acknowledge", "R-201/*")).wrong.startswith("none of the alarms that R-201/*")
    assert len((await asked(bench, "shelve", "*", reason="cleaning", lasts_s=9.0)).said) == 2


async def test_what_is_not_possible_is_told_and_the_rest_is_done(bench: Bench) -> None:
    answer = await asked(bench, "acknowledge", LOW, HIGH)
    assert answer.refused == (f"{LOW} is normal and can't be acknowledged; it can be shelved or taken out of service",)
    assert len(answer.said) == 1
    answer = await asked(bench, "acknowledge", "R-201/temperature/PAR high")
    assert answer.wrong == "no limit of the plant file raises R-201/temperature/PAR high"
    assert "for a reason only" in (await asked(bench, "take_out", HIGH)).refused[0]
    assert "at most 24 h" in (await asked(bench, "shelve", HIGH, reason="x", lasts_s=90_000.0)).refused[0]


@pytest.mark.parametrize("line", [b"hello\n", b'{"do": "write", "alarms": ["x"]}\n', b'{"do": "list", "by": "boss"}\n'])
async def test_what_is_no_request_is_told(bench: Bench, line: bytes) -> None:
    with messages.at_folder(bench.data) as folder:
        reader, writer = await asyncio.open_unix_connection(f"{folder}/{SOCKET}")
    writer.write(line)
    assert Answer.model_validate_json(await reader.readline()).wrong.startswith("that is no request")
    writer.close()
    await writer.wait_closed()


async def test_who_says_nothing_or_too_much_is_sent_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for said, patience_s in ((b"", 0.05), (b"x" * 200_000, 60.0)):
        monkeypatch.setattr(service, "READ_S", patience_s)  # the last one is also that of who asks afterwards
        with messages.at_folder(bench.data) as folder:
            reader, writer = await asyncio.open_unix_connection(f"{folder}/{SOCKET}")
        with suppress(ConnectionError):
            writer.write(said)
            assert await reader.read() == b""
        writer.close()
    assert list((await asked(bench, "list")).alarms) == [HIGH]


async def test_a_daemon_that_ends_meanwhile_is_not_taken_for_none(tmp_path: Path) -> None:
    async with served(tmp_path) as bench:
        bench.take(reactor(0, 75.0))
        bench.disk.free.clear()
        asking = asyncio.create_task(asked(bench, "acknowledge", HIGH))
        await acknowledged(bench)
    with pytest.raises(NobodyThere, match="ended before it answered: see with alarms list"):
        await asking
