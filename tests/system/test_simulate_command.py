"""`simulate` and `upset` as processes: what they print, what they refuse, and that the one finds the other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from collector.__main__ import app
from simulators.farm import farm_files, write_files
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60


def environment(runtime: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(runtime), "COLUMNS": "80"}


def command(runtime: Path, *arguments: str) -> Result:
    """In this process, which is faster than a new one."""
    return CliRunner().invoke(app, arguments, env=environment(runtime))


@contextmanager
def simulating(runtime: Path, *arguments: str) -> Iterator[str]:
    """What it prints until it is ready."""
    line = [sys.executable, "-m", "collector", "simulate", *arguments]
    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(runtime), start_new_session=True
    )
    assert process.stdout and process.stderr
    try:
        printed = ""
        while not (line_read := process.stdout.readline()).startswith("plant time"):
            assert line_read, process.stderr.read()
            printed += line_read
        yield printed
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def practice_file(folder: Path) -> Path:
    """The practice plant at free ports."""
    text = (files("config") / "examples" / "practice-plant.yaml").read_text(encoding="utf-8")
    for port in ("14841", "15030"):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    file = folder / "plant.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def small_farm(folder: Path) -> Path:
    """A farm of one reactor, at a free port: the built-in one's may be somebody's on this machine."""
    written = {name: text.replace(";15100", f";{free_port()}") for name, text in farm_files(1, "modbus", "farm.yaml").items()}
    write_files(written, folder)
    return folder / "farm.yaml"


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A short path, whatever the numbers of processes and of the run: a socket's has a limit."""
    with tempfile.TemporaryDirectory(prefix="rw-") as name:
        yield Path(name)


def test_a_simulator_says_what_it_serves_is_found_by_the_command_that_upsets_it_and_keeps_its_ports(
    tmp_path: Path, runtime: Path
) -> None:
    none = command(runtime, "upset", "stirrer_trip", "R-201")
    assert (none.exit_code, "start one with reactorwatch simulate" in none.stderr) == (1, True)
    plant = practice_file(tmp_path)
    with simulating(runtime, str(plant), "--security", "none") as printed:
        assert re.search(
            r"^r201-opcua +opc\.tcp://127\.0\.0\.1:\d+ +None; anonymous +r201-controller +40$", printed, re.MULTILINE
        )
        assert "r301-plc (1), r301-thermostat (2), r301-balance (3)" in printed
        assert re.search(r"^R-201 +production_1600l +DEMO-17 1\.0 +B-26-001 +Inert", printed, re.MULTILINE)
        assert f"reactorwatch run {plant} --data data" in printed
        begun = command(runtime, "upset", "offset", "TT-201A", "--value", "5", "--for", "10min")
        assert begun.exit_code == 0, begun.stderr
        assert re.fullmatch(r"offset of TT-201A 5 begins at plant time (\d+min ?)?(\d+s)?, for 10min\n", begun.stdout)
        listed = command(runtime, "upset", "--list")
        assert re.search(r"^offset +TT-201A +5\.0 +[\dmins ]+ +10min( \d+s)? +command$", listed.stdout, re.MULTILINE)
        for arguments, code, told in (
            (("ofset", "TT-201A"), 2, "did you mean 'offset'?"),
            (("offset", "TT-999", "--value", "1"), 2, "there is no 'TT-999'"),
            (("offset", "TT-201A"), 2, "offset needs a value"),
            (("offset", "TT-201A", "--value", "1", "--for", "soon"), 2, "'soon' is no span of time"),
            (("offset",), 2, "say what goes wrong and where"),
            (("restart", "R-201"), 1, "RESTART is refused"),
            (("stirrer_trip", "R-201", "--end"), 1, "no stirrer_trip of R-201 is active"),
            (("stirrer_trip", "R-201", "--end", "--for", "1s"), 2, "leave --value and --for out"),
            (("stirrer_trip", "R-201", "--simulator", str(tmp_path / "absent.sock")), 1, "no simulator answers there"),
        ):
            result = command(runtime, "upset", *arguments)
            assert (result.exit_code, told in result.stderr) == (code, True), (arguments, result)
        assert "ends at plant time" in command(runtime, "upset", "offset", "TT-201A", "--end").stdout
        assert_a_port_that_is_taken_is_told_with_its_endpoint(runtime, plant)
        with simulating(runtime, str(small_farm(tmp_path))):
            several = command(runtime, "upset", "stirrer_trip", "R-201")
            assert (several.exit_code, "2 simulators run; say which:" in several.stderr) == (2, True)
    assert list((runtime / "reactorwatch").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--farm", "0"), "a farm of 0 reactors cannot be served: give 1 to 400"),
        (("--farm", "401"), "a farm of 401 reactors cannot be served"),
        (("--protocol", "opcua"), "--protocol is for a farm"),
        (("PLANT", "--farm", "3"), "--farm and --write are for what is built in"),
        (("--write", "PLANT"), "is there already, and nothing is overwritten"),
        (("PLANT", "--scenario", "SCENARIO"), "timeline[1].target: there is no 'R-999'"),
        (("ELSEWHERE",), "a simulator listens on this machine only, so write 127.0.0.1 as its host"),
    ],
)
def test_what_cannot_be_simulated_is_told_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    plant = practice_file(tmp_path)
    (tmp_path / "scenario.yaml").write_text("timeline:\n  - {at: 1min, upset: stirrer_trip, target: R-999}\n")
    (tmp_path / "elsewhere.yaml").write_text(plant.read_text("utf-8").replace("127.0.0.1", "10.0.0.5"), "utf-8")
    names = {"PLANT": plant, "SCENARIO": tmp_path / "scenario.yaml", "ELSEWHERE": tmp_path / "elsewhere.yaml"}
    result = command(tmp_path, "simulate", *(str(names.get(word, word)) for word in arguments))
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def assert_a_port_that_is_taken_is_told_with_its_endpoint(runtime: Path, plant: Path) -> None:
    line = [sys.executable, "-m", "collector", "simulate", str(plant), "--security", "none"]
    result = subprocess.run(line, capture_output=True, text=True, timeout=DEADLINE_S, env=environment(runtime), check=False)
    assert result.returncode == 1
    assert re.search(
        r"endpoint r201-opcua: cannot listen on 127\.0\.0\.1 port \d+: .*is something else running there", result.stderr
    )


def test_the_map_has_every_node_and_register_of_what_is_served(tmp_path: Path) -> None:
    result = command(tmp_path, "simulate", "--map")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert any(
        re.search(r"r201-controller +ns=2;s=R201\.TT201A +Double +°C +-30…200 +product_temperature +TT-201A$", line)
        for line in lines
    )
    assert any(
        re.search(r"^ +1 +r301-plc +input +2 +30003 +2 +float32 +CDAB .* product_temperature_b +TT-301B$", line) for line in lines
    )
    assert any(re.search(r"^ +2 +r301-thermostat +holding +10-19 +40011 +10 +forbidden$", line) for line in lines)
    assert sum("TT-301" in line for line in lines) == 2
    assert "  namespace 2: urn:reactorwatch:simulator" in lines


def test_the_practice_plant_that_is_written_can_be_checked(tmp_path: Path) -> None:
    written = command(tmp_path, "simulate", "--map", "--write", str(tmp_path / "mine.yaml"))
    assert written.stdout.startswith(f"wrote {tmp_path / 'mine.yaml'}\n")
    assert command(tmp_path, "check", str(tmp_path / "mine.yaml")).exit_code == 0
