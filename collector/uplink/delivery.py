"""Getting a body taken: waiting while the sink is busy, halving what it refuses down to the poisoned lines.

    offer ──> taken
      ├─ busy: wait, the same body again
      └─ refused: halve down to the poisoned lines, which come back with the sink's words

It may be cancelled at any await: what was taken is then not known to be, and is offered again later.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from collector.uplink.lines import Line
from collector.uplink.sink import Busy, Refused, Sink, Taken

BODY_BYTES = 1_000_000
BODY_LINES = 5_000


class SinkState(StrEnum):
    """Whether a sink takes what it is offered."""

    TAKING = "taking"
    BUSY = "busy"
    ALARM = "alarm"
    """Busy, and somebody must act."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait for a busy sink: doubling, jittered to between half and all of it, never shorter than it asked."""

    first_s: float = 0.5
    limit_s: float = 10.0
    alarm_first_s: float = 5.0
    alarm_limit_s: float = 60.0
    retry_after_limit_s: float = 300.0
    """A server that asks for more is asked again after this."""

    def wait_s(self, attempt: int, busy: Busy, draw: float) -> float:
        """Before attempt + 1; `attempt` counts from 0, `draw` is random in [0, 1)."""
        first_s, limit_s = (self.alarm_first_s, self.alarm_limit_s) if busy.alarm else (self.first_s, self.limit_s)
        wait_s = min(limit_s, first_s * 2.0 ** min(attempt, 30)) * (0.5 + draw / 2)
        return max(wait_s, min(busy.retry_after_s or 0.0, self.retry_after_limit_s))


BACKOFF = Backoff()


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A line that the sink refused when it stood alone."""

    line: Line
    reason: str
    """The sink's own words."""


class Delivery:
    """Offers lines to a sink until it has decided about each of them."""

    def __init__(
        self,
        sink: Sink,
        on_state: Callable[[SinkState, str], None],
        unanswered: Callable[[], None] = lambda: None,
        backoff: Backoff = BACKOFF,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`on_state` is called with every change of state and its cause, `unanswered` when no whole answer came."""
        self._sink, self._on_state, self._unanswered = sink, on_state, unanswered
        self._backoff, self._wait = backoff, wait
        self.state, self.cause = SinkState.TAKING, ""
        self.body_bytes = BODY_BYTES
        """The most that a body may have; less once the sink has said so."""

    async def deliver(self, lines: Sequence[Line]) -> list[Poisoned]:
        """Get lines taken, however long that lasts; those that the sink refused one by one."""
        body = b"\n".join([line.data for line in lines])
        if len(lines) > 1 and (len(lines) > BODY_LINES or len(body) > self.body_bytes):
            return await self._halves(lines)
        refused = await self._offer(body)
        if refused is None:
            return []
        if len(lines) == 1:
            return [Poisoned(lines[0], refused.reason)]
        if refused.too_large:
            self.body_bytes = max(1, len(body) // 2)
        return await self._halves(lines)

    async def _halves(self, lines: Sequence[Line]) -> list[Poisoned]:
        middle = len(lines) // 2
        return [*await self.deliver(lines[:middle]), *await self.deliver(lines[middle:])]

    async def _offer(self, body: bytes) -> Refused | None:
        """Offer a body until the sink has decided: None when it took it."""
        attempt = 0
        while isinstance(outcome := await self._sink.write(body), Busy):
            if outcome.unanswered:
                self._unanswered()
            self._enter(SinkState.ALARM if outcome.alarm else SinkState.BUSY, outcome.reason)
            await self._wait(self._backoff.wait_s(attempt, outcome, random.random()))  # noqa: S311  no secret
            attempt += 1
        self._enter(SinkState.TAKING, "")
        return None if isinstance(outcome, Taken) else outcome

    def _enter(self, state: SinkState, cause: str) -> None:
        before, self.state, self.cause = self.state, state, cause
        if state is not before:
            self._on_state(state, cause)
