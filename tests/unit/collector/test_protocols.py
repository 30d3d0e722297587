"""A plant loads the drivers that it needs, before it polls, and no other."""

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
