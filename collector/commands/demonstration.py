"""The demo: two simulated reactors, the whole daemon, a live table and the page.

The simulators are a process of their own, reached over real sockets; the daemon is the one that `run` runs.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from collector.app import Daemon, JournalRefused
from collector.commands.terms import Stop, counted, failed, in_words, load_plant, log_to, output, stop_on_signals, wrong_input
from collector.keeping.owner import OtherSite, expect_site
from collector.ledger import Ledger
from collector.show.terminal import watch
from collector.store.files import StoreError
from config.load import config_hash

START_DEADLINE_S = 60.0
SAY_INTERVAL_S = 3.0
_SCENARIO = "demo-scenario.yaml"
_DEMO_SITE = "demo"
_LISTENS = re.compile(r"127\.0\.0\.1:(\d+)")


def demonstrate(span_s: float | None, speed: float, data: Path | None, port: int) -> None:
    """Run it, for `span_s` seconds or until it is stopped, and say goodbye. Ends the command when it fails."""
    try:
        folder = data or Path(tempfile.mkdtemp(prefix="reactorwatch-demo-"))
        folder.mkdir(parents=True, exist_ok=True)
        expect_site(folder, _DEMO_SITE)  # before anything is written there
        file = folder / "demo-plant.yaml"
        file.write_text(_plant_text(), encoding="utf-8")
        file.with_name(_SCENARIO).write_text(_example(_SCENARIO), encoding="utf-8")
        with (folder / "reactorwatch.log").open("a", encoding="utf-8") as log:
            log_to(log)
            ledger = asyncio.run(_demo(file, folder, port, speed, span_s))
    except OtherSite as exc:
        wrong_input(f"{exc}, or none: the demo then makes one of its own")
    except (StoreError, JournalRefused, DemoFailed, OSError) as exc:
        failed(f"the demo failed: {in_words(exc)}")
    _farewell(folder, ledger)
    if not ledger.read or not ledger.balanced:
        failed(f"no value was read; look at {folder}/reactorwatch.log")


class DemoFailed(Exception):
    """The simulators did not start or did not last; the text has their last words."""


def _plant_text() -> str:
    """The demo's plant file, with free ports where its own are taken."""
    text = _example("demo.yaml")
    for port in dict.fromkeys(_LISTENS.findall(text)):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{_free_port(int(port))}")
    return text


def _example(name: str) -> str:
    return files("config").joinpath(f"examples/{name}").read_text(encoding="utf-8")


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _demo(file: Path, folder: Path, port: int, speed: float, span_s: float | None) -> Ledger:
    plant = load_plant(file, quiet=True)
    output.print("starting two simulated reactors ...")
    with stop_on_signals() as stop:
        async with _simulators(file, speed, stop), Daemon(plant, folder, config_hash(file), page_port=port) as daemon:
            show = asyncio.create_task(_show(daemon, stop, span_s))
            try:
                return await daemon.run(stop.asked, stop.hurry)
            finally:
                show.cancel()
                await asyncio.wait([show])


@asynccontextmanager
async def _simulators(file: Path, speed: float, stop: Stop) -> AsyncIterator[None]:
    """The simulators as a process that ends with us, whatever happens to us."""
    pipe = asyncio.subprocess.PIPE
    told = (str(file), "--scenario", str(file.with_name(_SCENARIO)), "--speed", str(speed), "--with-parent")
    command = (sys.executable, "-m", "collector", "simulate", *told)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    assert process.stdout and process.stderr and process.stdin
    watch: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            while line := await process.stdout.readline():
                if line.startswith(b"plant time"):
                    break
            else:
                raise DemoFailed(
                    (await process.stderr.read()).decode("utf-8", "replace").strip() or "the simulators ended at once"
                )
        watch = asyncio.create_task(_stop_with(process, stop))
        yield
        if process.returncode is not None:
            raise DemoFailed(await _last_words(process))
    except TimeoutError:
        raise DemoFailed(f"the simulators did not start within {START_DEADLINE_S:g} s") from None
    finally:
        if watch:
            watch.cancel()
            await asyncio.wait([watch])
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _last_words(process: asyncio.subprocess.Process) -> str:
    assert process.stderr
    text = (await process.stderr.read()).decode("utf-8", "replace").strip()
    return f"the simulators ended: {text or 'without a word'}"


async def _stop_with(process: asyncio.subprocess.Process, stop: Stop) -> None:
    await process.wait()
    stop.asked.set()


async def _show(daemon: Daemon, stop: Stop, span_s: float | None) -> None:
    """Draw on a terminal, or say a line now and then elsewhere, until the end."""
    try:
        async with asyncio.timeout(span_s):
            await watch(daemon.picture, lambda: daemon.page.url)
            while not stop.asked.is_set():
                await asyncio.sleep(SAY_INTERVAL_S)
                _say(daemon)
    except TimeoutError:
        stop.asked.set()


def _say(daemon: Daemon) -> None:
    counters = daemon.live.counters
    phases = ", ".join(f"{unit} {stamp.batch or 'no batch'} {stamp.phase}" for unit, stamp in daemon.live.stamps.items())
    excursions = sum(len(judge.open) for judge in daemon.recorder.judges.values())
    output.print(
        f"read {counters.read} values in {counters.scans} scans; {phases}; {counted(excursions, 'excursion')} open", markup=False
    )
    if daemon.page.url:
        output.print(f"page: {daemon.page.url}", markup=False)


def _farewell(folder: Path, ledger: Ledger) -> None:
    for line in ledger.lines():
        output.print(line, markup=False)
    output.print(f"the record is in {folder}; look at it with", markup=False)
    command = "reactorwatch" if shutil.which("reactorwatch") else sys.argv[0]
    output.print(f"  {command} status --data {folder}", markup=False)
    output.print(f"  {command} export --data {folder} --from -1h --format csv -o demo.csv", markup=False)
