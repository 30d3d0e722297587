"""`step`: the reactor a while later, as a pure function of state, inputs and time.

A step is cut into sub-steps of at most one second, and those again while the contents would change by more than a
kelvin in one (a runaway). In a sub-step, in this order:

    1  masses come and go          4  vapour leaves, taking its latent heat
    2  what is there reacts        5  all heat so far warms the contents, with no exchange: exact sums
    3  crystals grow or dissolve   6  contents, wall, jacket and unit exchange heat: one implicit step of the chain

Every joule and every kilogram is booked where it is moved, so the balances close to the last digits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from simulators.reactor import heat, transfer
from simulators.reactor.headspace import Breathed, breathe
from simulators.reactor.inputs import Inputs
from simulators.reactor.masses import Moved, Turned, contents_after, evaporated_kg, moved, turned
from simulators.reactor.parameters import Parameters
from simulators.reactor.state import State, contents_j_per_k, liquid_m3
from simulators.reactor.vessel import FLUID_J_PER_KG_K

LONGEST_SUBSTEP_S = 1.0
_SHORTEST_SUBSTEP_S = 1.0 / 64.0
_MOST_CHANGE_K = 1.0
_VAPOUR_LAG_S = 30.0


def step(state: State, inputs: Inputs, dt_s: float, parameters: Parameters) -> State:
    """The state `dt_s` later. Raises ValueError for a negative or infinite time."""
    if dt_s < 0 or not math.isfinite(dt_s):
        raise ValueError(f"dt_s is {dt_s}: time goes forward")
    count = math.ceil(dt_s / LONGEST_SUBSTEP_S)
    for _ in range(count):
        state = _adapted(state, inputs, dt_s / count, parameters)
    return state


def _adapted(state: State, asked: Inputs, h: float, parameters: Parameters) -> State:
    after = _substep(state, asked, h, parameters)
    changed_k = abs(after.product_temperature_c - state.product_temperature_c)
    if changed_k <= _MOST_CHANGE_K or h <= _SHORTEST_SUBSTEP_S:
        return after
    return _adapted(_adapted(state, asked, h / 2.0, parameters), asked, h / 2.0, parameters)


class _Heats(NamedTuple):
    """Heat into the contents in a sub-step, J; `made_up` is the jacket's."""

    reaction: float
    decomposition: float
    crystallisation: float
    stirred: float
    flows: float
    latent: float
    made_up: float


def _substep(state: State, asked: Inputs, h: float, parameters: Parameters) -> State:
    volume_m3 = liquid_m3(state.contents_kg, state.product_temperature_c, parameters)
    flow, turn = moved(state, asked, volume_m3, h, parameters), turned(state, asked, volume_m3, h, parameters)
    air = breathe(state, asked, volume_m3, h, parameters)
    contents = contents_after(state, flow, turn, evaporated_kg(air, asked), parameters)
    fill, viscosity = transfer.of_volume(state, volume_m3, parameters)
    stirred_j = transfer.stirring_w(fill, state.stirrer_rpm, viscosity, parameters) * h
    heats = _heats(state, asked, flow, turn, air, stirred_j, parameters)
    capacity = contents.contents_kg * parameters.chemistry.heat_capacity_j_per_kg_k + parameters.vessel.internals_j_per_k
    warm_j = contents_j_per_k(state, parameters) * state.product_temperature_c + math.fsum(heats[:5]) - heats.latent
    jacket_c = state.jacket_outlet_c + heats.made_up / parameters.vessel.jacket_j_per_k
    film = transfer.conductances(fill, state.stirrer_rpm, viscosity, parameters)
    after = heat.conduct(state, asked, (capacity, warm_j / capacity), jacket_c, film, h, parameters)
    return State(
        after.contents_c,
        after.wall_c,
        after.jacket_c,
        after.inlet_c,
        after.setpoint_c,
        heat.controller_bias(state, asked, after.inlet_c, h, parameters),
        *contents,
        *_equipment(state, asked, flow, turn, air, h, parameters),
        *_totals(state, asked, flow, air),
        heats.reaction / h,
        after.wall_w,
        *_booked(state, heats, after, h),
        asked,
    )


def _heats(
    state: State, asked: Inputs, flow: Moved, turn: Turned, air: Breathed, stirred_j: float, parameters: Parameters
) -> _Heats:
    """Liquids carry their heat from 0 °C; condensate that is not received returns at the condenser's temperature."""
    chemistry, vessel, before_c = parameters.chemistry, parameters.vessel, state.product_temperature_c
    vapour_kg = evaporated_kg(air, asked)
    out_kg = (1.0 - flow.kept) * (state.contents_kg - vapour_kg) + vapour_kg
    returned_kg = 0.0 if asked.receive_distillate else air.condensed_kg
    kg_k = flow.charged * chemistry.charge_temperature_c + flow.fed * chemistry.feed_temperature_c
    kg_k += flow.seeded * vessel.ambient_c + flow.leaked * state.jacket_outlet_c
    kg_k += returned_kg * (vessel.condensate_c - before_c) - out_kg * before_c
    return _Heats(
        turn.reacted * chemistry.reaction_heat_j_per_mol,
        turn.decomposed * chemistry.decomposition_heat_j_per_mol,
        turn.grown * chemistry.crystallisation_heat_j_per_kg,
        stirred_j,
        kg_k * chemistry.heat_capacity_j_per_kg_k,
        (air.condensed_kg + air.relieved_kg) * chemistry.latent_j_per_kg,
        flow.leaked * FLUID_J_PER_KG_K * (state.jacket_inlet_c - state.jacket_outlet_c),
    )


def _equipment(
    state: State, asked: Inputs, flow: Moved, turn: Turned, air: Breathed, h: float, parameters: Parameters
) -> tuple[float, float, float, float, float, float, float]:
    """The fields of `State` from `inert_mol` to `distillate_kg_per_h`."""
    vessel, chemistry = parameters.vessel, parameters.chemistry
    asked_rpm = asked.stirrer_speed_rpm if asked.stirrer_available else 0.0
    rpm = state.stirrer_rpm + (asked_rpm - state.stirrer_rpm) * h / (h + vessel.stirrer_lag_s)
    passing = air.condensed_kg / h * chemistry.latent_j_per_kg / vessel.condenser_w
    vapour_c = vessel.ambient_c + (state.product_temperature_c - vessel.ambient_c) * min(1.0, 50.0 * passing)
    return (
        air.inert_mol + turn.decomposed * chemistry.decomposition_gas,
        air.oxygen_mol,
        air.nitrogen_nm3_per_h,
        state.vapour_temperature_c + (vapour_c - state.vapour_temperature_c) * h / (h + _VAPOUR_LAG_S),
        rpm if rpm >= transfer.STANDING_RPM or asked_rpm > 0.0 else 0.0,
        flow.dosing_kg_per_h,
        air.condensed_kg / h * 3600.0 if asked.receive_distillate else 0.0,
    )


def _totals(state: State, asked: Inputs, flow: Moved, air: Breathed) -> tuple[float, float, float, float]:
    """The fields of `State` from `dosed_kg` to `leaked_kg`."""
    received_kg = air.condensed_kg if asked.receive_distillate else 0.0
    return (
        0.0 if asked.reset_totals else state.dosed_kg + flow.fed,
        0.0 if asked.reset_totals else state.distillate_kg + received_kg,
        state.relieved_kg + air.relieved_kg,
        state.leaked_kg + flow.leaked,
    )


def _booked(
    state: State, heats: _Heats, after: heat.Conducted, h: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """The fields of `State` from `unit_j` to `latent_j`."""
    return (
        state.unit_j + after.unit_w * h,
        state.reaction_j + heats.reaction,
        state.decomposition_j + heats.decomposition,
        state.crystallisation_j + heats.crystallisation,
        state.stirrer_j + heats.stirred,
        state.lost_j + after.lost_w * h,
        state.flows_j + heats.flows + heats.made_up,
        state.latent_j + heats.latent,
    )
