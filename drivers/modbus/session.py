"""The Modbus TCP driver: blocks of a scan group asked one after another, decoded once.

A block the device refuses is bad for its own tags only; what makes the connection doubtful ends it (DeviceError), for
wrong values with good status are the one thing that must not happen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import structlog

from config.model import ModbusDevice, ModbusEndpoint
from config.tags import ModbusTag
from drivers.base import Clock, DeviceError, Driver, Scan, ScanGroup, Status, quality_of
from drivers.modbus.answer import Refusal
from drivers.modbus.blocks import Blocks
from drivers.modbus.connection import Connection
from drivers.modbus.decode import Decoder
from drivers.modbus.plan import Read

_log = structlog.get_logger()


@asynccontextmanager
async def connect(endpoint: ModbusEndpoint, groups: Sequence[ScanGroup], clock: Clock) -> AsyncIterator[Driver]:
    """A driver for `groups` of `endpoint`, connected; closed on the way out.

    Raises DeviceError when there is no connection, ValueError when a tag fits in no legal read of its device.
    """
    readers = {group.layout.id: _GroupReader(group, clock) for group in groups}
    connection = Connection(endpoint)
    try:
        await connection.open()
        yield _ModbusDriver(connection, readers)
    finally:
        connection.close("the driver is closed")


class _ModbusDriver:
    def __init__(self, connection: Connection, readers: dict[str, _GroupReader]) -> None:
        self._connection = connection
        self._readers = readers

    async def read(self, group: ScanGroup, slot_ns: int) -> Scan:
        return await self._readers[group.layout.id].read(self._connection, slot_ns)


class _GroupReader:
    """Reads one scan group, and remembers for the connection what its device refuses."""

    def __init__(self, group: ScanGroup, clock: Clock) -> None:
        self._layout = group.layout
        self._device = cast(ModbusDevice, group.device)
        self._tags = cast(tuple[ModbusTag, ...], group.tags)
        self._clock = clock
        self._blocks = Blocks(self._tags, self._device)
        self._decoder = Decoder(self._layout, self._tags, ())
        self._edges = _Edges(group)

    async def read(self, connection: Connection, slot_ns: int) -> Scan:
        """Raises DeviceError: also where a gateway answers for a device that does not, which is no answer of the device."""
        reads: list[Read] = []
        answers: list[bytes | int] = []
        causes: dict[int, str] = {}
        silent = True
        now_ns = self._clock.monotonic_ns()
        for read in self._blocks.reads(now_ns):
            answer = await connection.ask(self._device.unit_id, read)
            if isinstance(answer, Refusal):
                causes.update(dict.fromkeys(read.columns, f"{read}: {answer}"))
            silent = silent and isinstance(answer, Refusal) and answer.status == Status.BAD_NO_COMMUNICATION
            if self._settled(read, answer, now_ns):
                reads.append(read)
                answers.append(answer.status if isinstance(answer, Refusal) else answer)
        received_ns = self._clock.now_ns()
        if causes and silent:
            where, why = f"unit_id {self._device.unit_id} ({self._device.name})", next(iter(causes.values()))
            raise DeviceError(
                f"{where}: the gateway answers for it: {why}", status=Status.BAD_NO_COMMUNICATION, connection_lost=False
            )
        self._edges.tell(causes, reads, answers)
        return self._scan(tuple(reads), answers, slot_ns, received_ns)

    def _settled(self, read: Read, answer: bytes | Refusal, now_ns: int) -> bool:
        """False when the device lacks an address of `read`, so that its tags are now looked for in smaller reads."""
        if not isinstance(answer, Refusal):
            self._blocks.answered(read)
        elif not answer.address_refused:
            self._blocks.failed(read)
        else:
            self._blocks.refused(read, now_ns)
            return False
        return True

    def _scan(self, reads: tuple[Read, ...], answers: Sequence[bytes | int], slot_ns: int, received_ns: int) -> Scan:
        if reads != self._decoder.reads:
            self._decoder = Decoder(self._layout, self._tags, reads)
        got = self._decoder.decode(answers)
        return Scan(
            self._layout,
            slot_ns,
            received_ns,
            got.values,
            got.status,
            quality_of(got.status),
            integers=got.integers,
            texts=got.texts,
        )


class _Edges:
    """Logs which tags can't be read any more and why, and which can again: once each."""

    def __init__(self, group: ScanGroup) -> None:
        self._group = group
        self._lost: dict[int, str] = {}

    def tell(self, causes: dict[int, str], reads: Sequence[Read], answers: Sequence[bytes | int]) -> None:
        """`causes`: why a column got no values in a read of this slot; it may have got them in another one."""
        if not (causes or self._lost):
            return
        answered = (read.columns for read, answer in zip(reads, answers, strict=True) if isinstance(answer, bytes))
        good = {column for columns in answered for column in columns}
        back = sorted(self._lost.keys() & good)
        new = {column: cause for column, cause in causes.items() if column not in good and column not in self._lost}
        self._lost = {column: cause for column, cause in (self._lost | new).items() if column not in good}
        for cause in dict.fromkeys(new.values()):
            columns = [column for column in sorted(new) if new[column] == cause]
            _log.warning("tags lost", group=self._group.name, tags=self._names(columns), cause=cause)
        if back:
            _log.info("tags back", group=self._group.name, tags=self._names(back))

    def _names(self, columns: Sequence[int]) -> list[str]:
        return [self._group.tags[column].name for column in columns]
