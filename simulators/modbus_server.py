"""A Modbus TCP server of one configured endpoint: a pymodbus `SimDevice` per unit id, four tables each, read-only.

The registers of a request are filled when it comes: the source moves once and holds still while it is answered.

    asked for                                     answered
    a configured address, or an allowed gap       its registers, 0 in the gap
    anything else                                 2 illegal data address
    more than the device's max_registers/_bits    3 illegal data value
    a value with bad status                       4 server device failure
    a unit id that is not configured              11 gateway target device failed to respond
    any write                                     1 illegal function
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self, cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.simulator.simcore import SimCore

from config.model import ModbusDevice, ModbusEndpoint
from simulators.listening import bracketed, listening, numeric_address
from simulators.modbus_tables import TABLES, NoValue, Table
from simulators.source import SimulationError, Source

_TABLE_OF_FUNCTION = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


class ModbusServer:
    """Serves `endpoint` from `source` while its context is open; `url` then has the real port."""

    def __init__(self, endpoint: ModbusEndpoint, source: Source, host: str = "127.0.0.1", port: int = 0) -> None:
        self._endpoint, self._source = endpoint, source
        self._host, self._port = host, port
        self._server: ModbusTcpServer | None = None

    @property
    def url(self) -> str:
        """Where a client connects to."""
        return f"modbus://{bracketed(self._host)}:{self._port}"

    async def __aenter__(self) -> Self:
        address = numeric_address(self._endpoint.name, self._host, self._port)
        devices = _by_unit_id(self._endpoint, self._source)
        core = _Core(devices)
        self._server = ModbusTcpServer([device.sim_device() for device in devices.values()], address=(address, self._port))
        self._server.context = core
        with listening(self._endpoint.name, self._host, self._port):
            await self._server.serve_forever(background=True)
        self._port = self._listener().sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        listener = self._listener()
        await self._server.shutdown()  # type: ignore[no-untyped-call]
        await listener.wait_closed()

    def _listener(self) -> asyncio.Server:
        """pymodbus calls it a transport; it is what `loop.create_server` gave."""
        assert self._server is not None
        return cast(asyncio.Server, self._server.transport)


def _by_unit_id(endpoint: ModbusEndpoint, source: Source) -> dict[int, _SimulatedDevice]:
    devices: dict[int, _SimulatedDevice] = {}
    for device in endpoint.devices:
        if device.unit_id in devices:
            other = devices[device.unit_id].device.name
            raise SimulationError(f"endpoint {endpoint.name}: {other} and {device.name} have one unit_id, {device.unit_id}")
        devices[device.unit_id] = _SimulatedDevice(device, source)
    return devices


class _SimulatedDevice:
    """One unit id: its tables, and the `SimDevice` that asks them."""

    def __init__(self, device: ModbusDevice, source: Source) -> None:
        self.device = device
        self._source = source
        self._tables = {name: Table(name, device, source) for name in TABLES}

    def refusal(self, function_code: int, address: int, count: int) -> ExcCodes | None:
        """Why a request is not answered with values; None when it is."""
        if function_code not in _TABLE_OF_FUNCTION:
            return ExcCodes.ILLEGAL_FUNCTION
        table = self._tables[_TABLE_OF_FUNCTION[function_code]]
        if count > (self.device.max_bits if table.is_bits else self.device.max_registers):
            return ExcCodes.ILLEGAL_VALUE
        return None if table.readable(address, count) else ExcCodes.ILLEGAL_ADDRESS

    def sim_device(self) -> SimDevice:
        coil, discrete, holding, registers = (_block(self._tables[name]) for name in TABLES)
        return SimDevice(self.device.unit_id, (coil, discrete, holding, registers), action=self._fill)

    async def _fill(
        self,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        set_values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Put what the tags show now into the block that pymodbus answers from; bits come in words of sixteen."""
        if set_values is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        table = self._tables[_TABLE_OF_FUNCTION[function_code]]
        first, content = (address // 16, table.words) if table.is_bits else (address, table.registers)
        self._source.refresh()
        try:
            registers[first - start_address : first - start_address + count] = content(first, count)
        except NoValue:
            return ExcCodes.DEVICE_FAILURE
        return None


def _block(table: Table) -> list[SimData]:
    """All from the first to the last readable address; an empty table still needs one for pymodbus, never readable."""
    first, last = (table.spans[0][0], table.spans[-1][1]) if table.spans else (0, 0)
    if table.is_bits:
        return [SimData(first, count=last - first + 1, values=False, datatype=DataType.BITS)]
    return [SimData(first, count=last - first + 1, values=0, datatype=DataType.REGISTERS)]


class _Core(SimCore):
    """pymodbus' own, asked only for what may be read. The action above cannot tell: of a bit request it sees words."""

    def __init__(self, devices: Mapping[int, _SimulatedDevice]) -> None:
        super().__init__([device.sim_device() for device in devices.values()])
        self._simulated = devices

    async def async_getValues(  # noqa: N802  pymodbus' name
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        device = self._simulated.get(device_id)
        if device is None:
            return ExcCodes.GATEWAY_NO_RESPONSE
        return device.refusal(func_code, address, count) or await super().async_getValues(device_id, func_code, address, count)

    async def async_setValues(  # noqa: N802  pymodbus' name
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        return ExcCodes.ILLEGAL_FUNCTION if device_id in self._simulated else ExcCodes.GATEWAY_NO_RESPONSE
