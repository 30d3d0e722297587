"""What the statistic of a limit row needs, what goes with it alone, and what events call it. Pure.

value                            each raw sample
mean, min, max, std, slope       over window_s
time_outside                     seconds outside nor or par: within window_s, or since the phase or batch began
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from config.limits import Limit

Statistic = Literal["value", "mean", "min", "max", "std", "slope", "time_outside", "ewma", "cusum_high", "cusum_low", "duration"]
Within = Literal["phase", "batch"]
ROLLING: Final = ("mean", "min", "max", "std", "slope")
"""Of a window alone."""

CUSUM: Final = ("cusum_high", "cusum_low")
DURATION: Final = "duration"
PHASE: Final = "phase"
"""The role by which a phase is known that has a duration."""
_NOT_OF_DURATIONS: Final = ("sp_role", "expression", "min_coverage", "sp", "deadband", "on_delay_s", "off_delay_s", "settle_s")

_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "allowed_outside_s": ("time_outside",),
    "within": ("time_outside",),
    "time_constant_s": ("ewma",),
    "slack": CUSUM,
    "decision_interval": CUSUM,
}
"""Keys that go with some statistics only."""


def measure_of(limit: Limit) -> str:
    """The statistic as events and alarms name it."""
    if limit.statistic == "time_outside":
        since = f" in {limit.within}" if limit.within else ""
        return f"time outside {'PAR' if limit.par else 'NOR'}{since}"
    if limit.statistic == "ewma":
        return f"ewma {limit.time_constant_s:g} s"
    return limit.statistic.replace("_", " ")


def misfits(limit: Limit) -> Iterator[str]:
    """What is wrong with the statistic of a row that is right otherwise."""
    for key, statistics in _OWN.items():
        if getattr(limit, key) is not None and limit.statistic not in statistics:
            yield f"{key} goes with statistic {' or '.join(statistics)}, not with {limit.statistic}"
    if limit.statistic == "time_outside":
        yield from _time_outside(limit)
    elif limit.statistic == DURATION:
        yield from _duration(limit)
    elif limit.statistic in CUSUM:
        yield from _cusum(limit)
    elif limit.statistic == "ewma" and limit.time_constant_s is None:
        yield "statistic ewma needs time_constant_s: after so long a step shows by 63 %, e.g. 600"
    if limit.statistic != "time_outside":
        yield from _window(limit)


def _window(limit: Limit) -> Iterator[str]:
    if limit.statistic not in ROLLING and limit.window_s is not None:
        yield f"window_s goes with a rolling statistic (mean, min, max, std, slope), not with {limit.statistic}"
    if limit.statistic in ROLLING and limit.window_s is None:
        yield f"statistic {limit.statistic} needs window_s, e.g. 60"
    if limit.spans_phases and limit.statistic in ("value", DURATION) and limit.expression is None:
        yield "spans_phases goes with a window, which a raw value has not: leave it out"


def _time_outside(limit: Limit) -> Iterator[str]:
    if limit.allowed_outside_s is None:
        yield "statistic time_outside needs allowed_outside_s: how many seconds outside are allowed, e.g. 300"
    if (limit.window_s is None) is (limit.within is None):
        yield "statistic time_outside is of a window or since something began: give window_s, or within: phase or batch"
    if (limit.nor is None) is (limit.par is None):
        yield "statistic time_outside is about one range: give nor or par, and the other in a row of its own"
    if limit.deadband is not None and limit.allowed_outside_s is not None and limit.deadband > limit.allowed_outside_s:
        yield f"deadband {limit.deadband:g} s is more than allowed_outside_s, so it would never be inside again: lessen it"
    if limit.alarm is not None:
        yield "statistic time_outside has one level, allowed_outside_s: leave alarm out"
    if limit.spans_phases and limit.within is not None:
        yield "within says since when time counts: leave spans_phases out"


def _cusum(limit: Limit) -> Iterator[str]:
    missing = [key for key in ("slack", "decision_interval") if getattr(limit, key) is None]
    if limit.sp is None and limit.sp_role is None:
        missing.insert(0, "sp or sp_role")
    if missing:
        yield f"statistic {limit.statistic} needs {', '.join(missing)}, in engineering units"
    if limit.nor or limit.par or limit.alarm:
        yield f"statistic {limit.statistic} has one level, decision_interval: leave nor, par and alarm out"
    if limit.deadband is not None and limit.decision_interval is not None and limit.deadband > limit.decision_interval:
        yield f"deadband {limit.deadband:g} is more than decision_interval, so it would never be inside again: lessen it"


def _duration(limit: Limit) -> Iterator[str]:
    if limit.role != PHASE:
        yield "statistic duration is that of a phase, not of a tag: leave role out, and name the phase"
    for key in _NOT_OF_DURATIONS:
        if key in limit.model_fields_set and getattr(limit, key) is not None:
            yield f"{key} says nothing of a phase's duration: leave it out"
