"""What is live comes first, what was missed follows at its own pace, and nothing is lost or counted twice."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.store.cursors import Cursor, Stretch
from collector.uplink.upload import LIVE_LAG_S, MOST_BEHIND, Pace
from tests.fakes import VirtualLoop, VirtualWall, run_virtually
from tests.unit.uplink.virtual_sink import Line, VirtualSink, at_once, uploading

pytestmark = pytest.mark.usefixtures("at_once")
__all__ = ["at_once"]
BEFORE_S = 1800


def stage(loop: VirtualLoop) -> tuple[Line, VirtualSink]:
    line = Line(loop, VirtualWall(loop))
    return line, VirtualSink(loop)


def missed(line: Line, seconds: int = BEFORE_S) -> None:
    """The journal of the time before, in which the sink was away."""
    now_ns = line.clock.now_ns()
    for ago in range(seconds, 0, -1):
        line.commit(now_ns - ago * 1_000_000_000)


def test_after_an_outage_the_newest_seconds_come_first_and_the_rest_at_its_pace() -> None:
    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        missed(line)
        async with uploading(sink, line.journal, line.clock, pace=Pace(samples_per_s=100.0)):
            await line.commit_for(10)
            first = min(sink.slots())
            assert line.clock.now_ns() - first > (LIVE_LAG_S + 9) * 1e9, "the backlog began"
            times = sorted(at for at, data in sink.taken if data.startswith(b"process"))
            live = [at for at, data in sink.taken if int(data.rpartition(b" ")[2]) >= line.clock.now_ns() - 15_000_000_000]
            assert min(live) == times[0], "the newest came before the oldest"
            await line.commit_for(20)
            backlog = len(sink.slots()) - 30 - LIVE_LAG_S
            assert 0.9 * 20 * 50 <= backlog <= 30 * 50 + 400, "100 samples a second are 50 rows"
            await line.commit_for(30)
            await asyncio.sleep(2)
        assert sink.slots() == line.slots
        assert max(sink.times.values()) == 1
        line.journal.assert_ledger("influx")
        assert line.journal.cursor("influx") == Cursor(len(line.journal.rows), 2 * len(line.journal.rows), 0)

    run_virtually(main)


@pytest.mark.parametrize("write_s", [0.01, 0.4])
def test_live_lag_is_small_soon_after_the_return_and_all_the_time_of_the_backlog(write_s: float) -> None:
    """Also on a server that takes most of half a second for each body."""

    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        async with uploading(sink, line.journal, line.clock, pace=Pace(2000.0)) as upload:
            await line.commit_for(20, upload)
            sink.away = True
            await line.commit_for(BEFORE_S, upload)
            sink.away, sink.write_s = False, write_s
            await line.commit_for(31, upload)  # the longest that it waits before it tries again
            for _ in range(60):
                await line.commit_for(1, upload)
                newest = max(sink.slots())
                assert line.clock.now_ns() - newest < 3e9
                line.journal.assert_ledger("influx")
            await line.commit_for(30, upload)
        assert sink.slots() == line.slots
        assert max(sink.times.values()) == 1

    run_virtually(main)


def test_a_poisoned_backlog_delays_nothing_live() -> None:
    """Thousands of lines that are halved down to one each, a tenth of a second per try."""

    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        missed(line)
        begin_ns = line.clock.now_ns()
        sink.write_s = 0.1
        sink.poison = lambda data: int(data.rpartition(b" ")[2]) < begin_ns - 60_000_000_000
        async with uploading(sink, line.journal, line.clock) as upload:
            await line.commit_for(120, upload)
            fresh = [slot for slot in sink.slots() if slot >= begin_ns]
            assert len(fresh) >= 119
            arrived = {int(data.rpartition(b" ")[2]): at for at, data in sink.taken if data.startswith(b"process")}
            assert max(arrived[slot] - (slot - begin_ns) / 1e9 for slot in fresh) < 2.0
        line.journal.assert_ledger("influx")

    run_virtually(main)


def test_qualities_are_told_at_the_beginning_of_each_stretch() -> None:
    """Whoever looks at the newest seconds, or at the first of the backlog, finds the quality of every tag."""

    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        missed(line, 600)
        line.journal.cursors["influx"] = Cursor(100, 200, 0)
        async with uploading(sink, line.journal, line.clock):
            await line.commit_for(20)
        told = {int(data.rpartition(b" ")[2]) for _, data in sink.taken if data.startswith(b"quality")}
        slots = sorted(line.slots)
        assert told == {slots[100], min(slot for slot in slots if slot > line.clock.now_ns() - 25_000_000_000)}

    run_virtually(main)


def test_stretches_are_bounded_then_it_goes_on_in_order() -> None:
    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        missed(line, 1000)
        holes = tuple(Stretch(2 * number, 2 * number + 1) for number in range(MOST_BEHIND))
        settled = 2 * (2 * MOST_BEHIND - MOST_BEHIND)
        line.journal.cursors["influx"] = Cursor(2 * MOST_BEHIND, settled, 0, holes)
        async with uploading(sink, line.journal, line.clock) as upload:
            await line.commit_for(3, upload)
            assert len(line.journal.cursor("influx").behind) <= MOST_BEHIND
            await line.commit_for(400, upload)
        assert line.journal.cursor("influx") == Cursor(1403, 2 * 1403, 0)

    run_virtually(main)


def test_a_sink_that_hangs_holds_no_other_back() -> None:
    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        hanging = VirtualSink(loop)
        hanging.write_s = 1e5
        async with (
            uploading(hanging, line.journal, line.clock, name="hanging") as one,
            uploading(sink, line.journal, line.clock) as other,
        ):
            await line.commit_for(300, one, other)
            await asyncio.sleep(1)
        assert sink.slots() == line.slots
        assert line.journal.cursor("hanging") == Cursor()
        assert line.journal.cursor("influx") == Cursor(300, 600, 0)

    run_virtually(main)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=12), st.sampled_from([0.01, 0.7]))
def test_whatever_outages_and_restarts_everything_arrives_and_the_ledger_holds(
    outages: list[tuple[bool, int]], write_s: float
) -> None:
    """Each is: the sink goes away, or the uploader is ended and begun again; then so many seconds of commits."""

    async def main(loop: VirtualLoop) -> None:
        line, sink = stage(loop)
        sink.write_s = write_s
        for away, seconds in [*outages, (False, 60)]:
            sink.away = away
            async with uploading(sink, line.journal, line.clock) as upload:
                await line.commit_for(seconds, upload)
                line.journal.assert_ledger("influx")
        sink.away = False
        async with uploading(sink, line.journal, line.clock) as upload:
            await asyncio.sleep(90)
            await upload.drain()
        line.journal.assert_ledger("influx")
        assert sink.slots() == line.slots
        assert line.journal.cursor("influx") == Cursor(len(line.slots), 2 * len(line.slots), 0)

    run_virtually(main)
