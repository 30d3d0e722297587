"""A sink that loses what it took last when it dies: nothing counts as settled that it may still lose, and all arrives."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.store.cursors import Cursor
from tests.fakes import VirtualLoop, VirtualWall, run_virtually
from tests.journal_rows import MemoryJournal
from tests.unit.uplink.virtual_sink import Line, VirtualSink, at_once, uploading

pytestmark = pytest.mark.usefixtures("at_once")
__all__ = ["at_once"]
HOLD_S = 60.0


def stage(loop: VirtualLoop) -> tuple[Line, VirtualSink]:
    line, sink = Line(loop, VirtualWall(loop)), VirtualSink(loop)
    sink.loses_s = 20.0
    return line, sink


def test_what_it_took_is_queued_for_60_s_and_then_accepted() -> None:
    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        async with uploading(sink, line.journal, line.clock, hold_s=HOLD_S) as upload:
            await line.commit_for(59, upload)
            assert len(sink.slots()) == 59
            assert line.journal.cursor("influx") == Cursor()
            await line.commit_for(21, upload)
            assert 80 - 60 - 7 <= line.journal.cursor("influx").seq <= 80 - 60
            line.journal.assert_ledger("influx")
            await asyncio.sleep(70)
            assert line.journal.cursor("influx") == Cursor(80, 160, 0)
        assert max(sink.times.values()) == 1, "nothing is sent twice while it lives"

    run_virtually(main)


@pytest.mark.parametrize("away_s", [0, 1, 90])
def test_when_it_dies_all_that_is_held_is_sent_again(away_s: int) -> None:
    """Also where it is back before anybody noticed, for it tells when it was started."""

    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        async with uploading(sink, line.journal, line.clock, hold_s=HOLD_S) as upload:
            await line.commit_for(100, upload)
            sink.die()
            assert len(sink.slots()) < 90
            sink.away = away_s > 0
            await line.commit_for(away_s, upload)
            sink.away = False
            await line.commit_for(150, upload)
            await asyncio.sleep(1)
            assert sink.slots() == line.slots
            await asyncio.sleep(70)
        assert line.journal.cursor("influx") == Cursor(len(line.slots), 2 * len(line.slots), 0)

    run_virtually(main)


def test_at_the_end_what_is_held_stays_queued_and_the_next_start_sends_it_again() -> None:
    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        async with uploading(sink, line.journal, line.clock, hold_s=HOLD_S) as upload:
            await line.commit_for(80, upload)
        async with asyncio.timeout(1):
            await upload.drain()
        queued = 80 - line.journal.cursor("influx").seq
        assert 60 <= queued <= 67
        sink.die()
        async with uploading(sink, line.journal, line.clock, hold_s=HOLD_S):
            await asyncio.sleep(90)
        assert sink.slots() == line.slots
        assert line.journal.cursor("influx") == Cursor(80, 160, 0)

    run_virtually(main)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["live", "die", "go", "come", "restart"]), st.integers(0, 50)), max_size=10))
def test_what_is_settled_is_never_lost(steps: list[tuple[str, int]]) -> None:
    """At each moment the sink has every row that the cursor calls settled; in the end it has all."""

    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        for step, seconds in [*steps, ("come", 150)]:
            if step in ("die", "come"):
                sink.die()
            sink.away = step == "go" or (sink.away and step != "come")
            async with uploading(sink, line.journal, line.clock, hold_s=HOLD_S) as upload:
                for _ in range(1 + seconds // 10):
                    await line.commit_for(10, upload)
                    assert settled_slots(line.journal) <= sink.slots()
                    line.journal.assert_ledger("influx")
        async with uploading(sink, line.journal, line.clock, hold_s=HOLD_S):
            await asyncio.sleep(150)
        assert sink.slots() == line.slots
        assert line.journal.cursor("influx") == Cursor(len(line.slots), 2 * len(line.slots), 0)

    run_virtually(main)


def settled_slots(journal: MemoryJournal) -> set[int]:
    cursor = journal.cursor("influx")
    behind = {seq for each in cursor.behind for seq in range(each.after + 1, each.until + 1)}
    return {row.scan.slot_ns for row in journal.rows[: cursor.seq] if row.seq not in behind}  # type: ignore[union-attr]


def test_letters_that_it_takes_up_are_held_too() -> None:
    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        poisoned = True
        sink.poison = lambda data: poisoned and data.startswith(b"process")
        async with uploading(sink, line.journal, line.clock, hold_s=HOLD_S) as upload:
            await line.commit_for(3, upload)
            await asyncio.sleep(70)
            assert line.journal.cursor("influx") == Cursor(3, 0, 6)
            poisoned = False
            line.journal.retry()
            await asyncio.sleep(30)
            assert line.journal.cursor("influx") == Cursor(3, 0, 6)
            sink.die()
            await asyncio.sleep(30)
            assert sink.slots() == line.slots, "sent again"
            await asyncio.sleep(45)
            assert line.journal.cursor("influx") == Cursor(3, 6, 0)
            assert line.journal.kept == {}

    run_virtually(main)
