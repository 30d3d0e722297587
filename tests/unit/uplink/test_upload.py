"""The uploader against a sink that is a set of rules: nothing lost, nothing counted twice, whatever it answers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.cursors import Cursor, DeadLetter
from collector.store.rows import Row, ScanRow
from collector.terms import EventKind
from collector.uplink.delivery import BODY_BYTES, BODY_LINES, SinkState
from collector.uplink.lines import Encoder
from collector.uplink.sink import Busy, Outcome, Refused, Taken
from collector.uplink.upload import Upload
from tests.journal_rows import SECOND_NS, SLOT_NS, MemoryJournal, column, event_row, layout, lost_row, scan, scan_row

LAYOUT = layout(column("a"), column("b"))


class Clock:
    def now_ns(self) -> int:
        return SLOT_NS

    def monotonic_ns(self) -> int:
        return 0


class RuleSink:
    """Takes what `rule` lets it, line by line; first gives the scripted outcomes."""

    def __init__(self, rule: Callable[[bytes], bool] = lambda line: True, script: Sequence[Outcome] = ()) -> None:
        self.rule, self.script = rule, list(script)
        self.lines: Counter[bytes] = Counter()
        self.bodies: list[int] = []
        self.largest_bytes = 10**9
        self.too_large = 0

    async def write(self, body: bytes) -> Outcome:
        await asyncio.sleep(0)
        if self.script:
            return self.script.pop(0)
        if len(body) > self.largest_bytes:
            self.too_large += 1
            return Refused("HTTP 413", too_large=True)
        lines = body.split(b"\n")
        good = [line for line in lines if self.rule(line)]
        self.bodies.append(len(lines))
        self.lines.update(good)  # as InfluxDB 1: a partial write keeps the good lines, and says 400
        return Taken() if len(good) == len(lines) else Refused("HTTP 400: poison")

    async def incarnation(self) -> str | None:
        return ""

    @property
    def process_slots(self) -> set[bytes]:
        return {line.rpartition(b" ")[2] for line in self.lines if line.startswith(b"process")}


class Waits:
    """Instead of sleeping: the waits that were asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def rows(count: int, first: int = 1) -> list[ScanRow]:
    return [scan_row(seq, scan(LAYOUT, [seq, -seq], SLOT_NS + seq * SECOND_NS)) for seq in range(first, first + count)]


def uploader(journal: MemoryJournal, sink: RuleSink, **others: object) -> Upload:
    return Upload("influx", journal, journal, partial(Encoder, "s"), sink, Clock(), wait=others.pop("wait", Waits()), **others)  # type: ignore[arg-type]


async def test_every_row_arrives_and_is_accounted_for() -> None:
    journal, sink = MemoryJournal(rows(2000)), RuleSink()
    upload = uploader(journal, sink)
    await upload.drain()
    assert len(sink.process_slots) == 2000
    assert journal.cursor("influx") == Cursor(2000, 4000, 0)
    assert max(sink.lines.values()) == 1
    assert upload.status.caught_up
    assert upload.status.settled_slot_ns == SLOT_NS + 2000 * SECOND_NS
    journal.assert_ledger("influx")


async def test_it_goes_on_from_its_cursor() -> None:
    journal, sink = MemoryJournal(rows(10)), RuleSink()
    journal.cursors["influx"] = Cursor(7, 14, 0)
    await uploader(journal, sink).drain()
    assert len(sink.process_slots) == 3
    assert journal.cursor("influx") == Cursor(10, 20, 0)


async def test_bodies_are_bounded_and_made_of_whole_rows() -> None:
    wide = layout(*[column(f"r{i}") for i in range(400)])
    journal = MemoryJournal(rows(3000))  # after many small rows it reads many at once, and then they are large
    journal.append(*[scan_row(seq, scan(wide, np.arange(400.0).tolist(), SLOT_NS + seq)) for seq in range(3001, 3500)])
    sizes: list[int] = []

    class Sizes(RuleSink):
        async def write(self, body: bytes) -> Outcome:
            sizes.append(len(body))
            return await super().write(body)

    sink = Sizes()
    await uploader(journal, sink).drain()
    assert max(sizes) <= BODY_BYTES
    assert max(sink.bodies) <= BODY_LINES
    assert len(sizes) < 25, "and they are not small either"
    assert len(sizes) == journal.acknowledgements, "no row is cut in two"
    journal.assert_ledger("influx")


async def test_a_row_larger_than_a_body_is_sent_in_parts() -> None:
    huge = layout(*[column(f"r{i}") for i in range(BODY_LINES + 500)])  # its first scan has a quality line for each
    journal, sink = MemoryJournal([scan_row(1, scan(huge, [1.0] * (BODY_LINES + 500)))]), RuleSink()
    await uploader(journal, sink).drain()
    assert max(sink.bodies) <= BODY_LINES
    assert journal.cursor("influx") == Cursor(1, BODY_LINES + 500, 0)


async def test_only_the_poisoned_line_is_dead_lettered() -> None:
    journal = MemoryJournal(rows(300))
    poisoned = b"%d" % (SLOT_NS + 123 * SECOND_NS)
    sink = RuleSink(lambda line: not line.endswith(poisoned))
    await uploader(journal, sink).drain()
    (letter,) = journal.dead_letters
    assert (letter.seq, letter.samples, letter.reason, letter.time_ns) == (123, 2, "HTTP 400: poison", SLOT_NS)
    assert letter.line == b"process,site=s,unit=R-201 a=123.0,b=-123.0 " + poisoned
    assert len(sink.process_slots) == 299
    assert journal.cursor("influx") == Cursor(300, 598, 2)
    journal.assert_ledger("influx")


async def test_too_large_is_split_and_remembered() -> None:
    journal, sink = MemoryJournal(rows(400)), RuleSink()
    sink.largest_bytes = 2000
    upload = uploader(journal, sink)
    await upload.drain()
    assert len(sink.process_slots) == 400
    assert journal.dead_letters == []
    journal.append(*rows(400, 401))
    before, sink.too_large = sink.too_large, 0
    await upload.drain()
    assert before > 0
    assert sink.too_large == 0, "the second time it knows"
    assert len(sink.process_slots) == 800
    journal.assert_ledger("influx")


async def test_one_line_too_large_is_dead_lettered() -> None:
    journal, sink = MemoryJournal(rows(1)), RuleSink()
    sink.largest_bytes = 60
    await uploader(journal, sink).drain()
    assert {letter.reason for letter in journal.dead_letters} == {"HTTP 413"}
    journal.assert_ledger("influx")


async def test_busy_waits_tells_its_edges_once_and_loses_nothing() -> None:
    waits, told = Waits(), []
    busy = [
        Busy("no answer"),
        Busy("no answer"),
        Busy("HTTP 429", retry_after_s=7.5),
        Busy("HTTP 401", alarm=True),
        Busy("HTTP 401", alarm=True),
    ]
    journal, sink = MemoryJournal(rows(5)), RuleSink(script=busy)
    upload = uploader(journal, sink, wait=waits, on_state=lambda *edge: told.append(edge))
    await upload.drain()
    assert told == [("influx", "busy", "no answer"), ("influx", "alarm", "HTTP 401"), ("influx", "taking", "")]
    assert 0.25 <= waits.seconds[0] <= 0.5 <= waits.seconds[1] <= 1.0
    assert waits.seconds[2] == 7.5
    assert waits.seconds[3] >= 20.0
    assert journal.cursor("influx") == Cursor(5, 10, 0)
    assert upload.status.state is SinkState.TAKING


async def test_cancelled_in_a_write_it_has_acknowledged_nothing_and_starts_again() -> None:
    offered = asyncio.Event()

    class Stuck(RuleSink):
        stuck = True

        async def write(self, body: bytes) -> Outcome:
            if self.stuck:
                offered.set()
                await asyncio.Event().wait()
            return await super().write(body)

    journal, sink = MemoryJournal(rows(5)), Stuck()
    upload = uploader(journal, sink)
    task = asyncio.create_task(upload.run())
    await offered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert journal.cursors == {}
    sink.stuck = False
    await upload.drain()
    assert journal.cursor("influx") == Cursor(5, 10, 0)
    assert sum(line.startswith(b"quality") for line in sink.lines) == 2, "the qualities are told again, for they never arrived"


async def test_cancelled_while_acknowledging_it_counts_once() -> None:
    class Slow(MemoryJournal):
        began, may_end = threading.Event(), threading.Event()

        def acknowledge(
            self, sink: str, cursor: Cursor, letters: Sequence[DeadLetter] = (), taken_up: Sequence[int] = ()
        ) -> None:
            self.began.set()
            self.may_end.wait(60)
            super().acknowledge(sink, cursor, letters, taken_up)

    journal, sink = Slow(rows(1)), RuleSink(lambda line: not line.startswith(b"process"))
    upload = uploader(journal, sink)
    task = asyncio.create_task(upload.run())
    await asyncio.to_thread(journal.began.wait, 60)
    task.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done(), "it waits for what it has begun"
    journal.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    journal.append(*rows(3, 2))
    await upload.drain()
    assert journal.cursor("influx") == Cursor(4, 0, 8)
    assert [letter.seq for letter in journal.dead_letters] == [1, 2, 3, 4]
    journal.assert_ledger("influx")


async def test_rows_without_lines_move_the_cursor_without_a_write() -> None:
    journal, sink = MemoryJournal([lost_row(seq, LAYOUT, SLOT_NS + seq) for seq in range(1, 4)]), RuleSink()
    journal.append(event_row(4, EventKind.GATEWAY, {}))
    await uploader(journal, sink).drain()
    assert sink.bodies == [2], "the two qualities, once"
    assert journal.cursor("influx") == Cursor(4, 0, 0)


async def test_a_commit_wakes_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.uplink.upload.FALLBACK_S", 3600.0)
    journal, sink = MemoryJournal(), RuleSink()
    upload = uploader(journal, sink)
    task = asyncio.create_task(upload.run())
    await asyncio.to_thread(journal.looked.wait, 60)
    journal.append(*rows(1))
    upload.notify()
    assert await asyncio.to_thread(journal.acknowledged.wait, 60)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert journal.cursor("influx").seq == 1


class Read(MemoryJournal):
    """Counts how often it is read; a read ends at `day_end`, as at the end of a daily file."""

    def __init__(self, rows: Sequence[ScanRow] = (), day_end: int = 0) -> None:
        super().__init__(rows)
        self.reads, self.day_end = 0, day_end

    def read(self, after_seq: int, limit: int) -> list[Row]:
        self.reads += 1
        rows = super().read(after_seq, limit)
        return [row for row in rows if row.seq <= self.day_end] if after_seq < self.day_end else rows


async def _caught_up(upload: Upload, seq: int) -> None:
    async with asyncio.timeout(20):
        while not (upload.status.caught_up and upload.status.cursor.seq == seq):  # noqa: ASYNC110  told by no event
            await asyncio.sleep(0.001)


async def test_what_a_commit_brought_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.uplink.upload.FALLBACK_S", 3600.0)
    journal = Read(rows(5))
    upload = uploader(journal, RuleSink())
    task = asyncio.create_task(upload.run())
    await _caught_up(upload, 5)
    assert journal.reads == 1
    journal.append(*rows(5, 6))
    upload.notify()
    await _caught_up(upload, 10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert journal.reads == 2
    journal.assert_ledger("influx")


async def test_rows_behind_the_end_of_a_day_follow_without_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.uplink.upload.FALLBACK_S", 0.01)
    journal = Read(rows(10), day_end=4)
    upload = uploader(journal, RuleSink())
    task = asyncio.create_task(upload.run())
    await _caught_up(upload, 10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    journal.assert_ledger("influx")


async def test_a_drain_is_over_a_days_end_too() -> None:
    journal = Read(rows(10), day_end=4)
    await uploader(journal, RuleSink()).drain()
    assert journal.cursor("influx").seq == 10


async def test_a_journal_that_fails_is_not_hidden() -> None:
    class Broken(MemoryJournal):
        def read(self, after_seq: int, limit: int) -> list[object]:  # type: ignore[override]
            raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        await uploader(Broken(), RuleSink()).drain()


@given(
    st.lists(st.integers(1, 120), max_size=12, unique=True),
    st.lists(
        st.sampled_from([Busy("x"), Busy("y", alarm=True), Refused("HTTP 400: all"), Refused("HTTP 413", too_large=True)]),
        max_size=8,
    ),
    st.integers(0, 5),
)
def test_the_ledger_holds_whatever_the_sink_says(poisoned: list[int], script: list[Outcome], cancels: int) -> None:
    """Lines that are poison never arrive, all others do; a refusal that was a whim splits the body, no more."""
    marks = {b"%d" % (SLOT_NS + seq * SECOND_NS) for seq in poisoned}
    journal, sink = MemoryJournal(rows(120)), RuleSink(lambda line: line.rpartition(b" ")[2] not in marks, script)
    asyncio.run(_interrupted(uploader(journal, sink), cancels))
    journal.assert_ledger("influx")
    assert journal.cursor("influx").seq == 120
    expected = {b"%d" % (SLOT_NS + seq * SECOND_NS) for seq in range(1, 121)} - marks
    letters = {letter.line.rpartition(b" ")[2] for letter in journal.dead_letters if letter.line.startswith(b"process")}
    assert sink.process_slots | letters == expected | marks
    assert marks <= letters


async def _interrupted(upload: Upload, cancels: int) -> None:
    for ticks in range(cancels):
        task = asyncio.create_task(upload.drain())
        for _ in range(ticks * 3):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await upload.drain()
