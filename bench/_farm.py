"""The server side of `bench.simulated_farm`: 20 endpoints of 500 tags, each with a reactor. Tells its CPU time when asked.

`python -m bench._farm prepared` serves as a user gets it, `python -m bench._farm asyncua` has asyncua answer each Read.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from config.model import Plant
from simulators.opcua_answers import Plan, Plans
from simulators.plant import SimulatedPlant

ENDPOINTS, TAGS = 20, 500
_ROLES = (
    "product_temperature", "product_temperature_b", "jacket_inlet_temperature", "jacket_outlet_temperature",
    "temperature_setpoint", "jacket_valve_output", "headspace_pressure", "stirrer_speed", "stirrer_power", "contents_mass",
    "dosing_rate", "dosed_mass", "nitrogen_flow", "ph",
)  # fmt: skip
_REAL: dict[str, object] = {"engineering_unit": "°C", "range": [-30, 200]}
_INTEGER: dict[str, object] = {"kind": "integer", "range": [0, 1000]}
_STATES: dict[str, object] = {"kind": "integer", "states": {0: "Idle", 1: "Running"}}
_BOOLEAN: dict[str, object] = {"kind": "boolean"}
_TEXT: dict[str, object] = {"kind": "text"}
_OTHERS = (*(_REAL,) * 6, _INTEGER, _STATES, _BOOLEAN, _TEXT)


def address(endpoint: int, tag: int) -> str:
    """Of a tag, without its namespace."""
    return f"s=R{endpoint}.TAG{tag:03d}"


def _tag(endpoint: int, tag: int) -> dict[str, object]:
    fields = {"role": _ROLES[tag]} if tag < len(_ROLES) else {"role": f"other_{tag}", **_OTHERS[tag % len(_OTHERS)]}
    return {"address": f"ns=2;{address(endpoint, tag)}", **fields}


def _plant() -> Plant:
    endpoints = {
        f"r{number}-opcua": {
            "url": f"opc.tcp://127.0.0.1:{50000 + number}",
            "devices": {
                f"r{number}": {"unit": f"R-{number}", "tags": {f"R{number}-{tag}": _tag(number, tag) for tag in range(TAGS)}}
            },
        }
        for number in range(ENDPOINTS)
    }
    units: dict[str, object] = {f"R-{number}": {} for number in range(ENDPOINTS)}
    return Plant.model_validate({"site": "farm", "units": units, "endpoints": endpoints})


def _unprepared(self: Plans, parameters: bytes) -> Plan | None:
    return None


async def _serve() -> None:
    began_s = time.process_time()
    async with SimulatedPlant(_plant(), ports="free") as simulated:
        told = {"start_s": time.process_time() - began_s, "urls": list(simulated.urls.values())}
        print(json.dumps(told), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({"cpu_s": time.process_time()}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "asyncua":
        Plans.plan = _unprepared  # type: ignore[method-assign]
    asyncio.run(_serve())
