"""One task per endpoint: the only owner of its connection, its reconnects and the schedule of its devices.

    wait ──> connect ──> poll: due group -> read -> scan ──┐
      ^         │                    │                     │  DeviceError, OSError, TimeoutError
      └─────────┴────────────────────┴── lost scan, gap ◄──┘

Plant faults are data and are retried for ever; anything else is our own bug and ends the daemon. A device that does not
answer waits alone: its neighbours on the same connection go on, after at most one timeout per wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from collector.acquire.clock import TOLERANCE_NS
from collector.acquire.health import Health
from collector.acquire.pace import backoff
from collector.acquire.slots import Cause, Left, Slots
from collector.terms import CauseClass, Event, EventKind
from drivers.base import Clock, DeviceError, Driver, Endpoint, Note, Scan, ScanGroup, Status

PLANT_FAULTS = (DeviceError, OSError, TimeoutError)


Connect = Callable[[Endpoint, Sequence[ScanGroup], Clock], AbstractAsyncContextManager[Driver]]
"""Makes an open driver: a driver package's `connect`."""


class Output(Protocol):
    """Takes what acquisition gives, in its order; must not block."""

    def take(self, scan: Scan) -> None:
        """A scan."""

    def tell(self, event: Event) -> None:
        """An event."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a device gives nothing now."""

    cause: str
    status: int
    kind: CauseClass = CauseClass.DEVICE_DOWN

    @classmethod
    def of(cls, exc: Exception) -> _Fault:
        cause = str(exc) or type(exc).__name__
        if isinstance(exc, DeviceError):
            return cls(cause, exc.status)
        return cls(cause, Status.BAD_TIMEOUT if isinstance(exc, TimeoutError) else Status.BAD_NO_COMMUNICATION)


@dataclass(slots=True)
class _Device:
    """A device's groups, and its own wait after a failure."""

    slots: list[Slots] = field(default_factory=list)
    waits: Iterator[float] | None = None
    retry_ns: int = 0
    fault: _Fault | None = None


class EndpointTask:
    """Polls all scan groups of one endpoint, for ever."""

    def __init__(
        self,
        endpoint: Endpoint,
        groups: Sequence[ScanGroup],
        connect: Connect,
        clock: Clock,
        output: Output,
        health: Health,
        *,
        context_groups: frozenset[str] = frozenset(),
    ) -> None:
        """`context_groups` names the groups that tell the batch context: they are read first in each slot."""
        self._endpoint, self._groups, self._connect = endpoint, groups, connect
        self._clock, self._output, self._health = clock, output, health
        now_ns = clock.now_ns()
        self._anchor_ns = now_ns - clock.monotonic_ns()
        self._shortest_ns = min((group.layout.period_ns for group in groups), default=0)
        self._devices: dict[str, _Device] = {}
        for group in groups:
            device = self._devices.setdefault(group.layout.device, _Device())
            device.slots.append(Slots(group, now_ns, first=group.name in context_groups))
            health.expect(endpoint.name, group.layout.device)

    @property
    def name(self) -> str:
        """Of the endpoint."""
        return self._endpoint.name

    def resume(self, left: Mapping[str, Left]) -> None:
        """Before `run`: tell which slots passed since the run before left each group, by its name."""
        for slots in self._slots():
            if slots.group.name in left and (gap := slots.resume(left[slots.group.name])):
                self._output.tell(gap)

    async def run(self) -> None:
        """Connect, poll, and connect again. Ends only by cancellation or a bug of ours."""
        waits: Iterator[float] | None = None
        try:
            while True:
                try:
                    with _only_our_cancellation():
                        async with self._connect(self._endpoint, self._groups, self._clock) as driver:
                            waits = None
                            told = getattr(driver, "notices", ())
                            self._health.noticed(self.name, "connection", told, self._clock.now_ns())
                            fault = await self._poll(driver)
                            self._excuse(fault)
                except PLANT_FAULTS as exc:
                    _honour_cancellation()
                    waits = waits or self._waits()
                    await self._wait(next(waits), _Fault.of(exc))
        finally:
            now_ns = self._clock.now_ns()
            for slots in self._slots():
                if gap := slots.unfinished(now_ns):
                    self._output.tell(gap)

    def _excuse(self, fault: _Fault) -> None:
        for slots in self._slots():
            slots.excuse(Cause(f"connecting again: {fault.cause}", CauseClass.CONNECTING))

    def _follow_clock(self) -> None:
        """Slots that plant time was moved over are the clock's, unless something else keeps them from being read."""
        anchor_ns = self._clock.now_ns() - self._clock.monotonic_ns()
        moved_ns, self._anchor_ns = anchor_ns - self._anchor_ns, anchor_ns
        if moved_ns > TOLERANCE_NS // 2:  # less is the time between asking for the one and for the other
            for slots in self._slots():
                slots.excuse(Cause(f"clock: plant time was moved forward by {moved_ns / 1e9:.3f} s", CauseClass.CLOCK))

    async def _poll(self, driver: Driver) -> _Fault:
        """Read what is due until the connection is of no more use, and why that is."""
        while True:
            slots = min(self._slots(), key=lambda each: (each.due_ns, not each.first))
            await self._sleep_until(slots.due_ns)
            self._follow_clock()
            device = self._devices[slots.group.layout.device]
            if device.fault and device.retry_ns > self._clock.now_ns():
                self._skip(slots, device.fault)
                continue
            began_ns = self._clock.now_ns()
            try:
                await self._read(driver, slots)
                self._blame(slots, began_ns)
            except PLANT_FAULTS as exc:
                _honour_cancellation()
                self._blame(slots, began_ns)
                fault = _Fault.of(exc)
                self._postpone(device, fault)
                if not isinstance(exc, DeviceError) or exc.connection_lost:
                    return fault
            else:
                device.waits = device.fault = None

    def _blame(self, slow: Slots, began_ns: int) -> None:
        """Slots of others that passed while `slow` was waited for are not the gateway's fault."""
        now_ns = self._clock.now_ns()
        if now_ns - began_ns < self._shortest_ns:
            return
        cause = Cause(f"waiting: {slow.group.name} was waited for, {(now_ns - began_ns) / 1e9:.3f} s", CauseClass.WAITING)
        for slots in self._slots():
            if slots is not slow and slots.has_passed(now_ns) and not slots.has_passed(began_ns):
                slots.excuse(cause)

    def _postpone(self, device: _Device, fault: _Fault) -> None:
        device.waits = device.waits or self._waits()
        device.retry_ns = self._clock.now_ns() + round(next(device.waits) * 1e9)
        device.fault = fault

    async def _read(self, driver: Driver, slots: Slots) -> None:
        slot_ns = slots.take(self._clock.now_ns())
        try:
            with _only_our_cancellation():
                scan = await driver.read(slots.group, slot_ns)
        except PLANT_FAULTS as exc:
            self._lose(slots, slot_ns, _Fault.of(exc))
            raise
        received_ns = self._clock.now_ns()
        if slots.is_late(slot_ns, received_ns):
            took_s, period_s = (received_ns - slot_ns) / 1e9, slots.period_ns / 1e9
            cause = f"late: the answer came {took_s:.3f} s after its slot, the period is {period_s:g} s"
            self._lose(slots, slot_ns, _Fault(cause, Status.BAD_TIMEOUT, CauseClass.LATE), answered=True)
            self._tell_notes(scan if scan.changes is None else replace(scan, notes=(*scan.notes, Note("changes lost", cause))))
            return
        if gap := slots.arrived(slot_ns):
            self._output.tell(gap)
        self._tell_notes(scan)
        self._health.answered(slots.group.layout.device, slot_ns)
        self._output.take(scan)

    def _tell_notes(self, scan: Scan) -> None:
        for note in scan.notes:
            self._output.tell(_told(scan, note))

    def _lose(self, slots: Slots, slot_ns: int, fault: _Fault, *, answered: bool = False) -> None:
        """The slot is lost. A device that answered late is not lost for one such slot, but for two in a row."""
        begins = slots.lost(Cause(fault.cause, fault.kind))
        if not (begins and answered):
            self._health.lost(slots.group.layout.device, slot_ns, fault.cause)
        if begins:
            self._output.take(Scan.of_lost(slots.group.layout, slot_ns, self._clock.now_ns(), fault.status))

    def _skip(self, slots: Slots, fault: _Fault) -> None:
        if (slot_ns := slots.skip(self._clock.now_ns())) is not None:
            self._lose(slots, slot_ns, fault)

    async def _wait(self, wait_s: float, fault: _Fault) -> None:
        """Let slots pass unread for `wait_s`, every device lost."""
        until_ns = self._clock.now_ns() + round(wait_s * 1e9)
        while self._clock.now_ns() < until_ns:
            due_ns = min(slots.due_ns for slots in self._slots())
            await self._sleep_until(min(due_ns, until_ns))
            for slots in self._slots():
                self._skip(slots, fault)

    async def _sleep_until(self, due_ns: int) -> None:
        while (wait_ns := due_ns - self._clock.now_ns()) > 0:  # noqa: ASYNC110  plant time may move while we sleep
            await asyncio.sleep(wait_ns / 1e9)

    def _slots(self) -> Iterator[Slots]:
        return (slots for device in self._devices.values() for slots in device.slots)

    def _waits(self) -> Iterator[float]:
        return backoff(self._endpoint.backoff_s, self._endpoint.backoff_limit_s)


def _told(scan: Scan, note: Note) -> Event:
    layout = scan.layout
    where = {"endpoint": layout.endpoint, "device": layout.device, "group": layout.group}
    return Event(EventKind.SUBSCRIPTION, scan.slot_ns, body={**where, "state": note.state, "cause": note.cause})


@contextmanager
def _only_our_cancellation() -> Iterator[None]:
    """A library may also raise a cancellation that nobody asked for. It is a fault of the connection, for a task that ends as
    cancelled is no error to anybody: its endpoint would never be read again, and nobody would know."""
    try:
        yield
    except asyncio.CancelledError as exc:
        _honour_cancellation()
        text = f"what was asked of the device was given up on this side ({exc!r:.200}): a defect, please report it"
        raise DeviceError(text, status=Status.BAD_COMMUNICATION_ERROR) from exc


def _honour_cancellation() -> None:
    """A library may turn a cancellation into a fault of its own; it is one all the same."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
