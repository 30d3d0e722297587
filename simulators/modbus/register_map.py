"""The register map of a simulated Modbus endpoint, as a vendor documents it: what lies where, and what must not be asked.

    unit  table    address  notation  count  type     order  ...  tag
    1     input    0        30001     2      float32  CDAB   ...  TT-301A
    1     input    2-3      30003     2      gap                        reads as 0
    1     input    4-65535  30005     65532  illegal                    exception 2

Pure. Of every unit id it tells each address of each table; only an addressed bit shares one, with its register and
the other bits. A request must not touch an illegal address, so it never crosses one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from config.model import ModbusDevice, ModbusEndpoint
from config.tags import BIT_TABLES, ModbusTag
from simulators.modbus.tables import TABLES, forbidden_of, spans_of, tags_of

LAST_ADDRESS = 65535
_DIGIT = {"coil": 0, "discrete": 1, "input": 3, "holding": 4}
Meaning = Literal["tag", "gap", "illegal", "forbidden"]
"""A gap reads as 0. Illegal and forbidden addresses are answered with exception 2, the latter by order of the plant file."""

HEADINGS = ("unit", "device", "table", "address", "notation", "count", "type", "word order", "scale", "offset", "EU",
            "range", "states", "role", "tag")  # fmt: skip
"""Of `Row.cells`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value, or one stretch without."""

    unit_id: int
    device: str
    table: str
    first: int
    """As on the wire, from 0."""
    count: int
    """Registers, or bits in the bit tables."""
    meaning: Meaning
    tag: ModbusTag | None = None

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    @property
    def notation(self) -> str:
        """As manuals print it: the digit of the table, then the address from 1 in four digits, five beyond 9999."""
        number = self.first + 1
        reference = f"{_DIGIT[self.table]}{number:0{4 if number <= 9999 else 5}d}"
        return reference if self.tag is None or self.tag.bit is None else f"{reference}.{self.tag.bit}"

    @property
    def address(self) -> str:
        """From 0: `100`, `100.5` for a bit of it, `100-103`."""
        if self.tag:
            return self.tag.address.partition(":")[2]
        return str(self.first) if self.count == 1 else f"{self.first}-{self.last}"

    def cells(self) -> tuple[str, ...]:
        """The row as it is printed, under HEADINGS; what does not apply is empty."""
        place = (str(self.unit_id), self.device, self.table, self.address, self.notation, str(self.count))
        tag = self.tag
        if tag is None:
            return (*place, self.meaning, *([""] * 8))
        number = tag.wire_type not in ("bit", "text")
        order = tag.word_order if self.table not in BIT_TABLES else ""
        scale, offset = (f"{tag.scale:g}", f"{tag.offset:g}") if number else ("", "")
        states = ", ".join(f"{value}={name}" for value, name in sorted(tag.states.items()))
        return (*place, tag.wire_type, order, scale, offset, tag.engineering_unit or "", _range(tag), states, tag.role, tag.name)


def register_map(endpoint: ModbusEndpoint) -> tuple[Row, ...]:
    """Every address of every unit id: units in the order of the file, then by table and address."""
    return tuple(row for device in endpoint.devices for table in TABLES for row in _of_table(device, table))


def _of_table(device: ModbusDevice, table: str) -> list[Row]:
    tags = tags_of(table, device)
    rows = [_row(device, table, tag.offset_in_table, tag.register_count, "tag", tag) for tag in tags]
    spans = spans_of(tags, device.gap, forbidden_of(table, device))
    used = ((tag.offset_in_table, tag.offset_in_table + tag.register_count - 1) for tag in tags)
    rows += [_row(device, table, first, last - first + 1, "gap") for first, last in _between(spans, used)]
    rows += _illegal(device, table, spans)
    return sorted(rows, key=lambda row: row.first)  # stable: a register stays before its bits


def _illegal(device: ModbusDevice, table: str, spans: tuple[tuple[int, int], ...]) -> Iterator[Row]:
    """Outside the spans; what is forbidden there apart from what is merely not there."""
    everywhere = ((0, LAST_ADDRESS),)
    forbidden = sorted(forbidden_of(table, device))
    for first, last in _between(everywhere, spans):
        for low, high in _between(((first, last),), forbidden):
            yield _row(device, table, low, high - low + 1, "illegal")
        outside = tuple(_between(((first, last),), _between(((first, last),), forbidden)))
        for low, high in outside:
            yield _row(device, table, low, high - low + 1, "forbidden")


def _between(spans: Iterable[tuple[int, int]], used: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches of `spans` that no range of `used`, ascending by their first address, covers."""
    ranges = list(used)
    free: list[tuple[int, int]] = []
    for first, last in spans:
        at = first
        for low, high in ranges:
            if high < at or low > last:
                continue
            if low > at:
                free.append((at, low - 1))
            at = max(at, high + 1)
        if at <= last:
            free.append((at, last))
    return free


def _row(device: ModbusDevice, table: str, first: int, count: int, meaning: Meaning, tag: ModbusTag | None = None) -> Row:
    return Row(device.unit_id, device.name, table, first, count, meaning, tag)


def _range(tag: ModbusTag) -> str:
    """`-30…200`; an open end is left out."""
    if tag.range is None:
        return ""
    low, high = ("" if bound is None else f"{bound:g}" for bound in (tag.range.low, tag.range.high))
    return f"{low}…{high}"
