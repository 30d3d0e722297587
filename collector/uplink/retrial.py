"""Dead letters that somebody wants tried again: offered once more, each taken up or refused anew by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from collector.store.cursors import DeadLetter, KeptLetter
from collector.uplink.delivery import Delivery
from collector.uplink.lines import Line
from collector.uplink.progress import Cursors, Progress
from drivers.base import Clock

log = structlog.get_logger()

AT_ONCE = 500


class Retrial:
    """Of one sink. `asked` and `settle` block."""

    def __init__(self, name: str, cursors: Cursors, progress: Progress, delivery: Delivery, clock: Clock) -> None:
        self._name, self._cursors, self._progress, self._delivery, self._clock = name, cursors, progress, delivery, clock

    def asked(self) -> list[KeptLetter]:
        """The oldest letters for which another try was asked, without those that were taken up and are held."""
        held = self._progress.held_letters
        letters = self._cursors.letters(self._name, limit=AT_ONCE + len(held), only_retry=True)
        return [kept for kept in letters if kept.id not in held]

    async def offer(self, letters: Sequence[KeptLetter]) -> Mapping[int, str]:
        """Get the sink to decide about each; the reasons of those that it refuses again, by id."""
        lines = [Line(kept.letter.line, kept.id, kept.letter.samples) for kept in letters]  # its id stands for its row
        return {each.line.seq: each.reason for each in await self._delivery.deliver(lines)}

    def settle(self, letters: Sequence[KeptLetter], refused: Mapping[int, str]) -> None:
        """Put down what became of each."""
        now_ns = self._clock.now_ns()
        again: dict[int, DeadLetter] = {
            kept.id: replace(kept.letter, reason=refused[kept.id], time_ns=now_ns) for kept in letters if kept.id in refused
        }
        if taken := [kept for kept in letters if kept.id not in refused]:
            self._progress.take_up(taken)
        if again:
            self._cursors.refused_again(again)
        log.info("dead letters tried again", sink=self._name, taken=len(taken), refused=len(again))
