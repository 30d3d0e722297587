"""Scenarios: one YAML file that says what runs in each unit, and what goes wrong when.

    units:                       # optional
      R-201: {vessel: production_1600l, recipe: exothermic-dosing, head_start: 1h50min, first_batch: 1}
    timeline:                    # optional
      - {at: 1h20min, upset: cooling_failure, target: R-201, for: 10min}
      - {in: {unit: R-201, phase: Dose, after: 20min, batch: 1}, upset: dosing_too_fast, target: R-201, value: 2.85, for: 14min}

Times are plant time. A scenario is read for a plant: a target that the plant has not, or a phase that the unit's
recipe has not, is a fault with its line, as is everything else that could not be done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from config.common import Model, Named, NamedItems
from config.faults import did_you_mean
from config.load import load_model
from config.model import Plant
from config.text import Name, Text
from simulators.programme import DEFAULT_RECIPE, phase_names, recipe_named, vessel_named
from simulators.source import SimulationError
from simulators.spans import LastingSpan, Span, span_text
from simulators.targets import Targets, check_value, kind_named
from simulators.upset import KINDS, Level, Upset


def _number_or_text(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a value is a number or a text")
    return value if isinstance(value, str) else float(value)


@dataclass
class _Reading:
    """What validators need to know of the plant, and what they have seen so far."""

    targets: Targets
    folder: Path
    phases: dict[str, list[str]] = field(default_factory=dict)
    """By unit, where its recipe could be read."""
    entries: list[Entry] = field(default_factory=list)


def _reading(info: ValidationInfo) -> _Reading:
    assert info.context is not None
    reading: _Reading = info.context["scenario"]
    return reading


class UnitScenario(Named):
    """What runs in a unit."""

    vessel: Name | None = None
    """`lab_1l`, `pilot_100l` or `production_1600l`; by default what the range of the unit's balance is made for."""
    recipe: Text = DEFAULT_RECIPE
    """One of the library, or the path of a file, from this file's folder."""
    head_start: Span = 0.0
    """Plant time that it has run when the simulation begins."""
    first_batch: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Number in its first batch id."""

    @field_validator("name")
    @classmethod
    def _is_a_unit(cls, name: str, info: ValidationInfo) -> str:
        units = _reading(info).targets.names(Level.UNIT)
        if name not in units:
            raise ValueError(f"the plant has no unit {name!r}{did_you_mean(name, units)}; its units: {', '.join(units)}")
        return name

    @field_validator("vessel")
    @classmethod
    def _is_a_vessel(cls, vessel: str | None) -> str | None:
        return None if vessel is None else vessel_named(vessel)

    @field_validator("recipe")
    @classmethod
    def _can_be_read(cls, recipe: str, info: ValidationInfo) -> str:
        recipe_named(recipe, _reading(info).folder)
        return recipe


class Moment(Model):
    """A time in a phase of a unit's recipe."""

    unit: Name
    phase: Name
    after: Span = 0.0
    """Since the phase began."""
    batch: Annotated[int, Field(ge=1, strict=True)] | None = None
    """The unit's first batch in this simulation is 1; default: in every batch."""

    @field_validator("unit")
    @classmethod
    def _is_a_unit(cls, unit: str, info: ValidationInfo) -> str:
        units = _reading(info).targets.names(Level.UNIT)
        if unit not in units:
            raise ValueError(f"the plant has no unit {unit!r}{did_you_mean(unit, units)}; its units: {', '.join(units)}")
        return unit

    @field_validator("phase")
    @classmethod
    def _is_a_phase(cls, phase: str, info: ValidationInfo) -> str:
        phases = _reading(info).phases.get(info.data.get("unit", ""))
        if phases is not None and phase not in phases:
            raise ValueError(f"the recipe has no phase {phase!r}{did_you_mean(phase, phases)}; its phases: {', '.join(phases)}")
        return phase


class Entry(Model):
    """One upset of the timeline."""

    upset: Name
    """A kind of the catalogue."""
    target: Name
    """A unit, tag, device or endpoint."""
    value: Annotated[float | str | None, BeforeValidator(_number_or_text)] = None

    at: Span | None = None
    """Plant time since the beginning."""
    moment: Moment | None = Field(None, alias="in")
    lasts: LastingSpan | None = Field(None, alias="for")

    @property
    def begun(self) -> Upset:
        """The upset that begins."""
        return Upset(self.upset, self.target, self.value, self.lasts)

    @field_validator("upset")
    @classmethod
    def _is_a_kind(cls, upset: str) -> str:
        with _as_fault():
            return kind_named(upset).name

    @field_validator("target")
    @classmethod
    def _is_there(cls, target: str, info: ValidationInfo) -> str:
        kind = KINDS.get(info.data.get("upset", ""))
        with _as_fault():
            if kind:
                _reading(info).targets.find(kind, target)
        return target

    @field_validator("value")
    @classmethod
    def _fits(cls, value: float | str | None, info: ValidationInfo) -> float | str | None:
        kind = KINDS.get(info.data.get("upset", ""))
        with _as_fault():
            if kind:
                check_value(kind, value)
        return value

    @model_validator(mode="after")
    def _holds_together(self, info: ValidationInfo) -> Entry:
        if (self.at is None) == (self.moment is None):
            raise ValueError("say when: either at: 1h20min, or in: {unit: R-201, phase: Dose, after: 20min}")
        reading = _reading(info)
        with _as_fault():
            reading.targets.check(self.begun)
        for other in reading.entries:
            _refuse_overlap(other, self)
        reading.entries.append(self)
        return self


class Scenario(Model):
    """A whole scenario file."""

    units: Annotated[tuple[UnitScenario, ...], NamedItems] = ()
    timeline: tuple[Entry, ...] = ()

    @field_validator("units")
    @classmethod
    def _remember_phases(cls, units: tuple[UnitScenario, ...], info: ValidationInfo) -> tuple[UnitScenario, ...]:
        reading = _reading(info)
        for unit in units:
            reading.phases[unit.name] = phase_names(recipe_named(unit.recipe, reading.folder))
        return units


def load_scenario(path: Path, plant: Plant) -> Scenario:
    """The scenario of a file for this plant. Raises ConfigError with every fault."""
    targets, usual = Targets(plant), phase_names(recipe_named(DEFAULT_RECIPE))
    reading = _Reading(targets, path.parent.absolute(), dict.fromkeys(targets.names(Level.UNIT), usual))
    return load_model(path, Scenario, {"scenario": reading})


@contextmanager
def _as_fault() -> Iterator[None]:
    try:
        yield
    except SimulationError as exc:
        raise ValueError(str(exc)) from None


def _refuse_overlap(first: Entry, second: Entry) -> None:
    if (first.upset, first.target) != (second.upset, second.target):
        return
    for earlier, later in ((first, second), (second, first)):
        wait_s = _between(earlier, later)
        lasts_s = earlier.lasts
        if wait_s is None or wait_s < 0:
            continue
        if wait_s == 0 or (lasts_s is None and _lasts(earlier)):
            raise ValueError(f"{second.upset} of {second.target} is there already: the two overlap for ever or begin together")
        if lasts_s is not None and wait_s < lasts_s:
            left = span_text(lasts_s - wait_s)
            raise ValueError(f"{second.upset} of {second.target} is there already: it would have to end {left} earlier")


def _lasts(entry: Entry) -> bool:
    kind = KINDS[entry.upset]
    return not kind.once and kind.default_s is None


def _between(earlier: Entry, later: Entry) -> float | None:
    """Seconds from the beginning of one to that of the other, where that is known beforehand."""
    if earlier.at is not None and later.at is not None:
        return later.at - earlier.at
    one, other = earlier.moment, later.moment
    if one and other and (one.unit, one.phase, one.batch) == (other.unit, other.phase, other.batch):
        return other.after - one.after
    return None
