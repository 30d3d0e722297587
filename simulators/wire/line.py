"""What a bad line does to the answers that pass it: bytes in, bytes out later. No I/O, no clock of its own.

    put(answer, now) ──► [garbage] [cut] ──► held, each with its time of arrival ──► take(now) ──► what is due by now

A byte is due `delay_s` after it came, and on a slow line not before `byte_s` after the byte before it. Both are asked
of the trouble as it is now: when it ends, what was held is due at once. Bytes never overtake each other.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

AT_MOST_HELD = 65_536
"""Bytes; whoever feeds a line that is `full` stops reading until it no longer is."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What ails a line."""

    delay_s: float = 0.0
    byte_s: float = 0.0
    cut: bool = False
    garbage: bool = False


NO_TROUBLE = Trouble()


class Line:
    """The way of one connection's answers. `seed` decides its garbage: the same bytes at the same places in every run."""

    def __init__(self, seed: str) -> None:
        self.trouble = NO_TROUBLE
        self._random = random.Random(seed)  # noqa: S311  a rehearsal, not a secret
        self._held: deque[tuple[float, memoryview]] = deque()
        self._held_bytes = 0
        self._last_s = float("-inf")

    @property
    def idle(self) -> bool:
        """Whether answers pass as if there were no line."""
        return self.trouble is NO_TROUBLE and not self._held

    @property
    def full(self) -> bool:
        return self._held_bytes >= AT_MOST_HELD

    def put(self, answer: bytes, now_s: float) -> bool:
        """Take what the server sent. False: the line broke in the middle of it, nothing may follow."""
        if self.trouble.garbage:
            answer = self._random.randbytes(len(answer))
        if self.trouble.cut:
            answer = answer[: len(answer) // 2]
        if answer:
            self._held.append((now_s, memoryview(answer)))
            self._held_bytes += len(answer)
        return not self.trouble.cut

    def take(self, now_s: float) -> bytes:
        """All that is due."""
        due = bytearray()
        while (due_s := self.due_s()) is not None and due_s <= now_s:
            due += self._next()
            self._last_s = due_s
        return bytes(due)

    def due_s(self) -> float | None:
        """When the next byte is due; None while nothing is held."""
        if not self._held:
            return None
        due_s = self._held[0][0] + self.trouble.delay_s
        return max(due_s, self._last_s + self.trouble.byte_s) if self.trouble.byte_s else due_s

    def _next(self) -> memoryview:
        """An answer, or on a slow line its first byte."""
        arrived_s, answer = self._held.popleft()
        sent = answer[:1] if self.trouble.byte_s else answer
        if len(sent) < len(answer):
            self._held.appendleft((arrived_s, answer[len(sent) :]))
        self._held_bytes -= len(sent)
        return sent
