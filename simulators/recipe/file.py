"""What a recipe file holds: the models of its YAML. Each key, its unit and its default are in docs/reference/recipes.md.

    recipe ─ procedure ─ unit procedure ─ operation ─ phase          the words of ISA-88
           ├ hold, restart, stop, abort     what the unit does when a batch can't go on
           └ idle                           what it does between batches

Masses and flows are for the recipe's own vessel; `plan` scales them to another.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from config.common import Model, Named, NamedItems, Number, WholeNumber, YesNo
from config.faults import did_you_mean
from config.text import Name, Text
from simulators.reactor import CHEMISTRIES, VESSELS, Readings, initial_state, parameters, readings

Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
WholeSeconds = Annotated[int, Field(ge=0, strict=True)]
_NUMBER = re.compile(r"#+")
_ONE_NUMBER = re.compile(r"[^#]*#+[^#]*")


@cache
def shown_roles() -> Readings:
    """The roles that a condition may name, with an example of each one's value; texts are not among them."""
    example = parameters("production_1600l", "demo_17")
    return {role: value for role, value in readings(initial_state(example), example).items() if not isinstance(value, str)}


class Condition(Model):
    """A role that stands inside `[low, high]`, or is true or false, for a time."""

    role: Text
    low: Number | None = None
    high: Number | None = None
    equals: YesNo | None = None
    for_s: WholeSeconds = 0

    @field_validator("role")
    @classmethod
    def _is_shown(cls, role: str) -> str:
        if role not in shown_roles():
            near = did_you_mean(role, shown_roles())
            raise ValueError(f"no instrument shows {role!r}{near}; known: {', '.join(sorted(shown_roles()))}")
        return role

    @model_validator(mode="after")
    def _can_be_met(self) -> Condition:
        if isinstance(shown_roles()[self.role], bool):
            if self.equals is None or self.low is not None or self.high is not None:
                raise ValueError(f"{self.role} is true or false: write equals: true, or equals: false, and no low or high")
        elif self.equals is not None or (self.low is None and self.high is None):
            raise ValueError(f"{self.role} is a number: write low, high or both, and no equals")
        elif self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}, so it is never met: swap them?")
        return self


Conditions = tuple[Condition, ...]


class Temperature(Model):
    """What the temperature controller is asked for."""

    mode: Literal["product", "jacket", "off"] = "product"
    setpoint_c: Number | None = None
    ramp_k_per_min: Positive | None = None
    jacket_limit_c: Number | None = None

    @model_validator(mode="after")
    def _has_its_setpoint(self) -> Temperature:
        if self.mode == "off" and (self.setpoint_c is not None or self.ramp_k_per_min is not None):
            raise ValueError("mode off follows no setpoint: leave setpoint_c and ramp_k_per_min out, or give another mode")
        if self.mode != "off" and self.setpoint_c is None:
            raise ValueError(f"mode {self.mode} needs a setpoint_c: give one, or write mode: off")
        return self


class Feed(Model):
    """A flow into or out of the vessel."""

    kg_per_h: Positive
    ramp_s: WholeSeconds = 0


class Settings(Model):
    """What is asked of the unit. Flows that are not written are off."""

    temperature: Temperature | None = None
    stirrer_speed_rpm: NotNegative | None = None
    charge: Feed | None = None
    dose: Feed | None = None
    seed: Feed | None = None
    discharge: Feed | None = None
    purge_nm3_per_h: NotNegative = 0.5
    pressure_setpoint_bar: Annotated[float, Field(gt=0, le=4, strict=True)] = 1.05
    receive_distillate: YesNo = False


class Phase(Named, Settings):
    """One phase: what it asks for, and what ends it."""

    number: Annotated[WholeNumber, Field(ge=1, le=999)]
    temperature: Temperature
    stirrer_speed_rpm: NotNegative
    until: Conditions = ()
    minimum_s: WholeSeconds = 0
    maximum_s: Annotated[int, Field(gt=0, strict=True)] | None = None
    at_maximum: Literal["hold", "go on"] = "hold"
    hold_when: Conditions = ()
    abort_when: Conditions = ()

    @field_validator("maximum_s")
    @classmethod
    def _above_minimum(cls, maximum_s: int | None, info: ValidationInfo) -> int | None:
        minimum_s = info.data.get("minimum_s", 0)
        if maximum_s is not None and maximum_s < minimum_s:
            raise ValueError(f"maximum_s {maximum_s} is below minimum_s {minimum_s}: the phase could never end in time")
        return maximum_s

    @model_validator(mode="after")
    def _ends(self) -> Phase:
        if not self.until and not self.minimum_s:
            raise ValueError("nothing tells how long it lasts: give until, minimum_s or both")
        return self


class Idle(Settings):
    """The unit between two batches: it empties, and comes to the temperature at which the next one begins."""

    temperature: Temperature
    until: Conditions = ()
    minimum_s: WholeSeconds = 0


class Hold(Settings):
    """Holding and Held. What is not written stays as the phase had it; a ramp stands, flows stop."""

    when: Conditions = ()
    until: Conditions = ()
    minimum_s: WholeSeconds = 0


class Restart(Model):
    """From Held back to Running: the phase's temperature and stirrer, flows still stopped."""

    when: Conditions = ()
    until: Conditions = ()
    minimum_s: WholeSeconds = 0


class Stop(Settings):
    """Stopping and Stopped: an orderly end before the recipe's."""

    until: Conditions = ()
    minimum_s: WholeSeconds = 0
    reset_after_s: WholeSeconds | None = None


class Abort(Stop):
    """Aborting and Aborted: the safe state, as fast as can be."""

    when: Conditions = ()


class Approval(Model):
    """Who answers for a recipe."""

    author: Name
    approved_by: Name
    approved_on: Name
    document: Name


Operations = dict[Name, Annotated[tuple[Phase, ...], NamedItems, Field(min_length=1)]]
"""Operation -> its phases, in their order."""


class RecipeFile(Model):
    """A recipe file."""

    product: Name
    version: Name
    description: Text
    mode: Literal["pilot", "gmp"] = "pilot"
    approval: Approval | None = None
    chemistry: Text
    vessel: Text
    batch_id: Name = "B-26-###"
    repeat: YesNo = True
    complete_s: WholeSeconds | None = 60
    procedure: Annotated[dict[Name, Operations], Field(min_length=1)]
    idle: Idle
    hold: Hold
    restart: Restart = Restart()
    stop: Stop
    abort: Abort

    @field_validator("chemistry")
    @classmethod
    def _chemistry_is_known(cls, chemistry: str) -> str:
        return _known(chemistry, CHEMISTRIES, "chemistry")

    @field_validator("vessel")
    @classmethod
    def _vessel_is_known(cls, vessel: str) -> str:
        return _known(vessel, VESSELS, "vessel")

    @field_validator("batch_id")
    @classmethod
    def _counts(cls, batch_id: str) -> str:
        if not _ONE_NUMBER.fullmatch(batch_id):
            raise ValueError(f"{batch_id!r} has not one row of # for the batch's number: write e.g. B-26-###")
        return batch_id


def numbered(batch_id: str, number: int) -> str:
    """`B-26-###` and 7 -> `B-26-007`."""
    return _NUMBER.sub(lambda row: str(number).zfill(len(row[0])), batch_id)


def _known(name: str, among: dict[str, Any], what: str) -> str:
    if name not in among:
        raise ValueError(f"{name!r} is no {what}{did_you_mean(name, among)}; known: {', '.join(among)}")
    return name
