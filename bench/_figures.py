"""What the benches share: printing a figure, and starting a part of this bench as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence


def figure(name: str, value: float, unit: str, rival: str | None = None, rival_value: float | None = None) -> None:
    """Print one figure; `ratio` is rival / ours, so more than 1 means that ours is less."""
    told: dict[str, object] = {"figure": name, "value": round(value, 6), "unit": unit}
    if rival is not None and rival_value is not None:
        told |= {"rival": rival, "rival_value": round(rival_value, 6), "ratio": round(rival_value / value, 3) if value else None}
    print(json.dumps(told), flush=True)


def child(module: str, *arguments: str) -> subprocess.Popen[str]:
    """`python -m module arguments` with pipes to its standard input and output."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> dict[str, float | str]:
    """The JSON object a child prints first. Raises RuntimeError when it ends instead."""
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
    told: dict[str, float | str] = json.loads(line)
    return told


def end(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Close the children's input, which ends them."""
    for process in processes:
        assert process.stdin and process.stdout
        process.stdin.close()
        process.wait(20)
        process.stdout.close()
