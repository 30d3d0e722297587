"""A test begins again where the machine was late, and nowhere else is a failure forgiven."""

from __future__ import annotations

import time

import pytest

from tests.wire.lateness import Lateness, where_it_is_prompt


@pytest.mark.parametrize("late", [True, False])
async def test_only_what_fails_on_a_late_machine_is_tried_again(late: bool) -> None:
    attempts = []

    @where_it_is_prompt(0.01 if late else 60.0)
    async def fails_at_first() -> None:
        attempts.append(1)
        if late:
            time.sleep(0.05)  # noqa: ASYNC251  this is the machine that stands still
        assert len(attempts) == 2

    if late:
        await fails_at_first()
    else:
        with pytest.raises(AssertionError):
            await fails_at_first()
    assert len(attempts) == (2 if late else 1)


async def test_what_fails_again_and_again_fails() -> None:
    @where_it_is_prompt(-1.0)
    async def fails() -> None:
        pytest.fail("always")

    with pytest.raises(pytest.fail.Exception):
        await fails()


def test_what_many_waits_are_late_by_in_a_second_is_added_up() -> None:
    late = Lateness()
    for now_s in (0.0, 0.5, 0.9, 1.6, 3.0):
        late.add(now_s, 0.1)
    assert (late.worst_s, round(late.sum_s, 3), round(late.worst_second_s, 3)) == (0.1, 0.5, 0.3)
