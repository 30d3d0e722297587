"""The sinks there are: InfluxDB 2 and 3 through influxdb-client, InfluxDB 1 `/write`, VictoriaMetrics.

All send ready lines, gzip level 1, nanoseconds; none retries, follows a redirect or logs by itself: the uploader owns
that. A deadline spans the whole exchange, so a half-open connection costs one timeout.

VictoriaMetrics acknowledges before its data is on disk: what it accepted last is lost when it crashes. So the uploader
holds it for `hold_s`, and asks `/metrics` whether the server was started anew meanwhile. It answers 204 to lines it can't
read, and counts a replay twice unless it runs with `-dedup.minScrapeInterval=1ms`; the first connect says so.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager

import aiohttp
import structlog
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from collector.uplink.lines import Encoder
from collector.uplink.sink import Answer, Busy, Outcome, Sink, in_influx_words, in_victoria_words, judge
from config.sinks import InfluxDB1Sink, InfluxDB2Sink, Secret, SecretError, VictoriaMetricsSink
from config.sinks import Sink as SinkConfig

log = structlog.get_logger()

VICTORIA_HOLD_S = 60.0
"""It loses what it accepted in its last 10 to 20 s."""
_STARTED = re.compile(rb"^vm_app_start_timestamp (\S+)", re.MULTILINE)
_IS_VICTORIA = re.compile(rb'^flag\{name="storageDataPath"', re.MULTILINE)
"""Of the database itself, not of a proxy before it."""
_DEDUP = re.compile(rb'^flag\{name="dedup.minScrapeInterval", value="[^"]*[1-9]', re.MULTILINE)


def encoder_for(config: SinkConfig, site: str) -> Encoder:
    """The encoder that suits a sink: VictoriaMetrics holds no texts, and each phase would make new series of all."""
    whole = not isinstance(config, VictoriaMetricsSink)
    return Encoder(site, texts=whole, phase=whole)


def hold_s_of(config: SinkConfig) -> float:
    """How long what a sink took may still be lost."""
    return VICTORIA_HOLD_S if isinstance(config, VictoriaMetricsSink) else 0.0


@asynccontextmanager
async def open_sink(config: SinkConfig) -> AsyncIterator[Sink]:
    """The sink of a plant file; nothing is sent yet, so the server may be absent. Raises SecretError."""
    with ThreadPoolExecutor(1, thread_name_prefix=f"gzip {config.name}") as gzip:
        async with _opened(config, gzip) as sink:
            yield sink


@asynccontextmanager
async def _opened(config: SinkConfig, gzip: Executor) -> AsyncIterator[Sink]:
    if isinstance(config, InfluxDB1Sink):
        async with aiohttp.ClientSession(timeout=_timeout(config), headers=_login(config)) as session:
            yield InfluxDB1(config, session, gzip)
        return
    influx = isinstance(config, InfluxDB2Sink)
    token = _reveal(config.name, config.token)
    async with InfluxDBClientAsync(
        config.url, (token or "") if influx else "", timeout=_timeout(config), allow_redirects=False
    ) as client:
        if token and not influx:
            client.api_client.set_default_header("Authorization", f"Bearer {token}")  # type: ignore[no-untyped-call]
        org, bucket = (config.org, config.bucket) if isinstance(config, InfluxDB2Sink) else ("-", "-")
        if influx:
            yield InfluxDB2(client, config.url, org, bucket, gzip)
        else:
            yield VictoriaMetrics(client, config.url, org, bucket, gzip)


def _timeout(config: SinkConfig) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=config.timeout_s)


def _login(config: InfluxDB1Sink) -> dict[str, str]:
    if config.user_name is None:
        return {}
    password = _reveal(config.name, config.password) or ""
    return {"Authorization": aiohttp.encode_basic_auth(config.user_name, password)}


def _reveal(sink: str, secret: Secret | None) -> str | None:
    if secret is None:
        return None
    try:
        text = secret.reveal()
    except SecretError as exc:
        raise SecretError(f"sink {sink}: {exc}") from None
    if not text.isprintable():
        raise SecretError(f"sink {sink}: the secret has a line feed or another character that no header can carry")
    return text


async def _compressed(body: bytes, gzip: Executor) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(gzip, _gzip, body)


def _gzip(body: bytes) -> bytes:
    return zlib.compress(body, level=1, wbits=31)


def _answer(status: int, body: bytes, headers: Mapping[str, str]) -> Answer:
    return Answer(status, body, headers.get("Retry-After"), headers.get("Date"))


def _unreachable(url: str, exc: Exception) -> Busy:
    """No answer, or half of one. A wrong certificate will not right itself."""
    if isinstance(exc, aiohttp.ServerDisconnectedError):  # its text is aiohttp's parser state
        return Busy(f"{url}: it closed the connection before its answer was complete", unanswered=True)
    text = str(exc) or "no answer within the timeout"
    alarm = isinstance(exc, aiohttp.ClientSSLError)
    return Busy(f"{url}: {type(exc).__name__}: {text}", alarm=alarm, unanswered=True)


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
        data = await _compressed(body, self._gzip)
        try:
            async with self._session.post(
                f"{self._url}/write", params=self._query, data=data, headers=headers, allow_redirects=False
            ) as response:
                return judge(_answer(response.status, await response.read(), response.headers))
        except (aiohttp.ClientError, OSError) as exc:  # TimeoutError is an OSError
            return _unreachable(self._url, exc)

    async def incarnation(self) -> str | None:
        """See `Sink`. What it took is on its disk."""
        return ""


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
        data = await _compressed(body, self._gzip)
        try:
            return judge(await self._post(data), self.in_own_words)
        except (aiohttp.ClientError, OSError) as exc:
            return _unreachable(self._url, exc)

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
            return _answer(exc.status, exc.body or b"", exc.headers)
        return _answer(status, self._client.api_client.last_response.data, headers)


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
