"""Tags whose role the model does not know: a slow sine, false, or the tag's name, the same in every run.

A load test needs no model, and a plant file may hold more than a reactor.
"""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.tags import Tag


class Sine(NamedTuple):
    """low + (high − low) · (0.5 + 0.45 · sin(ω · plant second + phase))."""

    low: float
    high: float
    omega: float
    phase: float


def slow_sine(tag: Tag) -> Sine:
    """Inside the tag's range (0 to 100 where it has none); period and phase from its name."""
    low = tag.range.low if tag.range and tag.range.low is not None else 0.0
    high = tag.range.high if tag.range and tag.range.high is not None else low + 100.0
    low = min(low, high - 100.0) if tag.range and tag.range.low is None else low
    digest = zlib.crc32(tag.name.encode())
    return Sine(low, high, 2 * math.pi / (600 + digest % 1200), digest / 2**32 * 2 * math.pi)


class Sines:
    """Many of them at once."""

    def __init__(self) -> None:
        self._sines: list[Sine] = []
        self._columns: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self._sines)

    def add(self, sine: Sine) -> None:
        """The next column of `at`."""
        self._sines.append(sine)
        self._columns = None

    def at(self, plant_s: int) -> NDArray[np.float64]:
        """float64[sine] at a plant second."""
        if self._columns is None:
            self._columns = np.array(self._sines, dtype=np.float64).reshape(-1, 4).T
        low, high, omega, phase = self._columns
        values: NDArray[np.float64] = low + (high - low) * (0.5 + 0.45 * np.sin(omega * plant_s + phase))
        return values
