"""The vessels and the chemistries that can be simulated, by name."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.reactor.model import Parameters


@dataclass(frozen=True, slots=True)
class Vessel:
    """A jacketed, stirred, glass-lined reactor."""

    name: str
    volume_m3: float


@dataclass(frozen=True, slots=True)
class Chemistry:
    """What is in the vessel."""

    name: str


VESSELS = {
    vessel.name: vessel for vessel in (Vessel("lab_1l", 0.001), Vessel("pilot_100l", 0.1), Vessel("production_1600l", 1.6))
}
CHEMISTRIES = {name: Chemistry(name) for name in ("demo_17", "crystallisation_22", "distillation_31", "oncb")}


def parameters(vessel: str, chemistry: str) -> Parameters:
    """The model's parameters for a vessel and a chemistry of the catalogue. Raises KeyError for an unknown name."""
    size, _ = VESSELS[vessel], CHEMISTRIES[chemistry]
    share = size.volume_m3 / Parameters().volume_m3
    defaults, area = Parameters(), share ** (2 / 3)
    return Parameters(
        volume_m3=size.volume_m3,
        wall_j_per_k=defaults.wall_j_per_k * share,
        heat_transfer_w_per_k=defaults.heat_transfer_w_per_k * area,
        loss_w_per_k=defaults.loss_w_per_k * area,
        jacket_j_per_k=defaults.jacket_j_per_k * area,
        jacket_flow_w_per_k=defaults.jacket_flow_w_per_k * area,
        vent_mol_per_s_bar=defaults.vent_mol_per_s_bar * share,
        nitrogen_supply_mol_per_s=defaults.nitrogen_supply_mol_per_s * share,
        stirrer_diameter_m=defaults.stirrer_diameter_m * share ** (1 / 3),
    )
