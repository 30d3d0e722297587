"""The four tables of one simulated Modbus device: where each tag lies, what may be read, what the registers hold.

Readable are the configured addresses and the gaps of at most `gap` addresses between them, unless a forbidden range
lies in the gap; gaps hold 0. All else is an illegal address. A whole value is
laid first and addressed bits of the same register on top of it. A value with bad status, or one that no register can
hold, is no number: whoever asks for it gets "server device failure".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from config.model import ModbusDevice, forbidden_range
from config.tags import BIT_TABLES, ModbusTag
from simulators.registers import bit_mask, encode
from simulators.source import Point, Source

_log = structlog.get_logger()

TABLES = ("coil", "discrete", "holding", "input")


class NoValue(Exception):
    """A value that was asked for is not there; the text names its tag."""


@dataclass(frozen=True, slots=True)
class _Placed:
    first: int
    count: int
    tag: ModbusTag
    point: Point


class Table:
    """One table. `spans` are its readable ranges, first and last address inclusive, ascending."""

    def __init__(self, name: str, device: ModbusDevice, source: Source) -> None:
        own = [tag for tag in device.tags if tag.table == name]
        tags = sorted(own, key=lambda tag: (tag.offset_in_table, tag.bit is not None))
        self._placed = [_Placed(tag.offset_in_table, tag.register_count, tag, source.point(device, tag)) for tag in tags]
        self._firsts = [placed.first for placed in self._placed]
        self._longest = max((placed.count for placed in self._placed), default=0)
        self._clamped: set[str] = set()
        self.is_bits = name in BIT_TABLES
        forbidden = [(first, last) for table, first, last in map(forbidden_range, device.forbidden) if table == name]
        used = [(placed.first, placed.first + placed.count - 1) for placed in self._placed]
        self.spans = readable_spans(used, device.gap, forbidden)

    def readable(self, address: int, count: int) -> bool:
        """Whether a request lies wholly in one readable range."""
        return any(first <= address and address + count - 1 <= last for first, last in self.spans)

    def registers(self, first: int, count: int) -> list[int]:
        """What `count` registers from `first` hold; 0 in gaps. Raises NoValue."""
        image = [0] * count
        for placed in self._touched(first, count):
            if placed.tag.bit is None:
                for register, content in enumerate(self._content(placed), placed.first - first):
                    if 0 <= register < count:
                        image[register] = content
            else:
                mask = bit_mask(placed.tag)
                rest = image[placed.first - first] & ~mask
                image[placed.first - first] = rest | (mask if self._value(placed) else 0)
        return image

    def words(self, first_word: int, count: int) -> list[int]:
        """Bits of a bit table, sixteen to a word, the first in the lowest; bits outside `spans` are 0. Raises NoValue."""
        image = [0] * count
        for placed in self._touched(16 * first_word, 16 * count):
            word, bit = divmod(placed.first - 16 * first_word, 16)
            image[word] |= bool(self._value(placed)) << bit
        return image

    def _touched(self, first: int, count: int) -> list[_Placed]:
        start = bisect_left(self._firsts, first - self._longest + 1)
        end = bisect_left(self._firsts, first + count)
        return [placed for placed in self._placed[start:end] if placed.first + placed.count > first]

    def _value(self, placed: _Placed) -> float | int | bool | str:
        reading = placed.point()
        if reading.value is None or reading.bad:
            raise NoValue(placed.tag.name)
        return reading.value

    def _content(self, placed: _Placed) -> tuple[int, ...]:
        tag, value = placed.tag, self._value(placed)
        try:
            encoded = encode(tag, value)
        except ValueError as exc:
            raise NoValue(f"{tag.name}: {exc}") from exc
        if encoded.clamped and tag.name not in self._clamped:
            self._clamped.add(tag.name)
            _log.warning("simulated value clamped", tag=tag.name, value=value, type=tag.wire_type)
        return encoded.registers


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
