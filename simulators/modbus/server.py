"""A Modbus TCP server of one configured endpoint, read-only: a device per unit id, each with its four tables.

    unit id                           answered by
    configured                        its device (simulators.modbus.device)
    0, where it is not configured     nobody: a broadcast, which has no answer
    any other                         the gateway: 11 gateway target device failed to respond; over RTU nobody

Every complete request is answered in the turn of the loop in which it came, in order, so a client may send several
before it reads. One that does not read its answers is not read from. What is no Modbus TCP ends its connection, never
the server. Not pymodbus' server, which answers one request of several in a segment or none, and cannot misbehave.
"""

from __future__ import annotations

import asyncio
from typing import Self, cast

import structlog

from config.model import ModbusEndpoint
from simulators.listening import bracketed, listening, numeric_address
from simulators.modbus.device import NO_RESPONSE, SimulatedDevice, exception
from simulators.modbus.faults import KINDS_OF_DEVICE, Misbehaviour
from simulators.modbus.frames import Frame, Framing, StreamLost, Tcp
from simulators.source import SimulationError, Source
from simulators.upset import KINDS, End, Upset

_log = structlog.get_logger()


class ModbusServer:
    """Serves `endpoint` from `source` while its context is open; `url` then has the real port."""

    def __init__(
        self, endpoint: ModbusEndpoint, source: Source, host: str = "127.0.0.1", port: int = 0, framing: Framing | None = None
    ) -> None:
        """`framing`: Modbus TCP unless said, or `rtu.Rtu()` for RTU over TCP."""
        self._endpoint, self._source, self.framing = endpoint, source, framing or Tcp()
        self._host, self._port = host, port
        self._devices: dict[int, SimulatedDevice] = {}
        self._active: dict[object, Upset] = {}
        self._misbehaving: dict[int, Misbehaviour] = {}
        self._stranger = Misbehaviour(())
        self._connections: set[_Connection] = set()
        self._listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where a client connects to."""
        scheme = "modbus" if self.framing.numbered else "modbus+rtu"
        return f"{scheme}://{bracketed(self._host)}:{self._port}"

    async def __aenter__(self) -> Self:
        self._devices = _by_unit_id(self._endpoint, self._source)
        address = numeric_address(self._endpoint.name, self._host, self._port)
        with listening(self._endpoint.name, self._host, self._port):
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(lambda: _Connection(self, self._connections), address, self._port)
        self._port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._listener
        self._listener.close()
        connections = tuple(self._connections)
        for connection in connections:
            connection.drop()
        await asyncio.gather(*(connection.lost for connection in connections))
        await self._listener.wait_closed()

    def answer(self, request: Frame) -> Frame | None:
        """What is sent for a request; None: nothing."""
        transaction, unit_id, pdu = request
        device = self._devices.get(unit_id)
        if device:
            right = Frame(transaction, unit_id, device.answer(pdu))
        elif unit_id == 0 or not self.framing.has_gateway:
            return None
        else:
            right = Frame(transaction, unit_id, exception(pdu[0], NO_RESPONSE))
        misbehaviour = self._misbehaving.get(unit_id, self._stranger)
        return misbehaviour.answer(request, right) if misbehaviour else right

    def disturb(self, upset: Upset) -> End:
        """Aimed at a device by its name, or at the endpoint by its: then at every unit id. Raises SimulationError."""
        names = [self._endpoint.name, *(device.name for device in self._endpoint.devices)]
        if upset.kind not in KINDS_OF_DEVICE:
            raise SimulationError(f"{upset}: no Modbus server does that, it does {', '.join(KINDS_OF_DEVICE)}")
        if upset.target not in names:
            raise SimulationError(f"{upset}: endpoint {self._endpoint.name} has no such device, it has {', '.join(names[1:])}")
        if upset.kind == "wrong_transaction" and not self.framing.numbered:
            raise SimulationError(f"{upset}: RTU frames carry no transaction's number; try foreign_unit or delay")
        _check_code(upset)
        key = object()
        self._active[key] = upset
        self._settle()
        return lambda: self._end(key)

    def _end(self, key: object) -> None:
        self._active.pop(key, None)
        self._settle()

    def _settle(self) -> None:
        everybody = self._endpoint.name
        self._stranger = Misbehaviour(upset for upset in self._active.values() if upset.target == everybody)
        self._misbehaving = {
            unit_id: Misbehaviour(u for u in self._active.values() if u.target in (everybody, device.device.name))
            for unit_id, device in self._devices.items()
        }


def _by_unit_id(endpoint: ModbusEndpoint, source: Source) -> dict[int, SimulatedDevice]:
    devices: dict[int, SimulatedDevice] = {}
    for device in endpoint.devices:
        if device.unit_id in devices:
            other = devices[device.unit_id].device.name
            raise SimulationError(f"endpoint {endpoint.name}: {other} and {device.name} have one unit_id, {device.unit_id}")
        devices[device.unit_id] = SimulatedDevice(device, source)
    return devices


def _check_code(upset: Upset) -> None:
    """An exception's code is a byte."""
    if upset.kind != "exception":
        return
    try:
        code = KINDS["exception"].number_of(upset)
    except ValueError:
        code = 0.0
    if code not in range(1, 256):
        raise SimulationError(f"{upset}: {upset.value!r} is no exception's code: give 1 to 255, e.g. 4 for a device failure")


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: ModbusServer, connections: set[_Connection]) -> None:
        self._server, self._connections = server, connections
        self._received = bytearray()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def drop(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            for request in self._server.framing.take(self._received):
                if answer := self._server.answer(request):
                    self._transport.write(self._server.framing.encoded(answer))
        except StreamLost as exc:
            _log.info("simulated Modbus server closes a connection", reason=str(exc))
            self._transport.close()
