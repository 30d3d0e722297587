"""Slow drifts: EWMA and CUSUM of some columns, as control charts have them.

    EWMA      z ← z + λ (x − z)                          from the target, else from the first good sample
    CUSUM     high ← max(0, high + (x − target − k))     low ← max(0, low + (target − k − x))     from 0

Both go by samples, not by time: a bad or missing one leaves them as they are. k is the slack in engineering units, half of
the shift that matters. Formulas: NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.3 and 6.3.2.4.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collector.monitor.aligned import aligned

Floats = NDArray[np.float64]

MOST: Final = 1e290
"""A step of a CUSUM counts as no more: the largest floats are data too, and an infinite sum would never come down."""
_HALF, _MOST, _ZERO = np.array(0.5), np.array(MOST), np.array(0.0)
"""Arrays, because numpy would make one of a number with every scan."""


class Ewma:
    """Of m columns."""

    def __init__(self, weight: ArrayLike, start: Floats, out: Floats | None = None) -> None:
        """`weight`: λ, above 0 to 1, of all or `[m]`; `start`: `[m]`, NaN: the first good sample; `out`: `[m]` to keep it in."""
        self._weight = aligned(len(start))
        np.copyto(self._weight, weight)
        self.value = aligned(len(start)) if out is None else out
        """NaN before the first good sample."""
        self._half, self._step = aligned(2, len(start))
        self.begin(start)

    def begin(self, start: Floats) -> None:
        """Anew, as at first."""
        np.copyto(self.value, start)
        self._unseen = bool(np.isnan(start).any())

    def push(self, values: Floats, bad: NDArray[np.intp] | None = None) -> None:
        """A sample of each column but those `bad` (None: of all)."""
        value, step = self.value, self._step
        if self._unseen:
            self._begin(values, bad)
        np.multiply(values, _HALF, step)
        np.multiply(value, _HALF, self._half)
        np.subtract(step, self._half, step)  # half of it: two floats may be further apart than the largest one
        np.multiply(step, self._weight, step)
        if bad is not None:
            step[bad] = 0.0
        np.add(value, step, value)
        np.add(value, step, value)

    def _begin(self, values: Floats, bad: NDArray[np.intp] | None) -> None:
        first = np.isnan(self.value)
        if bad is not None:
            first[bad] = False
        self.value[first] = values[first]
        self._unseen = bool(np.isnan(self.value).any())


class Cusum:
    """Of m columns, to both sides."""

    def __init__(self, target: Floats, slack: float | Floats, out: Floats | None = None) -> None:
        """`target`: `[m]`; `slack`: k, of all or `[m]`; `out`: `[2, m]` to keep it in."""
        self._above, self._below = aligned(len(target)), aligned(len(target))
        self.aim(target, slack)
        self.sums = aligned(2, len(target)) if out is None else out
        """High and low, `[2, m]`."""
        self.sums.fill(0.0)
        self._steps = aligned(2, len(target))
        self._high_steps, self._low_steps = self._steps

    def aim(self, target: Floats, slack: float | Floats) -> None:
        """At another target from the next sample on; the sums stay."""
        np.add(target, slack, self._above)
        np.subtract(target, slack, self._below)

    def push(self, values: Floats, bad: NDArray[np.intp] | None = None) -> None:
        """A sample of each column but those `bad` (None: of all)."""
        sums, steps = self.sums, self._steps
        np.subtract(values, self._above, self._high_steps)
        np.subtract(self._below, values, self._low_steps)
        if bad is not None:
            steps[:, bad] = 0.0
        np.minimum(steps, _MOST, out=steps)
        np.add(sums, steps, sums)
        np.maximum(sums, _ZERO, out=sums)
