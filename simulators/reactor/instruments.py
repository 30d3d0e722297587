"""What ideal instruments show of a state, by role: true values, in engineering units. Noise and faults come elsewhere."""

from __future__ import annotations

from simulators.reactor import transfer
from simulators.reactor.headspace import pressure_and_oxygen
from simulators.reactor.inputs import Readings
from simulators.reactor.parameters import Parameters
from simulators.reactor.state import State, liquid_m3
from simulators.reactor.vessel import FLUID_J_PER_M3_K

_JACKET_BAR = 2.0
"""bar(g), circuit whole."""


def readings(state: State, parameters: Parameters) -> Readings:
    """Role -> value. Probe B sits lower and reads a little less when the jacket is warmer."""
    asked, vessel = state.inputs, parameters.vessel
    product_c = state.product_temperature_c
    volume_m3 = liquid_m3(state.contents_kg, product_c, parameters)
    pressure, oxygen = pressure_and_oxygen(state, volume_m3, parameters)
    span_k = vessel.jacket_high_c - vessel.jacket_low_c
    return {
        "product_temperature": product_c,
        "product_temperature_b": product_c + 0.1 - 0.002 * (state.jacket_outlet_c - product_c),
        "jacket_inlet_temperature": state.jacket_inlet_c,
        "jacket_outlet_temperature": state.jacket_outlet_c,
        "temperature_setpoint": asked.temperature_setpoint_c,
        "jacket_valve_output": min(max(100.0 * (state.jacket_setpoint_c - vessel.jacket_low_c) / span_k, 0.0), 100.0),
        "temperature_mode": int(asked.temperature_mode),
        "headspace_pressure": pressure,
        "jacket_pressure": jacket_pressure_bar(state, parameters),
        "stirrer_speed": state.stirrer_rpm,
        "stirrer_power": transfer.motor_w(state, volume_m3, parameters) / 1000.0,
        "contents_mass": state.contents_kg,
        "level": 100.0 * volume_m3 / vessel.volume_m3,
        "dosing_rate": state.dosing_kg_per_h,
        "dosed_mass": state.dosed_kg,
        "jacket_flow": vessel.jacket_flow_w_per_k / FLUID_J_PER_M3_K * 3600.0,
        "ph": _ph(state, parameters),
        "vapour_temperature": state.vapour_temperature_c,
        "nitrogen_flow": state.nitrogen_nm3_per_h,
        "oxygen": oxygen,
        "distillate_rate": state.distillate_kg_per_h,
        "distillate_mass": state.distillate_kg,
        "charge_valve_open": asked.charge_kg_per_h > 0.0,
        "dosing_valve_open": asked.dosing_kg_per_h > 0.0,
        "discharge_valve_open": asked.discharge_kg_per_h > 0.0,
        "nitrogen_valve_open": state.nitrogen_nm3_per_h > 0.0,
        "vacuum_valve_open": asked.pressure_setpoint_bar < 1.0,
        "stirrer_running": state.stirrer_rpm > 1.0,
        "interlock_temperature": product_c > parameters.chemistry.interlock_c,
        "interlock_pressure": pressure > vessel.interlock_bar,
        "interlock_stirrer": asked.stirrer_speed_rpm > 1.0 and state.stirrer_rpm <= 1.0,
    }


def jacket_pressure_bar(state: State, parameters: Parameters) -> float:
    """bar(g) of the jacket circuit: falls while it leaks, and as its expansion vessel empties."""
    reserve_kg = parameters.vessel.expansion_kg
    left = max(0.0, 1.0 - state.leaked_kg / reserve_kg)
    leaking = min(1.0, state.inputs.jacket_leak_kg_per_h / reserve_kg)
    return _JACKET_BAR * left * (1.0 - 0.3 * leaking)


def _ph(state: State, parameters: Parameters) -> float:
    chemistry, reactant_mol = parameters.chemistry, state.reactant_mol + state.converted_mol
    if reactant_mol <= 0.0:
        return chemistry.ph_start if state.contents_kg > 0.0 else 7.0
    return chemistry.ph_start - chemistry.ph_drop * state.converted_mol / reactant_mol
