"""A vessel and a chemistry together, with all that follows from the two and is the same at every step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from simulators.reactor.autoclave import AUTOCLAVE, ONCB
from simulators.reactor.chemistry import CRYSTALLISATION_22, DEMO_17, DISTILLATION_31, Chemistry
from simulators.reactor.vessel import LAB_1L, PILOT_100L, PRODUCTION_1600L, Vessel

VESSELS = {vessel.name: vessel for vessel in (LAB_1L, PILOT_100L, PRODUCTION_1600L)}
CHEMISTRIES = {chemistry.name: chemistry for chemistry in (DEMO_17, CRYSTALLISATION_22, DISTILLATION_31, ONCB)}

_TUNED_FILL = 0.6
_CLOSED_LOOP = 0.7
"""Closed-loop time constant of the product's controller, by its effective dead time."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the model is made of. The fields below the first two follow from them."""

    vessel: Vessel = PRODUCTION_1600L
    chemistry: Chemistry = DEMO_17
    area_m2: float = field(init=False)
    diameter_m: float = field(init=False)
    stirrer_m5: float = field(init=False)
    """Stirrer diameter, to the fifth."""
    film: float = field(init=False)
    """Inside film, W/(m²·K), at one turn a second and 1 Pa·s: C·k/D·(ρd²)^(2/3)·(cp/k)^(1/3)."""
    antoine: tuple[float, float, float] = field(init=False)
    """ln(p/bar) = a − b/(c + °C)."""
    tuned_kg: float = field(init=False)
    """Contents for which the controller is tuned."""
    controller_gain: float = field(init=False)
    """Kelvin at the jacket per kelvin of the contents."""
    controller_reset_s: float = field(init=False)

    @property
    def volume_m3(self) -> float:
        return self.vessel.volume_m3

    def __post_init__(self) -> None:
        vessel, chemistry = self.vessel, self.chemistry
        stirrer_m = vessel.stirrer_ratio * vessel.diameter_m
        conductivity = chemistry.conductivity_w_per_m_k
        film = vessel.film_factor * conductivity / vessel.diameter_m
        film *= (chemistry.density_kg_per_m3 * stirrer_m**2) ** (2 / 3)
        film *= (chemistry.heat_capacity_j_per_kg_k / conductivity) ** (1 / 3)
        a, b, c = chemistry.antoine
        self._set("area_m2", vessel.area_m2)
        self._set("diameter_m", vessel.diameter_m)
        self._set("stirrer_m5", stirrer_m**5)
        self._set("film", film)
        self._set("antoine", (a * math.log(10.0) - math.log(750.062), b * math.log(10.0), c))
        self._tune()

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _tune(self) -> None:
        """S. Skogestad's SIMC rule for PI (J. Process Control 13 (2003) 291) with a plant gain of one:
        K = τ/(τc + θ), Ti = min(τ, 4(τc + θ)); half of the wall's lag goes to τ, the rest and all smaller lags to θ."""
        vessel, chemistry = self.vessel, self.chemistry
        area_m2 = self.area_m2 * (vessel.bottom_share + (1.0 - vessel.bottom_share) * _TUNED_FILL)
        turns_per_s, viscosity_pa_s = vessel.nominal_rpm / 60.0, chemistry.viscosity_pa_s
        film = vessel.still_film_w_per_m2_k + self.film * (turns_per_s**2 / viscosity_pa_s) ** (1 / 3)
        inner = area_m2 / (1.0 / film + vessel.wall_m2_k_per_w / 2.0)
        outer = area_m2 / (1.0 / vessel.jacket_film_w_per_m2_k + vessel.wall_m2_k_per_w / 2.0)
        contents_kg = _TUNED_FILL * vessel.volume_m3 * chemistry.density_kg_per_m3
        capacity = contents_kg * chemistry.heat_capacity_j_per_kg_k + vessel.internals_j_per_k
        wall_s = vessel.wall_j_per_k / (inner + outer)
        jacket_s = vessel.jacket_j_per_k / (outer + vessel.jacket_flow_w_per_k)
        lag_s = capacity * (1.0 / inner + 1.0 / outer) + wall_s / 2.0
        delay_s = wall_s / 2.0 + jacket_s + vessel.unit_lag_s
        closed_s = (_CLOSED_LOOP + 1.0) * delay_s
        self._set("tuned_kg", contents_kg)
        self._set("controller_gain", lag_s / closed_s)
        self._set("controller_reset_s", min(lag_s, 4.0 * closed_s))


def parameters(vessel: str, chemistry: str) -> Parameters:
    """The model's parameters by name; `oncb_autoclave` is a vessel too. Raises ValueError for an unknown name."""
    vessels = VESSELS | {AUTOCLAVE.name: AUTOCLAVE}
    if vessel not in vessels:
        raise ValueError(f"there is no vessel {vessel!r}: choose one of {', '.join(vessels)}")
    if chemistry not in CHEMISTRIES:
        raise ValueError(f"there is no chemistry {chemistry!r}: choose one of {', '.join(CHEMISTRIES)}")
    return Parameters(vessels[vessel], CHEMISTRIES[chemistry])
