"""Pairs of tags that measure the same thing, of one scan group or of two: while they disagree both are doubted.

    A    20.0  20.1  20.2  20.1  20.2  20.1        within 1.5, for_s 2: which of the two is wrong is not known
    B    20.1  23.0  23.1  23.0  22.9  20.3
                     ?     X     X     good        X: A and B are doubted

Compared are samples that nothing else casts doubt on: of this slot, and in another scan group not older than `max_age`. What
cannot be compared changes nothing for a while; after `max_age` without a comparison nothing contradicts the other one any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.monitor.plausibility.moves import ANY_TIME, NEVER

_AGREE = ANY_TIME
"""Since when they differ: they don't."""


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a scan group."""

    layout_id: str
    column: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tags that are to agree."""

    places: tuple[Place, Place]
    within: float
    for_ns: int
    age_ns: int
    """How old the other's sample may be, and how long what was found holds without another comparison."""
    differ_before: bool = False
    """The run before ended with both of them doubted."""

    @property
    def is_of_one_group(self) -> bool:
        """Then both are of the same slot, or not compared."""
        return self.places[0].layout_id == self.places[1].layout_id


class Agreement:
    """All pairs of a plant."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs
        self.within = np.array([pair.within for pair in pairs], np.float64)
        self.for_ns = np.array([pair.for_ns for pair in pairs], np.int64)
        self.age_ns = np.array([pair.age_ns for pair in pairs], np.int64)
        self.apart_ns = np.array([0 if pair.is_of_one_group else pair.age_ns for pair in pairs], np.int64)
        """How far the slots of two samples that are compared may be apart."""
        self.values = np.full((2, len(pairs)), np.nan)
        self.slots_ns = np.full((2, len(pairs)), NEVER, np.int64)
        self.since_ns = np.where([pair.differ_before for pair in pairs], NEVER, _AGREE).astype(np.int64)
        self.compared_ns = np.full(len(pairs), NEVER, np.int64)

    def part(self, layout_id: str) -> GroupAgreement | None:
        """What concerns one scan group; None where no pair does."""
        entries = [
            (nth, side, place.column)
            for nth, pair in enumerate(self.pairs)
            for side, place in enumerate(pair.places)
            if place.layout_id == layout_id
        ]
        return GroupAgreement(self, entries) if entries else None


class GroupAgreement:
    """The pairs of which one scan group has a tag, or both."""

    def __init__(self, agreement: Agreement, entries: Sequence[tuple[int, int, int]]) -> None:
        """`entries`: (pair, side, column)."""
        self._all = agreement
        self._pairs, self._sides, self.columns = np.array(entries, np.intp).T
        self._mine = np.unique(self._pairs)
        self._fresh = np.zeros(len(agreement.pairs), np.bool_)
        self._is_of_one_group = all(agreement.pairs[nth].is_of_one_group for nth, _, _ in entries)
        self._ones, self._twos = (np.array([at for _, of, at in sorted(entries) if of == side], np.intp) for side in (0, 1))
        self._within = agreement.within[self._mine]
        self._differ = True
        """One may, since when nobody has told otherwise."""

    def is_calm(self, slot_ns: int, values: NDArray[np.float64], ok: NDArray[np.bool_] | None) -> bool:
        """Takes in a scan of which all pairs that can be compared agree; else False. For pairs within this group; `ok`: which
        samples can be compared, None where all can."""
        if not self._is_of_one_group or self._differ:
            return False
        agree = np.abs(values[self._ones] - values[self._twos]) <= self._within
        known = None if ok is None else ok[self._ones] & ok[self._twos]
        if not (agree if known is None else agree | ~known).all():
            return False
        self._all.compared_ns[self._mine if known is None else self._mine[known]] = slot_ns
        return True

    def step(self, slot_ns: int, values: NDArray[np.float64], ok: NDArray[np.bool_]) -> None:
        """A scan, `[k]`; `ok`: which of its samples can be compared."""
        pairs, sides, columns, held = self._pairs, self._sides, self.columns, self._all
        usable = ok[columns]
        at = sides[usable], pairs[usable]
        held.values[at], held.slots_ns[at] = values[columns[usable]], slot_ns
        self._fresh[:] = False
        self._fresh[pairs[usable]] = True
        self._compare(slot_ns)

    def _compare(self, slot_ns: int) -> None:
        held, mine = self._all, self._mine
        since, compared = held.since_ns[mine], held.compared_ns[mine]
        one, two = held.slots_ns[:, mine]
        known = self._fresh[mine] & (np.abs(one - two) <= held.apart_ns[mine])
        differ = np.abs(held.values[0, mine] - held.values[1, mine]) > held.within[mine]
        compared = np.where(known | (compared == NEVER), slot_ns, compared)
        forgotten = slot_ns - compared > held.age_ns[mine]
        begins = known & differ & (since == _AGREE)
        since = np.where(begins, slot_ns, np.where((known & ~differ) | forgotten, _AGREE, since))
        held.since_ns[mine], held.compared_ns[mine] = since, compared
        self._differ = bool((since != _AGREE).any())

    def doubted(self, slot_ns: int, columns: int) -> NDArray[np.bool_]:
        """Which of so many columns belong to a pair that has disagreed for long enough, `[columns]`."""
        since, for_ns = self._all.since_ns[self._pairs], self._all.for_ns[self._pairs]
        disagrees = (since != _AGREE) & (slot_ns - for_ns >= since)
        doubted = np.zeros(columns, np.bool_)
        doubted[self.columns[disagrees]] = True
        return doubted
