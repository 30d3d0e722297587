"""Samples of a stretch of time as rows of CSV, long form: one row per sample, so that groups of any period fit.

Nothing is filled in: a slot in which the device did not answer gives a row without a value, with its status, where the
gap begins; the gap's end stands in the journal's events, and `gaps` tells them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from collector.store.reader import Reader
from collector.store.rows import ScanRow
from collector.terms import Event, EventKind
from config.tags import Kind
from drivers.base import Changes, Layout, Quality, Scan, quality_of

HEADER = ("time", "unit", "batch", "phase", "tag", "role", "value", "engineering_unit", "quality", "status", "source_time")
QUALITY_WORDS = {quality.value: quality.name.lower() for quality in Quality}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which samples: from ≤ slot < to; empty sets select everything. Tags are named as on the P&ID or by role."""

    from_ns: int
    to_ns: int
    units: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def columns(self, layout: Layout) -> list[int]:
        """The indices of the selected columns."""
        return [
            i
            for i, column in enumerate(layout.columns)
            if (not self.units or column.unit in self.units)
            and (not self.tags or column.name in self.tags or column.role in self.tags)
        ]


def iso(time_ns: int) -> str:
    """`2026-11-23T07:44:05.250000000Z`: every nanosecond, always of one length."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def restricted(row: ScanRow, selection: Selection) -> ScanRow | None:
    """`row` with the selected columns only; None when it has none of them."""
    scan, layout = row.scan, row.scan.layout
    chosen = selection.columns(layout)
    if len(chosen) == len(layout.columns):
        return row
    if not chosen:
        return None
    part = replace(layout, columns=tuple(layout.columns[i] for i in chosen))
    stamps = dict(zip(layout.units, row.stamps, strict=True))
    texts = dict(zip(layout.text_columns.tolist(), scan.texts, strict=True))
    kept = Scan(
        part,
        scan.slot_ns,
        scan.received_ns,
        scan.values[chosen],
        scan.status[chosen],
        scan.quality[chosen],
        None if scan.source_ns is None else scan.source_ns[chosen],
        scan.integers[np.isin(layout.integer_columns, chosen)],
        tuple(texts[i] for i in chosen if i in texts),
        lost=scan.lost,
        changes=scan.changes and _restricted(scan.changes, chosen),
    )
    return ScanRow(row.seq, kept, tuple(stamps[unit] for unit in part.units))


def _restricted(found: Changes, chosen: list[int]) -> Changes | None:
    """Those of the columns `chosen`, ascending, which are then numbered anew."""
    rows = np.isin(found.columns, chosen)
    if not rows.any():
        return None
    columns = np.searchsorted(chosen, found.columns[rows]).astype(np.int32)
    return Changes(columns, found.source_ns[rows], found.values[rows], found.status[rows])


def samples(row: ScanRow) -> Iterator[tuple[str, ...]]:
    """A row of text per sample, in the order of `HEADER`."""
    scan, layout = row.scan, row.scan.layout
    stamps = dict(zip(layout.units, row.stamps, strict=True))
    time = iso(scan.slot_ns)
    for i, (column, value) in enumerate(zip(layout.columns, _texts(row), strict=True)):
        stamp = stamps[column.unit]
        source = "" if scan.source_ns is None or not scan.source_ns[i] else iso(int(scan.source_ns[i]))
        quality, status = QUALITY_WORDS[int(scan.quality[i])], f"0x{int(scan.status[i]):08X}"
        about = (column.unit, stamp.batch, stamp.phase, column.name, column.role)
        yield (time, *about, value, column.engineering_unit or "", quality, status, source)


def changes(row: ScanRow) -> Iterator[tuple[str, ...]]:
    """A row of text per value that came before the slot, in the order of `HEADER`; `time` is when it was."""
    scan, layout = row.scan, row.scan.layout
    if scan.changes is None:
        return
    stamps = dict(zip(layout.units, row.stamps, strict=True))
    times, quality = scan.changes.times_ns(scan.slot_ns, layout.period_ns), quality_of(scan.changes.status)
    arrays = (scan.changes.columns, times, scan.changes.values, quality, scan.changes.status, scan.changes.source_ns)
    for at, time_ns, value, grade, status, source_ns in zip(*(array.tolist() for array in arrays), strict=True):
        column = layout.columns[at]
        stamp = stamps[column.unit]
        about = (column.unit, stamp.batch, stamp.phase, column.name, column.role)
        text = "" if grade >= Quality.BAD else _number(column.kind, value)
        source = iso(source_ns) if source_ns else ""
        yield (iso(time_ns), *about, text, column.engineering_unit or "", QUALITY_WORDS[grade], f"0x{status:08X}", source)


def _number(kind: Kind, value: float) -> str:
    """Reads back to the same value."""
    if kind is Kind.BOOLEAN:
        return "true" if value else "false"
    return str(int(value)) if kind is Kind.INTEGER else repr(value)


def _texts(row: ScanRow) -> list[str]:
    """Each column's value as text that reads back to the same value; empty where the quality is bad."""
    scan, layout = row.scan, row.scan.layout
    integers = dict(zip(layout.integer_columns.tolist(), scan.integers.tolist(), strict=True))
    texts = dict(zip(layout.text_columns.tolist(), scan.texts, strict=True))
    values = []
    for i, (column, value, quality) in enumerate(zip(layout.columns, scan.values.tolist(), scan.quality.tolist(), strict=True)):
        if quality >= Quality.BAD:
            values.append("")
        elif column.kind is Kind.INTEGER:
            values.append(str(integers[i]))
        elif column.kind is Kind.TEXT:
            values.append(texts[i])
        else:
            values.append(_number(column.kind, value))
    return values


def gaps(reader: Reader, selection: Selection, devices: Collection[str] = ()) -> list[Event]:
    """The gaps that end in the selected time, of all devices or of those named."""
    events = (row.event for row in reader.events_between(selection.from_ns, selection.to_ns))
    return [
        event
        for event in events
        if event.kind is EventKind.GAP and (not devices or event.body.get("device", "") in {*devices, ""})
    ]
