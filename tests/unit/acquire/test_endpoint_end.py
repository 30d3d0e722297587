"""How an endpoint's task ends: at the first cancellation, everything closed, and every slot until then told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from collector.acquire.endpoint import EndpointTask
from collector.acquire.health import Health
from collector.acquire.pace import spread
from drivers.base import Clock, Driver, Endpoint, Scan, ScanGroup, scan_groups
from tests.fakes import PROMPT, START_NS, Act, Collected, FakePlant, VirtualLoop, VirtualWall, endpoint_of, run_virtually, script
from tests.unit.acquire.bench import Bench, dropped, stopped
from tests.unit.acquire.tiling import assert_tiled


@pytest.mark.parametrize("fault", [ConnectionResetError, TimeoutError, dropped])
def test_cancelled_once_it_ends_though_closing_fails(fault: Callable[[], Exception]) -> None:
    """The daemon cancels once and waits; a task that takes the cancellation for a plant fault would hang its shutdown."""
    bench = Bench({"a": {"main": 1.0}}, FakePlant(closing=script([Act(0.1, fault)]))).run(5.25)
    assert bench.plant.connections == 0


def test_cancelled_once_it_ends_though_the_driver_takes_it_for_a_timeout() -> None:
    run_virtually(_cancel_a_read_that_makes_a_fault_of_it)


async def _cancel_a_read_that_makes_a_fault_of_it(loop: VirtualLoop) -> None:
    class Confused:
        async def read(self, _group: ScanGroup, _slot_ns: int) -> Scan:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                raise TimeoutError("no answer") from None
            raise AssertionError

    @asynccontextmanager
    async def connect(_endpoint: Endpoint, _groups: Sequence[ScanGroup], _clock: Clock) -> AsyncIterator[Driver]:
        yield Confused()

    endpoint, collected = endpoint_of({"a": {"main": 1.0}}), Collected()
    wall = VirtualWall(loop)
    work = EndpointTask(endpoint, scan_groups(endpoint), connect, wall.clock, collected, Health(collected.tell))
    task = asyncio.create_task(work.run())
    await asyncio.sleep(5)
    await stopped(task)


def _assert_told_until_the_stop(bench: Bench) -> None:
    """Every slot whose time of reading had come by the stop is a scan or in a gap: no silent hole until the restart's."""
    for group in bench.groups:
        slots = assert_tiled(bench.collected, group, START_NS)
        period_ns = group.layout.period_ns
        due_ns = bench.stopped_ns - spread(group.name, period_ns)
        assert slots, f"{group.name}: none of its slots is told"
        assert slots[-1] == due_ns - due_ns % period_ns, f"{group.name}: slots before the stop that nobody tells"


def test_slots_that_passed_during_a_long_connect_are_told_at_the_stop() -> None:
    acts = script([PROMPT] * 3 + [Act(fault=dropped)])
    plant = FakePlant(lambda _group, _slot_ns: next(acts), connecting=script([PROMPT], then=Act(3600)))
    _assert_told_until_the_stop(Bench({"a": {"main": 1.0}}, plant).run(30.2))


def test_slots_that_passed_during_the_first_connect_are_told_at_the_stop() -> None:
    _assert_told_until_the_stop(Bench({"a": {"main": 1.0}}, FakePlant(connecting=script([Act(3600)]))).run(30.2))


def test_slots_that_passed_during_a_neighbours_request_are_told_at_the_stop() -> None:
    acts = {"dead": script([PROMPT] * 3, then=Act(3600)), "well": script()}
    plant = FakePlant(lambda group, _slot_ns: next(acts[group.layout.device]))
    _assert_told_until_the_stop(Bench({"dead": {"main": 1.0}, "well": {"main": 1.0}}, plant).run(30.2))


def test_slots_that_passed_while_waiting_are_told_at_the_stop() -> None:
    _assert_told_until_the_stop(Bench({"a": {"main": 1.0}}, FakePlant(connecting=script(then=Act(0.1, TimeoutError)))).run(30.2))


@pytest.mark.parametrize("place", ["reading", "connecting", "closing"])
def test_a_cancellation_that_nobody_asked_for_ends_nothing(place: str) -> None:
    """A library lets one of its own out: the endpoint says so and goes on; it must not end as if it had been stopped."""
    strange = Act(fault=asyncio.CancelledError)
    acts = script([PROMPT] * 3 + ([strange] if place == "reading" else [Act(fault=dropped)]))
    plant = FakePlant(
        lambda _group, _slot_ns: next(acts),
        connecting=script([PROMPT, strange] if place == "connecting" else []),
        closing=script([strange] if place == "closing" else []),
    )
    bench = Bench({"a": {"main": 1.0}}, plant).run(30.2)
    _assert_told_until_the_stop(bench)
    assert len(bench.collected.scans(bench.groups[0])) > 20
    assert plant.opened == 2
    assert bench.edges("a") == ["answers", "lost", "answers"]
