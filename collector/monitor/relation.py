"""Which relations there are: of each limit on several tags, one for every unit that has all the roles.

    limit rows ──> Wanted, once each ──> with the places of the roles: Relation, of one unit

A relation becomes possible with the last group that it needs, so only what a new group can make possible is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from collector.monitor.formula import Formula
from collector.monitor.operands import Source
from config.expressions.tree import Operand, Tree
from config.limits import Limit
from config.tags import Kind
from drivers.base import Column, Layout

AGE_PERIODS = 3
"""Of the slowest operand: how old one may be where the row does not say."""

UnitRole = tuple[str, str]
Places = Mapping[UnitRole, tuple[Layout, int]]
"""Where the number of a (unit, role) is read."""


@dataclass(frozen=True, slots=True)
class Relation:
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """A limit row on several tags, read once."""

    limit: Limit
    tree: Tree
    operands: tuple[Operand, ...]

    @classmethod
    def of(cls, limit: Limit) -> Wanted:
        """Of a row that is derived."""
        tree = limit.tree
        return cls(limit, tree, Formula.of(tree).operands)

    def may_gain(self, layout: Layout, known: Iterable[str]) -> Iterable[str]:
        """Units for which `layout` may be what was missing; `known`: all units."""
        units = known if any(operand.unit for operand in self.operands) else layout.units
        return [unit for unit in units if self.limit.unit in (None, unit)]

    def relation(self, where: Places, unit: str) -> Relation | None:
        """None where the unit lacks one of the roles."""
        keys = [(operand.unit or unit, operand.role) for operand in self.operands]
        if not all(key in where for key in keys):
            return None
        limit = self.limit
        sources = tuple(
            Source(*where[key], operand.statistic, operand.window_s, limit.min_coverage if operand.window_s else 1.0)
            for key, operand in zip(keys, self.operands, strict=True)
        )
        fastest = sources[0] if limit.sp_role else min(sources, key=lambda source: source.layout.period_ns)
        return Relation(unit, limit, self.tree, sources, fastest.layout)


class Possible:
    """Relations that the groups known so far make possible. Each once: rows of one role or name, of several phases, say the same
    of it."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._wanted = [Wanted.of(limit) for limit in limits if limit.is_derived]
        self._where: dict[UnitRole, tuple[Layout, int]] = {}
        self._units: dict[str, None] = {}
        self._made: set[UnitRole] = set()

    def learn(self, layout: Layout) -> list[Relation]:
        """Those that another group makes possible."""
        figures = ((index, column) for index, column in enumerate(layout.columns) if column.kind is not Kind.TEXT)
        self._where.update({(column.unit, column.role): (layout, index) for index, column in figures})
        self._units.update(dict.fromkeys(layout.units))
        new = []
        for wanted in self._wanted:
            for unit in wanted.may_gain(layout, self._units):
                key = unit, wanted.limit.role
                if key not in self._made and (made := wanted.relation(self._where, unit)):
                    self._made.add(key)
                    new.append(made)
        return new


def expression_roles(layouts: Iterable[Layout], limits: Iterable[Limit]) -> set[UnitRole]:
    """(unit, name) of each expression that is limited."""
    possible = Possible(limits)
    found = [relation for layout in layouts for relation in possible.learn(layout)]
    return {(each.unit, each.limit.role) for each in found if each.limit.expression is not None}
