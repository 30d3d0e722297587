"""What a sink holds, read back: the fields of one unit in one stretch of time. Read-only.

InfluxDB 1 by InfluxQL, to the bit; VictoriaMetrics by its export, as far as it can hold a value (milliseconds, about 12
digits, no texts). InfluxDB 2 and 3 are not read back.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from config.sinks import InfluxDB1Sink, Secret, Sink, VictoriaMetricsSink

Value = float | int | bool | str
Points = dict[str, dict[int, Value]]
"""By field: the value at each time, in ns."""

_TAGS = frozenset({"time", "site", "unit", "batch", "phase"})


class NotReadable(Exception):
    """A sink can't be read back, or does not answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Precision:
    """How exactly a sink holds what it is sent."""

    time_ns: int = 1
    relative: float = 0.0
    """Of a number; 0: to the bit."""
    texts: bool = True


class Readback(Protocol):
    """An open sink."""

    precision: Precision

    async def points(self, site: str, unit: str, from_ns: int, to_ns: int) -> Points:
        """What it holds with from ≤ time < to. Raises NotReadable."""


@asynccontextmanager
async def open_readback(config: Sink) -> AsyncIterator[Readback]:
    """Raises NotReadable, SecretError."""
    timeout = aiohttp.ClientTimeout(total=max(60.0, config.timeout_s))
    if isinstance(config, InfluxDB1Sink):
        auth = aiohttp.BasicAuth(config.user_name, _secret(config.password)) if config.user_name else None
        async with aiohttp.ClientSession(timeout=timeout, auth=auth) as session:
            yield _InfluxDB1(config, session)
        return
    if not isinstance(config, VictoriaMetricsSink):
        raise NotReadable(f"sink {config.name}: InfluxDB 2 and 3 can't be read back; InfluxDB 1 and VictoriaMetrics can")
    headers = {"Authorization": f"Bearer {_secret(config.token)}"} if config.token else {}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        yield _VictoriaMetrics(config, session)


def _secret(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""


async def _get(session: aiohttp.ClientSession, url: str, query: dict[str, str]) -> bytes:
    try:
        async with session.get(url, params=query, allow_redirects=False) as response:
            body = await response.read()
    except (aiohttp.ClientError, OSError) as exc:
        raise NotReadable(f"{url}: {type(exc).__name__}: {exc}") from None
    if response.status != 200:
        raise NotReadable(f"{url}: HTTP {response.status}: {body[:300].decode('utf-8', 'replace')}")
    return body


class _InfluxDB1:
    precision = Precision()

    def __init__(self, config: InfluxDB1Sink, session: aiohttp.ClientSession) -> None:
        self._config, self._session = config, session

    async def points(self, site: str, unit: str, from_ns: int, to_ns: int) -> Points:
        where = f"site = {_text(site)} AND unit = {_text(unit)} AND time >= {from_ns} AND time < {to_ns}"
        query = {"q": f"SELECT * FROM process WHERE {where}", "epoch": "ns", "db": self._config.database}  # noqa: S608  escaped
        if self._config.retention_policy is not None:
            query["rp"] = self._config.retention_policy
        answer = json.loads(await _get(self._session, f"{self._config.url}/query", query), parse_int=_whole)
        (result,) = answer["results"]
        if "error" in result:
            raise NotReadable(f"{self._config.url}: {result['error']}")
        points: Points = {}
        for series in result.get("series", ()):
            fields = [(at, name) for at, name in enumerate(series["columns"]) if name not in _TAGS]
            time_at = series["columns"].index("time")
            for row in series["values"]:
                for at, name in fields:
                    if row[at] is not None:
                        points.setdefault(name, {})[int(row[time_at])] = row[at]
        return points


def _whole(text: str) -> float:
    """InfluxDB writes a float without a point where it can, and the negative zero as -0."""
    return -0.0 if text == "-0" else int(text)


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class _VictoriaMetrics:
    precision = Precision(time_ns=1_000_000, relative=1e-11, texts=False)

    def __init__(self, config: VictoriaMetricsSink, session: aiohttp.ClientSession) -> None:
        self._config, self._session = config, session

    async def points(self, site: str, unit: str, from_ns: int, to_ns: int) -> Points:
        labels = f'{{__name__=~"process_.*",site={json.dumps(site)},unit={json.dumps(unit)}}}'
        ends = {"start": f"{from_ns / 1e9:.3f}", "end": f"{(to_ns - 1_000_000) / 1e9:.3f}"}
        body = await _get(self._session, f"{self._config.url}/api/v1/export", {"match[]": labels, **ends})
        points: Points = {}
        for line in body.splitlines():
            series = json.loads(line)
            field = points.setdefault(series["metric"]["__name__"].removeprefix("process_"), {})
            field.update((ms * 1_000_000, value) for ms, value in zip(series["timestamps"], series["values"], strict=True))
        return points
