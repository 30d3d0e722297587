"""Figures of merit, against counting at every second."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.alarms.alarm import Alarm, AlarmKey, Settings
from collector.monitor.alarms.alarms import Alarms, Command
from collector.monitor.alarms.merit import Call, calls_of, floods, merit
from collector.monitor.alarms.settings import Book
from collector.monitor.alarms.states import Happening, State
from collector.terms import Event, EventKind
from tests.unit.monitor.judged import DOSE, SECOND_NS, START_NS, limit

KEYS = [AlarmKey("R-201", role, "value", None, "H") for role in ("a", "b", "c")]
CALLS = st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(KEYS)), max_size=60).map(
    lambda calls: sorted(calls, key=lambda c: c[0])
)


def call(at_s: int, key: AlarmKey = KEYS[0]) -> Call:
    return Call(at_s * SECOND_NS, key, "low")


@given(CALLS)
def test_rate_chattering_and_top_against_counting(calls: list[tuple[int, AlarmKey]]) -> None:
    found = merit([call(*each) for each in calls], [], 0, 3001 * SECOND_NS)
    times = [at for at, _ in calls]
    assert found.most_in_10_min == max((sum(at - 600 < t <= at for t in times) for at in range(3001)), default=0)
    of_key = {key: [at for at, each in calls if each == key] for key in KEYS}
    chattering = {key for key, own in of_key.items() if any(sum(at - 60 < t <= at for t in own) >= 3 for at in range(3001))}
    assert set(found.chattering) == chattering
    assert dict(found.top) == {key: len(own) for key, own in of_key.items() if own}
    assert [calls for _, calls in found.top] == sorted((calls for _, calls in found.top), reverse=True)
    assert found.priorities == (("critical", 0), ("high", 0), ("medium", 0), ("low", len(calls)))


@given(CALLS)
def test_floods_against_counting(calls: list[tuple[int, AlarmKey]]) -> None:
    times, begun, expected = [at for at, _ in calls], None, list[tuple[int, int | None]]()
    for at in range(3001):
        recent = sum(at - 600 < t <= at for t in times)
        if begun is None and recent > 10:
            begun = at
        elif begun is not None and recent < 5:
            expected.append((begun, at))
            begun = None
    expected += [(begun, None)] if begun is not None else []
    found = floods([at * SECOND_NS for at in times], 3000 * SECOND_NS)
    assert [(each.from_ns // SECOND_NS, each.to_ns and each.to_ns // SECOND_NS) for each in found] == expected


def test_a_flood_counts_all_its_calls() -> None:
    times = [*range(0, 110, 10), 500, 2000]  # eleven, one more, and one of the peace after
    (flood,) = floods([at * SECOND_NS for at in times], 3000 * SECOND_NS)
    assert (flood.from_ns, flood.to_ns, flood.calls) == (100 * SECOND_NS, 670 * SECOND_NS, 12)


def test_what_calls_is_what_people_are_told() -> None:
    """Not what is hidden, and not that a condition returns."""
    key = replace(KEYS[0], role="t")
    alarms = Alarms(Book([limit(alarm={"h": 1.0})], [("R-201", "t")]))
    body = {"role": "t", "statistic": "value", "window_s": None, "rule": "H", "value": 2.0, "level": 1.0}
    goes, comes = (Event(EventKind.TRANSITION, START_NS, "R-201", DOSE, {**body, "to": to}) for to in ("outside", "inside"))
    told = alarms.observe([goes, comes, goes])
    told += alarms.command(Command(Happening.SHELVED, key, "meier", "noise", 60.0), START_NS)
    told += alarms.observe([comes, goes])
    told += alarms.tick(START_NS + 60 * SECOND_NS)
    assert [each.at_ns - START_NS for each in calls_of(told)] == [0, 0, 60 * SECOND_NS]


def test_an_alarm_is_stale_after_a_day_while_it_is_shown() -> None:
    day_ns = 86_400 * SECOND_NS
    stands = Alarm(KEYS[0], DOSE, Settings(), State.C, outside=True, since_ns=0)
    alarms = [stands, replace(stands, key=KEYS[1], state=State.G), replace(stands, key=KEYS[2], since_ns=1)]
    assert merit([], alarms, 0, day_ns + 1).stale == (KEYS[0],)
    assert merit([], alarms, 0, day_ns).stale == ()
