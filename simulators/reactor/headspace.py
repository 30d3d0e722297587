"""Pressure, oxygen and vapour: what the headspace takes in and lets out in a sub-step.

    purge, nitrogen supply (below setpoint) ──► [ vapour at equilibrium + nitrogen + oxygen, ideal, well mixed ]
        ──► vent, or vacuum pump below 1 bar(a) (above setpoint) ──► condenser: vapour returns or goes to the receiver
        ──► relief valve (far above) ──► lost

p = x·p°(T) + n·R·T/V, with Antoine's p° and Raoult's x. When the vapour alone reaches the setpoint the gas is swept out
and vapour flows: the contents boil at the pressure that is held, and every kilogram takes its latent heat along.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from simulators.reactor.inputs import Inputs
from simulators.reactor.parameters import Parameters
from simulators.reactor.state import GAS_CONSTANT, KELVIN, OXYGEN_IN_AIR, State, liquid_m3

MOL_PER_NORMAL_M3 = 44.615
_AIRING_S = 600.0
"""Time constant with which air comes in by the open discharge of an empty vessel."""
_MOST_SHARE = 0.5
"""Of the gas, or of the solvent, that leaves in one sub-step at most."""


class Breathed(NamedTuple):
    """The headspace after the step, and what went out during it."""

    inert_mol: float
    oxygen_mol: float
    nitrogen_nm3_per_h: float
    condensed_kg: float
    """Vapour that reached the condenser."""
    relieved_kg: float


def pure_vapour_bar(temperature_c: float, parameters: Parameters) -> float:
    """Antoine, bar; held at its ends of −100 and 350 °C."""
    a, b, c = parameters.antoine
    return math.exp(a - b / (c + min(max(temperature_c, -100.0), 350.0)))


def vapour_bar(state: State, parameters: Parameters) -> float:
    """Partial pressure over the contents, by Raoult's law."""
    if state.volatile_kg <= 0.0:
        return 0.0
    chemistry = parameters.chemistry
    solvent_mol = state.volatile_kg / chemistry.solvent_kg_per_mol
    residue_kg = max(0.0, state.contents_kg - state.volatile_kg - state.crystals_kg)
    share = solvent_mol / (solvent_mol + residue_kg / chemistry.residue_kg_per_mol)
    return share * pure_vapour_bar(state.product_temperature_c, parameters)


def _bar_per_mol(state: State, volume_m3: float, parameters: Parameters) -> float:
    """R·T/V of the headspace over a volume of contents."""
    return GAS_CONSTANT * 1e-5 * (state.product_temperature_c + KELVIN) / (parameters.vessel.volume_m3 - volume_m3)


def pressure_and_oxygen(state: State, volume_m3: float, parameters: Parameters) -> tuple[float, float]:
    """bar(a), and oxygen in % by volume of all that is in the headspace over a volume of contents."""
    vapour, per_mol = vapour_bar(state, parameters), _bar_per_mol(state, volume_m3, parameters)
    gas_mol = state.inert_mol + state.oxygen_mol
    return vapour + gas_mol * per_mol, 100.0 * state.oxygen_mol / (gas_mol + vapour / per_mol)


def headspace_pressure_bar(state: State, parameters: Parameters) -> float:
    """bar(a)."""
    volume_m3 = liquid_m3(state.contents_kg, state.product_temperature_c, parameters)
    return pressure_and_oxygen(state, volume_m3, parameters)[0]


def breathe(state: State, asked: Inputs, volume_m3: float, h: float, parameters: Parameters) -> Breathed:
    """One sub-step over a volume of contents. Flows are proportional to the pressure difference and implicit in the gas
    they move."""
    vessel, per_mol = parameters.vessel, _bar_per_mol(state, volume_m3, parameters)
    vapour, setpoint = vapour_bar(state, parameters), max(asked.pressure_setpoint_bar, 0.01)
    came_mol = asked.purge_nm3_per_h * MOL_PER_NORMAL_M3 / 3600.0 * h
    gas_mol = state.inert_mol + state.oxygen_mol + came_mol
    pressure = vapour + gas_mol * per_mol
    condensed_kg = relieved_kg = left = 0.0
    if pressure < setpoint:
        by_valve = vessel.vent_mol_per_s_bar * h
        supply_mol = min(vessel.nitrogen_mol_per_s * h, by_valve * (setpoint - pressure) / (1.0 + by_valve * per_mol))
        came_mol += supply_mol
    else:
        left, vapour_mol = _out(vessel.vent_mol_per_s_bar * h, pressure - setpoint, pressure, gas_mol, vapour, per_mol)
        if setpoint < 1.0:
            left = min(left, vessel.vacuum_m3_per_h * h / 3600.0 * per_mol / (GAS_CONSTANT * 1e-5 * _kelvin(state)))
        condensed_kg = _evaporated_kg(state, vapour_mol, parameters)
        condensed_kg = min(condensed_kg, vessel.condenser_w * h / parameters.chemistry.latent_j_per_kg)
        if pressure > vessel.relief_bar:
            over = pressure - vessel.relief_bar
            more, vapour_mol = _out(vessel.relief_mol_per_s_bar * h, over, pressure, gas_mol, vapour, per_mol)
            left, relieved_kg = left + more, _evaporated_kg(state, vapour_mol, parameters)
    kept = 1.0 - min(left, _MOST_SHARE)
    inert_mol, oxygen_mol = kept * (state.inert_mol + came_mol), kept * state.oxygen_mol
    if asked.discharge_kg_per_h > 0.0 and state.contents_kg <= 0.0:
        inert_mol, oxygen_mol = _aired(inert_mol, oxygen_mol, h, per_mol)
    return Breathed(inert_mol, oxygen_mol, came_mol / h * 3600.0 / MOL_PER_NORMAL_M3, condensed_kg, relieved_kg)


def _out(by_valve: float, over: float, pressure: float, gas_mol: float, vapour: float, per_mol: float) -> tuple[float, float]:
    """(share of the gas that leaves, mol of vapour) through a valve of `by_valve` mol/bar in this step."""
    gas_share = gas_mol * per_mol / pressure
    mol = by_valve * over / (1.0 + by_valve * per_mol * gas_share)
    return mol * per_mol / pressure, mol * vapour / pressure


def _evaporated_kg(state: State, vapour_mol: float, parameters: Parameters) -> float:
    return min(vapour_mol * parameters.chemistry.solvent_kg_per_mol, 0.5 * _MOST_SHARE * state.volatile_kg)


def _aired(inert_mol: float, oxygen_mol: float, h: float, per_mol: float) -> tuple[float, float]:
    share, air_mol = h / (h + _AIRING_S), 1.013 / per_mol
    inert_mol += share * ((1.0 - OXYGEN_IN_AIR) * air_mol - inert_mol)
    return inert_mol, oxygen_mol + share * (OXYGEN_IN_AIR * air_mol - oxygen_mol)


def _kelvin(state: State) -> float:
    return state.product_temperature_c + KELVIN
