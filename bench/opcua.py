"""What does a value cost the client, over OPC UA? CPU microseconds per value read.

Ours is the driver's whole way from the request to a scan: values, statuses, stamps, scaled and judged. The rival is stock
asyncua's `client.read_values`, which gives the bare values. Both read the same nodes of the same server in turn, in this
process; the server is another one, so that its CPU does not count. Medians of several rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua import MessageSecurityMode

from bench._figures import child, end, figure, first_line
from bench._opcua_stage import endpoint_of, subscribed_endpoint
from collector.acquire.clock import PlantClock
from config.model import OpcUaEndpoint
from drivers.base import ScanGroup, scan_groups
from drivers.opcua.address import node_id
from drivers.opcua.identity import User
from drivers.opcua.read import GroupReader
from drivers.opcua.session import connect
from drivers.opcua.wire import Connection

SIZES = (20, 100, 1000, 5000)
NOTIFIED = (100, 1000)
PUBLISHED_S, WARM_UP_S = 0.2, 0.7
QUICK_ROUNDS = 5
UNIT = "CPU us per value"
RIVAL = "asyncua read_values"
Read = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds, and values each side reads in one."""

    rounds: int
    values: int

    def reads(self, size: int, share: float = 1.0) -> int:
        """Of `size` nodes, in a round."""
        return max(2, min(50, round(self.values * share / size)))


async def cpu_us(read: Read, reads: int) -> float:
    """CPU microseconds of one read, the mean of several in a row."""
    began_ns = time.process_time_ns()
    for _ in range(reads):
        await read()
    return (time.process_time_ns() - began_ns) / reads / 1000


async def secure(client: Client, folder: Path) -> None:
    """Sign and encrypt, with a key of its own in `folder`."""
    key, certificate = folder / "key.pem", folder / "certificate.der"
    if not certificate.exists():
        await client.setup_self_signed_certificate(key, certificate, host_name="localhost")
    await client.set_security(SecurityPolicyBasic256Sha256, certificate, key, mode=MessageSecurityMode.SignAndEncrypt)


@asynccontextmanager
async def stock(endpoint: OpcUaEndpoint, folder: Path | None) -> AsyncIterator[Client]:
    """asyncua as it is."""
    client = Client(endpoint.url, timeout=endpoint.timeout_s, watchdog_intervall=3600)
    client.application_uri = "urn:reactorwatch:collector"
    if folder:
        await secure(client, folder)
    async with client:
        yield client


@asynccontextmanager
async def ours(endpoint: OpcUaEndpoint, folder: Path | None) -> AsyncIterator[Connection]:
    """The driver's connection, which has no security of its own yet: here it is given one."""
    connection = Connection.to(endpoint)
    if folder:
        await secure(connection.client, folder)
    try:
        await connection.open(endpoint.host, endpoint.port, User())
        yield connection
    finally:
        await connection.close()


async def compare(url: str, folder: Path | None, effort: Effort) -> None:
    """Print the figures of all sizes."""
    whole = endpoint_of(url, 1)
    async with stock(whole, folder) as client, ours(whole, folder) as connection:
        namespaces = await client.get_namespace_array()
        for size in SIZES:
            (group,) = scan_groups(endpoint_of(url, size))
            reader = GroupReader(connection, group, namespaces, None, PlantClock())
            nodes = [client.get_node(node) for node in reader.nodes.values()]
            scan = await reader.read(1)
            await client.read_values(nodes)
            if scan.quality.any():
                raise RuntimeError("the server gives bad values: nothing to measure")
            our_us, stock_us = [], []
            for _ in range(effort.rounds):
                stock_us.append(await cpu_us(lambda: client.read_values(nodes), effort.reads(size, 0.25)))  # noqa: B023
                our_us.append(await cpu_us(lambda: reader.read(1), effort.reads(size)))  # noqa: B023
            name = f"read {size} nodes" + (", signed and encrypted" if folder else "")
            figure(name, statistics.median(our_us) / size, UNIT, RIVAL, statistics.median(stock_us) / size)


class StockHandler:
    """Counts what asyncua's subscription hands over."""

    values = 0

    def datachange_notification(self, _node: object, _value: object, _data: object) -> None:
        self.values += 1


async def cpu_per_value_us(answers: int, values: Callable[[], int], read: Read | None = None) -> float:
    """CPU microseconds per value told, in the time of so many answers; `read` is done in each slot."""
    await asyncio.sleep(WARM_UP_S)
    began_ns, before = time.process_time_ns(), values()
    for _ in range(answers):
        await asyncio.sleep(PUBLISHED_S)
        if read:
            await read()
    told = values() - before
    if not told:
        raise RuntimeError("the server tells no changes: nothing to measure")
    return (time.process_time_ns() - began_ns) / told / 1000


async def told_to_stock(endpoint: OpcUaEndpoint, group: ScanGroup, answers: int) -> float:
    """CPU of a value that asyncua's subscription hands over, us."""
    handler, sampling_ms = StockHandler(), ua.Double(PUBLISHED_S * 1000)
    async with stock(endpoint, None) as client:
        namespaces = await client.get_namespace_array()
        nodes = [client.get_node(node_id(tag.address, namespaces)) for tag in group.tags]
        told = await client.create_subscription(PUBLISHED_S * 1000, handler)
        for first in range(0, len(nodes), 500):
            await told.subscribe_data_change(nodes[first : first + 500], queuesize=1, sampling_interval=sampling_ms)
        return await cpu_per_value_us(answers, lambda: handler.values)


async def told_to_us(endpoint: OpcUaEndpoint, group: ScanGroup, answers: int) -> float:
    """CPU of a value from the socket to the scan of its slot, us."""
    async with connect(endpoint, [group], PlantClock()) as session:
        assert session.subscriptions is not None
        (followed,) = session.subscriptions.groups.values()
        found_us = await cpu_per_value_us(answers, lambda: followed.taken, lambda: session.read(group, 1))
        if (await session.read(group, 1)).quality.any():
            raise RuntimeError("the subscription gives bad values: nothing to measure")
        return found_us


async def notifications(url: str, rounds: int, answers: int) -> None:
    """Print what a change costs that a subscription tells: asyncua's and ours in turn, each with a connection of its own."""
    for size in NOTIFIED:
        endpoint = subscribed_endpoint(url, size, PUBLISHED_S)
        (group,) = scan_groups(endpoint)
        stock_us, our_us = [], []
        for _ in range(rounds):
            stock_us.append(await told_to_stock(endpoint, group, answers))
            our_us.append(await told_to_us(endpoint, group, answers))
        name = f"notification, {size} tags"
        figure(name, statistics.median(our_us), UNIT, "asyncua subscription handler", statistics.median(stock_us))


async def main(effort: Effort) -> None:
    """Without security, then with."""
    stage = child("bench._opcua_stage")
    url = str(first_line(stage)["server"])
    await notifications(url, *((3, 8) if effort.rounds <= QUICK_ROUNDS else (7, 25)))
    await compare(url, None, effort)
    with tempfile.TemporaryDirectory() as folder:
        await compare(url, Path(folder), effort)
    end([stage])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 60 s")
    logging.disable(logging.WARNING)
    asyncio.run(main(Effort(QUICK_ROUNDS, 20_000) if parser.parse_args().quick else Effort(15, 50_000)))
