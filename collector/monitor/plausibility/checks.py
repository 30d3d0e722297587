"""The checks of one scan group: which of its good samples are doubted, reason by reason.

    values, good ──> range ──> spike ──> rate ──> flat line ──> difference        a sample that one check doubts is no
                       │         │        │          │             │              evidence for those behind it
                       └─────────┴────────┴──────────┴─────────────┴──> doubted `[5, k]`

Between the slots of a subscribed group (`changes`) ranges, spikes and flat lines are looked at value by value. Rates and
differences are about slots: what they found at the slot before holds until the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.monitor.plausibility.agreement import GroupAgreement
from collector.monitor.plausibility.moves import FlatLines, Floats, Mask, Rates, Spikes, Times
from collector.monitor.plausibility.reasons import DIFFERENCE, FLAT, RANGE, RATE, REASONS, SPIKE
from config.plausible import Plausible, plausible_bounds
from config.tags import Tag

NS_PER_MINUTE = 60e9


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Of one sample of each column, or of one change of some columns; `[5, k]`."""

    doubted: Mask
    evaluable: Mask
    """Where it could be told."""


class Checks:
    """Those of k columns."""

    def __init__(self, tags: Sequence[Tag | None], period_ns: int, agreement: GroupAgreement | None) -> None:
        """`tags`: what is known of each column, None where nothing is."""
        bounds = [_bounds(tag) for tag in tags]
        self.low = np.array([low for low, _ in bounds], np.float64)
        self.high = np.array([high for _, high in bounds], np.float64)
        self._agreement = agreement
        self._spiked, spikes = _with(tags, lambda each: each.spike)
        self._rated, rates = _with(tags, lambda each: each.rate_per_min)
        self._flat, flats = _with(tags, lambda each: each.flat_s)
        self._spikes = Spikes(_array(spikes, "spike"), _array(spikes, "spike_samples").astype(np.int64), period_ns)
        self._rates = Rates(_array(rates, "rate_per_min") / NS_PER_MINUTE)
        self._flats = FlatLines(_array(flats, "flat_band"), np.rint(_array(flats, "flat_s") * 1e9).astype(np.int64), period_ns)
        parts: tuple[tuple[NDArray[np.intp], Spikes | Rates | FlatLines], ...]
        parts = ((self._spiked, self._spikes), (self._rated, self._rates), (self._flat, self._flats))
        self._moves = [(_places(columns, len(tags)), part) for columns, part in parts if len(columns)]
        columns = np.unique(np.concatenate([self._spiked, self._rated, self._flat]))
        self._checked = _places(columns if agreement is None else np.union1d(columns, agreement.columns), len(tags))
        self.only_ranges = agreement is None and not (len(spikes) or len(rates) or len(flats))
        self.made = self._made()
        """Which reasons each column is checked for, `[5, k]`."""
        self.has_any = bool(self.made.any())
        self._beyond: Mask = np.empty(len(tags), np.bool_)
        self._above: Mask = np.empty(len(tags), np.bool_)

    def _made(self) -> Mask:
        made = np.zeros((len(REASONS), len(self.low)), np.bool_)
        made[RANGE] = np.isfinite(self.low) | np.isfinite(self.high)
        for reason, columns in ((SPIKE, self._spiked), (RATE, self._rated), (FLAT, self._flat)):
            made[reason, columns] = True
        if self._agreement:
            made[DIFFERENCE, self._agreement.columns] = True
        return made

    def resume_flat(self, column: int, value: float) -> None:
        """The run before had it flat, at `value`."""
        self._flats.resume(int(np.flatnonzero(self._flat == column)[0]), value)

    def beyond(self, values: Floats) -> Mask:
        """Which are beyond their range, `[k]`; holds until the next call."""
        np.less(values, self.low, out=self._beyond)
        np.greater(values, self.high, out=self._above)
        np.logical_or(self._beyond, self._above, out=self._beyond)
        return self._beyond

    def are_calm(self, slot_ns: int, values: Floats, good: Mask) -> bool:
        """Takes in a slot within the ranges of which nothing else is doubted either; else False, and `at_slot` may follow."""
        ok = None if good[self._checked].all() else good
        for columns, part in self._moves:
            if not part.is_calm(slot_ns, values[columns], None if ok is None else ok[columns]):
                return False
        return self._agreement is None or self._agreement.is_calm(slot_ns, values, ok)

    def at_slot(self, slot_ns: int, values: Floats, good: Mask) -> Found:
        """The samples of a slot."""
        found, sound = self._begun(values, good)
        moves = sound & ~self._spike(found, slot_ns, values, sound)
        doubted = found.doubted
        if len(self._rated):
            at = self._rated
            doubted[RATE, at] = self._rates.step(slot_ns, values[at], moves[at])
            found.evaluable[RATE] = moves
        self._flat_lines(found, slot_ns, values, sound)
        if self._agreement:
            self._agreement.step(slot_ns, values, good & ~doubted.any(axis=0))
            np.logical_and(good, self._agreement.doubted(slot_ns, len(values)), out=doubted[DIFFERENCE])
            found.evaluable[DIFFERENCE] = good
        return found

    def between(self, times_ns: Times, values: Floats, good: Mask, standing: Mask) -> Found:
        """One change of each `good` column, at its own time; `standing`: what the slot before found, `[5, k]`."""
        found, sound = self._begun(values, good)
        self._spike(found, times_ns, values, sound)
        self._flat_lines(found, times_ns, values, sound)
        for reason in (RATE, DIFFERENCE):
            np.logical_and(good, standing[reason], out=found.doubted[reason])
        return found

    def _begun(self, values: Floats, good: Mask) -> tuple[Found, Mask]:
        """With the ranges, and which samples are within them."""
        found = Found(np.zeros((len(REASONS), len(values)), np.bool_), np.zeros((len(REASONS), len(values)), np.bool_))
        np.logical_and(good, self.beyond(values), out=found.doubted[RANGE])
        found.evaluable[RANGE] = good
        return found, good & ~found.doubted[RANGE]

    def _spike(self, found: Found, times_ns: Times | int, values: Floats, sound: Mask) -> Mask:
        if len(at := self._spiked):
            times = times_ns if isinstance(times_ns, int) else times_ns[at]
            found.doubted[SPIKE, at] = self._spikes.step(times, values[at], sound[at])
            found.evaluable[SPIKE] = sound
        doubted: Mask = found.doubted[SPIKE]
        return doubted

    def _flat_lines(self, found: Found, times_ns: Times | int, values: Floats, sound: Mask) -> None:
        if len(at := self._flat):
            times = times_ns if isinstance(times_ns, int) else times_ns[at]
            found.doubted[FLAT, at] = self._flats.step(times, values[at], sound[at])
            found.evaluable[FLAT] = sound


def _places(columns: NDArray[np.intp], k: int) -> NDArray[np.intp] | slice:
    """Ascending columns, to pick from k; all of them without a copy."""
    return slice(None) if len(columns) == k else columns


def _bounds(tag: Tag | None) -> tuple[float, float]:
    if tag is None or not tag.is_measured:
        return -np.inf, np.inf
    low, high = plausible_bounds(tag.plausible, tag.range)
    return -np.inf if low is None else low, np.inf if high is None else high


def _with(tags: Sequence[Tag | None], key: Callable[[Plausible], float | None]) -> tuple[NDArray[np.intp], list[Plausible]]:
    """The columns that have it, and what they have."""
    found = [(at, tag.plausible) for at, tag in enumerate(tags) if tag and tag.plausible and key(tag.plausible) is not None]
    return np.array([at for at, _ in found], np.intp), [plausible for _, plausible in found]


def _array(found: Sequence[Plausible], key: str) -> Floats:
    return np.array([getattr(plausible, key) for plausible in found], np.float64)
