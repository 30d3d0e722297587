"""From the bytes of an answer to samples, all values of a type in one step. Pure.

What is gathered has a type that fits its tag, stands at a place that the layout has proven, and is a finite number or a proper
text. Every other item, and every one in doubt, goes to the item decoder: there is one place where the rules stand, and it is
not here. So both ways give the same samples, bit for bit.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from config.tags import Kind
from drivers.base import Column
from drivers.opcua.decode import BAD, ItemDecoder, Value
from drivers.opcua.layout import HAS_SOURCE_STAMP, HAS_STATUS, HAS_VALUE, STRING, AnswerLayout
from drivers.opcua.samples import Misfit, Samples

_V = ua.VariantType
_INTEGERS: dict[int, np.dtype[Any]] = {
    _V.SByte.value: np.dtype("<i1"),
    _V.Byte.value: np.dtype("<u1"),
    _V.Int16.value: np.dtype("<i2"),
    _V.UInt16.value: np.dtype("<u2"),
    _V.Int32.value: np.dtype("<i4"),
    _V.UInt32.value: np.dtype("<u4"),
    _V.Int64.value: np.dtype("<i8"),
    _V.UInt64.value: np.dtype("<u8"),
    _V.StatusCode.value: np.dtype("<u4"),
}
_KINDS = (Kind.REAL, Kind.INTEGER, Kind.BOOLEAN, Kind.TEXT)
_REAL, _INTEGER, _BOOLEAN, _TEXT = range(4)
_NUMBERS: dict[int, np.dtype[Any]] = {
    **{_REAL << 8 | type_: dtype for type_, dtype in _INTEGERS.items()},
    _REAL << 8 | _V.Float.value: np.dtype("<f4"),
    _REAL << 8 | _V.Double.value: np.dtype("<f8"),
    **{_INTEGER << 8 | type_: dtype for type_, dtype in _INTEGERS.items()},
    _BOOLEAN << 8 | _V.Boolean.value: np.dtype("<u1"),
}
"""What is gathered: by the kind of the tag (index among _KINDS) and the type on the wire."""
_IS_NUMBER = np.isin(np.arange(len(_KINDS) << 8), list(_NUMBERS))
_UINT32, _INT64, _UINT64 = np.dtype("<u4"), np.dtype("<i8"), np.dtype("<u8")
_INT64_HIGH = np.uint64(2**63 - 1)
_LENGTH = struct.Struct("<i")
_EPOCH_US = 11_644_473_600_000_000
"""From 1601, where the wire's stamps begin, to 1970."""
_LAST_US = np.uint64((2**63 - 1) // 1000)
_Indices = NDArray[np.intp]


class ColumnTable:
    """What gathering needs to know of n columns, as arrays `[n]`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.kinds = np.array([_KINDS.index(column.kind) for column in columns], np.uint16)
        self.scale = np.array([column.scale for column in columns], np.float64)
        self.offset = np.array([column.offset for column in columns], np.float64)
        self.scaled = (self.scale != 1.0) | (self.offset != 0.0)
        self.integer_columns = np.flatnonzero(self.kinds == _INTEGER)
        self.text_columns = np.flatnonzero(self.kinds == _TEXT)
        self.position = np.zeros(len(columns), np.intp)
        """Of integer columns among the integers, of text columns among the texts."""
        for of_a_kind in (self.integer_columns, self.text_columns):
            self.position[of_a_kind] = np.arange(len(of_a_kind))


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """Columns of one kind whose values are of one type."""

    kind: int
    type: np.dtype[Any]
    columns: _Indices
    value_at: _Indices


@dataclass(frozen=True, slots=True)
class _Text:
    column: int
    position: int
    length_at: int


class Gatherer:
    """Gathers the samples of answers of one layout, for n columns in the order of its items."""

    def __init__(self, layout: AnswerLayout, table: ColumnTable, items: ItemDecoder) -> None:
        self._layout, self._table, self._items = layout, table, items
        self._count = len(table.kinds)
        # Only real tags are scaled by the plant file; if ever others are, the item decoder knows what that means.
        plain = (table.kinds == _REAL) | ~table.scaled
        with_value = (layout.masks & HAS_VALUE).astype(bool)
        keys = table.kinds << np.uint16(8) | layout.types
        is_number = plain & with_value & _IS_NUMBER[keys]
        is_text = plain & with_value & (table.kinds == _TEXT) & (layout.types == STRING)
        self._numbers = tuple(self._of_one_type(keys, is_number))
        self._texts = tuple(
            _Text(column, int(table.position[column]), int(layout.starts[column]) + 2)
            for column in np.flatnonzero(is_text).tolist()
        )
        self._no_numbers = np.flatnonzero(~is_number)
        self._rest = np.flatnonzero(~is_number & ~is_text).tolist()
        self._scaled = np.flatnonzero(is_number & table.scaled)
        self._scale, self._offset = table.scale[self._scaled], table.offset[self._scaled]
        self._with_status = np.flatnonzero(layout.masks & HAS_STATUS)
        self._status_at = layout.status_at[self._with_status]
        self._with_stamp = np.flatnonzero(layout.masks & HAS_SOURCE_STAMP)
        self._stamp_at = layout.source_stamp_at[self._with_stamp]

    def _of_one_type(self, keys: NDArray[np.uint16], is_number: NDArray[np.bool_]) -> Iterable[_Numbers]:
        for key in np.unique(keys[is_number]).tolist():
            columns = np.flatnonzero(is_number & (keys == key))
            yield _Numbers(key >> 8, _NUMBERS[key], columns, self._layout.starts[columns] + 2)

    def samples(self, body: bytes) -> Samples | None:
        """The samples of an answer; None when it is not of this layout."""
        others = self._layout.others(body)
        if others is None:
            return None
        status = self._status(body)
        values, integers, doubtful = self._all_numbers(body)
        texts, no_texts = self._all_texts(body)
        doubtful += self._rest + no_texts
        bad = np.flatnonzero(status >= BAD) if self._with_status.size else self._with_status
        if bad.size:
            self._blank(bad, status, values, integers, texts)
            doubtful = [column for column in doubtful if status[column] < BAD]
        misfits: list[Misfit] = []
        for column in sorted(doubtful):
            answer = others[column] if column in others else self._layout.item(body, column)
            value, status[column], misfit = self._items.take(column, answer)
            self._put(column, value, values, integers, texts)
            if misfit:
                misfits.append(misfit)
        return Samples(values, status, self._source_ns(body), integers, tuple(texts), tuple(misfits))

    def _status(self, body: bytes) -> NDArray[np.uint32]:
        status = np.zeros(self._count, np.uint32)
        if self._with_status.size:
            status[self._with_status] = _gathered(body, _UINT32, self._status_at)
        return status

    def _all_numbers(self, body: bytes) -> tuple[NDArray[np.float64], NDArray[np.int64], list[int]]:
        """Values, integers, and the columns whose number can't be taken as it is."""
        values = np.zeros(self._count)
        integers = np.zeros(len(self._table.integer_columns), np.int64)
        doubtful: list[int] = []
        with np.errstate(over="ignore", invalid="ignore"):
            for group in self._numbers:
                numbers = _gathered(body, group.type, group.value_at)
                values[group.columns] = numbers != 0 if group.kind == _BOOLEAN else numbers
                if group.kind == _INTEGER:
                    integers[self._table.position[group.columns]] = numbers
                    if group.type == _UINT64:
                        doubtful += group.columns[numbers > _INT64_HIGH].tolist()
            if self._scaled.size:
                values[self._scaled] = values[self._scaled] * self._scale + self._offset
        finite = np.isfinite(values)
        if not finite.all():
            doubtful += np.flatnonzero(~finite).tolist()
        if self._no_numbers.size:
            values[self._no_numbers] = np.nan
        return values, integers, doubtful

    def _all_texts(self, body: bytes) -> tuple[list[str], list[int]]:
        """The texts, and the columns whose bytes are none."""
        texts, doubtful = [""] * len(self._table.text_columns), []
        for text in self._texts:
            length = _LENGTH.unpack_from(body, text.length_at)[0]
            start = text.length_at + _LENGTH.size
            try:
                texts[text.position] = body[start : start + max(length, 0)].decode()
            except UnicodeDecodeError:
                doubtful.append(text.column)
        return texts, doubtful

    def _source_ns(self, body: bytes) -> NDArray[np.int64]:
        # In whole microseconds, as the item decoder has them.
        since_us = _gathered(body, _INT64, self._stamp_at) // 10 - _EPOCH_US
        stamps: NDArray[np.int64] = since_us * 1000
        meant = (since_us - 1).view(np.uint64) < _LAST_US
        if not meant.all():
            stamps[~meant] = 0
        if len(stamps) == self._count:
            return stamps
        source_ns = np.zeros(self._count, np.int64)
        source_ns[self._with_stamp] = stamps
        return source_ns

    def _blank(
        self,
        bad: _Indices,
        status: NDArray[np.uint32],
        values: NDArray[np.float64],
        integers: NDArray[np.int64],
        texts: list[str],
    ) -> None:
        """Nothing stays of values that the server calls bad."""
        values[bad] = np.nan
        integers[status[self._table.integer_columns] >= BAD] = 0
        for text in self._texts:
            if status[text.column] >= BAD:
                texts[text.position] = ""

    def _put(
        self, column: int, value: Value | None, values: NDArray[np.float64], integers: NDArray[np.int64], texts: list[str]
    ) -> None:
        values[column] = np.nan if value is None or isinstance(value, str) else value
        if self._table.kinds[column] == _INTEGER:
            integers[self._table.position[column]] = value or 0
        elif self._table.kinds[column] == _TEXT:
            texts[self._table.position[column]] = str(value or "")


def _gathered(body: bytes, type_: np.dtype[Any], at: _Indices) -> NDArray[Any]:
    """The numbers of a type that begin at these bytes, wherever they stand."""
    gathered: NDArray[Any] = np.ndarray((len(body) - type_.itemsize + 1,), type_, body, 0, (1,))[at]
    return gathered
