"""Grids, spreads and waits."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from collector.acquire.pace import SPREAD, TICK_NS, backoff, slot_at, spread

PERIODS_NS = st.integers(5_000_000, 3_600_000_000_000)


@given(st.integers(0, 2**62), PERIODS_NS)
def test_a_slot_is_the_newest_multiple_of_the_period(now_ns: int, period_ns: int) -> None:
    slot_ns = slot_at(now_ns, period_ns)
    assert slot_ns % period_ns == 0
    assert slot_ns <= now_ns < slot_ns + period_ns


@given(st.text(), PERIODS_NS)
def test_spread_lies_inside_its_share_of_the_period(name: str, period_ns: int) -> None:
    assert 0 <= spread(name, period_ns) <= period_ns * SPREAD
    assert spread(name, period_ns) == spread(name, period_ns)


@given(st.text(), PERIODS_NS)
def test_groups_start_together_at_ticks(name: str, period_ns: int) -> None:
    assert spread(name, period_ns) % TICK_NS == 0


def test_spread_is_the_same_for_ever() -> None:
    """In every process and release: a change here moves when every plant is read."""
    assert [spread(name, 1_000_000_000) for name in ("plc/R-201/main", "plc/R-202/main")] == [500_000_000, 125_000_000]


def test_spread_fills_its_share() -> None:
    places = Counter(spread(f"plc/device-{i}/main", 1_000_000_000) for i in range(400))
    assert set(places) == {TICK_NS, 2 * TICK_NS, 3 * TICK_NS, 4 * TICK_NS}
    assert min(places.values()) > 70


@given(st.floats(0.001, 100), st.floats(0.001, 1000))
def test_waits_grow_to_the_limit_and_are_jittered(first_s: float, limit_s: float) -> None:
    wait_s = first_s
    for given_s in islice(backoff(first_s, limit_s), 40):
        expected_s = min(wait_s, limit_s)
        assert 0.8 * expected_s * (1 - 1e-9) <= given_s <= 1.2 * expected_s * (1 + 1e-9)
        wait_s = min(wait_s * 1.6, limit_s)


def test_two_devices_do_not_return_at_once() -> None:
    assert len({next(backoff(10, 30)) for _ in range(20)}) == 20
