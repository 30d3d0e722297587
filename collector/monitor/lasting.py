"""Figures that remember more than a window does: seconds outside a range since a phase or batch began, EWMA, CUSUM.

    scan ──> enter: where a phase or batch began, what was summed up begins anew ──> push ──> one cell each, for rules

They can't be made again from the last few samples. So once a minute an event of kind `accumulated` tells how they stand, and
a start goes on from the newest one and the scans behind it (`Judge.recall`). Where nothing has such a limit, none of this is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from collector.monitor.accumulated import Outside
from collector.monitor.drifting import Averages, Sums
from collector.monitor.lasting_cells import UNKNOWN_NS, Bools, Cell, CellKey, Entered, Floats, Indices, Known, LastingRows, Part
from collector.terms import Event, EventKind, Json, Stamp
from config.limits import Limit
from config.tags import Kind
from drivers.base import Layout

LASTING: Final = ("time_outside", "ewma", "cusum_high", "cusum_low")
"""The statistics that are such figures."""
_Sort = tuple[str, float | None, str | None]
_NO_STAMP: Final = Stamp()


def lasting_cells(layout: Layout, limits: Iterable[Limit]) -> list[Cell]:
    """Those that any row may ever be about, sort by sort."""
    by_role: dict[str, list[Limit]] = {}
    for limit in limits:
        if limit.statistic in LASTING:
            by_role.setdefault(limit.role, []).append(limit)
    found = {
        cell.key: cell
        for column, about in enumerate(layout.columns)
        if by_role and about.kind in (Kind.REAL, Kind.INTEGER)
        for limit in by_role.get(about.role, ())
        if limit.unit in (None, about.unit) and (cell := Cell(column, limit))
    }
    return sorted(found.values(), key=lambda cell: str(_sort(cell)))


def _sort(cell: Cell) -> _Sort:
    return cell.limit.statistic.partition("_high")[0].partition("_low")[0], cell.limit.window_s, cell.limit.within


def _part(sort: _Sort, cells: Sequence[Cell], layout: Layout, values: Floats) -> Part:
    statistic, window_s, _ = sort
    if statistic == "ewma":
        return Averages(cells, layout.period_ns, values)
    if statistic == "cusum":
        return Sums(cells, values)
    window_ns = None if window_s is None else round(window_s * 1e9)
    return Outside(len(cells), window_ns, cells[0].limit.within, layout.period_ns, values)


class _Held:
    """A part with what its cells are."""

    def __init__(self, part: Part, cells: Sequence[Cell], layout: Layout, values: Floats) -> None:
        self.part, self.cells, self.values = part, cells, values
        self.columns = np.array([cell.column for cell in cells], np.intp)
        self.units = [layout.columns[cell.column].unit for cell in cells]
        place = {unit: at for at, unit in enumerate(layout.units)}
        self.unit = np.array([place[unit] for unit in self.units], np.intp)
        """Of each cell, by its place in the layout."""
        self.names: dict[tuple[str, str], list[int]] = {}
        """(unit, name of the figure) -> cells."""
        for at, cell in enumerate(cells):
            self.names.setdefault((self.units[at], cell.name), []).append(at)
        self.roles = [layout.columns[cell.column].role for cell in cells]


class Lasting:
    """Of one scan group."""

    def __init__(
        self,
        layout: Layout,
        limits: Sequence[Limit],
        cells: Sequence[Cell],
        values: Floats,
        before: Iterable[Event],
        *,
        from_begin: bool,
    ) -> None:
        """`limits`: the rows that `enter` numbers; `values`: where the figures of `cells` stand; `before`: events that told how
        these or others stood, one of a unit and scan group; `from_begin`: the first scan is the first of its batch."""
        self._layout, self._rows, self._from_begin = layout, LastingRows(limits), from_begin
        self._at: dict[CellKey, int] = {cell.key: at for at, cell in enumerate(cells)}
        self._held: list[_Held] = []
        first = 0
        for sort in dict.fromkeys(map(_sort, cells)):
            alike = [cell for cell in cells if _sort(cell) == sort]
            part_values = values[first : first + len(alike)]
            self._held.append(_Held(_part(sort, alike, layout, part_values), alike, layout, part_values))
            first += len(alike)
        self._stamps: dict[str, Stamp] = {}
        self._newest_ns = UNKNOWN_NS
        self._resume([event for event in before if event.unit in layout.units])

    def _resume(self, before: Sequence[Event]) -> None:
        known: dict[tuple[str, str, str], tuple[Known, Stamp]] = {
            (event.unit, name, role): (each, event.stamp) for event in before for name, role, each in _known(event)
        }
        for held in self._held:
            cells = zip(held.units, held.cells, held.roles, strict=True)
            found = [known.get((unit, cell.name, role)) for unit, cell, role in cells]
            held.part.resume([each[0] if each else None for each in found])
            for unit, each in zip(held.units, found, strict=True):
                if each is not None:
                    self._stamps[unit] = each[1]
                    self._newest_ns = max(self._newest_ns, each[0].slot_ns)

    def cell(self, limit: Limit, column: int) -> int:
        """Where the figure that `limit` is about stands among the values."""
        return self._at[column, limit.measure, limit.window_s]

    def enter(self, slot_ns: int, rows: Indices, stamps: Sequence[Stamp]) -> None:
        """A context before the scan of `slot_ns`: which row holds of each cell, `NOBODY`: none, and the stamp of each unit."""
        of_units = dict(zip(self._layout.units, stamps, strict=True))
        new_batch = np.array([self._is_new(unit, stamp, "batch") for unit, stamp in of_units.items()], np.bool_)
        new_phase = np.array([self._is_new(unit, stamp, "phase") for unit, stamp in of_units.items()], np.bool_) | new_batch
        in_phase, in_batch = (np.array([getattr(stamp, of) != "" for stamp in stamps], np.bool_) for of in ("phase", "batch"))
        first = 0
        for held in self._held:
            new, running = (new_phase[held.unit], new_batch[held.unit]), (in_phase[held.unit], in_batch[held.unit])
            held.part.enter(Entered(slot_ns, *new, *running, self._rows, rows[first : first + len(held.cells)]))
            first += len(held.cells)
        self._stamps = of_units

    def _is_new(self, unit: str, stamp: Stamp, what: str) -> bool:
        before = self._stamps.get(unit)
        return self._from_begin if before is None else bool(getattr(before, what) != getattr(stamp, what))

    def push(self, slot_ns: int, values: Floats, good: Bools) -> None:
        """A scan, `[k]`."""
        self._newest_ns = slot_ns
        for held in self._held:
            held.part.push(slot_ns, values[held.columns], good[held.columns])

    @property
    def newest_ns(self) -> int:
        """The slot up to which it counted."""
        return self._newest_ns

    def evaluable(self) -> Bools:
        """Of each cell."""
        return np.concatenate([held.part.evaluable() for held in self._held])

    def events(self) -> Iterator[Event]:
        """How all stand after the newest scan, one event for each unit."""
        units: dict[str, dict[str, Json]] = {}
        for held in self._held:
            told = {"value": [None if math.isnan(value) else value for value in held.values.tolist()], **held.part.told()}
            for (unit, name), cells in held.names.items():
                figures: dict[str, Json] = {key: [each[at] for at in cells] for key, each in told.items()}
                units.setdefault(unit, {})[name] = {"roles": [held.roles[at] for at in cells], **figures}
        layout = self._layout
        for unit, found in units.items() if self._newest_ns != UNKNOWN_NS else ():
            body: dict[str, Json] = {
                "endpoint": layout.endpoint, "device": layout.device, "group": layout.group, "figures": found
            }  # fmt: skip
            yield Event(EventKind.ACCUMULATED, self._newest_ns, unit, self._stamps.get(unit, _NO_STAMP), body)


def group_of(event: Event) -> tuple[Json, ...]:
    """Whose figures an event of kind `accumulated` tells."""
    return (event.unit, *(event.body.get(name) for name in ("endpoint", "device", "group")))


def _known(event: Event) -> Iterator[tuple[str, str, Known]]:
    """(name of the figure, role, how it stood) of all that an event tells."""
    figures = event.body.get("figures")
    for name, told in figures.items() if isinstance(figures, dict) else ():
        columns = {key: each for key, each in told.items() if isinstance(each, list)} if isinstance(told, dict) else {}
        for at, role in enumerate(columns.get("roles", ())):
            each = {key: values[at] for key, values in columns.items() if at < len(values)}
            yield name, str(role), Known(event.slot_ns, each)
