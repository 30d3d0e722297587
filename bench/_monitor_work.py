"""The work of `bench.monitor`: all statistics and 16 rules of some tags, as the core does them, and the samples to do it on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from collector.monitor.aligned import aligned
from collector.monitor.bands import QuietBands
from collector.monitor.drift import Cusum, Ewma
from collector.monitor.outside import TimeOutside
from collector.monitor.window import Window

Floats = NDArray[np.float64]
SECOND_NS = 1_000_000_000
CENTRE, NOISE = 150.0, 0.01
COURSE = 64
"""Scans that are repeated."""
EXCURSIONS = 2.5e-4
"""Share of samples that begin four scans outside L or H."""

VALUE, MEAN, SLOPE, VARIANCE, LOW, HIGH, EWMA, CUSUM_HIGH, CUSUM_LOW, OUTSIDE = range(10)
FIGURES = 10
RULES = [
    *[(VALUE, side * distance, 0.5) for side in (-1, 1) for distance in (4.5, 6.0)],
    *[(figure, side * distance, 0.1) for side in (-1, 1) for figure, distance in ((MEAN, 1.0), (EWMA, 3.0))],
    (LOW, -30.0, 0.5),
    (HIGH, 30.0, 0.5),
]
"""(figure, level from the centre, deadband), in standard deviations of the noise; 10 of the 16."""
PLAIN = [
    (SLOPE, -1.0),
    (SLOPE, 1.0),
    (VARIANCE, 9 * NOISE**2),
    (CUSUM_HIGH, 50 * NOISE),
    (CUSUM_LOW, 50 * NOISE),
    (OUTSIDE, 30.0),
]
"""(figure, level): the other six."""


def course(tags: int, bad_share: float = 0.0) -> list[tuple[Floats, NDArray[np.bool_] | None]]:
    """Scans of noise, some tags outside for some time; what is good of each."""
    dice = np.random.default_rng(1)
    values = CENTRE + NOISE * dice.standard_normal((COURSE, tags))
    values[np.repeat(dice.random((COURSE // 4, tags)) < EXCURSIONS, 4, axis=0)] += 20 * NOISE
    if not bad_share:
        return [(row, None) for row in values]
    good = dice.random(values.shape) >= bad_share
    return list(zip(values, good, strict=True))


class Work:
    """Of some tags of one scan group with one window."""

    def __init__(self, tags: int, window_scans: int, *, panes: bool, bad_share: float = 0.0) -> None:
        self._course = course(tags, bad_share)
        self._slot_ns, self._at = 1_700_000_000 * SECOND_NS, 0
        self._flat = aligned(FIGURES * tags)
        self._flat.fill(np.nan)
        self.cells = self._flat.reshape(FIGURES, tags)
        self._values = self.cells[VALUE]
        centre, window_ns = np.full(tags, CENTRE), window_scans * SECOND_NS
        self._window = Window(tags, window_ns, SECOND_NS, panes=panes, out=self.cells[MEAN : HIGH + 1])
        self._ewma = Ewma(0.1, centre, self.cells[EWMA])
        self._cusum = Cusum(centre, NOISE, self.cells[CUSUM_HIGH : CUSUM_LOW + 1])
        limits = (centre - 4.5 * NOISE, centre + 4.5 * NOISE)
        self._outside = TimeOutside(window_ns, SECOND_NS, *limits, self.cells[OUTSIDE])
        self._bands = bands(tags)
        self.changed = 0
        """Rules that went outside or came back."""

    @property
    def state_bytes(self) -> int:
        """Of all arrays that the core keeps."""
        return array_bytes((self.cells, self._window, self._ewma, self._cusum, self._outside, self._bands))

    def scan(self) -> None:
        """The next one."""
        values, good = self._course[self._at & (COURSE - 1)]
        self._at += 1
        self._slot_ns += SECOND_NS
        bad = None if good is None else np.flatnonzero(~good)
        np.copyto(self._values, values)
        values = self._values
        if bad is not None:
            values[bad] = np.nan
        self._window.push(self._slot_ns, values, good)
        self._ewma.push(values, bad)
        self._cusum.push(values, bad)
        self._outside.push(self._slot_ns, values, bad)
        self.changed += len(self._bands.step(self._flat))


def bands(tags: int) -> QuietBands:
    """16 rules of each tag."""
    rules = [(figure, CENTRE + NOISE * level, NOISE * back, level > 0) for figure, level, back in RULES]
    rules += [(figure, level, 0.0, level > 0) for figure, level in PLAIN]
    of_tag = [np.array(part) for part in zip(*rules, strict=True)]
    figure, level, deadband, high = (np.repeat(part, tags) for part in of_tag)
    cell = figure * tags + np.tile(np.arange(tags), len(rules))
    back = np.where(high, level - deadband, level + deadband)
    return QuietBands(FIGURES * tags, cell, high, level, back, np.zeros(len(cell), np.bool_))


def array_bytes(root: object) -> int:
    """Of all arrays that can be reached from `root`, each buffer once."""
    return sum(array.nbytes for array in _arrays(root, set()))


def _arrays(found: object, seen: set[int]) -> Iterator[NDArray[np.generic]]:
    if id(found) in seen:
        return
    seen.add(id(found))
    if isinstance(found, np.ndarray):
        if isinstance(found.base, np.ndarray):
            yield from _arrays(found.base, seen)
        else:
            yield found
    elif isinstance(found, memoryview):
        yield from _arrays(found.obj, seen)
    elif isinstance(found, (str, bytes, bytearray, int, float, type)):
        return
    elif hasattr(found, "__iter__"):
        for item in found:
            yield from _arrays(item, seen)
    else:
        names = [name for of in type(found).__mro__ for name in getattr(of, "__slots__", ())] + list(
            getattr(found, "__dict__", ())
        )
        for name in names:
            yield from _arrays(getattr(found, name, None), seen)
