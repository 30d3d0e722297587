"""The whole daemon for `bench.latency`, a process of its own: how long each change took to become a transition on its event
channel.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from bench._latency_plant import CHANGING, PERIOD_S, changed_ns, name, plant_of, step
from collector.acquire.pace import spread
from collector.app import Daemon, Outside
from collector.commands.terms import log_to
from collector.terms import Event, EventKind
from drivers.base import Clock, scan_groups
from tests.faults.disk import Act, Change, Disk

WARM_UP_S = 2.0
STALL_S = 1.5
"""Of each sync: longer than the time between two commits, so that the disk always stalls."""
TAG_OF = {name(tag): tag for tag in range(CHANGING)}


class Ear:
    """Hears the event channel; nanoseconds beyond the wait for the slot."""

    def __init__(self, clock: Clock, offset_ns: dict[str, int]) -> None:
        """`offset_ns`: how long after its slot a unit's only group is read."""
        self._clock, self._offset_ns = clock, offset_ns
        self.open = False
        self.beyond_ns: list[int] = []
        self.whole_ns: list[int] = []
        """With that wait."""

    def hear(self, what: object) -> None:
        """For `Live.listeners`."""
        now_ns, plant_ns = time.monotonic_ns(), self._clock.now_ns()
        if not (self.open and isinstance(what, Event) and what.kind is EventKind.TRANSITION and what.body["rule"] == "H"):
            return
        tag = TAG_OF[str(what.body["role"])]
        steps = step(tag, now_ns)
        if (steps & 1 == 1) != (what.body["to"] == "outside"):  # it changed once more after it was read
            steps -= 1
        whole_ns = now_ns - changed_ns(tag, steps)
        self.whole_ns.append(whole_ns)
        self.beyond_ns.append(min(whole_ns, plant_ns - what.slot_ns - self._offset_ns[what.unit]))


async def listen(protocol: str, urls: list[str], span_s: float, *, stalling: bool) -> dict[str, object]:
    """The figures of `span_s` seconds."""
    stalls = False

    def before(change: Change) -> None:
        if stalls and change.act is Act.SYNC:
            time.sleep(STALL_S)

    plant, disk, stop = plant_of(protocol, urls), Disk(before), asyncio.Event()
    groups = [group for endpoint in plant.endpoints for group in scan_groups(endpoint)]
    offset_ns = {group.layout.units[0]: spread(group.name, round(PERIOD_S * 1e9)) for group in groups}
    outside = Outside(file=disk.connect()) if stalling else Outside()  # a file system in Python costs time of its own
    with tempfile.TemporaryDirectory() as folder:
        async with Daemon(plant, Path(folder), outside=outside) as daemon:
            ear = Ear(daemon.clock, offset_ns)
            daemon.live.listeners.append(ear.hear)
            running = asyncio.create_task(daemon.run(stop, asyncio.Event()))
            await asyncio.sleep(WARM_UP_S)
            stalls = stalling
            ear.open = True
            await asyncio.sleep(span_s)
            waiting = daemon.recorder.pending_samples
            ear.open = stalls = False
            stop.set()
            await running
            lost = daemon.live.counters.lost_scans
    return {"beyond_ns": ear.beyond_ns, "whole_ns": ear.whole_ns, "lost_scans": lost, "waiting": waiting}


if __name__ == "__main__":
    log_to(sys.stderr)
    told = asyncio.run(listen(sys.argv[1], sys.argv[2].split(), float(sys.argv[3]), stalling=sys.argv[4] == "stalling"))
    print(json.dumps(told), flush=True)
