"""All that the next step depends on, and the sums that let anybody close the balances of mass and energy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from simulators.reactor.inputs import Inputs
from simulators.reactor.parameters import Parameters

GAS_CONSTANT = 8.314462618
"""J/(mol·K)"""
KELVIN = 273.15
OXYGEN_IN_AIR = 0.209
LEAST_HEADSPACE = 0.02
"""Of the vessel, what is never filled: above, inlets are closed by the level switch."""


@dataclass(frozen=True, slots=True)
class State:
    """One moment of the reactor. `initial_state` makes one that fits its vessel."""

    product_temperature_c: float = 20.0
    wall_c: float = 20.0
    jacket_outlet_c: float = 20.0
    jacket_inlet_c: float = 20.0
    jacket_setpoint_c: float = 20.0
    controller_bias_c: float = 20.0
    """Reset of the product's controller: follows the jacket inlet."""

    contents_kg: float = 0.0
    """All of it: solvent, residue, dissolved, crystals."""
    volatile_kg: float = 0.0
    dissolved_kg: float = 0.0
    crystals_kg: float = 0.0
    crystal_count_kg: float = 0.0
    """Number of crystals, as the mass that they would have at the seed's size."""
    reactant_mol: float = 0.0
    accumulated_mol: float = 0.0
    """B that was fed and has not reacted."""
    unmixed_mol: float = 0.0
    """Of that, what lies where A is not."""
    converted_mol: float = 0.0
    """A that has reacted."""
    intact_mol: float = 0.0
    """What can still decompose."""

    inert_mol: float = 0.0
    """Nitrogen and other permanent gas in the headspace, without oxygen."""
    oxygen_mol: float = 0.0
    nitrogen_nm3_per_h: float = 0.0
    vapour_temperature_c: float = 20.0
    stirrer_rpm: float = 0.0
    dosing_kg_per_h: float = 0.0
    distillate_kg_per_h: float = 0.0

    dosed_kg: float = 0.0
    distillate_kg: float = 0.0
    relieved_kg: float = 0.0
    """Vapour that left by the relief valve."""
    leaked_kg: float = 0.0

    reaction_w: float = 0.0
    """Released by the dosed reaction, mean of the last sub-step."""
    wall_w: float = 0.0
    """From the wall into the contents, mean of the last sub-step."""
    unit_j: float = 0.0
    """Sums since the beginning: what the unit put into the fluid (negative where it cools),"""
    reaction_j: float = 0.0
    decomposition_j: float = 0.0
    crystallisation_j: float = 0.0
    stirrer_j: float = 0.0
    lost_j: float = 0.0
    """to the ambient,"""
    flows_j: float = 0.0
    """enthalpy of all that came in less all that went out, as liquid, from 0 °C,"""
    latent_j: float = 0.0
    """and what evaporating took."""
    inputs: Inputs = field(default_factory=Inputs)
    """What was asked last."""


def initial_state(parameters: Parameters, charged_kg: float = 0.0, temperature_c: float = 20.0) -> State:
    """A vessel at rest at one temperature, full of air but for `charged_kg` of the charge, nothing of it reacted."""
    chemistry = parameters.chemistry
    headspace_m3 = parameters.volume_m3 - liquid_m3(charged_kg, temperature_c, parameters)
    gas_mol = 1.013e5 * headspace_m3 / GAS_CONSTANT / (temperature_c + KELVIN)
    return State(
        product_temperature_c=temperature_c,
        wall_c=temperature_c,
        jacket_outlet_c=temperature_c,
        jacket_inlet_c=temperature_c,
        jacket_setpoint_c=temperature_c,
        controller_bias_c=temperature_c,
        contents_kg=charged_kg,
        volatile_kg=charged_kg * chemistry.charge_volatile,
        crystals_kg=charged_kg * chemistry.charge_solute,
        crystal_count_kg=charged_kg * chemistry.charge_solute,
        reactant_mol=charged_kg * chemistry.reactant_mol_per_kg,
        accumulated_mol=charged_kg * chemistry.charged_partner_mol_per_kg,
        intact_mol=charged_kg * chemistry.decomposable_mol_per_kg,
        inert_mol=gas_mol * (1.0 - OXYGEN_IN_AIR),
        oxygen_mol=gas_mol * OXYGEN_IN_AIR,
        vapour_temperature_c=parameters.vessel.ambient_c,
    )


def liquid_m3(contents_kg: float, temperature_c: float, parameters: Parameters) -> float:
    """Volume of the contents; they never leave the least headspace."""
    chemistry = parameters.chemistry
    density = chemistry.density_kg_per_m3 * max(0.3, 1.0 - chemistry.expansion_per_k * (temperature_c - 20.0))
    return min(contents_kg / density, (1.0 - LEAST_HEADSPACE) * parameters.vessel.volume_m3)


def contents_j_per_k(state: State, parameters: Parameters) -> float:
    """Heat capacity of the contents and of what follows them."""
    return state.contents_kg * parameters.chemistry.heat_capacity_j_per_kg_k + parameters.vessel.internals_j_per_k


def stored_j(state: State, parameters: Parameters) -> float:
    """Heat in contents, wall, jacket and unit, from 0 °C."""
    vessel = parameters.vessel
    contents = contents_j_per_k(state, parameters) * state.product_temperature_c
    jacket = vessel.wall_j_per_k * state.wall_c + vessel.jacket_j_per_k * state.jacket_outlet_c
    return contents + jacket + vessel.unit_j_per_k * state.jacket_inlet_c


def booked_j(state: State) -> float:
    """All that came in less all that went out: grows as `stored_j` does."""
    sources = state.unit_j + state.reaction_j + state.decomposition_j + state.crystallisation_j + state.stirrer_j
    return math.fsum((sources, state.flows_j, -state.lost_j, -state.latent_j))
