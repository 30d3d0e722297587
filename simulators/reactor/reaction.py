"""What reacts in a sub-step: the dosed reaction A + b·B → C, and the decomposition of what is in the vessel.

    feed ──► unmixed B ──(stirrer: some 50 turns)──► mixed B ──(k·[A]·[B])──► C
                                                                A, C ──(k_d, from ~110 °C)──► gas, much heat

Both are Arrhenius rates. A standing stirrer leaves the feed unmixed: it reacts when the stirrer comes back.
"""

from __future__ import annotations

import math

from simulators.reactor.parameters import Parameters
from simulators.reactor.state import GAS_CONSTANT, KELVIN, State

_DECOMPOSITION_REFERENCE_K = 383.15
_DIFFUSION_PER_S = 1.0 / 36000.0
_MOST_EXPONENT = 60.0
_EQUAL = 1e-9
"""Exponent below which A and B are equal for the rate law."""


def rate_constant(temperature_c: float, parameters: Parameters) -> float:
    """k of the dosed reaction, m³/(mol·s)."""
    chemistry = parameters.chemistry
    inverse_k = 1.0 / (temperature_c + KELVIN) - 1.0 / chemistry.rate_reference_k
    return chemistry.rate_m3_per_mol_s * math.exp(-chemistry.activation_energy_j_per_mol / GAS_CONSTANT * inverse_k)


def unmixed_after(state: State, h: float, parameters: Parameters) -> float:
    """Mol of B that still lie unmixed after `h`."""
    if state.unmixed_mol <= 0.0:
        return 0.0
    rate = state.stirrer_rpm / 60.0 / parameters.vessel.turns_to_mix + _DIFFUSION_PER_S
    return state.unmixed_mol / (1.0 + rate * h)


def reacted_mol(state: State, unmixed_mol: float, volume_m3: float, h: float, parameters: Parameters) -> float:
    """Mol of A that react: the exact solution of dn/dt = −k·n_A·n_B/V at the sub-step's temperature, B going b times as fast."""
    partner_mol, per_reactant = state.accumulated_mol - unmixed_mol, parameters.chemistry.partner_per_reactant
    reactant_mol = state.reactant_mol
    if partner_mol <= 0.0 or reactant_mol <= 0.0 or volume_m3 <= 0.0:
        return 0.0
    k = rate_constant(state.product_temperature_c, parameters) * h / volume_m3
    excess_mol = partner_mol - per_reactant * reactant_mol
    if abs(k * excess_mol) < _EQUAL:
        return reactant_mol * partner_mol * k / (1.0 + partner_mol * k)
    grown = math.expm1(min(k * excess_mol, _MOST_EXPONENT))
    reacted = reactant_mol * partner_mol * grown / (excess_mol + partner_mol * grown)
    return min(reacted, reactant_mol, partner_mol / per_reactant)


def heat_release_w(state: State, volume_m3: float, parameters: Parameters) -> float:
    """Q_g of the dosed reaction at this very moment."""
    mixed_mol = state.accumulated_mol - state.unmixed_mol
    rate = rate_constant(state.product_temperature_c, parameters) * state.reactant_mol * mixed_mol / volume_m3
    return rate * parameters.chemistry.reaction_heat_j_per_mol


def decomposed_mol(state: State, factor: float, h: float, parameters: Parameters) -> float:
    """Mol that decompose, first order; `factor` multiplies the rate."""
    chemistry = parameters.chemistry
    if state.intact_mol <= 0.0 or factor <= 0.0 or chemistry.decomposition_per_s <= 0.0:
        return 0.0
    inverse_k = 1.0 / (state.product_temperature_c + KELVIN) - 1.0 / _DECOMPOSITION_REFERENCE_K
    exponent = -chemistry.decomposition_energy_j_per_mol / GAS_CONSTANT * inverse_k
    k = chemistry.decomposition_per_s * factor * math.exp(min(exponent, _MOST_EXPONENT))
    return -state.intact_mol * math.expm1(-k * h)
