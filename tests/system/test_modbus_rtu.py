"""RTU frames, over TCP and on a serial line (a pty), with a peer that does everything wrong: a value is right, or it is bad.

RTU has no transaction numbers, so a late answer of one block looks like the answer of another one: A and B below are alike.
Cases of one kind run beside each other, each with a peer of its own: they do nothing but wait for silence.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Coroutine, Iterable
from typing import Any

import pytest

from drivers.base import DeviceError, Driver, Scan, ScanGroup, Status
from drivers.modbus.session import connect
from tests.system.modbus_peer import FixedClock, value_at
from tests.system.rtu_peer import Request, RtuPeer, Script, Step, Way, bus, right, rtu_serving, with_crc
from tests.wire.lateness import where_it_is_prompt

pytestmark = pytest.mark.parametrize("way", ["rtu", "serial"])

TIMEOUT_S, PATIENCE_S = 0.15, 0.5
"""The second for what must be answered: no longer, for each connection begins with so much silence on the line."""
ALIKE = {"A0": "holding:100 uint16", "A1": "holding:101 uint16", "B0": "holding:200 uint16", "B1": "holding:201 uint16"}
"""Two blocks of two registers each."""


def check(scan: Scan, tags: dict[str, str]) -> bool:
    """Whether all is good; what is good must be right."""
    wanted = [value_at(int(text.split()[0].partition(":")[2])) for text in tags.values()]
    for value, right_value, bad in zip(scan.values.tolist(), wanted, scan.quality.tolist(), strict=True):
        assert bad or value == right_value, f"{value} is good and wrong: {right_value}"
    return not scan.quality.any()


async def endure(peer: RtuPeer, attempts: int, timeout_s: float = TIMEOUT_S) -> list[bool]:
    """Reads as the endpoint's task does, at once again after each failure: which attempts gave all values."""
    endpoint, groups = bus(peer.url, {3: ALIKE}, timeout_s)
    group = groups["D3"]
    outcomes: list[bool] = []
    while len(outcomes) < attempts:
        try:
            async with connect(endpoint, [group], FixedClock()) as driver:
                while len(outcomes) < attempts:
                    try:
                        outcomes.append(check(await driver.read(group, 0), ALIKE))
                    except DeviceError as exc:
                        outcomes.append(False)
                        if exc.connection_lost:
                            break
        except DeviceError:
            outcomes.append(False)
    return outcomes


MOST_ATTEMPTS = 10


async def recovers(peer: RtuPeer) -> bool:
    """Whether it is read again before long; a machine that is busy may need more than one attempt."""
    for _ in range(MOST_ATTEMPTS):
        if (await endure(peer, 1, PATIENCE_S)) == [True]:
            return True
    return False


async def beside_each_other(cases: Iterable[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as running:
        for case in cases:
            running.create_task(case)


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_right_answers_however_they_are_cut(way: Way) -> None:
    scripts: list[Script] = [
        right,
        lambda r: [bytes([byte]) for byte in r.answer()],
        lambda r: [(0.002 * n, bytes([byte])) for n, byte in enumerate(r.answer())],
        lambda r: [r.answer()[:4], (0.01, r.answer()[4:])],
    ]

    async def answered(script: Script) -> None:
        async with rtu_serving(way, script) as peer:
            assert await endure(peer, 3, 2 * PATIENCE_S) == [True] * 3

    await beside_each_other(map(answered, scripts))


def late(which: range, delay_s: float) -> Script:
    return lambda request: [(delay_s, request.answer())] if request.number in which else right(request)


@pytest.mark.parametrize("which", [range(2, 3), range(3, 4), range(1, 9)], ids=["one", "the next", "many"])
@where_it_is_prompt(TIMEOUT_S / 4)
async def test_an_answer_late_by_any_time_is_nobody_elses(way: Way, which: range) -> None:
    async def nobody_elses(share: float) -> None:
        async with rtu_serving(way, late(which, share * TIMEOUT_S)) as peer:
            outcomes = await endure(peer, 4)
            peer.script = right
            assert (await endure(peer, 6, PATIENCE_S))[-1] or await recovers(peer), (share, outcomes)

    await beside_each_other(map(nobody_elses, (0.9, 0.98, 1.0, 1.02, 1.1, 1.5, 2.0, 2.1, 2.5, 3.5)))


WRONG: dict[str, tuple[Script, str]] = {
    "wrong checksum": (lambda r: [r.answer()[:-1] + bytes([r.answer()[-1] ^ 1])], "wrong checksum"),
    "a changed value": (lambda r: [r.answer()[:4] + b"\x77" + r.answer()[5:]], "wrong checksum"),
    "wrong unit": (lambda r: [r.answer(unit=4)], "unit id 4 instead of 3"),
    "wrong function": (lambda r: [r.answer(function=4)], "function code 4 instead of 3"),
    "short": (lambda r: [r.answer(count=r.count - 1)], "byte count"),
    "oversized": (lambda r: [r.answer(count=r.count + 1)], "byte count"),
    "wrong byte count": (lambda r: [r.answer(size=2 * r.count + 2)], "byte count"),
    "doubled": (lambda r: [r.answer() * 2], "more than asked for"),
    "shifted": (lambda r: [r.answer()[1:] + b"\0"], "instead of"),
    "garbage before": (lambda r: [b"\xff\x00" + r.answer()], "unit id 255 instead of 3"),
    "garbage after": (lambda r: [r.answer() + b"\x00"], "1 bytes more than asked for"),
    "an echo": (lambda r: [with_crc(bytes((3, 3, 0, r.first & 255, 0, r.count))) + r.answer()], "byte count 0"),
}


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_any_other_answer_ends_the_connection(way: Way) -> None:
    async def ends_the_connection(name: str) -> None:
        for _ in range(MOST_ATTEMPTS):
            if await _ends_the_connection(way, *WRONG[name]):
                return
        raise AssertionError(f"{name}: the machine is too busy to answer in time")

    await beside_each_other(map(ends_the_connection, WRONG))


async def _ends_the_connection(way: Way, script: Script, text: str) -> bool:
    """False where the machine was too busy to send the wrong answer in time."""
    async with rtu_serving(way, lambda r: script(r) if r.number == 3 else right(r)) as peer:
        endpoint, groups = bus(peer.url, {3: ALIKE}, PATIENCE_S)
        async with connect(endpoint, [groups["D3"]], FixedClock()) as driver:
            with pytest.raises(DeviceError) as caught:  # marker and A were right, B is not
                await driver.read(groups["D3"], 0)
            if "no answer" in str(caught.value):
                return False
            assert re.search(text, str(caught.value))
            assert caught.value.connection_lost
            asked = len(peer.requests)
            with pytest.raises(DeviceError, match=text):
                await driver.read(groups["D3"], 1)
            assert len(peer.requests) == asked == 3
        assert (await endure(peer, 2, PATIENCE_S)) == [True, True] or await recovers(peer)
    return True


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_bytes_before_a_request_end_the_connection(way: Way) -> None:
    async with rtu_serving(way) as peer:
        endpoint, groups = bus(peer.url, {3: ALIKE}, 2 * PATIENCE_S)
        async with connect(endpoint, [groups["D3"]], FixedClock()) as driver:
            assert check(await driver.read(groups["D3"], 0), ALIKE)
            asked = len(peer.requests)
            peer.send(Request(1, 3, 3, 900, 2).answer())  # lies in the system's buffer, unseen by the loop
            with pytest.raises(DeviceError, match="that nobody asked for"):
                await driver.read(groups["D3"], 1)
            assert len(peer.requests) == asked


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_random_mischief_never_gives_a_wrong_value(way: Way) -> None:
    chance = random.Random(7)
    scripts = [script for script, _ in WRONG.values()]

    def mischief(request: Request) -> Iterable[Step]:
        kind = chance.randrange(4)
        if kind == 0:
            return chance.choice(scripts)(request)
        if kind == 1:
            return [(chance.uniform(0, 3 * 0.05), request.answer())]
        return right(request)

    async with rtu_serving(way, mischief) as peer:
        outcomes = await endure(peer, 40, timeout_s=0.05)
        peer.script = right
        assert (await endure(peer, 8, PATIENCE_S))[-1] or await recovers(peer)
    assert {True, False} == set(outcomes)


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_a_line_that_never_falls_silent_is_told(way: Way) -> None:
    async with rtu_serving(way) as peer:
        endpoint, groups = bus(peer.url, {3: ALIKE}, 0.5)
        babbling = asyncio.create_task(babble(peer))
        try:
            with pytest.raises(DeviceError, match=r"does not fall silent for 0\.5 s; .*only master"):
                async with connect(endpoint, [groups["D3"]], FixedClock()):
                    pytest.fail("connected to a line that babbles")
        finally:
            babbling.cancel()
            await asyncio.wait([babbling])


async def babble(peer: RtuPeer) -> None:
    while True:
        peer.send(b"\x55")
        await asyncio.sleep(0.01)


THREE = {unit: {f"T{unit}": f"holding:{100 * unit} uint16", f"U{unit}": f"holding:{100 * unit + 1} uint16"} for unit in (1, 2, 3)}


async def outcome(driver: Driver, group: ScanGroup) -> str:
    try:
        return "right" if check(await driver.read(group, 0), THREE[int(group.layout.device[1:])]) else "bad"
    except DeviceError as exc:
        return "connection lost" if exc.connection_lost else "unit lost"


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_a_silent_unit_costs_one_timeout_and_its_neighbours_nothing_else(way: Way) -> None:
    async with rtu_serving(way, lambda r: [] if r.unit == 2 else right(r)) as peer:
        endpoint, groups = bus(peer.url, THREE, timeout_s := 6 * TIMEOUT_S)  # as much again for a busy machine
        async with connect(endpoint, list(groups.values()), FixedClock()) as driver:
            began_s = time.monotonic()
            assert [await outcome(driver, group) for group in groups.values()] == ["right", "unit lost", "right"]
            assert time.monotonic() - began_s >= timeout_s
            asked = sum(request.unit == 2 for request in peer.requests)
            assert asked == 1, "a second request would cost a second timeout"
            assert await outcome(driver, groups["D2"]) == "unit lost"
            assert sum(request.unit == 2 for request in peer.requests) == asked, "not asked before its answer can't come any more"
            assert peer.connections <= 1


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_the_late_answer_of_a_neighbour_is_known_and_dropped(way: Way) -> None:
    timeout_s = 6 * TIMEOUT_S

    def slow(request: Request) -> Iterable[Step]:
        if request.unit == 2:
            return [(1.3 * timeout_s, request.answer())]
        return [(0.5 * timeout_s, request.answer())]

    async with rtu_serving(way, slow) as peer:
        endpoint, groups = bus(peer.url, {2: THREE[2], 3: THREE[3]}, timeout_s)
        async with connect(endpoint, list(groups.values()), FixedClock()) as driver:
            assert [await outcome(driver, groups[name]) for name in ("D2", "D3", "D3")] == ["unit lost", "right", "right"]
            peer.script = right
            assert [await outcome(driver, groups[name]) for name in ("D2", "D3")] == ["right", "right"]


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_when_nobody_answers_the_connection_is_made_anew(way: Way) -> None:
    async with rtu_serving(way, lambda r: []) as peer:
        endpoint, groups = bus(peer.url, {1: THREE[1], 2: THREE[2]}, 0.05)
        async with connect(endpoint, list(groups.values()), FixedClock()) as driver:
            assert [await outcome(driver, group) for group in groups.values()] == ["unit lost", "connection lost"]


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_refusals_are_the_units_and_the_connection_stays(way: Way) -> None:
    async with rtu_serving(way, lambda r: [r.refusal(11 if r.unit == 2 else 2)] if r.unit > 1 else right(r)) as peer:
        endpoint, groups = bus(peer.url, THREE, 2 * PATIENCE_S)
        async with connect(endpoint, list(groups.values()), FixedClock()) as driver:
            assert [await outcome(driver, group) for group in groups.values()] == ["right", "unit lost", "bad"]
            scan = await driver.read(groups["D3"], 1)
            assert scan.status.tolist() == [Status.BAD_NODE_ID_UNKNOWN] * 2


@where_it_is_prompt(TIMEOUT_S / 4)
async def test_a_cancelled_read_ends_the_connection(way: Way) -> None:
    async with rtu_serving(way, lambda r: []) as peer:
        endpoint, groups = bus(peer.url, {3: ALIKE}, 0.3)
        async with connect(endpoint, [groups["D3"]], FixedClock()) as driver:
            reading = asyncio.create_task(driver.read(groups["D3"], 0))
            await peer.asked.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            with pytest.raises(DeviceError, match="cut off"):
                await driver.read(groups["D3"], 1)
