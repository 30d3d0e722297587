"""The jacketed, stirred, glass-lined reactor as physics; docs/explanation/simulated-reactor.md says what is in it.

    inputs      what is asked and what disturbs          reaction   dosed reaction, mixing, decomposition
    vessel      geometry and equipment, by name          crystals   solubility, growth
    chemistry   properties and reactions, by name        headspace  pressure, oxygen, vapour
    parameters  a vessel with a chemistry                transfer   films, stirrer
    state       one moment, and its balances             heat       contents, wall, jacket, unit, cascade
    model       step: state, inputs, time -> state       instruments  state -> readings by role

Nothing here is random, asks for the time or knows a recipe. Temperatures are °C, pressures bar(a), flows kg/h unless
a name says otherwise.
"""

from simulators.reactor.inputs import Inputs, Readings, TemperatureMode
from simulators.reactor.instruments import readings
from simulators.reactor.model import step
from simulators.reactor.parameters import CHEMISTRIES, VESSELS, Parameters, parameters
from simulators.reactor.state import State, initial_state

__all__ = [
    "CHEMISTRIES", "VESSELS", "Inputs", "Parameters", "Readings", "State", "TemperatureMode",
    "initial_state", "parameters", "readings", "step",
]  # fmt: skip
