"""Recipes as data, and the run of one: which phase, since when, and what it asks of the reactor.

A phase holds its setpoints until all its conditions have been met for their time; after the last phase the first
follows, with the next batch. The run is a pure function of time and of what ideal instruments show. DEMO_17 goes
after the R-201 table of the trade's notes, with shorter holds and a faster cooling ramp: a batch takes six hours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum

from simulators.reactor import Inputs, Readings


class BatchState(IntEnum):
    """What the controller's batch state tag counts."""

    IDLE = 0
    RUNNING = 1


@dataclass(frozen=True, slots=True)
class Condition:
    """A role inside `[low, high]`."""

    role: str
    low: float = -math.inf
    high: float = math.inf

    def met(self, shown: Readings) -> bool:
        return self.low <= float(shown[self.role]) <= self.high


@dataclass(frozen=True, slots=True)
class Phase:
    """What one phase asks for. Without a ramp the setpoint steps."""

    name: str
    number: int
    temperature_c: float
    ramp_k_per_min: float | None = None
    stirrer_speed_rpm: float = 0.0
    charge_kg_per_h: float = 0.0
    dosing_kg_per_h: float = 0.0
    dosing_ramp_s: int = 0
    """The feed grows to its rate over this time."""
    discharge_kg_per_h: float = 0.0
    purge_nm3_per_h: float = 0.5
    minimum_s: int = 0
    until: tuple[Condition, ...] = ()
    for_s: int = 0
    """How long all conditions must hold without a break."""
    batch: bool = True
    """False: no batch is in the unit."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Phases in their order, for a product."""

    product: str
    version: str
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class Upset:
    """The dosing feed runs `factor` times too fast for a while, in every `every`-th batch, the first included."""

    phase: str = "Dose"
    after_s: int = 1200
    duration_s: int = 840
    factor: float = 2.85
    every: int = 2

    def dosing_factor(self, run: Run, phase: Phase) -> float:
        strikes = phase.name == self.phase and (run.batch - 1) % self.every == 0
        return self.factor if strikes and self.after_s <= run.phase_s < self.after_s + self.duration_s else 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """Where the recipe stands."""

    batch: int = 1
    """Batches of this unit, counted from 1."""
    phase_index: int = 0
    phase_s: int = 0
    met_s: int = 0
    temperature_setpoint_c: float = 20.0


def advance(run: Run, recipe: Recipe, shown: Readings) -> Run:
    """The run one second later; `shown` is what the instruments show now."""
    phase = recipe.phases[run.phase_index]
    met_s = run.met_s + 1 if all(condition.met(shown) for condition in phase.until) else 0
    phase_s = run.phase_s + 1
    if phase_s >= phase.minimum_s and met_s > phase.for_s:
        return _next_phase(run, recipe)
    return replace(run, phase_s=phase_s, met_s=met_s, temperature_setpoint_c=_ramped(run, phase))


def inputs(run: Run, recipe: Recipe, upset: Upset | None) -> Inputs:
    """What the phase asks of the reactor now."""
    phase = recipe.phases[run.phase_index]
    factor = upset.dosing_factor(run, phase) if upset else 1.0
    begun = min(1.0, (run.phase_s + 1) / phase.dosing_ramp_s) if phase.dosing_ramp_s else 1.0
    return Inputs(
        temperature_setpoint_c=run.temperature_setpoint_c,
        stirrer_speed_rpm=phase.stirrer_speed_rpm,
        charge_kg_per_h=phase.charge_kg_per_h,
        dosing_kg_per_h=phase.dosing_kg_per_h * begun * factor,
        discharge_kg_per_h=phase.discharge_kg_per_h,
        purge_nm3_per_h=phase.purge_nm3_per_h,
        reset_totals=run.phase_index == 0,
    )


def _next_phase(run: Run, recipe: Recipe) -> Run:
    index = (run.phase_index + 1) % len(recipe.phases)
    batch = run.batch + (index == 0)
    entered = Run(batch, index, 0, 0, run.temperature_setpoint_c)
    return replace(entered, temperature_setpoint_c=_ramped(entered, recipe.phases[index]))


def _ramped(run: Run, phase: Phase) -> float:
    if phase.ramp_k_per_min is None:
        return phase.temperature_c
    most = phase.ramp_k_per_min / 60.0
    return run.temperature_setpoint_c + min(max(phase.temperature_c - run.temperature_setpoint_c, -most), most)


DEMO_17 = Recipe(
    product="DEMO-17",
    version="1.0",
    phases=(
        Phase("Inert", 1, 20.0, stirrer_speed_rpm=30.0, purge_nm3_per_h=6.0, minimum_s=600),
        Phase(
            "Charge",
            2,
            20.0,
            stirrer_speed_rpm=50.0,
            charge_kg_per_h=2400.0,
            until=(Condition("contents_mass", low=800.0),),
        ),
        Phase(
            "Heat",
            3,
            65.0,
            ramp_k_per_min=0.5,
            stirrer_speed_rpm=80.0,
            until=(Condition("temperature_setpoint", low=64.99), Condition("product_temperature", 64.0, 66.0)),
            for_s=120,
        ),
        Phase(
            "Dose",
            4,
            65.0,
            stirrer_speed_rpm=100.0,
            dosing_kg_per_h=100.0,
            dosing_ramp_s=900,
            until=(Condition("dosed_mass", low=150.0),),
        ),
        Phase(
            "Hold",
            5,
            65.0,
            stirrer_speed_rpm=100.0,
            minimum_s=2700,
            until=(Condition("product_temperature", 64.5, 65.5),),
            for_s=120,
        ),
        Phase(
            "Cool",
            6,
            5.0,
            ramp_k_per_min=0.8,
            stirrer_speed_rpm=60.0,
            until=(Condition("product_temperature", high=6.0),),
            for_s=60,
        ),
        Phase(
            "Idle",
            0,
            20.0,
            stirrer_speed_rpm=0.0,
            discharge_kg_per_h=6000.0,
            minimum_s=900,
            until=(Condition("contents_mass", high=0.5), Condition("product_temperature", 15.0, 25.0)),
            batch=False,
        ),
    ),
)
