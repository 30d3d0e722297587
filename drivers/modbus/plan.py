"""Which reads a scan group needs: the fewest that the device allows. Pure.

    tags      TT-201A      PT-201  XV.3       WT-205
    holding   100 101      104     104        130 131
    reads     [100 ........... 104]           [130 131]      gap 25 > 8, so two

Invariants: every tag lies in exactly one read, whole; no read is longer than the device answers, touches a
forbidden range, or bridges more than `gap` addresses that nobody asked for; the same tags give the same reads,
in whatever order they are listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from config.model import ModbusDevice, forbidden_range
from config.tags import BIT_TABLES, REGISTER_TABLES, ModbusTag

TABLES = BIT_TABLES + REGISTER_TABLES


@dataclass(frozen=True, slots=True)
class Read:
    """One request: `count` addresses of a table from `first` on, and the columns whose tags lie in it, ascending."""

    table: str
    first: int
    count: int
    columns: tuple[int, ...]

    @property
    def last(self) -> int:
        """The last address it takes."""
        return self.first + self.count - 1

    @property
    def size_bytes(self) -> int:
        """Bytes of its answer: two a register, or eight bits a byte."""
        return (self.count + 7) // 8 if self.table in BIT_TABLES else 2 * self.count

    def __str__(self) -> str:
        return f"{self.table}:{self.first}-{self.last}"


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    """The addresses of one tag."""

    first: int
    last: int
    column: int


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a device allows in one table."""

    table: str
    longest: int
    gap: int
    forbidden: tuple[tuple[int, int], ...]

    def touches_forbidden(self, first: int, last: int) -> bool:
        return any(low <= last and first <= high for low, high in self.forbidden)

    def joins(self, first: int, last: int, span: _Span) -> bool:
        """True when the read `first`-`last` may be extended to take in `span`, which begins no earlier."""
        fits = max(last, span.last) - first < self.longest
        return fits and span.first - last - 1 <= self.gap and not self.touches_forbidden(first, span.last)

    def check(self, span: _Span, tag: ModbusTag) -> None:
        if span.last - span.first >= self.longest:
            raise ValueError(f"tag {tag.name}: {tag.address} takes more than the {self.longest} that the device answers at once")
        if self.touches_forbidden(span.first, span.last):
            raise ValueError(f"tag {tag.name}: {tag.address} lies in a forbidden range of its device")


def plan_reads(tags: Sequence[ModbusTag], device: ModbusDevice, columns: Iterable[int] | None = None) -> tuple[Read, ...]:
    """The fewest legal reads of `tags`, or of those at `columns`; by table, then by address.

    Raises ValueError for a tag that no legal read can take in: longer than the device's reads, or forbidden.
    """
    wanted = tuple(range(len(tags)) if columns is None else columns)
    return tuple(read for table in TABLES for read in _cover(tags, wanted, _rules(device, table)))


def halves(read: Read, tags: Sequence[ModbusTag], device: ModbusDevice) -> tuple[Read, ...]:
    """`read` in smaller reads, cut between tags near its middle; empty when all its tags share one address span."""
    spans = sorted({(span.first, span.last) for span in _spans(tags, read.columns, read.table)})
    if len(spans) == 1:
        return ()
    lower = set(spans[: len(spans) // 2])
    parts: tuple[list[int], list[int]] = ([], [])
    for span in _spans(tags, read.columns, read.table):
        parts[(span.first, span.last) not in lower].append(span.column)
    return tuple(smaller for part in parts for smaller in plan_reads(tags, device, part))


def shape(read: Read) -> tuple[str, int]:
    """What an answer without a transaction number tells of its read: the function, and how many bytes."""
    return read.table, read.size_bytes


def marker(read: Read, shapes: Set[tuple[str, int]]) -> Read | None:
    """A part of `read` whose answer can't be taken for that of any read of `shapes`: the longest; None where there is none."""
    parts = (Read(read.table, read.first, count, ()) for count in range(read.count - 1, 0, -1))
    return next((part for part in parts if shape(part) not in shapes), None)


def _rules(device: ModbusDevice, table: str) -> _Rules:
    ranges = (forbidden_range(text) for text in device.forbidden)
    longest = device.max_bits if table in BIT_TABLES else device.max_registers
    return _Rules(table, longest, device.gap, tuple((low, high) for name, low, high in ranges if name == table))


def _spans(tags: Sequence[ModbusTag], columns: Sequence[int], table: str) -> list[_Span]:
    spans = []
    for column in columns:
        tag = tags[column]
        if tag.table == table:
            first = tag.offset_in_table
            spans.append(_Span(first, first + tag.register_count - 1, column))
    return sorted(spans)


def _cover(tags: Sequence[ModbusTag], columns: Sequence[int], rules: _Rules) -> Iterator[Read]:
    """Greedy from the lowest address; that is the fewest.

    A span that does not join ends beyond all that was taken in. Whatever comes after it and would still have fitted
    the earlier read lies between its beginning and its end, so it costs no read of its own.
    """
    block: list[_Span] = []
    last = -1
    for span in _spans(tags, columns, rules.table):
        rules.check(span, tags[span.column])
        if block and not rules.joins(block[0].first, last, span):
            yield _read(rules.table, block, last)
            block, last = [], -1
        block.append(span)
        last = max(last, span.last)
    if block:
        yield _read(rules.table, block, last)


def _read(table: str, block: Sequence[_Span], last: int) -> Read:
    first = block[0].first
    return Read(table, first, last - first + 1, tuple(sorted(span.column for span in block)))
