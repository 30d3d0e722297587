"""One Modbus TCP connection: the only module that touches pymodbus.

Invariants: read-only (function codes 1 to 4 and no other); one request at a time; after a timeout, a cancelled request
or a single byte that should not have come, the connection is closed and stays so, hence a late answer is never
taken for another's. pymodbus reconnects, retries and parses nothing here: the endpoint owns reconnecting, and answers stay raw.

What pymodbus 3.16 does not do, and is done here through its public trace callbacks:
- it goes on waiting for the whole timeout when the device closes the connection;
- it accepts transaction id 0, any unit id where 0 was asked, and does not compare byte counts;
- it skips what it cannot place and goes on reading, so that the end of one frame may be taken for the beginning of the next;
- it numbers requests from 1 on every connection: a gateway's late answer to the first request before a reconnect would fit
  the first one after it. On the wire the numbers begin anywhere.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable
from typing import Protocol

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException, ModbusIOException
from pymodbus.pdu import ModbusPDU

from config.model import ModbusEndpoint
from drivers.base import DeviceError, Status
from drivers.modbus.answer import AnswerGuard, Refusal
from drivers.modbus.plan import Read

# pymodbus logs an error for each lost answer, and this driver raises what matters: whoever wants its log sets a level.
_LOG = logging.getLogger("pymodbus.logging")
if _LOG.level == logging.NOTSET:
    _LOG.setLevel(logging.CRITICAL)


class _Answer(ModbusPDU):
    """An answer left as it came: pymodbus would make a list of Python ints of it."""

    content = b""

    def decode(self, data: bytes) -> None:
        self.content = data[1:]

    def __str__(self) -> str:
        return f"function {self.function_code}, {len(self.content)} bytes"


class _Coils(_Answer):
    function_code = 1


class _Discretes(_Answer):
    function_code = 2


class _Holdings(_Answer):
    function_code = 3


class _Inputs(_Answer):
    function_code = 4


class _Ask(Protocol):
    def __call__(self, address: int, *, count: int, device_id: int) -> Awaitable[ModbusPDU]: ...


class Connection:
    """To one endpoint; used by the endpoint's task alone, opened once, closed for good."""

    def __init__(self, endpoint: ModbusEndpoint) -> None:
        self._endpoint = endpoint
        self._guard = AnswerGuard()
        self._first_number = secrets.randbelow(0x10000)
        self._broken: tuple[str, int] | None = None
        self._waiting: asyncio.Timeout | None = None
        client = AsyncModbusTcpClient(
            endpoint.host,
            port=endpoint.port,
            name=endpoint.name,
            timeout=endpoint.timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._packet,
            trace_connect=self._connection_changed,
        )
        for answer in (_Coils, _Discretes, _Holdings, _Inputs):
            client.register(answer)
        self._client = client
        self._ask: dict[str, _Ask] = {
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
        }

    async def open(self) -> None:
        """Connect. Raises DeviceError that says why not, within about the endpoint's timeout."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        cancelled = _cancel_requests()
        try:
            connected = await self._client.connect()
        except UnicodeError as exc:
            raise self._unreachable(f"{self._endpoint.host!r} is no host name ({exc})") from exc
        if _cancel_requests() > cancelled:
            raise asyncio.CancelledError
        if connected:
            return
        if loop.time() - began >= self._endpoint.timeout_s:
            raise self._unreachable(f"no answer within {self._endpoint.timeout_s:g} s", Status.BAD_TIMEOUT)
        raise self._unreachable(await self._why_unreachable())

    async def ask(self, unit_id: int, read: Read) -> bytes | Refusal:
        """The content of the answer, `read.size_bytes` long, or the device's refusal. Raises DeviceError on anything else."""
        cancelled = _cancel_requests()
        answer = None if self._broken else await self._exchange(unit_id, read)
        if _cancel_requests() > cancelled:  # before 3.12, asyncio.wait_for loses a cancel that meets the answer
            self.close("a request was cut off")
            raise asyncio.CancelledError
        if answer is not None and not self._broken:
            if isinstance(answer, _Answer) and len(answer.content) == read.size_bytes:
                return answer.content
            if answer.isError():
                return Refusal(answer.exception_code)
            self.close(f"an answer that is none: {answer}")
        assert self._broken
        text, status = self._broken
        raise DeviceError(f"{self._endpoint.url} unit {unit_id} {read}: {text}", status=status)

    def close(self, why: str, status: int = Status.BAD_COMMUNICATION_ERROR) -> None:
        """Close for good; the first reason stays. Whoever waits for an answer is woken."""
        if self._broken is None:
            self._broken = (why, status)
        self._client.close()
        if self._waiting:
            waiting, self._waiting = self._waiting, None
            waiting.reschedule(asyncio.get_running_loop().time())

    async def _exchange(self, unit_id: int, read: Read) -> ModbusPDU | None:
        """One request and its answer; None when the connection broke instead."""
        try:
            async with asyncio.timeout(None) as waiting:
                self._waiting = waiting
                try:
                    return await self._ask[read.table](read.first, count=read.count, device_id=unit_id)
                finally:
                    self._waiting = None
        except TimeoutError:
            self.close("the request was interrupted")  # by close() itself, whose reason stays
        except ModbusIOException:
            limit = f"{self._endpoint.timeout_s:g} s"
            self.close(f"no answer within {limit}: is this unit on, and is timeout_s long enough for it?", Status.BAD_TIMEOUT)
        except ModbusException as exc:
            self.close(f"no request can be made: {exc}")
        except BaseException:
            self.close("a request was cut off")
            raise
        return None

    def _packet(self, sending: bool, packet: bytes) -> bytes:
        """Called by pymodbus with each request, and with all that came since."""
        if sending:
            request = _renumbered(packet, self._first_number)
            self._guard.asked(request)
            return request
        if self._broken is None and (fault := self._guard.fault(packet)):
            self.close(f"the answer is not the one asked for, {fault}; is a Modbus TCP device there?")
        return b"" if self._broken else _renumbered(packet, -self._first_number)

    def _connection_changed(self, connected: bool) -> None:
        """Called by pymodbus when a connection is made, and when it is lost unasked."""
        if not connected:
            self.close("the device closed the connection: does it allow one more client?")

    async def _why_unreachable(self) -> str:
        """pymodbus only logs why: tell at least a wrong name from a wrong port."""
        try:
            await asyncio.get_running_loop().getaddrinfo(self._endpoint.host, self._endpoint.port)
        except OSError as exc:
            return f"host name {self._endpoint.host!r} can't be resolved ({exc})"
        return f"refused or unreachable: is the device on, and does it listen on port {self._endpoint.port}?"

    def _unreachable(self, why: str, status: int = Status.BAD_NO_COMMUNICATION) -> DeviceError:
        return DeviceError(f"{self._endpoint.url}: no connection, {why}", status=status)


def _renumbered(frame: bytes, by: int) -> bytes:
    """`frame`, or the beginning of one, with another transaction id."""
    return (int.from_bytes(frame[:2], "big") + by & 0xFFFF).to_bytes(2, "big") + frame[2:]


def _cancel_requests() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0
