"""Dead letters that somebody wants tried again."""

from __future__ import annotations

import asyncio

import pytest

from collector.store.cursors import Cursor
from tests.fakes import VirtualLoop, VirtualWall, run_virtually
from tests.unit.uplink.virtual_sink import Line, VirtualSink, at_once, uploading

pytestmark = pytest.mark.usefixtures("at_once")
__all__ = ["at_once"]


def test_they_are_taken_up_or_die_again_each_by_itself() -> None:
    async def main(loop: VirtualLoop) -> None:
        line, sink = Line(loop, VirtualWall(loop)), VirtualSink(loop)
        sink.poison = lambda data: data.startswith(b"process")
        async with uploading(sink, line.journal, line.clock) as upload:
            await line.commit_for(50, upload)
            await asyncio.sleep(2)
            assert line.journal.cursor("influx") == Cursor(50, 0, 100)
            before = [letter.time_ns for letter in line.journal.dead_letters]
            sink.poison = lambda data: data.startswith(b"process") and b"a=7.0" in data
            await asyncio.sleep(60)
            assert line.journal.cursor("influx") == Cursor(50, 0, 100), "not without being asked"
            line.journal.retry()
            await asyncio.sleep(3)
            assert line.journal.cursor("influx") == Cursor(50, 98, 2)
            line.journal.assert_ledger("influx")
            ((kept),) = line.journal.kept.values()
            assert not kept.retry
            assert kept.letter.seq == 7
            assert kept.letter.time_ns > max(before)
            assert len(sink.slots()) == 49

    run_virtually(main)


def test_they_wait_while_the_sink_is_away() -> None:
    async def main(loop: VirtualLoop) -> None:
        line, sink = Line(loop, VirtualWall(loop)), VirtualSink(loop)
        sink.poison = lambda data: data.startswith(b"process")
        async with uploading(sink, line.journal, line.clock) as upload:
            await line.commit_for(3, upload)
            sink.poison, sink.away = (lambda data: False), True
            line.journal.retry()
            await line.commit_for(100, upload)
            assert line.journal.cursor("influx") == Cursor(3, 0, 6)
            sink.away = False
            await line.commit_for(40, upload)
            await asyncio.sleep(3)
        assert line.journal.cursor("influx") == Cursor(143, 286, 0)
        assert line.journal.kept == {}

    run_virtually(main)
