"""Some reads of one unit, on their way: whoever asked is woken once, when all are answered, and not for each of them. Pure.

reads     answered | waiting, at most `depth` | not asked yet
                                                ^ next, as soon as an answer has come
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Sequence
from typing import cast

from drivers.modbus.answer import Answer
from drivers.modbus.plan import Read


class Inquiry:
    """What one call asks of a connection."""

    def __init__(self, unit_id: int, reads: Sequence[Read], over: Future[None]) -> None:
        """`over` is set when there is nothing to wait for any more."""
        self.unit_id, self._reads, self.over = unit_id, reads, over
        self._answers: list[Answer | None] = [None] * len(reads)
        self._asked = self._answered = 0

    def next(self) -> tuple[int, Read] | None:
        """What is to be asked now, with its place; None when all is."""
        if (at := self._asked) == len(self._reads):
            return None
        self._asked += 1
        return at, self._reads[at]

    def answered(self, at: int, answer: Answer) -> None:
        """The answer to the read in this place."""
        self._answers[at] = answer
        self._answered += 1
        if self._answered == len(self._reads):
            self.end()

    def end(self) -> None:
        """No more answers will come."""
        if not self.over.done():
            self.over.set_result(None)

    @property
    def answers(self) -> list[Answer] | None:
        """In the order of the reads; None while one is missing."""
        return cast(list[Answer], self._answers) if self._answered == len(self._reads) else None

    @property
    def oldest(self) -> Read:
        """The first read that has no answer; the last one when all have."""
        return next((read for read, answer in zip(self._reads, self._answers, strict=True) if answer is None), self._reads[-1])
