"""A proxy that gives Debian's InfluxDB 1 the v2 write path, so that influxdb-client can write to it. As `python -m` a process
of its own, which prints where it is and ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web


def _app(influx_url: str, session: aiohttp.ClientSession) -> web.Application:
    async def write(request: web.Request) -> web.Response:
        query = {"db": request.query["bucket"], "precision": "n"}
        headers = {name: value for name, value in request.headers.items() if name == "Content-Encoding"}
        async with session.post(f"{influx_url}/write", params=query, data=await request.read(), headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/api/v2/write", write)
    return app


@asynccontextmanager
async def write_path(influx_url: str) -> AsyncIterator[str]:
    """The proxy's url."""
    async with aiohttp.ClientSession() as session:
        runner = web.AppRunner(_app(influx_url, session), auto_decompress=False)  # a compressed body goes on as it is
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


async def _serve(influx_url: str) -> None:
    async with write_path(influx_url) as url:
        print(json.dumps({"sink": url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
