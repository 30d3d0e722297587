"""Times that are written as few digits of hours: what they mean in nanoseconds.

0.0028  0.0056  0.0083 h     10   20   30 s   four digits are anything from 9.9 to 10.3 s; tens of seconds fit all rows
0.2     0.4     0.6    h    720 1440 2160 s   even steps as they stand; that 600 s lie within half a digit says nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal as Exact
from typing import Final

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
NS_OF: Final = {
    **{"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000},
    **{"min": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000},
}
_GRIDS_NS: Final = tuple(
    round(s * 1e9) for s in (3600, 1800, 900, 600, 300, 60, 30, 20, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.01, 0.001)
)
_NOISE_NS: Final = 1_000
"""Of days as a spreadsheet counts them: 46,000 days in a double are not known better."""
_LEAST_STEPS: Final = 3
"""That are alike, for them to say that times are evenly spaced."""


def as_meant(values: Sequence[Exact], unit: str) -> tuple[Times, str]:
    """Nanoseconds, and what is told of them: of minutes, hours and days the roundest times that all digits allow."""
    scale = NS_OF[unit]
    exact = np.array([round(value * scale) for value in values], np.int64)
    digits = max(-int(value.as_tuple().exponent) for value in values)
    if scale <= NS_OF["s"] or digits <= 0 or _say_it_themselves(exact, scale / 10**digits):
        return exact, ""
    for grid_ns in _GRIDS_NS:
        rounded = (exact + grid_ns // 2) // grid_ns * grid_ns
        if _is_meant(rounded, exact, grid_ns, scale / 10**digits):
            return rounded, f", their digits taken as multiples of {grid_ns / 1e9:g} s"
    return exact, ""


def _is_meant(rounded: Times, exact: Times, grid_ns: int, digit_ns: float) -> bool:
    """Whether all digits allow it and rows stay apart. What fits any row, or many by chance, is no evidence."""
    fits = np.abs(rounded - exact).max() <= digit_ns / 2 + _NOISE_NS and bool(
        ((np.diff(rounded) == 0) == (np.diff(exact) == 0)).all()
    )
    return fits and grid_ns > digit_ns and (grid_ns >= 3 * digit_ns or _even_step(rounded) is not None)


def _say_it_themselves(exact: Times, digit_ns: float) -> bool:
    """Whether they are evenly spaced as they stand, at whole seconds or by digits longer than one. Steps of one digit are alike
    by being short."""
    step_ns = _even_step(exact)
    if step_ns is None or (step_ns < 1.5 * digit_ns and bool((np.diff(exact) > step_ns).any())):
        return False
    return bool((exact % NS_OF["s"] == 0).all()) or digit_ns >= NS_OF["s"]


def _even_step(times: Times) -> int | None:
    """The step that others are multiples of, if there is one: of gaps. What goes back is another batch."""
    steps = np.diff(times)
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    if not len(lengths) or counts.max() < _LEAST_STEPS:
        return None
    step = int(lengths[np.argmax(counts)])
    return step if bool((lengths % step == 0).all()) else None
