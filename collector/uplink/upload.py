"""One task per sink: journal rows from its cursor on, to lines, to the sink, to a durable acknowledgement.

    read ──> encode ──> bodies of whole rows ──> write ──> acknowledge ──> read ...
                                                  ├─ busy: wait, the same body again
                                                  └─ refused: halve down to the poisoned lines, dead-letter those

The cursor moves to a row only when every line of it is settled, taken or dead-lettered, and moves durably. It may be
cancelled at any await: what was not acknowledged is sent again, and sending again changes nothing in InfluxDB. It
holds no queue: the rows of one read and one body, whatever the outage.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ParamSpec, Protocol, TypeVar

import structlog

from collector.store.cursors import Cursor, DeadLetter
from collector.store.rows import Row
from collector.uplink.lines import Encoded, Encoder, Line
from collector.uplink.sink import Busy, Refused, Sink, Taken
from drivers.base import Clock

log = structlog.get_logger()

BODY_BYTES = 1_000_000
BODY_LINES = 5_000
FALLBACK_S = 1.0
"""Looks for rows this often even when nobody tells of a commit."""
_FIRST_ROWS, _MOST_ROWS = 16, 5_000

P = ParamSpec("P")
T = TypeVar("T")


class Rows(Protocol):
    """The journal as an uploader reads it; blocking, called from threads."""

    def read(self, after_seq: int, limit: int) -> Sequence[Row]:
        """Rows beyond `after_seq`, ascending, at most `limit`; empty when there are none yet."""


class Cursors(Protocol):
    """Where an uploader's progress is kept; blocking, called from threads."""

    def cursor(self, sink: str) -> Cursor:
        """How far `sink` has got."""

    def acknowledge(self, sink: str, cursor: Cursor, letters: Sequence[DeadLetter] = ()) -> None:
        """Move the cursor and keep the letters, at once and durably."""


class SinkState(StrEnum):
    """Whether a sink takes what it is offered."""

    TAKING = "taking"
    BUSY = "busy"
    ALARM = "alarm"
    """Busy, and somebody must act."""


@dataclass(frozen=True, slots=True)
class Status:
    """An uploader at a glance."""

    state: SinkState
    cause: str
    """Why it is not taking; empty when it is."""
    cursor: Cursor
    settled_slot_ns: int
    """Slot of the last settled row, 0 before the first; plant time minus this is the lag while `caught_up` is false."""
    caught_up: bool
    """At the journal's end when it last looked."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait for a busy sink: doubling, jittered to between half and all of it, never shorter than it asked."""

    first_s: float = 0.5
    limit_s: float = 30.0
    alarm_first_s: float = 5.0
    alarm_limit_s: float = 60.0
    retry_after_limit_s: float = 300.0
    """A server that asks for more is asked again after this."""

    def wait_s(self, attempt: int, busy: Busy, draw: float) -> float:
        """Before attempt + 1; `attempt` counts from 0, `draw` is random in [0, 1)."""
        first_s, limit_s = (self.alarm_first_s, self.alarm_limit_s) if busy.alarm else (self.first_s, self.limit_s)
        wait_s = min(limit_s, first_s * 2.0 ** min(attempt, 30)) * (0.5 + draw / 2)
        return max(wait_s, min(busy.retry_after_s or 0.0, self.retry_after_limit_s))


class Upload:
    """Streams the journal to one sink."""

    def __init__(
        self,
        name: str,
        rows: Rows,
        cursors: Cursors,
        encoder: Encoder,
        sink: Sink,
        clock: Clock,
        on_state: Callable[[str, SinkState, str], None] = lambda name, state, cause: None,
        backoff: Backoff = Backoff(),
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`on_state` is called with (name, state, cause) when the sink stops or resumes taking, and not otherwise."""
        self.name = name
        self._rows, self._cursors = rows, cursors
        self._encoder, self._sink, self._clock = encoder, sink, clock
        self._on_state, self._backoff, self._wait = on_state, backoff, wait
        self._committed = asyncio.Event()
        self._cursor: Cursor | None = None
        self._state, self._cause = SinkState.TAKING, ""
        self._settled_slot_ns = 0
        self._caught_up = False
        self._rows_limit = _FIRST_ROWS
        self._body_bytes = BODY_BYTES
        self._letters = 0

    @property
    def status(self) -> Status:
        """How it stands."""
        return Status(self._state, self._cause, self._cursor or Cursor(), self._settled_slot_ns, self._caught_up)

    def notify(self) -> None:
        """Rows have been committed."""
        self._committed.set()

    async def run(self) -> None:
        """Upload for ever; ended by cancelling it, at any moment."""
        while True:
            self._committed.clear()
            await self.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FALLBACK_S):
                    await self._committed.wait()

    async def drain(self) -> None:
        """Upload to the end of the journal, however long the sink is busy: put a deadline around it."""
        try:
            while rows := await _in_thread(self._read):
                self._caught_up = False
                for body in _bodies(await _in_thread(self._encode, rows), self._body_bytes):
                    await self._settle(body)
        except BaseException:
            self._encoder.forget()  # what was encoded last may never have arrived
            raise
        self._caught_up = True

    def _read(self) -> Sequence[Row]:
        if self._cursor is None:
            self._cursor = self._cursors.cursor(self.name)
        return self._rows.read(self._cursor.seq, self._rows_limit)

    def _encode(self, rows: Sequence[Row]) -> list[Encoded]:
        encoded = self._encoder.encode(rows)
        size_bytes = sum(len(line.data) for row in encoded for line in row.lines)
        ideal = len(rows) * BODY_BYTES // max(size_bytes, 1)
        self._rows_limit = max(1, min(ideal, 2 * self._rows_limit, _MOST_ROWS))
        return encoded

    async def _settle(self, rows: Sequence[Encoded]) -> None:
        lines = [line for row in rows for line in row.lines]
        letters = await self._deliver(lines) if lines else []
        await _in_thread(self._acknowledge, rows, letters)

    def _acknowledge(self, rows: Sequence[Encoded], letters: Sequence[DeadLetter]) -> None:
        assert self._cursor is not None
        dead = sum(letter.samples for letter in letters)
        taken = sum(row.samples for row in rows) - dead
        cursor = Cursor(rows[-1].seq, self._cursor.accepted + taken, self._cursor.dead_lettered + dead)
        self._cursors.acknowledge(self.name, cursor, letters)
        self._cursor, self._settled_slot_ns = cursor, rows[-1].slot_ns
        self._tell_letters(letters)

    def _tell_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Logged each time their number has doubled: a field that is always refused must not fill the log."""
        before, self._letters = self._letters, self._letters + len(letters)
        if self._letters.bit_length() > before.bit_length():
            reason, line = letters[-1].reason, letters[-1].line[:200].decode("utf-8", "replace")
            log.error("lines dead-lettered", sink=self.name, lines=self._letters, reason=reason, line=line)

    async def _deliver(self, lines: Sequence[Line]) -> list[DeadLetter]:
        """Get lines taken; returns those that the sink refused one by one."""
        body = b"\n".join([line.data for line in lines])
        if len(lines) > 1 and (len(lines) > BODY_LINES or len(body) > self._body_bytes):
            return await self._deliver_halves(lines)
        refused = await self._send(body)
        if refused is None:
            return []
        if len(lines) == 1:
            return [DeadLetter(lines[0].seq, lines[0].samples, body, refused.reason, self._clock.now_ns())]
        if refused.too_large:
            self._body_bytes = max(1, len(body) // 2)
        return await self._deliver_halves(lines)

    async def _deliver_halves(self, lines: Sequence[Line]) -> list[DeadLetter]:
        middle = len(lines) // 2
        return [*await self._deliver(lines[:middle]), *await self._deliver(lines[middle:])]

    async def _send(self, body: bytes) -> Refused | None:
        """Offer a body until the sink has decided: None when it took it."""
        attempt = 0
        while isinstance(outcome := await self._sink.write(body), Busy):
            self._enter(SinkState.ALARM if outcome.alarm else SinkState.BUSY, outcome.reason)
            await self._wait(self._backoff.wait_s(attempt, outcome, random.random()))  # noqa: S311  no secret
            attempt += 1
        self._enter(SinkState.TAKING, "")
        return None if isinstance(outcome, Taken) else outcome

    def _enter(self, state: SinkState, cause: str) -> None:
        before, self._state, self._cause = self._state, state, cause
        if state is before:
            return
        if state is SinkState.TAKING:
            log.info("sink takes again", sink=self.name)
        else:
            log.warning("sink does not take", sink=self.name, state=state.value, cause=cause)
        self._on_state(self.name, state, cause)


def _bodies(rows: Sequence[Encoded], limit_bytes: int) -> Iterator[list[Encoded]]:
    """Whole rows in their order, cut into bodies within the limits; a row larger than a body stands alone."""
    body: list[Encoded] = []
    size_bytes = lines = 0
    for row in rows:
        row_bytes = sum(len(line.data) + 1 for line in row.lines)
        if body and (size_bytes + row_bytes > limit_bytes or lines + len(row.lines) > BODY_LINES):
            yield body
            body, size_bytes, lines = [], 0, 0
        body.append(row)
        size_bytes += row_bytes
        lines += len(row.lines)
    if body:
        yield body


async def _in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a short blocking call in a thread. When cancelled, leave only after it has ended: it moves what we hold."""
    task = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error from None
        raise
