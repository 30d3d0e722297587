"""The vessels: geometry, wall, jacket, heating and cooling unit, stirrer, and what is connected to the headspace.

                 vent, vacuum ◄─ condenser ─► receiver
       purge ──► ┌──┴──────────────┴──┐ ◄── charge, dosing, seed
                 │  headspace         │            unit: heats, cools, circulates
                ┌┤~~~~~~~~~~~~~~~~~~~~├┐            ┌──────────┐
       jacket ◄─┤│      contents      │├────────────┤ J/K, W   │
       outlet   ││   ──┴── stirrer    ││◄───────────┤          │ jacket inlet
                └┤____________________├┘            └──────────┘
      wall: steel, glass └────┬────┘ discharge

All three are geometrically similar (height : diameter = 1.1, dished bottom), so area per volume goes with V^(−1/3):
1 L has ten times the area per volume of 1 m³ (and 12 times that of 1.6 m³). What a supplier's data sheet gives
(power, flow, hold-up) is set vessel by vessel: a laboratory thermostat has 1.5 W per cm³, a plant's unit 0.04.
Figures are an engineer's illustration, with the order of magnitude of De Dietrich AE/BE data sheets, of VDI Heat Atlas
for steel 50 and glass enamel 1.1 W/(m·K), and of a silicone oil (1.9 MJ/(m³·K)) as the heat transfer fluid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FLUID_J_PER_M3_K = 1.9e6
"""Volumetric heat capacity of the heat transfer fluid."""
FLUID_J_PER_KG_K = 2000.0


@dataclass(frozen=True, slots=True)
class Vessel:
    """A jacketed, stirred reactor with its heating and cooling unit."""

    name: str
    volume_m3: float
    wall_m2_k_per_w: float
    """Thermal resistance of glass and steel together."""
    wall_j_per_k: float
    internals_j_per_k: float
    """Stirrer, baffle, nozzles: they follow the contents."""
    jacket_j_per_k: float
    """Fluid inside the jacket."""
    jacket_flow_w_per_k: float
    """Circulated fluid, mass flow times heat capacity."""
    unit_j_per_k: float
    """Fluid in the unit and its pipes."""
    heating_w: float
    cooling_w: float
    unit_lag_s: float
    """Closed loop of the jacket inlet, the inner loop of the cascade, while power lasts."""
    nominal_rpm: float
    """Stirrer speed for which the controller is tuned."""
    vent_mol_per_s_bar: float
    nitrogen_mol_per_s: float
    """Most that the pressure controller lets in."""
    vacuum_m3_per_h: float
    condenser_w: float
    relief_mol_per_s_bar: float
    expansion_kg: float
    """Fluid in the jacket's expansion vessel; lost, the circuit has no pressure."""
    aspect: float = 1.1
    """Height of the full cylinder by its diameter."""
    film_factor: float = 0.33
    """C of Nu = C·Re^(2/3)·Pr^(1/3): 0.33 for a retreat curve impeller with a baffle (VDI Heat Atlas, chapter N)."""
    still_film_w_per_m2_k: float = 60.0
    """Natural convection, all that is left when the stirrer stands."""
    gas_film_w_per_m2_k: float = 15.0
    """Wall above the liquid to the contents and their internals: free convection and radiation."""
    jacket_film_w_per_m2_k: float = 1300.0
    jacket_low_c: float = -20.0
    jacket_high_c: float = 140.0
    glass_limit_k: float = 60.0
    """Most that the jacket may be away from the contents."""
    lid_loss_w_per_m2_k: float = 0.6
    jacket_loss_w_per_m2_k: float = 1.0
    ambient_c: float = 20.0
    stirrer_ratio: float = 0.6
    """Stirrer by vessel diameter."""
    stirrer_power_number: float = 1.5
    stirrer_lag_s: float = 6.0
    dosing_lag_s: float = 4.0
    turns_to_mix: float = 50.0
    relief_bar: float = 6.5
    interlock_bar: float = 3.0
    condensate_c: float = 20.0

    @property
    def diameter_m(self) -> float:
        return float((4.0 * self.volume_m3 / (math.pi * self.aspect)) ** (1.0 / 3.0))

    @property
    def area_m2(self) -> float:
        """Jacketed wall of the full vessel: cylinder and dished bottom (1.1 times the disc)."""
        return math.pi * self.diameter_m**2 * (self.aspect + 0.275)

    @property
    def bottom_share(self) -> float:
        """Of that area, the bottom's."""
        return 0.275 / (self.aspect + 0.275)


LAB_1L = Vessel(
    name="lab_1l",
    volume_m3=0.001,
    wall_m2_k_per_w=0.0036,  # borosilicate glass, 4 mm
    wall_j_per_k=350.0,
    internals_j_per_k=60.0,
    jacket_j_per_k=550.0,
    jacket_flow_w_per_k=160.0,
    unit_j_per_k=2.5e3,
    heating_w=2000.0,
    cooling_w=1500.0,
    unit_lag_s=12.0,
    nominal_rpm=300.0,
    vent_mol_per_s_bar=0.1,
    nitrogen_mol_per_s=3e-4,
    vacuum_m3_per_h=0.6,
    condenser_w=400.0,
    relief_mol_per_s_bar=0.1,
    expansion_kg=0.5,
    jacket_film_w_per_m2_k=1000.0,
)
PILOT_100L = Vessel(
    name="pilot_100l",
    volume_m3=0.1,
    wall_m2_k_per_w=0.00160,  # enamel 1.5 mm, steel 12 mm
    wall_j_per_k=46e3,
    internals_j_per_k=3e3,
    jacket_j_per_k=50e3,
    jacket_flow_w_per_k=3.2e3,
    unit_j_per_k=60e3,
    heating_w=24e3,
    cooling_w=18e3,
    unit_lag_s=20.0,
    nominal_rpm=150.0,
    vent_mol_per_s_bar=4.0,
    nitrogen_mol_per_s=0.016,
    vacuum_m3_per_h=15.0,
    condenser_w=15e3,
    relief_mol_per_s_bar=10.0,
    expansion_kg=12.0,
)
PRODUCTION_1600L = Vessel(
    name="production_1600l",
    volume_m3=1.6,
    wall_m2_k_per_w=0.00172,  # enamel 1.5 mm, steel 18 mm
    wall_j_per_k=440e3,
    internals_j_per_k=20e3,
    jacket_j_per_k=450e3,
    jacket_flow_w_per_k=20e3,
    unit_j_per_k=380e3,
    heating_w=80e3,
    cooling_w=62e3,
    unit_lag_s=25.0,
    nominal_rpm=100.0,
    vent_mol_per_s_bar=60.0,
    nitrogen_mol_per_s=0.25,
    vacuum_m3_per_h=120.0,
    condenser_w=150e3,
    relief_mol_per_s_bar=150.0,
    expansion_kg=120.0,
)
