"""The device made of Debian's libmodbus, compiled where it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def compiled_device(folder: Path) -> Path:
    """The program; without compiler or library the test is skipped, and in CI it fails."""
    if not (shutil.which("gcc") and Path("/usr/include/modbus/modbus.h").exists()):
        missing = "no device of another make to test against: apt install gcc libmodbus-dev"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    program = folder / "device"
    source = Path(__file__).with_name("libmodbus_device.c")
    subprocess.run(["gcc", "-Wall", "-Werror", "-o", str(program), str(source), "-lmodbus"], check=True)
    return program
