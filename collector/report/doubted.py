"""A recorded batch before the plausibility that the daemon has: what it would have doubted is not judged here either.

A CSV file has no status, so of a doubted sample nothing is left but a hole, and the transitions that tell of it. Each batch
begins anew, as its windows do. A journal needs none of this: its rows have the quality that the daemon gave them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from collector.monitor.plausibility.plausibility import Plausibility, measured, partners
from collector.monitor.plausibility.reasons import REASON_OF
from collector.report.finished import scan_of
from collector.report.recording import Batch
from collector.terms import Event
from config.findings import roles_by_unit
from config.model import Plant
from config.tags import Tag
from drivers.base import Layout, Quality


@dataclass(frozen=True, slots=True)
class Doubted:
    """A batch without what is doubted of it."""

    batch: Batch
    events: tuple[Event, ...] = ()
    remarks: tuple[str, ...] = ()


class Doubts:
    """What a plant file says of its tags."""

    def __init__(self, plant: Plant) -> None:
        self._plant, self._partners = plant, partners(plant)
        self._tags: Mapping[tuple[str, str], Tag] = {
            (unit, role): placed[0].tag for unit, roles in roles_by_unit(plant).items() for role, placed in roles.items()
        }

    def beside(self, unit: str, roles: set[str]) -> set[str]:
        """The tags that others of these `roles` are to agree with, or that are to agree with them."""
        pairs = [(one, other) for (of, one), other in self._partners.items() if of == unit]
        return {role for pair in pairs if not roles.isdisjoint(pair) for role in pair}

    def of(self, batch: Batch, layout: Layout) -> Doubted:
        """Of a batch, whose columns are those of `layout`."""
        tags = [self._tags.get((column.unit, column.role)) for column in layout.columns]
        plausibility = Plausibility([measured(layout, tags, self._plant)], self._partners)
        if not plausibility.may_doubt(layout, batch.values):
            return Doubted(batch)
        values, events, counts = batch.values.copy(), list[Event](), Counter[tuple[str, str]]()
        for at, slot_ns in enumerate(batch.slots_ns.tolist()):
            scan, told = plausibility.examine(scan_of(layout, slot_ns, batch.values[at]))
            events += [transition.event(batch.stamps[at]) for transition in told]
            doubted = np.flatnonzero(scan.quality == Quality.UNCERTAIN)
            values[at, doubted] = np.nan
            for column in doubted.tolist():
                counts[layout.columns[column].role, REASON_OF[int(scan.status[column])].value] += 1
        found = Counter[str]()
        for (role, _), count in counts.items():
            found[role] += count
        remarks = [_remark(batch, role, total, counts) for role, total in found.items()]
        return Doubted(replace(batch, values=values), tuple(events), tuple(remarks))


def _remark(batch: Batch, role: str, total: int, counts: Counter[tuple[str, str]]) -> str:
    reasons = ", ".join(f"{reason} {count}" for (of, reason), count in counts.items() if of == role)
    samples = f"{total} sample{'' if total == 1 else 's'}"
    return f"batch {batch.name}: {samples} of {role} doubted, so not judged: {reasons}"
