"""What does a simulated farm of 10,000 tags at 1 Hz cost? Cores of its process, from its own CPU time.

200 reactors with 50 tags each, as `simulate --farm 200` serves them: half behind OPC UA, half behind Modbus, every one
an endpoint of its own behind its wire, each with recipe, reactor and instruments. This process reads every tag of every
endpoint once a second: OPC UA with asyncua's stock client, one Read per endpoint; Modbus with raw frames, checked.

    nobody reads      the plants alone
    opcua, modbus     5,000 tags of one protocol, the other is not read
    all               10,000 tags
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import struct
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds

from bench._figures import child, end, figure, first_line
from config.model import Device, ModbusEndpoint, OpcUaEndpoint
from config.tags import ModbusTag
from simulators.farm import farm

REACTORS = 200
_MOST = {"input": 125, "holding": 125, "discrete": 2000}
_FUNCTION = {"discrete": 2, "holding": 3, "input": 4}
Read = Callable[[], Awaitable[int]]
"""Reads all tags of one endpoint; how many."""


def _blocks(device: Device) -> list[bytes]:
    """Requests for every tag of a farm's Modbus device, whose tables have no gaps; no value spans two."""
    requests = []
    for table, function in _FUNCTION.items():
        tags = [tag for tag in device.tags if isinstance(tag, ModbusTag) and tag.table == table]
        first = 0
        while first < (ends := max(tag.offset_in_table + tag.register_count for tag in tags)):
            fits = [end for tag in tags if (end := tag.offset_in_table + tag.register_count) - first <= _MOST[table]]
            last = ends if ends - first <= _MOST[table] else max(fits)
            requests.append(struct.pack(">HHHBBHH", 1, 0, 6, 1, function, first, last - first))
            first = last
    return requests


async def _modbus(url: str, device: Device) -> Read:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    requests = _blocks(device)

    async def read() -> int:
        for request in requests:
            writer.write(request)
            header = await reader.readexactly(7)
            body = await reader.readexactly(int.from_bytes(header[4:6], "big") - 1)
            if body[0] != request[7] or body[1] != len(body) - 2:
                raise RuntimeError(f"{url} answered {request.hex()} with {body.hex()}")
        return len(device.tags)

    return read


async def _opcua(url: str, device: Device) -> Read:
    client = Client(url, timeout=30, watchdog_intervall=60)
    await client.connect()
    request = ua.ReadRequest()
    for tag in device.tags:
        node_id = ua.NodeId.from_string(tag.address)
        request.Parameters.NodesToRead.append(ua.ReadValueId(NodeId=node_id, AttributeId=ua.UInt32(AttributeIds.Value)))
    protocol = client.uaclient.protocol
    assert protocol

    async def read() -> int:
        await protocol.send_request(request)
        return len(device.tags)

    return read


async def _cores(server: subprocess.Popen[str], reads: Sequence[Read], seconds: int) -> float:
    """CPU seconds of the server per round of `reads`, a round a second, spread over it; a late round is no cheaper."""
    before_s, began_s, read = _cpu_s(server), time.monotonic(), 0
    for second in range(seconds):
        for place, each in enumerate(reads):
            read += await each()
            await _until(began_s + second + (place + 1) / len(reads))
        await _until(began_s + second + 1)
    used_s = _cpu_s(server) - before_s
    if read != 50 * len(reads) * seconds:
        raise RuntimeError(f"{read} values were read, not all")
    return used_s / seconds


async def _until(moment_s: float) -> None:
    if (left_s := moment_s - time.monotonic()) > 0:
        await asyncio.sleep(left_s)


def _cpu_s(server: subprocess.Popen[str]) -> float:
    assert server.stdin and server.stdout
    server.stdin.write("\n")
    server.stdin.flush()
    return float(json.loads(server.stdout.readline())["cpu_s"])


async def _measure(server: subprocess.Popen[str], urls: dict[str, str], seconds: int) -> dict[str, float]:
    plant = farm(REACTORS)
    opcua = [await _opcua(urls[each.name], each.devices[0]) for each in plant.endpoints if isinstance(each, OpcUaEndpoint)]
    modbus = [await _modbus(urls[each.name], each.devices[0]) for each in plant.endpoints if isinstance(each, ModbusEndpoint)]
    for each in (*opcua, *modbus):
        await each()  # the first answer is prepared, the others reuse it
    todo = {"nobody reads": [], "opcua": opcua, "modbus": modbus, "all": [*opcua, *modbus]}
    return {name: await _cores(server, reads, seconds) for name, reads in todo.items()}


def main() -> None:
    """All four in turn, on one farm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    seconds = 4 if parser.parse_args().quick else 15
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    server = child("bench._simulated", str(REACTORS))
    told = first_line(server)
    cores = asyncio.run(_measure(server, json.loads(str(told["urls"])), seconds))
    end([server])
    for name, used in cores.items():
        figure(f"simulator_{name.replace(' ', '_')}", used, "cores at 1 Hz")
    for name in ("opcua", "modbus"):
        figure(f"simulator_{name}_reading", (cores[name] - cores["nobody reads"]) / (50 * REACTORS / 2) * 1e6, "us per value")
    figure("simulator_start", float(told["start_s"]), f"CPU s for {REACTORS} reactors")
    figure("simulator_memory", float(told["resident_mb"]), "MB resident")


if __name__ == "__main__":
    main()
