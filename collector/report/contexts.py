"""The contexts of a recorded batch, one after the other, and the rules that hold in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from collector.monitor.limits import Rule, limits_for, rules_of
from collector.report.recording import Batch
from collector.terms import Stamp
from config.limits import Limit
from drivers.base import Column, Layout


@dataclass(frozen=True, slots=True)
class Context:
    """Scans `first` .. `end` − 1, their stamp, and the rules that hold for them."""

    first: int
    end: int
    stamp: Stamp
    rules: Sequence[Rule]


class Contexts:
    """Of batches: what holds in one holds in all that have the same columns and differ in their names only."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = limits
        self._known: dict[tuple[tuple[Column, ...], Stamp], list[Rule]] = {}

    def of(self, batch: Batch, layout: Layout) -> Iterator[Context]:
        """In their order."""
        for first, end, stamp in _stretches(batch.stamps):
            key = layout.columns, replace(stamp, batch="")
            if key not in self._known:
                rows = limits_for(self._limits, layout, (stamp,))
                self._known[key] = [rule for index, limit in rows for rule in rules_of(index, limit, layout.columns[index])]
            yield Context(first, end, stamp, self._known[key])


def _stretches(stamps: Sequence[Stamp]) -> Iterator[tuple[int, int, Stamp]]:
    """(first, end, stamp): scans of one context."""
    at = 0
    for stamp, scans in groupby(stamps):
        count = sum(1 for _ in scans)
        yield at, at + count, stamp
        at += count
