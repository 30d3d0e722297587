"""Alarms of a real daemon through `reactorwatch alarms`: over a stop, a start and kill -9, with a device on a real wire."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from collector.__main__ import app
from collector.store.files import journal_files
from collector.store.reader import Reader
from collector.terms import Event, EventKind
from tests.system.modbus_peer import Request, Step, serving

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
USER = pwd.getpwuid(os.geteuid()).pw_name
PAR, NOR = "R-201/temperature/PAR-high", "R-201/temperature/NOR-high"
PLANT = """
site: Basel
endpoints:
  plc:
    url: modbus://127.0.0.1:{port}
    timeout_s: 30
    devices:
      PLC:
        unit: R-201
        groups: {{main: {{period_s: 0.1}}}}
        tags:
          TT-1: {{address: "holding:0", type: uint16, role: temperature}}
units: {{R-201: {{mode: gmp}}}}
limits:
  - {{role: temperature, nor: [0.0, 60.0], par: [0.0, 70.0], cpp: true, consequence: it runs away, action: cool it}}
web: null
"""


class Device:
    """One register, that a test sets."""

    value = 75

    def __call__(self, request: Request) -> Iterable[Step]:
        return [request.answer(self.value.to_bytes(2, "big") * request.count)]


class Plant:
    """A daemon after another on one data folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.data, self._file = folder / "data", folder / "plant.yaml"
        self._file.write_text(PLANT.format(port=port), "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "collector", "run", str(self._file), "--data", str(self.data)]
        with self._file.with_name("log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    async def end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(how)
        return await asyncio.to_thread(process.wait, DEADLINE_S)

    async def alarms(self, *arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, ["alarms", *arguments, "--data", str(self.data)])

    async def states(self) -> dict[str, str]:
        """As they are listed; nothing while no daemon answers."""
        result = await self.alarms("list", "--json")
        told: dict[str, Any] = json.loads(result.stdout) if result.exit_code == 0 else {"running": False}
        return {id_: alarm["state"] for id_, alarm in told["alarms"].items()} if told["running"] else {"": "no daemon"}

    async def until(self, wanted: dict[str, str]) -> None:
        states: dict[str, str] = {}
        try:
            async with asyncio.timeout(DEADLINE_S):
                while (states := await self.states()) != wanted:  # noqa: ASYNC110  another process
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{states}, not {wanted}\n{self._file.with_name('log').read_text()}") from None

    def events(self, kind: EventKind) -> list[Event]:
        if not journal_files(self.data):
            return []
        with closing(Reader(self.data)) as reader:
            return [row.event for row in reader.events_after(kind, 0)]

    async def until_judged(self, before: int) -> None:
        """What was outside has been told again after a start, or the opposite of it; committed."""
        async with asyncio.timeout(DEADLINE_S):
            while len(await asyncio.to_thread(self.events, EventKind.TRANSITION)) < before + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@asynccontextmanager
async def plant(folder: Path, device: Device) -> AsyncIterator[Plant]:
    async with serving(device) as peer:
        running = Plant(folder, peer.port)
        try:
            yield running
        finally:
            await running.end(signal.SIGKILL)


def told(plant: Plant) -> list[tuple[Any, ...]]:
    return [(event.body["rule"], event.body["to"]) for event in plant.events(EventKind.ALARM)]


async def test_alarms_through_kill_start_and_stop(tmp_path: Path) -> None:
    device = Device()
    async with plant(tmp_path, device) as running:
        running.start()
        await running.until({PAR: "unacknowledged", NOR: "unacknowledged"})
        refused = await running.alarms("acknowledge", PAR)
        assert refused.exit_code == 1 and "acknowledged with a reason" in refused.stderr
        assert (await running.alarms("service", NOR, "--reason", "probe is cleaned")).exit_code == 0
        done = await running.alarms("acknowledge", PAR, "--reason", "cooling is on")
        assert (done.exit_code, done.stdout.splitlines()[0]) == (0, f"{PAR} acknowledged by {USER}: it is acknowledged")
        await running.end(signal.SIGKILL)  # at once: it was said to be on the disk
        at_kill = told(running)
        assert at_kill[-1] == ("PAR high", "acknowledged")

        before = len(running.events(EventKind.TRANSITION))
        running.start()  # still outside
        await running.until_judged(before)
        await running.until({PAR: "acknowledged", NOR: "out of service"})
        assert told(running) == at_kill, "nothing was raised anew"
        assert (await running.alarms("service", NOR, "--back", "--reason", "done")).exit_code == 0
        assert (await running.alarms("shelve", NOR, "--for", "0.5s", "--reason", "a moment")).exit_code == 0
        await running.until({PAR: "acknowledged", NOR: "unacknowledged"})
        assert await running.end(signal.SIGTERM) == 0

        listed = await running.alarms("list")
        assert listed.exit_code == 0 and "no daemon runs" in listed.stderr and "known last" in listed.stderr
        assert f"acknowledged by {USER}" in listed.stdout and "cool it" in listed.stdout
        assert listed.stdout.splitlines()[-1] == "advisory only, not a safety layer: act on the control system"
        nobody = await running.alarms("acknowledge", NOR, "--reason", "x")
        assert nobody.exit_code == 1 and "no daemon runs" in nobody.stderr

        device.value = 40
        running.start()  # it came back while no daemon ran
        await running.until({NOR: "returned, unacknowledged"})
        figures = json.loads((await running.alarms("figures", "--json")).stdout)
        assert (figures["calls"], figures["top"]) == (4, {NOR: 3, PAR: 1})
        excursions = [event.body["ended"] for event in running.events(EventKind.EXCURSION)]
        assert excursions == ["", "stopped", "", "stopped"], "the second start told what the kill had left open"
