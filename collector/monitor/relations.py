"""Limits on what is made of several tags: deviations from a setpoint, expressions. Beside the judges of the scan groups.

    scans of all groups ──> operands ──> formulas, at the slot of the group that drives them ──> a scan of relations ──> Judge

A relation is a column like any other from there on: its limits, deadbands, delays, windows and excursions are those of a
tag. A deviation is driven by the tag's own group, an expression by the group of its fastest operand. Operands of that group
must be of this very slot, others are their last good figures, not older than `max_age_s`; else the relation is not evaluable.
What comes out follows from the order of the scans alone, so replaying the journal gives the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from collector.monitor.formula import Formula
from collector.monitor.judge import Judge
from collector.monitor.operands import EARLIEST, Operands
from collector.monitor.relation import Possible, Relation
from collector.monitor.resumed import OutsideBefore
from collector.terms import Event, Stamp
from config.expressions.tree import Tree
from config.limits import Limit
from drivers.base import GOOD, Layout, Quality, Scan, Status

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Made = tuple[Judge, Scan, tuple[Stamp, ...]]
"""A board's judge, the relations, and the stamps of their units."""
_BAD = np.uint8(Quality.BAD)
_Before = tuple[Sequence[OutsideBefore], Sequence[Event]]


class _Context:
    """The stamp of every unit, and since which slot it has it. The units of a scan are looked at only when something changed
    since its group was looked at last: there may be hundreds, and a change is rare."""

    def __init__(self) -> None:
        self.stamps: dict[str, Stamp] = {}
        self.since_ns: dict[str, int] = {}
        self.version = 0
        """Counts changes."""
        self._seen: dict[str, tuple[int, tuple[Stamp, ...]]] = {}

    def observe(self, scan: Scan, stamps: tuple[Stamp, ...]) -> None:
        """The stamps of the units of a scan, in their order."""
        if self._seen.get(scan.layout.id) == (self.version, stamps):
            return
        for unit, stamp in zip(scan.layout.units, stamps, strict=True):
            if self.stamps.get(unit) != stamp:
                self.stamps[unit], self.since_ns[unit] = stamp, scan.slot_ns
                self.version += 1
        self._seen[scan.layout.id] = self.version, stamps


class _Part:
    """One formula for several units."""

    def __init__(self, relations: Sequence[Relation], operands: Operands) -> None:
        self._formula = Formula.of(relations[0].tree)
        self.units = [relation.unit for relation in relations]
        self._cells = np.array([[operands.cell_of[source] for source in each.sources] for each in relations], np.intp).T
        self._ages_ns = np.array([relation.ages_ns for relation in relations], np.int64).T
        self._periods_ns = np.array([[source.layout.period_ns for source in each.sources] for each in relations], np.int64).T
        self._since_ns = np.full(len(relations), EARLIEST // 2, np.int64)
        self._spans = np.array([relation.limit.spans_phases for relation in relations], np.bool_)

    def enter(self, since_ns: Mapping[str, int]) -> None:
        """Since when each unit has its context."""
        self._since_ns[:] = [since_ns.get(unit, EARLIEST // 2) for unit in self.units]

    def evaluate(self, slot_ns: int, operands: Operands) -> tuple[Floats, NDArray[np.bool_]]:
        """Of each unit the number, of a condition 1 or 0, and whether it is known."""
        cells = self._cells
        known = slot_ns - operands.slots_ns[cells] <= self._ages_ns
        known &= self._spans | (self._oldest_ns(operands) >= self._since_ns)
        values, sure = self._formula.evaluate(operands.values[cells], known)
        return values.astype(np.float64), sure

    def _oldest_ns(self, operands: Operands) -> Times:
        """The first slot in the window of each; a phase may begin between two slots of a slow group."""
        slots_ns = operands.slots_ns[self._cells]
        return slots_ns - (slots_ns - operands.begins_ns[self._cells] - 1) // self._periods_ns * self._periods_ns


class Board:
    """All relations that one scan group drives, and how they stand."""

    def __init__(
        self, relations: Sequence[Relation], operands: Operands, limits: Sequence[Limit], before: _Before, *, from_begin: bool
    ) -> None:
        alike: dict[Tree, list[Relation]] = {}
        for relation in relations:
            alike.setdefault(relation.tree, []).append(relation)
        self.relations = tuple(relation for group in alike.values() for relation in group)
        """In the order of the columns."""
        columns = tuple(relation.column for relation in self.relations)
        self._layout = replace(relations[0].driver, group=f"{relations[0].driver.group}, relations", columns=columns)
        self._parts = [_Part(group, operands) for group in alike.values()]
        self._operands = operands
        self.judge = Judge(self._layout, limits, *before, derived=True, from_begin=from_begin)
        self.id = self._layout.id
        self._version = -1
        self._stamps: tuple[Stamp, ...] = ()
        self.newest: Scan | None = None
        self.good_ns = np.zeros(len(columns), np.int64)
        """Of each, the newest slot with a number; 0: none yet."""

    def run(self, scan: Scan, context: _Context) -> tuple[Scan, tuple[Stamp, ...]]:
        """The relations at the slot of `scan`."""
        if self._version != context.version:
            self._enter(context)
        found = [part.evaluate(scan.slot_ns, self._operands) for part in self._parts]
        values = np.concatenate([value for value, _ in found])
        known = np.concatenate([sure for _, sure in found])
        quality = np.where(known, GOOD, _BAD)
        status = np.where(known, Status.GOOD, Status.BAD_NO_DATA).astype(np.uint32)
        self.newest = Scan(self._layout, scan.slot_ns, scan.received_ns, values, status, quality)
        self.good_ns[known] = scan.slot_ns
        return self.newest, self._stamps

    def _enter(self, context: _Context) -> None:
        self._version = context.version
        self._stamps = tuple(context.stamps.get(unit, Stamp()) for unit in self._layout.units)
        for part in self._parts:
            part.enter(context.since_ns)


class _Driven:
    """Relations that became possible together."""

    def __init__(self, relations: Sequence[Relation], limits: Sequence[Limit], before: _Before, *, from_begin: bool) -> None:
        self._operands = Operands(source for relation in relations for source in relation.sources)
        by_driver: dict[str, list[Relation]] = {}
        for relation in relations:
            by_driver.setdefault(relation.driver.id, []).append(relation)
        self.layouts = tuple(dict.fromkeys(source.layout.id for relation in relations for source in relation.sources))
        """Ids of those that they need."""
        self.boards = {
            id_: Board(group, self._operands, limits, before, from_begin=from_begin) for id_, group in by_driver.items()
        }

    def take(self, scan: Scan) -> None:
        """A scan that came before them."""
        self._operands.take(scan)

    def made(self, scan: Scan, context: _Context) -> Made | None:
        """What `scan` drives."""
        board, fresh = self.boards.get(scan.layout.id), self._operands.take(scan)
        return (board.judge, *board.run(scan, context)) if board and fresh else None


class Relations:
    """Of the whole plant. A relation begins with the first scan, lost or not, of the last group that it needs."""

    def __init__(
        self,
        limits: Sequence[Limit],
        before: Sequence[OutsideBefore] = (),
        accumulated: Sequence[Event] = (),
        *,
        from_begin: bool = False,
    ) -> None:
        """`before`, `accumulated`: what the run before left outside, and how its lasting figures stood; of all sorts.
        `from_begin`: a batch begins with the first scan."""
        self._limits = limits
        self._before, self._from_begin = (before, accumulated), from_begin
        self._possible = Possible(limits)
        self._any = any(limit.is_derived for limit in limits)
        self._newest: dict[str, Scan] = {}
        """Of each group: what a relation begins with."""
        self._driven: list[_Driven] = []
        self._driven_by: dict[str, list[_Driven]] = {}
        """By id of each layout that they need."""
        self._context = _Context()

    @property
    def boards(self) -> Iterator[Board]:
        """Of each driving group."""
        return (board for driven in self._driven for board in driven.boards.values())

    @property
    def judges(self) -> Iterator[tuple[str, Judge]]:
        """Of each driving group, by an id of its own."""
        return ((board.id, board.judge) for board in self.boards)

    def judge(self, scan: Scan, stamps: tuple[Stamp, ...]) -> list[Event]:
        """What changes with `scan`; called for every scan of every group, after the group's own judge."""
        return [event for judge, made, of in self.made(scan, stamps) for event in judge.judge(made, of)]

    def recall(self, scan: Scan, stamps: tuple[Stamp, ...]) -> None:
        """A scan that the run before has judged; see `Judge.recall`."""
        for judge, made, of in self.made(scan, stamps):
            judge.recall(made, of)

    def figures(self, scan: Scan, stamps: tuple[Stamp, ...]) -> list[Scan]:
        """The relations that `scan` drives, in place of judging them: a column each, bad where it is not known."""
        return [made for _, made, _ in self.made(scan, stamps)]

    def made(self, scan: Scan, stamps: tuple[Stamp, ...]) -> list[Made]:
        """The relations that `scan` drives, in place of judging them, with the judge that they are for."""
        if not self._any:
            return []
        return [made for driven in self._meet(scan, stamps) if (made := driven.made(scan, self._context))]

    @property
    def accumulated(self) -> list[Event]:
        """How lasting figures stand, for relations that go on."""
        return [event for _, judge in self.judges for event in judge.accumulated]

    def _meet(self, scan: Scan, stamps: tuple[Stamp, ...]) -> Sequence[_Driven]:
        """Whoever needs it."""
        if scan.layout.id not in self._newest:
            self._learn(scan.layout)
        self._newest[scan.layout.id] = scan
        self._context.observe(scan, stamps)
        return self._driven_by.get(scan.layout.id, ())

    def _learn(self, layout: Layout) -> None:
        new = self._possible.learn(layout)
        if new:
            driven = _Driven(new, self._limits, self._before, from_begin=self._from_begin)
            for id_ in driven.layouts:
                self._driven_by.setdefault(id_, []).append(driven)
                if id_ in self._newest:
                    driven.take(self._newest[id_])
            self._driven.append(driven)
