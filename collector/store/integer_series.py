"""Series of 64-bit integers as small bytes: what is left of them beside a plain course, its bytes apart by their weight.

    order 0   base + r[i]                         a value that stays about where it is, with noise
    order 1   the one before + r[i]               one that wanders
    order 2   the one before, and its step + r[i] times, counters
    numbers = base + 10^unit x series             stamps that are whole microseconds or milliseconds

    order u8  width u8  unit u8  base i64  step i64  | width planes of m bytes: zigzag(r), least significant first

All sums are modulo 2^64, so that every series comes back exactly, whatever stands in it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

_HEAD = struct.Struct("<BBBqq")
ALIKE_BYTES = 3
"""Order, width and unit: what series have in common that are brought back together."""
_UNITS = (6, 3, 2)
_WIDTHS = np.array([0, 1, 2, 4, 8])
_BOUNDS = np.array([0, (1 << 8) - 1, (1 << 16) - 1, (1 << 32) - 1], np.uint64)
"""The greatest number that each width but the last holds."""
_SLAB = 1 << 15
_STRETCHES, _LOOKED_AT = 8, 16
_LEAST_OF_STEPS = 4
"""Fewer numbers have no course."""
Integers = NDArray[np.int64]


def encode(numbers: Integers, *, stamps: bool = False) -> list[bytes]:
    """Each row of `numbers [c, m]`; `stamps` looks for a common power of ten."""
    if not numbers.shape[1]:
        return [_HEAD.pack(0, 0, 0, 0, 0)] * len(numbers)
    coded = [_HEAD.pack(0, 0, 0, first, 0) for first in numbers[:, 0].tolist()]  # all of a row that never moves
    moving = np.flatnonzero((numbers != numbers[:, :1]).any(axis=1))
    if len(moving):
        of_moving = _encode(numbers if len(moving) == len(numbers) else numbers[moving], stamps=stamps)
        for row, one in zip(moving.tolist(), of_moving, strict=True):
            coded[row] = one
    return coded


def _encode(numbers: Integers, *, stamps: bool) -> list[bytes]:
    units = np.zeros(len(numbers), np.int64)
    if stamps:
        units, series = _in_units(numbers - numbers[:, :1])
        orders, residuals, bases, steps = _courses(series)
        bases = numbers[:, 0] + bases * 10**units
    else:
        orders, residuals, bases, steps = _courses(numbers)
    zigzag = (residuals << 1 ^ residuals >> 63).view(np.uint64)
    widths = _WIDTHS[np.searchsorted(_BOUNDS, zigzag.max(axis=1))]
    bodies = [b""] * len(numbers)
    for width in set(widths.tolist()) - {0}:
        rows = np.flatnonzero(widths == width)
        for row, body in zip(rows.tolist(), _planes(zigzag[rows], width), strict=True):
            bodies[row] = body
    heads = zip(*(each.tolist() for each in (orders, widths, units, bases, steps)), strict=True)
    return [_HEAD.pack(*head) + body for head, body in zip(heads, bodies, strict=True)]


def _in_units(series: Integers) -> tuple[Integers, Integers]:
    """The power of ten that all of a row are multiples of, and how many of it they are."""
    units = np.zeros(len(series), np.int64)
    for unit in _UNITS:
        first = series[:, : _LOOKED_AT + 1] % 10**unit
        likely = np.flatnonzero((units == 0) & ~first.any(axis=1))
        units[likely[~(series[likely] % 10**unit).any(axis=1)]] = unit
    whole = units != 0
    if whole.any():
        series[whole] //= 10 ** units[whole, None]
    return units, series


def _courses(series: Integers) -> tuple[Integers, Integers, Integers, Integers]:
    """Of each row the order that leaves least: orders, residuals, bases, steps."""
    orders, bases = _orders(series)
    steps = np.zeros(len(series), np.int64)
    residuals = np.empty_like(series)
    for order in set(orders.tolist()):
        rows: slice | NDArray[np.intp] = slice(None) if (orders == order).all() else np.flatnonzero(orders == order)
        part = series[rows]
        if order == 0:
            residuals[rows] = part - bases[rows, None]
            continue
        bases[rows] = part[:, 0]
        left = np.zeros_like(part)
        np.subtract(part[:, 1:], part[:, :-1], out=left[:, 1:])
        if order == 2:
            steps[rows] = left[:, 1]
            left[:, 2:] -= left[:, 1:-1].copy()
            left[:, 1] = 0
        residuals[rows] = left
    return orders, residuals, bases, steps


def _orders(series: Integers) -> tuple[Integers, Integers]:
    """Of each row the order that leaves least in some stretches of it, and its middle there: which one is taken is a matter of
    size only, and rows are much alike from end to end."""
    count = series.shape[1]
    stretch = count // _STRETCHES
    looked_at = series[:, None]
    if stretch > _LOOKED_AT:
        looked_at = series[:, : stretch * _STRETCHES].reshape(len(series), _STRETCHES, stretch)[:, :, :_LOOKED_AT]
    parts = looked_at.astype(np.float64)
    middle = np.add.reduce(parts, axis=(1, 2)) / (parts.shape[1] * parts.shape[2])
    bases = np.clip(np.rint(middle), -(2.0**62), 2.0**62).astype(np.int64)
    if count < _LEAST_OF_STEPS:
        return np.zeros(len(series), np.int64), bases
    first = parts[:, :, 1:] - parts[:, :, :-1]
    second = first[:, :, 1:] - first[:, :, :-1]
    left = [_mean_size(each) for each in (parts - middle[:, None, None], first, second)]
    return np.argmin(left, axis=0), bases


def _mean_size(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    size: NDArray[np.float64] = np.add.reduce(np.abs(parts), axis=(1, 2)) / (parts.shape[1] * parts.shape[2])
    return size


def _planes(zigzag: NDArray[np.uint64], width: int) -> list[bytes]:
    """Of each row of `zigzag [c, m]`."""
    parts = zigzag.astype(f"<u{width}")
    if width > 1:
        parts = parts.view(np.uint8).reshape(*zigzag.shape, width).transpose(0, 2, 1)
    body, size = parts.tobytes(), width * zigzag.shape[1]
    return [body[at : at + size] for at in range(0, len(body), size)]


def skip(buffer: bytes, at: int, count: int) -> int:
    """Where the series of `count` numbers that begins at `at` ends. Raises struct.error on foreign bytes."""
    _, width, *_ = _HEAD.unpack_from(buffer, at)
    return at + _HEAD.size + int(width) * count


def decode(buffer: bytes, at: int, count: int) -> tuple[Integers, int]:
    """The series of `count` numbers that begins at `at`, and where it ends. Raises struct.error, ValueError on foreign bytes."""
    order, width, unit, base, step = _HEAD.unpack_from(buffer, at)
    at += _HEAD.size
    planes = np.frombuffer(buffer, np.uint8, width * count, at)
    return _numbers(planes, count, order, width, unit, base, step), at + width * count


def alike(coded: Mapping[int, bytes], key: Callable[[bytes], bytes], count: int) -> Iterator[tuple[list[int], list[bytes]]]:
    """Those of the same `key` and the same length, by their rows; not more at once than stay in the processor's own memory,
    `count` numbers each."""
    groups: dict[tuple[bytes, int], list[int]] = {}
    for row, series in coded.items():
        groups.setdefault((key(series), len(series)), []).append(row)
    at_once = max(1, _SLAB // max(1, count))
    for rows in groups.values():
        for first in range(0, len(rows), at_once):
            some = rows[first : first + at_once]
            yield some, [coded[row] for row in some]


def _first(series: bytes) -> bytes:
    return series[:ALIKE_BYTES]


def decode_into(numbers: Integers, coded: Mapping[int, bytes]) -> None:
    """Fill rows of `numbers [k, m]`, each from its series, those that are alike together. Raises struct.error, ValueError on
    foreign bytes, or where a series is not what the bytes are."""
    count = numbers.shape[1]
    for rows, series in alike(coded, _first, count):
        if skip(series[0], 0, count) != len(series[0]):
            raise ValueError(f"{len(series[0])} bytes, its series {skip(series[0], 0, count)}")
        numbers[rows] = decode_alike(np.frombuffer(b"".join(series), np.uint8).reshape(len(series), -1), count)


def decode_alike(table: NDArray[np.uint8], count: int) -> Integers:
    """`[c, count]`, or `[c, 1]` where no row ever moves: of series of the same order, width and unit, one in each row of `table`,
    and nothing else there."""
    order, width, unit = table[0, :ALIKE_BYTES].tolist()
    heads = np.ascontiguousarray(table[:, ALIKE_BYTES : _HEAD.size]).view("<i8")
    if not order and not width:
        return heads[:, :1]
    return _numbers(table[:, _HEAD.size :], count, order, width, unit, heads[:, :1], heads[:, 1:])


def _numbers(
    planes: NDArray[np.uint8], count: int, order: int, width: int, unit: int, base: int | Integers, step: int | Integers
) -> Integers:
    """`[.., count]`; `planes [.., width * count]`."""
    shape = (*planes.shape[:-1], count)
    if not width:
        residuals = np.zeros(shape, np.int8)
    else:
        zigzag = planes
        if width > 1:
            apart = planes.reshape(*planes.shape[:-1], width, count).swapaxes(-1, -2)
            zigzag = np.ascontiguousarray(apart).view(f"<u{width}").reshape(shape)
        residuals = (zigzag >> 1 ^ -(zigzag & 1)).view(f"<i{width}")
    if order == 2:
        course = np.cumsum(residuals, axis=-1, dtype=np.int64)
        course += step
        course[..., :1] = 0
        np.cumsum(course, axis=-1, out=course)
    elif order == 1:
        course = np.cumsum(residuals, axis=-1, dtype=np.int64)
    else:
        course = residuals.astype(np.int64)
    if unit:
        course *= 10**unit
    course += base
    return course
