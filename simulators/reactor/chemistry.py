"""What is in the vessel: physical properties, reactions, solvent, solute. Figures are an engineer's illustration.

Antoine constants are in the form log10(p/mmHg) = A − B/(C + °C) (Lange's Handbook of Chemistry; Reid, Prausnitz,
Poling). Viscosities follow Andrade's μ = μ₂₅·exp(B(1/T − 1/298.15 K)). Latent heats are those at the normal boiling point.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chemistry:
    """Defaults: toluene as the solvent, no solute, and a reaction that wants partners."""

    name: str
    density_kg_per_m3: float = 870.0
    """At 20 °C."""
    expansion_per_k: float = 1.0e-3
    heat_capacity_j_per_kg_k: float = 1900.0
    conductivity_w_per_m_k: float = 0.13
    viscosity_pa_s: float = 0.6e-3
    """At 25 °C."""
    viscosity_k: float = 1100.0
    """Andrade's B."""
    charge_temperature_c: float = 20.0
    feed_temperature_c: float = 20.0

    reactant_mol_per_kg: float = 0.0
    """A in the charge."""
    charged_partner_mol_per_kg: float = 0.0
    """B in the charge."""
    feed_mol_per_kg: float = 0.0
    """B in the dosing feed."""
    partner_per_reactant: float = 1.0
    """Mol of B that react with one of A."""
    reaction_heat_j_per_mol: float = 0.0
    """Released per mole of A."""
    rate_m3_per_mol_s: float = 0.0
    """Rate constant at `rate_reference_k`."""
    rate_reference_k: float = 338.15
    activation_energy_j_per_mol: float = 62e3

    decomposable_mol_per_kg: float = 0.0
    """In the charge; A, or what becomes of it."""
    decomposition_per_s: float = 5e-7
    """First order, at 110 °C: 0.2 W/kg there, a day to the maximum rate."""
    decomposition_energy_j_per_mol: float = 140e3
    decomposition_heat_j_per_mol: float = 250e3
    decomposition_gas: float = 0.5
    """Mol of permanent gas per mol decomposed."""

    antoine: tuple[float, float, float] = (6.95464, 1344.8, 219.482)
    """Toluene."""
    latent_j_per_kg: float = 363e3
    solvent_kg_per_mol: float = 0.09214
    residue_kg_per_mol: float = 0.25
    """All that does not evaporate, for Raoult's law."""
    charge_volatile: float = 1.0
    """kg/kg of the charge that is solvent."""
    feed_volatile: float = 0.0

    charge_solute: float = 0.0
    """kg/kg of the charge that is the solute, as a solid."""
    solubility_at_0_c: float = 0.0
    """kg of solute per kg of solvent; grows as exp(`solubility_per_k`·°C)."""
    solubility_per_k: float = 0.035
    metastable_k: float = 12.0
    """Undercooling at which nuclei form without seed."""
    growth_per_s: float = 0.03
    """Of the difference to solubility, with crystals of the seed's size as heavy as the solvent, at 25 °C."""
    growth_energy_j_per_mol: float = 30e3
    crystallisation_heat_j_per_kg: float = 120e3

    ph_start: float = 7.0
    ph_drop: float = 0.0
    """From no conversion of A to all of it."""
    interlock_c: float = 120.0


DEMO_17 = Chemistry(
    name="demo_17",
    reactant_mol_per_kg=1.82,
    feed_mol_per_kg=9.0,
    reaction_heat_j_per_mol=100e3,
    rate_m3_per_mol_s=1.05e-5,
    decomposable_mol_per_kg=1.82,
    charge_volatile=0.72,
    ph_start=8.6,
    ph_drop=3.1,
    interlock_c=90.0,
)
CRYSTALLISATION_22 = Chemistry(
    name="crystallisation_22",
    density_kg_per_m3=850.0,
    heat_capacity_j_per_kg_k=2500.0,
    conductivity_w_per_m_k=0.135,
    viscosity_pa_s=2.0e-3,
    viscosity_k=2600.0,
    antoine=(8.11778, 1580.92, 219.61),  # 2-propanol
    latent_j_per_kg=664e3,
    solvent_kg_per_mol=0.0601,
    charge_volatile=0.75,
    charge_solute=0.25,
    solubility_at_0_c=0.0455,
    interlock_c=90.0,
)
DISTILLATION_31 = Chemistry(name="distillation_31", charge_volatile=0.85, interlock_c=120.0)
