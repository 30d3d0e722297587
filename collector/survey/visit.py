"""Visits an endpoint: connects as the daemon does, reads every scan group once, and asks an OPC UA server for what it tells
of its variables.

What fails costs its own device only: a device that gives nothing is told with the reason, the connection is made anew where
it is of no more use, and the others go on. The deadline ends a visit whatever the endpoint does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from collector.survey.reading import Reading, Value, Visit
from config.model import ModbusEndpoint
from config.tags import Kind
from drivers.base import Clock, DeviceError, Driver, Endpoint, Quality, Scan, ScanGroup, Status, scan_groups
from drivers.modbus.session import connect as connect_modbus
from drivers.opcua.learned import TOO_LARGE
from drivers.opcua.session import Session
from drivers.opcua.session import connect as connect_opcua

PLANT_FAULTS = (DeviceError, OSError, TimeoutError)
MOST_READS, PATIENCE = 24, 4
"""Of a Modbus group: the driver looks for the tags that a device lacks over several reads, and some bring none back."""

Progress = Callable[[str], None]
"""Takes a sentence on what has just been done."""


class DriversWords:
    """What the drivers log of single tags, kept to be shown beside them instead."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], str] = {}

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """As the last processor of structlog."""
        words = event.get("reason") or event.get("advice") or event.get("cause") or ""
        for tag in event.get("tags") or [event.get("tag")]:
            self._said[str(event.get("group")), str(tag)] = str(words)
        raise structlog.DropEvent

    def of(self, group: str, tag: str) -> str:
        """Empty where nothing was said."""
        return self._said.get((group, tag), "")


async def visit(
    endpoint: Endpoint, clock: Clock, deadline_s: float, words: DriversWords, progress: Progress = lambda _: None
) -> Visit:
    """Everything that `endpoint` gives within `deadline_s`."""
    began_ns = clock.monotonic_ns()
    visitor = _Visitor(endpoint, clock, words, progress)
    try:
        async with asyncio.timeout(deadline_s):
            await visitor.run()
    except TimeoutError:
        visitor.give_up(f"not done within the deadline of {deadline_s:g} s")
    return visitor.told((clock.monotonic_ns() - began_ns) / 1e9)


@dataclass(slots=True)
class _Visitor:
    endpoint: Endpoint
    clock: Clock
    words: DriversWords
    progress: Progress
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    """By the layout of the group."""
    lost: dict[str, str] = field(default_factory=dict)
    """Devices by name, with the reason."""
    untold: str = ""
    waiting: list[ScanGroup] = field(default_factory=list)

    async def run(self) -> None:
        self.waiting = list(scan_groups(self.endpoint))
        while self.waiting:
            try:
                async with self._connected() as driver:
                    self.progress(f"{self.endpoint.name}: connected")
                    await self._read_all(driver)
            except PLANT_FAULTS as exc:
                _honour_cancellation()
                self.give_up(_cause(exc))

    def _connected(self) -> AbstractAsyncContextManager[Driver]:
        if isinstance(self.endpoint, ModbusEndpoint):
            return connect_modbus(self.endpoint, self.waiting, self.clock)
        # A subscription has told nothing yet when it is read once.
        return connect_opcua(self.endpoint, self.waiting, self.clock, subscribe=False)

    async def _read_all(self, driver: Driver) -> None:
        """Read what waits; ends early, with less waiting, when the connection is of no more use."""
        while self.waiting:
            group = self.waiting[0]
            try:
                scan = await self._read(driver, group)
            except PLANT_FAULTS as exc:
                _honour_cancellation()
                if isinstance(exc, DeviceError) and exc.connection_lost and exc.status in TOO_LARGE:
                    return  # the driver asks for less on the next connection, in the end without the tag that is to blame
                self._lose(group.device.name, _cause(exc))
                if not isinstance(exc, DeviceError) or exc.connection_lost:
                    return
                continue
            self.waiting.pop(0)
            self.readings[group.layout.id] = _readings(group, scan, self.words)
            if not await self._describe(driver, group):
                return

    async def _read(self, driver: Driver, group: ScanGroup) -> Scan:
        scan = await driver.read(group, self.clock.now_ns())
        if not isinstance(self.endpoint, ModbusEndpoint):
            return scan
        missing, patience = _missing(scan), PATIENCE
        for _ in range(MOST_READS - 1):
            if not missing or not patience:
                break
            scan = await driver.read(group, self.clock.now_ns())
            before, missing = missing, _missing(scan)
            patience = PATIENCE if missing < before else patience - 1
        return scan

    async def _describe(self, driver: Driver, group: ScanGroup) -> bool:
        """Add what the server tells of the variables; False when the connection is of no more use."""
        if not isinstance(driver, Session) or self.untold:
            return True
        try:
            told = await driver.describe(group)
        except PLANT_FAULTS as exc:
            _honour_cancellation()
            self.untold = _cause(exc)
            return isinstance(exc, DeviceError) and not exc.connection_lost
        readings = self.readings[group.layout.id]
        self.readings[group.layout.id] = [
            replace(reading, description=description) for reading, description in zip(readings, told, strict=True)
        ]
        return True

    def _lose(self, device: str, cause: str) -> None:
        self.lost.setdefault(device, cause)
        self.waiting = [group for group in self.waiting if group.device.name != device]

    def give_up(self, cause: str) -> None:
        """What still waits is lost."""
        for group in tuple(self.waiting):
            self._lose(group.device.name, cause)

    def told(self, took_s: float) -> Visit:
        groups = scan_groups(self.endpoint)
        readings = tuple(reading for group in groups for reading in self.readings.get(group.layout.id, ()))
        return Visit(self.endpoint, readings, tuple(self.lost.items()), self.untold, took_s)


def _readings(group: ScanGroup, scan: Scan, words: DriversWords) -> list[Reading]:
    return [
        Reading(
            group.device.name,
            group.device.unit_of(tag),
            tag,
            value,
            Quality(int(scan.quality[column])),
            int(scan.status[column]),
            0 if scan.source_ns is None else int(scan.source_ns[column]),
            scan.received_ns,
            advice=words.of(group.name, tag.name),
        )
        for column, (tag, value) in enumerate(zip(group.tags, _values(scan), strict=True))
    ]


def _values(scan: Scan) -> Sequence[Value | None]:
    """Each column's exact value, None where it is bad."""
    integers, texts = iter(scan.integers.tolist()), iter(scan.texts)
    values: list[Value | None] = []
    for column, number, quality in zip(scan.layout.columns, scan.values.tolist(), scan.quality.tolist(), strict=True):
        value: Value = number
        if column.kind is Kind.INTEGER:
            value = next(integers)
        elif column.kind is Kind.TEXT:
            value = next(texts)
        elif column.kind is Kind.BOOLEAN:
            value = bool(number)
        values.append(None if quality >= Quality.BAD else value)
    return values


def _missing(scan: Scan) -> int:
    return int((scan.status == Status.BAD_NODE_ID_UNKNOWN).sum())


def _cause(exc: Exception) -> str:
    return str(exc) or type(exc).__name__


def _honour_cancellation() -> None:
    """A library may turn a cancellation into a fault of its own; it is one all the same."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
