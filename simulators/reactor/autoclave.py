"""The nitroaniline autoclave of 1969 as Fogler tells it, as a vessel and a chemistry of this model.

ONCB + 2 NH₃ → o-nitroaniline + NH₄Cl. H. S. Fogler, Elements of Chemical Reaction Engineering, 4th ed., example
9-2 (later editions 13-2). The example has one heat balance of the contents, against cooling water of one temperature:
so wall, jacket and unit are given next to no heat capacity, and flow and power without a limit. Nothing boils.
"""

from __future__ import annotations

from dataclasses import replace

from simulators.reactor.chemistry import Chemistry
from simulators.reactor.vessel import PRODUCTION_1600L, Vessel

GAS_CONSTANT = 8.314462618
J_PER_KCAL = 4184.0
ONCB_MOL, AMMONIA_MOL, WATER_MOL = 9044.8, 33000.0, 103700.0
CHARGE_KG = 9044.8 * 0.15756 + 33000.0 * 0.017031 + 103700.0 * 0.018015
CHARGE_M3 = 5.119
_UA_W_PER_K = 35.85 * J_PER_KCAL / 60.0


def _autoclave() -> Vessel:
    """UA is 35.85 kcal/(min·K) with the charge in it; the films take nothing of it."""
    bare = replace(
        PRODUCTION_1600L,
        name="oncb_autoclave",
        volume_m3=6.0,
        wall_j_per_k=100.0,
        internals_j_per_k=0.0,
        jacket_j_per_k=100.0,
        jacket_flow_w_per_k=1e7,
        unit_j_per_k=500.0,
        heating_w=1e9,
        cooling_w=1e9,
        unit_lag_s=5.0,
        film_factor=0.0,
        still_film_w_per_m2_k=1e9,
        gas_film_w_per_m2_k=0.0,
        jacket_film_w_per_m2_k=1e9,
        jacket_low_c=24.85,
        jacket_high_c=300.0,
        glass_limit_k=1e4,
        lid_loss_w_per_m2_k=0.0,
        jacket_loss_w_per_m2_k=0.0,
        stirrer_power_number=0.0,
        turns_to_mix=1.0,
        relief_bar=100.0,
        interlock_bar=50.0,
    )
    wetted_m2 = bare.area_m2 * (bare.bottom_share + (1.0 - bare.bottom_share) * CHARGE_M3 / bare.volume_m3)
    return replace(bare, wall_m2_k_per_w=wetted_m2 / _UA_W_PER_K)


AUTOCLAVE = _autoclave()
ONCB = Chemistry(
    name="oncb",
    density_kg_per_m3=CHARGE_KG / CHARGE_M3,
    expansion_per_k=0.0,
    heat_capacity_j_per_kg_k=2504.93 * J_PER_KCAL / CHARGE_KG,
    reactant_mol_per_kg=ONCB_MOL / CHARGE_KG,
    charged_partner_mol_per_kg=AMMONIA_MOL / CHARGE_KG,
    feed_mol_per_kg=0.0,
    partner_per_reactant=2.0,
    reaction_heat_j_per_mol=590.0 * J_PER_KCAL,
    rate_m3_per_mol_s=37.6 / 1000.0 / 60.0,  # m³/(kmol·min), times exp(−E/RT)
    rate_reference_k=float("inf"),
    activation_energy_j_per_mol=11273.0 / 1.987 * GAS_CONSTANT,  # the example has R = 1.987 cal/(mol·K)
    decomposition_per_s=0.0,
    charge_volatile=0.0,
    feed_volatile=0.0,
    interlock_c=195.0,
)
