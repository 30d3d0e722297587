"""A small recipe for tests, what instruments show at rest, and a run of a recipe on the reactor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from simulators.reactor import Inputs, Readings, State, initial_state, parameters, readings, step
from simulators.recipe.recipe import BatchState, Recipe, Run, advance, begun, context, inputs, load_recipe

SMALL = """\
product: P-1
version: "0.1"
description: Two phases, for tests
chemistry: demo_17
vessel: production_1600l
batch_id: T-##
procedure:
  Make P-1:
    React:
      Charge:
        number: 1
        temperature: {setpoint_c: 20}
        stirrer_speed_rpm: 50
        charge: {kg_per_h: 1600, ramp_s: 10}
        until: [{role: contents_mass, low: 800}]
        minimum_s: 20
        maximum_s: 100
      Heat:
        number: 3
        temperature: {setpoint_c: 21, ramp_k_per_min: 3}
        stirrer_speed_rpm: 80
        dose: {kg_per_h: 100}
        until:
          - {role: product_temperature, low: 20.5, high: 21.5, for_s: 5}
        maximum_s: 60
        at_maximum: go on
        hold_when: [{role: headspace_pressure, low: 2}]
        abort_when: [{role: oxygen, low: 8, for_s: 3}]
idle:
  temperature: {setpoint_c: 20}
  stirrer_speed_rpm: 0
  discharge: {kg_per_h: 6000}
  until: [{role: contents_mass, high: 0.5}]
  minimum_s: 30
hold:
  when:
    - {role: product_temperature, low: 75}
    - {role: stirrer_running, equals: false, for_s: 2}
  temperature: {mode: jacket, setpoint_c: -10}
  until: [{role: dosing_rate, high: 1}]
  minimum_s: 3
restart:
  until: [{role: product_temperature, high: 60}]
  minimum_s: 2
stop:
  purge_nm3_per_h: 4
  minimum_s: 5
abort:
  when: [{role: product_temperature, low: 90}]
  temperature: {mode: "off"}
  discharge: {kg_per_h: 9000}
  until: [{role: contents_mass, high: 0.5}]
  reset_after_s: 10
"""


def recipe_of(folder: Path, text: str = SMALL) -> Recipe:
    """The recipe that a file with this text holds."""
    file = folder / "small.yaml"
    file.write_text(text, encoding="utf-8")
    return load_recipe(file)


def at_rest(**changed: float | bool) -> Readings:
    """What instruments show of an empty vessel with its stirrer running, but for what is `changed`."""
    example = parameters("production_1600l", "demo_17")
    shown = readings(initial_state(example), example) | {"stirrer_running": True, "oxygen": 0.0} | changed
    assert set(shown) == set(readings(initial_state(example), example))
    return shown


class Second(NamedTuple):
    """One plant second of a run on the reactor."""

    plant_s: int
    run: Run
    state: State
    recipe: Recipe
    true: Readings
    """What ideal instruments show."""

    @property
    def shown(self) -> Readings:
        """The truth and the context."""
        return self.true | context(self.run, self.recipe)

    @property
    def phase(self) -> str:
        return self.recipe.phases[self.run.phase_index].name


Disturbance = Callable[[int, Run, Inputs], Inputs]
"""Plant second, run, what is asked -> what the reactor gets."""


def seconds(recipe: Recipe, disturb: Disturbance | None = None, since: Second | None = None) -> Iterator[Second]:
    """Second by second, as a simulated unit does it, without end; from the beginning, or on from a second of another run."""
    conditions = recipe.parameters
    begins_s, run, state = (since.plant_s, since.run, since.state) if since else (0, begun(recipe), initial_state(conditions))
    for plant_s in count(begins_s + 1):
        asked = inputs(run, recipe)
        state = step(state, disturb(plant_s, run, asked) if disturb else asked, 1.0, conditions)
        true = readings(state, conditions)
        run = advance(run, recipe, true)
        yield Second(plant_s, run, state, recipe, true)


_EVERY_S = 10


def batch(recipe: Recipe, disturb: Disturbance | None = None, since: Second | None = None, most_s: int = 100_000) -> list[Second]:
    """The first batch and the idling after it: every tenth second, and each first and last one of a phase and a state."""
    found: list[Second] = []
    for second in seconds(recipe, disturb, since):
        if second.run.batch > 1:
            return found
        if len(found) > 1 and found[-1].plant_s % _EVERY_S and _stretch(found[-2]) == _stretch(found[-1]) == _stretch(second):
            found.pop()
        found.append(second)
        assert len(found) < most_s / _EVERY_S, f"still {second.run.state.word} in {second.phase}: {second.run.message}"
    raise AssertionError


def _stretch(second: Second) -> tuple[int, BatchState]:
    return second.run.phase_index, second.run.state
