"""The jacketed, stirred reactor as physics: `step(state, inputs, dt_s, parameters) -> State`, and what instruments show."""

from simulators.reactor.catalogue import CHEMISTRIES, VESSELS, parameters
from simulators.reactor.inputs import Inputs, Readings, TemperatureMode
from simulators.reactor.model import Parameters, State, initial_state, readings, step

__all__ = [
    "CHEMISTRIES", "VESSELS", "Inputs", "Parameters", "Readings", "State", "TemperatureMode",
    "initial_state", "parameters", "readings", "step",
]  # fmt: skip
