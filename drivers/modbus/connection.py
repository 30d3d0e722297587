"""One Modbus connection of any transport: requests out, their answers in, and nothing else believed.

    closed ◄── fault, timeout, cancel ── open ◄── quiet ◄── open_transport        quiet: RTU framing only

Invariants: read-only (functions 1 to 4 and no other); at most `pipeline` requests wait at once; after a cancelled request or
a single byte that should not have come the connection is closed and stays so, for good. A late answer is never taken for
another's:

- TCP and TLS number their requests. A timeout closes the connection; whatever comes then fits no number.
- RTU frames have no number, and a gateway or a line may deliver a late answer into the next connection. So a connection begins
  only when the line was silent for one timeout. A unit that did not answer is not asked again before another timeout has
  passed; meanwhile the others are, for their answers differ by their unit id, and its late answer is known and dropped. Then,
  and at the beginning, a unit is first asked for something whose answer no other read can be taken for (`plan.marker`):
  devices answer in order, so behind that answer no older one can come, however late.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Sequence
from typing import cast

from config.model import ModbusEndpoint
from drivers.base import DeviceError, Status
from drivers.deadlines import Deadlines
from drivers.modbus.answer import Answer, Answers, NotAsked
from drivers.modbus.doubt import Doubts
from drivers.modbus.framing import Framing, Rtu, Tcp
from drivers.modbus.inquiry import Inquiry
from drivers.modbus.plan import Read
from drivers.modbus.transport import Stream, Transport, open_stream, why_unreachable

_MOST_QUIETS = 4
"""So many timeouts a line may take to fall silent."""


class _Request:
    """A read of an inquiry that waits for its answer. `done` and `set_exception` are for its deadline."""

    __slots__ = ("at", "connection", "inquiry", "key", "waits")

    def __init__(self, connection: Connection, inquiry: Inquiry, at: int, key: bytes) -> None:
        self.connection, self.inquiry, self.at, self.key = connection, inquiry, at, key
        self.waits = True

    def done(self) -> bool:
        return not self.waits

    def set_exception(self, _: BaseException, /) -> None:
        self.connection.silent(self.key, self.inquiry)


class Connection(asyncio.Protocol):
    """To one endpoint; used by the endpoint's task alone, opened once, closed for good."""

    def __init__(self, endpoint: ModbusEndpoint, reads: Sequence[tuple[int, Read]] = ()) -> None:
        """`reads`: what will be asked, by unit id."""
        self._endpoint = endpoint
        self._framing: Framing = Rtu() if endpoint.transport in ("rtu", "serial") else Tcp()
        self._answers = Answers(self._framing)
        self._doubts = Doubts((device.unit_id for device in endpoint.devices), reads, endpoint.timeout_s)
        self._transport: Transport | None = None
        self._broken: tuple[str, int] | None = None
        self._waiting: dict[bytes, _Request] = {}
        self._deadlines = Deadlines(endpoint.timeout_s)
        self._last_byte_s = 0.0
        self._quiet = self._framing.numbered
        self._gap_s = 0.0

    async def open(self) -> None:
        """Connect. Raises DeviceError that says why not, within about the endpoint's timeout; RTU takes one more, or a few."""
        try:
            if self._endpoint.transport == "serial":
                self._open_serial()
            else:
                await open_stream(self._endpoint, self)
        except TimeoutError:
            raise self._unreachable(f"no answer within {self._endpoint.timeout_s:g} s", Status.BAD_TIMEOUT) from None
        except (OSError, ValueError) as exc:
            raise self._unreachable(why_unreachable(self._endpoint, exc)) from exc
        if not self._framing.numbered:
            await self._until_quiet()

    async def ask(self, unit_id: int, read: Read) -> Answer:
        """The data of the answer, `read.size_bytes` long, or the device's refusal. Raises DeviceError on anything else."""
        if not self._framing.numbered:
            await self._make_sure(unit_id, read)
        return (await self._inquire(unit_id, (read,)))[0]

    async def ask_all(self, unit_id: int, reads: Sequence[Read]) -> list[Answer]:
        """The same for several, as many at once as the endpoint allows."""
        if not self._framing.numbered:
            return [await self.ask(unit_id, read) for read in reads]
        return await self._inquire(unit_id, reads) if reads else []

    def close(self, why: str, status: int = Status.BAD_COMMUNICATION_ERROR) -> None:
        """Close for good; the first reason stays. Whoever waits for an answer is woken."""
        if self._broken is None:
            self._broken = (why, status)
        if self._transport:
            self._transport.abort()
        self._deadlines.end()
        waiting, self._waiting = self._waiting, {}
        for request in waiting.values():
            request.inquiry.end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called when a socket is connected."""
        self._transport = Stream(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        """Called with what came, in pieces of any size."""
        if self._broken:
            return
        if not self._framing.numbered:
            self._last_byte_s = asyncio.get_running_loop().time()
        if not self._quiet:
            return  # what an earlier connection was owed
        try:
            complete = self._answers.received(data)
        except NotAsked as exc:
            self.close(f"the answer is not the one asked for, {exc}; {self._framing.hint}")
            return
        for key, answer in complete:
            request = self._waiting.pop(key, None)
            if request is None or answer is None:
                self._doubts.came(key[0])
                continue
            request.waits = False
            request.inquiry.answered(request.at, answer)
            self._ask_next(request.inquiry)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when the other side ends it, or the wire."""
        if self._endpoint.transport == "serial":
            self.close(f"the serial port is gone ({exc or 'end of file'})")
        else:
            self.close("the device closed the connection: does it allow one more client?")

    def _open_serial(self) -> None:
        from drivers.modbus.serial_line import SerialLine, gap_s  # noqa: PLC0415  only where there is termios

        self._gap_s = gap_s(self._endpoint.baudrate)
        self._transport = SerialLine(self._endpoint, self)

    async def _inquire(self, unit_id: int, reads: Sequence[Read]) -> list[Answer]:
        inquiry = Inquiry(unit_id, reads, asyncio.get_running_loop().create_future())
        for _ in range(self._endpoint.pipeline):
            self._ask_next(inquiry)
        try:
            await inquiry.over
        except asyncio.CancelledError:
            self.close("a request was cut off")
            raise
        answers = inquiry.answers
        if answers is None or self._broken:
            raise self._failed(unit_id, inquiry.oldest)
        return answers

    def _ask_next(self, inquiry: Inquiry) -> None:
        if self._broken or not self._transport:
            inquiry.end()
        elif upcoming := inquiry.next():
            at, read = upcoming
            request, key = self._answers.asked(inquiry.unit_id, read)
            self._waiting[key] = waiting = _Request(self, inquiry, at, key)
            self._deadlines.watch(waiting)
            self._transport.send(request)

    def silent(self, key: bytes, inquiry: Inquiry) -> None:
        """A deadline has passed. On a shared line without numbers it is the unit's alone, while others still answer."""
        limit = f"{self._endpoint.timeout_s:g} s"
        text = f"no answer within {limit}: is this unit on, and is timeout_s long enough for it?"
        if self._framing.numbered or self._answers.half_an_answer:
            self.close(text, Status.BAD_TIMEOUT)
            return
        self._answers.forsake(key)
        self._doubts.begin(inquiry.unit_id, text, asyncio.get_running_loop().time())
        del self._waiting[key]
        inquiry.end()
        if self._doubts.of_all:
            self.close(text, Status.BAD_TIMEOUT)

    async def _make_sure(self, unit_id: int, read: Read) -> None:
        """That no older answer of this unit can come for `read`. Raises DeviceError where it cannot be sure yet."""
        loop = asyncio.get_running_loop()
        if self._doubts.until_s(unit_id) > loop.time():
            raise self._failed(unit_id, read)
        await self._frame_gap()
        marker = self._doubts.marker(unit_id, read)
        if marker and not self._broken:
            await self._inquire(unit_id, (marker,))
            await self._frame_gap()
        self._doubts.settled(unit_id, read)

    async def _frame_gap(self) -> None:
        """Nothing may lie before a request, and on a serial line frames are parted by silence."""
        loop = asyncio.get_running_loop()
        try:
            while self._gap_s and (wait_s := self._last_byte_s + self._gap_s - loop.time()) > 0:  # noqa: ASYNC110  bytes move it
                await asyncio.sleep(wait_s)
        except asyncio.CancelledError:
            self.close("a request was cut off")
            raise
        if not self._broken and self._transport and (self._answers.half_an_answer or _readable(self._transport.fileno())):
            self.close(f"bytes came before the request that nobody asked for; {self._framing.hint}")

    async def _until_quiet(self) -> None:
        """Let pass what earlier connections were owed: until nothing came for one timeout."""
        loop = asyncio.get_running_loop()
        began_s = self._last_byte_s = loop.time()
        timeout_s = self._endpoint.timeout_s
        while (wait_s := self._last_byte_s + timeout_s - loop.time()) > 0:
            if loop.time() - began_s > _MOST_QUIETS * timeout_s:
                self.close("no silence")
                what = f"the line does not fall silent for {timeout_s:g} s; {self._framing.hint}"
                raise self._unreachable(what, Status.BAD_COMMUNICATION_ERROR)
            await asyncio.sleep(wait_s)
            if self._broken:
                raise self._unreachable(*self._broken)
        self._quiet = True

    def _failed(self, unit_id: int, read: Read) -> DeviceError:
        text, status = self._broken or (self._doubts.why(unit_id), Status.BAD_TIMEOUT)
        where = f"{self._endpoint.url} unit {unit_id} {read}"
        return DeviceError(f"{where}: {text}", status=status, connection_lost=self._broken is not None)

    def _unreachable(self, why: str, status: int = Status.BAD_NO_COMMUNICATION) -> DeviceError:
        return DeviceError(f"{self._endpoint.url}: no connection, {why}", status=status)


def _readable(file: int) -> bool:
    """Whether bytes wait there that the loop has not seen."""
    if file < 0:
        return False
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))
