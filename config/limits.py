"""Limits: for a product, recipe version, phase and role, the range a statistic may have."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from config.common import Interval, Model, Number, Seconds, YesNo
from config.expressions.read import read
from config.expressions.tree import Calculation, Operand, Tree, is_condition
from config.limit_statistics import DURATION, PHASE, ROLLING, Statistic, Within, measure_of, misfits
from config.text import Name, Text

Priority = Literal["low", "medium", "high", "critical"]
DEVIATION = "deviation"
LONGEST_DELAY_S = 30 * 86_400.0

Delay = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False, le=LONGEST_DELAY_S)]


def _readable(text: str) -> str:
    read(text)
    return text


def _condition(text: str) -> str:
    if not is_condition(read(text)):
        raise ValueError("is a number, and must hold or not: compare it, as pressure < 0.1")
    return text


class AlarmLimits(Model):
    """LL ≤ L < H ≤ HH, engineering units; beyond a limit is out, the limit itself is in."""

    ll: Number | None = None
    """Low low, in units of the statistic."""
    l: Number | None = None  # noqa: E741  the field's own letter
    """Low, in units of the statistic."""
    h: Number | None = None
    """High, in units of the statistic."""
    hh: Number | None = None
    """High high, in units of the statistic."""

    @model_validator(mode="after")
    def _ordered(self) -> AlarmLimits:
        given = [
            (name, value) for name, value in (("ll", self.ll), ("l", self.l), ("h", self.h), ("hh", self.hh)) if value is not None
        ]
        if not given:
            raise ValueError("holds no level: give ll, l, h or hh, or leave alarm out")
        for (low, below), (high, above) in pairwise(given):
            strictly = low in ("ll", "l") and high in ("h", "hh")
            if below > above or (strictly and below == above):
                raise ValueError(f"{low} {below:g} and {high} {above:g} are out of order: ll ≤ l < h ≤ hh")
        return self


class Limit(Model):
    """One row of the limit set. What is left out (product, recipe version, unit, phase) fits any."""

    product: Name | None = None
    """Fits this product only."""
    recipe_version: Name | None = None
    """Fits this recipe version only."""
    unit: Name | None = None
    """Fits this unit only."""
    phase: Name | None = None
    """Fits this phase only."""
    role: Name
    """What is limited: the role of real or integer tags. An expression has a name instead, the duration of a phase neither."""
    name: Name | None = None
    """Of the expression: what its alarms are called by."""
    expression: Annotated[Text, AfterValidator(_readable)] | None = None
    """What is limited, made of several roles of a unit; or a condition that must hold, which has no levels."""
    sp_role: Name | None = None
    """Role of the setpoint: levels are deviations from its current value."""
    max_age_s: Seconds | None = None
    """Seconds: how old an operand of another scan group may be; default three periods of the slowest."""
    statistic: Statistic = "value"
    """value: each raw sample. mean, min, max, std (ddof=0), slope (engineering units per minute): over the last `window_s`.
    time_outside: seconds outside nor or par, over the last `window_s` or `within` a phase or batch.
    duration: of a phase, in seconds; the row has no role.
    ewma: moving average of `time_constant_s`. cusum_high, cusum_low: sum of what is beyond `sp` by more than `slack`."""
    window_s: Seconds | None = None
    """Length of the window in seconds, for a rolling statistic; at least two periods of the tag's group."""
    allowed_outside_s: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] | None = None
    """Of time_outside: seconds outside that are allowed; more are a limit left."""
    within: Within | None = None
    """Of time_outside, in place of window_s: phase or batch, since whose beginning time outside is summed up."""
    time_constant_s: Seconds | None = None
    """Of ewma, in seconds: after so long 63 % of a step show."""
    slack: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] | None = None
    """Of cusum_high, cusum_low: engineering units from the setpoint that are not summed up; half the shift that matters."""
    decision_interval: Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)] | None = None
    """Of cusum_high, cusum_low: the sum, in engineering units, beyond which the limit is left."""
    min_coverage: Annotated[float, Field(gt=0, le=1, strict=True)] = 0.8
    """Share of the window's slots that must hold a good value, above 0 to 1."""
    spans_phases: YesNo = False
    """Whether a window may reach into the phase before; else it is judged once it lies inside the phase."""
    sp: Number | None = None
    """Setpoint, inside NOR and PAR."""
    nor: Interval | None = None
    """Normal operating range, inside PAR; leaving it is an alert."""
    par: Interval | None = None
    """Proven acceptable range; leaving it is an excursion."""
    merge_gap_s: Seconds | None = None
    """Seconds: two excursions not further apart than this are one; default one period of the tag."""
    alarm: AlarmLimits | None = None
    """Alarm limits, ll ≤ l < h ≤ hh."""
    deadband: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] | None = None
    """Engineering units to come back inside before a limit is left; default 1 % of the tag's range,
    never above 10 % of the band it guards; PAR and HH/LL of a CPP have none unless it is written."""
    on_delay_s: Delay = 0.0
    """Seconds that a level must be left on good values until that is told; excursions have no delay."""
    off_delay_s: Delay = 0.0
    """Seconds that a value must be back on good values until that is told."""
    settle_s: Delay = 0.0
    """Seconds after a change of phase, batch, product or recipe version in which the row is not evaluable."""
    cpp: YesNo = False
    """A critical process parameter."""
    priority: Priority | None = None
    """Of the alarms of this row: low, medium, high or critical; default: by level."""
    latching: YesNo = False
    """Whether an alarm of this row stays after the return until somebody resets it."""
    realarm_s: Seconds | None = None
    """Seconds after which an acknowledged alarm that stands calls again; default: never."""
    suppressed_when: Annotated[Text, AfterValidator(_condition)] | None = None
    """A condition over roles of the unit: while it holds, alarms of this row are suppressed by design; excursions never are."""
    rationale: Text | None = None
    """Why the limits are these."""
    consequence: Text | None = None
    """Shown with the alarm: what happens if nothing is done."""
    action: Text | None = None
    """Shown with the alarm: what to do."""

    @model_validator(mode="before")
    @classmethod
    def _called_by_name(cls, data: object) -> object:
        if isinstance(data, Mapping) and data.get("expression") is not None and data.get("role") is None:
            if data.get("name") is None:
                raise ValueError("an expression has a name, by which its alarms are called: write name: jacket_lead")
            return {**data, "role": data["name"]}
        if isinstance(data, Mapping) and data.get("statistic") == DURATION and data.get("role") is None:
            return {**data, "role": PHASE}
        return data

    @property
    def is_derived(self) -> bool:
        """Made of several tags: a deviation or an expression."""
        return self.sp_role is not None or self.expression is not None

    @property
    def is_condition(self) -> bool:
        """It must hold, and has no levels."""
        has_levels = self.nor or self.par or self.alarm or self.decision_interval
        return self.expression is not None and not has_levels

    def __hash__(self) -> int:
        return self._made_hash

    @cached_property
    def _made_hash(self) -> int:
        """Made once, as `measure` is: each change of phase asks for them some times of every row."""
        return hash(tuple(getattr(self, name) for name in type(self).model_fields))

    @cached_property
    def as_json(self) -> str:
        """Without what is left out; made once, as each unit's limit set is told by it."""
        return self.model_dump_json(exclude_defaults=True)

    @cached_property
    def measure(self) -> str:
        """What is held against the levels, as events name it: the statistic, or that of the deviation."""
        if self.sp_role is None:
            return measure_of(self)
        return DEVIATION if self.statistic == "value" else f"{measure_of(self)} {DEVIATION}"

    @property
    def tree(self) -> Tree:
        """What is made of several tags."""
        if self.sp_role is not None:
            return Calculation("-", Operand(self.role), Operand(self.sp_role))
        return read(self.expression) if self.expression is not None else Operand(self.role)

    @model_validator(mode="after")
    def _made_of_several(self) -> Limit:
        if self.expression is None and self.name is not None:
            raise ValueError("name is that of an expression: a tag is limited by its role")
        if self.expression is not None and self.role != self.name:
            raise ValueError("role and expression: limit one of them in a row")
        if self.max_age_s is not None and not self.is_derived and self.suppressed_when is None:
            raise ValueError("max_age_s goes with sp_role, expression or suppressed_when: a tag's own value is of this slot")
        if self.merge_gap_s is not None and (self.par is None or self.statistic != "value"):
            raise ValueError("merge_gap_s is about excursions, which only par of a raw value has: leave it out")
        if self.sp_role is not None and self.sp is not None:
            raise ValueError("sp and sp_role: the setpoint is a number or a role")
        if self.expression is not None:
            self._fits_its_expression(is_condition(self.tree))
        return self

    def _fits_its_expression(self, condition: bool) -> None:
        if condition is not self.is_condition:
            wrong = "a condition holds or not: leave nor, par and alarm out" if condition else "a number needs nor, par or alarm"
            raise ValueError(f"{wrong}, or compare it in the expression" if not condition else wrong)
        if self.sp_role is not None:
            raise ValueError("sp_role and expression: subtract the setpoint in the expression")
        if condition and self.statistic != "value":
            raise ValueError(f"statistic {self.statistic} is of a number, and the expression is a condition")
        if self.statistic in (*ROLLING, DURATION):
            raise ValueError("statistic and expression: write it into the expression, as slope(product_temperature, 120)")

    @model_validator(mode="after")
    def _consistent(self) -> Limit:
        for wrong in misfits(self):
            raise ValueError(wrong)
        if self.nor is None and self.par is None and self.alarm is None and not self.is_condition and not self.decision_interval:
            raise ValueError("limits nothing: give nor, par or alarm")
        if self.nor and self.par and not self.par.encloses(self.nor):
            raise ValueError("nor reaches outside par: the normal operating range lies inside the proven acceptable range")
        for name, interval in (("nor", self.nor), ("par", self.par)):
            if self.sp is not None and interval and self.sp not in interval:
                raise ValueError(f"sp {self.sp:g} is outside {name}")
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Without what was made of the fields before."""
        copied = super().model_copy(update=update, deep=deep)
        for made in ("measure", "_made_hash"):
            copied.__dict__.pop(made, None)
        return copied

    def warnings(self) -> list[str]:
        """What is allowed but unwise: alarms that come only after the deviation."""
        if not (self.par and self.alarm):
            return []
        texts = {"l": self.alarm.l, "h": self.alarm.h}
        return [
            f"alarm {name} {value:g} lies outside par: nobody has time to act before the deviation"
            for name, value in texts.items()
            if value is not None and value not in self.par
        ]
