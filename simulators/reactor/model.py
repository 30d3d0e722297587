"""The jacketed, stirred reactor as physics: a pure function of state, inputs and time.

    heating unit ──► jacket inlet ──► jacket (well mixed, its outlet) ──► wall + contents ◄── charge, dosing feed
         ▲                                                                  │  A + B → C, exothermic
         └── temperature controller (PI on the contents, cascade) ◄─────────┘  headspace: vapour + nitrogen

Energy of the contents and of the jacket are balanced separately; the vessel wall follows the contents. The dosed B
reacts in second order with the charged A, so what is fed too fast or too cold accumulates. Nothing here is random,
asks for a time or knows a recipe. Temperatures are °C, pressures bar(a), flows kg/h, unless a name says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulators.reactor.inputs import Inputs, Readings, TemperatureMode

GAS_CONSTANT = 8.314462618
"""J/(mol·K)"""
KELVIN = 273.15
_SUBSTEP_S = 1.0
"""Longest explicit step: the fastest lag of a full R-201, its headspace, is 1 s."""
_MOL_PER_NORMAL_M3 = 44.615


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the vessel and the chemistry are made of; the defaults are R-201, 1.6 m³, glass-lined."""

    volume_m3: float = 1.6
    wall_j_per_k: float = 650e3
    heat_transfer_w_per_k: float = 1600.0
    """UA of the full vessel; it goes with the wetted share of the wall."""
    loss_w_per_k: float = 12.0
    ambient_c: float = 20.0
    jacket_j_per_k: float = 450e3
    jacket_flow_w_per_k: float = 20e3
    """Mass flow times heat capacity of the heat transfer fluid."""
    jacket_low_c: float = -15.0
    jacket_high_c: float = 140.0
    jacket_lag_s: float = 35.0
    """First-order lag of the heating unit, from its setpoint to the jacket inlet."""
    controller_gain: float = 20.0
    """Kelvin at the jacket inlet per kelvin of the contents."""
    controller_reset_s: float = 2400.0
    controller_difference_k: float = 60.0
    """Most that the jacket may be away from the contents: glass breaks."""
    density_kg_per_m3: float = 870.0
    heat_capacity_j_per_kg_k: float = 1900.0
    feed_temperature_c: float = 20.0
    reactant_mol_per_kg: float = 1.82
    """A in the charge."""
    feed_mol_per_kg: float = 9.0
    """B in the dosing feed."""
    reaction_heat_j_per_mol: float = 120e3
    """Released per mole of B."""
    rate_m3_per_mol_s: float = 1.05e-5
    """Rate constant at `rate_reference_c`."""
    rate_reference_c: float = 65.0
    activation_energy_j_per_mol: float = 62e3
    vent_mol_per_s_bar: float = 3.0
    nitrogen_supply_mol_per_s: float = 0.25
    stirrer_lag_s: float = 6.0
    stirrer_power_number: float = 1.5
    stirrer_diameter_m: float = 0.85
    dosing_lag_s: float = 4.0


@dataclass(frozen=True, slots=True)
class State:
    """All that the next step depends on, and the outputs that were made on the way to it."""

    product_temperature_c: float = 20.0
    jacket_inlet_c: float = 20.0
    jacket_outlet_c: float = 20.0
    controller_integral_k: float = 0.0
    contents_kg: float = 0.0
    reactant_mol: float = 0.0
    accumulated_mol: float = 0.0
    """B that was fed and has not reacted."""
    converted_mol: float = 0.0
    dosed_kg: float = 0.0
    dosing_kg_per_h: float = 0.0
    nitrogen_mol: float = 69.0
    nitrogen_nm3_per_h: float = 0.0
    stirrer_rpm: float = 0.0
    temperature_setpoint_c: float = 20.0
    jacket_setpoint_c: float = 20.0
    charge_valve_open: bool = False
    dosing_valve_open: bool = False
    discharge_valve_open: bool = False
    nitrogen_valve_open: bool = False
    temperature_mode: TemperatureMode = TemperatureMode.OFF
    stirrer_asked: bool = False
    reaction_w: float = 0.0
    """Heat released, mean of the last sub-step."""


def initial_state(parameters: Parameters) -> State:
    """An empty vessel at rest, under nitrogen of ambient temperature and pressure."""
    return State(nitrogen_mol=1.05e5 * parameters.volume_m3 / GAS_CONSTANT / (parameters.ambient_c + KELVIN))


def step(state: State, inputs: Inputs, dt_s: float, parameters: Parameters) -> State:
    """The state `dt_s` later, cut into equal sub-steps of at most one second. Raises ValueError for a negative time."""
    if dt_s < 0 or not math.isfinite(dt_s):
        raise ValueError(f"dt_s is {dt_s}: time goes forward")
    count = math.ceil(dt_s / _SUBSTEP_S)
    for _ in range(count):
        state = _substep(state, inputs, dt_s / count, parameters)
    return state


def readings(state: State, parameters: Parameters) -> Readings:
    """What ideal instruments show, by role. Probe B sits lower and reads a little less when the jacket is warmer."""
    probe_b = state.product_temperature_c + 0.1 - 0.002 * (state.jacket_outlet_c - state.product_temperature_c)
    span_k = parameters.jacket_high_c - parameters.jacket_low_c
    return {
        "product_temperature": state.product_temperature_c,
        "product_temperature_b": probe_b,
        "jacket_inlet_temperature": state.jacket_inlet_c,
        "jacket_outlet_temperature": state.jacket_outlet_c,
        "temperature_setpoint": state.temperature_setpoint_c,
        "jacket_valve_output": 100.0 * (state.jacket_setpoint_c - parameters.jacket_low_c) / span_k,
        "headspace_pressure": headspace_pressure_bar(state, parameters),
        "stirrer_speed": state.stirrer_rpm,
        "stirrer_power": stirrer_power_w(state, parameters) / 1000.0,
        "contents_mass": state.contents_kg,
        "dosing_rate": state.dosing_kg_per_h,
        "dosed_mass": state.dosed_kg,
        "nitrogen_flow": state.nitrogen_nm3_per_h,
        "ph": _ph(state),
        "temperature_mode": int(state.temperature_mode),
        "jacket_pressure": 2.0,
        "level": 100.0 * _fill(state, parameters),
        "jacket_flow": parameters.jacket_flow_w_per_k / 1.9e6 * 3600.0,
        "vapour_temperature": state.product_temperature_c,
        "oxygen": 0.0,
        "distillate_rate": 0.0,
        "distillate_mass": 0.0,
        "charge_valve_open": state.charge_valve_open,
        "dosing_valve_open": state.dosing_valve_open,
        "discharge_valve_open": state.discharge_valve_open,
        "nitrogen_valve_open": state.nitrogen_valve_open,
        "vacuum_valve_open": False,
        "stirrer_running": state.stirrer_rpm > 1.0,
        "interlock_temperature": state.product_temperature_c > 150.0,
        "interlock_pressure": headspace_pressure_bar(state, parameters) > 6.0,
        "interlock_stirrer": state.stirrer_asked and state.stirrer_rpm <= 1.0,
    }


def vapour_pressure_bar(temperature_c: float) -> float:
    """Antoine, toluene: log10(mmHg) = 6.95464 − 1344.8 / (219.482 + °C)."""
    return float(10.0 ** (6.95464 - 1344.8 / (219.482 + max(temperature_c, -100.0))) / 750.062)


def headspace_pressure_bar(state: State, parameters: Parameters) -> float:
    """Vapour of the contents and nitrogen as an ideal gas, bar(a)."""
    vapour = vapour_pressure_bar(state.product_temperature_c) if state.contents_kg > 1.0 else 0.0
    per_mol = GAS_CONSTANT * (state.product_temperature_c + KELVIN) / _headspace_m3(state, parameters) / 1e5
    return vapour + state.nitrogen_mol * per_mol


def stirrer_power_w(state: State, parameters: Parameters) -> float:
    """Ne·ρ·N³·D⁵, with the share of the vessel that is filled; 150 W are lost in the drive."""
    turns_per_s = state.stirrer_rpm / 60.0
    wet = parameters.stirrer_power_number * parameters.density_kg_per_m3 * turns_per_s**3 * parameters.stirrer_diameter_m**5
    return wet * min(1.0, 2.0 * _fill(state, parameters)) + (150.0 if state.stirrer_rpm > 1.0 else 0.0)


def heat_transfer_w_per_k(state: State, parameters: Parameters) -> float:
    """UA at the present level; the dished bottom, a tenth, is always there."""
    return parameters.heat_transfer_w_per_k * (0.1 + 0.9 * _fill(state, parameters))


def heat_capacity_j_per_k(state: State, parameters: Parameters) -> float:
    """Contents and the wall that follows them."""
    return state.contents_kg * parameters.heat_capacity_j_per_kg_k + parameters.wall_j_per_k


def _fill(state: State, parameters: Parameters) -> float:
    return min(1.0, state.contents_kg / parameters.density_kg_per_m3 / parameters.volume_m3)


def _headspace_m3(state: State, parameters: Parameters) -> float:
    return parameters.volume_m3 * max(0.05, 1.0 - _fill(state, parameters))


def _ph(state: State) -> float:
    reactant = state.reactant_mol + state.converted_mol
    return 8.6 - 3.1 * state.converted_mol / reactant if reactant > 1.0 else 7.0


def _substep(state: State, inputs: Inputs, h: float, parameters: Parameters) -> State:
    dosing_kg_per_h = _lagged(state.dosing_kg_per_h, inputs.dosing_kg_per_h * inputs.dosing_factor, h, parameters.dosing_lag_s)
    charged_kg, fed_kg = (inputs.charge_kg_per_h + inputs.jacket_leak_kg_per_h) * h / 3600.0, dosing_kg_per_h * h / 3600.0
    contents_kg = state.contents_kg + charged_kg + fed_kg
    kept_kg = max(0.0, contents_kg - inputs.discharge_kg_per_h * h / 3600.0)
    kept = kept_kg / contents_kg if contents_kg > 0 else 1.0
    reacted_mol = _reacted_mol(state, h, parameters)
    jacket_setpoint_c, integral_k = _controller(state, inputs, h, parameters)
    inlet_c = _lagged(state.jacket_inlet_c, jacket_setpoint_c, h, parameters.jacket_lag_s)
    outlet_c, product_c = _temperatures(state, reacted_mol, charged_kg + fed_kg, h, parameters)
    nitrogen_mol, nitrogen_nm3_per_h = _nitrogen(state, inputs, h, parameters)
    return State(
        product_temperature_c=product_c,
        jacket_inlet_c=inlet_c,
        jacket_outlet_c=outlet_c,
        controller_integral_k=integral_k,
        contents_kg=kept_kg,
        reactant_mol=kept * (state.reactant_mol + charged_kg * parameters.reactant_mol_per_kg - reacted_mol),
        accumulated_mol=kept * (state.accumulated_mol + fed_kg * parameters.feed_mol_per_kg - reacted_mol),
        converted_mol=kept * (state.converted_mol + reacted_mol),
        dosed_kg=0.0 if inputs.reset_totals else state.dosed_kg + fed_kg,
        dosing_kg_per_h=0.0 if dosing_kg_per_h < 0.05 else dosing_kg_per_h,
        nitrogen_mol=nitrogen_mol,
        nitrogen_nm3_per_h=nitrogen_nm3_per_h,
        stirrer_rpm=_lagged(state.stirrer_rpm, inputs.stirrer_speed_rpm * inputs.stirrer_available, h, parameters.stirrer_lag_s),
        temperature_setpoint_c=inputs.temperature_setpoint_c,
        jacket_setpoint_c=jacket_setpoint_c,
        charge_valve_open=inputs.charge_kg_per_h > 0,
        dosing_valve_open=inputs.dosing_kg_per_h > 0,
        discharge_valve_open=inputs.discharge_kg_per_h > 0,
        nitrogen_valve_open=nitrogen_nm3_per_h > 0,
        temperature_mode=inputs.temperature_mode,
        stirrer_asked=inputs.stirrer_speed_rpm > 0,
        reaction_w=reacted_mol * parameters.reaction_heat_j_per_mol / h,
    )


def _lagged(value: float, target: float, h: float, lag_s: float) -> float:
    """A first-order lag after `h`: exact for a constant target."""
    return value - (target - value) * math.expm1(-h / lag_s)


def _reacted_mol(state: State, h: float, parameters: Parameters) -> float:
    """r = k(T)·[A]·n_B, exact in B over the sub-step, and never more than there is of A."""
    volume_m3 = state.contents_kg / parameters.density_kg_per_m3
    if volume_m3 < 1e-3 or state.accumulated_mol <= 0:
        return 0.0
    inverse_k = 1.0 / (state.product_temperature_c + KELVIN) - 1.0 / (parameters.rate_reference_c + KELVIN)
    k = parameters.rate_m3_per_mol_s * math.exp(-parameters.activation_energy_j_per_mol / GAS_CONSTANT * inverse_k)
    return min(state.reactant_mol, -state.accumulated_mol * math.expm1(-k * state.reactant_mol / volume_m3 * h))


def _controller(state: State, inputs: Inputs, h: float, parameters: Parameters) -> tuple[float, float]:
    """Jacket setpoint °C and the integral: PI on the contents, the integral stands while it would wind up."""
    low, high = parameters.jacket_low_c, parameters.jacket_high_c
    high = high if inputs.jacket_limit_c is None else min(high, max(low, inputs.jacket_limit_c))
    if inputs.temperature_mode is TemperatureMode.OFF:
        return state.jacket_outlet_c, 0.0
    if inputs.temperature_mode is TemperatureMode.JACKET:
        return min(max(inputs.jacket_setpoint_c, low), high), 0.0
    error_k = inputs.temperature_setpoint_c - state.product_temperature_c
    low = max(low, state.product_temperature_c - parameters.controller_difference_k)
    high = min(high, state.product_temperature_c + parameters.controller_difference_k)
    asked = inputs.temperature_setpoint_c + parameters.controller_gain * error_k + state.controller_integral_k
    given = min(max(asked, low), high)
    winds_up = (asked > given and error_k > 0) or (asked < given and error_k < 0)
    growth_k = 0.0 if winds_up else parameters.controller_gain * error_k * h / parameters.controller_reset_s
    return given, state.controller_integral_k + growth_k


def _temperatures(state: State, reacted_mol: float, added_kg: float, h: float, parameters: Parameters) -> tuple[float, float]:
    """Jacket outlet and product °C after `h`: the two energy balances."""
    product_c, outlet_c = state.product_temperature_c, state.jacket_outlet_c
    through_wall_w = heat_transfer_w_per_k(state, parameters) * (outlet_c - product_c)
    carried_w = parameters.jacket_flow_w_per_k * (state.jacket_inlet_c - outlet_c)
    lost_w = parameters.loss_w_per_k * (product_c - parameters.ambient_c)
    gained_j = h * (through_wall_w + stirrer_power_w(state, parameters) - lost_w)
    gained_j += reacted_mol * parameters.reaction_heat_j_per_mol
    gained_j += added_kg * parameters.heat_capacity_j_per_kg_k * (parameters.feed_temperature_c - product_c)
    capacity_j_per_k = heat_capacity_j_per_k(state, parameters) + added_kg * parameters.heat_capacity_j_per_kg_k
    return outlet_c + h * (carried_w - through_wall_w) / parameters.jacket_j_per_k, product_c + gained_j / capacity_j_per_k


def _nitrogen(state: State, inputs: Inputs, h: float, parameters: Parameters) -> tuple[float, float]:
    """Moles of nitrogen in the headspace, and Nm³/h that flow in: purge and supply in, the vent lets out above setpoint."""
    over_bar = headspace_pressure_bar(state, parameters) - inputs.pressure_setpoint_bar
    supply = min(parameters.nitrogen_supply_mol_per_s, max(0.0, -over_bar * parameters.vent_mol_per_s_bar))
    inflow = inputs.purge_nm3_per_h * _MOL_PER_NORMAL_M3 / 3600.0 + supply
    outflow = max(0.0, over_bar * parameters.vent_mol_per_s_bar)
    return max(0.0, state.nitrogen_mol + h * (inflow - outflow)), inflow * 3600.0 / _MOL_PER_NORMAL_M3
