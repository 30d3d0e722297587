"""Reads a stretch of registers once, raw: what a device refuses is cut in halves until it stands alone."""

from __future__ import annotations

from config.model import ModbusEndpoint
from drivers.modbus.answer import Refusal
from drivers.modbus.connection import Connection
from drivers.modbus.plan import Read

Found = dict[int, bytes | None]


async def read_registers(
    endpoint: ModbusEndpoint, unit_id: int, table: str, first: int, last: int
) -> tuple[Found, dict[int, str]]:
    """Each register's two bytes by its address, None where it is refused; and why. Raises DeviceError."""
    connection = Connection(endpoint)
    try:
        await connection.open()
        return await _read(connection, unit_id, table, first, last)
    finally:
        connection.close("all is read")


async def _read(connection: Connection, unit_id: int, table: str, first: int, last: int) -> tuple[Found, dict[int, str]]:
    found: Found = {}
    refused: dict[int, str] = {}
    waiting = [(at, min(at + 124, last)) for at in range(first, last + 1, 125)][::-1]
    while waiting:
        low, high = waiting.pop()
        answer = await connection.ask(unit_id, Read(table, low, high - low + 1, ()))
        if not isinstance(answer, Refusal):
            found |= {low + n: answer[2 * n : 2 * n + 2] for n in range(high - low + 1)}
        elif answer.address_refused and high > low:
            middle = (low + high) // 2
            waiting += [(middle + 1, high), (low, middle)]
        else:
            found |= dict.fromkeys(range(low, high + 1))
            refused |= dict.fromkeys(range(low, high + 1), str(answer))
    return found, refused
