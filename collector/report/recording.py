"""Recorded batches in a CSV file, wide form: a row per moment, a column per role; each batch with its scans, to be judged.

    batch_id;time;phase;TT;PT        separator , ; or tab; decimal point or comma; UTF-8 or UTF-16, with a mark or without
    B-17;2026-11-23T14:00:00Z;Dose;64,9;1,42
    B-17;2026-11-23T14:00:01Z;Dose;;Bad       an empty cell is a bad sample, and so is a text: the texts are told

Rows of a batch need not stand together, but come in the order of time. Nothing is filled in or rounded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collector.terms import Stamp
from config.csv_cells import Decimal, decimal_of
from config.csv_columns import normal
from config.csv_table import Row, Table, parse
from config.faults import ConfigError, Fault, did_you_mean
from config.files import Files

MOST_BYTES, MOST_CELLS = 4 << 30, 500_000_000
KNOWN = {
    "batch": ("batch", "batch_id", "batch no", "batch number", "lot", "lot_id"),
    "time": ("time", "timestamp", "datetime", "date_time", "time_s", "slot"),
    "phase": ("phase",),
    "unit": ("unit",),
    "product": ("product",),
    "recipe_version": ("recipe_version",),
}
"""Columns that are known by their names, whose spelling may differ as in a tag list."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be taken from a file."""

    roles: Mapping[str, str]
    """Names of the columns of samples, and the role of each; those of other names are for people, or tell the context."""
    named: Mapping[str, str] = field(default_factory=dict)
    """Columns that were named by the user, by a key of `KNOWN`."""
    period_s: float | None = None
    unit: str = ""
    """Where no column tells it."""
    context: Stamp = field(default_factory=Stamp)
    """Product and recipe version where no column tells them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of one unit: n scans of m columns."""

    unit: str
    name: str
    slots_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    """`[n, m]`; NaN is a bad sample."""
    stamps: tuple[Stamp, ...]
    """`[n]`"""

    def before(self, to_ns: int) -> Batch:
        """Its scans with slot < to."""
        inside = self.slots_ns < to_ns
        stamps = tuple(stamp for stamp, is_inside in zip(self.stamps, inside.tolist(), strict=True) if is_inside)
        return Batch(self.unit, self.name, self.slots_ns[inside], self.values[inside], stamps)


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole file."""

    roles: tuple[str, ...]
    period_ns: int
    has_dates: bool
    """Slots are dates; else nanoseconds since the beginning of the batch."""
    batches: tuple[Batch, ...]
    read_as: str
    """What was taken for what, for people."""
    remarks: tuple[str, ...]
    """What is odd, but no fault."""


def load_recording(path: Path, wanted: Wanted) -> Recording:
    """Raises ConfigError with faults and their lines."""
    table = parse(Files(path.parent, MOST_BYTES).csv_text(path), str(path), MOST_CELLS)
    if not table.faults and not table.rows:
        raise ConfigError([Fault(table.file, table.header.line, "", "holds no samples: give a header and at least one row")])
    if table.faults:
        raise ConfigError(table.faults)
    return _Reading(table, wanted).recording()


class _Reading:
    def __init__(self, table: Table, wanted: Wanted) -> None:
        self._table, self._wanted = table, wanted
        self._header = table.header.cells
        self._place = {key: self._standing(key) for key in KNOWN}
        self._samples = [at for at, name in enumerate(self._header) if name in wanted.roles]
        self._roles = tuple(wanted.roles[self._header[at]] for at in self._samples)
        twice = [role for role, count in Counter(self._roles).items() if count > 1]
        if twice:
            raise self._fault(f"two columns are {twice[0]!r}: keep one")
        if not self._samples:
            near = next((hint for role in sorted(wanted.roles) if (hint := did_you_mean(role, self._header))), "")
            missing = ", ".join(sorted(set(wanted.roles.values())))
            raise self._fault(f"no column is named as a role that has limits ({missing}){near}; found: {', '.join(self._header)}")
        if self._place["batch"] is None and 0 not in (*self._samples, *self._place.values()):
            self._place["batch"] = 0
        self._remarks: list[str] = []

    def _fault(self, what: str, line: int | None = None) -> ConfigError:
        return ConfigError([Fault(self._table.file, self._table.header.line if line is None else line, "", what)])

    def _standing(self, key: str) -> int | None:
        """Where the column stands that tells `key`."""
        if (name := self._wanted.named.get(key)) is not None:
            if name not in self._header:
                raise self._fault(f"no column {name!r}{did_you_mean(name, self._header)}; found: {', '.join(self._header)}")
            return self._header.index(name)
        known = {normal(name) for name in KNOWN[key]}
        free = (at for at, name in enumerate(self._header) if normal(name) in known and name not in self._wanted.roles)
        return next(free, None)

    def recording(self) -> Recording:
        groups: dict[tuple[str, str], list[Row]] = {}
        default = Path(self._table.file).stem
        for row in self._table.rows:
            unit = self._cell(row, "unit") or self._wanted.unit
            groups.setdefault((unit, self._cell(row, "batch") if self._place["batch"] is not None else default), []).append(row)
        if self._wanted.unit and self._place["unit"] is not None:
            groups = {key: rows for key, rows in groups.items() if key[0] == self._wanted.unit}
            if not groups:
                raise self._fault(f"column {self._header[self._place['unit']]!r} never says {self._wanted.unit!r}")
        decimal = self._decimal()
        times, has_dates = self._times(groups, decimal)
        period_ns = self._period_ns(times)
        batches = [
            self._batch(key, rows, times[key] if times else np.arange(len(rows), dtype=np.int64) * period_ns, decimal)
            for key, rows in groups.items()
        ]
        self._remarks += self._texts(decimal)
        return Recording(self._roles, period_ns, has_dates, tuple(batches), self._read_as(period_ns), tuple(self._remarks))

    def _cell(self, row: Row, key: str) -> str:
        at = self._place[key]
        return "" if at is None else row.cells[at]

    def _read_as(self, period_ns: int) -> str:
        named = [f"{key} from column {self._header[at]}" for key, at in self._place.items() if at is not None]
        told = "" if self._place["time"] is not None or self._wanted.period_s else " (no time column, no --period)"
        return ", ".join([*named, f"period {period_ns / 1e9:g} s{told}"])

    # --- time

    def _times(
        self, groups: dict[tuple[str, str], list[Row]], decimal: Decimal
    ) -> tuple[dict[tuple[str, str], NDArray[np.int64]], bool]:
        """Nanoseconds, by group, and whether they are dates; nothing where there is no column."""
        at = self._place["time"]
        if at is None:
            return {}, False
        found = {key: [_time_ns(row.cells[at], decimal) for row in rows] for key, rows in groups.items()}
        is_date: bool | None = None
        for key, rows in groups.items():
            for row, time in zip(rows, found[key], strict=True):
                if time is None or (is_date is not None and time[1] != is_date):
                    what = f"{row.cells[at]!r} is no time: write seconds, or e.g. 2026-11-23T14:00:00Z, the same in all rows"
                    raise self._fault(what, row.line)
                is_date = time[1]
        return {key: np.array([time[0] for time in times if time], np.int64) for key, times in found.items()}, bool(is_date)

    def _period_ns(self, times: dict[tuple[str, str], NDArray[np.int64]]) -> int:
        """As told; else the step that is most frequent, the shortest of several."""
        if self._wanted.period_s:
            return round(self._wanted.period_s * 1e9)
        steps = Counter(int(step) for each in times.values() for step in np.diff(each) if step > 0)
        return max(steps, key=lambda step: (steps[step], -step)) if steps else 1_000_000_000

    # --- samples

    def _decimal(self) -> Decimal:
        """Of the file: where no cell has a comma it is a point, whatever the file leaves open."""
        places = [*self._samples, *([self._place["time"]] if self._place["time"] is not None else [])]
        cells = [cell for row in self._table.rows for at in places if "," in (cell := row.cells[at])]
        if not cells:
            return Decimal.POINT
        numbers = (row.cells[at] for row in self._table.rows for at in self._samples)
        decimal = decimal_of(numbers)
        if decimal is Decimal.MIXED:
            raise self._fault("has numbers with a decimal point and numbers with a decimal comma: write all of them in one way")
        if decimal is Decimal.UNKNOWN and self._table.separator != ";":
            raise self._fault(f"{cells[0]!r} may be with a decimal comma or with thousands: write it with a decimal point")
        return Decimal.COMMA if decimal is Decimal.UNKNOWN else decimal

    def _batch(self, key: tuple[str, str], rows: Sequence[Row], slots_ns: NDArray[np.int64], decimal: Decimal) -> Batch:
        unit, name = key
        self._tell_disorder(name, rows, slots_ns)
        values = np.array([[_number(row.cells[at], decimal) for at in self._samples] for row in rows], np.float64)
        known: dict[tuple[str, str, str], Stamp] = {}
        stamps = []
        for row in rows:
            phase, product, version = (self._cell(row, told) for told in ("phase", "product", "recipe_version"))
            if (phase, product, version) not in known:
                about = self._wanted.context
                stamp = replace(about, batch=name, phase=phase, product=product or about.product)
                known[phase, product, version] = replace(stamp, recipe_version=version or about.recipe_version)
            stamps.append(known[phase, product, version])
        return Batch(unit, name, slots_ns, values, tuple(stamps))

    def _tell_disorder(self, name: str, rows: Sequence[Row], slots_ns: NDArray[np.int64]) -> None:
        newest = np.maximum.accumulate(slots_ns)
        late = np.flatnonzero(slots_ns[1:] <= newest[:-1]) + 1
        if len(late):
            first = rows[int(late[0])].line
            what = f"{len(late)} row{'s' if len(late) > 1 else ''} not later than the one before, the first on line {first}"
            self._remarks.append(f"batch {name}: {what}: not judged")

    def _texts(self, decimal: Decimal) -> Iterator[str]:
        """Cells that are neither empty nor a number, column by column."""
        for at in self._samples:
            odd = [row for row in self._table.rows if row.cells[at] and math.isnan(_number(row.cells[at], decimal))]
            if odd:
                shown = f"{odd[0].cells[at][:40]!r} on line {odd[0].line}"
                yield f"column {self._header[at]}: {len(odd)} cells are no number, the first is {shown}: bad samples"


def _number(cell: str, decimal: Decimal) -> float:
    """NaN for what is none."""
    if not cell or "_" in cell:  # Python would read 1_0 as 10
        return math.nan
    try:
        value = float(cell.replace(",", ".") if decimal is Decimal.COMMA and "." not in cell else cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _time_ns(cell: str, decimal: Decimal) -> tuple[int, bool] | None:
    """(nanoseconds, whether it is a date); None for what is no time."""
    seconds = _number(cell, decimal)
    if not math.isnan(seconds):
        return (round(seconds * 1e9), False) if abs(seconds) < 1e9 * 9 else None
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000, True
