"""The whole daemon for some seconds, a process of its own: CPU seconds and values from after its warm-up to its end."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from bench._stage import PERIOD_S, TAGS, plant_of
from collector.app import Daemon
from collector.commands.terms import log_to
from drivers.base import Scan

WARM_UP_SCANS = 20


async def collect(server_url: str, sink_url: str, span_s: float) -> dict[str, float]:
    """Raises RuntimeError when not every value arrived."""
    stop, began_s = asyncio.Event(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        async with Daemon(plant_of(server_url, sink_url), Path(folder)) as daemon:

            def watch(what: object) -> None:
                nonlocal began_s
                scans = daemon.live.counters.scans
                if isinstance(what, Scan) and scans == WARM_UP_SCANS:
                    began_s = time.process_time()
                elif scans >= WARM_UP_SCANS + span_s / PERIOD_S:
                    stop.set()

            daemon.live.listeners.append(watch)
            ledger = await daemon.run(stop, asyncio.Event())
    if ledger.sinks["influx"].accepted != ledger.read:
        raise RuntimeError(f"not everything arrived: {ledger}")
    return {"cpu_s": time.process_time() - began_s, "values": ledger.read - WARM_UP_SCANS * TAGS}


if __name__ == "__main__":
    log_to(sys.stderr)
    print(json.dumps(asyncio.run(collect(sys.argv[1], sys.argv[2], float(sys.argv[3])))), flush=True)
