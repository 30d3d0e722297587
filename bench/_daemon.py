"""The whole daemon for some seconds, a process of its own: CPU and wall seconds and values while it runs, from after its warm-up;
apart from them the CPU seconds of its end (a daemon runs for months), and its peak of memory.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from bench._shape import Shape, plant_of
from collector.app import Daemon
from collector.commands.terms import log_to
from collector.garbage import for_good
from drivers.base import Scan


async def collect(shape: Shape, urls: list[str], sink_url: str, span_s: float) -> dict[str, float]:
    """What the sink had not taken when the daemon ended is `queued`. Raises RuntimeError when the ledger does not balance."""
    stop, began, ended = asyncio.Event(), (0.0, 0.0, 0), (0.0, 0.0, 0)
    warm_up, all_scans = (round(shape.endpoints * s / shape.period_s) for s in (shape.warm_up_s, shape.warm_up_s + span_s))
    with tempfile.TemporaryDirectory() as folder:
        async with for_good(Daemon(plant_of(shape, urls, sink_url), Path(folder))) as daemon:

            def watch(what: object) -> None:
                nonlocal began, ended
                counters = daemon.live.counters
                now = time.process_time(), time.monotonic(), counters.read
                if isinstance(what, Scan) and not began[0] and counters.scans >= warm_up:
                    began = now
                elif not ended[0] and counters.scans >= all_scans:
                    ended = now
                    stop.set()

            daemon.live.listeners.append(watch)
            ledger = await daemon.run(stop, asyncio.Event())
            lost = daemon.live.counters.lost_scans
    if not ledger.balanced or ledger.sinks["influx"].dead_lettered:
        raise RuntimeError(f"something is missing: {ledger}")
    return {
        "cpu_s": ended[0] - began[0],
        "wall_s": ended[1] - began[1],
        "values": ended[2] - began[2],
        "ending_s": time.process_time() - ended[0],
        "lost_scans": lost,
        "queued": ledger.sinks["influx"].queued,
        "resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    log_to(sys.stderr)
    words = sys.argv[1:5]
    server_urls, sink, span = sys.argv[5:]
    print(json.dumps(asyncio.run(collect(Shape.of(words), server_urls.split(), sink, float(span)))), flush=True)
