"""A simulated plant on virtual time, with endpoints that only remember what was done to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from config.model import Plant
from simulators.board import What
from simulators.live import PlantTime
from simulators.scenario import Scenario
from simulators.simulation import Simulation
from simulators.source import Reading
from simulators.upset import End, Upset


@dataclass
class RecordingEndpoint:
    """What began and ended."""

    happened: list[tuple[What, str, str]] = field(default_factory=list)

    def disturb(self, upset: Upset) -> End:
        self.happened.append(("begins", upset.kind, upset.target))
        return lambda: self.happened.append(("ends", upset.kind, upset.target))


class VirtualPlant:
    """Time goes on when it is told to."""

    def __init__(
        self, plant: Plant, scenario: Scenario | None = None, seed: int = 1, speed: float = 1.0, folder: Path = Path()
    ) -> None:
        self.wall_ns, self._speed = 0, speed
        self.endpoints = {endpoint.name: RecordingEndpoint() for endpoint in plant.endpoints}
        time = PlantTime(speed, lambda: self.wall_ns, lambda: self.wall_ns)
        self.simulation = Simulation(plant, time, seed, scenario, folder, self.endpoints)
        self._points = {(device.unit_of(tag), tag.name): self.simulation.live.point(device, tag) for device, tag in plant.tags()}
        self.simulation.begin()

    def advance_to(self, plant_s: int) -> None:
        self.wall_ns = round(plant_s / self._speed * 1e9) + 1
        self.simulation.live.refresh()

    def reading(self, tag: str, unit: str = "R-201") -> Reading:
        return self._points[unit, tag]()

    def value(self, tag: str, unit: str = "R-201") -> float:
        value = self.reading(tag, unit).value
        assert isinstance(value, int | float)
        return value

    def all_at(self, seconds: Iterable[int]) -> list[list[Reading]]:
        """Every tag at each of these seconds."""
        rows = []
        for second in seconds:
            self.advance_to(second)
            rows.append([point()._replace(source_ns=0) for point in self._points.values()])
        return rows

    @property
    def happenings(self) -> list[tuple[int, What, str, str]]:
        return [(each.plant_s, each.what, each.upset.kind, each.upset.target) for each in self.simulation.board.happenings]
