"""The daemon in a process of its own that tells of itself: a line of JSON each second on stdout, its log on stderr.

python -m tests.soak.watched_daemon ENDPOINTS.json DATA     until SIGTERM
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path

from collector.app import Daemon
from collector.commands.terms import log_to, stop_on_signals
from collector.gateway import resident_bytes
from collector.terms import Event
from config.model import Plant
from drivers.base import Scan
from tests.wire.lines import plant

TELL_S = 0.5


class Answers:
    """The last slot of each device in which it answered."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon, self._slots = daemon, dict[str, int]()
        daemon.live.listeners.append(self._hear)

    def _hear(self, what: Scan | Event) -> None:
        if isinstance(what, Scan) and not what.lost:
            self._slots[what.layout.device] = what.slot_ns

    @property
    def of_all_ms(self) -> int:
        """Since when every device has answered, wall time; 0 while one never has."""
        return min((self._slots.get(device, 0) for device in self._daemon.health.devices), default=0) // 1_000_000


def figures(daemon: Daemon, answers: Answers) -> dict[str, int]:
    """What must not grow, and how much was done."""
    return {
        "resident_bytes": resident_bytes(),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "scans": daemon.live.counters.scans,
        "lost_scans": daemon.live.counters.lost_scans,
        "answering": sum(state.answers is True for state in daemon.health.devices.values()),
        "answered_ms": answers.of_all_ms,
        "cpu_ms": round(sum(os.times()[:2]) * 1000),
    }


def tell(told: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def tell_forever(daemon: Daemon) -> None:
    answers = Answers(daemon)
    while True:
        await asyncio.sleep(TELL_S)
        tell(figures(daemon, answers))


async def main(collected: Plant, data: Path) -> None:
    """Ends with a line that says how many tasks were left."""
    log_to(sys.stderr)
    async with Daemon(collected, data) as daemon:
        telling = asyncio.create_task(tell_forever(daemon))
        with stop_on_signals() as stop:
            await daemon.run(stop.asked, stop.hurry)
        telling.cancel()
        await asyncio.wait([telling])
    tell({"tasks_left": len(asyncio.all_tasks()) - 1})


if __name__ == "__main__":
    asyncio.run(main(plant(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), Path(sys.argv[2])))
