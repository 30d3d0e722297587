"""How often alarms call just now, against counting; whether it is a flood, against the figures of merit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.alarms.alarm import Alarm, AlarmKey, Settings
from collector.monitor.alarms.merit import floods
from collector.monitor.alarms.rate import AlarmRate
from collector.monitor.alarms.states import Happening, State
from collector.terms import Event
from tests.unit.monitor.judged import DOSE, SECOND_NS

KEY = AlarmKey("R-201", "t", "value", None, "H")


def call(at_s: int, state: State = State.B) -> Event:
    alarm = Alarm(KEY, DOSE, Settings(), state, outside=True, since_ns=at_s * SECOND_NS)
    return alarm.event(at_s * SECOND_NS, Happening.OCCURS, State.A)


@given(st.lists(st.integers(1, 2500), max_size=40).map(sorted), st.lists(st.integers(1, 3000), max_size=10))
def test_the_rate_and_the_flood_are_those_of_counting(times: list[int], looked: list[int]) -> None:
    """Whenever anybody looks."""
    rate, told = AlarmRate(0), list(times)
    for now in sorted(looked):
        while told and told[0] <= now:
            rate.hear(call(told.pop(0)))
        rate.advance(now * SECOND_NS)
        assert rate.calls == sum(now - 600 < at <= now for at in times)
        assert rate.counted_s == min(600, now)
        so_far = floods([at * SECOND_NS for at in times if at <= now], now * SECOND_NS)
        lasts = so_far[-1].from_ns if so_far and so_far[-1].to_ns is None else None
        assert rate.flood_since_ns == lasts


def test_what_calls_nobody_is_not_counted() -> None:
    rate = AlarmRate(0)
    for n in range(20):
        rate.hear(call(n, State.G))
    assert (rate.calls, rate.flood_since_ns) == (0, None)
