"""When tags that were too large for their server are asked for again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from asyncua.ua.status_codes import StatusCodes

from drivers.opcua.learned import APART_S, FIRST_WAIT_S, LONGEST_WAIT_S, STRIKES, Learned

TOO_LARGE = int(StatusCodes.BadResponseTooLarge)
S = 1_000_000_000


def refused(*columns: int) -> Learned:
    learned = Learned()
    for column in columns:
        learned.closed([column], TOO_LARGE, STRIKES)
    return learned


def times_s(learned: Learned, until_s: int, step_s: int = 60) -> Iterator[tuple[int, int]]:
    """When each is asked for again, where it ends the connection each time."""
    for now_s in range(0, until_s, step_s):
        before = set(learned.refused)
        if learned.retries(now_s * S):
            (column,) = before - learned.refused.keys()
            yield now_s, column
            learned.closed([column], TOO_LARGE, 1)
            assert column in learned.refused, "one end of the connection is enough"
            learned.retries(now_s * S)  # the next connection


def test_each_attempt_is_twice_as_long_after_the_one_before_and_a_day_at_the_most() -> None:
    at_s = [now_s for now_s, _ in times_s(refused(3), 6 * 86_400)]
    waits = [later - earlier for earlier, later in pairwise([0, *at_s])]
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-2:] == [LONGEST_WAIT_S, LONGEST_WAIT_S]


def test_one_after_the_other_is_tried() -> None:
    found = list(times_s(refused(1, 2, 3), 2400))
    assert sorted(column for _, column in found[:3]) == [1, 2, 3]
    assert all(later - earlier >= APART_S for (earlier, _), (later, _) in pairwise(found))


def test_one_that_is_answered_is_as_if_nothing_had_been() -> None:
    learned = refused(1)
    learned.retries(0)
    assert learned.retries(round(FIRST_WAIT_S * S))
    learned.answered([1])
    assert (learned.refused, learned.retry_ns, learned.waits_s, learned.strikes) == ({}, {}, {}, {})
    assert not learned.retries(10**15)
