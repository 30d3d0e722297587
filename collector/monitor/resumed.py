"""What a judge has to know of the run before: which rules were outside when it ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutsideBefore:
    """A rule that was outside. It is told again with the first scan on which it can be evaluated: outside, or inside."""

    unit: str
    role: str
    statistic: str
    window_s: float | None
    rule: str
    level: float
    since_ns: int
    value: float
    cpp: bool
