"""The live source: units that run their recipes in plant time, which is wall time since the start × speed.

A tag is looked up by its unit and its role. A role that the model does not know gets a slow sine inside the tag's
range (real, integer), False (boolean) or the tag's own name (text), the same in every run: a load test needs no model.
"""

from __future__ import annotations

import math
import time
import zlib
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
    """A `Source` of running units."""

    def __init__(self, units: Sequence[ReactorUnit], plant_time: PlantTime) -> None:
        self._units = {unit.plan.name: unit for unit in units}
        self._time = plant_time
        self._plant_s = 0
        self._source_ns = plant_time.wall_ns(0)

    def refresh(self) -> int:
        now_s = self._time.now_s()
        if now_s > self._plant_s:
            self._plant_s, self._source_ns = now_s, self._time.wall_ns(now_s)
            for unit in self._units.values():
                unit.advance_to(now_s)
        return self._plant_s

    def point(self, device: Device, tag: Tag) -> Point:
        unit = self._units.get(device.unit_of(tag))
        if unit is not None and tag.role in unit.readings():
            return self._of_role(unit, tag)
        return self._of_stranger(tag)

    def _of_role(self, unit: ReactorUnit, tag: Tag) -> Point:
        role, convert = tag.role, _conversion(tag, unit.readings()[tag.role])

        def point() -> Reading:
            value = convert(unit.readings()[role])
            return Reading(value, BAD_OUT_OF_RANGE if value is None else 0, self._source_ns)

        return point

    def _of_stranger(self, tag: Tag) -> Point:
        kind = tag.value_kind
        if kind is Kind.BOOLEAN:
            return lambda: Reading(False, source_ns=self._source_ns)
        if kind is Kind.TEXT:
            return lambda: Reading(tag.name, source_ns=self._source_ns)
        sine = slow_sine(tag)
        if kind is Kind.INTEGER:
            return lambda: Reading(round(sine(self._plant_s)), source_ns=self._source_ns)
        return lambda: Reading(sine(self._plant_s), source_ns=self._source_ns)


def slow_sine(tag: Tag) -> Callable[[int], float]:
    """Value by plant second, inside the tag's range (0 to 100 where it has none); period and phase from its name."""
    low = tag.range.low if tag.range and tag.range.low is not None else 0.0
    high = tag.range.high if tag.range and tag.range.high is not None else low + 100.0
    low = min(low, high - 100.0) if tag.range and tag.range.low is None else low
    digest = zlib.crc32(tag.name.encode())
    omega, phase = 2 * math.pi / (600 + digest % 1200), digest / 2**32 * 2 * math.pi
    return lambda plant_s: low + (high - low) * (0.5 + 0.45 * math.sin(omega * plant_s + phase))


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
