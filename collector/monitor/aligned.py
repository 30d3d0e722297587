"""Memory for the rows that are gone through with every scan, where the processor's wide loads meet no edge of a cache line.

`np.empty` begins wherever 16 bytes fit. A load of 64 bytes from there touches two lines of the cache nearly each time,
and an addition of long rows takes up to twice as long. So a row begins on a line, and the next one too.
"""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

LINE_BYTES: Final = 64
LINE: Final = LINE_BYTES // 8
"""Numbers in a line."""
_LONG: Final = 512
"""Shorter rows cost the call, not the memory: they stand one after the other, so that several are one stretch."""


def stride_of(columns: int) -> int:
    """How many numbers after one row the next one begins."""
    return -(-columns // LINE) * LINE if columns > _LONG else columns


def aligned(*shape: int) -> NDArray[np.float64]:
    """Uninitialised, the last axis being columns; contiguous but for the few numbers that fill a long row's last line."""
    *rows, columns = shape
    stride = stride_of(columns)
    raw = np.empty(prod(rows) * stride * 8 + LINE_BYTES, np.uint8)
    begin = -raw.ctypes.data % LINE_BYTES
    whole = raw[begin : begin + prod(rows) * stride * 8].view(np.float64).reshape(*rows, stride)
    return whole[..., :columns]
