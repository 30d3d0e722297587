"""Picks bytes from where they stand in a message and lays them where numpy can calculate with them. Pure.

    message   ..mTvvvvvvvvssssssssmTvvvvssssssssmTvvvvvvvv..      v: values of 8 and of 4 bytes, s: stamps
                  |               |    |          |
    picked    [ vvvvvvvv vvvvvvvv ][ ssssssss ssssssss ssssssss ][ vvvv ]      one view for each field

One copy of single bytes for all fields, and the views are made once: a call into numpy costs more than a hundred bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = tuple[np.dtype[Any], NDArray[np.intp]]
"""Numbers of one type, and where in a message each begins."""


class Picker:
    """Picks the same fields from one message after another."""

    def __init__(self, fields: Sequence[Field]) -> None:
        places: list[NDArray[np.intp]] = []
        begins: list[int] = []
        end = 0
        for type_, at in fields:
            padding = -end % type_.itemsize  # of no meaning: so each field begins at a multiple of its own width
            picked = (at[:, None] + np.arange(type_.itemsize)).ravel()
            places += [np.zeros(padding, np.intp), picked]
            begins.append(end + padding)
            end += padding + len(picked)
        self._from = np.concatenate(places)
        self._picked = np.zeros(end, np.uint8)
        self._begins = begins
        self.views: tuple[NDArray[Any], ...] = tuple(
            self._picked[begin : begin + len(at) * type_.itemsize].view(type_)
            for begin, (type_, at) in zip(begins, fields, strict=True)
        )
        """In the order of the fields, `[n]` each: what was picked last."""

    def since(self, field: int) -> NDArray[np.uint8]:
        """The bytes of this field and all after it, which must follow without padding."""
        return self._picked[self._begins[field] :]

    def pick(self, message: bytes) -> None:
        """Fill the views. The message must be long enough for every field."""
        np.frombuffer(message, np.uint8).take(self._from, out=self._picked, mode="clip")
