"""Several requests at once on one connection: answers in any order are told apart, and whatever does not fit ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from drivers.base import DeviceError, scan_groups
from drivers.modbus.session import connect
from tests.system.modbus_peer import FixedClock, Peer, Request, Step, plant, right, serving, value_at

BLOCKS = 10
TAGS = {f"T{n}": f"holding:{100 * n} uint16" for n in range(BLOCKS)}
RIGHT = [float(value_at(100 * n)) for n in range(BLOCKS)]


class Holding:
    """Answers by heart once `depth` requests wait, the last one first; keeps the most that ever waited."""

    def __init__(self, depth: int) -> None:
        self.depth, self.waiting, self.most = depth, list[Request](), 0

    def __call__(self, request: Request) -> Iterable[Step]:
        self.waiting.append(request)
        self.most = max(self.most, len(self.waiting))
        if len(self.waiting) < self.depth and request.first != 100 * (BLOCKS - 1):
            return []
        answers, self.waiting = [waiting.answer() for waiting in reversed(self.waiting)], []
        return [b"".join(answers)]


async def values(peer: Peer, depth: int, timeout_s: float = 30.0) -> list[float | None]:
    endpoint, _ = plant(peer.port, TAGS, timeout_s)
    endpoint = endpoint.model_copy(update={"pipeline": depth})
    (group,) = scan_groups(endpoint)
    async with connect(endpoint, [group], FixedClock()) as driver:
        scan = await driver.read(group, 0)
    return [None if bad else value for value, bad in zip(scan.values.tolist(), scan.quality.tolist(), strict=True)]


@pytest.mark.parametrize("depth", [1, 2, 4])
async def test_so_many_wait_at_once_and_no_more(depth: int) -> None:
    script = Holding(1)
    async with serving(script) as peer:
        assert await values(peer, depth) == RIGHT
        script = Holding(min(depth, 2))
        peer.script = script
        assert await values(peer, depth) == RIGHT
        assert script.most == min(depth, 2)


async def test_sixteen_at_once_in_reverse_order() -> None:
    script = Holding(BLOCKS)
    async with serving(script) as peer:
        assert await values(peer, 16) == RIGHT
    assert script.most == BLOCKS


async def test_a_refusal_costs_its_own_block() -> None:
    async with serving(lambda r: [r.refusal(2)] if r.first == 300 else right(r)) as peer:
        assert await values(peer, 4) == [None if n == 3 else value for n, value in enumerate(RIGHT)]


@pytest.mark.parametrize(
    "steps",
    [
        lambda r: [r.answer(transaction=r.transaction + 100 & 0xFFFF)],
        lambda r: [r.answer(unit=9)],
        lambda r: [r.answer() * 2],
        lambda r: [r.answer(bytes(4))],
        lambda r: [b"garbage garbage"],
    ],
    ids=["foreign number", "foreign unit", "doubled", "oversized", "garbage"],
)
async def test_whatever_does_not_fit_ends_the_connection(steps: object) -> None:
    assert callable(steps)
    async with serving(lambda r: steps(r) if r.number == 3 else right(r)) as peer:
        async with asyncio.timeout(20):  # below the request's own 30 s
            with pytest.raises(DeviceError, match="not the one asked for") as caught:
                await values(peer, 4)
        assert caught.value.connection_lost
        peer.script = right
        assert await values(peer, 4) == RIGHT


async def test_a_device_that_answers_one_of_several_is_told_and_nothing_falls_back() -> None:
    async with serving(lambda r: right(r) if r.number % 2 else []) as peer:
        with pytest.raises(DeviceError, match="no answer within"):
            await values(peer, 4, timeout_s=0.1)
