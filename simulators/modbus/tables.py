"""The four tables of one simulated Modbus device: where each tag lies, what may be read, what the wire carries.

Readable are the configured addresses and the gaps of at most `gap` addresses between them, unless a forbidden range
lies in the gap; gaps hold 0. All else is an illegal address. A whole value is laid first and addressed bits of the
same register on top of it.

    what the source shows of a tag        a request that touches it
    a value                               its registers, clamped to what they can hold
    nothing, or bad status                4 server device failure, for a value that is not there is no number;
    BadNotConnected, a float tag          NaN: how input cards tell an open sensor
    BadNodeIdUnknown                      2 illegal data address
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from config.model import ModbusDevice, forbidden_range
from config.tags import BIT_TABLES, ModbusTag
from simulators.modbus.registers import Lay, layer
from simulators.source import BAD_NODE_ID_UNKNOWN, BAD_NOT_CONNECTED, Point, Reading, Source, Value

_log = structlog.get_logger()

TABLES = ("coil", "discrete", "holding", "input")
ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE = 2, 3, 4
_BAD = 0x8000_0000


class Refused(Exception):
    """What was asked for is not answered; `code` is the exception's on the wire, the text names address or tag."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Placed:
    first: int
    end: int
    tag: ModbusTag
    point: Point
    lay: Lay


class Table:
    """One table. `spans` are its readable ranges, first and last address inclusive, ascending."""

    def __init__(self, name: str, device: ModbusDevice, source: Source) -> None:
        tags = tags_of(name, device)
        self._placed = [_placed(tag, source.point(device, tag)) for tag in tags]
        self._firsts = [placed.first for placed in self._placed]
        self._longest = max((placed.end - placed.first for placed in self._placed), default=0)
        self._clamped: set[str] = set()
        self.is_bits = name in BIT_TABLES
        self.spans = spans_of(tags, device.gap, forbidden_of(name, device))
        self._span_firsts = [first for first, _ in self.spans]

    def readable(self, address: int, count: int) -> bool:
        """Whether a request lies wholly in one readable range."""
        span = bisect_right(self._span_firsts, address) - 1
        return span >= 0 and address + count - 1 <= self.spans[span][1]

    def read(self, first: int, count: int) -> bytes:
        """The content of an answer: two bytes to a register, eight bits to a byte, the first the lowest. Raises Refused."""
        if not self.readable(first, count):
            raise Refused(ILLEGAL_ADDRESS, f"{first} to {first + count - 1} is not one readable range")
        touched = self._touched(first, count)
        return self._bits(touched, first, count) if self.is_bits else self._registers(touched, first, count)

    def _registers(self, touched: list[tuple[_Placed, Value]], first: int, count: int) -> bytes:
        """Laid into an image that is wider by the longest value on both sides, so that none need be cut while it is laid."""
        origin = first - self._longest
        image = bytearray(2 * (count + 2 * self._longest))
        for placed, value in touched:
            try:
                clamped = placed.lay(image, 2 * (placed.first - origin), value)
            except ValueError as exc:
                raise Refused(DEVICE_FAILURE, str(exc)) from exc
            if clamped:
                self._tell_clamped(placed.tag, value)
        return bytes(image[2 * self._longest : 2 * (self._longest + count)])

    def _bits(self, touched: list[tuple[_Placed, Value]], first: int, count: int) -> bytes:
        bits = 0
        for placed, value in touched:
            bits |= bool(value) << (placed.first - first)
        return bits.to_bytes((count + 7) // 8, "little")

    def _touched(self, first: int, count: int) -> list[tuple[_Placed, Value]]:
        """Every tag in the request with its value. Raises Refused; what is gone comes before what is not there."""
        start = bisect_left(self._firsts, first - self._longest + 1)
        end = bisect_left(self._firsts, first + count)
        touched: list[tuple[_Placed, Value]] = []
        absent: Refused | None = None
        for placed in self._placed[start:end]:
            if placed.end <= first:
                continue
            reading = placed.point()
            value = reading.value
            if reading.status == BAD_NOT_CONNECTED and placed.tag.wire_type.startswith("float"):
                touched.append((placed, math.nan))
            elif value is None or reading.status >= _BAD:
                absent = _refusal(placed.tag, reading)
                if absent.code == ILLEGAL_ADDRESS:
                    raise absent
            else:
                touched.append((placed, value))
        if absent:
            raise absent
        return touched

    def _tell_clamped(self, tag: ModbusTag, value: Value) -> None:
        """Once: a value that stays outside would fill the log."""
        if tag.name not in self._clamped:
            self._clamped.add(tag.name)
            _log.warning("simulated value clamped", tag=tag.name, value=value, type=tag.wire_type)


def _placed(tag: ModbusTag, point: Point) -> _Placed:
    first = tag.offset_in_table
    return _Placed(first, first + tag.register_count, tag, point, layer(tag))


def _refusal(tag: ModbusTag, reading: Reading) -> Refused:
    if reading.status == BAD_NODE_ID_UNKNOWN:
        return Refused(ILLEGAL_ADDRESS, f"{tag.name} is gone")
    return Refused(DEVICE_FAILURE, f"{tag.name} has no value")


def tags_of(table: str, device: ModbusDevice) -> list[ModbusTag]:
    """Those that lie in it, by their address; a register before its addressed bits."""
    own = [tag for tag in device.tags if tag.table == table]
    return sorted(own, key=lambda tag: (tag.offset_in_table, tag.bit is not None, tag.bit))


def forbidden_of(table: str, device: ModbusDevice) -> list[tuple[int, int]]:
    """First and last address of each forbidden range in it."""
    return [(first, last) for name, first, last in map(forbidden_range, device.forbidden) if name == table]


def spans_of(tags: Sequence[ModbusTag], gap: int, forbidden: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """What may be read of a table that holds `tags`, ascending by their address."""
    return readable_spans([(tag.offset_in_table, tag.offset_in_table + tag.register_count - 1) for tag in tags], gap, forbidden)


def readable_spans(
    used: Sequence[tuple[int, int]], gap: int, forbidden: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Merge `used` ranges, ascending by their first address, over gaps of at most `gap` that hold nothing forbidden."""
    spans: list[tuple[int, int]] = []
    for first, last in used:
        if spans and first - spans[-1][1] - 1 <= gap and not _any_between(forbidden, spans[-1][1] + 1, first - 1):
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    return tuple(spans)


def _any_between(forbidden: Sequence[tuple[int, int]], low: int, high: int) -> bool:
    return any(first <= high and last >= low for first, last in forbidden if low <= high)
