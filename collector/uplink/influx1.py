"""InfluxDB 1, by aiohttp."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager

import aiohttp

from collector.uplink.exchange import answer_of, compressed, reveal, timeout_of, unreachable
from collector.uplink.sink import Outcome, Sink, judge
from config.sinks import InfluxDB1Sink


@asynccontextmanager
async def opened(config: InfluxDB1Sink, gzip: Executor) -> AsyncIterator[Sink]:
    """The sink. Raises SecretError."""
    async with aiohttp.ClientSession(timeout=timeout_of(config), headers=_login(config)) as session:
        yield InfluxDB1(config, session, gzip)


def _login(config: InfluxDB1Sink) -> dict[str, str]:
    if config.user_name is None:
        return {}
    password = reveal(config.name, config.password) or ""
    return {"Authorization": aiohttp.encode_basic_auth(config.user_name, password)}


class InfluxDB1:
    """`POST /write` of InfluxDB 1, which influxdb-client does not speak."""

    def __init__(self, config: InfluxDB1Sink, session: aiohttp.ClientSession, gzip: Executor) -> None:
        self._url = config.url
        self._gzip = gzip
        self._session = session
        self._query = {"db": config.database, "precision": "ns"}
        if config.retention_policy is not None:
            self._query["rp"] = config.retention_policy

    async def write(self, body: bytes) -> Outcome:
        """See `Sink`."""
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
        data = await compressed(body, self._gzip)
        try:
            async with self._session.post(
                f"{self._url}/write", params=self._query, data=data, headers=headers, allow_redirects=False
            ) as response:
                return judge(answer_of(response.status, await response.read(), response.headers))
        except (aiohttp.ClientError, OSError) as exc:  # TimeoutError is an OSError
            return unreachable(self._url, exc)

    async def incarnation(self) -> str | None:
        """See `Sink`. What it took is on its disk."""
        return ""
