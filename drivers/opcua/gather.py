"""From the bytes of an answer to samples, all values of a type in one step. Pure.

What is gathered has a type that fits its tag, stands at a place that the layout has proven, and is a finite number or a proper
text. Every other item, and every one in doubt, goes to the item decoder: there is one place where the rules stand, and it is
not here. So both ways give the same samples, bit for bit.
"""

from __future__ import annotations

import contextvars
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from config.tags import Kind
from drivers.base import Column
from drivers.opcua.decode import BAD, ItemDecoder, Value
from drivers.opcua.layout import HAS_SOURCE_STAMP, HAS_STATUS, HAS_VALUE, STRING, AnswerLayout
from drivers.opcua.pick import Picker
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
_NO = np.False_.tobytes()
"""In the bytes of an array of truths; looking there is quicker than `all` for short ones."""
_LENGTH = struct.Struct("<i")
_EPOCH_US = 11_644_473_600_000_000
"""From 1601, where the wire's stamps begin, to 1970."""
_LAST_US = np.uint64((2**63 - 1) // 1000)
_Indices = NDArray[np.intp]
_NO_INDICES = np.zeros(0, np.intp)


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


@dataclass(frozen=True, slots=True)
class _Text:
    column: int
    position: int
    length_at: int


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """Columns of one kind whose values are of one type, and where their values go, in the order of the types."""

    kind: int
    type: np.dtype[Any]
    columns: _Indices


class Gatherer:
    """Gathers the samples of answers of one layout, for n columns in the order of its items.

    Numbers are converted in the order of their types, then put into the order of the columns; `_numbers` has a last NaN, for
    columns without a number.
    """

    def __init__(self, layout: AnswerLayout, table: ColumnTable, items: ItemDecoder) -> None:
        self._layout, self._table, self._items = layout, table, items
        self._count = len(table.kinds)
        # Only real tags are scaled by the plant file; if ever others are, the item decoder knows what that means.
        plain = ((table.kinds == _REAL) | ~table.scaled) & (layout.masks & HAS_VALUE).astype(bool)
        keys = table.kinds << np.uint16(8) | layout.types
        is_number = plain & _IS_NUMBER[keys]
        is_text = plain & (table.kinds == _TEXT) & (layout.types == STRING)
        self._rest = np.flatnonzero(~is_number & ~is_text).tolist()
        self._texts = tuple(
            _Text(column, int(table.position[column]), int(layout.starts[column]) + 2)
            for column in np.flatnonzero(is_text).tolist()
        )
        groups = [
            _Numbers(key >> 8, _NUMBERS[key], np.flatnonzero(is_number & (keys == key)))
            for key in np.unique(keys[is_number]).tolist()
        ]
        self._with_status = np.flatnonzero(layout.masks & HAS_STATUS)
        self._with_stamp = np.flatnonzero(layout.masks & HAS_SOURCE_STAMP)
        self._picker = Picker(
            [
                *((group.type, layout.starts[group.columns] + 2) for group in groups),
                (_INT64, layout.source_stamp_at[self._with_stamp]),
                (_UINT32, layout.status_at[self._with_status]),
                (np.dtype(np.uint8), layout.fixed_at),
            ]
        )
        *picked, self._stamps, self._status, self._fixed = self._picker.views
        self._proof = self._picker.since(-2)
        self._good_proof = bytes(self._status.nbytes) + layout.fixed
        self._since_us = np.zeros(len(self._stamps), np.int64)
        self._since_us_unsigned = self._since_us.view(np.uint64)
        self._quiet = contextvars.copy_context()
        self._quiet.run(np.seterr, over="ignore", invalid="ignore")  # numpy keeps it in the context; `errstate` costs 4 us
        self._place_numbers(groups, picked)

    def _place_numbers(self, groups: Sequence[_Numbers], picked: Sequence[NDArray[Any]]) -> None:
        table = self._table
        self._columns = np.concatenate([_NO_INDICES, *(group.columns for group in groups)])
        total = len(self._columns)
        self._converted = np.full(total + 1, np.nan)
        self._numbers = self._converted[:total]
        ends = np.cumsum([0] + [len(group.columns) for group in groups]).tolist()
        places = [self._numbers[start:end] for start, end in pairwise(ends)]
        self._booleans = [(p, to) for p, to, group in zip(picked, places, groups, strict=True) if group.kind == _BOOLEAN]
        self._others = [(p, to) for p, to, group in zip(picked, places, groups, strict=True) if group.kind != _BOOLEAN]
        self._integers = [
            (table.position[group.columns], p) for p, group in zip(picked, groups, strict=True) if group.kind == _INTEGER
        ]
        self._of_one_type = len(self._integers) == 1 and len(self._integers[0][1]) == len(table.integer_columns)
        self._unsigned = [(p, group.columns) for p, group in zip(picked, groups, strict=True) if group.type == _UINT64]
        self._in_order = np.full(self._count, total, np.intp)
        self._in_order[self._columns] = np.arange(total)
        # A column without scaling is multiplied by 1 and gets -0 added, which leaves every number as it is, -0 too.
        self._any_scaled = bool(table.scaled[self._columns].any())
        self._scale = table.scale[self._columns]
        self._offset = np.where(table.scaled, table.offset, -0.0)[self._columns]

    def samples(self, body: bytes) -> Samples | None:
        """The samples of an answer; None when it is not of this layout."""
        if len(body) != self._layout.size_bytes:
            return None
        self._picker.pick(body)
        all_good = self._proof.tobytes() == self._good_proof
        if not all_good and self._fixed.tobytes() != self._layout.fixed:
            return None
        others = self._layout.others(body) if self._layout.unmeasured else {}
        if others is None:
            return None
        status, bad = self._all_status(all_good=all_good)
        values, integers, doubtful = self._all_numbers()
        texts, no_texts = self._all_texts(body)
        doubtful += self._rest + no_texts
        if bad is not None:
            self._blank(bad, values, integers, texts)
            doubtful = [column for column in doubtful if not bad[column]]
        misfits: list[Misfit] = []
        for column in sorted(doubtful):
            answer = others[column] if column in others else self._layout.item(body, column)
            value, status[column], misfit = self._items.take(column, answer)
            self._put(column, value, values, integers, texts)
            if misfit:
                misfits.append(misfit)
        return Samples(values, status, self._source_ns(), integers, tuple(texts), tuple(misfits))

    def _all_status(self, *, all_good: bool) -> tuple[NDArray[np.uint32], NDArray[np.bool_] | None]:
        """Status codes, and which are bad; None when all are good."""
        status = np.zeros(self._count, np.uint32)
        if all_good:
            return status, None
        status[self._with_status] = self._status
        return status, status >= BAD

    def _all_numbers(self) -> tuple[NDArray[np.float64], NDArray[np.int64], list[int]]:
        """Values, integers, and the columns whose number can't be taken as it is."""
        doubtful: list[int] = []
        self._quiet.run(self._convert)
        for picked, columns in self._unsigned:
            doubtful += columns[picked > _INT64_HIGH].tolist()
        finite = np.isfinite(self._numbers)
        if _NO in finite.tobytes():
            doubtful += self._columns[~finite].tolist()
        return self._converted.take(self._in_order), self._all_integers(), doubtful

    def _convert(self) -> None:
        for picked, to in self._others:
            to[:] = picked
        for picked, to in self._booleans:
            np.not_equal(picked, 0, out=to)
        if self._any_scaled:
            self._numbers *= self._scale
            self._numbers += self._offset

    def _all_integers(self) -> NDArray[np.int64]:
        if self._of_one_type:
            return self._integers[0][1].astype(np.int64)  # positions of one group ascend, so they are all in order
        integers = np.zeros(len(self._table.integer_columns), np.int64)
        for positions, picked in self._integers:
            integers[positions] = picked
        return integers

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

    def _source_ns(self) -> NDArray[np.int64]:
        # In whole microseconds, as the item decoder has them.
        since_us = np.floor_divide(self._stamps, 10, out=self._since_us)
        since_us -= _EPOCH_US
        meant = self._since_us_unsigned <= _LAST_US
        stamps_ns: NDArray[np.int64] = since_us * 1000
        if _NO in meant.tobytes():
            stamps_ns[~meant] = 0
        if len(stamps_ns) == self._count:
            return stamps_ns
        source_ns = np.zeros(self._count, np.int64)
        source_ns[self._with_stamp] = stamps_ns
        return source_ns

    def _blank(self, bad: NDArray[np.bool_], values: NDArray[np.float64], integers: NDArray[np.int64], texts: list[str]) -> None:
        """Nothing stays of values that the server calls bad."""
        values[bad] = np.nan
        integers[bad[self._table.integer_columns]] = 0
        for text in self._texts:
            if bad[text.column]:
                texts[text.position] = ""

    def _put(
        self, column: int, value: Value | None, values: NDArray[np.float64], integers: NDArray[np.int64], texts: list[str]
    ) -> None:
        values[column] = np.nan if value is None or isinstance(value, str) else value
        if self._table.kinds[column] == _INTEGER:
            integers[self._table.position[column]] = value or 0
        elif self._table.kinds[column] == _TEXT:
            texts[self._table.position[column]] = str(value or "")
