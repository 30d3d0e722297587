"""What does a value cost the client, over Modbus TCP? CPU microseconds per value.

Ours is the driver's whole way from the request to a scan: float64 values, statuses and qualities, scaled. The rival is stock
pymodbus: one `read_holding_registers`, then `convert_from_registers` per tag and the scale in Python, a list of bare floats.
Both read the same registers of the same device in turn, in this process; the device is another one, so that its CPU does not
count. Medians of several rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pymodbus.client import AsyncModbusTcpClient

from bench._figures import child, end, figure, first_line
from bench._modbus_stage import REGISTERS
from collector.acquire.clock import PlantClock
from config.model import ModbusEndpoint
from config.tags import ModbusTag
from drivers.base import scan_groups
from drivers.modbus.session import connect

UNIT = "CPU us per value"
RIVAL = "pymodbus, convert_from_registers per tag"
SCALE, OFFSET = 0.1, -40.0
Read = Callable[[], Awaitable[object]]
DATATYPE = AsyncModbusTcpClient.DATATYPE
_PYMODBUS = {"float32": DATATYPE.FLOAT32, "int16": DATATYPE.INT16, "int32": DATATYPE.INT32, "float64": DATATYPE.FLOAT64}


@dataclass(frozen=True)
class Case:
    """Tags side by side from register 0 on: `count` of `kind`, the last one an int16 where a register is left."""

    name: str
    kind: str
    size: int
    count: int

    def endpoint(self, port: int) -> ModbusEndpoint:
        tags = {
            f"T{n}": {"address": f"holding:{n * self.size}", "type": self.kind, "scale": SCALE, "offset": OFFSET}
            for n in range(self.count)
        }
        tags["LAST"] = {"address": f"holding:{REGISTERS - 1}", "type": "int16", "scale": SCALE, "offset": OFFSET}
        device = {"unit": "R-1", "gap": 124, "tags": tags}
        url = f"modbus://127.0.0.1:{port}"
        return ModbusEndpoint.model_validate({"name": "bench", "url": url, "devices": {"plc": device}})


CASES = (
    Case("125 registers to 60 scaled float64 tags", "float32", 2, 59),
    Case("125 registers to 120 scaled tags of 16 bits", "int16", 1, 119),
    Case("125 registers to 30 scaled tags of 64 bits", "float64", 4, 29),
)


async def cpu_us(read: Read, reads: int) -> float:
    """CPU microseconds of one read, the mean of several in a row."""
    began_ns = time.process_time_ns()
    for _ in range(reads):
        await read()
    return (time.process_time_ns() - began_ns) / reads / 1000


async def compare(case: Case, port: int, rounds: int, reads: int) -> None:
    """Print the figure of one case."""
    endpoint = case.endpoint(port)
    (group,) = scan_groups(endpoint)
    tags = [tag for tag in group.tags if isinstance(tag, ModbusTag)]
    places = [(tag.offset_in_table, tag.register_count, _PYMODBUS[tag.wire_type]) for tag in tags]
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()

    async def stock() -> list[float]:
        registers = (await client.read_holding_registers(0, count=REGISTERS, device_id=1)).registers
        values = []
        for first, count, kind in places:
            raw = client.convert_from_registers(registers[first : first + count], kind)
            assert isinstance(raw, (int, float))
            values.append(raw * SCALE + OFFSET)
        return values

    our_us, stock_us = [], []
    async with connect(endpoint, [group], PlantClock()) as driver:
        scan = await driver.read(group, 0)
        if scan.quality.any() or len(await stock()) != len(scan.values):
            raise RuntimeError("the device gives bad values: nothing to measure")
        for _ in range(rounds):
            stock_us.append(await cpu_us(stock, reads))
            our_us.append(await cpu_us(lambda: driver.read(group, 1), reads))
    client.close()
    figure(case.name, statistics.median(our_us) / len(tags), UNIT, RIVAL, statistics.median(stock_us) / len(tags))


async def main(rounds: int, reads: int) -> None:
    """All cases."""
    stage = child("bench._modbus_stage")
    port = int(first_line(stage)["port"])
    for case in CASES:
        await compare(case, port, rounds, reads)
    end([stage])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    asyncio.run(main(*((9, 300) if parser.parse_args().quick else (31, 1000))))
