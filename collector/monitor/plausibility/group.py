"""One scan group before its judge: its scans with their doubt on them, and what began and ended to be doubted.

The value stays as it came. A sample that the device itself does not call good keeps the device's word, and is no evidence for
anything. A group of which nothing is checked, or nothing is doubted, gets its scan back as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collector.monitor.plausibility.agreement import Pair
from collector.monitor.plausibility.checks import Checks, Found
from collector.monitor.plausibility.moves import NEVER
from collector.monitor.plausibility.reasons import BELOW, CODES, DIFFERENCE, FLAT, RANGE, RATE, REASONS, SPIKE
from collector.monitor.resumed import OutsideBefore
from collector.monitor.rules import Transition
from config.tags import Tag
from drivers.base import GOOD, Changes, Layout, Quality, Scan, quality_of

_RULES = [reason.value for reason in REASONS]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A scan group with what the plant file says of its columns."""

    layout: Layout
    tags: tuple[Tag | None, ...]
    """Of each column; None where nothing is known."""
    is_critical: tuple[bool, ...]
    """Of each column: a CPP has limits on it."""


class Group:
    """Examines the scans of one scan group, in their order."""

    def __init__(self, measured: Measured, checks: Checks, pairs: Iterable[Pair], before: Sequence[OutsideBefore]) -> None:
        """`before`: what the run before left doubted, of this group's columns."""
        self._measured, self._layout, self._checks = measured, measured.layout, checks
        self._newest_ns = NEVER
        shape = len(REASONS), len(measured.tags)
        self._standing = np.zeros(shape, np.bool_)
        self._stands = False
        self._levels = _levels(measured, pairs)
        self._resuming: set[tuple[int, int]] = set()
        self._gone: list[OutsideBefore] = []
        for left in before:
            self._resume(left)

    def _resume(self, left: OutsideBefore) -> None:
        places = {(column.unit, column.role): at for at, column in enumerate(self._layout.columns)}
        reason, column = REASONS.index(left.rule), places[left.unit, left.role]
        if not self._checks.made[reason, column]:
            self._gone.append(left)
            return
        self._resuming.add((reason, column))
        self._levels[reason, column] = left.level if reason == RANGE else self._levels[reason, column]
        if reason == FLAT:
            self._checks.resume_flat(column, left.value)

    def rules(self) -> Iterator[tuple[str, str, str]]:
        """(unit, role, rule) of all there can be."""
        for reason, at in np.argwhere(self._checks.made).tolist():
            column = self._layout.columns[at]
            yield column.unit, column.role, _RULES[reason]

    def may_doubt(self, values: NDArray[np.float64]) -> bool:
        """Whether something of `values`, `[n, k]`, might be."""
        return not self._checks.only_ranges or bool(((values < self._checks.low) | (values > self._checks.high)).any())

    def examine(self, scan: Scan) -> tuple[Scan, list[Transition]]:
        """The scan with its doubt, and what changed with it."""
        if scan.lost or not (self._checks.has_any or self._gone):
            return scan, []
        is_new, self._newest_ns = scan.slot_ns > self._newest_ns, max(scan.slot_ns, self._newest_ns)
        if not is_new:  # it is not judged, and no evidence; but recorded
            return self._marked(scan, scan.good & self._checks.beyond(scan.values)), []
        may_be_calm = not (self._stands or self._resuming or self._gone or scan.changes)
        if may_be_calm and self._checks.only_ranges and not self._checks.beyond(scan.values).any():
            return scan, []
        good = scan.good
        with np.errstate(over="ignore"):  # beyond float64 is far enough away
            return (scan, []) if may_be_calm and self._is_calm(scan, good) else self._examined(scan, good)

    def _is_calm(self, scan: Scan, good: NDArray[np.bool_]) -> bool:
        """The scan is taken in, and nothing is to be told of it."""
        beyond = self._checks.beyond(scan.values)
        if beyond.any() and (beyond & good).any():
            return False
        return self._checks.only_ranges or self._checks.are_calm(scan.slot_ns, scan.values, good)

    def _examined(self, scan: Scan, good: NDArray[np.bool_]) -> tuple[Scan, list[Transition]]:
        told = self._ended(scan.slot_ns)
        if scan.changes is not None:
            changes, between = self._between(scan.slot_ns, scan.changes)
            scan = replace(scan, changes=changes)
            told += between
        found = self._checks.at_slot(scan.slot_ns, scan.values, good)
        told += self._transitions(found, scan.slot_ns, scan.values)
        if not found.doubted.any():
            return scan, told
        status, quality = scan.status.copy(), scan.quality.copy()
        any_of = self._put(status, found.doubted, scan.values)
        quality[any_of] = Quality.UNCERTAIN
        return replace(scan, status=status, quality=quality), told

    def _marked(self, scan: Scan, beyond: NDArray[np.bool_]) -> Scan:
        if not beyond.any():
            return scan
        doubted = np.zeros_like(self._standing)
        doubted[RANGE] = beyond
        status = scan.status.copy()
        self._put(status, doubted, scan.values)
        return replace(scan, status=status, quality=np.where(beyond, np.uint8(Quality.UNCERTAIN), scan.quality))

    def _put(self, status: NDArray[np.uint32], doubted: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """The first reason of each sample on it; which have one, `[k]`."""
        for reason in reversed(range(len(REASONS))):
            status[doubted[reason]] = CODES[reason]
        status[doubted[RANGE] & (values < self._checks.low)] = BELOW
        any_of: NDArray[np.bool_] = np.logical_or.reduce(doubted)
        return any_of

    def _between(self, slot_ns: int, changes: Changes) -> tuple[Changes, list[Transition]]:
        """What came since the slot before: first of all columns the first value, then the second of those that have one ..."""
        layout, k = self._layout, len(self._layout.columns)
        times_ns, status, told = changes.times_ns(slot_ns, layout.period_ns), changes.status.copy(), list[Transition]()
        good = (quality_of(changes.status) == GOOD) & np.isfinite(changes.values)
        standing = self._standing.copy()
        for rows in _rounds(changes.columns):
            at = changes.columns[rows]
            times, values, sound = np.zeros(k, np.int64), np.full(k, np.nan), np.zeros(k, np.bool_)
            times[at], values[at], sound[at] = times_ns[rows], changes.values[rows], good[rows]
            found = self._checks.between(times, values, sound, standing)
            told += self._transitions(found, times, values)
            of_columns: NDArray[np.uint32] = np.zeros(k, np.uint32)
            of_columns[at] = status[rows]
            self._put(of_columns, found.doubted, values)
            status[rows] = of_columns[at]
        return replace(changes, status=status), sorted(told, key=lambda each: each.slot_ns)

    def _transitions(self, found: Found, times_ns: int | NDArray[np.int64], values: NDArray[np.float64]) -> list[Transition]:
        changed = (found.doubted != self._standing) & found.evaluable
        told = [self._told(reason, column, times_ns, float(values[column])) for reason, column in np.argwhere(changed).tolist()]
        if self._resuming:
            told += self._resumed(found, times_ns, values)
        if told:
            self._standing ^= changed
            self._stands = bool(self._standing.any())
        return told

    def _resumed(self, found: Found, times_ns: int | NDArray[np.int64], values: NDArray[np.float64]) -> list[Transition]:
        """Of what the run before left doubted, what is told for the first time: `outside` as all else, or that it is over."""
        seen = [(reason, column) for reason, column in self._resuming if found.evaluable[reason, column]]
        self._resuming.difference_update(seen)
        over = [(reason, column) for reason, column in seen if not found.doubted[reason, column]]
        return [self._told(*each, times_ns, float(values[each[1]]), is_over=True) for each in sorted(over)]

    def _told(
        self, reason: int, column: int, times_ns: int | NDArray[np.int64], value: float, *, is_over: bool | None = None
    ) -> Transition:
        over = bool(self._standing[reason, column]) if is_over is None else is_over
        if reason == RANGE and not over:
            low = self._checks.low[column]
            self._levels[reason, column] = low if value < low else self._checks.high[column]
        at_ns = times_ns if isinstance(times_ns, int) else int(times_ns[column])
        return self._transition(reason, column, at_ns, value, "inside" if over else "outside")

    def _transition(self, reason: int, column: int, at_ns: int, value: float | None, after: str) -> Transition:
        about, level = self._layout.columns[column], float(self._levels[reason, column])
        return Transition(
            at_ns, about.unit, about.role, "value", None, _RULES[reason], "inside" if after == "outside" else "outside",
            after, value, level if math.isfinite(level) else None, self._measured.is_critical[column],
        )  # fmt: skip

    def _ended(self, slot_ns: int) -> list[Transition]:
        """What the run before left doubted, and is no longer checked."""
        gone, self._gone = self._gone, []
        return [
            Transition(slot_ns, left.unit, left.role, "value", None, left.rule, "outside", "ended", None, left.level, left.cpp)
            for left in gone
        ]

    def close(self, slot_ns: int) -> list[Transition]:
        """The daemon stops."""
        standing = zip(*np.nonzero(self._standing), strict=True)
        return [self._transition(int(reason), int(column), slot_ns, None, "ended") for reason, column in standing]


def _rounds(columns: NDArray[np.int32]) -> Iterator[NDArray[np.intp]]:
    """The rows that are the first of their column, then those that are the second, and so on."""
    rows = np.argsort(columns, kind="stable")
    of_rows = columns[rows]
    nth = np.arange(len(rows)) - np.searchsorted(of_rows, of_rows)
    for n in range(int(nth.max(initial=-1)) + 1):
        yield rows[nth == n]


def _levels(measured: Measured, pairs: Iterable[Pair]) -> NDArray[np.float64]:
    """What the plant file allows, told with a doubt, `[5, k]`; of a range it is the end that was left last."""
    levels = np.full((len(REASONS), len(measured.tags)), np.nan)
    for at, tag in enumerate(measured.tags):
        if tag is not None and tag.plausible is not None:
            given = tag.plausible
            for reason, level in ((SPIKE, given.spike), (RATE, given.rate_per_min), (FLAT, given.flat_s)):
                levels[reason, at] = np.nan if level is None else level
    for pair in pairs:
        for place in pair.places:
            if place.layout_id == measured.layout.id:
                levels[DIFFERENCE, place.column] = pair.within
    return levels
