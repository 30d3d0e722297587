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
        places = [(at[:, None] + np.arange(type_.itemsize)).ravel() for type_, at in fields]
        # The widest first: so each begins at a multiple of its own width.
        order = sorted(range(len(fields)), key=lambda field: -fields[field][0].itemsize)
        self._from = np.concatenate([places[field] for field in order])
        self._picked = np.zeros(len(self._from), np.uint8)
        begins = dict(zip(order, np.cumsum([0] + [len(places[field]) for field in order]), strict=False))
        self.views: tuple[NDArray[Any], ...] = tuple(
            self._picked[begins[field] : begins[field] + len(places[field])].view(type_)
            for field, (type_, _) in enumerate(fields)
        )
        """In the order of the fields, `[n]` each: what was picked last."""

    def pick(self, message: bytes) -> None:
        """Fill the views. The message must be long enough for every field."""
        np.frombuffer(message, np.uint8).take(self._from, out=self._picked, mode="clip")
