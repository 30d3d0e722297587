"""The live source: units that run their recipes in plant time, which is wall time since the start × speed.

A tag is looked up by its unit and its role; what a role is that the model does not know, `simulators.strangers` says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from config.model import Device
from config.tags import Kind, Tag
from simulators.source import BAD_OUT_OF_RANGE, Point, Reading, SimulationError, Value
from simulators.unit import ReactorUnit

FASTEST = 3600
"""Plant seconds per second; every one is computed, a unit then costs about 8 % of a core."""
Nanoseconds = Callable[[], int]


class PlantTime:
    """Plant seconds since the start, and the wall time at which a plant second began."""

    def __init__(self, speed: float, monotonic_ns: Nanoseconds = time.monotonic_ns, wall_ns: Nanoseconds = time.time_ns) -> None:
        if not 0 < speed <= FASTEST:
            raise SimulationError(f"speed {speed} is no speed: give plant seconds per second, e.g. 60, at most {FASTEST}")
        self.speed = speed
        self._monotonic_ns = monotonic_ns
        self._start_ns, self._wall_start_ns = monotonic_ns(), wall_ns()

    def now_s(self) -> int:
        return int((self._monotonic_ns() - self._start_ns) * self.speed / 1e9)

    def wall_ns(self, plant_s: int) -> int:
        return self._wall_start_ns + round(plant_s / self.speed * 1e9)


class Live:
    """A `Source` of running units. `on_second` is called when all of them have reached a second."""

    def __init__(
        self, units: Sequence[ReactorUnit], plant_time: PlantTime, on_second: Callable[[int], None] = lambda _plant_s: None
    ) -> None:
        self._units = {unit.plan.name: unit for unit in units}
        self._time, self._on_second = plant_time, on_second
        self.plant_s = 0
        self.changes = 0
        """To be counted up where something is changed within a second."""
        self._source_ns = plant_time.wall_ns(0)

    def refresh(self) -> int:
        now_s = self._time.now_s()
        while self.plant_s < now_s:
            self.plant_s += 1
            for unit in self._units.values():
                unit.advance_to(self.plant_s)
            self._on_second(self.plant_s)
        self._source_ns = self._time.wall_ns(self.plant_s)
        return self.plant_s + self.changes

    def point(self, device: Device, tag: Tag) -> Point:
        unit = self.unit_of(device, tag)
        unit.take([tag])
        role, convert = tag.role, _conversion(tag, unit.readings()[tag.role])

        def point() -> Reading:
            status = unit.status(role)
            if status >> 30 >= 2:
                return Reading(None, status, self._source_ns)
            value = convert(unit.readings()[role])
            return Reading(value, BAD_OUT_OF_RANGE if value is None else status, self._source_ns)

        return point

    def unit_of(self, device: Device, tag: Tag) -> ReactorUnit:
        """The unit that owns a tag. Raises SimulationError."""
        name = device.unit_of(tag)
        if name not in self._units:
            raise SimulationError(f"tag {tag.name} of device {device.name}: no unit {name!r} is simulated")
        return self._units[name]


def _conversion(tag: Tag, example: Value) -> Callable[[Value], Value | None]:
    """What makes the model's value one of the tag's kind. None: the tag has no word for it."""
    kind = tag.value_kind
    if kind is Kind.TEXT:
        return str
    if isinstance(example, str):
        return _number_of_state(tag)
    if kind is Kind.INTEGER:
        return lambda value: round(float(value))
    return float if kind is Kind.REAL else bool


def _number_of_state(tag: Tag) -> Callable[[Value], Value | None]:
    """An enumeration of texts: phase `Dose` is the number that `states` gives it."""
    numbers: dict[str, int] = {text: number for number, text in tag.states.items()}
    if not numbers or tag.value_kind is not Kind.INTEGER:
        raise SimulationError(
            f"tag {tag.name}: role {tag.role} is a text here, the tag is {tag.value_kind}: "
            "make it a text, or an integer with states that name its numbers"
        )
    return lambda value: numbers.get(str(value))
