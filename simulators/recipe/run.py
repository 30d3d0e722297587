"""Where a recipe stands, and what that asks of the reactor and tells to whoever reads the controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulators.reactor import Inputs, Readings, TemperatureMode
from simulators.recipe.file import Feed, Settings, Temperature, numbered
from simulators.recipe.plan import Recipe, Response
from simulators.recipe.states import BatchState

PHASE_RUNS = (BatchState.RUNNING, BatchState.PAUSING)
_FLOWS_RUN = (*PHASE_RUNS, BatchState.IDLE)
_MODES = {"off": TemperatureMode.OFF, "jacket": TemperatureMode.JACKET, "product": TemperatureMode.PRODUCT}


@dataclass(frozen=True, slots=True)
class Run:
    """Where the recipe stands. The default is the first second of a first batch."""

    batch: int = 1
    """Batches of this unit, counted from 1; 0 before the first."""
    phase_index: int = 0
    """In `Recipe.phases`."""
    state: BatchState = BatchState.RUNNING
    phase_s: int = 0
    """Seconds that the phase has run."""
    state_s: int = 0
    """Seconds in this state, and in Running since the phase or the restart."""
    met: tuple[int, ...] = ()
    """How long each condition that ends the phase or the state has been met, s."""
    watched: tuple[int, ...] = ()
    """The same for what aborts and what holds, in this order."""
    temperature_mode: TemperatureMode = TemperatureMode.PRODUCT
    temperature_setpoint_c: float = 20.0
    jacket_setpoint_c: float = 20.0
    message: str = ""
    """Why it is in this state, or why the last command was refused."""


def begun(recipe: Recipe, *, idle: bool = False) -> Run:
    """A run at its first second: in its first batch, or idle before it."""
    if idle:
        index, state = len(recipe.phases) - 1, BatchState.IDLE
        return tempered(Run(0, index, state), recipe.phases[index].settings, {})
    return tempered(Run(), recipe.phases[0].settings, {})


def inputs(run: Run, recipe: Recipe) -> Inputs:
    """What is asked of the reactor now."""
    step = recipe.phases[run.phase_index]
    settings, flows = settings_of(run, recipe)
    speed = step.settings.stirrer_speed_rpm if settings.stirrer_speed_rpm is None else settings.stirrer_speed_rpm
    temperature = settings.temperature or step.settings.temperature
    return Inputs(
        temperature_mode=run.temperature_mode,
        temperature_setpoint_c=run.temperature_setpoint_c,
        jacket_setpoint_c=run.jacket_setpoint_c,
        jacket_limit_c=temperature.jacket_limit_c if temperature else None,
        stirrer_speed_rpm=speed or 0.0,
        charge_kg_per_h=_rate(settings.charge, run, flows),
        dosing_kg_per_h=_rate(settings.dose, run, flows),
        discharge_kg_per_h=_rate(settings.discharge, run, flows),
        seed_kg_per_h=_rate(settings.seed, run, flows),
        purge_nm3_per_h=settings.purge_nm3_per_h,
        pressure_setpoint_bar=settings.pressure_setpoint_bar,
        receive_distillate=settings.receive_distillate and flows,
        reset_totals=run.state is BatchState.RUNNING and run.phase_index == 0 and run.phase_s == 0,
    )


def context(run: Run, recipe: Recipe, first_batch: int = 1) -> Readings:
    """What the controller tells of the batch, by role; texts are empty where no batch is in the unit."""
    step = recipe.phases[run.phase_index]
    in_batch = run.state is not BatchState.IDLE
    return {
        "batch_id": numbered(recipe.file.batch_id, first_batch + run.batch - 1) if in_batch else "",
        "phase": step.name,
        "phase_number": step.number,
        "batch_state": int(run.state),
        "product": recipe.product if in_batch else "",
        "recipe_version": recipe.version if in_batch else "",
        "step_number": 10 * step.number,
        "unit_procedure": step.unit_procedure,
        "operation": step.operation,
    }


def settings_of(run: Run, recipe: Recipe) -> tuple[Settings, bool]:
    """What is asked for in the present state, and whether its flows run."""
    response = response_of(run.state, recipe)
    if response:
        return response.settings, True
    return recipe.phases[run.phase_index].settings, run.state in _FLOWS_RUN


def response_of(state: BatchState, recipe: Recipe) -> Response | None:
    """What the recipe has for a state in which no phase runs; None for the others."""
    if state in _FLOWS_RUN:
        return None
    if state in (BatchState.HOLDING, BatchState.HELD):
        return recipe.hold
    if state in (BatchState.STOPPING, BatchState.STOPPED):
        return recipe.stop
    return recipe.abort if state in (BatchState.ABORTING, BatchState.ABORTED) else None


def _rate(feed: Feed | None, run: Run, flows: bool) -> float:
    if feed is None or not flows:
        return 0.0
    return feed.kg_per_h * min(1.0, (run.state_s + 1) / feed.ramp_s) if feed.ramp_s else feed.kg_per_h


def tempered(run: Run, settings: Settings, shown: Mapping[str, float | int | bool | str], *, anew: bool = False) -> Run:
    """The run with its setpoints a second further on their ramps. `anew`, or in another mode than before, a ramp begins at
    what is measured; else at the setpoint that was. Without a temperature all stays as it is."""
    wanted = settings.temperature
    if wanted is None:
        return run
    mode, target_c = _MODES[wanted.mode], wanted.setpoint_c
    measured = anew or mode is not run.temperature_mode
    product_c, jacket_c = run.temperature_setpoint_c, run.jacket_setpoint_c
    if target_c is not None and mode is TemperatureMode.PRODUCT:
        product_c = _ramped(float(shown.get("product_temperature", product_c)) if measured else product_c, target_c, wanted)
    elif target_c is not None:
        jacket_c = _ramped(float(shown.get("jacket_inlet_temperature", jacket_c)) if measured else jacket_c, target_c, wanted)
    if (mode, product_c, jacket_c) == (run.temperature_mode, run.temperature_setpoint_c, run.jacket_setpoint_c):
        return run
    return replace(run, temperature_mode=mode, temperature_setpoint_c=product_c, jacket_setpoint_c=jacket_c)


def _ramped(from_c: float, target_c: float, wanted: Temperature) -> float:
    if wanted.ramp_k_per_min is None:
        return target_c
    most = wanted.ramp_k_per_min / 60.0
    return from_c + min(max(target_c - from_c, -most), most)
