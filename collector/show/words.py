"""Figures and limits in words for people: the page and the terminal show the same ones. Pure.

Digits go by a tag's range or engineering unit, and grow where rounding would move a figure across a limit, or on to one.
Texts that come from the plant are made visible first: no control, line or direction characters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from collector.monitor.plausibility.reasons import REASON_OF, REASONS, Reason
from config.limit_statistics import DURATION
from drivers.base import Column, Status

LONGEST_TEXT = 200
MOST_DECIMALS = 9

Severity = Literal["action", "alert", "fault", "info"]
Side = Literal["low", "high"]

_DECIMALS = {
    "°C": 1, "K": 1, "K/min": 2, "%": 1, "rpm": 1, "kg": 1, "kg/h": 1, "L": 1, "L/h": 1, "m³": 3, "m³/h": 2, "Nm³/h": 2,
    "bar": 3, "bar(a)": 3, "bar(g)": 3, "mbar": 1, "kPa": 1, "kW": 2, "pH": 2, "min": 1, "s": 1,
}  # fmt: skip
"""Where a tag has no range."""
_STATUS_NAMES = {
    code: "".join(part.capitalize() for part in name.split("_"))
    for name, code in vars(Status).items()
    if isinstance(code, int) and not name.startswith("__")
}


def iso_time(time_ns: int) -> str:
    """`2026-11-23T14:05:09.250Z`"""
    second, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1_000_000:03}Z"


def clock_time(time_ns: int) -> str:
    """`14:05:09`, UTC."""
    return iso_time(time_ns)[11:19]


def short_time(time_ns: int, now_ns: int) -> str:
    """`14:05:09` today, `2026-11-22 14:05:09` on other days; UTC."""
    day, today = iso_time(time_ns)[:10], iso_time(now_ns)[:10]
    return clock_time(time_ns) if day == today else f"{day} {clock_time(time_ns)}"


def duration(seconds: float) -> str:
    """`4.5 s`, `45 s`, `2 min 10 s`, `1 h 05 min`, `3 d 04 h`"""
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour:02} h"
    if hours:
        return f"{hours} h {minute:02} min"
    return f"{minutes} min {second:02} s" if minutes else f"{second} s"


def visible(text: str) -> str:
    """`text` without what can't be seen, which could steer a terminal or turn a line around; cut where it is very long."""
    shown = _seen(text[: LONGEST_TEXT + 1])
    return shown if len(shown) <= LONGEST_TEXT else shown[: LONGEST_TEXT - 1] + "…"


def written(text: str | None) -> str:
    """A text of the plant file, whole, on one line; empty where there is none."""
    return _seen(" ".join((text or "").split()))


def _seen(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def digits(value: float | None, column: Column | None, levels: Sequence[float | None] = ()) -> str:
    """`value` with sensible digits, and as many more as show on which side of each of `levels` it is."""
    if value is None:
        return "no value"
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value) or abs(value) >= 1e9:
        return f"{value:.9g}"
    decimals = _decimals(value, column)
    while decimals < MOST_DECIMALS and any(_hidden(value, decimals, level) for level in levels if level is not None):
        decimals += 1
    shown = f"{value:.{decimals}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def _hidden(value: float, decimals: int, level: float) -> bool:
    shown = round(value, decimals)
    return (shown > level) != (value > level) or (shown < level) != (value < level)


def _decimals(value: float, column: Column | None) -> int:
    if column and column.low is not None and column.high is not None:
        return min(max(3 - math.floor(math.log10(column.high - column.low)), 0), MOST_DECIMALS)
    if column and column.engineering_unit in _DECIMALS:
        return _DECIMALS[column.engineering_unit]
    return min(max(4 - math.floor(math.log10(abs(value))), 0), MOST_DECIMALS) if value else 0


def level_in_words(level: float) -> str:
    """A limit, as it was written."""
    return f"{level:.10g}"


def span_in_words(low: float | None, high: float | None) -> str:
    """`60 … 70`, `≤ 70`, `≥ 60`"""
    if low is None or high is None:
        return f"≤ {level_in_words(high)}" if high is not None else f"≥ {level_in_words(low)}" if low is not None else ""
    return f"{level_in_words(low)} … {level_in_words(high)}"


def statistic_in_words(statistic: str, window_s: float | None) -> str:
    """`value`, `slope over 60 s`"""
    return statistic if window_s is None else f"{statistic} over {duration(window_s)}"


def status_in_words(status: int) -> str:
    """A status code of OPC UA part 6 by its name, where the product has one, else in hexadecimal; what it doubts itself by the
    reason."""
    if reason := REASON_OF.get(status):
        return reason.value
    return _STATUS_NAMES.get(status & 0xFFFF_0000) or f"status 0x{status:08X}"


def side_of(rule: str) -> Side:
    """Of a rule's name: `NOR low`, `HH` ..."""
    return "high" if rule in ("H", "HH") or rule.endswith((" high", " time", "interval")) else "low"


def severity_of(rule: str) -> Literal["action", "alert"]:
    """Leaving NOR, L or H is an alert; leaving PAR, LL or HH an action."""
    return "action" if rule.startswith("PAR") or rule in ("LL", "HH") else "alert"


def beyond_in_words(rule: str, statistic: str, level: float, engineering_unit: str | None) -> str:
    """`above NOR 67 °C`, `below LL 2 bar`, `condition not met`"""
    if rule == "condition":
        return "condition not met"
    if rule.endswith(" time"):
        return f"above {with_unit(level_in_words(level), statistic, engineering_unit)}"
    if rule in REASONS:
        return f"{rule}: {_DOUBTED[Reason(rule)].format(with_unit(level_in_words(level), '', engineering_unit), level)}"
    side = "above" if side_of(rule) == "high" else "below"
    name = rule.removesuffix(" low").removesuffix(" high")
    return f"{side} {name} {with_unit(level_in_words(level), statistic, engineering_unit)}"


_DOUBTED = {
    Reason.RANGE: "beyond {0}",
    Reason.SPIKE: "a jump by more than {0}, not confirmed",
    Reason.RATE: "moved faster than {0}/min",
    Reason.FLAT: "has not moved for {1:g} s",
    Reason.DIFFERENCE: "more than {0} from the other tag that measures the same",
}
"""Takes the level with its unit, and alone."""


def with_unit(figure: str, statistic: str, engineering_unit: str | None) -> str:
    """A figure of a tag's statistic, with the unit that it has."""
    if statistic.startswith(("time outside", DURATION)):
        return f"{figure} s"
    per = "/min" if statistic == "slope" else ""
    return f"{figure} {engineering_unit}{per}" if engineering_unit else figure
