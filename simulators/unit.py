"""One ISA-88 unit that runs its recipe batch after batch, in steps of one second of plant time.

What it shows at plant second t depends on the seed and on t alone: every second is computed, however fast time goes,
and the noise of second t is drawn from a generator seeded with (seed, unit, t).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace

import numpy as np

from simulators import reactor, recipe
from simulators.reactor import Parameters, Readings, State
from simulators.recipe import Recipe, Run, load_recipe

_NOISE = {
    "product_temperature": 0.03,
    "product_temperature_b": 0.04,
    "jacket_inlet_temperature": 0.06,
    "jacket_outlet_temperature": 0.06,
    "headspace_pressure": 0.0015,
    "stirrer_speed": 0.15,
    "stirrer_power": 0.012,
    "contents_mass": 0.25,
    "dosing_rate": 0.35,
    "nitrogen_flow": 0.02,
    "ph": 0.008,
}
"""Standard deviation of each instrument, engineering units."""
_SILENT_AT_ZERO = frozenset({"stirrer_speed", "stirrer_power", "dosing_rate", "nitrogen_flow"})
"""Instruments with a low cut-off: no flow is shown as exactly 0."""


@dataclass(frozen=True, slots=True)
class FastFeed:
    """The dosing feed runs `factor` times too fast for a while, in every `every`-th batch, the first included."""

    phase: str = "Dose"
    after_s: int = 1200
    duration_s: int = 840
    factor: float = 2.85
    every: int = 2

    def dosing_factor(self, run: Run, phase: str) -> float:
        strikes = phase == self.phase and (run.batch - 1) % self.every == 0
        return self.factor if strikes and self.after_s <= run.phase_s < self.after_s + self.duration_s else 1.0


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """What makes one simulated unit differ from the next."""

    name: str
    first_batch: int = 1
    """Number in its first batch id."""
    upset: FastFeed | None = None
    head_start_s: int = 0
    """Plant seconds that it has run when the simulation begins."""
    recipe: Recipe = field(default_factory=lambda: load_recipe("exothermic-dosing"))
    parameters: Parameters = field(default_factory=Parameters)


class ReactorUnit:
    """A unit in time. Not before the second it has reached: time goes forward."""

    def __init__(self, plan: UnitPlan, seed: int) -> None:
        self.plan = plan
        self.plant_s = 0
        self.state: State = reactor.initial_state(plan.parameters)
        self.run = Run()
        self._seed = (seed, zlib.crc32(plan.name.encode()))
        self._shown: tuple[int, Readings] | None = None
        for _ in range(plan.head_start_s):
            self._second()

    def advance_to(self, plant_s: int) -> None:
        """Compute every second up to `plant_s`; a time that was reached already changes nothing."""
        while self.plant_s < plant_s:
            self._second()
            self.plant_s += 1

    def readings(self) -> Readings:
        """Role -> what the instruments and the controller show at this second."""
        if self._shown is None or self._shown[0] != self.plant_s:
            self._shown = (self.plant_s, self._noisy(reactor.readings(self.state, self.plan.parameters)) | self._context())
        return self._shown[1]

    def _second(self) -> None:
        asked = recipe.inputs(self.run, self.plan.recipe)
        if self.plan.upset:
            phase = self.plan.recipe.phases[self.run.phase_index].name
            asked = replace(asked, dosing_factor=self.plan.upset.dosing_factor(self.run, phase))
        self.state = reactor.step(self.state, asked, 1.0, self.plan.parameters)
        self.run = recipe.advance(self.run, self.plan.recipe, reactor.readings(self.state, self.plan.parameters))

    def _noisy(self, shown: Readings) -> Readings:
        draws = np.random.default_rng((*self._seed, self.plant_s)).standard_normal(len(_NOISE))
        for (role, deviation), draw in zip(_NOISE.items(), draws.tolist(), strict=True):
            true = float(shown[role])
            silent = role in _SILENT_AT_ZERO and true < 5 * deviation
            shown[role] = 0.0 if silent else true + deviation * draw
        shown["contents_mass"] = max(0.0, float(shown["contents_mass"]))
        return shown

    def _context(self) -> Readings:
        return recipe.context(self.run, self.plan.recipe, self.plan.first_batch)


def unit_plans(names: tuple[str, ...]) -> tuple[UnitPlan, ...]:
    """Units as a demonstration wants them: every second one is upset in its first batch, and is already heating."""
    return tuple(
        replace(UnitPlan(name), first_batch=1 + 100 * index)
        if index % 2 == 0
        else UnitPlan(name, 1 + 100 * index, FastFeed(), head_start_s=_NEAR_DOSE_S)
        for index, name in enumerate(names)
    )


_NEAR_DOSE_S = 6600
"""A head start after which a DEMO-17 batch heats, ten plant minutes before it doses."""
