"""What is told of a window, and in which rows the hot path has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

NS_PER_MINUTE: Final = 60e9

MEAN, SLOPE, VARIANCE, LOW, HIGH = range(5)
"""Rows of a window's results: `[ROWS, m]`. The variance, not its root: a limit on std is compared squared."""
ROWS: Final = 5
ROW_OF: Final = {"mean": MEAN, "slope": SLOPE, "std": VARIANCE, "min": LOW, "max": HIGH}


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of m columns over one window; NaN where there is no good sample (slope: fewer than two)."""

    count: NDArray[np.int64]
    """Good samples, `[m]`."""
    mean: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    std: NDArray[np.float64]
    """ddof=0."""
    slope: NDArray[np.float64]
    """Least squares, engineering units per minute."""

    def named(self, name: str) -> NDArray[np.float64]:
        """`mean`, `min`, `max`, `std` or `slope`, `[m]`."""
        array: NDArray[np.float64] = getattr(self, name)
        return array

    @classmethod
    def of_rows(cls, count: NDArray[np.int64], rows: NDArray[np.float64]) -> Statistics:
        """Of a window's result rows, copied."""
        return cls(count, rows[MEAN].copy(), rows[LOW].copy(), rows[HIGH].copy(), np.sqrt(rows[VARIANCE]), rows[SLOPE].copy())
