"""Excursions by their definition: one pass over a finished list of good samples, exact numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

GAP_PERIODS = 3


@dataclass(frozen=True, slots=True)
class Stretch:
    """From the first good sample outside to the first good one inside, by their positions; None: not yet inside."""

    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is told of a stretch."""

    first_ns: int
    last_ns: int
    peak: float
    area: Fraction
    """EU·s"""
    not_evaluable: Fraction
    """s"""
    coverage: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Record:
    """The good samples (slot, value) of one tag under one PAR."""

    samples: Sequence[tuple[int, float]]
    low: float | None
    high: float | None
    period_ns: int
    merge_ns: int | None = None
    """None: one period."""

    @property
    def _merged_ns(self) -> int:
        return self.period_ns if self.merge_ns is None else self.merge_ns

    def distance(self, at: int) -> Fraction:
        value = Fraction(self.samples[at][1])
        below = Fraction(0) if self.low is None else Fraction(self.low) - value
        above = Fraction(0) if self.high is None else value - Fraction(self.high)
        return max(below, above, Fraction(0))

    def stretches(self) -> list[Stretch]:
        """Each once; two are one when the first's end and the second's start are at most the merge gap apart."""
        merged: list[Stretch] = []
        for stretch in self._separate():
            before = merged[-1] if merged else None
            if before is not None and before.last is not None and self._apart(before.last, stretch.first) <= self._merged_ns:
                merged[-1] = Stretch(before.first, stretch.last)
            else:
                merged.append(stretch)
        return merged

    def _apart(self, one: int, other: int) -> int:
        return self.samples[other][0] - self.samples[one][0]

    def _separate(self) -> list[Stretch]:
        found, first = list[Stretch](), None
        for at in range(len(self.samples)):
            outside = self.distance(at) > 0
            if outside and first is None:
                first = at
            elif not outside and first is not None:
                found.append(Stretch(first, at))
                first = None
        return found if first is None else [*found, Stretch(first, None)]

    def is_told(self, stretch: Stretch) -> bool:
        """Its end is known only when a good sample a period later, or after that, has not taken it up again."""
        return stretch.last is not None and self._apart(stretch.last, -1) >= self._merged_ns

    def figures(self, stretch: Stretch) -> Figures:
        """Up to its end, or to the newest good sample."""
        last = len(self.samples) - 1 if stretch.last is None else stretch.last
        area, dark_ns = Fraction(0), 0
        for at, after in pairwise(range(stretch.first, last + 1)):
            apart_ns = self._apart(at, after)
            if apart_ns > GAP_PERIODS * self.period_ns:
                dark_ns += apart_ns
            else:
                area += (self.distance(at) + self.distance(after)) / 2 * Fraction(apart_ns, 10**9)
        worst = max(range(stretch.first, last + 1), key=self.distance)
        first_ns, last_ns = self.samples[stretch.first][0], self.samples[last][0]
        coverage = self._coverage(first_ns, last_ns + (stretch.last is None))
        return Figures(first_ns, last_ns, self.samples[worst][1], area, Fraction(dark_ns, 10**9), coverage)

    def _coverage(self, begin_ns: int, end_ns: int) -> Fraction:
        """Of the slots in [begin, end), that of those with a sample; multiples of the period since 1970 are slots."""
        slots = set(range(begin_ns + -begin_ns % self.period_ns, end_ns, self.period_ns))
        return Fraction(len(slots & {time_ns for time_ns, _ in self.samples}), len(slots)) if slots else Fraction(1)
