"""EWMA and CUSUM as figures of limits: slow drifts, in whole scan groups at once.

    EWMA      z ← z + λ (x − z), λ = 1 − exp(−period ÷ time constant)      from the first good sample
    CUSUM     high ← max(0, high + (x − target − slack))                   from 0
              low  ← max(0, low + (target − slack − x))

A sample that is not good, or missing, leaves both as they are, and they can't be told on it. Both begin anew with each phase,
unless the row spans phases. An EWMA is told once what it began with weighs less than 5 %: after three time constants of good
samples. λ is that of a first-order lag, so the time constant is a filter's; else formulas as `drift` has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from collector.monitor.catalogue import NOBODY
from collector.monitor.drift import Cusum, Ewma
from collector.monitor.lasting_cells import AWAY, Bools, Cell, Entered, Floats, Known
from collector.terms import Json

SETTLED: Final = 3.0
"""Time constants of good samples; e⁻³ is 5 %."""


class Averages:
    """EWMA of m cells."""

    def __init__(self, cells: Sequence[Cell], period_ns: int, values: Floats) -> None:
        """`values`: where they stand, `[m]`."""
        constants_s = np.array([cell.limit.time_constant_s for cell in cells], np.float64)
        periods = constants_s / (period_ns / 1e9)
        self._ewma = Ewma(-np.expm1(-1.0 / periods), np.full(len(cells), np.nan), values)
        self._needed = np.ceil(SETTLED * periods).astype(np.int64)
        self._samples = np.zeros(len(cells), np.int64)
        self._good = np.zeros(len(cells), np.bool_)

    def resume(self, known: Sequence[Known | None]) -> None:
        """Each at its value, with the good samples that it has had."""
        self._ewma.begin(np.array([each.number("value") if each else np.nan for each in known]))
        self._samples[:] = [each.whole("samples") if each else 0 for each in known]

    def enter(self, entered: Entered) -> None:
        """A phase forgets the one before."""
        fresh = entered.begins_anew
        if fresh.any():
            self._ewma.begin(np.where(fresh, np.nan, self._ewma.value))
            self._samples[fresh] = 0

    def push(self, slot_ns: int, values: Floats, good: Bools) -> None:
        """A sample of each cell."""
        self._good = good
        all_good = bool(good.all())
        self._ewma.push(values, None if all_good else np.flatnonzero(~good))
        self._samples += good

    def evaluable(self) -> Bools:
        """Settled, and moved by this very sample."""
        told: Bools = self._good & (self._samples >= self._needed)
        return told

    def told(self) -> Mapping[str, Sequence[Json]]:
        """Beside the value."""
        return {"samples": self._samples.tolist()}


class Sums:
    """CUSUM of m cells, each of one side."""

    def __init__(self, cells: Sequence[Cell], values: Floats) -> None:
        """`values`: where they stand, `[m]`."""
        self._values = values
        self._side = np.array([cell.limit.statistic == "cusum_low" for cell in cells], np.intp)
        self._cells = np.arange(len(cells))
        self._cusum = Cusum(np.zeros(len(cells)), AWAY)
        self._holds = np.zeros(len(cells), np.bool_)
        self._good = np.zeros(len(cells), np.bool_)
        values.fill(0.0)

    def resume(self, known: Sequence[Known | None]) -> None:
        """Each at its sum."""
        self._values[:] = [each.number("value") if each else 0.0 for each in known]
        self._cusum.sums[self._side, self._cells] = self._values
        self._holds = np.array([each is not None and each.whole("holds") > 0 for each in known], np.bool_)

    def enter(self, entered: Entered) -> None:
        """By the target of the row from now on; where no row held it begins anew."""
        fresh = entered.begins_anew | ~self._holds
        self._cusum.sums[:, fresh] = 0.0
        self._holds = entered.rows != NOBODY
        self._cusum.aim(entered.of.target[entered.rows], entered.of.slack[entered.rows])

    def push(self, slot_ns: int, values: Floats, good: Bools) -> None:
        """A sample of each cell."""
        self._good = good
        self._cusum.push(values, None if good.all() else np.flatnonzero(~good))
        np.copyto(self._values, self._cusum.sums[self._side, self._cells])

    def evaluable(self) -> Bools:
        """Moved by this very sample."""
        return self._good

    def told(self) -> Mapping[str, Sequence[Json]]:
        """Beside the value."""
        return {"holds": self._holds.astype(np.int64).tolist()}
