"""One simulated unit id: a request's PDU in, the answer's out. Pure, but for the source that it asks.

asked for                                          answered
a configured address, or an allowed gap            what it holds, 0 in the gap
anything but reading (functions 1 to 4)            1 illegal function
anything else; a tag that is gone                  2 illegal data address
0, more than the device's max_registers/_bits,     3 illegal data value
a request of another size
a value that is not there                          4 server device failure
"""

from __future__ import annotations

import struct

from config.model import ModbusDevice
from simulators.modbus.tables import ILLEGAL_VALUE, TABLES, Refused, Table
from simulators.source import Source

ILLEGAL_FUNCTION, NO_RESPONSE = 1, 11
_TABLE_OF_FUNCTION = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
_SPAN = struct.Struct(">xHH")


def exception(function: int, code: int) -> bytes:
    """The PDU that refuses."""
    return bytes((function | 0x80, code))


class SimulatedDevice:
    """`device` with what `source` shows in its tables."""

    def __init__(self, device: ModbusDevice, source: Source) -> None:
        tables = {name: Table(name, device, source) for name in TABLES}
        self.device = device
        self._source = source
        self._tables = {function: tables[name] for function, name in _TABLE_OF_FUNCTION.items()}

    def answer(self, request: bytes) -> bytes:
        """The source moves once and holds still while a request is answered."""
        function = request[0]
        table = self._tables.get(function)
        if table is None:
            return exception(function, ILLEGAL_FUNCTION)
        most = self.device.max_bits if table.is_bits else self.device.max_registers
        if len(request) != _SPAN.size or not 0 < (span := _SPAN.unpack(request))[1] <= most:
            return exception(function, ILLEGAL_VALUE)
        self._source.refresh()
        try:
            content = table.read(*span)
        except Refused as refused:
            return exception(function, refused.code)
        return bytes((function, len(content))) + content
