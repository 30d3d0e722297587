"""Heat transfer and stirrer: from level, speed and viscosity to conductances and power.

    contents ──(1/h_inside + wall/2)──► wall ──(wall/2 + 1/h_jacket)──► jacket        1/U is the sum

h_inside follows Nu = C·Re^(2/3)·Pr^(1/3), so it goes with N^(2/3) and μ^(−1/3) (VDI Heat Atlas, chapter N; the
Wilson plot rests on the same exponent). It is the
wetted wall that counts; the wall above the liquid passes a little, so that an empty vessel is not cut off.
"""

from __future__ import annotations

import math

from simulators.reactor.parameters import Parameters
from simulators.reactor.state import KELVIN, State, liquid_m3

STANDING_RPM = 0.1
"""Below this the stirrer stands: friction stops it."""
_DRIVE_W_PER_M3 = 95.0
"""Lost in the drive, outside the contents, for the vessel's size."""


def viscosity_pa_s(temperature_c: float, solids: float, parameters: Parameters) -> float:
    """Andrade's equation, thickened by the share of crystals as 1 + 2.5φ + 10φ² (D. G. Thomas, 1965)."""
    chemistry = parameters.chemistry
    clear = chemistry.viscosity_pa_s * math.exp(chemistry.viscosity_k * (1.0 / (temperature_c + KELVIN) - 1.0 / 298.15))
    return clear * (1.0 + solids * (2.5 + 10.0 * solids))


def conductances(fill: float, rpm: float, viscosity: float, parameters: Parameters) -> tuple[float, float]:
    """(contents to wall, wall to jacket), W/K; `fill` is the filled share of the vessel."""
    vessel = parameters.vessel
    turns_per_s = rpm / 60.0
    film = vessel.still_film_w_per_m2_k + parameters.film * (turns_per_s * turns_per_s / viscosity) ** (1.0 / 3.0)
    wetted_m2 = parameters.area_m2 * (vessel.bottom_share + (1.0 - vessel.bottom_share) * fill)
    half = 0.5 * vessel.wall_m2_k_per_w
    by_gas = vessel.gas_film_w_per_m2_k * (parameters.area_m2 - wetted_m2)
    return by_gas + wetted_m2 / (1.0 / film + half), wetted_m2 / (half + 1.0 / vessel.jacket_film_w_per_m2_k)


def stirring_w(fill: float, rpm: float, viscosity: float, parameters: Parameters) -> float:
    """Ne·ρ·N³·d⁵ into the contents, Ne growing with 70/Re where it is laminar; less while the stirrer is half bare."""
    if rpm < STANDING_RPM:
        return 0.0
    vessel, density = parameters.vessel, parameters.chemistry.density_kg_per_m3
    turns_per_s, stirrer_m = rpm / 60.0, vessel.stirrer_ratio * parameters.diameter_m
    laminar = 70.0 * viscosity / (density * turns_per_s * stirrer_m * stirrer_m)
    number = vessel.stirrer_power_number + min(laminar, 50.0) * (vessel.stirrer_power_number > 0)
    return number * density * turns_per_s**3 * parameters.stirrer_m5 * min(1.0, 2.0 * fill)


def motor_w(state: State, volume_m3: float, parameters: Parameters) -> float:
    """What the drive takes: the part of `volume_m3` of contents and its own losses."""
    if state.stirrer_rpm <= 1.0:
        return 0.0
    fill, viscosity = of_volume(state, volume_m3, parameters)
    return stirring_w(fill, state.stirrer_rpm, viscosity, parameters) + _DRIVE_W_PER_M3 * parameters.volume_m3


def heat_transfer_w_per_k(state: State, parameters: Parameters) -> float:
    """UA from the contents to the jacket as it is now."""
    fill, viscosity = of_state(state, parameters)
    inner, outer = conductances(fill, state.stirrer_rpm, viscosity, parameters)
    return 1.0 / (1.0 / inner + 1.0 / outer)


def of_state(state: State, parameters: Parameters) -> tuple[float, float]:
    """(filled share, viscosity Pa·s)."""
    return of_volume(state, liquid_m3(state.contents_kg, state.product_temperature_c, parameters), parameters)


def of_volume(state: State, volume_m3: float, parameters: Parameters) -> tuple[float, float]:
    """The same where the volume of the contents is known."""
    solids = state.crystals_kg / state.contents_kg if state.crystals_kg > 0.0 else 0.0
    return volume_m3 / parameters.vessel.volume_m3, viscosity_pa_s(state.product_temperature_c, solids, parameters)
