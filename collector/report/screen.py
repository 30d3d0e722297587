"""Which samples of a recorded batch a judge has to see, found by comparing all of them at once.

A sample is calm when it is good and within every level of its column. Then

- a column that is calm throughout has nothing to tell;
- neither has a scan that is calm, as long as no raw sample is outside. To be seen are the one after one that is not calm, which
  ends what that began, the first one of each context, those where it changes what can be evaluated, and those where a rolling
  statistic comes to lie on another side of a level.

Of rolling statistics see `rolling_screen`, of what lasts longer `lasting_screen`.
Where a limit looks at other columns, or is of a kind that is not known here, a judge sees every scan of every column.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from collector.monitor.figures import Known, Lastings, RollingWindow
from collector.monitor.lasting import LASTING, Lasting
from collector.monitor.limits import levels_of
from collector.monitor.statistics import ROW_OF
from collector.monitor.window import Window
from collector.report.contexts import Context
from collector.report.lasting_screen import LastingScreen
from collector.report.recorded_window import Reach, RecordedWindow, Rolled
from collector.report.recording import Batch
from collector.report.rolling_screen import RollingScreen, Stretch, TooMuch, innermost
from config.limit_statistics import DURATION
from config.limits import Limit
from drivers.base import Layout

_PLAIN = frozenset(
    (
        *("product", "recipe_version", "unit", "phase", "role", "statistic", "window_s", "min_coverage", "spans_phases"),
        *("sp", "nor", "par", "alarm", "deadband", "on_delay_s", "off_delay_s", "settle_s", "merge_gap_s"),
        *("cpp", "priority", "latching", "realarm_s", "suppressed_when", "rationale", "consequence", "action"),
        *("allowed_outside_s", "within", "time_constant_s", "slack", "decision_interval"),
    )
)
"""What a limit may say that looks at its own column alone."""
_KNOWN = frozenset(("value", DURATION, *ROW_OF, *LASTING))
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Screen:
    """What is to be judged of a batch."""

    loud: Indices
    """Columns that may have something to tell."""
    due: Indices
    """Scans that have to be seen, ascending; others only while something is outside."""
    scans: int
    in_order: bool
    """Each slot is later than the one before."""
    rolled: Mapping[int, tuple[Rolled, Indices]] = field(default_factory=dict)
    """Windows that are known, by length, and the columns that have such a window; none: the judge has them of its own."""
    lasting: Lastings = Lasting
    """What makes figures that last: they are known, or the judge has them of its own."""

    def next_due(self, at: int) -> int:
        """The first scan after `at` that has to be seen; `scans` when there is none."""
        place = int(np.searchsorted(self.due, at, "right"))
        return int(self.due[place]) if place < len(self.due) else self.scans

    @property
    def known(self) -> Known:
        """Figures for a judge of the loud columns."""
        return Known(self.window if self.rolled else Window, self.lasting)

    def window(self, columns: int, window_ns: int, period_ns: int, *, panes: bool, out: Floats) -> RollingWindow:
        """Of the columns that are loud."""
        rolled, limited = self.rolled[window_ns]
        shown = self.loud[np.isin(self.loud, limited)]
        assert (len(shown), period_ns, panes) == (columns, rolled.reach.period_ns, rolled.reach.panes)
        return RecordedWindow(rolled, shown, out)


def screened(
    batch: Batch, layout: Layout, limits: Sequence[Limit], contexts: Sequence[Context], *, from_begin: bool = False
) -> Screen:
    """`layout`: of the batch's columns, which are of one unit; `contexts`: of the batch; `from_begin`: as of `Judge`."""
    scans, columns = batch.values.shape
    in_order = bool((np.diff(batch.slots_ns) > 0).all())
    if not in_order or not all(limit.model_fields_set <= _PLAIN and limit.statistic in _KNOWN for limit in limits):
        return Screen(np.arange(columns), np.arange(scans), scans, in_order)
    try:
        rolling = list(_rolling(batch, layout, limits, contexts))
    except TooMuch:
        return Screen(np.arange(columns), np.arange(scans), scans, in_order)
    calm, due = _calm(batch.values, contexts), np.zeros(scans, np.bool_)
    loud = ~calm.all(axis=0)
    loud |= _of_roles(layout, {limit.role for limit in limits if limit.settle_s})  # can't be judged for a while, which is told
    lasting = LastingScreen(batch, layout, limits, contexts, from_begin=from_begin)
    loud = lasting.loud(loud)
    for screen in rolling:
        loud[screen.columns if screen.falls else screen.rolled.computed.columns] = True
        due |= screen.changes() | screen.turns()
    durations = [limit for limit in limits if limit.statistic == DURATION]
    if durations and columns:
        loud[0] |= not loud.any()  # phases are told with a scan, whatever it is of
    shown = np.flatnonzero(loud)
    stirred: Bools = np.logical_not(np.all(calm[:, shown], axis=1))
    for context in contexts:
        due[context.first] = True
        due |= _settled(batch.slots_ns, context)
    due[_too_long(batch.slots_ns, contexts, durations)] = True
    due |= stirred | lasting.changes(loud)
    due[1:] |= stirred[:-1]
    known = {screen.rolled.reach.window_ns: (screen.rolled, screen.columns) for screen in rolling}
    return Screen(shown, np.flatnonzero(due), scans, in_order, known, lasting.lasting)


def _calm(values: Floats, contexts: Sequence[Context]) -> Bools:
    """Which samples are good and within the levels on raw values, `[n, m]`."""
    calm = np.empty(values.shape, np.bool_)
    for context in contexts:
        low, high = np.full(values.shape[1], -np.inf), np.full(values.shape[1], np.inf)
        for rule in context.rules:
            if rule.limit.statistic == "value" and rule.side == "low":
                low[rule.column] = max(low[rule.column], rule.level)
            elif rule.limit.statistic == "value":
                high[rule.column] = min(high[rule.column], rule.level)
        here = values[context.first : context.end]
        np.logical_and(here >= low, here <= high, calm[context.first : context.end])
    return calm


def _of_roles(layout: Layout, roles: Collection[str]) -> Bools:
    """Which columns are."""
    return np.array([column.role in roles for column in layout.columns], np.bool_)


def _settled(slots_ns: NDArray[np.int64], context: Context) -> Bools:
    """The scans at which that is over."""
    found = np.zeros(len(slots_ns), np.bool_)
    begin_ns = int(slots_ns[context.first])
    for settle_ns in {round(rule.limit.settle_s * 1e9) for rule in context.rules} - {0}:
        at = int(np.searchsorted(slots_ns, begin_ns + settle_ns))
        if at < context.end:
            found[at] = True
    return found


def _too_long(slots_ns: NDArray[np.int64], contexts: Sequence[Context], durations: Sequence[Limit]) -> Indices:
    """The scans at which phases have lasted longer than a level, were they to go on."""
    begins = [next(of).first for _, of in groupby(contexts, key=lambda context: (context.stamp.batch, context.stamp.phase))]
    after_ns = {round(seconds * 1e9) for limit in durations for _, _, seconds in levels_of(limit)}
    due_ns = [int(slots_ns[begin]) + each for begin in begins for each in after_ns]
    found: Indices = np.searchsorted(slots_ns, np.array(due_ns, np.int64), "right")
    return found[found < len(slots_ns)]


def _rolling(batch: Batch, layout: Layout, limits: Sequence[Limit], contexts: Sequence[Context]) -> Iterator[RollingScreen]:
    limits = [limit for limit in limits if limit.statistic in ROW_OF]
    for window_s in dict.fromkeys(limit.window_s for limit in limits if limit.window_s is not None):
        roles = {limit.role for limit in limits if limit.window_s == window_s}
        columns = np.array([at for at, column in enumerate(layout.columns) if column.role in roles], np.intp)
        if len(columns):
            of = []
            for each in contexts:
                rules = [rule for rule in each.rules if rule.limit.window_s == window_s and rule.limit.statistic in ROW_OF]
                of.append(Stretch(each.first, each.end, rules, innermost(rules)))
            reach = Reach(batch.slots_ns, round(window_s * 1e9), layout.period_ns)
            yield RollingScreen(batch.slots_ns, batch.values, reach, of, columns)
