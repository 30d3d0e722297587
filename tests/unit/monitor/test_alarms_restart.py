"""A daemon that is killed and started again: with the next scan its alarms are those of one that was not."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from collector.memory.alarms import outside_before
from collector.monitor.alarms.alarms import Alarms, Command, Refused
from collector.monitor.alarms.settings import Book
from collector.monitor.alarms.states import Happening, State
from collector.monitor.judge import Judge
from collector.terms import Event, EventKind, Stamp
from tests.unit.monitor.judged import DOSE, HOLD, START_NS, Sample, changes, layout, limit, scan

LAYOUT = layout()
LIMITS = [
    limit(phase="Dose", nor=[40.0, 60.0], par=[30.0, 70.0], alarm={"hh": 90.0}, deadband=5.0),
    limit(phase="Hold", par=[30.0, 80.0], deadband=5.0),
]
BOOK = Book(LIMITS, [("R-201", "t")])
SAMPLES = st.one_of(st.none(), st.floats(20.0, 100.0))
STEPS = st.lists(st.tuples(SAMPLES, st.sampled_from([DOSE, DOSE, DOSE, HOLD, Stamp()]), st.booleans()), min_size=1, max_size=20)


def step(judge: Judge, alarms: Alarms, at: int, sample: Sample, stamp: Stamp) -> list[Event]:
    events = judge.judge(scan(LAYOUT, START_NS + at * LAYOUT.period_ns, [sample]), (stamp,))
    alarms.observe(events)
    return events


def acknowledge_all(alarms: Alarms, at: int) -> None:
    for key in list(alarms.now):
        try:
            alarms.command(Command(Happening.ACKNOWLEDGED, key, "meier"), START_NS + at * LAYOUT.period_ns)
        except Refused:
            continue


@given(STEPS, st.integers(0, 20))
def test_after_a_kill_the_alarms_are_those_of_a_daemon_that_lived(
    steps: Sequence[tuple[float | None, Stamp, bool]], killed: int
) -> None:
    lived, lived_alarms = Judge(LAYOUT, LIMITS), Alarms(BOOK)
    judge, alarms = Judge(LAYOUT, LIMITS), Alarms(BOOK)
    for at, (sample, stamp, acknowledged) in enumerate(steps):
        if at == killed:
            alarms = Alarms(BOOK, alarms.now.values())
            judge = Judge(LAYOUT, LIMITS, outside_before(alarms.now.values()))
        step(lived, lived_alarms, at, sample, stamp)
        step(judge, alarms, at, sample, stamp)
        assert alarms.now == lived_alarms.now
        assert {key: rule.since_ns for key, rule in judge.active.items()} == {k: r.since_ns for k, r in lived.active.items()}
        if acknowledged:
            acknowledge_all(lived_alarms, at)
            acknowledge_all(alarms, at)


def resumed(samples: Sequence[Sample], stamp: Stamp = DOSE, until: Sequence[Sample] = (75.0,)) -> tuple[list[Event], Alarms]:
    """What is told after a kill, and the alarms; before it, `until`, and what called was acknowledged."""
    judge, alarms = Judge(LAYOUT, LIMITS), Alarms(BOOK)
    for at, sample in enumerate(until):
        step(judge, alarms, at - len(until), sample, DOSE)
    acknowledge_all(alarms, 0)
    alarms = Alarms(BOOK, alarms.now.values())
    judge = Judge(LAYOUT, LIMITS, outside_before(alarms.now.values()))
    return [event for at, sample in enumerate(samples) for event in step(judge, alarms, at, sample, stamp)], alarms


def states(alarms: Alarms) -> dict[str, State]:
    return {key.rule: alarm.state for key, alarm in alarms.now.items()}


def test_what_is_still_outside_is_told_again_once_and_raises_nothing_anew() -> None:
    events, alarms = resumed([76.0, 76.0])
    assert changes(events) == [(0, "NOR high", "outside"), (0, "PAR high", "outside")]
    assert states(alarms) == {"NOR high": State.C, "PAR high": State.C}


def test_inside_the_deadband_it_is_still_outside() -> None:
    events, alarms = resumed([66.0, 64.0])
    assert changes(events) == [(0, "NOR high", "outside"), (0, "PAR high", "outside"), (1, "PAR high", "inside")]
    assert states(alarms) == {"NOR high": State.C}


def test_what_came_back_meanwhile_is_told_inside() -> None:
    events, alarms = resumed([50.0, 75.0])
    assert changes(events)[:2] == [(0, "NOR high", "inside"), (0, "PAR high", "inside")]
    assert states(alarms) == {"NOR high": State.B, "PAR high": State.B}


def test_what_can_not_be_evaluated_yet_waits() -> None:
    events, alarms = resumed([None, None, 50.0])
    assert changes(events) == [(2, "NOR high", "inside"), (2, "PAR high", "inside")]
    assert states(alarms) == {}


def test_a_limit_that_holds_no_more_ends() -> None:
    events, alarms = resumed([75.0], HOLD)
    ended = [event for event in events if event.kind is EventKind.TRANSITION]
    assert {(event.body["rule"], event.body["to"], event.body["level"], event.stamp.phase) for event in ended} == {
        ("NOR high", "ended", 60.0, "Hold"),
        ("PAR high", "ended", 70.0, "Hold"),
    }
    assert states(alarms) == {}
