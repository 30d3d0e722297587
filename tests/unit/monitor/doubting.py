"""Which samples are to be doubted, found tag by tag in plain Python, as the documentation words it; beside what the monitor does.

A sample of a tag is (time, value), or (time, None) where it is not good.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from config.plausible import Plausible

PERIOD_NS = 1_000_000_000
Sample = float | None


@dataclass
class PlainTag:
    """The checks of one tag on its own; `look` gives the reasons, the first of which stands on the sample."""

    plausible: Plausible
    low: float = -math.inf
    high: float = math.inf
    period_ns: int = PERIOD_NS
    seen: list[tuple[int, float]] = field(default_factory=list)
    """Samples within the range, in their order."""
    believed: list[tuple[int, float]] = field(default_factory=list)
    """Of those the ones that were no spike, since the last gap."""
    suspects: list[float] = field(default_factory=list)
    """The spike that is going on."""
    possible: tuple[int, float] | None = None
    """The last sample to which the process can have got."""
    rest: tuple[int, float] | None = None

    def look(self, at_ns: int, value: Sample, *, is_slot: bool = True, rate_before: bool = False) -> list[str]:
        if value is None or not math.isfinite(value):
            return []
        if not self.low <= value <= self.high:
            return ["range"]
        gap = bool(self.seen) and at_ns - self.seen[-1][0] > 3 * self.period_ns
        found = []
        if self.plausible.spike is not None and self._is_spike(value, self.plausible.spike, gap):
            found.append("spike")
        if self.plausible.rate_per_min is not None:
            if not is_slot:
                found += ["rate"] if rate_before else []
            elif not found:
                found += ["rate"] if self._is_too_fast(at_ns, value, self.plausible.rate_per_min) else []
        if self.plausible.flat_s is not None and self._is_flat(at_ns, value, gap):
            found.append("flat")
        self.seen.append((at_ns, value))
        return found

    def _is_spike(self, value: float, height: float, gap: bool) -> bool:
        """Further than `height` from the last believed sample; believed once more than `spike_samples` in a row are on the same
        side and do not come back: each as far as the one before, or near to it."""
        if gap or not self.believed or abs(value - self.believed[-1][1]) <= height:
            self.suspects.clear()
            self.believed.append((0, value))
            return False
        base = self.believed[-1][1]
        if self.suspects:
            last = self.suspects[-1]
            same_side = (value > base) == (last > base)
            comes_back = abs(value - base) < abs(last - base) and abs(value - last) > height
            if not same_side or comes_back:
                self.suspects.clear()
        self.suspects.append(value)
        if len(self.suspects) > self.plausible.spike_samples:
            self.suspects.clear()
            self.believed.append((0, value))
            return False
        return True

    def _is_too_fast(self, at_ns: int, value: float, per_min: float) -> bool:
        if self.possible is not None:
            since_ns, base = self.possible
            if abs(value - base) > per_min / 60e9 * (at_ns - since_ns):
                return True
        self.possible = at_ns, value
        return False

    def _is_flat(self, at_ns: int, value: float, gap: bool) -> bool:
        assert self.plausible.flat_s is not None
        if gap or self.rest is None or abs(value - self.rest[1]) > self.plausible.flat_band:
            self.rest = at_ns, value
            return False
        return at_ns - self.rest[0] >= round(self.plausible.flat_s * 1e9)


@dataclass
class PlainPair:
    """Two tags that are to agree; samples of either come in the order of their arrival."""

    within: float
    for_ns: int
    age_ns: int
    same_group: bool
    newest: dict[str, tuple[int, float]] = field(default_factory=dict)
    since_ns: int | None = None
    compared_ns: int | None = None

    def look(self, at_ns: int, samples: dict[str, Sample]) -> bool:
        """A scan with one of the tags, or both: None where it can't be compared. Whether both are doubted now."""
        new = {name: (at_ns, value) for name, value in samples.items() if value is not None}
        self.newest |= new
        if self.compared_ns is None:
            self.compared_ns = at_ns
        if new and len(self.newest) == 2:
            (one_ns, one), (two_ns, two) = self.newest.values()
            if abs(one_ns - two_ns) <= (0 if self.same_group else self.age_ns):
                self.compared_ns = at_ns
                if abs(one - two) <= self.within:
                    self.since_ns = None
                elif self.since_ns is None:
                    self.since_ns = at_ns
        if at_ns - self.compared_ns > self.age_ns:
            self.since_ns = None
        return self.since_ns is not None and at_ns - self.since_ns >= self.for_ns


def as_texts(found: Sequence[Sequence[str]]) -> list[str]:
    return ["+".join(reasons) for reasons in found]
