"""Series of float64 as integers wherever that brings back the very bits: instruments have a resolution.

    decimal   q / 10^k                            what was written with k decimals
    single    float32(q / 10^k)                   the same, by a controller that counts in float32
    scaled    q * scale + offset                  a register by its tag's scale
    bits32    the bits of the float32             a float32 with all its noise
    bits64    the bits                            anything

    kind u8  exponent u8  exceptions u32  [scale f64  offset f64]  | integer series of q
    exceptions: positions u32 each, bits i64 each                    what q does not bring back: NaN, -0.0, a glitch

A form is taken for a column when it brings back all of its values but one in sixteen; each value is compared by its bits, so that
no form ever changes one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.store import integer_series

_DECIMAL, _SINGLE, _SCALED, _BITS32, _BITS64 = range(5)
_HEAD = struct.Struct("<BBI")
_SCALING = struct.Struct("<dd")
_SAMPLED = 64
_SPARED = 16
_UNSCALED = np.array([[1.0, 0.0]])
_LARGE = 10
"""No exponent that is written is as large."""
_MOST_WHOLE = 2.0**53
Values = NDArray[np.float64]
Scaling = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Form:
    kind: int
    exponent: int = 0

    def whole(self, values: Values, scaling: Values) -> Values:
        """`q` of `values [c, m]`, not yet checked, never -0.0, which no integer is; `scaling [c, 2]`."""
        if self.kind == _SCALED:
            return np.rint((values - scaling[:, 1:]) / scaling[:, :1]) + 0.0
        return np.rint(values * 10.0**self.exponent) + 0.0

    def values(self, whole: Values, scaling: Values) -> Values:
        """What `q [c, m]` brings back."""
        if self.kind == _SCALED:
            return whole * scaling[:, :1] + scaling[:, 1:]
        values = whole / 10.0**self.exponent
        return values.astype(np.float32).astype(np.float64) if self.kind == _SINGLE else values


_WHOLE = _Form(_DECIMAL)
_FORMS = (
    _WHOLE,
    _Form(_SCALED),
    *(_Form(_DECIMAL, exponent) for exponent in range(1, 10)),
    *(_Form(_SINGLE, exponent) for exponent in range(1, 8)),
)


def encode(values: Values, scalings: Sequence[Scaling]) -> list[bytes]:
    """Each row of `values [c, m]`; `scalings` are scale and offset of each row's tag."""
    coded = [b""] * len(values)
    scaling = np.array(scalings, np.float64).reshape(len(values), 2)
    with np.errstate(all="ignore"):
        for row, one in _in_bits(values, _by_forms(values, scaling, coded)):
            coded[row] = one
    return coded


def _by_forms(values: Values, scaling: Values, coded: list[bytes]) -> NDArray[np.intp]:
    """Fill in what a form brings back; the rows that are left."""
    sampled = values[:, :: max(1, values.shape[1] // _SAMPLED)]
    left = np.flatnonzero(np.isfinite(sampled).any(axis=1))
    for form in _FORMS:
        asked = left if form.kind != _SCALED else left[(scaling[left] != (1.0, 0.0)).any(axis=1)]
        if not len(asked):
            continue
        likely = asked[_fits(form, sampled[asked], scaling[asked])]
        if len(likely):
            _code(form, values, scaling, likely, coded)
            left = np.array([row for row in left if not coded[row]], np.intp)
    return np.array([row for row in range(len(values)) if not coded[row]], np.intp)


def _fits(form: _Form, values: Values, scaling: Values) -> NDArray[np.bool_]:
    """Which rows of `values [c, m]` the form brings back, but for a few and those that are no numbers."""
    whole = form.whole(values, scaling)
    missed = ~_same(form.values(whole, scaling), values) & np.isfinite(values)
    fits: NDArray[np.bool_] = missed.sum(axis=1) <= values.shape[1] // _SPARED
    return fits


def _code(form: _Form, values: Values, scaling: Values, rows: NDArray[np.intp], coded: list[bytes]) -> None:
    wanted = values[rows]
    whole = form.whole(wanted, scaling[rows])
    odd = ~_same(form.values(whole, scaling[rows]), wanted) | ~(np.abs(whole) < _MOST_WHOLE)
    counts = odd.sum(axis=1)
    kept = np.flatnonzero(counts <= wanted.shape[1] // _SPARED)
    if not len(kept):
        return
    numbers = _without(whole[kept], odd[kept]) if counts.any() else whole[kept]
    for at, series in zip(kept.tolist(), integer_series.encode(numbers.astype(np.int64)), strict=True):
        head = _HEAD.pack(form.kind, form.exponent, counts[at])
        if form.kind == _SCALED:
            head += _SCALING.pack(*scaling[rows[at]])
        coded[rows[at]] = head + series
        if counts[at]:
            where = np.flatnonzero(odd[at])
            coded[rows[at]] += where.astype("<u4").tobytes() + wanted[at, where].tobytes()


def _without(whole: Values, odd: NDArray[np.bool_]) -> Values:
    """In place of what is odd the one before, so that it costs nothing; 0 where none came before."""
    at = np.maximum.accumulate(np.where(odd, -1, np.arange(whole.shape[1])), axis=1)
    return np.where(at < 0, 0.0, np.take_along_axis(whole, np.maximum(at, 0), axis=1))


def _same(mine: Values, theirs: Values) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = mine.view(np.int64) == theirs.view(np.int64)
    return same


def _in_bits(values: Values, rows: NDArray[np.intp]) -> list[tuple[int, bytes]]:
    if not len(rows):
        return []
    wanted = np.ascontiguousarray(values[rows])
    single = wanted.astype(np.float32)
    narrow = _same(single.astype(np.float64), wanted).all(axis=1)
    coded = []
    for kind, among, bits in (
        (_BITS32, narrow, single[narrow].view(np.int32).astype(np.int64)),
        (_BITS64, ~narrow, wanted[~narrow].view(np.int64)),
    ):
        series = integer_series.encode(bits)
        coded += [(int(row), _HEAD.pack(kind, 0, 0) + one) for row, one in zip(rows[among], series, strict=True)]
    return coded


def decode(buffer: bytes, at: int, count: int) -> tuple[Values, int]:
    """The series of `count` values that begins at `at`, and where it ends. Raises struct.error, ValueError on foreign bytes."""
    kind, exponent, exceptions = _HEAD.unpack_from(buffer, at)
    at += _HEAD.size
    scaling = _UNSCALED
    if kind == _SCALED:
        scaling = np.array([_SCALING.unpack_from(buffer, at)])
        at += _SCALING.size
    whole, at = integer_series.decode(buffer, at, count)
    if kind == _BITS64:
        return whole.view(np.float64), at
    if kind == _BITS32:
        return whole.astype(np.int32).view(np.float32).astype(np.float64), at
    if kind == _DECIMAL and exponent < _LARGE:  # no error can come of it, and it is most of all series
        values = whole / 10.0**exponent
    else:
        with np.errstate(all="ignore"):
            values = _Form(kind, exponent).values(whole.astype(np.float64)[None], scaling)[0]
    if exceptions:
        where = np.frombuffer(buffer, "<u4", exceptions, at)
        at += where.nbytes
        values[where] = np.frombuffer(buffer, "<f8", exceptions, at)
        at += 8 * exceptions
    return values, at
