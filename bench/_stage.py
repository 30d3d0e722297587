"""The stage of `bench.pipeline` and `bench.gateway`, a process of its own: simulated servers, and the v2 write
path of an InfluxDB 1 (`bench._write_path`). Ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys

from bench._moving_answers import MovingPlan
from bench._shape import MOST_SIMULATED, Shape, plant_of
from bench._write_path import write_path
from simulators.opcua import answers
from simulators.plant import SimulatedPlant


async def serve(influx_url: str, shape: Shape) -> None:
    """Print where all are, as JSON, and serve."""
    scheme = "opc.tcp" if shape.protocol == "opcua" else "modbus"
    nowhere = [f"{scheme}://127.0.0.1:{number + 1}" for number in range(shape.endpoints)]
    if shape.endpoints * shape.tags > MOST_SIMULATED:
        answers.Plan = MovingPlan  # type: ignore[misc]
    plant = SimulatedPlant(plant_of(shape, nowhere, "http://127.0.0.1:1"), ports="free", lean=True)
    async with write_path(influx_url) as sink_url, plant:
        print(json.dumps({"servers": " ".join(plant.urls.values()), "sink": sink_url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Shape.of(sys.argv[2:])))
