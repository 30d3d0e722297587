"""The Modbus driver: blocks of a scan group asked one after another or several at once, decoded once.

A block the device refuses is bad for its own tags only; what makes the connection doubtful ends it (DeviceError), for
wrong values with good status are the one thing that must not happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import numpy as np
import structlog

from config.model import ModbusDevice, ModbusEndpoint
from config.tags import ModbusTag
from drivers.base import Clock, DeviceError, Driver, Scan, ScanGroup, Status, quality_of
from drivers.modbus.answer import Answer, Refusal
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
    connection = Connection(endpoint, [item for reader in readers.values() for item in reader.asks()])
    try:
        await connection.open()
        yield _ModbusDriver(connection, readers)
    finally:
        connection.close("the driver is closed")
        await asyncio.sleep(0)  # the loop closes the socket in its next turn


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

    def asks(self) -> Iterator[tuple[int, Read]]:
        """What is asked in each slot, with the unit id."""
        return ((self._device.unit_id, read) for read in self._blocks.sound())

    async def read(self, connection: Connection, slot_ns: int) -> Scan:
        """Raises DeviceError: also where a gateway answers for a device that does not, which is no answer of the device."""
        now_ns = self._clock.monotonic_ns()
        sound = self._blocks.sound()
        came = await connection.ask_all(self._device.unit_id, sound)
        if self._blocks.at_rest and not self._edges.lost and not any(isinstance(answer, Refusal) for answer in came):
            return self._scan(sound, cast(list[bytes | int], came), slot_ns, self._clock.now_ns())
        told = list(zip(sound, came, strict=True))
        settled = [(read, answer) for read, answer in told if self._settled(read, answer, now_ns)]
        for read in self._blocks.suspects(now_ns):
            answer = await connection.ask(self._device.unit_id, read)
            told.append((read, answer))
            if self._settled(read, answer, now_ns):
                settled.append((read, answer))
        for read in self._blocks.unions():
            if not isinstance(await connection.ask(self._device.unit_id, read), Refusal):
                self._blocks.united(read)
        received_ns = self._clock.now_ns()
        causes = {column: f"{read}: {answer}" for read, answer in told if isinstance(answer, Refusal) for column in read.columns}
        if causes and all(isinstance(answer, Refusal) and answer.status == Status.BAD_NO_COMMUNICATION for _, answer in told):
            where, why = f"unit_id {self._device.unit_id} ({self._device.name})", next(iter(causes.values()))
            raise DeviceError(
                f"{where}: the gateway answers for it: {why}", status=Status.BAD_NO_COMMUNICATION, connection_lost=False
            )
        reads = tuple(read for read, _ in settled)
        answers = [answer.status if isinstance(answer, Refusal) else answer for _, answer in settled]
        self._edges.tell(causes, reads, answers)
        return self._scan(reads, answers, slot_ns, received_ns)

    def _settled(self, read: Read, answer: Answer, now_ns: int) -> bool:
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
            np.zeros(len(got.status), np.uint8) if got.all_good else quality_of(got.status),
            integers=got.integers,
            texts=got.texts,
        )


class _Edges:
    """Logs which tags can't be read any more and why, and which can again: once each."""

    def __init__(self, group: ScanGroup) -> None:
        self._group = group
        self.lost: dict[int, str] = {}
        """Columns that get no values now, with the cause."""

    def tell(self, causes: dict[int, str], reads: Sequence[Read], answers: Sequence[bytes | int]) -> None:
        """`causes`: why a column got no values in a read of this slot; it may have got them in another one."""
        if not (causes or self.lost):
            return
        answered = (read.columns for read, answer in zip(reads, answers, strict=True) if isinstance(answer, bytes))
        good = {column for columns in answered for column in columns}
        back = sorted(self.lost.keys() & good)
        new = {column: cause for column, cause in causes.items() if column not in good and column not in self.lost}
        self.lost = {column: cause for column, cause in (self.lost | new).items() if column not in good}
        for cause in dict.fromkeys(new.values()):
            columns = [column for column in sorted(new) if new[column] == cause]
            _log.warning("tags lost", group=self._group.name, tags=self._names(columns), cause=cause)
        if back:
            _log.info("tags back", group=self._group.name, tags=self._names(back))

    def _names(self, columns: Sequence[int]) -> list[str]:
        return [self._group.tags[column].name for column in columns]
