"""Some reads on their way: each asked once and in turn, and whoever waits woken when there is nothing to wait for any more."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.answer import Refusal
from drivers.modbus.inquiry import Inquiry
from drivers.modbus.plan import Read

READS = tuple(Read("holding", 10 * n, 2, (n,)) for n in range(4))


async def inquiry(reads: tuple[Read, ...] = READS) -> Inquiry:
    return Inquiry(7, reads, asyncio.get_running_loop().create_future())


async def test_reads_are_asked_once_and_in_turn() -> None:
    asked = await inquiry()
    assert [asked.next() for _ in range(5)] == [*enumerate(READS), None]


@given(st.permutations(range(4)))
def test_answers_come_back_in_the_order_of_the_reads(order: list[int]) -> None:
    async def ask() -> None:
        asked = await inquiry()
        for at in order:
            assert asked.answers is None
            assert not asked.over.done()
            asked.answered(at, Refusal(at) if at == 2 else bytes([at]))
        assert asked.over.done()
        assert asked.answers == [b"\0", b"\1", Refusal(2), b"\3"]
        assert asked.oldest == READS[-1]

    asyncio.run(ask())


@pytest.mark.parametrize("came", [(), (0,), (0, 2)])
async def test_an_end_before_all_have_come_leaves_no_answers_and_names_the_oldest(came: tuple[int, ...]) -> None:
    asked = await inquiry()
    for at in came:
        asked.answered(at, b"x")
    asked.end()
    asked.end()
    assert asked.over.done()
    assert asked.answers is None
    assert asked.oldest == READS[len([at for at in came if at == 0])]


async def test_an_answer_after_the_one_who_asked_has_gone_is_no_fault() -> None:
    asked = await inquiry(READS[:1])
    asked.over.cancel()
    asked.answered(0, b"late")
    assert asked.over.cancelled()
