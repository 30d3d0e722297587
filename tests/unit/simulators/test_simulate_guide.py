"""The how-to's scenario and upsets fit the practice plant, word for word."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from config.load import load
from simulators.scenario import load_scenario
from simulators.source import SimulationError
from simulators.spans import span_s
from simulators.targets import Targets
from simulators.upset import Upset

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "how-to" / "simulate-a-plant.md").read_text("utf-8")
PRACTICE = ROOT / "config" / "examples" / "practice-plant.yaml"


def test_the_scenario_fits_the_practice_plant(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "monday.yaml").write_text(text, encoding="utf-8")
    assert len(load_scenario(tmp_path / "monday.yaml", load(PRACTICE)).timeline) == 3


def test_every_upset_fits_the_practice_plant() -> None:
    targets = Targets(load(PRACTICE))
    lines = [
        shlex.split(line)[2:] for line in GUIDE.splitlines() if line.startswith("reactorwatch upset") and "--list" not in line
    ]
    assert len(lines) == 7
    for kind, target, *options in lines:
        given = dict(zip(options[::2], options[1::2], strict=False)) if "--end" not in options else {}
        value = float(given["--value"]) if "--value" in given else None
        if "--end" not in options:
            try:
                targets.check(Upset(kind, target, value, span_s(given["--for"]) if "--for" in given else None))
            except SimulationError as exc:
                raise AssertionError(f"{kind} {target}: {exc}") from exc
