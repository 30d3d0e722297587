"""A recipe ready to run in one vessel: its phases in a row, its masses and flows scaled, its conditions made quick.

Scaling from the recipe's vessel to another: masses and flows go with the volume, the stirrer's speed with the speed that
each vessel's stirrer is made for. Temperatures, pressures and times stay. A condition on a mass, flow, power or speed is
scaled with what it watches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulators.reactor import VESSELS, Parameters, Readings, parameters
from simulators.recipe.file import Abort, Condition, Feed, Hold, Idle, Phase, RecipeFile, Settings, Stop

_WITH_VOLUME = frozenset(
    {"contents_mass", "dosed_mass", "distillate_mass", "dosing_rate", "distillate_rate", "nitrogen_flow", "stirrer_power"}
)
_IDLE_NUMBER = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """A condition as it is watched: a role inside `[low, high]` for longer than `for_s`."""

    role: str
    low: float
    high: float
    for_s: int

    def met(self, shown: Readings) -> bool:
        return self.low <= float(shown[self.role]) <= self.high

    def told(self, shown: Readings) -> str:
        """`product_temperature is 76, at least 75`, with `must be` before what is not met."""
        value = shown[self.role]
        found = str(value).lower() if isinstance(value, bool) else f"{float(value):.6g}"
        wanted = self._wanted(value) if self.met(shown) else f"must be {self._wanted(value)}"
        return f"{self.role} is {found}, {wanted}{f' for {self.for_s} s' if self.for_s else ''}"

    def _wanted(self, value: object) -> str:
        if isinstance(value, bool):
            return str(self.low == 1.0).lower()
        bounds = (("at least", self.low), ("at most", self.high))
        return " and ".join(f"{word} {bound:.6g}" for word, bound in bounds if math.isfinite(bound))


Watches = tuple[Watch, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A phase in its place; the unit's idling between batches is the last of them."""

    name: str
    number: int
    unit_procedure: str
    operation: str
    settings: Settings
    until: Watches
    minimum_s: int
    maximum_s: int | None
    goes_on_at_maximum: bool
    hold_when: Watches
    abort_when: Watches

    @property
    def batch(self) -> bool:
        """False: no batch is in the unit."""
        return self.number != _IDLE_NUMBER


@dataclass(frozen=True, slots=True)
class Response:
    """What the unit does in a state that is not Running, and what ends it. `until` empty: it ends at once."""

    settings: Settings
    until: Watches
    minimum_s: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe for a vessel. Immutable: a run of it is a `Run`."""

    file: RecipeFile
    """As it was written, for its own vessel."""
    vessel: str
    phases: tuple[Step, ...]
    """In their order; the last is Idle."""
    hold: Response
    stop: Response
    abort: Response
    restart_until: Watches
    restart_when: Watches
    """Empty: an operator restarts."""

    @property
    def product(self) -> str:
        return self.file.product

    @property
    def version(self) -> str:
        return self.file.version

    @property
    def chemistry(self) -> str:
        return self.file.chemistry

    @property
    def parameters(self) -> Parameters:
        """What `simulators.reactor` runs it on."""
        return parameters(self.vessel, self.chemistry)

    def for_vessel(self, vessel: str) -> Recipe:
        """The same recipe scaled to another vessel. Raises KeyError for an unknown one."""
        return planned(self.file, vessel)


def planned(file: RecipeFile, vessel: str | None = None) -> Recipe:
    """The recipe of a file, scaled to a vessel; without one, to its own."""
    vessel = vessel or file.vessel
    scale = _Scale.between(file.vessel, vessel)
    hold_when, abort_when = scale.watches(file.hold.when), scale.watches(file.abort.when)
    phases = [
        _step(phase, unit_procedure, operation, scale, hold_when, abort_when)
        for unit_procedure, operations in file.procedure.items()
        for operation, members in operations.items()
        for phase in members
    ]
    return Recipe(
        file=file,
        vessel=vessel,
        phases=(*phases, _idle(file.idle, scale)),
        hold=_response(file.hold, scale),
        stop=_response(file.stop, scale),
        abort=_response(file.abort, scale),
        restart_until=scale.watches(file.restart.until),
        restart_when=scale.watches(file.restart.when),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """From the recipe's vessel to the one it runs in."""

    amount: float
    speed: float

    @staticmethod
    def between(reference: str, vessel: str) -> _Scale:
        here, there = VESSELS[reference], VESSELS[vessel]
        return _Scale(there.volume_m3 / here.volume_m3, there.nominal_rpm / here.nominal_rpm)

    def of_role(self, role: str) -> float:
        return self.amount if role in _WITH_VOLUME else self.speed if role == "stirrer_speed" else 1.0

    def watches(self, conditions: tuple[Condition, ...]) -> Watches:
        return tuple(self._watch(condition) for condition in conditions)

    def _watch(self, condition: Condition) -> Watch:
        if condition.equals is not None:
            return Watch(condition.role, float(condition.equals), float(condition.equals), condition.for_s)
        factor = self.of_role(condition.role)
        low = -math.inf if condition.low is None else condition.low * factor
        high = math.inf if condition.high is None else condition.high * factor
        return Watch(condition.role, low, high, condition.for_s)

    def settings(self, written: Settings) -> Settings:
        speed = written.stirrer_speed_rpm
        return Settings(
            temperature=written.temperature,
            stirrer_speed_rpm=None if speed is None else speed * self.speed,
            charge=self._feed(written.charge),
            dose=self._feed(written.dose),
            seed=self._feed(written.seed),
            discharge=self._feed(written.discharge),
            purge_nm3_per_h=written.purge_nm3_per_h * self.amount,
            pressure_setpoint_bar=written.pressure_setpoint_bar,
            receive_distillate=written.receive_distillate,
        )

    def _feed(self, feed: Feed | None) -> Feed | None:
        return feed and Feed(kg_per_h=feed.kg_per_h * self.amount, ramp_s=feed.ramp_s)


def _step(phase: Phase, unit_procedure: str, operation: str, scale: _Scale, hold_when: Watches, abort_when: Watches) -> Step:
    return Step(
        name=phase.name,
        number=phase.number,
        unit_procedure=unit_procedure,
        operation=operation,
        settings=scale.settings(phase),
        until=scale.watches(phase.until),
        minimum_s=phase.minimum_s,
        maximum_s=phase.maximum_s,
        goes_on_at_maximum=phase.at_maximum == "go on",
        hold_when=hold_when + scale.watches(phase.hold_when),
        abort_when=abort_when + scale.watches(phase.abort_when),
    )


def _idle(idle: Idle, scale: _Scale) -> Step:
    until = scale.watches(idle.until)
    return Step("Idle", _IDLE_NUMBER, "", "", scale.settings(idle), until, idle.minimum_s, None, False, (), ())


def _response(written: Hold | Stop | Abort, scale: _Scale) -> Response:
    return Response(scale.settings(written), scale.watches(written.until), written.minimum_s)
