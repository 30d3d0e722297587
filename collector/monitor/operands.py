"""The newest good figures of the whole plant that relations are made of: raw values and rolling statistics, one cell each.

    scan of a group ──> its cells: value, slot, and of a statistic the beginning of its window

A cell keeps its last good figure; how old that may be is for who asks. Only what a relation needs has a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.monitor.figures import MOST_EXACT_SCANS
from collector.monitor.statistics import ROW_OF
from collector.monitor.window import Window
from drivers.base import Layout, Scan

EARLIEST: Final = -(1 << 62)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Source:
    """What a cell holds."""

    layout: Layout
    column: int
    statistic: str = "value"
    window_s: float | None = None
    min_coverage: float = 1.0

    def __hash__(self) -> int:
        return hash((self.layout.id, self.column, self.statistic, self.window_s))  # all of the layout takes as long as it is wide


class _Rolling:
    """The cells of one window length in one scan group."""

    def __init__(self, window_s: float, sources: Sequence[tuple[int, Source]]) -> None:
        """`sources` with their cells."""
        layout = sources[0][1].layout
        window_ns, period_ns = round(window_s * 1e9), layout.period_ns
        self.columns: Indices = np.unique([source.column for _, source in sources]).astype(np.intp)
        self.window = Window(len(self.columns), window_ns, period_ns, panes=window_ns > MOST_EXACT_SCANS * period_ns)
        self._cells = np.array([cell for cell, _ in sources], np.intp)
        self._rows = np.array([ROW_OF[source.statistic] for _, source in sources], np.intp)
        self._places = np.searchsorted(self.columns, [source.column for _, source in sources])
        self._is_std = np.array([source.statistic == "std" for _, source in sources], np.bool_)
        slots = -(-window_ns // period_ns)
        self._least = np.array([source.min_coverage * slots for _, source in sources])

    def push(self, slot_ns: int, values: Floats, good: Bools) -> tuple[Indices, Floats]:
        """The cells that have a figure now, and theirs."""
        self.window.push(slot_ns, values[self.columns], good[self.columns])
        figures = self.window.results[self._rows, self._places]
        figures[self._is_std] = np.sqrt(figures[self._is_std])
        count = np.broadcast_to(np.asarray(self.window.count), len(self.columns))[self._places]
        known = np.isfinite(figures) & (count >= self._least)
        return self._cells[known], figures[known]


class _Feed:
    """What one scan group gives."""

    def __init__(self, sources: Sequence[tuple[int, Source]]) -> None:
        raw = [(cell, source.column) for cell, source in sources if source.window_s is None]
        self.cells, self.columns = np.array(raw, np.intp).reshape(-1, 2).T
        lengths = dict.fromkeys(source.window_s for _, source in sources if source.window_s is not None)
        self.rolling = [_Rolling(length, [each for each in sources if each[1].window_s == length]) for length in lengths]
        self.newest_ns = EARLIEST


class Operands:
    """Of the whole plant."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.cell_of: Mapping[Source, int] = {source: cell for cell, source in enumerate(dict.fromkeys(sources))}
        count = len(self.cell_of)
        self.values = np.full(count, np.nan)
        self.slots_ns = np.full(count, EARLIEST, np.int64)
        """Of the last good figure."""
        self.begins_ns = np.full(count, -EARLIEST, np.int64)
        """What is after this time is in it; of a raw value it lies in no past."""
        by_layout: dict[str, list[tuple[int, Source]]] = {}
        for source, cell in self.cell_of.items():
            by_layout.setdefault(source.layout.id, []).append((cell, source))
        self._feeds = {id_: _Feed(sources) for id_, sources in by_layout.items()}

    def take(self, scan: Scan) -> bool:
        """The figures of a scan; False where none is wanted of it, or it is not after the newest of its group."""
        feed = self._feeds.get(scan.layout.id)
        if feed is None or scan.slot_ns <= feed.newest_ns:
            return False
        feed.newest_ns = scan.slot_ns
        good = scan.good
        known = good[feed.columns]
        self._put(scan.slot_ns, feed.cells[known], scan.values[feed.columns[known]])
        for rolling in feed.rolling:
            cells, figures = rolling.push(scan.slot_ns, scan.values, good)
            self._put(scan.slot_ns, cells, figures)
            self.begins_ns[cells] = rolling.window.begin_ns
        return True

    def _put(self, slot_ns: int, cells: Indices, figures: Floats) -> None:
        self.values[cells] = figures
        self.slots_ns[cells] = slot_ns
