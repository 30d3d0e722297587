"""What the models share: strictness, names, durations, bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from config.text import Name


class Model(BaseModel):
    """Frozen; an unknown key is a fault, never ignored. Pydantic's own texts hide what was written: it may be a secret.
    The text under a field is its description in the JSON Schema."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=False, hide_input_in_errors=True, use_attribute_docstrings=True
    )
    also_written: ClassVar[tuple[str, ...]] = ()
    """Keys of the file that are worked off before the model sees it; the suggestions for misspelt keys know them."""


class _NamedTwice:
    """Stands for the name of an item that writes a `name` beside its key."""


def _named_once(value: object) -> object:
    if isinstance(value, _NamedTwice):
        raise ValueError("the key above is the name already: leave this line out")
    return value


class Named(Model):
    """An item of a mapping in the plant file; its key becomes its `name`."""

    name: Annotated[Name, BeforeValidator(_named_once)]
    """The key under which it stands."""


def _named(name: object, item: Any) -> Any:
    if item is None:
        return {"name": name}
    if not isinstance(item, Mapping):
        return item
    return {**item, "name": _NamedTwice() if "name" in item else name}


def named_items(value: Any) -> Any:
    """Turn `{name: {...}}` into `({name: name, ...}, ...)`, the order of the file kept."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError("named_items", "give each item under its name, `name: ...`")
    return tuple(_named(name, item) for name, item in value.items())


NamedItems = BeforeValidator(named_items)
"""Marks a tuple of `Named` that is written as a mapping."""

Seconds = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
WholeNumber = Annotated[int, Field(strict=True)]
YesNo = Annotated[bool, Field(strict=True)]


def server_address(url: str, example: str) -> SplitResult:
    """The parts of `url`: it has a host, perhaps a port, no user. Raises ValueError that never shows a password."""
    if "@" in url:
        raise ValueError(f"no user or password in a url: give them by their own keys, and write e.g. {example}")
    if "?" in url or "#" in url:
        raise ValueError(f"no ? or # in this url: write e.g. {example}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise ValueError(f"{url!r} is no address ({exc}): write e.g. {example}") from None
    if not parts.hostname or port == 0 or any(not c.isprintable() or c == " " for c in url):
        raise ValueError(f"{url!r} is no address of a server: write e.g. {example}")
    return parts


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
    """The least that is inside; null for an open side."""
    high: Number | None = None
    """The greatest that is inside; null for an open side."""

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


Interval = Annotated[Bounds, BeforeValidator(_bounds, json_schema_input_type=Bounds | tuple[Number | None, Number | None])]
