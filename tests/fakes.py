"""Stand-ins on virtual time: an event loop whose clock jumps when nothing is left to do, a scripted plant with its driver,
and an output that remembers.

An hour of polling then takes a second, and every stamp in it is exact: work takes no virtual time, only waiting does.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TypeVar

import numpy as np

from collector.acquire.clock import PlantClock
from collector.terms import Event, EventKind
from config.model import ModbusEndpoint
from drivers.base import Clock, Driver, Endpoint, Scan, ScanGroup

START_NS = 1_732_270_000_123_456_789
"""Plant time at virtual time 0: on nobody's grid."""

DEADLOCK_S = 30.0
"""Real seconds after which a loop that waits for nothing but a thread is taken for stuck."""

HORIZON_S = 6 * 3600
"""Virtual seconds after which a loop is taken for one that never ends."""

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop would wait for a time, the time is made to pass."""

    now_ns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            if not (ready := super().select(DEADLOCK_S)):
                raise RuntimeError("every task waits, and nothing is left that could wake one")
            return ready
        self.now_ns += math.ceil(timeout * 1e9)
        if self.now_ns > HORIZON_S * 1e9:
            raise RuntimeError(f"still running after {HORIZON_S} virtual seconds")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock stands while anything can run, and then jumps to the next timer."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    @property
    def now_ns(self) -> int:
        """Virtual nanoseconds since the loop was made."""
        return self._jumping.now_ns

    def time(self) -> float:
        return self._jumping.now_ns / 1e9


def run_virtually(main: Callable[[VirtualLoop], Coroutine[object, object, T]]) -> T:
    """Run `main(loop)` on a loop of its own; fails when it leaves a task behind."""

    async def alone(loop: VirtualLoop) -> T:
        result = await main(loop)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        return runner.run(alone(loop))


class VirtualWall:
    """A wall clock over a virtual loop, which someone can set; and the plant's clock that looks at it."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.shift_ns = 0
        self._loop = loop
        self.clock = PlantClock(wall_ns=self.wall_ns, monotonic_ns=lambda: loop.now_ns)

    def wall_ns(self) -> int:
        return START_NS + self._loop.now_ns + self.shift_ns


Fault = Callable[[], BaseException]


@dataclass(frozen=True, slots=True)
class Act:
    """What the plant does when asked: after `delay_s` it answers, or raises what `fault` makes."""

    delay_s: float = 0.0
    fault: Fault | None = None

    async def play(self) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.fault:
            raise self.fault()


PROMPT = Act()


def script(acts: Iterable[Act] = (), then: Act = PROMPT) -> Iterator[Act]:
    """`acts` one after another, then `then` for ever."""
    return chain(acts, repeat(then))


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that was asked of the plant, in virtual time; `end_ns` is None when it was cancelled."""

    begin_ns: int
    end_ns: int | None
    failed: bool
    what: str = ""
    slot_ns: int = 0


@dataclass(slots=True)
class FakePlant:
    """One endpoint's far side. `reads` decides per group and slot; connecting and closing follow their scripts.

    It fails the test itself when a second connection is made, or two requests are under way, at a time.
    """

    reads: Callable[[ScanGroup, int], Act] = lambda _group, _slot_ns: PROMPT
    told: Callable[[Scan], Scan] = lambda scan: scan
    """What becomes of a good answer."""
    connecting: Iterator[Act] = field(default_factory=script)
    closing: Iterator[Act] = field(default_factory=script)
    connects: list[Call] = field(default_factory=list)
    asked: list[Call] = field(default_factory=list)
    closes: list[Call] = field(default_factory=list)
    connections: int = 0
    """Being made, open or being closed, now."""
    opened: int = 0
    reading: bool = False

    @asynccontextmanager
    async def connect(self, _endpoint: Endpoint, _groups: Sequence[ScanGroup], clock: Clock) -> AsyncIterator[Driver]:
        """A `collector.acquire.endpoint.Connect`."""
        assert self.connections == 0, "a second connection at a time"
        self.connections += 1
        try:
            await _noted(next(self.connecting), self.connects)
            self.opened += 1
            try:
                yield _FakeDriver(self, clock)
            finally:
                await _noted(next(self.closing), self.closes)
        finally:
            self.connections -= 1


@dataclass(frozen=True, slots=True)
class _FakeDriver:
    plant: FakePlant
    clock: Clock

    async def read(self, group: ScanGroup, slot_ns: int) -> Scan:
        assert not self.plant.reading, "two requests at a time"
        self.plant.reading = True
        try:
            await _noted(self.plant.reads(group, slot_ns), self.plant.asked, group.name, slot_ns)
        finally:
            self.plant.reading = False
        return self.plant.told(answer(group, slot_ns, self.clock.now_ns()))


async def _noted(act: Act, calls: list[Call], what: str = "", slot_ns: int = 0) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    begin_ns = loop.now_ns
    try:
        await act.play()
    except asyncio.CancelledError:
        calls.append(Call(begin_ns, None, failed=True, what=what, slot_ns=slot_ns))
        raise
    except Exception:
        calls.append(Call(begin_ns, loop.now_ns, failed=True, what=what, slot_ns=slot_ns))
        raise
    calls.append(Call(begin_ns, loop.now_ns, failed=False, what=what, slot_ns=slot_ns))


def answer(group: ScanGroup, slot_ns: int, received_ns: int) -> Scan:
    """A good scan that tells in every value which slot it was read for (seconds of the day, exact)."""
    k = len(group.layout.columns)
    values = np.full(k, slot_ns // 1_000_000 % 86_400_000, np.float64)
    return Scan(group.layout, slot_ns, received_ns, values, np.zeros(k, np.uint32), np.zeros(k, np.uint8))


def endpoint_of(devices: dict[str, dict[str, float]], *, backoff_s: float = 1.0, backoff_limit_s: float = 30.0) -> ModbusEndpoint:
    """An endpoint with `{device: {group: period_s}}`, one tag in each group."""
    return ModbusEndpoint.model_validate(
        {
            "name": "plc",
            "url": "modbus://127.0.0.1:502",
            "backoff_s": backoff_s,
            "backoff_limit_s": backoff_limit_s,
            "devices": {
                device: {
                    "unit": "R-201",
                    "groups": {group: {"period_s": period_s} for group, period_s in groups.items()},
                    "tags": {
                        f"{device}-{group}": {"address": f"holding:{i}", "type": "uint16", "group": group}
                        for i, group in enumerate(groups)
                    },
                }
                for device, groups in devices.items()
            },
        }
    )


@dataclass(slots=True)
class Collected:
    """An `Output` that keeps what it was given, in its order."""

    entries: list[Scan | Event] = field(default_factory=list)

    def take(self, scan: Scan) -> None:
        self.entries.append(scan)

    def tell(self, event: Event) -> None:
        self.entries.append(event)

    def scans(self, group: ScanGroup) -> list[Scan]:
        """Those with values."""
        return [scan for scan in self._scans(group) if not scan.lost]

    def lost(self, group: ScanGroup) -> list[Scan]:
        return [scan for scan in self._scans(group) if scan.lost]

    def _scans(self, group: ScanGroup) -> list[Scan]:
        return [entry for entry in self.entries if isinstance(entry, Scan) and entry.layout.id == group.layout.id]

    def gaps(self, group: ScanGroup) -> list[Event]:
        layout = group.layout
        return [
            event
            for event in self.events(EventKind.GAP)
            if (event.body["device"], event.body["group"]) == (layout.device, layout.group)
        ]

    def events(self, kind: EventKind) -> list[Event]:
        return [entry for entry in self.entries if isinstance(entry, Event) and entry.kind is kind]
