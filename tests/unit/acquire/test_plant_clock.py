"""Plant time: evenly on, forward freely, never backward, never before what is in the journal."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.acquire.clock import TOLERANCE_NS, PlantClock

SECOND_NS = 1_000_000_000
WALL_NS = 1_732_270_000 * SECOND_NS


@dataclass
class Hands:
    """A wall clock and a monotonic clock, set by hand."""

    wall: int = WALL_NS
    monotonic: int = 77 * SECOND_NS

    def clock(self, not_before_ns: int = 0) -> PlantClock:
        return PlantClock(not_before_ns, lambda: self.wall, lambda: self.monotonic)

    def pass_by(self, ns: int, wall_step_ns: int = 0) -> None:
        """Time passes, and someone sets the wall clock."""
        self.monotonic += ns
        self.wall += ns + wall_step_ns


steps = st.integers(-400 * 86400 * SECOND_NS, 400 * 86400 * SECOND_NS) | st.integers(-2 * TOLERANCE_NS, 2 * TOLERANCE_NS)
moments = st.lists(st.tuples(st.integers(0, 3600 * SECOND_NS), steps | st.just(0), st.booleans()), max_size=30)


@given(moments, st.integers(0, WALL_NS * 2))
def test_never_backward_and_even_between_follows(history: list[tuple[int, int, bool]], not_before_ns: int) -> None:
    hands = Hands()
    clock = hands.clock(not_before_ns)
    assert clock.now_ns() == max(WALL_NS, not_before_ns)
    for passed_ns, step_ns, follows in history:
        before_ns, before_monotonic = clock.now_ns(), clock.monotonic_ns()
        hands.pass_by(passed_ns, step_ns)
        assert clock.now_ns() == before_ns + passed_ns, "the wall clock alone moves nothing"
        assert clock.monotonic_ns() == before_monotonic + passed_ns
        assert clock.offset_ns() == hands.wall - clock.now_ns()
        if follows:
            ahead_ns = clock.offset_ns()
            moved_ns = clock.follow()
            assert moved_ns == (ahead_ns if ahead_ns > TOLERANCE_NS else 0)
            assert clock.now_ns() == before_ns + passed_ns + moved_ns
            assert clock.offset_ns() <= TOLERANCE_NS
            assert clock.follow() == 0, "once is enough"


def test_starts_at_the_wall_clock() -> None:
    assert Hands().clock(WALL_NS - 1).now_ns() == WALL_NS


def test_starts_after_the_journal_when_the_wall_clock_was_set_back() -> None:
    hands = Hands()
    clock = hands.clock(WALL_NS + 3600 * SECOND_NS)
    assert clock.now_ns() == WALL_NS + 3600 * SECOND_NS
    assert clock.offset_ns() == -3600 * SECOND_NS
    hands.pass_by(SECOND_NS)
    assert clock.follow() == 0
    assert clock.now_ns() == WALL_NS + 3601 * SECOND_NS


def test_tolerates_ordinary_clock_discipline() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.pass_by(SECOND_NS, TOLERANCE_NS)
    assert clock.follow() == 0
    hands.pass_by(0, 1)
    assert clock.follow() == TOLERANCE_NS + 1


def test_a_wall_clock_that_goes_back_and_returns_is_followed_only_past_where_plant_time_is() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.pass_by(SECOND_NS, -3600 * SECOND_NS)
    assert clock.follow() == 0
    hands.pass_by(SECOND_NS, 3600 * SECOND_NS + 5 * SECOND_NS)
    assert clock.follow() == 5 * SECOND_NS
    assert clock.now_ns() == WALL_NS + 7 * SECOND_NS


@pytest.mark.parametrize("stalls", [[3], [0, 3, 3], [2, 1, 2, 0]])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_process_that_stands_still_between_two_readings_sees_no_step(stalls: list[int], before: bool) -> None:
    hands = Hands()
    waiting = list(stalls)

    def wall_ns() -> int:
        stall_ns = waiting.pop(0) * SECOND_NS if waiting else 0
        if before:
            hands.pass_by(stall_ns)
        seen = hands.wall
        if not before:
            hands.pass_by(stall_ns)
        return seen

    clock = PlantClock(0, wall_ns, lambda: hands.monotonic)
    assert clock.now_ns() == hands.wall, "anchored at one moment"
    waiting = list(stalls)
    assert clock.offset_ns() == 0
    waiting = list(stalls)
    assert clock.follow() == 0


def test_the_real_clocks_are_the_default() -> None:
    clock = PlantClock()
    assert abs(clock.offset_ns()) < SECOND_NS
    first, second = clock.now_ns(), clock.now_ns()
    assert 0 <= second - first < 60 * SECOND_NS
