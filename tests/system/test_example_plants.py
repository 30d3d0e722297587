"""The examples that can be simulated are served, read, and agree with what their servers tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.acquire.clock import PlantClock
from collector.survey.judgement import remarks
from collector.survey.reading import Level, Reading
from collector.survey.visit import DriversWords, visit
from config.load import load
from drivers.base import Quality
from simulators.plant import SimulatedPlant
from simulators.scenario import load_scenario

EXAMPLES = Path(__file__).parents[2] / "config" / "examples"
PATIENCE_S = 60.0
"""What the example allows a plant's controller is short for a busy machine that is all controllers at once."""


@pytest.mark.parametrize(
    ("file", "scenario", "tags"),
    [("demo.yaml", "demo-scenario.yaml", 46), ("gmp-suite/plant.yaml", "gmp-suite/scenario.yaml", 128)],
)
async def test_an_example_agrees_with_its_simulation(file: str, scenario: str, tags: int) -> None:
    plant = load(EXAMPLES / file)
    told = load_scenario(EXAMPLES / scenario, plant)
    readings: list[Reading] = []
    async with SimulatedPlant(plant, scenario=told, ports="free") as simulated:
        for endpoint in plant.endpoints:
            there = endpoint.model_copy(update={"url": simulated.urls[endpoint.name], "timeout_s": PATIENCE_S})
            seen = await visit(there, PlantClock(), PATIENCE_S, DriversWords())
            assert (seen.lost, seen.untold) == ((), "")
            readings += seen.readings
    assert len(readings) == tags
    assert {reading.quality for reading in readings} == {Quality.GOOD}
    said = [remark for reading in readings for remark in remarks(reading) if remark.level > Level.NOTE]
    assert said == []
    if file == "gmp-suite/plant.yaml":
        told_units = [reading for reading in readings if reading.description.unit and reading.tag.engineering_unit]
        assert len(told_units) > 50, "the simulated servers tell units, and they were compared"
