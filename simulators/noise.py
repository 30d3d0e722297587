"""Noise that depends on (seed, unit, role, plant second) alone, however time was advanced.

Every role draws from a generator of its own, a block of seconds at a time. The blocks of two roles begin at different
seconds, so the cost of drawing them is spread.

    role a   |--------- 256 s ---------|--------- 256 s ---------|
    role b   -----|--------- 256 s ---------|--------- 256 s ------
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BLOCK_S = 256


class Noise:
    """Standard normal numbers for some roles of a unit."""

    def __init__(self, seed: int, unit: str, roles: Sequence[str]) -> None:
        self._seed = (seed, zlib.crc32(unit.encode()))
        self._keys = [zlib.crc32(role.encode()) for role in roles]
        self._shifts = np.array([key % _BLOCK_S for key in self._keys], dtype=np.int64)
        self._rows = np.arange(len(roles))
        self._held = np.full(len(roles), -1, dtype=np.int64)
        self._drawn = np.zeros((len(roles), _BLOCK_S))

    def at(self, plant_s: int) -> NDArray[np.float64]:
        """float64[role] of second `plant_s`, not negative."""
        position = plant_s + self._shifts
        block = position // _BLOCK_S
        for row in np.flatnonzero(block != self._held):
            generator = np.random.default_rng((*self._seed, self._keys[row], int(block[row])))
            self._drawn[row] = generator.standard_normal(_BLOCK_S)
        self._held = block
        drawn: NDArray[np.float64] = self._drawn[self._rows, position % _BLOCK_S]
        return drawn
