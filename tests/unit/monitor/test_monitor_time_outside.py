"""Limits on time outside, against a machine that counts interval by interval; and that a start goes on exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.judge import Judge
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit
from tests.unit.monitor.judged import SECOND_NS, START_NS, Sample, changes, evaluability, layout, limit, of_kind, run, scan

LAYOUT = layout()
HALF = {"statistic": "time_outside", "min_coverage": 0.5}
ROWS = [
    limit(**HALF, within="phase", par=[0, 10], allowed_outside_s=2),
    limit(**HALF, within="batch", phase="Dose", nor=[0, 10], allowed_outside_s=3),
    limit(**HALF, within="batch", phase="Hold", nor=[0, 20], allowed_outside_s=3),
    limit(**HALF, window_s=5, par=[0, 10], allowed_outside_s=1, deadband=0.5),
    limit(**HALF, window_s=5, spans_phases=True, nor=[None, 10], allowed_outside_s=1),
]
Told = tuple[int, str, str, float | None]
"""Slot, statistic and window, what it became, seconds."""


def name_of(row: Limit) -> str:
    return f"{row.measure} {row.window_s}"


@dataclass(slots=True)
class Counter:
    """What one kind of row counts, written as the semantics say it."""

    rows: list[Limit]
    begin: int | None = None
    was_out: bool = False
    counted: list[tuple[int, int]] = field(default_factory=list)
    """(second at whose sample it was counted, seconds)."""
    scans: list[tuple[int, bool]] = field(default_factory=list)
    outside: bool = False
    known: bool | None = None
    """Whether it can be told; None where no row holds."""

    def see(self, before: tuple[int, Stamp] | None, at: int, value: float | None, stamp: Stamp) -> list[Told]:
        row = next((row for row in self.rows if row.phase in (None, stamp.phase)), None)
        any_row = self.rows[0]
        if before is not None and self.begins(any_row, row, before[1], stamp):
            self.begin, self.was_out, self.counted, self.scans = at, False, [], []
        runs = {"phase": stamp.phase != "", "batch": stamp.batch != "", None: True}[any_row.within]
        if value is not None:
            if self.was_out and before is not None:
                self.counted.append((at, min(at - before[0], 3)))
            band = (row.par or row.nor) if row else None
            self.was_out = bool(runs and band and value not in band)
        self.scans.append((at, value is not None))
        self.known = None if row is None else False
        if row is None:
            ended, self.outside = self.outside, False
            return [(at, name_of(any_row), "ended", None)] if ended else []
        return self.judged(row, at) if runs else []

    def begins(self, kind: Limit, row: Limit | None, before: Stamp, now: Stamp) -> bool:
        if kind.within == "batch":
            return before.batch != now.batch
        spans = row is not None and row.spans_phases
        return (before.batch, before.phase) != (now.batch, now.phase) and not spans

    def judged(self, row: Limit, at: int) -> list[Told]:
        assert row.allowed_outside_s is not None
        edge = -1000 if row.window_s is None else at - int(row.window_s)
        seconds = sum(s for slot, s in self.counted if slot > edge)
        good = sum(is_good for slot, is_good in self.scans if slot > edge)
        slots = None if self.begin is None else at - self.begin + 1
        if row.window_s is not None:
            slots = min(slots or 1000, int(row.window_s))
        level = Fraction(row.allowed_outside_s)
        known = seconds > level or (slots is not None and Fraction(good, slots) >= Fraction(row.min_coverage))
        self.known = known
        back = level - Fraction(row.deadband or 0)
        out = (seconds > back if self.outside else seconds > level) if known else self.outside
        changed, self.outside = out is not self.outside, out
        return [(at, name_of(row), "outside" if out else "inside", float(seconds))] if changed else []


def counters() -> list[Counter]:
    kinds = dict.fromkeys(map(name_of, ROWS))
    return [Counter([row for row in ROWS if name_of(row) == kind]) for kind in kinds]


def told_of(events: Sequence[Event]) -> list[Told]:
    return sorted(
        (
            (event.slot_ns - START_NS) // SECOND_NS,
            f"{event.body['statistic']} {event.body['window_s']}",
            str(event.body["to"]),
            event.body["value"] if isinstance(event.body["value"], float) else None,
        )
        for event in of_kind(events, EventKind.TRANSITION)
        if event.body["rule"] != "evaluable"
    )


SAMPLE = st.sampled_from([5.0, 15.0, 15.0, 25.0, 10.0, None])
STAMP = st.builds(Stamp, batch=st.sampled_from(["", "B-1", "B-2"]), phase=st.sampled_from(["", "Heat", "Dose", "Hold"]))
RESTART = st.sampled_from([False, False, False, True])
STEP = st.tuples(st.sampled_from([1, 1, 1, 2, 4, 7]), SAMPLE, st.one_of(st.none(), st.none(), STAMP), RESTART)
STEPS = st.lists(STEP, min_size=5, max_size=50)
"""Seconds since the scan before, a sample, a stamp where it changes, and whether the daemon starts anew before it."""


@given(STEPS)
def test_it_is_counted_as_the_semantics_say_also_over_restarts(steps: list[tuple[int, float | None, Stamp | None, bool]]) -> None:
    judge, machine, stamp, at = Judge(LAYOUT, ROWS), counters(), Stamp(batch="B-1", phase="Dose"), 0
    before: tuple[int, Stamp] | None = None
    found, expected = list[Event](), list[Told]()
    for n, (elapsed, sample, changed, restart) in enumerate(steps):
        if restart and n and not judge.active:
            judge = Judge(LAYOUT, ROWS, (), judge.accumulated)
            for counter in machine:
                if counter.rows[0].window_s is not None:
                    counter.begin, counter.was_out, counter.counted, counter.scans = None, False, [], []
        at, stamp = at + elapsed, changed or stamp
        found += judge.judge(scan(LAYOUT, START_NS + at * SECOND_NS, [sample]), (stamp,))
        for counter in machine:
            expected += counter.see(before, at, sample, stamp)
        evaluable = {name_of(row): known for (_, row), known in judge.evaluable_now.items()}
        assert evaluable == {name_of(each.rows[0]): each.known for each in machine if each.known is not None}
        before = at, stamp
    assert told_of(found) == sorted(expected)


DOSE, HOLD = Stamp(batch="B-1", phase="Dose"), Stamp(batch="B-1", phase="Hold")


def course(samples: Sequence[Sample], phases: Sequence[Stamp]) -> list[tuple[int, list[Sample], tuple[Stamp]]]:
    return [(at, [sample], (stamp,)) for at, (sample, stamp) in enumerate(zip(samples, phases, strict=True))]


def test_a_phase_allows_so_much_and_the_next_one_anew() -> None:
    row = limit(statistic="time_outside", within="phase", par=[0, 10], allowed_outside_s=2, min_coverage=1)
    steps = course([20.0] * 5 + [5.0, 20.0, 5.0], [HOLD] + [DOSE] * 4 + [HOLD] * 3)
    told = run(Judge(LAYOUT, [row]), LAYOUT, steps)
    assert changes(told) == [(4, "PAR time", "outside"), (5, "PAR time", "inside")]
    assert evaluability(told) == [], "where nobody saw the phase begin that is no news"


def test_exactly_what_is_allowed_is_allowed() -> None:
    row = limit(statistic="time_outside", within="batch", nor=[0, 10], allowed_outside_s=300)
    steps = course([20.0] * 302, [Stamp()] + [DOSE] * 301)
    assert changes(run(Judge(LAYOUT, [row]), LAYOUT, steps[:302])) == []
    assert changes(run(Judge(LAYOUT, [row]), LAYOUT, [*steps, (302, [20.0], (DOSE,))])) == [(302, "NOR time", "outside")]


def test_of_a_recorded_batch_the_first_scan_is_the_beginning() -> None:
    row = limit(statistic="time_outside", within="batch", par=[0, 10], allowed_outside_s=1)
    steps = course([5.0, 5.0, 5.0], [DOSE] * 3)
    seen = Judge(LAYOUT, [row], from_begin=True)
    run(seen, LAYOUT, steps)
    unseen = Judge(LAYOUT, [row])
    run(unseen, LAYOUT, steps)
    assert (list(seen.evaluable_now.values()), list(unseen.evaluable_now.values())) == ([True], [False])


def test_too_little_was_seen_to_say_that_it_is_within() -> None:
    row = limit(statistic="time_outside", within="phase", par=[0, 10], allowed_outside_s=2, min_coverage=0.75)
    steps = course([5.0, 5.0, 5.0, 5.0, None, None, 5.0], [HOLD] + [DOSE] * 6)
    told = run(Judge(LAYOUT, [row]), LAYOUT, steps)
    assert evaluability(told) == [(5, "yes", "no")]


def test_nothing_is_told_of_how_it_stands_where_no_row_lasts() -> None:
    judge = Judge(LAYOUT, [limit(par=[0, 10])])
    told = run(judge, LAYOUT, course([5.0] * 70, [DOSE] * 70))
    assert of_kind(told, EventKind.ACCUMULATED) == judge.accumulated == []
