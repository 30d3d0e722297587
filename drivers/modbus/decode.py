"""Raw answers to columns, by one gather that is prepared once per plan. Pure.

    answers     | read 0 ................ | read 1 ..... |       bytes as they came, end to end
    index        5 4 3 2   9 8   ...    0 1 2 3                  put in order for this machine, a byte each
    gathered    | 8-byte items | 4-byte | 2-byte | 1-byte |      views by type, texts last

Undoing a word order is nothing but the order of the index. Registers R0 R1 .. hold the value's bytes big-endian; ABCD as is;
CDAB with the registers reversed; BADC with the bytes of each register swapped; DCBA both.

Invariants: an answer of another length than its read is refused, never shifted; what cannot be decoded is bad, with
NaN, 0 or an empty text for its value; unscaled values are bit-exact, integers always.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.tags import BIT_TABLES, Kind, ModbusTag
from drivers.base import Layout, Status
from drivers.modbus.plan import Read

_DTYPES = {
    "bit": "u1",
    "int16": "i2",
    "uint16": "u2",
    "bcd16": "u2",
    "float16": "f2",
    "int32": "i4",
    "uint32": "u4",
    "bcd32": "u4",
    "float32": "f4",
    "int64": "i8",
    "uint64": "u8",
    "float64": "f8",
}
_REVERSED = ("CDAB", "DCBA")
_SWAPPED = ("BADC", "DCBA")
_INT64_MAX = np.uint64(2**63 - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """values `float64[k]`, integers `int64[i]`, texts `[t]`, status `uint32[k]`, as in a `Scan`."""

    values: NDArray[np.float64]
    integers: NDArray[np.int64]
    texts: tuple[str, ...]
    status: NDArray[np.uint32]
    all_good: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """All columns of one wire type and kind: `view` shows their raw values after a gather, `[n]`."""

    wire_type: str
    columns: NDArray[np.intp]
    run: slice | None
    """The same columns, where they follow each other: numpy is quicker with it."""
    positions: NDArray[np.intp]
    """Where they stand among the integer columns; empty for other kinds."""
    shifts: NDArray[np.uint8]
    """Which bit of the byte; of bits only."""
    view: NDArray[np.generic]

    def numbers(self) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None, int]:
        """The values, which of them are no values (None: all are), and the status that says why."""
        if self.wire_type == "bit":
            return (self.view.view(np.uint8) >> self.shifts) & np.uint8(1), None, Status.GOOD
        if self.wire_type.startswith("bcd"):
            numbers, wrong = _decimal(self.view.astype(np.int64), int(self.wire_type[3:]) // 4)
            return numbers, wrong, Status.BAD_DECODING
        if self.wire_type == "uint64" and len(self.positions):
            return self.view, self.view.view(np.uint64) > _INT64_MAX, Status.BAD_OUT_OF_RANGE
        return self.view, None, Status.GOOD


@dataclass(frozen=True, slots=True)
class _Located:
    """A column's tag, and where the read that has it begins among all answers."""

    column: int
    tag: ModbusTag
    kind: Kind
    start: int
    read: Read

    def index(self) -> list[int]:
        """Which bytes of the answers make its value, least significant last; of a text in its order."""
        away = self.tag.offset_in_table - self.read.first
        if self.read.table in BIT_TABLES:
            return [self.start + away // 8]
        at = self.start + 2 * away
        if self.tag.bit is not None:
            return [at + ((self.tag.bit < 8) != (self.tag.word_order in _SWAPPED))]
        registers = [(at + 2 * n, at + 2 * n + 1) for n in range(self.tag.register_count)]
        if self.tag.word_order in _SWAPPED:
            registers = [(low, high) for high, low in registers]
        if self.tag.word_order in _REVERSED and self.kind is not Kind.TEXT:
            registers.reverse()
        return [byte for register in registers for byte in register]

    def shift(self) -> int:
        """Which bit of that byte it is."""
        return (self.tag.offset_in_table - self.read.first if self.tag.bit is None else self.tag.bit) % 8


class Decoder:
    """Decodes the answers of `reads`; columns that are in none of them come out as unknown."""

    def __init__(self, layout: Layout, tags: Sequence[ModbusTag], reads: tuple[Read, ...]) -> None:
        self.reads = reads
        self._sizes = [read.size_bytes for read in reads]
        self._integer_columns = layout.integer_columns
        self._text_columns = layout.text_columns
        located = _locate(layout, tags, reads)
        self._unknown = np.full(len(tags), Status.BAD_NODE_ID_UNKNOWN, np.uint32)
        self._unknown[[item.column for item in located]] = Status.GOOD
        self._gather(located)
        reals = [item for item in located if item.kind is Kind.REAL]
        self._reals = _columns(reals)
        self._all_real = len(reals) == len(tags)
        self._scale = np.ones(len(tags))
        self._offset = np.full(len(tags), -0.0)  # x · 1 + (−0) is x, bit for bit, also where x is −0
        for item in reals:
            self._scale[item.column] = item.tag.scale
            self._offset[item.column] = item.tag.offset or -0.0
        self._is_scaled = any((item.tag.scale, item.tag.offset) != (1.0, 0.0) for item in reals)

    def decode(self, answers: Sequence[bytes | int]) -> Decoded:
        """The columns from the answer to each of `reads`: its bytes, or the status code of a read that failed.

        Raises ValueError when an answer has another length than its read.
        """
        whole = [answer for answer in answers if isinstance(answer, bytes)]
        all_answered = len(whole) == len(answers) and [len(answer) for answer in whole] == self._sizes
        raw = np.frombuffer(b"".join(whole) if all_answered else _joined(self.reads, answers), np.uint8)
        # In range by the lengths just checked; "clip" spares numpy a buffer of its own.
        raw.take(self._index, out=self._gathered, mode="clip")
        status = self._unknown.copy()
        values = np.empty(len(status)) if self._all_real else np.full(len(status), np.nan)
        integers = np.zeros(len(self._integer_columns), np.int64)
        # A signalling NaN and an overflow are found below, so their warnings say nothing new.
        with np.errstate(all="ignore"):
            self._numbers(values, integers, status)
        texts = self._texts(status)
        if not all_answered:
            for read, answer in zip(self.reads, answers, strict=True):
                if isinstance(answer, int):
                    status[list(read.columns)] = answer
        all_good = not np.count_nonzero(status)
        if not all_good:
            texts = self._without_bad(values, integers, texts, status)
        return Decoded(values, integers, tuple(texts), status, all_good)

    def _gather(self, located: Sequence[_Located]) -> None:
        """Lay out the gathered bytes: fields by falling item size, so that every view is aligned, then the texts."""
        numbers = [item for item in located if item.kind is not Kind.TEXT]
        keys = sorted({(item.tag.wire_type, item.kind) for item in numbers}, key=lambda key: (-_size(key[0]), key))
        members = [[item for item in numbers if (item.tag.wire_type, item.kind) == key] for key in keys]
        texts = sorted((item for item in located if item.kind is Kind.TEXT), key=lambda item: item.column)
        index = [byte for items in members for item in items for byte in _native(item.index())]
        self._text_slices: list[tuple[int, slice]] = []
        for item in texts:
            self._text_slices.append((item.column, slice(len(index), len(index) + 2 * item.tag.register_count)))
            index += item.index()
        self._index = np.array(index, np.intp)
        self._gathered = np.zeros(len(index), np.uint8)
        self._fields: list[_Field] = []
        at = 0
        for (wire_type, kind), items in zip(keys, members, strict=True):
            end = at + len(items) * _size(wire_type)
            self._fields.append(_field(wire_type, kind, items, self._gathered[at:end], self._integer_columns))
            at = end

    def _numbers(self, values: NDArray[np.float64], integers: NDArray[np.int64], status: NDArray[np.uint32]) -> None:
        for field in self._fields:
            numbers, wrong, why = field.numbers()
            values[field.run or field.columns] = numbers
            if len(field.positions):
                integers[field.positions] = numbers.astype(np.int64, copy=False)
            if wrong is not None and wrong.any():
                status[field.columns[wrong]] = why
        if self._is_scaled:
            values *= self._scale
            values += self._offset
        finite = np.isfinite(values if self._all_real else values[self._reals])
        if not finite.all():
            wrong_reals = self._reals[~finite]
            status[wrong_reals] = np.where(status[wrong_reals], status[wrong_reals], np.uint32(Status.BAD_OUT_OF_RANGE))

    def _texts(self, status: NDArray[np.uint32]) -> list[str]:
        found: dict[int, str] = {}
        for column, where in self._text_slices:
            try:
                found[column] = self._gathered[where].tobytes().rstrip(b"\0 ").decode()
            except UnicodeDecodeError:
                status[column] = Status.BAD_DECODING
        return [found.get(int(column), "") for column in self._text_columns]

    def _without_bad(
        self, values: NDArray[np.float64], integers: NDArray[np.int64], texts: list[str], status: NDArray[np.uint32]
    ) -> list[str]:
        """Nothing that looks like a value stays beside a bad status."""
        bad = status != Status.GOOD
        values[bad] = np.nan
        integers[bad[self._integer_columns]] = 0
        return ["" if bad[column] else text for column, text in zip(self._text_columns, texts, strict=True)]


def _locate(layout: Layout, tags: Sequence[ModbusTag], reads: Iterable[Read]) -> list[_Located]:
    located, start = [], 0
    for read in reads:
        located += [_Located(column, tags[column], layout.columns[column].kind, start, read) for column in read.columns]
        start += read.size_bytes
    return located


def _field(
    wire_type: str, kind: Kind, items: Sequence[_Located], gathered: NDArray[np.uint8], integer_columns: NDArray[np.intp]
) -> _Field:
    columns = _columns(items)
    positions = np.searchsorted(integer_columns, columns) if kind is Kind.INTEGER else np.zeros(0, np.intp)
    shifts = np.array([item.shift() for item in items] if wire_type == "bit" else [], np.uint8)
    first, last = int(columns[0]), int(columns[-1])
    run = slice(first, last + 1) if np.array_equal(columns, np.arange(first, last + 1)) else None
    return _Field(wire_type, columns, run, positions, shifts, gathered.view(_DTYPES[wire_type]))


def _columns(items: Iterable[_Located]) -> NDArray[np.intp]:
    return np.array([item.column for item in items], np.intp)


def _size(wire_type: str) -> int:
    return int(_DTYPES[wire_type][1:])


def _native(index: list[int]) -> list[int]:
    return index[::-1] if sys.byteorder == "little" else index


def _joined(reads: Sequence[Read], answers: Sequence[bytes | int]) -> bytes:
    parts = []
    for read, answer in zip(reads, answers, strict=True):
        part = bytes(read.size_bytes) if isinstance(answer, int) else answer
        if len(part) != read.size_bytes:
            raise ValueError(f"{read} takes {read.size_bytes} bytes, its answer has {len(part)}")
        parts.append(part)
    return b"".join(parts)


def _decimal(packed: NDArray[np.int64], digits: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Numbers from packed decimal digits, and which have a digit above nine."""
    places = (packed[:, np.newaxis] >> (4 * np.arange(digits))) & 15
    numbers: NDArray[np.int64] = places @ 10 ** np.arange(digits)
    wrong: NDArray[np.bool_] = np.any(places > 9, axis=1)
    return numbers, wrong
