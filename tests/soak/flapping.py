"""Twenty devices that come and go at random, and one daemon: nothing leaks, no value is wrong, no slot is unaccounted for.

    python -m tests.soak.flapping --hours 1 [--seed 7] [--keep FOLDER]     or: make flapping FOR=1h

    process 1   20 simulated devices, each endpoint behind a relay: 10 OPC UA servers, 6 Modbus TCP devices, 4 units of an RTU bus
    process 2   the whole daemon, which tells its memory, tasks, threads and files
    this one    lets every endpoint, and every unit of the bus, go down and come back; then reads the journal and judges

A connection counts from connect() until the collector closes its socket, also one that is half open and swallows everything:
the collector must have closed it before it connects again. A session counts at the server from CreateSession until
CloseSession, or until the server sees its socket end; of a half-open connection the server's half has ended, so the session
has gone with it.
Progress on stderr, one JSON object on stdout at the end; the exit code is 1 when anything did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.soak.duration import duration_s
from tests.soak.verdict import Measured, verdict
from tests.wire.account import accounts
from tests.wire.devices import ROOT, Devices, devices
from tests.wire.lines import Line, Pace

PATIENCE_S = 120.0
"""Until all answer; the machine may be busy."""
LINES = [
    *(Line(f"opcua{n}", "opcua") for n in range(10)),
    *(Line(f"modbus{n}", "modbus") for n in range(6)),
    Line("bus", "rtu", units=4),
]
WIRE_FAULTS: list[tuple[str, float | None]] = [
    ("restart", None),
    ("refuse", None),
    ("reset", None),
    ("freeze", None),
    ("half_open", None),
    ("delay", 0.4),
    ("delay", 3.0),
    ("slow", 0.02),
    ("cut", None),
    ("garbage", None),
]
UNIT_FAULTS: list[tuple[str, float | None]] = [("silent", None), ("exception", 11), ("exception", 6)]


@dataclass(frozen=True)
class Tempo:
    """How fast it all goes, seconds."""

    up_s: float
    down_s: float
    pace: Pace

    @classmethod
    def of(cls, seconds: float) -> Tempo:
        """Calm where there is time."""
        if seconds < 60:
            return cls(0.6, 0.6, Pace(period_s=0.25, timeout_s=1.0, backoff_s=0.3))
        return cls(12.0, 6.0, Pace(period_s=0.5, timeout_s=1.0, backoff_s=0.5))


@dataclass
class Flapping:
    """The faults of one run."""

    devices: Devices
    tempo: Tempo
    over: asyncio.Event = field(default_factory=asyncio.Event)
    begun: Counter[str] = field(default_factory=Counter)

    async def flap(self, chance: random.Random, line: Line, target: str, faults: list[tuple[str, float | None]]) -> None:
        """Until it is over: up, down, up ..."""
        while not await self.pause(chance.expovariate(1 / self.tempo.up_s)):
            kind, value = chance.choice(faults)
            number = await self.devices.begin(line.name, kind, value, target)
            self.begun[kind] += 1
            await self.pause(chance.uniform(0.2, 2) * self.tempo.down_s)
            await self.devices.end(number)

    async def pause(self, seconds: float) -> bool:
        """True when it is over."""
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
        except TimeoutError:
            return False
        return True


@dataclass
class Daemon:
    """The watched daemon's process."""

    process: asyncio.subprocess.Process
    told: list[dict[str, int]] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        assert self.process.stdout
        while line := await self.process.stdout.readline():
            self.told.append(json.loads(line) | {"at_ms": round(time.monotonic() * 1000)})
            self.more.set()
        self.more.set()

    async def all_answer(self, after_ms: int, limit_s: float) -> bool:
        """Whether each device answers within `limit_s`, after a time; not all at once: a busy machine loses some."""
        try:
            async with asyncio.timeout(limit_s):
                while not self.told or self.told[-1].get("answered_ms", 0) < after_ms:
                    self.more.clear()
                    await self.more.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def daemon(endpoints: Path, data: Path, log: Path) -> AsyncIterator[Daemon]:
    """Runs inside, has sealed its journal afterwards."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.soak.watched_daemon", str(endpoints), str(data),
            stdout=asyncio.subprocess.PIPE, stderr=errors, cwd=ROOT,
        )  # fmt: skip
    made = Daemon(process)
    listening = asyncio.create_task(made.listen())
    try:
        yield made
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()
        await listening


async def run(seconds: float, seed: int, folder: Path, least_faults: int = 0) -> dict[str, Any]:
    """The summary; `problems` in it is empty when all held. So many faults are awaited though it takes longer."""
    tempo = Tempo.of(seconds)
    data, log, endpoints = folder / "data", folder / "daemon.log", folder / "endpoints.json"
    async with devices(folder / "devices.log") as served:
        fields = [line.fields(tempo.pace, await served.serve(line.fields(tempo.pace))) for line in LINES]
        endpoints.write_text(json.dumps(fields), encoding="utf-8")
        count = sum(line.units for line in LINES)
        async with daemon(endpoints, data, log) as collector:
            started = await collector.all_answer(1, PATIENCE_S)
            flapping = await _flap(served, collector, tempo, seconds, seed, least_faults)
            back = await collector.all_answer(time.time_ns() // 1_000_000, PATIENCE_S)
        counts = await served.ask("counts")
    found = await asyncio.to_thread(accounts, data)
    lines = log.read_text(encoding="utf-8").splitlines()
    measured = Measured(seconds, collector.told, counts, found, lines, flapping.begun)
    problems = [] if started and back else ["not every device answered at the beginning, or again at the end"]
    return verdict(measured, count, problems)


async def _flap(served: Devices, collector: Daemon, tempo: Tempo, seconds: float, seed: int, least_faults: int) -> Flapping:
    flapping = Flapping(served, tempo)
    async with asyncio.TaskGroup() as group:
        for line in LINES:
            group.create_task(flapping.flap(random.Random(f"{seed}/{line.name}"), line, line.name, WIRE_FAULTS))
            if line.units > 1:
                for target in line.devices:
                    group.create_task(flapping.flap(random.Random(f"{seed}/{target}"), line, target, UNIT_FAULTS))
        began_s = time.monotonic()
        while (left_s := began_s + seconds - time.monotonic()) > 0:
            await flapping.pause(min(left_s, 10.0))
            _show(seconds - max(left_s - 10, 0), seconds, flapping, collector)
        while flapping.begun.total() < least_faults:
            await flapping.pause(0.05)
        flapping.over.set()
    return flapping


def _show(passed_s: float, seconds: float, flapping: Flapping, collector: Daemon) -> None:
    now = collector.told[-1] if collector.told else {}
    text = (
        f"{passed_s:6.0f} of {seconds:.0f} s  faults {flapping.begun.total():5d}  answering {now.get('answering', 0):2d}"
        f"  scans {now.get('scans', 0):7d}  lost {now.get('lost_scans', 0):5d}  RSS {now.get('resident_bytes', 0) / 1e6:6.1f} MB"
        f"  tasks {now.get('tasks', 0)}  threads {now.get('threads', 0)}  files {now.get('files', 0)}"
    )
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """0 when all held."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hours", type=float, help="how long")
    parser.add_argument(
        "--for", dest="seconds", type=duration_s, default=3600.0, metavar="TIME", help="the same as 90s, 10min, 1h"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="the same seed gives the same faults")
    parser.add_argument("--keep", type=Path, help="an empty folder for journal and logs, which are else thrown away")
    given = parser.parse_args()
    seconds = given.seconds if given.hours is None else given.hours * 3600
    with tempfile.TemporaryDirectory(prefix="flapping-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"flapping for {seconds:.0f} s, --seed {given.seed}, in {folder}", file=sys.stderr)  # noqa: T201
        summary = asyncio.run(run(seconds, given.seed, folder))
    print(json.dumps({"seed": given.seed} | summary))  # noqa: T201
    return 1 if summary["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
