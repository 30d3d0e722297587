"""Every slot ends exactly once, whatever the plant does: random plants, random faults, stopped at random moments."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from collector.acquire.endpoint import EndpointTask
from collector.acquire.health import Health
from collector.terms import EventKind
from drivers.base import DeviceError, ScanGroup, Status, scan_groups
from tests.fakes import (
    START_NS,
    Act,
    Call,
    Collected,
    FakePlant,
    Fault,
    VirtualLoop,
    VirtualWall,
    endpoint_of,
    run_virtually,
    script,
)
from tests.unit.acquire.tiling import assert_tiled

BACKOFF_S = 1.0
SECOND_NS = 1_000_000_000


def silent_device() -> Exception:
    return DeviceError("unit 7 does not answer", status=Status.BAD_TIMEOUT, connection_lost=False)


def broken_connection() -> Exception:
    return DeviceError("closed by the server", status=Status.BAD_COMMUNICATION_ERROR)


FAULTS: tuple[Fault, ...] = (
    silent_device,
    broken_connection,
    ConnectionResetError,
    TimeoutError,
    lambda: OSError(113, "No route to host"),
)
delays = st.sampled_from([0.0, 0.001, 0.05, 0.3, 0.9, 1.0, 1.1, 2.5, 7.0])
acts = st.builds(Act, delays, st.none() | st.sampled_from(FAULTS))
faults = st.builds(Act, delays, st.sampled_from(FAULTS))
closes = st.builds(Act, st.sampled_from([0.0, 0.2, 3.0]), st.sampled_from([None, None, ConnectionResetError, TimeoutError]))
periods = st.sampled_from([0.2, 0.5, 1.0, 2.0, 5.0, 1 / 3])


@dataclass(frozen=True)
class Story:
    """A plant and what happens to it."""

    periods_s: list[list[float]]
    reads: list[list[Act]]
    connecting: list[Act]
    closing: list[Act]
    stop_s: float
    context: bool
    wall_steps: list[tuple[float, float]]


@dataclass
class Played:
    """What came of it."""

    plant: FakePlant
    groups: tuple[ScanGroup, ...]
    collected: Collected = field(default_factory=Collected)


stories = st.builds(
    Story,
    st.lists(st.lists(periods, min_size=1, max_size=2), min_size=1, max_size=3),
    st.lists(st.lists(acts, max_size=12), min_size=3, max_size=3),
    st.lists(faults | acts, max_size=4),
    st.lists(closes, max_size=6),
    st.floats(0, 25),
    st.booleans(),
    st.lists(st.tuples(st.floats(0, 20), st.sampled_from([-5.0, -0.5, 0.05, 0.3, 4.0])), max_size=2),
)


async def play(story: Story, loop: VirtualLoop) -> Played:
    endpoint = endpoint_of(
        {f"d{i}": {f"g{j}": period_s for j, period_s in enumerate(groups)} for i, groups in enumerate(story.periods_s)},
        backoff_s=BACKOFF_S,
        backoff_limit_s=4.0,
    )
    scripts: dict[str, Iterator[Act]] = {f"d{i}": script(acts) for i, acts in enumerate(story.reads)}
    plant = FakePlant(
        lambda group, _slot_ns: next(scripts[group.layout.device]),
        connecting=script(story.connecting),
        closing=script(story.closing),
    )
    played = Played(plant, scan_groups(endpoint))
    wall = VirtualWall(loop)
    context = frozenset({played.groups[0].name}) if story.context else frozenset()
    task = asyncio.create_task(
        EndpointTask(
            endpoint,
            played.groups,
            plant.connect,
            wall.clock,
            played.collected,
            Health(played.collected.tell),
            context_groups=context,
        ).run()
    )
    set_wall = asyncio.create_task(_set(wall, story.wall_steps))
    await asyncio.wait([task], timeout=story.stop_s)
    set_wall.cancel()
    for _ in range(len(story.closing) + 1):  # once must do, see test_endpoint; here it is about slots
        task.cancel()
        await asyncio.wait([task], timeout=60)
    with suppress(asyncio.CancelledError):
        await set_wall
    with suppress(asyncio.CancelledError):
        await task
    return played


async def _set(wall: VirtualWall, steps: list[tuple[float, float]]) -> None:
    for after_s, step_s in steps:
        await asyncio.sleep(after_s)
        wall.shift_ns += round(step_s * 1e9)
        wall.clock.follow()


@given(stories)
def test_every_slot_ends_exactly_once_and_nothing_hurries(story: Story) -> None:
    played = run_virtually(lambda loop: play(story, loop))
    for i, group in enumerate(played.groups):
        assert_tiled(played.collected, group, START_NS, first=story.context and i == 0)
    _assert_connections(played.plant)
    if not story.wall_steps:  # they move plant time, and with it the end of a wait
        _assert_backoff(played)
    _assert_edges(played.collected)


def _assert_connections(plant: FakePlant) -> None:
    assert plant.connections == 0, "left open"
    assert plant.opened == len(plant.closes), "every driver that was opened is closed"
    excuses = sum(call.failed for calls in (plant.connects, plant.asked, plant.closes) for call in calls)
    assert len(plant.connects) <= 1 + excuses, "connected again without a reason"


def _assert_backoff(played: Played) -> None:
    for device in {group.layout.device for group in played.groups}:
        _assert_waits([call for call in played.plant.asked if call.what.split("/")[1] == device])
    _assert_waits(played.plant.connects)


def _assert_waits(calls: list[Call]) -> None:
    for before, after in pairwise(calls):
        if before.failed and before.end_ns is not None:
            assert after.begin_ns - before.end_ns >= 0.8 * BACKOFF_S * SECOND_NS * (1 - 1e-9)


def _assert_edges(collected: Collected) -> None:
    states: dict[object, object] = {}
    for event in collected.events(EventKind.DEVICE):
        device, state = event.body["device"], event.body["state"]
        assert states.get(device) != state, f"{device} is {state} already"
        assert bool(event.body["cause"]) == (state == "lost"), "a loss says why"
        states[device] = state
