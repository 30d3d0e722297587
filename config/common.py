"""What the models share: strictness, names, durations, bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from config.text import Text


class Model(BaseModel):
    """Frozen; an unknown key is a fault, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


class Named(Model):
    """An item of a mapping in the plant file; its key becomes its `name`."""

    name: Text


def named_items(value: Any) -> Any:
    """Turn `{name: {...}}` into `({name: name, ...}, ...)`, the order of the file kept."""
    if not isinstance(value, Mapping):
        return value
    return tuple(
        {**item, "name": name} if isinstance(item, Mapping) else ({"name": name} if item is None else item)
        for name, item in value.items()
    )


NamedItems = BeforeValidator(named_items)
"""Marks a tuple of `Named` that is written as a mapping."""

Seconds = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]

_NOT_IDENTIFIER = re.compile(r"\W+")


def identifier(name: str) -> str:
    """`TT-201A` -> `TT_201A`: the default role of a tag."""
    plain = _NOT_IDENTIFIER.sub("_", name).strip("_")
    return f"_{plain}" if plain[:1].isdigit() else plain


def _bounds(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        if len(value) != 2:
            raise ValueError("give two bounds: [low, high]; null for an open side")
        return {"low": value[0], "high": value[1]}
    return value


class Bounds(Model):
    """An inclusive range, written `[low, high]`; null leaves a side open."""

    low: Number | None = None
    high: Number | None = None

    def model_post_init(self, _context: object) -> None:
        if self.low is None and self.high is None:
            raise ValueError("both sides are open, so it limits nothing: give at least one number")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}: swap them?")

    def __contains__(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def encloses(self, inner: Bounds) -> bool:
        """True when `inner` lies inside; an open inner side needs an open side here."""
        low = self.low is None or (inner.low is not None and inner.low >= self.low)
        high = self.high is None or (inner.high is not None and inner.high <= self.high)
        return low and high

    @property
    def width(self) -> float | None:
        """high − low, None when a side is open."""
        return None if self.low is None or self.high is None else self.high - self.low


Interval = Annotated[Bounds, BeforeValidator(_bounds)]
