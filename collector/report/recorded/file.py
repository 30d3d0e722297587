"""Reads a file of recorded batches: see `recording` for what it may be."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from collector.report.recorded.columns import columns_of, is_header, passed_over, rows_of
from collector.report.recorded.context import phases_as_named
from collector.report.recorded.header import fault
from collector.report.recorded.moments import Course, Moments
from collector.report.recorded.names import matched
from collector.report.recorded.order import InOrder
from collector.report.recorded.samples import Samples
from collector.report.recorded.text import read_table
from collector.report.recording import Batch, Recording, Wanted
from collector.terms import Stamp
from config.faults import did_you_mean
from config.spreadsheet.table import Table

Key = tuple[str, str]
"""Unit and batch."""
Indices = NDArray[np.intp]
_Name = TypeVar("_Name", bound=Hashable)
_MOST_SHOWN = 12
_OF_TIMES = ("time", "zeit", "date", "datum", "clock", "day", "hour", "minute", "second", "age")


def load_recording(path: Path, wanted: Wanted) -> Recording:
    """Raises ConfigError with faults and their lines."""
    table, told = read_table(path, wanted.said.encoding, lambda cells: is_header(cells, wanted))
    return _RecordedFile(table, wanted, told).recording()


class _RecordedFile:
    def __init__(self, table: Table, wanted: Wanted, told: Sequence[str]) -> None:
        self._table, self._wanted, self._told = table, wanted, told
        self._columns = columns_of(table, wanted)
        self._place = self._columns.place
        self._take_the_only_ones()
        self._rows = rows_of(table, self._columns)
        if not self._rows:
            raise fault(table, "holds no samples: give a header and at least one row")
        self._remarks: list[str] = []
        self._samples = Samples(table, self._rows, self._columns, wanted, self._remarks)
        self._moments = Moments(table, self._rows, self._columns, wanted, self._samples.decimal, self._remarks)

    def _take_the_only_ones(self) -> None:
        wanted = self._wanted
        known = {"unit": wanted.unit, "product": wanted.context.product, "recipe_version": wanted.context.recipe_version}
        only = {key: name for key, name in wanted.only.items() if self._place[key] is None and not known[key]}
        about = {key: name for key, name in only.items() if key != "unit"}
        self._wanted = replace(wanted, unit=only.get("unit", wanted.unit), context=replace(wanted.context, **about))
        words = [f"{key.replace('_', ' ')} {name}" for key, name in only.items()]
        self._columns.told += [f"taken as of {', '.join(words)}: every limit is, and no column tells another"] if words else []

    def recording(self) -> Recording:
        groups = self._asked_for(self._keys())
        courses = list(self._tidy(groups) if self._columns.is_tidy else self._wide(groups))
        found = [(course, self._moments.in_order(course)) for course in courses]
        parts = list(_beside(found, together=self._wanted.together)) if self._columns.is_tidy else found
        told_s = self._wanted.said.period_s
        period_ns, how = period_of([each.slots_ns for _, each in parts], told_s)
        batches = [self._batch(course, each, None if told_s else period_of([each.slots_ns])[0]) for course, each in parts]
        if not self._columns.is_tidy:
            batches = [replace(batch, period_ns=None) for batch in batches]
        roles = tuple(dict.fromkeys(role for course in courses for role in course.roles))
        self._tell_missing(roles)
        read_as = tuple(self._read_as(period_ns, how))
        return Recording(roles, period_ns, self._moments.has_dates, tuple(batches), read_as, tuple(self._remarks))

    def _batch(self, course: Course, each: InOrder, period_ns: int | None) -> Batch:
        unit, name = course.key
        return Batch(unit, name, each.slots_ns, each.values, self._stamps(name, each.rows), course.roles, period_ns)

    def _stamps(self, batch: str, rows: Indices) -> tuple[Stamp, ...]:
        places = [self._place[key] for key in ("phase", "product", "recipe_version")]
        about, known = replace(self._wanted.context, batch=batch), dict[tuple[str, ...], Stamp]()
        phase_of = self._phase_of
        stamps = []
        for row in rows.tolist():
            told = tuple("" if at is None else self._rows[row].cells[at] for at in places)
            if told not in known:
                phase, product, version = told
                of_product = replace(about, phase=phase_of.get(phase, phase), product=product or about.product)
                known[told] = replace(of_product, recipe_version=version or about.recipe_version)
            stamps.append(known[told])
        return tuple(stamps)

    @cached_property
    def _phase_of(self) -> dict[str, str]:
        """What limits call a phase of the file."""
        at = self._place["phase"]
        texts = set() if at is None else {row.cells[at] for row in self._rows}
        found = phases_as_named(texts, self._wanted.phase_names)
        renamed = [f"{text!r} as {name!r}" for text, name in sorted(found.items()) if text != name]
        self._columns.told += [f"phase {', '.join(renamed)}"] if renamed else []
        return found

    def _tell_missing(self, roles: Sequence[str]) -> None:
        names = [] if self._columns.is_tidy else passed_over(self._table, self._columns)
        for role in sorted(set(self._wanted.roles.values()) - set(roles)):
            self._remarks.append(f"nothing is called {role}: its limits are not judged{did_you_mean(role, names)}")

    # --- what was taken for what

    def _read_as(self, period_ns: int, how: str) -> Iterator[str]:
        header, place = self._table.header.cells, self._place
        yield from self._told
        named = [f"{key} from column {header[at] or at + 1}" for key, at in place.items() if at is not None]
        told = how if place["time"] is not None or self._wanted.said.period_s else " (no time column, no --period)"
        yield ", ".join([*named, f"period {period_ns / 1e9:g} s{told}"])
        yield from self._columns.told
        left = passed_over(self._table, self._columns)
        if left:
            yield f"columns passed over, no limit names them: {_shown(left)}"
        times = [name for name in left if any(word in name.casefold() for word in _OF_TIMES)]
        if times and place["time"] is None:
            yield f"column {times[0]!r} may hold times: if so, say --time-column {times[0]!r}"

    # --- courses

    def _keys(self) -> list[Key]:
        """Of each row."""
        unit_at, batch_at = self._place["unit"], self._place["batch"]
        default = Path(self._table.file.removesuffix(".gz")).stem
        parts = [at for at in (batch_at, *self._columns.batch_with) if at is not None]
        names = [", ".join(row.cells[at] for at in parts) if parts else default for row in self._rows]
        if batch_at is None and not self._columns.is_tidy and (anew := self._moments.begins_anew()):
            lines = f"line{'s' if len(anew) > 1 else ''} {', '.join(str(self._rows[at].line) for at in anew[:_MOST_SHOWN])}"
            self._remarks.append(f"time begins anew on {lines}: taken as {len(anew) + 1} batches")
            names = [f"{default}-{n + 1}" for n in np.searchsorted(anew, np.arange(len(names)), "right").tolist()]
        if parts and "" in names:
            line = self._rows[names.index("")].line
            rows = f"{names.count('')} rows name" if names.count("") > 1 else "1 row names"
            self._remarks.append(f"{rows} no batch, the first on line {line}: judged together, as one")
        units = ("" if unit_at is None else row.cells[unit_at] for row in self._rows)
        return [(unit or self._wanted.unit, name) for unit, name in zip(units, names, strict=True)]

    def _asked_for(self, keys: Sequence[Key]) -> dict[Key, Indices]:
        groups, unit, unit_at = _grouped(keys), self._wanted.unit, self._place["unit"]
        if unit and unit_at is not None:
            groups = {key: rows for key, rows in groups.items() if key[0] == unit}
            if not groups:
                raise fault(self._table, f"column {self._table.header.cells[unit_at]!r} never says {unit!r}")
        return groups

    def _wide(self, groups: dict[Key, Indices]) -> Iterator[Course]:
        samples, header, everything = self._columns.samples, self._table.header.cells, np.arange(len(self._rows))
        roles = tuple(self._wanted.roles[name] for name in samples.values())
        values = np.column_stack(
            [self._samples.of_column(everything, at, self._columns.status.get(at), f"column {header[at]}") for at in samples]
        )
        for key, rows in groups.items():
            yield Course(key, rows, roles, values[rows], _batch_named(key[1]))

    def _tidy(self, groups: dict[Key, Indices]) -> Iterator[Course]:
        tag_at, value_at = self._place["tag"], self._place["value"]
        assert tag_at is not None
        assert value_at is not None
        role_of = self._roles_of_tags(tag_at)
        for key, rows in groups.items():
            for tag, places in _grouped([self._rows[row].cells[tag_at] for row in rows.tolist()]).items():
                if tag in role_of:
                    values = self._samples.of_column(
                        rows[places], value_at, self._place["quality"], f"{_batch_named(key[1])}, tag {tag}"
                    )
                    yield Course(key, rows[places], (role_of[tag],), values[:, None], f"{_batch_named(key[1])}, tag {tag}")

    def _roles_of_tags(self, tag_at: int) -> dict[str, str]:
        names = sorted({row.cells[tag_at] for row in self._rows})
        found, several = matched(names, self._wanted.roles)
        for name, alike in several.items():
            raise fault(self._table, f"tags {' and '.join(map(repr, alike))} may both be {name!r}: name one as the limit does")
        self._columns.told += [f"{name} from tag {names[at]!r}" for at, name in found.items() if name != names[at]]
        if left := [name for at, name in enumerate(names) if at not in found]:
            self._columns.told.append(f"tags passed over, no limit names them: {_shown(left)}")
        return {names[at]: self._wanted.roles[name] for at, name in found.items()}


def _batch_named(name: str) -> str:
    return f"batch {name}" if name else "the rows that name no batch"


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else "")


def _grouped(of: Iterable[_Name]) -> dict[_Name, Indices]:
    places: dict[_Name, list[int]] = {}
    for at, key in enumerate(of):
        places.setdefault(key, []).append(at)
    return {key: np.array(rows, np.intp) for key, rows in places.items()}


def _beside(found: Sequence[tuple[Course, InOrder]], *, together: bool) -> Iterator[tuple[Course, InOrder]]:
    """Tags of a batch that have their times in common stand beside each other; with `together` all do."""
    groups: dict[tuple[Key, bytes], list[tuple[Course, InOrder]]] = {}
    for course, each in found:
        groups.setdefault((course.key, b"" if together else each.slots_ns.tobytes()), []).append((course, each))
    for members in groups.values():
        roles = tuple(course.roles[0] for course, _ in members)
        yield replace(members[0][0], roles=roles), _joined([each for _, each in members])


def _joined(parts: Sequence[InOrder]) -> InOrder:
    """Beside each other; a tag has no good sample where only others have a time."""
    if all(np.array_equal(part.slots_ns, parts[0].slots_ns) for part in parts):
        return replace(parts[0], values=np.hstack([part.values for part in parts]))
    slots = np.unique(np.concatenate([part.slots_ns for part in parts]))
    values, rows = np.full((len(slots), len(parts)), np.nan), np.zeros(len(slots), np.intp)
    for column, part in enumerate(parts):
        at = np.searchsorted(slots, part.slots_ns)
        values[at, column], rows[at] = part.values[:, 0], part.rows
    return replace(parts[0], slots_ns=slots, values=values, rows=rows)


def period_of(courses: Sequence[NDArray[np.int64]], told_s: float | None = None) -> tuple[int, str]:
    """Nanoseconds, and what is told of them: as told; else the step that most have, the shortest of several; of irregular ones
    the median."""
    if told_s:
        return round(told_s * 1e9), ""
    steps = np.concatenate([np.diff(each) for each in courses]) if courses else np.zeros(0, np.int64)
    if not len(steps):
        return 1_000_000_000, " (one row only)"
    lengths, counts = np.unique(steps, return_counts=True)
    if 2 * counts.max() >= len(steps):
        return int(lengths[np.argmax(counts)]), ""
    span = f"{lengths[0] / 1e9:g} to {lengths[-1] / 1e9:g} s"
    return int(np.sort(steps)[len(steps) // 2]), f" (the median, for rows are {span} apart)"
