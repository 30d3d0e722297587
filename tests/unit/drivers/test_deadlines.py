"""One timer for many requests: each ends in time, none that was answered is touched, and nothing is kept."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from drivers.deadlines import Deadlines

TIMEOUT_S = 0.02


async def test_what_is_not_answered_ends_in_time_and_in_turn() -> None:
    loop = asyncio.get_running_loop()
    deadlines, began, ended = Deadlines(TIMEOUT_S), loop.time(), []
    first, answered, last = (loop.create_future() for _ in range(3))
    deadlines.watch(first)
    deadlines.watch(answered)
    answered.set_result(1)
    await asyncio.sleep(TIMEOUT_S / 2)
    deadlines.watch(last)
    for name, future in (("first", first), ("last", last)):
        future.add_done_callback(lambda _, name=name: ended.append(name))  # type: ignore[misc]
    with pytest.raises(TimeoutError):
        await first
    assert loop.time() - began >= TIMEOUT_S * 0.99
    with pytest.raises(TimeoutError):
        await last
    assert loop.time() - began >= TIMEOUT_S * 1.49
    await asyncio.sleep(0)  # what was done before it was awaited calls back in the next turn
    assert ended == ["first", "last"]
    assert answered.result() == 1


async def test_it_goes_on_after_a_pause() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(TIMEOUT_S)
    for _ in range(2):
        answer = loop.create_future()
        deadlines.watch(answer)
        answer.set_result(None)
        await asyncio.sleep(TIMEOUT_S * 1.5)
        late = loop.create_future()
        deadlines.watch(late)
        with pytest.raises(TimeoutError):
            await late


async def test_answers_are_not_kept() -> None:
    deadlines = Deadlines(3600)
    loop = asyncio.get_running_loop()
    kept = []
    for _ in range(10):
        answer = loop.create_future()
        deadlines.watch(answer)
        answer.set_result(b"a large answer")
        kept.append(weakref.ref(answer))
    del answer
    gc.collect()
    assert sum(reference() is not None for reference in kept) <= 1
    deadlines.end()
    assert kept[-1]() is None


async def test_a_cancelled_request_is_left_alone_and_an_ended_watch_ends_nothing() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(TIMEOUT_S)
    cancelled, left = loop.create_future(), loop.create_future()
    deadlines.watch(cancelled)
    cancelled.cancel()
    await asyncio.sleep(TIMEOUT_S * 1.5)
    deadlines.watch(left)
    deadlines.end()
    await asyncio.sleep(TIMEOUT_S * 1.5)
    assert not left.done()
