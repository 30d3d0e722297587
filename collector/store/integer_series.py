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

import numpy as np
from numpy.typing import NDArray

_HEAD = struct.Struct("<BBBqq")
_UNITS = (6, 3, 2)
_WIDTHS = (0, 1, 2, 4, 8)
_BOUNDS = np.array([0, (1 << 8) - 1, (1 << 16) - 1, (1 << 32) - 1], np.uint64)
"""The greatest number that each width but the last holds."""
Integers = NDArray[np.int64]


def encode(numbers: Integers, *, stamps: bool = False) -> list[bytes]:
    """Each row of `numbers [c, m]`; `stamps` looks for a common power of ten."""
    if not numbers.shape[1]:
        return [_HEAD.pack(0, 0, 0, 0, 0)] * len(numbers)
    units = np.zeros(len(numbers), np.int64)
    if stamps:
        units, series = _in_units(numbers - numbers[:, :1])
        orders, residuals, bases, steps = _courses(series)
        bases = numbers[:, 0] + bases * 10**units
    else:
        orders, residuals, bases, steps = _courses(numbers)
    zigzag = (residuals << 1 ^ residuals >> 63).view(np.uint64)
    widths = np.array(_WIDTHS)[np.searchsorted(_BOUNDS, zigzag.max(axis=1))]
    bodies = [b""] * len(numbers)
    for width in set(widths.tolist()) - {0}:
        rows = np.flatnonzero(widths == width)
        for row, body in zip(rows.tolist(), _planes(zigzag[rows], width), strict=True):
            bodies[row] = body
    heads = zip(*(each.tolist() for each in (orders, widths, units, bases, steps)), strict=True)
    return [_HEAD.pack(*head) + body for head, body in zip(heads, bodies, strict=True)]


def _in_units(series: Integers) -> tuple[Integers, Integers]:
    units = np.zeros(len(series), np.int64)
    for unit in _UNITS:
        whole = (units == 0) & (series % 10**unit == 0).all(axis=1)
        units[whole] = unit
    return units, series // 10 ** units[:, None]


def _courses(series: Integers) -> tuple[NDArray[np.uint8], Integers, Integers, Integers]:
    """Of each row the order that leaves least: orders, residuals, bases, steps."""
    middle = np.clip(np.rint(series.mean(axis=1)), -(2.0**62), 2.0**62).astype(np.int64)
    level = series - middle[:, None]
    first = np.zeros_like(series)
    first[:, 1:] = series[:, 1:] - series[:, :-1]
    second = np.zeros_like(series)
    second[:, 2:] = first[:, 2:] - first[:, 1:-1]
    left = [np.abs(residual.astype(np.float64)).sum(axis=1) for residual in (level, first, second)]
    orders = np.argmin(left, axis=0).astype(np.uint8)
    residuals = np.where((orders == 0)[:, None], level, np.where((orders == 1)[:, None], first, second))
    bases = np.where(orders == 0, middle, series[:, 0])
    steps = np.where(orders == 2, first[:, 1] if series.shape[1] > 1 else 0, 0)
    return orders, residuals, bases, steps


def _planes(zigzag: NDArray[np.uint64], width: int) -> list[bytes]:
    """Of each row of `zigzag [c, m]`."""
    parts = zigzag.astype(f"<u{width}").view(np.uint8).reshape(*zigzag.shape, width)
    planes = np.ascontiguousarray(parts.transpose(0, 2, 1)).reshape(len(zigzag), -1)
    return [row.tobytes() for row in planes]


def skip(buffer: bytes, at: int, count: int) -> int:
    """Where the series of `count` numbers that begins at `at` ends. Raises struct.error on foreign bytes."""
    _, width, *_ = _HEAD.unpack_from(buffer, at)
    return at + _HEAD.size + int(width) * count


def decode(buffer: bytes, at: int, count: int) -> tuple[Integers, int]:
    """The series of `count` numbers that begins at `at`, and where it ends. Raises struct.error, ValueError on foreign bytes."""
    order, width, unit, base, step = _HEAD.unpack_from(buffer, at)
    at += _HEAD.size
    end = at + width * count
    if not width and order != 2:
        return np.full(count, base, np.int64), end
    if not width:
        residuals = np.zeros(count, np.int64)
    else:
        zigzag = np.frombuffer(buffer, np.uint8, width * count, at)
        if width > 1:
            zigzag = np.ascontiguousarray(zigzag.reshape(width, count).T).view(f"<u{width}").ravel()
        residuals = (zigzag >> 1 ^ -(zigzag & 1)).view(f"<i{width}")
    if order == 2:
        course = np.cumsum(residuals, dtype=np.int64)
        course += step
        course[:1] = 0
        np.cumsum(course, out=course)
    elif order == 1:
        course = np.cumsum(residuals, dtype=np.int64)
    else:
        course = residuals.astype(np.int64)
    if unit:
        course *= 10**unit
    course += base
    return course, end
