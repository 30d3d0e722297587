"""A scripted plant with its endpoint's task, run for a while on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from collector.acquire.endpoint import EndpointTask
from collector.acquire.health import Health
from collector.terms import EventKind
from drivers.base import DeviceError, ScanGroup, Status, scan_groups
from tests.fakes import Collected, FakePlant, VirtualLoop, VirtualWall, endpoint_of, run_virtually

SECOND_NS = 1_000_000_000


def silent() -> Exception:
    return DeviceError("unit 7 does not answer", status=Status.BAD_TIMEOUT, connection_lost=False)


def dropped() -> Exception:
    return DeviceError("closed by the server", status=Status.BAD_COMMUNICATION_ERROR)


@dataclass
class Bench:
    """A plant with its endpoint's task, for a while."""

    devices: dict[str, dict[str, float]]
    plant: FakePlant = field(default_factory=FakePlant)
    context: frozenset[str] = frozenset()
    collected: Collected = field(default_factory=Collected)
    stopped_ns: int = 0

    def run(self, seconds: float, meanwhile: Callable[[VirtualWall], Awaitable[None]] | None = None) -> Bench:
        run_virtually(lambda loop: self._run(loop, seconds, meanwhile))
        return self

    async def _run(self, loop: VirtualLoop, seconds: float, meanwhile: Callable[[VirtualWall], Awaitable[None]] | None) -> None:
        endpoint = endpoint_of(self.devices)
        wall = VirtualWall(loop)
        health = Health(self.collected.tell)
        work = EndpointTask(
            endpoint, self.groups, self.plant.connect, wall.clock, self.collected, health, context_groups=self.context
        )
        task = asyncio.create_task(work.run())
        if meanwhile:
            await meanwhile(wall)
        await asyncio.wait([task], timeout=seconds - loop.time())
        self.stopped_ns = wall.clock.now_ns()
        await stopped(task)

    @property
    def groups(self) -> tuple[ScanGroup, ...]:
        return scan_groups(endpoint_of(self.devices))

    def classes(self, device: str) -> list[str]:
        return [str(gap.body["cause_class"]) for gap in self.collected.events(EventKind.GAP) if gap.body["device"] == device]

    def causes(self, device: str) -> list[str]:
        return [str(gap.body["cause"]) for gap in self.collected.events(EventKind.GAP) if gap.body["device"] == device]

    def missed(self, group: ScanGroup) -> int:
        return sum(int(str(gap.body["slots"])) for gap in self.collected.gaps(group))

    def edges(self, device: str) -> list[str]:
        events = self.collected.events(EventKind.DEVICE)
        return [str(event.body["state"]) for event in events if event.body["device"] == device]


async def stopped(task: asyncio.Task[None]) -> None:
    """Cancelled once, as the daemon does; raises what the task raised."""
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=30)
    ended = bool(done)
    while not task.done():  # so that a task which did not end can't hold up the other tests
        task.cancel()
        await asyncio.wait([task], timeout=30)
    with suppress(asyncio.CancelledError):
        task.result()
    assert ended, "cancelled once, it went on"
