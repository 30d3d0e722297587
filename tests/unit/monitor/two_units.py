"""Two units in one scan group, limits of every sort, and histories of what happens to them."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from collector.terms import Stamp
from drivers.base import Quality
from tests.unit.monitor.judged import Sample, Step, column, layout, limit

TWO = layout(column("t", "R-201"), column("p", "R-201", 0.0, 7.0), column("t", "R-202"), column("q", "R-202"))
LIMITS = [
    limit(nor=[2, 8], par=[0, 10], alarm={"l": 1, "h": 9, "hh": 12}, deadband=0.5),
    limit(phase="Dose", par=[1, 9], nor=[2, 8], deadband=0.5, cpp=True),
    limit(phase="Hold", unit="R-202", alarm={"h": 9}),
    limit(statistic="mean", window_s=3.0, nor=[3, 7]),
    limit(statistic="slope", window_s=4.0, min_coverage=0.5, phase="Heat", nor=[-60, 60]),
    limit("p", par=[None, 6], nor=[None, 5]),
    limit("p", statistic="std", window_s=5.0, min_coverage=0.6, nor=[None, 1]),
]
"""`q` has none."""

NUMBERS = st.integers(-8, 104).map(lambda n: n / 8)
SAMPLES: st.SearchStrategy[Sample] = st.one_of(
    NUMBERS, NUMBERS, NUMBERS, st.none(), st.tuples(NUMBERS, st.sampled_from(list(Quality))), st.just((math.nan, Quality.GOOD))
)
STAMPS = st.builds(Stamp, batch=st.sampled_from(["B-1", "B-2"]), phase=st.sampled_from(["", "Heat", "Dose", "Hold"]))


@st.composite
def histories(draw: st.DrawFn, columns: int = 4, units: int = 2) -> list[Step]:
    """Contexts that stay for a while, each unit's for itself; gaps; scans that are wholly bad."""
    stamps, at, steps = [Stamp()] * units, 0, list[Step]()
    for _ in range(draw(st.integers(1, 25))):
        at += draw(st.sampled_from([1, 1, 1, 1, 2, 5]))
        change = draw(st.integers(-4, units - 1))
        if change >= 0:
            stamps[change] = draw(STAMPS)
        row = draw(st.one_of(st.tuples(*[SAMPLES] * columns), st.tuples(*[SAMPLES] * columns), st.just((None,) * columns)))
        steps.append((at, row, tuple(stamps)))
    return steps
