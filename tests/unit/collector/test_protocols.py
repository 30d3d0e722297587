"""A plant loads the drivers that it needs, before it polls, and no other; nor what a first scan does not wait for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LIBRARIES = {"opc.tcp": "asyncua", "modbus": "pymodbus"}
PROGRAM = """
import json, sys
import collector.app
from collector.protocols import load_drivers
from config.model import ModbusEndpoint, OpcUaEndpoint
KINDS = {"opc.tcp": OpcUaEndpoint, "modbus": ModbusEndpoint}
libraries, before = ["asyncua", "pymodbus"], set(sys.modules)
load_drivers([KINDS[kind].model_construct() for kind in sys.argv[1:]])
print(json.dumps([sorted(before.intersection(libraries)), sorted(sys.modules.keys() & libraries)]))
"""


@pytest.mark.parametrize("protocols", [(), ("modbus",), ("modbus", "opc.tcp")], ids=str)
def test_only_what_a_plant_needs_is_loaded(protocols: tuple[str, ...]) -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM, *protocols], check=True, capture_output=True, text=True)
    before, after = json.loads(told.stdout)
    assert before == []
    assert after == sorted(LIBRARIES[protocol] for protocol in protocols)


RUN = """
import contextlib, json, sys
from collector.__main__ import main
sys.argv = ["reactorwatch", "run", "--help"]
with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit):
    main()
import collector.app
slow = ["aiohttp", "influxdb_client", "asyncua", "collector.web.server", "collector.commands.judge", "collector.commands.verify"]
print(json.dumps([name for name in slow if name in sys.modules]))
"""


def test_a_start_loads_nothing_that_the_first_scan_does_not_need() -> None:
    told = subprocess.run([sys.executable, "-c", RUN], check=True, capture_output=True, text=True)
    assert "Collect from a plant" in told.stderr
    assert json.loads(told.stdout) == []
