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
        self._held = np.full(len(roles), -1, dtype=np.int64)
        self._drawn = np.zeros((len(roles), _BLOCK_S))
        self._places = np.zeros(len(roles), dtype=np.int64)
        """Of second 0 in the blocks that are held, as if these went on for ever."""
        self._held_s = range(0)
        """Seconds of which every role's block is held."""

    def at(self, plant_s: int) -> NDArray[np.float64]:
        """float64[role] of second `plant_s`, not negative."""
        if plant_s not in self._held_s:
            self._hold(plant_s)
        return self._drawn.take(self._places + plant_s)

    def _hold(self, plant_s: int) -> None:
        block, at = np.divmod(plant_s + self._shifts, _BLOCK_S)
        for row in np.flatnonzero(block != self._held):
            generator = np.random.default_rng((*self._seed, self._keys[row], int(block[row])))
            self._drawn[row] = generator.standard_normal(_BLOCK_S)
        self._held = block
        self._places = np.arange(len(block)) * _BLOCK_S + at - plant_s
        least, most = (int(at.min()), int(at.max())) if len(at) else (0, 0)
        self._held_s = range(plant_s - least, plant_s + _BLOCK_S - most)
