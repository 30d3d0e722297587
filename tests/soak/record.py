"""`make soak`: the whole daemon under random faults of everything at once, and at the end the proof that the record is whole.

A daemon process with scripted devices streams to a real InfluxDB. At random: the daemon is killed or stopped, InfluxDB is
stopped, a device freezes, the disk stalls or is full, the wall clock is set. Then all is well again for a while, the daemon
ends, and `verify`, a walk over every row, and InfluxDB point for point must agree. A bar on stderr while it runs, then one
JSON object on stdout; the exit code is 1 when anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from collector.proof.record import prove
from tests.faults.daemon_process import DaemonProcess, Wish, daemon_process
from tests.faults.influx_points import assert_same_points
from tests.faults.ordered_faults import Fault
from tests.faults.recorded import Recorded
from tests.servers import InfluxDB, running_influxdb
from tests.soak.duration import duration_s

PAUSE_S = (0.5, 6.0)
INFLUX_AWAY_S = (0.5, 20.0)
CATCH_UP_S = 600.0


class Soak:
    """One run."""

    def __init__(self, folder: Path, daemon: DaemonProcess, influx: InfluxDB, chance: random.Random) -> None:
        self.daemon, self.influx, self.chance = daemon, influx, chance
        self.recorded = Recorded(folder / "data")
        self.wish = Wish(str(self.recorded.data), endpoints=6, tags=40, influx=influx.url, faulty=True)
        self.faults: Counter[str] = Counter()
        self.told = 0
        """Samples that were told to be committed."""

    def run(self, seconds: float) -> dict[str, Any]:
        """Raises AssertionError for what does not hold."""
        begin_s = time.monotonic()
        self.daemon.start(self.wish)
        doings = (self._kill, self._stop, self._influx, *(self._signal(fault) for fault in Fault))
        with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=Console(stderr=True)) as progress:
            task = progress.add_task("faults", total=seconds)
            while (passed_s := time.monotonic() - begin_s) < seconds:
                told = f"{self.faults.total()} faults, {self.recorded.samples} samples seen on the disk"
                progress.update(task, completed=passed_s, description=told)
                time.sleep(self.chance.uniform(*PAUSE_S))
                self.chance.choice(doings)()
            progress.update(task, completed=seconds, description="all is well again: the sink catches up")
            self._catch_up()
        return {"seconds": round(time.monotonic() - begin_s), "faults": dict(self.faults), **self._verdict()}

    def _kill(self) -> None:
        self._end(signal.SIGKILL, "gone -9")
        self.faults["kill -9"] += 1

    def _stop(self) -> None:
        self._end(signal.SIGTERM, "")
        self.faults["SIGTERM"] += 1

    def _end(self, how: signal.Signals, gone: str) -> None:
        self.daemon.kill(how)
        lines = self.daemon.hear("gone")
        assert lines[-1].startswith(gone), lines[-3:]
        committed = [int(line.split()[2]) for line in lines if line.startswith("committed")]
        self.told = committed[-1] if committed else self.told
        self.recorded.walk()
        assert self.recorded.samples >= self.told, f"{self.told} samples were committed, {self.recorded.samples} are there"
        self.daemon.start(self.wish)

    def _influx(self) -> None:
        self.influx.stop(self.chance.choice((signal.SIGTERM, signal.SIGKILL)))
        time.sleep(self.chance.uniform(*INFLUX_AWAY_S))
        self.influx.start()
        self.faults["InfluxDB stopped"] += 1

    def _signal(self, fault: Fault) -> Callable[[], None]:
        def act() -> None:
            self.daemon.kill(fault.signal)
            self.faults[fault.words] += 1

        return act

    def _catch_up(self) -> None:
        """Without faults, until the ledger at an end says that nothing is queued."""
        for _ in range(5):
            time.sleep(5)
            self.daemon.hear("committed")  # before that a signal might end it with nothing told
            self.daemon.kill(signal.SIGTERM)
            *_, last, gone = self.daemon.hear("gone", CATCH_UP_S)
            if gone == "gone 0" and "queued 0" in last:
                return
            self.daemon.start(self.wish)
        raise AssertionError(f"the sink does not catch up: {last}")

    def _verdict(self) -> dict[str, Any]:
        self.recorded.walk()
        self.recorded.assert_ledger()
        proof = prove(self.recorded.data)
        points = assert_same_points(self.influx, self.recorded, "plant")
        figures = {
            "samples": self.recorded.samples,
            "rows": self.recorded.seq,
            "gaps": len(self.recorded.gaps),
            "points_in_influxdb": points,
            "committed_lost": max(0, self.told - self.recorded.samples),
            "doubled": self.recorded.doubled,
            "silent_slots": self.recorded.silent(),
            "sound": proof.sound,
            "findings": [f"{found.where}: {found.what}" for found in proof.findings if found.fault],
        }
        held = proof.sound and not (figures["committed_lost"] or figures["doubled"] or figures["silent_slots"])
        return {**figures, "held": held}


def run(folder: Path, seconds: float, seed: str) -> dict[str, Any]:
    """The summary."""
    with running_influxdb() as influx, daemon_process() as daemon:
        influx.create("plant")
        return {"seed": seed, **Soak(folder, daemon, influx, random.Random(seed)).run(seconds)}


def main() -> int:
    """0 when all held."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=duration_s, default=3600.0, metavar="TIME", help="90s, 10min, 1h")
    parser.add_argument("--seed", default=str(random.randrange(10**6)), help="the same seed gives the same faults")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        summary = run(Path(folder), given.seconds, given.seed)
    print(json.dumps(summary, indent=2))  # noqa: T201
    return 0 if summary["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
