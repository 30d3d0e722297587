"""The sinks there are: InfluxDB 2 and 3 through influxdb-client, InfluxDB 1 `/write`, VictoriaMetrics.

All send ready lines, gzip level 1, nanoseconds; none retries, follows a redirect or logs by itself: the uploader owns
that. A deadline spans the whole exchange, so a half-open connection costs one timeout.

VictoriaMetrics acknowledges before its data is on disk: what it accepted last is lost when it crashes. So the uploader
holds it for `hold_s`, and asks `/metrics` whether the server was started anew meanwhile. It answers 204 to lines it can't
read, and counts a replay twice unless it runs with `-dedup.minScrapeInterval=1ms`; the first connect says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from collector.loading import loaded
from collector.uplink.lines import Encoder
from collector.uplink.sink import Sink
from config.sinks import InfluxDB1Sink, VictoriaMetricsSink
from config.sinks import Sink as SinkConfig

VICTORIA_HOLD_S = 60.0
"""It loses what it accepted in its last 10 to 20 s."""


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
        async with await loaded(lambda: _opened(config, gzip)) as sink:
            yield sink


def _opened(config: SinkConfig, gzip: Executor) -> AbstractAsyncContextManager[Sink]:
    """Loads what speaks to it: nothing that a plant without it, or a first scan, has to wait for."""
    if isinstance(config, InfluxDB1Sink):
        from collector.uplink import influx1  # noqa: PLC0415

        return influx1.opened(config, gzip)
    from collector.uplink import influx2  # noqa: PLC0415

    return influx2.opened(config, gzip)
