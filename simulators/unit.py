"""One ISA-88 unit in time: recipe, reactor, instruments and what goes wrong with them, a plant second at a time.

    recipe run ──► inputs ──► disturbances ──► reactor ──► truth ──► instruments ──► overrides ──► shown
         ▲                                                   │
         └───────────────────────────────────────────────────┘  the recipe goes by the truth, so noise decides nothing

Every second is computed, however fast time goes: what is shown at plant second t depends on the seed, on what was
begun and ended until then, and on t alone. Second 0 is the simulation's beginning; a head start runs before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import numpy as np

from config.tags import Kind, Tag
from simulators import reactor
from simulators.disturbances import PROCESS_KINDS, Disturbances
from simulators.instruments import PERFECT, Instrument, Instruments, Vector, instrument_of
from simulators.overrides import OVERRIDES, Overrides, stands_at
from simulators.programme import UnitPlan
from simulators.reactor import Readings
from simulators.recipe import recipe
from simulators.recipe.recipe import Command
from simulators.source import SimulationError, Value
from simulators.strangers import Sines, slow_sine
from simulators.upset import End, Upset

_COMMANDS = {command.value.lower(): command for command in Command}
"""By the kind of upset that asks for it."""


class ReactorUnit:
    """A unit in time. Not before the second it has reached: time goes forward."""

    def __init__(self, plan: UnitPlan, seed: int) -> None:
        self.plan = plan
        self.plant_s = -plan.head_start_s
        self._parameters = plan.parameters
        self.state = reactor.initial_state(self._parameters)
        self.run = recipe.begun(plan.recipe)
        self._command: Command | None = None
        self._true = reactor.readings(self.state, self._parameters)
        self._roles = [role for role, value in self._true.items() if isinstance(value, float)]
        self._instruments = Instruments(seed, plan.name)
        self._instruments.add((role, instrument_of(role), float(self._true[role])) for role in self._roles)
        self._sines, self._constants = Sines(), Readings()
        self._disturbances, self._overrides = Disturbances(), Overrides()
        self._shown: Readings | None = None
        self.advance_to(0)

    def advance_to(self, plant_s: int) -> None:
        """Compute every second up to `plant_s`; a time that was reached already changes nothing."""
        while self.plant_s < plant_s:
            self.plant_s += 1
            self._second()

    def readings(self) -> Readings:
        """Role -> what the instruments and the controller show at this second."""
        if self._shown is None:
            context = recipe.context(self.run, self.plan.recipe, self.plan.first_batch)
            analogue = zip(self._instruments.channels, self._instruments.shown(self.plant_s).tolist(), strict=True)
            self._shown = dict(chain(self._true.items(), analogue, context.items(), self._constants.items()))
            if self._overrides:
                self._shown |= self._overrides.held()
        return self._shown

    def status(self, role: str) -> int:
        """The OPC UA status of what a role shows."""
        return self._overrides.status(role) if self._overrides else 0

    def take(self, tags: Iterable[Tag]) -> None:
        """From now on there is something behind each of the tags, whether the model knows its role or not."""
        shown = self.readings()
        strangers = {tag.role: tag for tag in tags if tag.role not in shown}
        waves: list[tuple[str, Instrument, float]] = []
        for role, tag in strangers.items():
            if tag.value_kind in (Kind.BOOLEAN, Kind.TEXT):
                self._constants[role] = False if tag.value_kind is Kind.BOOLEAN else tag.name
            else:
                self._sines.add(slow_sine(tag))
                waves.append((role, PERFECT, 0.0))
        if strangers:
            values = self._sines.at(self.plant_s)[-len(waves) :] if waves else ()
            self._instruments.add((*wave[:2], float(value)) for wave, value in zip(waves, values, strict=True))
            self._shown = None

    @property
    def phase(self) -> str:
        """The name of the recipe's phase."""
        return self.plan.recipe.phases[self.run.phase_index].name

    @property
    def phase_s(self) -> int:
        """Since the phase began."""
        return self.run.phase_s

    @property
    def batch(self) -> int:
        """Batches of this unit, counted from 1."""
        return self.run.batch

    def disturb(self, upset: Upset) -> End:
        """Begin a process upset, or ask the recipe for what an operator wants. Raises SimulationError."""
        if upset.kind in PROCESS_KINDS:
            return self._disturbances.begin(upset)
        self._ask(_COMMANDS[upset.kind])
        return lambda: None

    def disturb_tag(self, upset: Upset, tag: Tag) -> End:
        """Begin an upset of the instrument behind a tag. Raises SimulationError."""
        self.take([tag])
        if upset.kind in OVERRIDES:
            end = self._overrides.begin(upset, tag.role, self._stands(upset, tag))
        elif tag.role in self._instruments.channels:
            end = self._instruments.disturb(upset, tag.role, self.plant_s)
        else:
            raise SimulationError(f"{tag.name} is a number in the controller without an instrument: it can have no {upset.kind}")
        self._shown = None

        def end_and_show() -> None:
            end()
            self._shown = None

        return end_and_show

    def _stands(self, upset: Upset, tag: Tag) -> Value:
        """Where a flat line stands, as the model has it: a state that is a text there is one here."""
        now = self.readings()[tag.role]
        if upset.kind != "flat_line" or upset.value is None:
            return now
        value = stands_at(upset.value, tag)
        return tag.states.get(int(value), str(value)) if isinstance(now, str) and not isinstance(value, str) else value

    def _ask(self, command: Command) -> None:
        """It is obeyed within the next second."""
        refused = recipe.refusal(self.run, self.plan.recipe, command, self._true)
        if refused:
            raise SimulationError(f"unit {self.plan.name}: {refused}")
        self._command = command

    def _second(self) -> None:
        plan = self.plan
        asked = self._disturbances.of(recipe.inputs(self.run, plan.recipe))
        self.state = reactor.step(self.state, asked, 1.0, self._parameters)
        self._true = reactor.readings(self.state, self._parameters)
        self.run = recipe.advance(self.run, plan.recipe, self._true, self._command)
        self._command, self._shown = None, None
        self._instruments.follow(self._truth())

    def _truth(self) -> Vector:
        sines = self._sines.at(self.plant_s).tolist() if self._sines else ()
        true = (float(self._true[role]) for role in self._roles)
        return np.fromiter(chain(true, sines), np.float64, len(self._roles) + len(sines))
