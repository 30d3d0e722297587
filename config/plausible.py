"""What a tag may plausibly read: beyond it a sample is recorded as it came, but with uncertain quality and the reason."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from config.common import Bounds, Model, Number, Seconds
from config.text import Name

BELOW_RANGE, ABOVE_RANGE = 0.0125, 0.03125
"""Shares of a range by which a sound 4-20 mA transmitter may show more than it: 3.8 to 20.5 mA (NAMUR NE 43)."""

Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
_GOES_WITH = {
    "spike_samples": "spike",
    "flat_band": "flat_s",
    "within": "agrees_with",
    "for_s": "agrees_with",
    "max_age_s": "agrees_with",
}


class Plausible(Model):
    """Checks of each sample of a real or integer tag, before it is held against limits."""

    low: Number | None = None
    """The least that is plausible, engineering units; default the range of the tag less 1.25 % of it."""
    high: Number | None = None
    """The greatest that is plausible, engineering units; default the range of the tag plus 3.125 % of it."""
    spike: Positive | None = None
    """A jump by more than this, engineering units, is doubted until the next sample confirms it."""
    spike_samples: int = Field(1, ge=1, le=10, strict=True)
    """Samples that a spike may last, 1 to 10: so many of a new level are doubted before it is believed."""
    rate_per_min: Positive | None = None
    """Engineering units per minute: what has moved faster than this since the last plausible sample is doubted."""
    flat_s: Seconds | None = None
    """Seconds: a value that has not moved for so long is doubted until it does."""
    flat_band: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 0.0
    """Engineering units: moves up to this count as none; 0: only exactly the same value is flat."""
    agrees_with: Name | None = None
    """Another tag of the unit that measures the same, by role or name: while the two disagree both are doubted."""
    within: Positive | None = None
    """Engineering units: how far the two may be apart."""
    for_s: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 10.0
    """Seconds that they must have been further apart."""
    max_age_s: Seconds | None = None
    """Seconds: how old the other's sample may be; default three periods of the slower one."""

    @model_validator(mode="after")
    def _holds_together(self) -> Plausible:
        if all(getattr(self, key) is None for key in ("low", "high", *CHECKS)):
            raise ValueError(f"checks nothing: give low, high, {', '.join(CHECKS[:-1])} or {CHECKS[-1]}, or leave plausible out")
        for key, needed in _GOES_WITH.items():
            if key in self.model_fields_set and getattr(self, key) is not None and getattr(self, needed) is None:
                raise ValueError(f"{key} goes with {needed}: give that, too, or leave {key} out")
        if self.agrees_with is not None and self.within is None:
            raise ValueError("agrees_with needs within, how far the two may be apart, e.g. 1.5")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}: swap them?")
        return self


CHECKS = ("spike", "rate_per_min", "flat_s", "agrees_with")
"""Beside low and high: the keys that switch a check on."""


def plausible_bounds(plausible: Plausible | None, measured: Bounds | None) -> tuple[float | None, float | None]:
    """The least and the greatest plausible value: what is written, else the range with what a transmitter may show beyond it.

    A range that is open on one side has no width to take a share of, so it says nothing."""
    low = plausible.low if plausible else None
    high = plausible.high if plausible else None
    if measured is not None and measured.low is not None and measured.high is not None:
        width = measured.high - measured.low
        low = measured.low - BELOW_RANGE * width if low is None else low
        high = measured.high + ABOVE_RANGE * width if high is None else high
    return low, high
