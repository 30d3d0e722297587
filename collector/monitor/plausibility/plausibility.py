"""All scan groups of a plant before their judges.

    driver ── scan ──> Plausibility ── scan, its doubted samples uncertain ──> context, judges, journal, sinks, page
                            └── transitions `implausible …`: outside when a doubt begins, inside when it ends ──> alarms

What is doubted is not judged: it is not evaluable, as any other uncertain sample. So that nothing hides behind a doubt, each
begins and ends with a transition, and raises an alarm of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from collector.monitor.plausibility.agreement import Agreement, Pair, Place
from collector.monitor.plausibility.checks import Checks
from collector.monitor.plausibility.group import Group, Measured
from collector.monitor.plausibility.moves import GAP_PERIODS
from collector.monitor.plausibility.reasons import REASONS, Reason
from collector.monitor.resumed import OutsideBefore
from collector.monitor.rules import Transition
from config.checks.plausible import partner_of
from config.findings import roles_by_unit
from config.model import Plant
from config.tags import Tag
from drivers.base import Layout, Scan, scan_groups

Partners = Mapping[tuple[str, str], str]
"""Role of the tag that a (unit, role) is to agree with."""


class Plausibility:
    """Examines the scans of a plant, in their order."""

    def __init__(self, measured: Iterable[Measured], partners: Partners, before: Iterable[OutsideBefore] = ()) -> None:
        """`before`: what the run before left outside; of limits too."""
        groups = list(measured)
        doubted = [each for each in before if each.rule in REASONS]
        pairs = list(_pairs(groups, partners, {(each.unit, each.role) for each in doubted if each.rule == Reason.DIFFERENCE}))
        agreement = Agreement(pairs)
        self._groups: dict[str, Group] = {}
        for each in groups:
            layout = each.layout
            checks = Checks(each.tags, layout.period_ns, agreement.part(layout.id))
            left = _of(layout, doubted)
            if checks.has_any or left:
                self._groups[layout.id] = Group(each, checks, pairs, left)

    @property
    def rules(self) -> Iterator[tuple[str, str, str]]:
        """(unit, role, rule) of every doubt there can be."""
        return (rule for group in self._groups.values() for rule in group.rules())

    def examine(self, scan: Scan) -> tuple[Scan, list[Transition]]:
        """The scan as it is to be recorded and judged, and what changed with it. Not for a scan of an unknown layout."""
        group = self._groups.get(scan.layout.id)
        return group.examine(scan) if group else (scan, [])

    def may_doubt(self, layout: Layout, values: NDArray[np.float64]) -> bool:
        """Whether something of `values`, `[n, k]`, might be: to spare examining it scan by scan."""
        group = self._groups.get(layout.id)
        return group is not None and group.may_doubt(values)

    def close(self, slot_ns: int) -> list[Transition]:
        """What is doubted ends with the daemon."""
        return [transition for group in self._groups.values() for transition in group.close(slot_ns)]


def _of(layout: Layout, before: Sequence[OutsideBefore]) -> list[OutsideBefore]:
    """Those of its columns."""
    places = {(column.unit, column.role) for column in layout.columns} if before else set()
    return [each for each in before if (each.unit, each.role) in places]


def plausibility_of(plant: Plant, before: Iterable[OutsideBefore] = ()) -> Plausibility:
    """That of a plant's scan groups."""
    groups = [group for endpoint in plant.endpoints for group in scan_groups(endpoint)]
    return Plausibility([measured(group.layout, group.tags, plant) for group in groups], partners(plant), before)


def measured(layout: Layout, tags: Sequence[Tag | None], plant: Plant) -> Measured:
    """A scan group with its tags, and which of them are critical."""
    critical = [(limit.unit, limit.role) for limit in plant.limits if limit.cpp]
    is_critical = {(None, role) for unit, role in critical if unit is None} | {each for each in critical if each[0] is not None}
    flags = [(None, column.role) in is_critical or (column.unit, column.role) in is_critical for column in layout.columns]
    return Measured(layout, tuple(tags), tuple(flags))


def partners(plant: Plant) -> Partners:
    """The pairs that a plant file names."""
    units = roles_by_unit(plant)
    found = {}
    for unit, roles in units.items():
        for role, placed in roles.items():
            other = partner_of(placed[0].tag, roles)
            if other is not None:
                found[unit, role] = other.tag.role
    return found


def _pairs(groups: Sequence[Measured], partners: Partners, differ: set[tuple[str, str]]) -> Iterator[Pair]:
    """`differ`: the (unit, role) that the run before left disagreeing with another."""
    if not partners:
        return
    if not partners:
        return
    places = {(column.unit, column.role): (group, at) for group in groups for at, column in enumerate(group.layout.columns)}
    for (unit, role), other in partners.items():
        here, there = places.get((unit, role)), places.get((unit, other))
        if here is None or there is None:
            continue
        tag = here[0].tags[here[1]]
        given = tag.plausible if tag else None
        if given is None or given.within is None:
            continue
        slowest_ns = max(group.layout.period_ns for group, _ in (here, there))
        age_ns = GAP_PERIODS * slowest_ns if given.max_age_s is None else round(given.max_age_s * 1e9)
        one, two = (Place(group.layout.id, at) for group, at in (here, there))
        was = (unit, role) in differ and (unit, other) in differ
        yield Pair((one, two), given.within, round(given.for_s * 1e9), age_ns, was)
