"""InfluxDB 2 and 3 and VictoriaMetrics, by influxdb-client, which takes a third of a second to load."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager

import aiohttp
import structlog
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from collector.uplink.exchange import answer_of, compressed, reveal, timeout_of, unreachable
from collector.uplink.sink import Answer, Outcome, Sink, in_influx_words, in_victoria_words, judge
from config.sinks import InfluxDB2Sink, VictoriaMetricsSink

log = structlog.get_logger()

_STARTED = re.compile(rb"^vm_app_start_timestamp (\S+)", re.MULTILINE)
_IS_VICTORIA = re.compile(rb'^flag\{name="storageDataPath"', re.MULTILINE)
"""Of the database itself, not of a proxy before it."""
_DEDUP = re.compile(rb'^flag\{name="dedup.minScrapeInterval", value="[^"]*[1-9]', re.MULTILINE)


@asynccontextmanager
async def opened(config: InfluxDB2Sink | VictoriaMetricsSink, gzip: Executor) -> AsyncIterator[Sink]:
    """The sink. Raises SecretError."""
    influx = isinstance(config, InfluxDB2Sink)
    token = reveal(config.name, config.token)
    async with InfluxDBClientAsync(
        config.url, (token or "") if influx else "", timeout=timeout_of(config), allow_redirects=False
    ) as client:
        if token and not influx:
            client.api_client.set_default_header("Authorization", f"Bearer {token}")  # type: ignore[no-untyped-call]
        org, bucket = (config.org, config.bucket) if isinstance(config, InfluxDB2Sink) else ("-", "-")
        if influx:
            yield InfluxDB2(client, config.url, org, bucket, gzip)
        else:
            yield VictoriaMetrics(client, config.url, org, bucket, gzip)


class InfluxDB2:
    """`POST /api/v2/write` through influxdb-client: its generated WriteService, which takes a ready body and retries nothing."""

    in_own_words = staticmethod(in_influx_words)

    def __init__(self, client: InfluxDBClientAsync, url: str, org: str, bucket: str, gzip: Executor) -> None:
        self._client, self._gzip = client, gzip
        self._writes = WriteService(client.api_client)  # type: ignore[no-untyped-call]
        self._url = url
        self._org = org
        self._bucket = bucket

    async def write(self, body: bytes) -> Outcome:
        """See `Sink`."""
        data = await compressed(body, self._gzip)
        try:
            return judge(await self._post(data), self.in_own_words)
        except (aiohttp.ClientError, OSError) as exc:
            return unreachable(self._url, exc)

    async def incarnation(self) -> str | None:
        """See `Sink`. What it took is on its disk."""
        return ""

    async def _post(self, data: bytes) -> Answer:
        try:
            _, status, headers = await self._writes.post_write_async(  # type: ignore[no-untyped-call]
                org=self._org,
                bucket=self._bucket,
                body=data,
                precision="ns",
                content_encoding="gzip",
                content_type="text/plain; charset=utf-8",
                _return_http_data_only=False,
            )
        except ApiException as exc:
            return answer_of(exc.status, exc.body or b"", exc.headers)
        return answer_of(status, self._client.api_client.last_response.data, headers)


class VictoriaMetrics(InfluxDB2):
    """The same write path; what it took is not safe at once."""

    in_own_words = staticmethod(in_victoria_words)
    _looked = False

    async def incarnation(self) -> str | None:
        """See `Sink`. When it was started, by its own clock; behind a proxy that does not pass `/metrics` on it can't be told."""
        client = self._client.api_client
        session, headers = client.rest_client.pool_manager, client.default_headers
        try:
            async with session.get(f"{self._url}/metrics", headers=headers, allow_redirects=False) as response:
                told = await response.read() if response.status == 200 else b""
        except (aiohttp.ClientError, OSError):
            return None
        started = _STARTED.search(told) if _IS_VICTORIA.search(told) else None
        if started and not self._looked and not _DEDUP.search(told):
            log.warning("VictoriaMetrics runs without -dedup.minScrapeInterval=1ms: rows sent again count twice", url=self._url)
        self._looked = True
        return started[1].decode() if started else ""
