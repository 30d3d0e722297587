"""Signals of simulated reactors as their instruments show them, without a socket: physics, recipe, noise and resolution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from config.tags import Kind
from drivers.base import Layout, Scan, scan_groups
from simulators.farm import farm
from simulators.live import PlantTime
from simulators.simulation import Simulation

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What the tags of one scan group were, once a second."""

    layout: Layout
    values: NDArray[np.float64]
    """`[seconds, columns]`, NaN for texts."""
    texts: Sequence[tuple[str, ...]]
    """Of the text columns, each second."""

    def scans(self, begin_ns: int) -> Iterator[Scan]:
        """A good scan each second."""
        k = len(self.layout.columns)
        status, quality = np.zeros(k, np.uint32), np.zeros(k, np.uint8)
        integers = self.values[:, self.layout.integer_columns].astype(np.int64)
        for second, texts in enumerate(self.texts):
            slot_ns = begin_ns + second * SECOND_NS
            received_ns = slot_ns + 4_000_000 + second * 7919 % 1_000_000
            yield Scan(self.layout, slot_ns, received_ns, self.values[second], status, quality, None, integers[second], texts)

    def named(self, device: str) -> Signals:
        """The same of another device."""
        return replace(self, layout=replace(self.layout, device=device))

    def in_float32(self) -> Signals:
        """As controllers hold them that count in single precision."""
        return replace(self, values=self.values.astype(np.float32).astype(np.float64))


def reactors(count: int, seconds: int) -> list[Signals]:
    """`count` reactors with fifty tags each, from the beginning of their recipe."""
    wall_ns = 0
    plant = farm(count, "opcua")
    simulation = Simulation(plant, PlantTime(1.0, lambda: wall_ns, lambda: wall_ns))
    groups = [scan_groups(endpoint)[0] for endpoint in plant.endpoints]
    points = [[simulation.live.point(group.device, tag) for tag in group.tags] for group in groups]
    shown: list[list[list[float | int | bool | str]]] = [[] for _ in groups]
    simulation.begin()
    for second in range(seconds):
        wall_ns = second * SECOND_NS + 1
        simulation.live.refresh()
        for n, of_reactor in enumerate(points):
            shown[n].append([point().value or 0 for point in of_reactor])
    return [_signals(group.layout, rows) for group, rows in zip(groups, shown, strict=True)]


def _signals(layout: Layout, rows: Sequence[Sequence[float | int | bool | str]]) -> Signals:
    is_text = [column.kind is Kind.TEXT for column in layout.columns]
    values = np.array([[np.nan if text else float(value) for value, text in zip(row, is_text, strict=True)] for row in rows])
    texts = [tuple(str(value or "") for value, text in zip(row, is_text, strict=True) if text) for row in rows]
    return Signals(layout, values, texts)
