"""Answers of the simulated OPC UA servers for `bench.gateway --large`: the first is the simulated plant's, the others are the
same bytes with other values and stamps. The plant itself takes 10 us per value: 100,000 a second would be a core of the machine
that is measured, where no device of a real plant has a process.
"""

from __future__ import annotations

import time
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.opcua.answers import Plan
from simulators.opcua.values import Stamps, Variable

_ITEM = np.dtype([("mask", "u1"), ("type", "u1"), ("value", "<f8"), ("stamp", "<i8")])
"""A good Double with the stamp of its source, as the plant of this bench has nothing else."""
_VALUE_AND_SOURCE_STAMP, _DOUBLE = 5, 11
_EPOCH_TICKS = 116_444_736_000_000_000
_NO_DIAGNOSTICS = 4
_STAMP_AND_HANDLE, _AFTER_TYPE = Struct("<QI"), 4


class MovingPlan(Plan):
    """Values walk about where the plant had them first."""

    def __init__(self, variables: list[Variable], stamps: Stamps) -> None:
        super().__init__(variables, stamps)
        self._count = len(variables)
        self._items: NDArray[Any] | None = None
        self._random = np.random.default_rng(len(variables))

    def answer(self, request_handle: int) -> bytes:
        """As `Plan.answer`; where an item is not of the one kind, the plant's own."""
        if self._items is None:
            whole = super().answer(request_handle)
            begin = len(whole) - _NO_DIAGNOSTICS - self._count * _ITEM.itemsize
            if begin < 0:
                return whole
            items = np.frombuffer(whole, _ITEM, self._count, begin).copy()
            if (items["mask"] != _VALUE_AND_SOURCE_STAMP).any() or (items["type"] != _DOUBLE).any():
                return whole
            self._items, self._first, self._whole = items, items["value"].copy(), whole
        now_ticks = time.time_ns() // 1000 * 10 + _EPOCH_TICKS
        self._items["value"] = self._first + self._random.normal(0.0, 0.1, self._count).round(3)
        self._items["stamp"] = now_ticks
        head = bytearray(self._whole[: -_NO_DIAGNOSTICS - self._items.nbytes])
        _STAMP_AND_HANDLE.pack_into(head, _AFTER_TYPE, now_ticks, request_handle)
        return b"".join((head, self._items.tobytes(), self._whole[-_NO_DIAGNOSTICS:]))
