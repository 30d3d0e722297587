"""The finished batches of `bench.monitor`: limits on raw values, and everything on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from bench._monitor_work import CENTRE, NOISE, SECOND_NS, Work
from collector.report.finished import FinishedRecord, judged
from collector.report.recording import Batch
from collector.terms import Stamp
from config.limits import Limit
from config.tags import Kind
from drivers.base import Column, Layout

TAGS, SCANS = 100, 7_200
SIDE_BY_SIDE = 100
"""Batches as columns beside each other: 10,000."""
WINDOW_SCANS = 600


def side_by_side(*, panes: bool, scans: int) -> tuple[int, Callable[[], object]]:
    """(samples, what judges them): all statistics and 16 rules of batches beside each other, from their beginning on."""
    work = Work(TAGS * SIDE_BY_SIDE, WINDOW_SCANS, panes=panes)

    def run() -> None:
        for _ in range(scans):
            work.scan()

    return scans * TAGS * SIDE_BY_SIDE, run


def one_batch(*, rolling: bool, loud: float, drifting: float = 0.0, lasting: bool = False) -> tuple[int, Callable[[], object]]:
    """(samples, what judges them) of one batch behind the command `judge`: NOR, PAR, L, H, LL and HH of each tag on raw values,
    with `rolling` on mean, min, max, std and slope too, with `lasting` on time outside, EWMA and CUSUM to both sides. `loud`:
    the share of tags that leave their limits at some time; `drifting`: that of tags whose mean does for a while."""
    batch, layout, limits = _batch(loud, drifting), _layout(), [*_limits(rolling=rolling), *(_lasting() if lasting else ())]

    def run() -> None:
        record = FinishedRecord(limits)
        for _ in judged(batch, layout, record, limits):
            pass

    return TAGS * SCANS, run


def _layout() -> Layout:
    return Layout("bench", "bench", "bench", SECOND_NS, tuple(Column(f"t{n}", f"t{n}", "R-1", Kind.REAL) for n in range(TAGS)))


def _batch(loud: float, drifting: float) -> Batch:
    dice = np.random.default_rng(1)
    values = CENTRE + NOISE * np.clip(dice.standard_normal((SCANS, TAGS)), -4, 4)
    for column in range(round(loud * TAGS)):
        for begin in dice.integers(0, SCANS - 4, 4):
            values[begin : begin + 4, column] += 20 * NOISE
    values[SCANS // 3 : SCANS // 3 + 2 * WINDOW_SCANS, : round(drifting * TAGS)] += 3 * NOISE
    return Batch("R-1", "B-1", np.arange(SCANS) * SECOND_NS, values, (Stamp("B-1", "Dose"),) * SCANS)


def _limits(*, rolling: bool) -> Sequence[Limit]:
    def limit(tag: int, **fields: object) -> Limit:
        return Limit.model_validate({"role": f"t{tag}", "deadband": NOISE / 2, **fields})

    def around(distance: float) -> list[float]:
        return [CENTRE - distance * NOISE, CENTRE + distance * NOISE]

    alarm = {"ll": CENTRE - 9 * NOISE, "l": CENTRE - 7 * NOISE, "h": CENTRE + 7 * NOISE, "hh": CENTRE + 9 * NOISE}
    limits = [limit(tag, nor=around(4.5), par=around(6), alarm=alarm) for tag in range(TAGS)]
    windows: dict[str, list[float | None]] = {"mean": [*around(1)], "min": [*around(30)], "max": [*around(30)]}
    windows |= {"std": [None, 3 * NOISE], "slope": [-1.0, 1.0]}
    for statistic, nor in windows.items() if rolling else ():
        limits += [limit(tag, statistic=statistic, window_s=float(WINDOW_SCANS), nor=nor) for tag in range(TAGS)]
    return limits


def _lasting() -> Sequence[Limit]:
    nor = [CENTRE - 4.5 * NOISE, CENTRE + 4.5 * NOISE]
    cusum = {"sp": CENTRE, "slack": NOISE, "decision_interval": 50 * NOISE}
    sorts: list[dict[str, object]] = [
        {"statistic": "time_outside", "nor": nor, "window_s": float(WINDOW_SCANS), "allowed_outside_s": 30.0},
        {"statistic": "ewma", "nor": nor, "time_constant_s": 10.0},
        {"statistic": "cusum_high", **cusum},
        {"statistic": "cusum_low", **cusum},
    ]
    return [Limit.model_validate({"role": f"t{tag}", **sort}) for tag in range(TAGS) for sort in sorts]


def samples_per_s(samples: int, run: Callable[[], object], rounds: int) -> float:
    """By CPU time, the median."""
    taken = []
    for _ in range(rounds):
        began = time.process_time_ns()
        run()
        taken.append(time.process_time_ns() - began)
    return samples / median(taken) * 1e9
