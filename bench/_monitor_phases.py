"""The phase changes of `bench.monitor`: what one scan costs on which units enter another phase."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import numpy as np

from bench._monitor_work import SECOND_NS
from collector.monitor.judge import Judge
from collector.terms import Stamp
from config.limits import Limit
from config.tags import Kind
from drivers.base import Column, Layout, Scan

UNITS, TAGS = 100, 100
"""Of one scan group; 10,000 tags with three rows each."""
WARM = 65
"""Scans, so that windows are full."""


class Phases:
    """A judge of a scan group whose units go from phase to phase."""

    def __init__(self) -> None:
        columns = (
            Column(f"R-{u}.t{t}", f"t{t}", f"R-{u}", Kind.REAL, low=-20.0, high=20.0) for u in range(UNITS) for t in range(TAGS)
        )
        self._layout = Layout("bench", "bench", "bench", SECOND_NS, tuple(columns))
        self._values = np.random.default_rng(1).standard_normal((16, UNITS * TAGS))
        self._stamps = [_STAMPS[0]] * UNITS
        self._scans = 0
        limits = _limits()
        began = time.process_time_ns()
        self._judge = Judge(self._layout, limits)
        self.made_ms = (time.process_time_ns() - began) / 1e6
        self.first_ms = self.scan_ms()
        for _ in range(WARM):
            self.scan_ms()

    def scan_ms(self) -> float:
        """CPU time of the next one."""
        self._scans += 1
        values, count = self._values[self._scans % len(self._values)], UNITS * TAGS
        slot_ns = (1_700_000_000 + self._scans) * SECOND_NS
        scan = Scan(self._layout, slot_ns, slot_ns, values, np.zeros(count, np.uint32), np.zeros(count, np.uint8))
        stamps = tuple(self._stamps)
        began = time.process_time_ns()
        self._judge.judge(scan, stamps)
        return (time.process_time_ns() - began) / 1e6

    def change_ms(self, units: Sequence[int], rounds: int) -> float:
        """Of the scan on which these enter another phase; the median."""
        taken = []
        for _ in range(rounds):
            for unit in units:
                self._stamps[unit] = _STAMPS[self._stamps[unit] is _STAMPS[0]]
            taken.append(self.scan_ms())
            self.scan_ms()
        return median(taken)


_STAMPS = (Stamp("B-1", "Heat"), Stamp("B-1", "Dose"))


def _limits() -> list[Limit]:
    def rows(role: str, phase: str, wider: float) -> list[Limit]:
        raw: dict[str, object] = {"nor": [-6 - wider, 6 + wider], "par": [-7 - wider, 7 + wider]}
        raw["alarm"] = {"ll": -9 - wider, "l": -8 - wider, "h": 8 + wider, "hh": 9 + wider}
        mean: dict[str, object] = {"statistic": "mean", "window_s": 60.0, "nor": [-3 - wider, 3 + wider]}
        std: dict[str, object] = {"statistic": "std", "window_s": 60.0, "nor": [None, 3 + wider]}
        return [Limit.model_validate({"role": role, "phase": phase, **row}) for row in (raw, mean, std)]

    return [row for tag in range(TAGS) for n, stamp in enumerate(_STAMPS) for row in rows(f"t{tag}", stamp.phase, float(n))]
