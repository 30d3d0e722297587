"""The whole daemon for some seconds, a process of its own: CPU and wall seconds and values from after its warm-up to its end,
and its peak of memory.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from bench._stage import Shape, plant_of
from collector.app import Daemon
from collector.commands.terms import log_to
from drivers.base import Scan

WARM_UP_S = 4.0


async def collect(shape: Shape, urls: list[str], sink_url: str, span_s: float) -> dict[str, float]:
    """Raises RuntimeError when not every value arrived."""
    stop, began_s, began_wall_s, read_before = asyncio.Event(), 0.0, 0.0, 0
    warm_up, all_scans = (round(shape.endpoints * s / shape.period_s) for s in (WARM_UP_S, WARM_UP_S + span_s))
    with tempfile.TemporaryDirectory() as folder:
        async with Daemon(plant_of(shape, urls, sink_url), Path(folder)) as daemon:

            def watch(what: object) -> None:
                nonlocal began_s, began_wall_s, read_before
                counters = daemon.live.counters
                if isinstance(what, Scan) and not began_s and counters.scans >= warm_up:
                    began_s, began_wall_s, read_before = time.process_time(), time.monotonic(), counters.read
                elif counters.scans >= all_scans:
                    stop.set()

            daemon.live.listeners.append(watch)
            ledger = await daemon.run(stop, asyncio.Event())
            lost = daemon.live.counters.lost_scans
    if ledger.sinks["influx"].accepted != ledger.read:
        raise RuntimeError(f"not everything arrived: {ledger}")
    return {
        "cpu_s": time.process_time() - began_s,
        "wall_s": time.monotonic() - began_wall_s,
        "values": ledger.read - read_before,
        "lost_scans": lost,
        "resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    log_to(sys.stderr)
    words = sys.argv[1:5]
    server_urls, sink, span = sys.argv[5:]
    print(json.dumps(asyncio.run(collect(Shape.of(words), server_urls.split(), sink, float(span)))), flush=True)
