"""`verify --sink`: does a sink hold what the journal says that it accepted? Compared by hour and unit.

Of each hour and unit: how many points the sink must hold, how many of them it holds with the same value, and a checksum
over (field, time, value bits) that does not depend on their order, on both sides. Points of rows that are not settled
yet may be there or not; points that the journal never had are told as foreign.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from collector.store.cursors import Cursor
from collector.store.reader import Reader
from collector.store.rows import ScanRow
from collector.uplink.escape import field_name
from collector.uplink.readback import Points, Precision, Readback, Value
from config.tags import Kind
from drivers.base import Quality

HOUR_NS = 3_600_000_000_000
_MASK = 2**64 - 1


@dataclass(slots=True)
class Hour:
    """One unit in one hour. Points are values of fields."""

    unit: str
    from_ns: int
    expected: int = 0
    """Accepted, by the journal."""
    missing: int = 0
    different: int = 0
    foreign: int = 0
    """In the sink, and in no row of the journal."""
    checksum: int = 0
    """Of what is expected."""
    sink_checksum: int = 0
    """Of what the sink holds of it."""
    example: str = ""
    """The first that is not as it should be."""

    @property
    def same(self) -> bool:
        """The sink holds all of it as it was accepted, and nothing else."""
        return not (self.missing or self.different or self.foreign)


@dataclass(frozen=True, slots=True)
class _Point:
    value: Value
    settled: bool


Expected = dict[str, dict[tuple[str, int], _Point]]
"""By unit: every point by field and time."""


async def compare(reader: Reader, cursor: Cursor, dead: frozenset[int], site: str, sink: Readback) -> AsyncIterator[Hour]:
    """Every hour and unit of the journal, ascending. `dead`: rows with dead letters, of which nothing is expected.

    Raises StoreError, DamagedRow, NotReadable.
    """
    for from_ns in _hours(reader):
        rows = reader.scans_between(from_ns, from_ns + HOUR_NS)
        expected = _expected(rows, cursor, dead, sink.precision)
        for unit, points in sorted(expected.items()):
            held = await sink.points(site, unit, from_ns, from_ns + HOUR_NS)
            yield _compared(Hour(unit, from_ns), points, held, sink.precision)


def _hours(reader: Reader) -> list[int]:
    """Begins of all hours that have a scan."""
    span = reader.slot_span()
    if span is None:
        return []
    begins = range(span[0] - span[0] % HOUR_NS, span[1] + 1, HOUR_NS)
    return [from_ns for from_ns in begins if reader.count_between(from_ns, from_ns + HOUR_NS)]


def _expected(rows: Iterable[ScanRow], cursor: Cursor, dead: frozenset[int], precision: Precision) -> Expected:
    expected: Expected = {}
    for row in sorted(rows, key=lambda row: row.seq):
        if row.scan.lost:
            continue
        settled = _is_settled(row.seq, cursor) and row.seq not in dead
        time_ns = row.scan.slot_ns - row.scan.slot_ns % precision.time_ns
        for unit, field, value in _values(row, precision):
            points = expected.setdefault(unit, {})
            before = points.get((field, time_ns))
            if settled or before is None:  # a later row of the same slot overwrites, once it is sent
                points[field, time_ns] = _Point(value, settled)
    return expected


def _is_settled(seq: int, cursor: Cursor) -> bool:
    return seq <= cursor.seq and not any(each.after < seq <= each.until for each in cursor.behind)


def _values(row: ScanRow, precision: Precision) -> Iterator[tuple[str, str, Value]]:
    """What InfluxDB can hold of a row: good and uncertain, and a number where it is one."""
    scan, layout = row.scan, row.scan.layout
    integers, texts = iter(scan.integers.tolist()), iter(scan.texts)
    for column, number, quality in zip(layout.columns, scan.values.tolist(), scan.quality.tolist(), strict=True):
        value: Value = number
        if column.kind is Kind.INTEGER:
            value = next(integers)
        elif column.kind is Kind.TEXT:
            value = next(texts).encode("utf-8", "backslashreplace").decode()
        elif column.kind is Kind.BOOLEAN:
            value = bool(number)
        usable = quality <= Quality.UNCERTAIN and (column.kind in (Kind.INTEGER, Kind.TEXT) or math.isfinite(number))
        if usable and (precision.texts or column.kind is not Kind.TEXT):
            yield column.unit, field_name(column.role), value


def _compared(hour: Hour, points: dict[tuple[str, int], _Point], held: Points, precision: Precision) -> Hour:
    for (field, time_ns), point in points.items():
        found = held.get(field, {}).pop(time_ns, None)
        if not point.settled:
            continue
        hour.expected += 1
        hour.checksum = (hour.checksum + _hash(field, time_ns, point.value)) & _MASK
        if found is None:
            hour.missing += 1
            hour.example = hour.example or f"{field} at {time_ns}: {point.value!r} is missing"
            continue
        same = _same(point.value, found, precision)
        hour.sink_checksum = (hour.sink_checksum + _hash(field, time_ns, point.value if same else found)) & _MASK
        if not same:
            hour.different += 1
            hour.example = hour.example or f"{field} at {time_ns}: {found!r}, not {point.value!r}"
    for field, left in held.items():
        hour.foreign += len(left)
        for time_ns, value in left.items():
            hour.example = hour.example or f"{field} at {time_ns}: {value!r} is in no row of the journal"
    return hour


def _same(value: Value, found: Value, precision: Precision) -> bool:
    if isinstance(value, str) or isinstance(found, str):
        return value == found
    if precision.relative:
        return math.isclose(float(value), float(found), rel_tol=precision.relative, abs_tol=1e-300)
    if isinstance(value, float):
        return not isinstance(found, bool) and float(found).hex() == value.hex()
    return type(value) is type(found) and value == found


def _hash(field: str, time_ns: int, value: Value) -> int:
    spelled = value.hex() if isinstance(value, float) else repr(value)
    return int.from_bytes(blake2b(f"{field} {time_ns} {spelled}".encode(), digest_size=8).digest())


def totals(hours: Sequence[Hour]) -> Hour:
    """All together, for a last line."""
    return Hour(
        "all",
        hours[0].from_ns if hours else 0,
        sum(hour.expected for hour in hours),
        sum(hour.missing for hour in hours),
        sum(hour.different for hour in hours),
        sum(hour.foreign for hour in hours),
        sum(hour.checksum for hour in hours) & _MASK,
        sum(hour.sink_checksum for hour in hours) & _MASK,
    )
