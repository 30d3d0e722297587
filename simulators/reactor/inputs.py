"""What is asked of the reactor and what disturbs it, held over a step; and what its instruments show, by role.

Temperatures are °C, pressures bar(a), flows kg/h unless a name says otherwise. The defaults ask for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

Readings = dict[str, float | int | bool | str]
"""Role -> value, in the engineering units of docs/explanation/simulated-reactor.md."""


class TemperatureMode(IntEnum):
    """What the temperature controller works on."""

    OFF = 0
    """Neither heated nor cooled; the heat transfer fluid circulates."""
    JACKET = 1
    """The jacket inlet follows `jacket_setpoint_c`."""
    PRODUCT = 2
    """Cascade: the contents follow `temperature_setpoint_c`, their controller sets the jacket's."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the control system asks of the plant, and what disturbs it."""

    temperature_mode: TemperatureMode = TemperatureMode.PRODUCT
    temperature_setpoint_c: float = 20.0
    jacket_setpoint_c: float = 20.0
    """Followed in mode JACKET only."""
    jacket_limit_c: float | None = None
    """The jacket inlet is never asked to be warmer, in any mode, unless the glass limit needs it over hot contents."""
    stirrer_speed_rpm: float = 0.0
    charge_kg_per_h: float = 0.0
    dosing_kg_per_h: float = 0.0
    discharge_kg_per_h: float = 0.0
    seed_kg_per_h: float = 0.0
    """Seed crystals of the solute."""
    purge_nm3_per_h: float = 0.0
    pressure_setpoint_bar: float = 1.05
    """bar(a); below 1.0 the vacuum pump pulls."""
    receive_distillate: bool = False
    """Condensate goes to the receiver; False: it returns, total reflux."""
    reset_totals: bool = False
    """Dosed and distillate mass start from zero."""

    cooling_available: float = 1.0
    """Disturbance: share of the cooling power that is left, 0 to 1."""
    heating_available: float = 1.0
    stirrer_available: bool = True
    dosing_factor: float = 1.0
    """The dosing valve passes this times what is asked."""
    jacket_leak_kg_per_h: float = 0.0
    """Heat transfer fluid into the contents."""
    decomposition_factor: float = 1.0
    """Multiplies the rate of the exothermic side reaction: large is a runaway."""
