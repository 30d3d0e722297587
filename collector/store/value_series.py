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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.store import integer_series

_DECIMAL, _SINGLE, _SCALED, _BITS32, _BITS64 = range(5)
_HEAD = struct.Struct("<BBI")
_SCALING = struct.Struct("<dd")
_SAMPLED = 16
_SPARED = 16
_UNSCALED = np.array([[1.0, 0.0]])
_LARGE = 10
"""No exponent that is written is as large."""
_DIVISORS = np.array([10.0**exponent for exponent in range(256)])
_POWERS = _DIVISORS[:_LARGE]
_MOST_WHOLE = 2.0**53
_MOST_KNOWN = 4096
Values = NDArray[np.float64]
Scaling = tuple[float, float]
_known_still: dict[tuple[int, Scaling], bytes] = {}
"""Never more than some hundred kilobytes."""

_FORMS = (
    (_DECIMAL, 0),
    (_SCALED, 0),
    *((_DECIMAL, exponent) for exponent in range(1, _LARGE)),
    *((_SINGLE, exponent) for exponent in range(1, 8)),
)
"""Kind and exponent, in the order in which they are tried; what none of them brings back is kept as bits."""
_KINDS, _EXPONENTS = np.array(_FORMS).T


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """Series of which the integers are still to be encoded, c of them."""

    heads: list[bytes]
    numbers: NDArray[np.int64]
    """`[c, m]`"""
    tails: list[bytes]


def encode(values: Values, scalings: Sequence[Scaling]) -> list[bytes]:
    """Each row of `values [c, m]`; `scalings` are scale and offset of each row's tag."""
    if not values.shape[1]:
        return _encode(values, scalings)
    bits = values.view(np.int64)
    still = (bits == bits[:, :1]).all(axis=1).tolist()
    moving = [row for row, is_still in enumerate(still) if not is_still]
    of_moving = iter(_encode(values[moving], [scalings[row] for row in moving]))
    keys = zip(bits[:, 0].tolist(), scalings, strict=True)
    of_still = iter(_still([key for key, is_still in zip(keys, still, strict=True) if is_still]))
    return [next(of_still if is_still else of_moving) for is_still in still]


def _still(keys: Sequence[tuple[int, Scaling]]) -> list[bytes]:
    """Series of what never moves, by its bits and its scaling: valves, setpoints, much the same in every block."""
    coded = {key: known for key in keys if (known := _known_still.get(key))}
    if new := [key for key in dict.fromkeys(keys) if key not in coded]:
        values = np.array([bits for bits, _ in new], np.int64).view(np.float64)[:, None]
        told = dict(zip(new, _encode(values, [scaling for _, scaling in new]), strict=True))
        if len(_known_still) > _MOST_KNOWN:
            _known_still.clear()
        _known_still.update(told)
        coded |= told
    return [coded[key] for key in keys]


def _encode(values: Values, scalings: Sequence[Scaling]) -> list[bytes]:
    if not len(values):
        return []
    scaling = np.array(scalings, np.float64).reshape(len(values), 2)
    with np.errstate(all="ignore"):
        coded = _by_forms(values, scaling)
    series = integer_series.encode(coded.numbers)
    return [b"".join(parts) for parts in zip(coded.heads, series, coded.tails, strict=True)]


def _by_forms(values: Values, scaling: Values) -> _Coded:
    coded = _Coded([b""] * len(values), np.zeros(values.shape, np.int64), [b""] * len(values))
    left = np.arange(len(values))
    fits = _fits(values[:, :: max(1, values.shape[1] // _SAMPLED)], scaling)
    while len(likely := left[fits[:, left].any(axis=0)]):
        forms = np.argmax(fits[:, likely], axis=0)
        _fill_in(coded, values, scaling, likely, forms)
        fits[forms, likely] = False
        left = np.array([row for row in left.tolist() if not coded.heads[row]], np.intp)
    _fill_in_bits(coded, values, left)
    return coded


def _fits(sampled: Values, scaling: Values) -> NDArray[np.bool_]:
    """Which forms bring back which rows of `sampled [c, s]`, but for a few values and those that are no numbers: `[forms, c]`."""
    finite = np.isfinite(sampled)
    powers = _POWERS[:, None, None]
    decimals = _whole(sampled * powers) / powers
    singles = decimals[1:8].astype(np.float32).astype(np.float64)
    backs = np.concatenate([decimals[:1], _scaled(_unscaled(sampled, scaling), scaling)[None], decimals[1:], singles])
    missed = (~_same(backs, sampled) & finite).sum(axis=2)
    fits: NDArray[np.bool_] = (missed <= sampled.shape[1] // _SPARED) & finite.any(axis=1)
    fits[_KINDS == _SCALED] &= (scaling != _UNSCALED).any(axis=1)
    return fits


def _whole(numbers: Values) -> Values:
    """Never -0.0, which no integer is."""
    whole: Values = np.rint(numbers)
    whole += 0.0
    return whole


def _unscaled(values: Values, scaling: Values) -> Values:
    """Registers of `values [c, m]`, not yet checked; `scaling [c, 2]`."""
    return _whole((values - scaling[:, 1:]) / scaling[:, :1])


def _scaled(registers: Values, scaling: Values) -> Values:
    return registers * scaling[:, :1] + scaling[:, 1:]


def _fill_in(coded: _Coded, values: Values, scaling: Values, rows: NDArray[np.intp], forms: NDArray[np.intp]) -> None:
    """Those `rows` that their `forms` bring back but for a few values, which are exceptions."""
    wanted = values if len(rows) == len(values) else values[rows]
    whole, back = _tried(wanted, scaling[rows], forms)
    odd = ~_same(back, wanted) | ~(np.abs(whole) < _MOST_WHOLE)
    counts = odd.sum(axis=1)
    if counts.any():
        whole = _without(whole, odd)
    kept = counts <= wanted.shape[1] // _SPARED
    coded.numbers[rows[kept]] = whole[kept].astype(np.int64)
    for at in np.flatnonzero(kept).tolist():
        row, (kind, exponent), exceptions = rows[at], _FORMS[forms[at]], int(counts[at])
        coded.heads[row] = _HEAD.pack(kind, exponent, exceptions)
        if kind == _SCALED:
            coded.heads[row] += _SCALING.pack(*scaling[row])
        if exceptions:
            where = np.flatnonzero(odd[at])
            coded.tails[row] = where.astype("<u4").tobytes() + wanted[at, where].tobytes()


def _tried(values: Values, scaling: Values, forms: NDArray[np.intp]) -> tuple[Values, Values]:
    """`q` of each row by its form, and what it brings back."""
    powers = _POWERS[_EXPONENTS[forms], None]
    whole = _whole(values * powers)
    back = whole / powers
    if (singles := _KINDS[forms] == _SINGLE).any():
        back[singles] = back[singles].astype(np.float32)
    if (scaled := _KINDS[forms] == _SCALED).any():
        whole[scaled] = _unscaled(values[scaled], scaling[scaled])
        back[scaled] = _scaled(whole[scaled], scaling[scaled])
    return whole, back


def _without(whole: Values, odd: NDArray[np.bool_]) -> Values:
    """In place of what is odd the one before, so that it costs nothing; 0 where none came before."""
    at = np.maximum.accumulate(np.where(odd, -1, np.arange(whole.shape[1])), axis=1)
    return np.where(at < 0, 0.0, np.take_along_axis(whole, np.maximum(at, 0), axis=1))


def _same(mine: Values, theirs: Values) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = mine.view(np.int64) == theirs.view(np.int64)
    return same


def _fill_in_bits(coded: _Coded, values: Values, rows: NDArray[np.intp]) -> None:
    if not len(rows):
        return
    wanted = values[rows]
    single = wanted.astype(np.float32)
    narrow = np.count_nonzero(_same(single.astype(np.float64), wanted), axis=1) == wanted.shape[1]
    coded.numbers[rows] = np.where(narrow[:, None], single.view(np.int32), wanted.view(np.int64))
    for row, is_narrow in zip(rows.tolist(), narrow.tolist(), strict=True):
        coded.heads[row] = _HEAD.pack(_BITS32 if is_narrow else _BITS64, 0, 0)


def decode(buffer: bytes, at: int, count: int) -> tuple[Values, int]:
    """The series of `count` values that begins at `at`, and where it ends. Raises struct.error, ValueError on foreign bytes."""
    kind, exponent, exceptions = _HEAD.unpack_from(buffer, at)
    at += _HEAD.size
    scaling = _UNSCALED[0]
    if kind == _SCALED:
        scaling = np.array(_SCALING.unpack_from(buffer, at))
        at += _SCALING.size
    whole, at = integer_series.decode(buffer, at, count)
    values = _values(whole, kind, _DIVISORS[exponent], scaling)
    if exceptions:
        where = np.frombuffer(buffer, "<u4", exceptions, at)
        at += where.nbytes
        values[where] = np.frombuffer(buffer, "<f8", exceptions, at)
        at += 8 * exceptions
    return values, at


def skip(buffer: bytes, at: int, count: int) -> int:
    """Where the series of `count` values that begins at `at` ends. Raises struct.error on foreign bytes."""
    kind, _, exceptions = _HEAD.unpack_from(buffer, at)
    at += _HEAD.size + (_SCALING.size if kind == _SCALED else 0)
    return integer_series.skip(buffer, at, count) + 12 * int(exceptions)


def decode_into(values: Values, coded: Mapping[int, bytes]) -> None:
    """Fill rows of `values [k, m]`, each from its series, those that are alike together. Raises struct.error, ValueError on
    foreign bytes, or where a series is not what the bytes are."""
    count = values.shape[1]
    for rows, series in integer_series.alike(coded, _but_exponent, count):
        kind, _, exceptions = _HEAD.unpack_from(series[0])
        size, one_by_one = len(series[0]), exceptions or kind == _SCALED
        if {skip(one, 0, count) for one in (series if one_by_one else series[:1])} != {size}:
            raise ValueError(f"a series of {count} values does not fill its {size} bytes")
        if one_by_one:
            for row, one in zip(rows, series, strict=True):
                values[row], _ = decode(one, 0, count)
        else:
            table = np.frombuffer(b"".join(series), np.uint8).reshape(len(series), size)
            whole = integer_series.decode_alike(table[:, _HEAD.size :], count)
            values[rows] = _values(whole, kind, _DIVISORS[table[:, 1], None], _UNSCALED[0])


def _but_exponent(series: bytes) -> bytes:
    """What series have in common that are brought back together."""
    return series[:1] + series[2 : _HEAD.size + integer_series.ALIKE_BYTES]


def _values(whole: NDArray[np.int64], kind: int, divisors: Values | np.float64, scaling: Values) -> Values:
    """What `q` brings back, of any shape; `divisors` are its powers of ten, `scaling [2]`."""
    if kind == _BITS64:
        return whole.view(np.float64)
    if kind == _BITS32:
        return whole.astype(np.int32).view(np.float32).astype(np.float64)
    with np.errstate(all="ignore"):
        values: Values = whole.astype(np.float64) * scaling[0] + scaling[1] if kind == _SCALED else np.divide(whole, divisors)
        return values.astype(np.float32).astype(np.float64) if kind == _SINGLE else values
