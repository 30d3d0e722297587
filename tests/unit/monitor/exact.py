"""Statistics of a window in exact rational arithmetic: slow, obvious, and no code of the product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import takewhile

NS_PER_MINUTE = 60 * 10**9
EPSILON = 2.0**-52
LEAST_STD = 1e-150
"""The square of what is smaller is no float64."""


@dataclass(frozen=True, slots=True)
class Exact:
    """Of the good samples (slot, value) in `(t − W, t]`."""

    times: tuple[int, ...]
    values: tuple[Fraction, ...]

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> Fraction:
        return sum(self.values, Fraction(0)) / self.count

    @property
    def variance(self) -> Fraction:
        """ddof=0."""
        return sum(((value - self.mean) ** 2 for value in self.values), Fraction(0)) / self.count

    @property
    def std(self) -> Fraction:
        """To 60 digits."""
        with localcontext(prec=60):
            return Fraction((Decimal(self.variance.numerator) / Decimal(self.variance.denominator)).sqrt())

    @property
    def minutes(self) -> list[Fraction]:
        """Since their mean."""
        mean = Fraction(sum(self.times), self.count)
        return [(time - mean) / NS_PER_MINUTE for time in self.times]

    @property
    def slope(self) -> Fraction:
        """Least squares, per minute; of two samples at the least."""
        minutes = self.minutes
        pairs = zip(minutes, self.values, strict=True)
        return sum((m * (v - self.mean) for m, v in pairs), Fraction(0)) / sum(m * m for m in minutes)

    @property
    def scale(self) -> float:
        """What rounding is measured by: n · ε · max|x|. Where max|x| / |result| < 1e5 this is a relative error < 1e-9."""
        return 8 * self.count * EPSILON * float(max(map(abs, self.values))) + LEAST_STD

    @property
    def slope_scale(self) -> float:
        """The same of the slope: Σ|c| of its weights c / Σc², and the rounding of the times themselves."""
        minutes = self.minutes
        span = float(max(self.times) - min(self.times)) / NS_PER_MINUTE
        weights = float(sum(map(abs, minutes))) + self.count * span
        return 2 * self.scale * weights / float(sum(m * m for m in minutes))


def exact(samples: Sequence[tuple[int, float | None]], window_ns: int) -> Exact:
    """Of `samples`, newest last; None is no good sample."""
    newest = samples[-1][0] if samples else 0
    within = list(takewhile(lambda sample: sample[0] > newest - window_ns, reversed(samples)))[::-1]
    good = [(time, Fraction(value)) for time, value in within if value is not None and math.isfinite(value)]
    return Exact(tuple(time for time, _ in good), tuple(value for _, value in good))
