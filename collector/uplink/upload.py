"""One uploader per sink: what is live first, and beside it, at a bounded rate, what the sink missed.

    live     journal's end ──> lines ──> sink ──> acknowledged        no rest
    backlog  oldest stretch behind ──> lines ──> sink ──> acknowledged ──> rest ──> ...
    letters  dead letters that somebody wants tried again ──> sink

While a sink takes, the live lane goes on row by row. Where it finds itself more than `LIVE_LAG_S` behind, after an outage
or a start, it passes over to the newest seconds, and what it passed over is the backlog. The backlog is sent only while
the live lane has caught up, never more than `Pace` allows. Rows are settled, taken or dead-lettered, as wholes and
durably. It may be cancelled at any await: what was not acknowledged is sent again, and sending again changes nothing in
InfluxDB. It holds no queue: of each lane the rows of one read, whatever the outage.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

import structlog

from collector.store.cursors import Cursor, DeadLetter, Stretch
from collector.uplink.delivery import BACKOFF, Backoff, Delivery, Poisoned, SinkState
from collector.uplink.lane import Body, Lane, Rows
from collector.uplink.lines import Encoder
from collector.uplink.progress import Cursors, Progress
from collector.uplink.retrial import Retrial
from collector.uplink.sink import Sink
from drivers.base import Clock

log = structlog.get_logger()

FALLBACK_S = 1.0
"""Looks for rows this often even when nobody tells of a commit."""
LIVE_LAG_S = 5.0
"""Rows that were committed longer ago are no longer live."""
MOST_BEHIND = 64
"""Stretches; while there are as many the live lane goes on in order, at its full rate."""
LETTERS_INTERVAL_S = 2.0
RELEASE_INTERVAL_S = 5.0
THREADS = 3
"""One for each lane and one more: of its own, so that no other sink's can be in its way."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a backlog is sent."""

    samples_per_s: float = 100_000.0
    share: float = 0.5
    """Of its time, the most: a slow server has the rest for what is live."""

    def rest_s(self, samples: int, took_s: float) -> float:
        """After a body of `samples` that took so long."""
        return max(samples / self.samples_per_s - took_s, took_s * (1.0 / self.share - 1.0))


AT_MOST = Pace()


@dataclass(frozen=True, slots=True)
class Status:
    """An uploader at a glance."""

    state: SinkState
    cause: str
    """Why it is not taking; empty when it is."""
    cursor: Cursor
    """Durable."""
    settled_slot_ns: int
    """Slot of the last live row that was taken, 0 before the first; plant time minus this is the lag while not `caught_up`."""
    caught_up: bool
    """The live lane was at the journal's end when it last looked."""


class Upload:
    """Streams the journal to one sink; to be closed."""

    def __init__(
        self,
        name: str,
        rows: Rows,
        cursors: Cursors,
        encoder: Callable[[], Encoder],
        sink: Sink,
        clock: Clock,
        on_state: Callable[[str, SinkState, str], None] = lambda name, state, cause: None,
        backoff: Backoff = BACKOFF,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        pace: Pace = AT_MOST,
        hold_s: float = 0.0,
    ) -> None:
        """`encoder` makes one for each lane. `on_state` is called with (name, state, cause) when the sink stops or resumes
        taking, and not otherwise. `hold_s`: what the sink took counts only so long after."""
        self.name = name
        self._rows, self._sink, self._clock = rows, sink, clock
        self._told_state, self._wait, self._pace, self._holds = on_state, wait, pace, hold_s > 0
        self._progress = Progress(name, cursors, clock, hold_s)
        deliveries = [Delivery(sink, told, self._progress.forget_held, backoff, wait) for told in (self._enter, self._stall)]
        self._live, self._backlog = (Lane(rows, encoder, delivery) for delivery in deliveries)
        self._retrial = Retrial(name, cursors, self._progress, self._backlog.delivery, clock)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"send {name}")
        self._committed, self._prompt = asyncio.Event(), asyncio.Event()
        self._live_seq: int | None = None
        self._settled_slot_ns, self._letters = 0, 0
        self._incarnation: str | None = None
        self._bodies: deque[Body] = deque()
        """Of the backlog: read and not yet sent."""

    @property
    def status(self) -> Status:
        """How it stands."""
        delivery, caught_up = self._live.delivery, self._prompt.is_set()
        return Status(delivery.state, delivery.cause, self._progress.durable, self._settled_slot_ns, caught_up)

    @property
    def sent(self) -> Cursor:
        """With what the sink took and may still lose."""
        return self._progress.sent

    def notify(self) -> None:
        """Rows have been committed."""
        self._committed.set()

    def close(self) -> None:
        """End its threads. Nothing of it may run any more."""
        self._threads.shutdown(wait=True)

    async def run(self) -> None:
        """Upload for ever; ended by cancelling it, at any moment."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for work in (self._stay_live(), self._fill_forever(), self._retry_forever(), self._release_forever()):
                    tasks.create_task(work)
        except BaseExceptionGroup as group:  # of one cause: the others were cancelled for it
            raise group.exceptions[0] from None

    async def drain(self) -> None:
        """Upload all there is, without rests, however long the sink is busy: put a deadline around it."""
        await self._to_the_end(surely=True)
        while body := await self._next_behind():
            await self._send(self._backlog, body)
        if self._progress.holds:
            await self._release()

    # --- live

    async def _stay_live(self) -> None:
        while True:
            self._committed.clear()
            await self._to_the_end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FALLBACK_S):
                    await self._committed.wait()

    async def _to_the_end(self, *, surely: bool = False) -> None:
        """Fewer rows than were asked for are the last ones, unless a day ends with them: then the next are a second late. To be
        sure takes another look."""
        while bodies := await self._in_thread(self._next_live):
            self._prompt.clear()
            for body in bodies:
                await self._send(self._live, body)
            if self._live.at_end and not (surely or self._committed.is_set()):
                break
        self._prompt.set()

    def _next_live(self) -> list[Body]:
        sent = self._progress.sent
        if self._live_seq is None:
            self._live_seq = sent.seq
        if len(sent.behind) < MOST_BEHIND:
            recent = self._rows.committed_before(self._clock.now_ns() - round(LIVE_LAG_S * 1e9))
            self._live_seq = max(self._live_seq, recent)
        return self._live.bodies(self._live_seq)

    # --- what is behind

    async def _fill_forever(self) -> None:
        while True:
            await self._prompt.wait()
            began_ns = self._clock.monotonic_ns()
            if self._may_be_behind and (body := await self._next_behind()):
                await self._send(self._backlog, body)
                took_s = (self._clock.monotonic_ns() - began_ns) / 1e9
                await self._wait(self._pace.rest_s(body.samples, took_s))
            else:
                await asyncio.sleep(FALLBACK_S)

    @property
    def _may_be_behind(self) -> bool:
        """Without waiting for a thread that settles something just now."""
        sent = self._progress.newest
        return bool(sent.behind) or self._live_seq is None or self._live_seq > sent.seq

    async def _next_behind(self) -> Body | None:
        return await self._in_thread(self._read_behind)

    def _read_behind(self) -> Body | None:
        stretch = self._oldest_behind()
        if stretch is None:
            return None
        if not self._bodies or self._bodies[0].stretch.after != stretch.after:
            self._bodies = deque(self._backlog.bodies(stretch.after, stretch.until))
        return self._bodies[0] if self._bodies else Body(stretch, ())  # the rows are gone: retention, or a hand

    def _oldest_behind(self) -> Stretch | None:
        sent = self._progress.sent
        if sent.behind:
            return sent.behind[0]
        if self._live_seq is not None and self._live_seq > sent.seq:  # passed over, and nothing live taken since
            return Stretch(sent.seq, self._live_seq)
        return None

    # --- letters

    async def _retry_forever(self) -> None:
        while True:
            await asyncio.sleep(LETTERS_INTERVAL_S)
            takes = self._prompt.is_set() and self._live.delivery.state is SinkState.TAKING
            if takes and (letters := await self._in_thread(self._retrial.asked)):
                await self._in_thread(self._retrial.settle, letters, await self._retrial.offer(letters))

    # --- what all share

    async def _send(self, lane: Lane, body: Body) -> None:
        if self._holds and self._incarnation is None:
            self._incarnation = await self._sink.incarnation()
        poisoned = await lane.delivery.deliver(body.lines) if body.lines else []
        await self._in_thread(self._settle, lane, body, poisoned)

    def _settle(self, lane: Lane, body: Body, poisoned: Sequence[Poisoned]) -> None:
        now_ns = self._clock.now_ns()
        letters = [DeadLetter(p.line.seq, p.line.samples, p.line.data, p.reason, now_ns) for p in poisoned]
        self._progress.settle(body.stretch, body.samples - sum(letter.samples for letter in letters), letters)
        if lane is self._live:
            self._live_seq, self._settled_slot_ns = body.stretch.until, body.rows[-1].slot_ns
        elif self._bodies:
            self._bodies.popleft()
        self._tell_letters(letters)

    async def _release_forever(self) -> None:
        while self._holds:
            await asyncio.sleep(RELEASE_INTERVAL_S)
            await self._release()

    async def _release(self) -> None:
        """Settle what the sink took long enough ago, unless it was started anew since."""
        incarnation = await self._sink.incarnation()
        if incarnation is None:
            return
        before, self._incarnation = self._incarnation, incarnation
        if before not in (None, incarnation):
            log.warning("sink was started anew: what it took last is sent again", sink=self.name)
            self._progress.forget_held()
        await self._in_thread(self._progress.release)

    def _tell_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Logged each time their number has doubled: a field that is always refused must not fill the log."""
        before, self._letters = self._letters, self._letters + len(letters)
        if self._letters.bit_length() > before.bit_length():
            reason, line = letters[-1].reason, letters[-1].line[:200].decode("utf-8", "replace")
            log.error("lines dead-lettered", sink=self.name, lines=self._letters, reason=reason, line=line)

    def _enter(self, state: SinkState, cause: str) -> None:
        if state is SinkState.TAKING:
            log.info("sink takes again", sink=self.name)
        else:
            log.warning("sink does not take", sink=self.name, state=state.value, cause=cause)
        self._told_state(self.name, state, cause)

    def _stall(self, state: SinkState, cause: str) -> None:
        if state is not SinkState.TAKING and self._live.delivery.state is SinkState.TAKING:
            log.warning("the backlog waits", sink=self.name, cause=cause)

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short blocking call in a thread. When cancelled, leave only after it has ended: it moves what we hold."""
        task = asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error from None
            raise
