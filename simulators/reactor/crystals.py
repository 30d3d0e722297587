"""Solubility, nuclei, growth: how much solute goes from the solution to the crystals in a sub-step, and back.

    c* = c₀·exp(b·T)        dm/dt = g·e^(−E/R…)·count^(1/3)·m^(2/3)·(c − c*)        count: crystals by number

The area of a fixed number of crystals goes with m^(2/3) (A. Mersmann, Crystallization Technology Handbook). Without
crystals nothing grows until the solution is undercooled past its metastable zone; then many small ones appear.
"""

from __future__ import annotations

import math

from simulators.reactor.parameters import Parameters
from simulators.reactor.state import GAS_CONSTANT, KELVIN, State

_NUCLEI_PER_S = 1e-4
"""Of the dissolved, per unit of relative supersaturation past the metastable limit."""
_FINENESS = 20.0
"""Nuclei by number, for the mass of one seed crystal."""
_STANDING = 0.2
"""Growth without a stirrer, where crystals lie on the bottom."""


def solubility(temperature_c: float, parameters: Parameters) -> float:
    """kg of solute per kg of solvent."""
    chemistry = parameters.chemistry
    return chemistry.solubility_at_0_c * math.exp(chemistry.solubility_per_k * temperature_c)


def grown_kg(state: State, h: float, parameters: Parameters) -> tuple[float, float]:
    """(mass that crystallises, negative where it dissolves; crystals by number that are new, as seed mass)."""
    chemistry, temperature_c = parameters.chemistry, state.product_temperature_c
    if chemistry.solubility_at_0_c <= 0.0 or state.contents_kg <= 0.0 or state.dissolved_kg + state.crystals_kg <= 0.0:
        return 0.0, 0.0
    solvent_kg = max(state.volatile_kg, 0.02 * state.contents_kg)
    surplus_kg = state.dissolved_kg - solubility(temperature_c, parameters) * solvent_kg
    nuclei_kg, metastable = 0.0, math.exp(chemistry.solubility_per_k * chemistry.metastable_k) - 1.0
    if surplus_kg > 0.0:
        past = surplus_kg / (state.dissolved_kg - surplus_kg) - metastable
        nuclei_kg = min(_NUCLEI_PER_S * h * past, 0.01) * state.dissolved_kg if past > 0.0 else 0.0
    crystals_kg, count_kg = state.crystals_kg + nuclei_kg, state.crystal_count_kg + _FINENESS * nuclei_kg
    if crystals_kg <= 0.0:
        return 0.0, 0.0
    inverse_k = 1.0 / (temperature_c + KELVIN) - 1.0 / 298.15
    rate = chemistry.growth_per_s * math.exp(-chemistry.growth_energy_j_per_mol / GAS_CONSTANT * inverse_k)
    rate *= (count_kg * crystals_kg * crystals_kg) ** (1.0 / 3.0) / solvent_kg * (1.0 if state.stirrer_rpm > 1.0 else _STANDING)
    growth_kg = -(surplus_kg - nuclei_kg) * math.expm1(-rate * h)
    return max(nuclei_kg + growth_kg, -state.crystals_kg), count_kg - state.crystal_count_kg
