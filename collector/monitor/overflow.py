"""Arithmetic that may overflow: the largest floats are data too, and some controllers send them for "no value"."""

from __future__ import annotations

from contextvars import Context

import numpy as np


class Overflow:
    """What numpy calls when something overflows."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 0
        """That it did."""

    def __call__(self, error: str, flag: int) -> None:
        """As `np.seterrcall` says."""
        self.times += 1


def without_warnings(overflow: Overflow) -> Context:
    """What is run in it may overflow, which is counted. To enter it costs a hundredth of a scan of a small group, to enter
    `np.errstate` costs twenty times that."""
    context = Context()
    context.run(np.seterr, over="call", invalid="ignore", divide="ignore")
    context.run(np.seterrcall, overflow)
    return context
