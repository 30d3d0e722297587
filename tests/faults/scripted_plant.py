"""A plant without wires: devices that answer from a script, in values that tell the slot they were read for.

So a scan can be checked years later with no record of what was sent, and the daemon is under load without a second process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np

from config.model import Plant
from drivers.base import Clock, Driver, Endpoint, Layout, Scan, ScanGroup

Script = Callable[[ScanGroup, int], float]
"""For a group and slot: seconds until it answers; it may raise what a driver would."""
Answered = Callable[[Scan], None]


def plant_of(endpoints: int, tags: int, period_s: float, **parts: object) -> Plant:
    """One device, `D-0`, `D-1` ..., of a unit of its own behind each endpoint, one scan group each."""
    return Plant.model_validate(
        {
            "site": "Basel",
            "endpoints": {
                f"line-{n}": {
                    "url": f"modbus://127.0.0.1:{1000 + n}",
                    "backoff_s": 0.05,
                    "backoff_limit_s": 0.2,
                    "devices": {
                        f"D-{n}": {
                            "unit": f"R-{n}",
                            "groups": {"main": {"period_s": period_s}},
                            "tags": {f"T{t}": {"address": f"holding:{4 * t}", "type": "float64"} for t in range(tags)},
                        }
                    },
                }
                for n in range(endpoints)
            },
            "units": {f"R-{n}": {} for n in range(endpoints)},
            "web": None,
            **parts,
        }
    )


def values_at(slot_ns: int, tags: int) -> np.ndarray:
    """float64[tags]: what every device says for a slot, exact in binary and in decimal."""
    return float(slot_ns // 1_000_000) + 0.5 * np.arange(tags)


def is_right(scan: Scan) -> bool:
    """Nothing but what the device said for that very slot."""
    return not scan.quality.any() and np.array_equal(scan.values, values_at(scan.slot_ns, len(scan.layout.columns)))


@dataclass(frozen=True, slots=True)
class ScriptedPlant:
    """`connect` is a driver for `Outside`; `answered` hears of every answer before the daemon has it."""

    script: Script = lambda _group, _slot_ns: 0.0
    answered: Answered = lambda _scan: None

    @asynccontextmanager
    async def connect(self, _endpoint: Endpoint, _groups: Sequence[ScanGroup], clock: Clock) -> AsyncIterator[Driver]:
        yield _ScriptedDriver(self, clock)


@dataclass(frozen=True, slots=True)
class _ScriptedDriver:
    plant: ScriptedPlant
    clock: Clock

    async def read(self, group: ScanGroup, slot_ns: int) -> Scan:
        if delay_s := self.plant.script(group, slot_ns):
            await asyncio.sleep(delay_s)
        scan = answer_of(group.layout, slot_ns, self.clock.now_ns())
        self.plant.answered(scan)
        return scan


def answer_of(layout: Layout, slot_ns: int, received_ns: int) -> Scan:
    """A good scan."""
    k = len(layout.columns)
    return Scan(layout, slot_ns, received_ns, values_at(slot_ns, k), np.zeros(k, np.uint32), np.zeros(k, np.uint8))
