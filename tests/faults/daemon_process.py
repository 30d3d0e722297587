"""The real daemon in a process that can be killed, over and over: a nursery imports everything once and forks a daemon for
each wish. What is committed, and what the devices have answered, is known outside of it.

    test ── wish (JSON) ──> nursery ── fork ──> daemon ── "began", "committed ..." ──> test
                                                   └── answered: a shared file, the newest slot of each device
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from collector import app
from collector.app import Daemon, JournalRefused, Outside
from collector.commands.terms import log_to, stop_on_signals
from collector.protocols import load_drivers
from collector.store.daily import Totals
from collector.store.files import StoreError
from collector.store.journal import Entry, Journal
from drivers.base import Scan
from tests.faults.ordered_faults import SIGNALS, OrderedFaults
from tests.faults.scripted_plant import ScriptedPlant, plant_of

DEADLINE_S = 60.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Wish:
    """A daemon to run."""

    data: str
    endpoints: int = 4
    tags: int = 50
    period_s: float = 0.1
    influx: str = ""
    """URL of InfluxDB 1, database `plant`."""
    faulty: bool = False
    """It obeys `OrderedFaults`."""
    drain_s: float = app.DRAIN_S
    """How long it sends at its end."""

    @property
    def answered(self) -> Path:
        """Of each device the first and the newest slot that it answered in this run, int64: survives the process."""
        return Path(self.data).with_name("answered")

    def prepare(self) -> None:
        """Nothing is answered yet."""
        self.answered.write_bytes(bytes(16 * self.endpoints))

    def answers(self) -> list[tuple[int, int]]:
        """By device: first and newest slot, zeros for none."""
        return list(struct.iter_unpack("qq", self.answered.read_bytes()))


# --- inside


class _TellingJournal(Journal):
    def append(self, entries: Sequence[Entry], time_ns: int) -> Totals:
        _tell(f"began {time.monotonic_ns()}")
        totals = super().append(entries, time_ns)
        _tell(f"committed {totals.seq} {totals.samples} {totals.scans} {time.monotonic_ns()}")
        return totals


def _tell(line: str) -> None:
    """In one piece, or not at all."""
    os.write(1, f"{line}\n".encode())


def nursery() -> None:
    """For each wish a daemon, and the news when it is gone."""
    load_drivers(plant_of(1, 1, 1.0).endpoints)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they would end a daemon that does not listen yet
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            os._exit(_live(Wish(**json.loads(line))))
        _tell(f"daemon {child}")
        _, status = os.waitpid(child, 0)
        _tell(f"gone {os.waitstatus_to_exitcode(status)}")


def _live(wish: Wish) -> int:
    sys.stderr = Path(wish.data).with_name("log").open("a", buffering=1)
    log_to(sys.stderr)
    vars(app)["DRAIN_S"] = wish.drain_s
    try:
        _tell("ledger " + "; ".join(asyncio.run(_run(wish))))
    except (StoreError, JournalRefused) as exc:
        _tell(f"refused {exc}")
        return 1
    return 0


async def _run(wish: Wish) -> list[str]:
    sink = {"influx": {"kind": "influxdb1", "url": wish.influx, "database": "plant"}} if wish.influx else {}
    plant = plant_of(wish.endpoints, wish.tags, wish.period_s, sinks=sink)
    numbers = {f"D-{n}": n for n in range(wish.endpoints)}
    with mmap.mmap(os.open(wish.answered, os.O_RDWR), 16 * wish.endpoints) as shared:

        def answered(scan: Scan) -> None:
            at = 16 * numbers[scan.layout.device]
            (first_ns,) = struct.unpack_from("q", shared, at)
            if not shared[:].strip(b"\0"):
                _tell(f"answered {time.monotonic_ns()} {time.process_time()}")
            struct.pack_into("qq", shared, at, first_ns or scan.slot_ns, scan.slot_ns)

        faults = OrderedFaults(answered)
        outside = faults.outside if wish.faulty else Outside(driver=ScriptedPlant(answered=answered).connect)
        if wish.faulty:
            faults.listen()
        async with Daemon(plant, Path(wish.data), outside=outside) as daemon:
            with stop_on_signals() as stop:
                ledger = await daemon.run(stop.asked, stop.hurry)
    return ledger.lines()


# --- outside


def first_answer_s(wish: Wish) -> tuple[float, float]:
    """Start a Python that runs the daemon: seconds until its first device has answered, and seconds of CPU that it took until
    then. It ends by SIGTERM, well: by one, for another that came after its end would kill it. Byte code is kept beside the
    data, as an installed program has it: the first run makes it."""
    wish.prepare()
    begin_ns, answered_ns, cpu_s, is_asked = time.monotonic_ns(), 0, 0.0, False
    command = [sys.executable, "-m", "tests.faults.daemon_process", json.dumps(asdict(wish))]
    environment = _environment() | {"PYTHONPYCACHEPREFIX": str(Path(wish.data).with_name("bytecode"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT, text=True) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if line.startswith("answered"):
                    _, at_ns, cpu = line.split()
                    answered_ns, cpu_s = int(at_ns), float(cpu)
                elif line.startswith("committed") and not is_asked:
                    process.send_signal(signal.SIGTERM)
                    is_asked = True
        except BaseException:
            process.kill()
            raise
    assert process.returncode == 0
    assert answered_ns
    return (answered_ns - begin_ns) / 1e9, cpu_s


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


class DaemonProcess:
    """One daemon after another."""

    def __init__(self, nursery: subprocess.Popen[bytes]) -> None:
        self._nursery = nursery
        self._rest = b""
        self.pid = 0

    def start(self, wish: Wish) -> None:
        """Returns when it has been forked."""
        wish.prepare()
        assert self._nursery.stdin
        self._nursery.stdin.write(json.dumps(asdict(wish)).encode() + b"\n")
        self._nursery.stdin.flush()
        self.pid = int(self.hear("daemon")[-1].split()[1])

    def hear(self, until: str, within_s: float = DEADLINE_S) -> list[str]:
        """Lines up to one that begins with `until`."""
        lines: list[str] = []
        deadline = time.monotonic() + within_s
        while not lines or not lines[-1].startswith(until):
            lines.append(self._line(deadline, until))
        return lines

    def kill(self, how: int = signal.SIGKILL) -> None:
        os.kill(self.pid, how)

    def deliver(self, how: int) -> None:
        """Send a signal and wait until it has come: of two that are under way the system makes one."""
        self.kill(how)
        while self._is_under_way(how):
            time.sleep(0.001)

    def _is_under_way(self, how: int) -> bool:
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines()
        pending = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
        return any(mask >> (how - 1) & 1 for mask in pending)

    def _line(self, deadline: float, until: str) -> str:
        assert self._nursery.stdout
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._nursery.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{until!r} did not come in time"
            got = os.read(self._nursery.stdout.fileno(), 65536)
            assert got, "the nursery has died"
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()


@contextmanager
def daemon_process() -> Iterator[DaemonProcess]:
    """A nursery that is ready; ended with what it has started."""
    command = [sys.executable, "-m", "tests.faults.daemon_process"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(), cwd=ROOT)
    daemon = DaemonProcess(process)
    try:
        yield daemon
    finally:
        assert process.stdin
        process.stdin.close()
        if daemon.pid and process.poll() is None:
            _end(daemon.pid)
        process.wait(DEADLINE_S)
        assert process.stdout
        process.stdout.close()


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    vars(app)["Journal"] = _TellingJournal
    if len(sys.argv) > 1:
        sys.exit(_live(Wish(**json.loads(sys.argv[1]))))
    nursery()
