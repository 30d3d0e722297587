"""Messages out of order, late, lost and had again: each is taken once, in the order of the numbers, or told as lost."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.opcua.in_turn import MOST_MISSING, InTurn
from drivers.opcua.publish import Published


def message(number: int) -> Published:
    return Published(7, number, is_message=True)


def keep_alive(number: int) -> Published:
    return Published(7, number, is_message=False)


class Server:
    """It has the messages of `kept` still. While it is asked for one, those of `meanwhile` arrive."""

    def __init__(self, kept: set[int], meanwhile: dict[int, list[int]] | None = None) -> None:
        self.kept, self.meanwhile = kept, meanwhile or {}
        self.taken: list[int] = []
        self.lost = 0
        self.asked: list[int] = []
        self.messages = InTurn(self._take, self._again)

    def _take(self, published: Published) -> None:
        if published.is_message:
            self.taken.append(published.sequence)

    async def _again(self, number: int) -> Published | None:
        self.asked.append(number)
        for late in self.meanwhile.pop(number, []):
            await self.arrives(message(late))
        await asyncio.sleep(0)
        return message(number) if number in self.kept else None

    async def arrives(self, published: Published) -> None:
        if not self.messages.at_once(published):
            self.lost += await self.messages.after_the_missing(published)


async def test_a_late_message_that_was_had_again_is_not_taken_over_newer_ones() -> None:
    server = Server({2})
    for number in (1, 3, 2, 4):
        await server.arrives(message(number))
    assert (server.taken, server.asked, server.lost) == ([1, 2, 3, 4], [2], 0)


async def test_a_message_that_comes_while_it_is_asked_for_is_not_lost_and_not_taken_twice() -> None:
    for kept in (set[int](), {2}):
        server = Server(kept, {2: [4, 2]})
        for number in (1, 3, 5):
            await server.arrives(message(number))
        assert (server.taken, server.lost) == ([1, 2, 3, 4, 5], 0)


async def test_what_the_server_has_no_more_is_lost_and_stays_so() -> None:
    server = Server(set())
    for number in (1, 3, 2, 4):
        await server.arrives(message(number))
    assert (server.taken, server.lost) == ([1, 3, 4], 1)


async def test_a_keep_alive_tells_that_a_message_is_missing() -> None:
    server = Server({2})
    await server.arrives(message(1))
    await server.arrives(keep_alive(2))
    assert server.asked == []
    await server.arrives(keep_alive(3))
    assert (server.taken, server.asked) == ([1, 2], [2])


async def test_of_many_that_are_missing_the_newest_are_asked_for() -> None:
    server = Server(set(range(1000)))
    await server.arrives(message(100))
    assert server.taken == [*range(100 - MOST_MISSING, 101)]
    assert server.lost == 99 - MOST_MISSING


async def test_numbers_go_round_and_begin_anew_with_another_subscription() -> None:
    server = Server(set())
    server.messages._next = 2**32 - 1
    for number in (2**32 - 1, 1, 2):
        await server.arrives(message(number))
    assert (server.taken, server.asked) == ([2**32 - 1, 1, 2], [])
    server.messages.begin()
    await server.arrives(message(1))
    assert server.taken[-1] == 1


async def test_what_was_asked_for_by_a_subscription_that_is_no_more_is_not_taken_into_the_one_after_it() -> None:
    server = Server({2, 3})
    await server.arrives(message(1))
    asking, go_on = asyncio.Event(), asyncio.Event()

    async def slow(number: int) -> Published:
        asking.set()
        await go_on.wait()
        return message(100 + number)

    server.messages = InTurn(server._take, slow)
    late = asyncio.create_task(server.arrives(message(4)))
    await asking.wait()
    server.messages.begin()
    await server.arrives(message(1))
    go_on.set()
    await late
    await server.arrives(message(2))
    assert (server.taken, server.lost) == ([1, 1, 2], 0)


async def test_what_waits_behind_a_second_gap_is_neither_asked_for_nor_lost() -> None:
    server = Server(set(), {2: [5, 7], 4: [8]})
    for number in (1, 3):
        await server.arrives(message(number))
    assert (server.taken, server.asked) == ([1, 3, 5, 7, 8], [2, 4, 6])
    assert server.lost == 3


@settings(deadline=None)
@given(st.permutations(range(1, 9)), st.sets(st.integers(1, 8)), st.sets(st.integers(1, 8)), st.data())
def test_in_whatever_order_they_come(order: list[int], kept: set[int], dropped: set[int], data: st.DataObject) -> None:
    while_asked: dict[int, list[int]] = {}
    early = data.draw(st.sets(st.sampled_from(order)))
    for number in sorted(early, key=order.index):
        while_asked.setdefault(data.draw(st.integers(1, 8)), []).append(number)
    server = Server(kept, while_asked)
    asyncio.run(all_arrive(server, [number for number in order if number not in dropped | early]))
    assert server.taken == sorted(set(server.taken)), "each once, and never an older one after a newer one"
    newest = max(server.taken, default=0)
    assert len(server.taken) + server.lost == newest, "all else up to the newest is told as lost"


async def all_arrive(server: Server, numbers: list[int]) -> None:
    for number in numbers:
        await server.arrives(message(number))
