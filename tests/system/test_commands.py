"""The command line as a person or systemd uses it: real processes, exit codes, signals, and the last line."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.store.reader import Reader
from tests.command_line import typed
from tests.servers import InfluxDB, free_port, ports_of_the_demo, running_influxdb

DEADLINE_S = 60.0
LEDGER = re.compile(r"ledger (\w+): read (\d+), accepted (\d+), queued (\d+), dead-lettered (\d+)")


def reactorwatch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "collector", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs until it is told to stop; killed if it was not."""
    command = [sys.executable, "-u", "-m", "collector", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Read standard error up to a line that contains `text`, and what came with it: past the buffer, in which `select` sees
    nothing."""
    assert process.stderr
    seen, deadline = b"", time.monotonic() + DEADLINE_S
    while text.encode() not in seen.rpartition(b"\n")[0]:
        ready, _, _ = select.select([process.stderr], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{text!r} did not come within {DEADLINE_S} s:\n{seen.decode()}"
        some = os.read(process.stderr.fileno(), 65536)
        assert some, f"the process ended with {process.wait()}:\n{seen.decode()}"
        seen += some
    return seen.decode()


def status(data: Path) -> dict[str, object]:
    """`status --json`."""
    result = typed("status", "--data", str(data), "--json")
    assert result.returncode == 0, result.stderr
    facts: dict[str, object] = json.loads(result.stdout)
    return facts


def wait_until_read(data: Path, samples: int) -> None:
    """Until the journal holds so many."""
    deadline = time.monotonic() + DEADLINE_S
    while _read(data) < samples:
        assert time.monotonic() < deadline, f"{samples} samples did not come"
        time.sleep(0.05)


def _read(data: Path) -> int:
    reader = Reader(data)
    try:
        return reader.totals().samples
    finally:
        reader.close()


class Site:
    """A plant file for simulated reactors at these ports, and the files around it."""

    def __init__(self, folder: Path, ports: dict[str, int], sinks: str = "") -> None:
        self.file, self.data = folder / "plant.yaml", folder / "data"
        text = (Path(__file__).parents[2] / "config/examples/demo.yaml").read_text(encoding="utf-8")
        for port, served in ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{served}")
        self.file.write_text(f"{text}\nweb: null\n{sinks}", encoding="utf-8")
        self.run = ("run", str(self.file), "--data", str(self.data))


def influx_sink(url: str) -> str:
    return f"sinks:\n  influx: {{kind: influxdb1, url: '{url}', database: plant}}\n"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The demonstration's reactors, simulated: where they are, by the ports that the example names."""
    ports = {port: free_port() for port in ("14840", "15020")}
    site = Site(tmp_path_factory.mktemp("simulated"), ports)
    with started("simulate", str(site.file), "--speed", "60") as process:
        assert process.stdout
        while "plant time" not in (line := process.stdout.readline()):
            assert line, process.stderr and process.stderr.read()
        yield ports


def finish(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    process.send_signal(how)
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err


def check_same(influx: InfluxDB, site: Site) -> None:
    """What the journal exports is what InfluxDB has, value for value."""
    result = typed("export", "--data", str(site.data), "--tags", "product_temperature", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    journalled = {(row["unit"], row["time"]): float(row["value"]) for row in rows if row["value"]}
    stored = {}
    for series in influx.query("SELECT product_temperature FROM process GROUP BY unit", "plant"):
        for row in series.rows():
            seconds, nanoseconds = divmod(int(str(row["time"])), 10**9)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"
            stored[series.tags["unit"], stamp] = row["product_temperature"]
    assert journalled == stored
    assert len({unit for unit, _ in stored}) == 2


def test_values_arrive_in_influxdb_which_is_absent_at_first_and_the_ledger_says_so(
    simulated: dict[str, int], tmp_path: Path
) -> None:
    with running_influxdb() as influx:
        influx.create("plant")
        influx.stop()
        site = Site(tmp_path, simulated, influx_sink(influx.url))
        with started(*site.run) as daemon:
            said = wait_for(daemon, "sink does not take")
            assert "influx" in said
            assert influx.url in said
            wait_until_read(site.data, 150)
            influx.start()
            wait_for(daemon, "sink takes again")
            wait_until_read(site.data, 250)
            code, out, err = finish(daemon)
        assert code == 0, err
        match = LEDGER.fullmatch(out.strip().splitlines()[-1])
        assert match, out
        name, read, accepted, queued, dead = match.groups()
        assert (name, accepted, queued, dead) == ("influx", read, "0", "0")
        assert status(site.data)["sinks"] == {
            "influx": {"accepted": int(read), "queued": 0, "dead_lettered": 0, "damaged": 0, "state": "taking", "cause": ""}
        }
        check_same(influx, site)


def test_without_a_sink_a_second_daemon_is_refused_and_a_restart_after_a_kill_continues_and_tells_the_gap(
    simulated: dict[str, int], tmp_path: Path
) -> None:
    site = Site(tmp_path, simulated)
    with started(*site.run) as daemon:
        wait_until_read(site.data, 100)
        second = reactorwatch(*site.run)
        assert second.returncode == 1
        assert "another reactorwatch" in second.stderr
        daemon.send_signal(signal.SIGKILL)
        daemon.communicate()
    with started(*site.run) as daemon:
        wait_until_read(site.data, _read(site.data) + 100)
        code, out, err = finish(daemon, signal.SIGINT)
    assert code == 0, err
    assert "no sinks" in out
    facts = status(site.data)
    assert (facts["running"], facts["sinks"], facts["balanced"]) == (False, {}, True)
    assert set(facts["devices"]) == {"r201-controller", "r301-controller"}  # type: ignore[call-overload]
    gaps = facts["gaps"]
    assert isinstance(gaps, list)
    down = [gap.get("device") for gap in gaps if gap["cause"] == "gateway down: the daemon did not run"]
    assert down.count(None) == 1
    assert {"r201-controller", "r301-controller"} <= set(down)


def test_one_unreachable_endpoint_leaves_the_rest_running(simulated: dict[str, int], tmp_path: Path) -> None:
    nobody = free_port()
    site = Site(tmp_path, simulated | {"15020": nobody})
    with started(*site.run) as daemon:
        said = wait_for(daemon, f"127.0.0.1:{nobody}")
        assert re.search(r"device lost.*r301-controller", said)
        wait_until_read(site.data, 100)
        code, _, err = finish(daemon)
    assert code == 0, err
    devices = status(site.data)["devices"]
    assert isinstance(devices, dict)
    assert {name: device["answers"] for name, device in devices.items()} == {"r201-controller": True, "r301-controller": False}


def test_a_disk_that_takes_no_more_is_told_and_so_is_what_it_cost(simulated: dict[str, int], tmp_path: Path) -> None:
    """The kernel refuses to let any file grow beyond a bound: for the daemon, a full disk."""
    site = Site(tmp_path, simulated)
    limit = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000)); "
    code = limit + "sys.argv[0] = 'reactorwatch'; runpy.run_module('collector', run_name='__main__')"
    command = [sys.executable, "-u", "-c", code, *site.run]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = wait_for(daemon, "journal can't be written")
        assert "Traceback" not in said
        code_, out, err = finish(daemon)
    finally:
        daemon.kill()
        daemon.communicate()
    assert code_ == 1
    assert "could not be written and are lost" in err
    assert "Traceback" not in err
    assert "ledger" not in out, "no ledger that looks whole"
    assert status(site.data)["balanced"] is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "absent.yaml"), "absent.yaml"),
        (("run", "absent.yaml"), "absent.yaml"),
        (("simulate", "absent.yaml"), "absent.yaml"),
        (("status", "--data", "absent"), "absent"),
        (("export", "--data", "absent"), "absent"),
        (("export", "--from", "yesterday"), "yesterday"),
        (("demo", "--for", "soon"), "soon"),
        (("nonsense",), "nonsense"),
    ],
)
def test_wrong_input_is_named_and_exits_with_2(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = typed(*arguments)
    assert result.returncode == 2, result
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_what_a_process_ends_with_is_what_was_wrong_with_its_input() -> None:
    """The rest of wrong input is typed into this process."""
    result = reactorwatch("run", "absent.yaml")
    assert (result.returncode, "absent.yaml" in result.stderr, "Traceback" in result.stderr) == (2, True, False), result


def test_check_names_every_fault_with_its_line(tmp_path: Path) -> None:
    site = Site(tmp_path, {})
    lines = site.file.read_text(encoding="utf-8").splitlines()
    lines[0:0] = ["sitte: x"]
    site.file.write_text("\n".join(lines) + "\nlimits_: []\n", encoding="utf-8")
    result = typed("check", str(site.file))
    assert result.returncode == 2
    assert f"{site.file}:1: sitte: " in result.stderr
    assert "2 faults" in result.stderr


@pytest.mark.timeout(400)
def test_the_demo_ends_by_itself_with_values(tmp_path: Path) -> None:
    for seconds in (4, 8, 16):  # again for longer where the machine is too busy to show anything in so short a time
        data = tmp_path / str(seconds)
        with ports_of_the_demo():
            result = reactorwatch("demo", "--for", f"{seconds}s", "--data", str(data), "--port", "0")
        page = re.search(r"page: http://127\.0\.0\.1:\d+", result.stdout)
        if result.returncode == 0 and page and _read(data) > 50:
            break
    assert result.returncode == 0, result.stderr
    assert int(str(status(data)["read"])) > 50
    assert page
    assert "ledger: read" in result.stdout
