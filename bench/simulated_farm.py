"""What does a simulated farm cost its machine? CPU seconds of the servers per second, and microseconds per value.

10,000 mixed tags at 1 Hz over 20 OPC UA endpoints of 500, each with a reactor whose model runs along; every endpoint
is read with one Read a second by a client of another process. Rival: the same, asyncua answering each Read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import time

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds

from bench._farm import ENDPOINTS, TAGS, address
from bench._figures import child, end, figure, first_line


def _request(endpoint: int) -> ua.ReadRequest:
    request = ua.ReadRequest()
    for tag in range(TAGS):
        node_id = ua.NodeId.from_string(f"ns=2;{address(endpoint, tag)}")
        request.Parameters.NodesToRead.append(ua.ReadValueId(NodeId=node_id, AttributeId=ua.UInt32(AttributeIds.Value)))
    return request


async def _read_for(urls: list[str], seconds: int, server: subprocess.Popen[str]) -> float:
    """CPU seconds of the server per second."""
    clients = [Client(url, timeout=20) for url in urls]
    for client in clients:
        await client.connect()
    requests = [_request(number) for number in range(len(urls))]
    for _ in range(2):
        await _read_all(clients, requests)
    before_s, began_s = _cpu_s(server), time.monotonic()
    for second in range(seconds):
        await _read_all(clients, requests)
        await asyncio.sleep(max(0.0, began_s + second + 1 - time.monotonic()))
    used_s, took_s = _cpu_s(server) - before_s, time.monotonic() - began_s
    for client in clients:
        await client.disconnect()
    return used_s / took_s


async def _read_all(clients: list[Client], requests: list[ua.ReadRequest]) -> None:
    for client, request in zip(clients, requests, strict=True):
        assert client.uaclient.protocol
        await client.uaclient.protocol.send_request(request)


def _cpu_s(server: subprocess.Popen[str]) -> float:
    assert server.stdin and server.stdout
    server.stdin.write("\n")
    server.stdin.flush()
    return float(json.loads(server.stdout.readline())["cpu_s"])


def _cost(how: str, seconds: int) -> tuple[float, float]:
    """Cores in use, and CPU seconds to start."""
    server = child("bench._farm", how)
    told = first_line(server)
    urls = told["urls"]
    assert isinstance(urls, list)
    cores = asyncio.run(_read_for(urls, seconds, server))
    end([server])
    return cores, float(told["start_s"])


def main() -> None:
    """Both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    seconds = 6 if parser.parse_args().quick else 20
    (ours, start_s), (theirs, _) = _cost("prepared", seconds), _cost("asyncua", seconds)
    values = ENDPOINTS * TAGS
    figure("simulated_farm", ours, "cores", "asyncua answering", theirs)
    figure("simulated_farm", ours / values * 1e6, "us per value", "asyncua answering", theirs / values * 1e6)
    figure("simulated_farm_start", start_s, "CPU s for 20 endpoints of 500 tags")


if __name__ == "__main__":
    main()
