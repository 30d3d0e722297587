"""Spans of plant time as people write them: `1h20min`, `90s`, `0.5h`, or a number of seconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from config.text import as_written

_SECONDS = {"d": 86_400.0, "h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?) ?(d|h|min|m|s)")
_SPAN = re.compile(rf"(?:{_PART.pattern} ?)+")
LONGEST_S = 366 * 86_400.0
_RIGHT = "write e.g. 1h20min, 10min or 90s"


def span_s(value: object) -> float:
    """Plant seconds. Raises ValueError with what would be right."""
    text = str(as_written(value)).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    elif _SPAN.fullmatch(text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    elif text.startswith("-"):
        raise ValueError(f"{text!r} is before the beginning: plant time starts at 0; {_RIGHT}")
    else:
        raise ValueError(f"{text or value!r} is no span of time: {_RIGHT}")
    if seconds > LONGEST_S:
        raise ValueError(f"{text!r} is more than a year: {_RIGHT}")
    return seconds


def span_text(seconds: float) -> str:
    """`1h 20min`, for people."""
    whole = round(seconds)
    if whole != seconds:
        return f"{seconds:g}s"
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        parts += [f"{count}{unit}"] if count else []
    return " ".join(parts) or "0s"


Span = Annotated[float, BeforeValidator(span_s)]
"""Plant seconds, written as a span; zero is allowed."""


def _lasting(value: float) -> float:
    if value <= 0:
        raise ValueError(f"a span of {value:g}s lasts no time: {_RIGHT}")
    return value


LastingSpan = Annotated[float, BeforeValidator(lambda value: _lasting(span_s(value)))]
"""Plant seconds, more than zero."""
