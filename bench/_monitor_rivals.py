"""The rivals of `bench.monitor`. One that is not installed is said and skipped."""

from __future__ import annotations

import functools
import importlib
import math
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench._monitor_work import CENTRE, COURSE, NOISE, Floats, course

Scan = Callable[[], object]


def library(name: str) -> Any | None:
    """The module, or None and a word on standard error."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"bench.monitor: {name} is not installed, its figures are left out", file=sys.stderr)
        return None


def tail_of(tags: int, scans: int) -> Floats:
    """`[scans, tags]`, the past that is handed to those who recompute it."""
    return CENTRE + NOISE * np.random.default_rng(2).standard_normal((scans, tags))


def plain_numpy(tags: int, scans: int) -> Scan:
    """Mean, std, min and max of the tail."""
    tail = tail_of(tags, scans)
    return lambda: (tail.mean(axis=0), tail.std(axis=0), tail.min(axis=0), tail.max(axis=0))


def bottleneck(tags: int, scans: int) -> Scan | None:
    """The same by its moving functions, of which the last row is wanted."""
    moving = library("bottleneck")
    if moving is None:
        return None
    tail = tail_of(tags, scans)
    names = ("move_mean", "move_std", "move_min", "move_max")
    return lambda: [getattr(moving, name)(tail, scans, axis=0)[-1] for name in names]


class _DequeTag:
    """One tag, as a loop in Python has it."""

    def __init__(self, scans: int) -> None:
        self.samples: deque[float] = deque()
        self.lows: deque[tuple[int, float]] = deque()
        self.highs: deque[tuple[int, float]] = deque()
        self.scans, self.at, self.total, self.squares = scans, 0, 0.0, 0.0

    def add(self, value: float) -> tuple[float, float, float, float]:
        self.at += 1
        self.samples.append(value)
        self.total += value
        self.squares += value * value
        while self.lows and self.lows[-1][1] >= value:
            self.lows.pop()
        while self.highs and self.highs[-1][1] <= value:
            self.highs.pop()
        self.lows.append((self.at, value))
        self.highs.append((self.at, value))
        if len(self.samples) > self.scans:
            self._leave(self.samples.popleft())
        mean = self.total / len(self.samples)
        return mean, math.sqrt(max(0.0, self.squares / len(self.samples) - mean * mean)), self.lows[0][1], self.highs[0][1]

    def _leave(self, old: float) -> None:
        self.total -= old
        self.squares -= old * old
        for extremes in (self.lows, self.highs):
            if extremes[0][0] <= self.at - self.scans:
                extremes.popleft()


def _per_tag(tags: int, adders: list[Callable[[float], object]]) -> Scan:
    rows = [row.tolist() for row, _ in course(tags)]
    at = 0

    def scan() -> None:
        nonlocal at
        at += 1
        for add, value in zip(adders, rows[at & (COURSE - 1)], strict=True):
            add(value)

    return scan


def python_deques(tags: int, scans: int) -> Scan:
    """Mean, std, min and max of each tag, in a loop."""
    return _per_tag(tags, [_DequeTag(scans).add for _ in range(tags)])


def river(tags: int, scans: int) -> Scan | None:
    """The same by its rolling statistics."""
    rolling, stats = library("river.utils"), library("river.stats")
    if rolling is None or stats is None:
        return None

    def adder() -> Callable[[float], object]:
        parts = [rolling.Rolling(stats.Mean(), scans), rolling.Rolling(stats.Var(ddof=0), scans)]
        parts += [stats.RollingMin(scans), stats.RollingMax(scans)]

        def add(value: float) -> list[float]:
            for part in parts:
                part.update(value)
            return [part.get() for part in parts]

        return add

    return _per_tag(tags, [adder() for _ in range(tags)])


@functools.cache
def _compiled() -> Callable[..., int] | None:
    numba = library("numba")
    return None if numba is None else numba.njit(_naive_step)


def naive_numba(tags: int, scans: int) -> Scan | None:
    """All statistics and 16 rules in one compiled loop that adds and subtracts."""
    step = _compiled()
    if step is None:
        return None
    rows: list[NDArray[np.float64]] = [row for row, _ in course(tags)]
    state, queues, ends = np.zeros((tags, 9)), np.zeros((tags, 2, scans), np.int64), np.zeros((tags, 4), np.int64)
    ring, was_out, active = np.zeros((tags, scans)), np.zeros((tags, scans), np.bool_), np.zeros((tags, 16), np.bool_)
    levels, out = _levels(tags), np.zeros((tags, 10))
    state[:, 4] = CENTRE
    at = 0

    def scan() -> int:
        nonlocal at
        changed: int = step(rows[at & (COURSE - 1)], at, scans, ring, was_out, state, queues, ends, levels, active, out)
        at += 1
        return changed

    scan()
    return scan


def _levels(tags: int) -> Floats:
    """Level and deadband of 16 rules of each tag, in the loop's order."""
    around = [(side * far * NOISE, 0.5 * NOISE) for side, far in ((1, 6.0), (-1, 6.0), (1, 4.5), (-1, 4.5))]
    levels = [(CENTRE + level, back) for level, back in around]
    levels += [(CENTRE - 30 * NOISE, 0.0), (CENTRE + 30 * NOISE, 0.0), (CENTRE + NOISE, 0.0), (CENTRE - NOISE, 0.0)]
    levels += [(1.0, 0.0), (-1.0, 0.0), (CENTRE + 3 * NOISE, 0.0), (CENTRE - 3 * NOISE, 0.0)]
    levels += [(3 * NOISE, 0.0), (50 * NOISE, 0.0), (50 * NOISE, 0.0), (30.0, 0.0)]
    return np.tile(np.array(levels), (tags, 1, 1))


def _naive_step(x, at, scans, ring, was_out, state, queues, ends, levels, active, out):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
    """A loop as one writes it: state is Σx, Σx², Σtx, outside s, EWMA, CUSUM high, low, was outside; times count scans."""
    changed, slot = 0, at % scans
    held = min(at + 1, scans)
    first = at + 1 - held
    sum_t = held * (2 * first + held - 1) / 2.0
    spread = held * (held * held - 1.0) / 12.0
    for j in range(x.shape[0]):
        value, s = x[j], state[j]
        if at >= scans:
            old = ring[j, slot]
            s[0] -= old
            s[1] -= old * old
            s[2] -= (at - scans) * old
            if was_out[j, slot]:
                s[3] -= 1.0
        was_out[j, slot] = s[7] > 0.0
        s[3] += 1.0 if s[7] > 0.0 else 0.0
        ring[j, slot] = value
        s[0] += value
        s[1] += value * value
        s[2] += at * value
        for side in range(2):
            head, end = ends[j, 2 * side], ends[j, 2 * side + 1]
            queue = queues[j, side]
            if end > head and queue[head % scans] <= at - scans:
                head += 1
            while end > head and (ring[j, queue[(end - 1) % scans] % scans] - value) * (1 - 2 * side) >= 0.0:
                end -= 1
            queue[end % scans] = at
            ends[j, 2 * side], ends[j, 2 * side + 1] = head, end + 1
            out[j, 2 + side] = ring[j, queue[head % scans] % scans]
        mean = s[0] / held
        variance = s[1] / held - mean * mean
        out[j, 0] = mean
        out[j, 1] = math.sqrt(variance) if variance > 0.0 else 0.0
        out[j, 4] = (s[2] - sum_t * mean) / spread * 60.0 if held > 1 else 0.0
        s[4] += 0.1 * (value - s[4])
        s[5] = max(0.0, s[5] + value - CENTRE - NOISE)
        s[6] = max(0.0, s[6] + CENTRE - NOISE - value)
        out[j, 5], out[j, 6], out[j, 7], out[j, 8] = s[4], s[5], s[6], s[3]
        for rule in range(16):
            if rule < 4:
                figure = value
            elif rule < 6:
                figure = out[j, 2 + rule - 4]
            elif rule < 8:
                figure = mean
            elif rule < 10:
                figure = out[j, 4]
            elif rule < 12:
                figure = s[4]
            else:
                figure = out[j, (1, 6, 7, 8)[rule - 12]]
            low = rule == 1 or rule == 3 or rule == 4 or rule == 7 or rule == 9 or rule == 11  # noqa: PLR1714
            sign = -1.0 if low else 1.0
            bound = sign * levels[j, rule, 0] - (levels[j, rule, 1] if active[j, rule] else 0.0)
            beyond = sign * figure > bound
            if beyond != active[j, rule]:
                active[j, rule] = beyond
                changed += 1
        s[7] = 1.0 if active[j, 2] or active[j, 3] else 0.0
    return changed


def rivals(tags: int, scans: int) -> Iterator[tuple[str, Scan]]:
    """Those that this size leaves a chance to end."""
    for name, make, most in (
        ("numpy over the tail", plain_numpy, 40_000_000),
        ("bottleneck over the tail", bottleneck, 10_000_000),
        ("naive numba loop", naive_numba, 40_000_000),
    ):
        made = make(tags, scans) if tags * scans <= most else None
        if made is not None:
            yield name, made
    if tags <= 1_000:
        yield "python deques", python_deques(tags, scans)
        made = river(tags, scans)
        if made is not None:
            yield "river", made
