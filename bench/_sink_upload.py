"""A journal to InfluxDB by our uploader, a process of its own: prints CPU seconds and values."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from bench._shape import TOKEN_VARIABLE
from collector.acquire.clock import PlantClock
from collector.ledger import ledger_of
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.uplink.influx import encoder_for, open_sink
from collector.uplink.upload import Upload
from config.sinks import InfluxDB2Sink


async def send(data: Path, url: str, bucket: str) -> dict[str, float]:
    """Everything, from the first row on."""
    sink_file = {"name": "influx", "kind": "influxdb2", "url": url, "bucket": bucket, "token": {"env": TOKEN_VARIABLE}}
    config = InfluxDB2Sink.model_validate(sink_file)
    with closing(Reader(data)) as reader, closing(Registry(data)) as registry:
        async with open_sink(config) as sink:
            await sink.write(b"warm,unit=up value=1 1")
            encoder = partial(encoder_for, config, "bench")
            with closing(Upload("influx", reader, registry, encoder, sink, PlantClock())) as upload:
                began_s = time.process_time()
                await upload.drain()
                cpu_s = time.process_time() - began_s
        ledger = ledger_of(reader, registry, ["influx"])
    if ledger.sinks["influx"].accepted != ledger.read:
        raise RuntimeError(f"not everything was taken: {ledger}")
    return {"cpu_s": cpu_s, "values": ledger.read}


if __name__ == "__main__":
    told = asyncio.run(send(Path(sys.argv[1]), *sys.argv[2:]))
    print(json.dumps(told), flush=True)
