"""The server side of `bench.simulator`: a farm as `simulate --farm` serves it. Tells its CPU time when asked.

`python -m bench._simulated 200` prints the urls by endpoint, then the CPU seconds used so far for each line it gets.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

from simulators.farm import farm
from simulators.plant import SimulatedPlant


async def _serve(count: int) -> None:
    began_s = time.process_time()
    async with SimulatedPlant(farm(count), ports="free", lean=True) as simulated:
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told = {"start_s": time.process_time() - began_s, "resident_mb": megabytes, "urls": json.dumps(simulated.urls)}
        print(json.dumps(told), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({"cpu_s": time.process_time()}), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
