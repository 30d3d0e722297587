"""`make faults`: each promise of the record put to the test, on real servers where a server is meant, in one table.

A row is a test in `tests/faults/test_faults_*.py` that says what is done to the daemon and what must hold, and counts:

    @pytest.mark.faults("kill -9 under load", must="no committed sample lost or doubled", short=3, long=200)
    def test_kill(row: Row, tmp_path: Path) -> None:
        for trial in row.trials():                # 3 of them in `make test`, 200 in `make faults`
            chance = row.chance(trial)            # random, the same again with the same FAULTS_SEED
            ...
            row.count(samples=read, lost=missing, doubled=doubled, restarts=1)
            row.worst(loss_s=seconds)             # the largest of all trials
            assert ...                            # the verdict is that of the test

Every row runs in both forms: the short one is part of `make test` and CI, and all of them together may take 20 s there;
the long one is `make faults` (`FAULTS=long`), shows how far it is, has no time limit, and ends in the table. A row may ask
`row.long` where more than the number of trials differs. `FAULTS_TRIALS=20` sets that number for all.

What a row needs and the machine lacks (a server, root for a file system of its own) skips it, with the words of what to
do; with `CI` set it fails, as in `tests/servers.py`.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LONG = os.environ.get("FAULTS") == "long"
SEED = os.environ.get("FAULTS_SEED", "reactorwatch")
_TRIALS = os.environ.get("FAULTS_TRIALS")
_SHOW_EACH_S = 10.0

Number = int | float


@dataclass(slots=True)
class Row:
    """One fault, what must hold, and what was counted while it was tried."""

    fault: str
    must: str
    planned: int
    long: bool = LONG
    show: Callable[[str], None] = print
    done: int = 0
    samples: int = 0
    lost: int = 0
    doubled: int = 0
    others: dict[str, Number] = field(default_factory=dict)

    def trials(self) -> Iterator[int]:
        """The numbers of the trials, from 0; each counts as done when the next is asked for."""
        begin = shown = time.monotonic()
        for trial in range(int(_TRIALS or self.planned)):
            yield trial
            self.done += 1
            if self.long and time.monotonic() - shown > _SHOW_EACH_S:
                shown = time.monotonic()
                self.show(f"{self.fault}: {self.done} of {_TRIALS or self.planned}, {shown - begin:.0f} s, {self.figures()}")

    def chance(self, trial: int) -> random.Random:
        """Randomness of one trial."""
        return random.Random(f"{SEED}/{self.fault}/{trial}")

    def count(self, samples: int = 0, lost: int = 0, doubled: int = 0, **others: Number) -> None:
        """Add to the counts; others get columns of their own names."""
        self.samples += samples
        self.lost += lost
        self.doubled += doubled
        for name, number in others.items():
            self.others[name] = self.others.get(name, 0) + number

    def worst(self, **others: Number) -> None:
        """Keep the largest."""
        for name, number in others.items():
            self.others[name] = max(self.others.get(name, number), number)

    def figures(self) -> str:
        """All counts in one text."""
        counts: dict[str, Number] = {"samples": self.samples, "lost": self.lost, "doubled": self.doubled, **self.others}
        return ", ".join(f"{name.replace('_', ' ')} {_text(number)}" for name, number in counts.items())

    def counted(self) -> dict[str, Any]:
        """Of plain types: it crosses processes."""
        counts = {"done": self.done, "samples": self.samples, "lost": self.lost, "doubled": self.doubled}
        return {"fault": self.fault, "must": self.must, **counts, "others": self.others}


def _text(number: Number) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:.3g}"


@dataclass(frozen=True, slots=True)
class Ended:
    """A row with its verdict."""

    counted: Mapping[str, Any]
    verdict: str

    def cells(self) -> list[str]:
        """As the table has them."""
        counted = self.counted
        numbers = [_text(counted[name]) for name in ("done", "samples", "lost", "doubled")]
        others = ", ".join(f"{name.replace('_', ' ')} {_text(number)}" for name, number in counted["others"].items())
        return [counted["fault"], counted["must"], *numbers, self.verdict, others]


HEAD = ["fault", "what must hold", "trials", "samples", "lost", "doubled", "verdict", "counted besides"]


def table(rows: Sequence[Ended]) -> list[str]:
    """Lines of text: numbers to the right, columns as wide as they must be."""
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(HEAD))]
    return [_line(line, widths) for line in cells]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = (
        cell.rjust(width) if 2 <= at <= 5 else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned).rstrip()
