"""Limits on what is made of several tags: deviations from a setpoint, expressions. Beside the judges of the scan groups.

    scans of all groups ──> operands ──> formulas, at the slot of the group that drives them ──> a scan of relations ──> Judge

A relation is a column like any other from there on: its limits, deadbands, delays, windows and excursions are those of a
tag. A deviation is driven by the tag's own group, an expression by the group of its fastest operand. Operands of that group
must be of this very slot, others are their last good figures, not older than `max_age_s`; else the relation is not evaluable.
What comes out follows from the order of the scans alone, so replaying the journal gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collector.monitor.formula import Formula
from collector.monitor.judge import Judge
from collector.monitor.operands import EARLIEST, Operands, Source
from collector.monitor.resumed import OutsideBefore
from collector.terms import Event, Stamp
from config.expressions.tree import Tree
from config.limits import Limit
from config.tags import Kind
from drivers.base import Column, Layout, Quality, Scan, Status

AGE_PERIODS = 3
"""Of the slowest operand: how old one may be where the row does not say."""

Places = Mapping[tuple[str, str], tuple[Layout, int]]
"""Where the number of a (unit, role) is read."""
Floats = NDArray[np.float64]
Times = NDArray[np.int64]
_Before = tuple[Sequence[OutsideBefore], Sequence[Event]]


@dataclass(frozen=True, slots=True)
class _Relation:
    """One for one unit."""

    unit: str
    limit: Limit
    tree: Tree
    sources: tuple[Source, ...]
    driver: Layout

    @property
    def column(self) -> Column:
        """As a judge sees it."""
        if self.limit.sp_role is None:
            return Column(self.limit.role, self.limit.role, self.unit, Kind.REAL)
        return replace(self.sources[0].layout.columns[self.sources[0].column], kind=Kind.REAL)

    @property
    def ages_ns(self) -> list[int]:
        """How old each source may be."""
        slowest_ns = max(source.layout.period_ns for source in self.sources)
        given_s = self.limit.max_age_s
        age_ns = AGE_PERIODS * slowest_ns if given_s is None else round(given_s * 1e9)
        return [0 if source.layout.id == self.driver.id else age_ns for source in self.sources]


def places(layouts: Iterable[Layout]) -> Places:
    """Of every role that is a number."""
    return {
        (column.unit, column.role): (layout, index)
        for layout in layouts
        for index, column in enumerate(layout.columns)
        if column.kind in (Kind.REAL, Kind.INTEGER)
    }


def expression_roles(layouts: Iterable[Layout], limits: Iterable[Limit]) -> set[tuple[str, str]]:
    """(unit, name) of each expression that is limited."""
    found = _relations(places(layouts), limits)
    return {(each.unit, each.limit.role) for each in found if each.limit.expression is not None}


def _relations(where: Places, limits: Iterable[Limit]) -> list[_Relation]:
    """Each once: rows of one role or name, of several phases, say the same of it."""
    units = dict.fromkeys(unit for unit, _ in where)
    found: dict[tuple[str, str], _Relation] = {}
    for limit in limits:
        for unit in units if limit.is_derived else ():
            if limit.unit in (None, unit) and (unit, limit.role) not in found and (made := _relation(where, limit, unit)):
                found[unit, limit.role] = made
    return list(found.values())


def _relation(where: Places, limit: Limit, unit: str) -> _Relation | None:
    """None where the unit lacks one of the roles."""
    tree = limit.tree
    operands = Formula.of(tree).operands
    keys = [(operand.unit or unit, operand.role) for operand in operands]
    if not all(key in where for key in keys):
        return None
    sources = tuple(
        Source(*where[key], operand.statistic, operand.window_s, limit.min_coverage if operand.window_s else 1.0)
        for key, operand in zip(keys, operands, strict=True)
    )
    fastest = sources[0] if limit.sp_role else min(sources, key=lambda source: source.layout.period_ns)
    return _Relation(unit, limit, tree, sources, fastest.layout)


class _Part:
    """One formula for several units."""

    def __init__(self, relations: Sequence[_Relation], operands: Operands) -> None:
        self._formula = Formula.of(relations[0].tree)
        self.units = [relation.unit for relation in relations]
        self._cells = np.array([[operands.cell_of[source] for source in each.sources] for each in relations], np.intp).T
        self._ages_ns = np.array([relation.ages_ns for relation in relations], np.int64).T
        self._periods_ns = np.array([[source.layout.period_ns for source in each.sources] for each in relations], np.int64).T
        self._spans = np.array([relation.limit.spans_phases for relation in relations], np.bool_)

    def evaluate(self, slot_ns: int, since_ns: Times, operands: Operands) -> tuple[Floats, NDArray[np.bool_]]:
        """Of each unit the number, of a condition 1 or 0, and whether it is known; `since_ns`: of its context."""
        cells = self._cells
        known = slot_ns - operands.slots_ns[cells] <= self._ages_ns
        known &= self._spans | (operands.begins_ns[cells] >= since_ns - self._periods_ns)
        values, sure = self._formula.evaluate(operands.values[cells], known)
        return values.astype(np.float64), sure


class _Board:
    """All relations that one scan group drives."""

    def __init__(self, relations: Sequence[_Relation], operands: Operands, limits: Sequence[Limit], before: _Before) -> None:
        alike: dict[Tree, list[_Relation]] = {}
        for relation in relations:
            alike.setdefault(relation.tree, []).append(relation)
        columns = tuple(relation.column for group in alike.values() for relation in group)
        self._layout = replace(relations[0].driver, group=f"{relations[0].driver.group}, relations", columns=columns)
        self._parts = [_Part(group, operands) for group in alike.values()]
        self._operands = operands
        self.judge = Judge(self._layout, limits, *before, derived=True)
        self.id = self._layout.id

    def run(self, scan: Scan, stamps: Mapping[str, Stamp], since_ns: Mapping[str, int]) -> tuple[Scan, tuple[Stamp, ...]]:
        """The relations at the slot of `scan`."""
        found = []
        for part in self._parts:
            since = np.array([since_ns.get(unit, EARLIEST // 2) for unit in part.units], np.int64)
            found.append(part.evaluate(scan.slot_ns, since, self._operands))
        values = np.concatenate([value for value, _ in found])
        known = np.concatenate([sure for _, sure in found])
        quality = np.where(known, Quality.GOOD, Quality.BAD).astype(np.uint8)
        status = np.where(known, Status.GOOD, Status.BAD_NO_DATA).astype(np.uint32)
        made = Scan(self._layout, scan.slot_ns, scan.received_ns, values, status, quality)
        return made, tuple(stamps.get(unit, Stamp()) for unit in self._layout.units)


class _Driven:
    """Relations that became possible together."""

    def __init__(self, relations: Sequence[_Relation], limits: Sequence[Limit], before: _Before) -> None:
        self._operands = Operands(source for relation in relations for source in relation.sources)
        by_driver: dict[str, list[_Relation]] = {}
        for relation in relations:
            by_driver.setdefault(relation.driver.id, []).append(relation)
        self.boards = {id_: _Board(group, self._operands, limits, before) for id_, group in by_driver.items()}

    def take(self, scan: Scan) -> None:
        """A scan that came before them."""
        self._operands.take(scan)

    def judge(self, scan: Scan, stamps: Mapping[str, Stamp], since_ns: Mapping[str, int]) -> list[Event]:
        """What changes with `scan`."""
        board, fresh = self.boards.get(scan.layout.id), self._operands.take(scan)
        return board.judge.judge(*board.run(scan, stamps, since_ns)) if board and fresh else []

    def recall(self, scan: Scan, stamps: Mapping[str, Stamp], since_ns: Mapping[str, int]) -> None:
        """A scan of the run before."""
        board, fresh = self.boards.get(scan.layout.id), self._operands.take(scan)
        if board and fresh:
            board.judge.recall(*board.run(scan, stamps, since_ns))


class Relations:
    """Of the whole plant. A relation begins with the first scan, lost or not, of the last group that it needs."""

    def __init__(self, limits: Sequence[Limit], before: Sequence[OutsideBefore] = (), accumulated: Sequence[Event] = ()) -> None:
        """`before`, `accumulated`: what the run before left outside, and how its lasting figures stood; of all sorts."""
        self._set = limits
        self._limits = [limit for limit in limits if limit.is_derived]
        self._before = (before, accumulated)
        self._newest: dict[str, Scan] = {}
        """Of each group: what a relation begins with."""
        self._places: dict[tuple[str, str], tuple[Layout, int]] = {}
        self._made: set[tuple[str, str]] = set()
        self._driven: list[_Driven] = []
        self._stamps: dict[str, Stamp] = {}
        self._since_ns: dict[str, int] = {}

    @property
    def judges(self) -> Iterator[tuple[str, Judge]]:
        """Of each driving group, by an id of its own."""
        return ((board.id, board.judge) for driven in self._driven for board in driven.boards.values())

    def judge(self, scan: Scan, stamps: tuple[Stamp, ...]) -> list[Event]:
        """What changes with `scan`; called for every scan of every group, after the group's own judge."""
        if not self._limits:
            return []
        self._meet(scan, stamps)
        return [event for driven in self._driven for event in driven.judge(scan, self._stamps, self._since_ns)]

    def recall(self, scan: Scan, stamps: tuple[Stamp, ...]) -> None:
        """A scan that the run before has judged; see `Judge.recall`."""
        if self._limits:
            self._meet(scan, stamps)
            for driven in self._driven:
                driven.recall(scan, self._stamps, self._since_ns)

    @property
    def accumulated(self) -> list[Event]:
        """How lasting figures stand, for relations that go on."""
        return [event for _, judge in self.judges for event in judge.accumulated]

    def _meet(self, scan: Scan, stamps: tuple[Stamp, ...]) -> None:
        if scan.layout.id not in self._newest:
            self._learn(scan.layout)
        self._newest[scan.layout.id] = scan
        for unit, stamp in zip(scan.layout.units, stamps, strict=True):
            if self._stamps.get(unit) != stamp:
                self._stamps[unit], self._since_ns[unit] = stamp, scan.slot_ns

    def _learn(self, layout: Layout) -> None:
        self._places.update(places([layout]))
        new = [each for each in _relations(self._places, self._limits) if (each.unit, each.limit.role) not in self._made]
        self._made.update((each.unit, each.limit.role) for each in new)
        if new:
            driven = _Driven(new, self._set, self._before)
            for scan in self._newest.values():
                driven.take(scan)
            self._driven.append(driven)
