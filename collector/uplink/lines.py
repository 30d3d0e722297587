"""Journal rows to line protocol: the one place that decides what InfluxDB is told. Pure, but for one memory.

    process,site=S,unit=R-201,batch=B-24-017,phase=Dose product_temperature=64.93,stirrer_speed=80.0 1732270000000000000
    quality,site=S,unit=R-201,role=product_temperature,tagname=TT-201A quality="bad",status=2147483648i 1732270000000000000

Only good and uncertain samples are fields; a field's type is its column's kind, and a float64 comes back bit for bit.
The quality of a column is told when it changes, and for all columns at the first scan after `forget`: that is the
memory. NaN and infinities, which InfluxDB can't hold, are told as the qualities `nan`, `inf` and `-inf`.

Every sample is counted once: the samples of a row are the sum over its lines plus `unlined`. A sample without a field
counts with the line of its columns, else with the first quality line of those, else it is unlined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from collector.store.rows import EventRow, Row, ScanRow
from collector.terms import Stamp
from collector.uplink.escape import field_name, name, series, text_field
from collector.uplink.schema import event_lines
from config.tags import Kind
from drivers.base import Layout, Quality, Scan

MAX_FIELDS = 250
"""A line's most; InfluxDB 3 allows 500 columns a table."""

_UNCERTAIN = np.uint8(Quality.UNCERTAIN)  # comparing with the enum itself costs 3 µs
_NAN, _INFINITE, _MINUS_INFINITE = 4, 5, 6
QUALITIES = ("good", "uncertain", "bad", "stale", "nan", "inf", "-inf")
"""By code: `Quality`, then the values that are good or uncertain but no number."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, without a line feed, and how many samples of row `seq` it stands for."""

    data: bytes
    seq: int
    samples: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a row became."""

    seq: int
    slot_ns: int
    lines: tuple[Line, ...]
    unlined: int = 0
    """Samples of which there is nothing to tell: neither a value nor a change of quality."""

    @property
    def samples(self) -> int:
        """All samples of the row."""
        return self.unlined + sum(line.samples for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Columns that share a line: of one unit, at most MAX_FIELDS."""

    unit: int
    """Index into `Layout.units`."""
    columns: tuple[int, ...]
    fields: tuple[bytes, ...]
    """`role=` of each."""
    whole: bytes
    """The fields of all columns, with `%b` for each value."""
    span: slice | None
    """The columns as a slice, where they lie side by side."""


class _Plan:
    """What is the same for every scan of a layout."""

    def __init__(self, site: str, layout: Layout) -> None:
        kinds = np.array([column.kind.value for column in layout.columns])
        self.units = layout.units
        self.chunks = _chunks(layout)
        self.reals = np.flatnonzero(kinds == Kind.REAL)
        self.booleans = np.flatnonzero(kinds == Kind.BOOLEAN)
        self.texts = kinds == Kind.TEXT
        self.has_texts = bool(self.texts.any())
        self.is_float = (kinds == Kind.REAL) | (kinds == Kind.BOOLEAN)
        self.only_reals = len(self.reals) == len(layout.columns)
        self.quality = tuple(
            series("quality", (("site", site), ("unit", c.unit), ("role", c.role), ("tagname", c.name))) for c in layout.columns
        )
        self.all_good = bytes(len(layout.columns))
        self.told: tuple[bytes, bytes] | None = None
        """Codes and statuses that the sink was told last, as bytes: one comparison for all columns."""


def _chunks(layout: Layout) -> tuple[_Chunk, ...]:
    chunks = []
    for index, unit in enumerate(layout.units):
        of_unit = [i for i, column in enumerate(layout.columns) if column.unit == unit]
        for start in range(0, len(of_unit), MAX_FIELDS):
            columns = tuple(of_unit[start : start + MAX_FIELDS])
            fields = tuple(f"{name(field_name(layout.columns[i].role))}=".encode() for i in columns)
            whole = b",".join(field.replace(b"%", b"%%") + b"%b" for field in fields)
            side_by_side = columns[-1] - columns[0] + 1 == len(columns)
            span = slice(columns[0], columns[-1] + 1) if side_by_side else None
            chunks.append(_Chunk(index, columns, fields, whole, span))
    return tuple(chunks)


class Encoder:
    """Encodes the rows of one journal, in their order. Not for several threads at once."""

    def __init__(self, site: str, *, texts: bool = True, phase: bool = True) -> None:
        """`texts`: the sink holds texts. `phase`: the phase is a tag of its own (of VictoriaMetrics it would make new series)."""
        self._site = site
        self._texts = texts
        self._phase = phase
        self._plans: dict[str, _Plan] = {}

    def forget(self) -> None:
        """The sink may not have what was last encoded: tell every quality again."""
        for plan in self._plans.values():
            plan.told = None

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """What each row becomes, in the same order."""
        return [self._scan(row) if isinstance(row, ScanRow) else self._event(row) for row in rows]

    def _event(self, row: EventRow) -> Encoded:
        lines = event_lines(self._site, row, texts=self._texts, phase=self._phase)
        return Encoded(row.seq, row.event.slot_ns, tuple(Line(data, row.seq, 0) for data in lines))

    def _scan(self, row: ScanRow) -> Encoded:
        scan = row.scan
        plan = self._plan(scan.layout)
        time = b" %d" % scan.slot_ns
        code = _codes(scan, plan)
        told = self._quality_lines(scan, plan, code, time)
        lines: list[Line] = []
        unlined = 0
        gaps, fields = self._fields(scan, plan, code)
        for chunk in plan.chunks:
            samples = 0 if scan.lost else len(chunk.columns)
            if data := _field_list(chunk, fields, gaps=gaps):
                lines.append(Line(self._head(plan, chunk, row.stamps) + data + time, row.seq, samples))
            elif samples and (column := next((i for i in chunk.columns if i in told), None)) is not None:
                lines.append(Line(told.pop(column), row.seq, samples))
            else:
                unlined += samples
        lines += [Line(data, row.seq, 0) for data in told.values()]
        return Encoded(row.seq, scan.slot_ns, tuple(lines), unlined)

    def _plan(self, layout: Layout) -> _Plan:
        plan = self._plans.get(layout.id)
        if plan is None:
            plan = self._plans[layout.id] = _Plan(self._site, layout)
        return plan

    def _head(self, plan: _Plan, chunk: _Chunk, stamps: tuple[Stamp, ...]) -> bytes:
        stamp = stamps[chunk.unit]
        phase = stamp.phase if self._phase else ""
        return series(
            "process", (("site", self._site), ("unit", plan.units[chunk.unit]), ("batch", stamp.batch), ("phase", phase))
        )

    def _quality_lines(self, scan: Scan, plan: _Plan, code: NDArray[np.uint8], time: bytes) -> dict[int, bytes]:
        """By column: the lines of those whose quality or status is not what was last told."""
        now, before = (code.tobytes(), scan.status.tobytes()), plan.told
        if now == before:
            return {}
        plan.told = now
        changed = np.arange(len(code))
        if before is not None:
            changed = np.flatnonzero(
                (code != np.frombuffer(before[0], np.uint8)) | (scan.status != np.frombuffer(before[1], np.uint32))
            )
        return {i: plan.quality[i] + self._quality_fields(code[i], scan.status[i]) + time for i in changed.tolist()}

    def _quality_fields(self, code: np.uint8, status: np.uint32) -> bytes:
        quality = b'quality="%s",' % QUALITIES[code].encode() if self._texts else b""
        return quality + b"status=%di" % status

    def _fields(self, scan: Scan, plan: _Plan, code: NDArray[np.uint8]) -> tuple[bool, list[bytes]]:
        """Whether some columns may have no field, and the spelled value of every column, empty where there is no field."""
        if code.tobytes() == plan.all_good and (self._texts or not plan.has_texts):
            return False, _spelled(scan, plan)
        usable = code <= _UNCERTAIN
        if not self._texts:
            usable &= ~plan.texts
        if not usable.any():
            return True, [b""] * len(usable)
        return True, [value if use else b"" for value, use in zip(_spelled(scan, plan), usable.tolist(), strict=True)]


def _codes(scan: Scan, plan: _Plan) -> NDArray[np.uint8]:
    """Index into QUALITIES of each column, `[k]`."""
    code = scan.quality.copy()
    if scan.lost or np.isfinite(scan.values).all():
        return code
    odd = plan.is_float & (code <= _UNCERTAIN) & ~np.isfinite(scan.values)
    code[odd] = np.where(np.isnan(scan.values[odd]), _NAN, np.where(scan.values[odd] > 0, _INFINITE, _MINUS_INFINITE))
    return code


def _spelled(scan: Scan, plan: _Plan) -> list[bytes]:
    """Every column's value in line protocol; what is no number is spelled `null`, and never used."""
    if plan.only_reals:
        return _numbers(scan.values)
    spelled: list[bytes] = [b""] * len(scan.values)
    for i, number in zip(plan.reals.tolist(), _numbers(scan.values[plan.reals]), strict=True):
        spelled[i] = number
    for i, true in zip(plan.booleans.tolist(), (scan.values[plan.booleans] != 0).tolist(), strict=True):
        spelled[i] = b"true" if true else b"false"
    for i, number in zip(scan.layout.integer_columns.tolist(), scan.integers.tolist(), strict=True):
        spelled[i] = b"%di" % number
    for i, text in zip(scan.layout.text_columns.tolist(), scan.texts, strict=True):
        spelled[i] = text_field(text)
    return spelled


def _numbers(values: NDArray[np.float64]) -> list[bytes]:
    """The shortest digits that name each float64, as orjson writes them: 65.0, 1e16, 5e-324, -0.0."""
    if not len(values):
        return []
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _field_list(chunk: _Chunk, fields: list[bytes], *, gaps: bool) -> bytes:
    """`role=value,role=value` of the columns that have a field; empty when none has. `gaps`: some may have none."""
    values = fields[chunk.span] if chunk.span else [fields[i] for i in chunk.columns]
    if gaps and not all(values):
        return b",".join([field + value for field, value in zip(chunk.fields, values, strict=True) if value])
    return chunk.whole % tuple(values)
