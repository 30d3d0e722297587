"""What comes into the contents and leaves them in a sub-step, and what they then consist of."""

from __future__ import annotations

from typing import NamedTuple

from simulators.reactor import crystals
from simulators.reactor.headspace import Breathed
from simulators.reactor.inputs import Inputs
from simulators.reactor.parameters import Parameters
from simulators.reactor.reaction import decomposed_mol, reacted_mol, unmixed_after
from simulators.reactor.state import LEAST_HEADSPACE, State

_FLOW_CUT_OFF_PER_H = 0.02
"""Of a dosing flow, kg/h per m³ of the vessel: below it the valve is shut."""


class Moved(NamedTuple):
    """Masses that pass the vessel's wall as liquid or solid, kg."""

    charged: float
    fed: float
    seeded: float
    leaked: float
    """Heat transfer fluid."""
    kept: float
    """Share of the contents that the discharge leaves."""
    dosing_kg_per_h: float


class Turned(NamedTuple):
    """What became something else inside: mol, and kg of solute."""

    reacted: float
    decomposed: float
    grown: float
    nuclei: float
    unmixed: float


class Contents(NamedTuple):
    """The fields of `State` from `contents_kg` on, in its order."""

    contents_kg: float
    volatile_kg: float
    dissolved_kg: float
    crystals_kg: float
    crystal_count_kg: float
    reactant_mol: float
    accumulated_mol: float
    unmixed_mol: float
    converted_mol: float
    intact_mol: float


def moved(state: State, asked: Inputs, volume_m3: float, h: float, parameters: Parameters) -> Moved:
    """Nothing comes into a vessel that is full. `volume_m3`: of the contents."""
    vessel, hours = parameters.vessel, h / 3600.0
    room = volume_m3 < (1.0 - LEAST_HEADSPACE) * vessel.volume_m3
    target = asked.dosing_kg_per_h * asked.dosing_factor if room else 0.0
    dosing = state.dosing_kg_per_h + (target - state.dosing_kg_per_h) * h / (h + vessel.dosing_lag_s)
    if target <= 0.0 and dosing < _FLOW_CUT_OFF_PER_H * vessel.volume_m3:
        dosing = 0.0
    out_kg, kept = asked.discharge_kg_per_h * hours, 1.0
    if out_kg > 0.0:
        kept = 1.0 - out_kg / state.contents_kg if state.contents_kg > out_kg else 0.0
    if not room:
        return Moved(0.0, dosing * hours, 0.0, 0.0, kept, dosing)
    return Moved(
        asked.charge_kg_per_h * hours,
        dosing * hours,
        asked.seed_kg_per_h * hours,
        asked.jacket_leak_kg_per_h * hours,
        kept,
        dosing,
    )


def turned(state: State, asked: Inputs, volume_m3: float, h: float, parameters: Parameters) -> Turned:
    """Reactions and crystals, at the temperature before the sub-step."""
    unmixed = unmixed_after(state, h, parameters)
    reacted = reacted_mol(state, unmixed, volume_m3, h, parameters)
    decomposed = decomposed_mol(state, asked.decomposition_factor, h, parameters)
    grown, nuclei = crystals.grown_kg(state, h, parameters)
    return Turned(reacted, decomposed, grown, nuclei, unmixed)


def contents_after(state: State, flow: Moved, turn: Turned, evaporated_kg: float, parameters: Parameters) -> Contents:
    """The contents after the sub-step: what turned and evaporated, then what the discharge left, then what came."""
    chemistry, kept, charged, fed = parameters.chemistry, flow.kept, flow.charged, flow.fed
    partner_mol = state.accumulated_mol - turn.reacted * chemistry.partner_per_reactant
    fed_mol = fed * chemistry.feed_mol_per_kg
    solid_kg = charged * chemistry.charge_solute + flow.seeded
    crystals_kg = max(0.0, kept * (state.crystals_kg + turn.grown) + solid_kg)
    return Contents(
        kept * max(0.0, state.contents_kg - evaporated_kg) + charged + fed + flow.seeded + flow.leaked,
        kept * max(0.0, state.volatile_kg - evaporated_kg) + charged * chemistry.charge_volatile + fed * chemistry.feed_volatile,
        max(0.0, kept * (state.dissolved_kg - turn.grown)),
        crystals_kg,
        kept * (state.crystal_count_kg + turn.nuclei) + solid_kg if crystals_kg > 0.0 else 0.0,
        kept * (state.reactant_mol - turn.reacted) + charged * chemistry.reactant_mol_per_kg,
        max(0.0, kept * partner_mol) + fed_mol + charged * chemistry.charged_partner_mol_per_kg,
        kept * turn.unmixed + fed_mol,
        kept * (state.converted_mol + turn.reacted),
        kept * (state.intact_mol - turn.decomposed) + charged * chemistry.decomposable_mol_per_kg,
    )


def evaporated_kg(air: Breathed, asked: Inputs) -> float:
    """What leaves the contents as vapour and does not come back."""
    return (air.condensed_kg if asked.receive_distillate else 0.0) + air.relieved_kg
