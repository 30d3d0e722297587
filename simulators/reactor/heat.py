"""Contents, wall, jacket and unit as a chain of four heat capacities, and the cascade that steers the last of them.

    loss ▲            loss ▲
    contents ── wall ── jacket ══ unit ◄── P, −cooling ≤ P ≤ heating
       Tr        Tw       Tj   F   Tin

One backward Euler step of the whole chain: no step is too long for it, no temperature leaves the span of the others,
and the heat booked is the heat moved, to the last digit. The chain is eliminated from the contents to the jacket;
then P is what brings the inlet to where its closed loop wants it, or the power there is.
"""

from __future__ import annotations

from typing import NamedTuple

from simulators.reactor.inputs import Inputs, TemperatureMode
from simulators.reactor.parameters import Parameters
from simulators.reactor.state import State

_COVERED = 0.12
"""Share of the vessel, filled, from which on the product's probe is wet."""


class Conducted(NamedTuple):
    """Temperatures after the step, °C, and mean heat flows during it, W."""

    contents_c: float
    wall_c: float
    jacket_c: float
    inlet_c: float
    setpoint_c: float
    """Asked of the inlet."""
    unit_w: float
    lost_w: float
    wall_w: float
    """Into the contents."""


def jacket_setpoint(state: State, asked: Inputs, parameters: Parameters) -> float:
    """What the jacket inlet is asked for: the outer controller's output or the given setpoint, inside the vessel's limits.

    The outer PI has external reset (F. G. Shinskey, Process Control Systems): its bias follows the jacket inlet as
    it is, so no limit of temperature, difference or power can wind it up. Its gain goes down with the contents, which
    then follow faster; while the product's probe hangs in gas the jacket is held at the product's setpoint.
    """
    vessel, product_c = parameters.vessel, state.product_temperature_c
    if asked.temperature_mode is TemperatureMode.OFF:
        return state.jacket_inlet_c
    setpoint_c = asked.jacket_setpoint_c
    if asked.temperature_mode is TemperatureMode.PRODUCT:
        setpoint_c = asked.temperature_setpoint_c
        if probe_covered(state, parameters):
            gain = parameters.controller_gain * min(1.0, state.contents_kg / parameters.tuned_kg)
            setpoint_c = state.controller_bias_c + gain * (setpoint_c - product_c)
    high_c = min(vessel.jacket_high_c, product_c + vessel.glass_limit_k)
    if asked.jacket_limit_c is not None:
        high_c = min(high_c, asked.jacket_limit_c)
    low_c = max(vessel.jacket_low_c, product_c - vessel.glass_limit_k)
    return max(min(setpoint_c, high_c), min(low_c, vessel.jacket_high_c), vessel.jacket_low_c)


def probe_covered(state: State, parameters: Parameters) -> bool:
    """There is liquid around the product's probe."""
    return state.contents_kg > _COVERED * parameters.vessel.volume_m3 * parameters.chemistry.density_kg_per_m3


def controller_bias(state: State, asked: Inputs, inlet_c: float, h: float, parameters: Parameters) -> float:
    """The reset after `h`; outside the cascade it tracks the inlet, so that switching to it gives no bump."""
    if asked.temperature_mode is not TemperatureMode.PRODUCT or not probe_covered(state, parameters):
        return inlet_c
    return state.controller_bias_c + (inlet_c - state.controller_bias_c) * h / (h + parameters.controller_reset_s)


def conduct(
    state: State,
    asked: Inputs,
    contents: tuple[float, float],
    jacket_c: float,
    film: tuple[float, float],
    h: float,
    p: Parameters,
) -> Conducted:
    """The chain after `h` seconds. `contents`: (J/K, °C before conduction); `film`: conductances of `transfer`, W/K."""
    vessel, (inner, outer) = p.vessel, film
    ambient_c, flow = vessel.ambient_c, vessel.jacket_flow_w_per_k
    lid, shell = vessel.lid_loss_w_per_m2_k * p.area_m2, vessel.jacket_loss_w_per_m2_k * p.area_m2
    held_r, held_w, held_j = contents[0] / h, vessel.wall_j_per_k / h, vessel.jacket_j_per_k / h
    by_r = held_r + inner + lid
    known_r = held_r * contents[1] + lid * ambient_c
    by_w = held_w + inner + outer - inner * inner / by_r
    known_w = held_w * state.wall_c + inner * known_r / by_r
    by_j = held_j + outer + flow + shell - outer * outer / by_w
    known_j = held_j * jacket_c + shell * ambient_c + outer * known_w / by_w
    setpoint_c = jacket_setpoint(state, asked, p)
    inlet_c, unit_w = _unit(state, asked, setpoint_c, known_j / by_j, flow / by_j, h, p)
    outlet_c = (known_j + flow * inlet_c) / by_j
    wall_c = (known_w + outer * outlet_c) / by_w
    product_c = (known_r + inner * wall_c) / by_r
    lost_w = lid * (product_c - ambient_c) + shell * (outlet_c - ambient_c)
    return Conducted(product_c, wall_c, outlet_c, inlet_c, setpoint_c, unit_w, lost_w, inner * (wall_c - product_c))


def _unit(
    state: State, asked: Inputs, setpoint_c: float, known_c: float, share: float, h: float, p: Parameters
) -> tuple[float, float]:
    """(inlet °C, power W). The jacket after the step is known_c + share·inlet; the inner loop knows that and asks for
    the power that makes the inlet approach its setpoint with the unit's lag; there is not always that much."""
    vessel, before_c = p.vessel, state.jacket_inlet_c
    held, flow = vessel.unit_j_per_k / h, vessel.jacket_flow_w_per_k
    back = flow * (1.0 - share)
    power_w = 0.0
    if asked.temperature_mode is not TemperatureMode.OFF:
        wanted_c = before_c + (setpoint_c - before_c) * h / (h + vessel.unit_lag_s)
        power_w = (held + back) * wanted_c - held * before_c - flow * known_c
        low_w = -vessel.cooling_w * min(max(asked.cooling_available, 0.0), 1.0)
        power_w = min(max(power_w, low_w), vessel.heating_w * min(max(asked.heating_available, 0.0), 1.0))
    return (held * before_c + power_w + flow * known_c) / (held + back), power_w
