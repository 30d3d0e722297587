"""The running simulation without its sockets: units, instruments, timeline and board in plant time.

A test drives it with a clock of its own; `simulators.plant` puts servers before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from config.model import Plant
from config.tags import Tag
from simulators.board import Board
from simulators.live import Live, PlantTime
from simulators.programme import UnitPlan, unit_plan, vessel_for
from simulators.scenario import Scenario
from simulators.script import Script
from simulators.source import SimulationError
from simulators.targets import Target, Targets
from simulators.unit import ReactorUnit
from simulators.upset import Disturbable, End, Level, Upset


class Simulation:
    """All units of a plant. Recipes of the scenario that are files count from `folder`."""

    def __init__(
        self,
        plant: Plant,
        plant_time: PlantTime,
        seed: int = 1,
        scenario: Scenario | None = None,
        folder: Path = Path(),
        endpoints: Mapping[str, Disturbable] | None = None,
    ) -> None:
        """`endpoints`, by name, are asked for the upsets of endpoints and devices; they may be put in later."""
        scenario = scenario or Scenario()
        self.units = {plan.name: ReactorUnit(plan, seed) for plan in unit_plans(plant, scenario, folder)}
        self.board = Board(Targets(plant), self._apply, lambda: self.live.plant_s)
        self._script = Script(scenario.timeline, self.board, self.units)
        self.live = Live(tuple(self.units.values()), plant_time, self._script.second)
        for name, tags in _tags_by_unit(plant).items():
            self.units[name].take(tags)
        self._endpoints = endpoints if endpoints is not None else {}

    def begin(self) -> None:
        """Plant second 0: what the timeline says for it begins."""
        self._script.second(0)

    def _apply(self, upset: Upset, target: Target) -> End:
        """Do to the target what the board was asked for."""
        if target.level is Level.UNIT:
            return self._within_a_second(self.units[target.name].disturb(upset))
        assert target.endpoint is not None
        if target.tag is not None and target.device is not None:
            return self._within_a_second(self.live.unit_of(target.device, target.tag).disturb_tag(upset, target.tag))
        endpoint = self._endpoints.get(target.endpoint.name)
        if endpoint is None:
            raise SimulationError(f"endpoint {target.endpoint.name} is not served")
        return endpoint.disturb(upset)

    def _within_a_second(self, end: Callable[[], None]) -> End:
        """What was shown at this second may be another now, and at the second of the end again."""
        self.live.changes += 1

        def end_and_tell() -> None:
            self.live.changes += 1
            end()

        return end_and_tell


def _tags_by_unit(plant: Plant) -> dict[str, list[Tag]]:
    found: dict[str, list[Tag]] = {}
    for device, tag in plant.tags():
        found.setdefault(device.unit_of(tag), []).append(tag)
    return found


def unit_plans(plant: Plant, scenario: Scenario, folder: Path) -> list[UnitPlan]:
    """One for every unit that owns a tag or is named; batches of different units have different numbers."""
    names = dict.fromkeys([unit.name for unit in plant.units])
    names |= dict.fromkeys(device.unit_of(tag) for device, tag in plant.tags())
    told = {unit.name: unit for unit in scenario.units}
    tags = _tags_by_unit(plant)
    plans: list[UnitPlan] = []
    for index, name in enumerate(names):
        unit, first_batch, vessel = told.get(name), 1 + 100 * index, vessel_for(tags.get(name, ()))
        if unit is None:
            plans.append(unit_plan(name, vessel, first_batch=first_batch))
        else:
            first_batch, head_start_s = unit.first_batch or first_batch, round(unit.head_start)
            plans.append(unit_plan(name, unit.vessel or vessel, unit.recipe, folder, first_batch, head_start_s))
    return plans
