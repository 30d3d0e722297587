"""The stage of `bench.pipeline`, a process of its own: a simulated OPC UA server, and a proxy that gives Debian's
InfluxDB 1 the v2 write path, so that influxdb-client can write to it. Ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp
from aiohttp import web

from config.model import Plant
from simulators.plant import SimulatedPlant

TAGS = 500
PERIOD_S = 0.2
TOKEN_VARIABLE = "BENCH_TOKEN"  # noqa: S105  its name


def plant_of(server_url: str, sink_url: str) -> Plant:
    """TAGS real tags behind one server, a fifth of them with limits."""
    names = [f"AI_{i:04d}" for i in range(TAGS)]
    tags: dict[str, Any] = {name: {"address": f"nsu=urn:bench;s={name}", "range": [0.0, 100.0]} for name in names}
    device = {"unit": "R-1", "groups": {"main": {"period_s": PERIOD_S}}, "tags": tags}
    sink = {"kind": "influxdb2", "url": sink_url, "bucket": "bench", "token": {"env": TOKEN_VARIABLE}}
    return Plant.model_validate(
        {
            "site": "bench",
            "endpoints": {"server": {"url": server_url, "devices": {"R-1": device}}},
            "units": {"R-1": None},
            "limits": [{"role": name, "nor": [10.0, 90.0], "par": [5.0, 95.0]} for name in names[::5]],
            "sinks": {"influx": sink},
            "web": None,
        }
    )


def _proxy(influx_url: str, session: aiohttp.ClientSession) -> web.Application:
    async def write(request: web.Request) -> web.Response:
        query = {"db": request.query["bucket"], "precision": "n"}
        headers = {name: value for name, value in request.headers.items() if name == "Content-Encoding"}
        async with session.post(f"{influx_url}/write", params=query, data=await request.read(), headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/api/v2/write", write)
    return app


async def serve(influx_url: str) -> None:
    """Print where both are, as JSON, and serve."""
    plant = SimulatedPlant(plant_of("opc.tcp://127.0.0.1:1", "http://127.0.0.1:1"), ports="free")
    async with aiohttp.ClientSession() as session, plant:
        runner = web.AppRunner(_proxy(influx_url, session), auto_decompress=False)  # a compressed body goes on as it is
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sink_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        print(json.dumps({"server": plant.urls["server"], "sink": sink_url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
