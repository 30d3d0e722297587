"""What runs in a unit where nobody says."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import pytest

from config.load import load
from config.tags import OpcUaTag
from simulators.programme import vessel_for
from simulators.scenario import Scenario
from simulators.simulation import unit_plans


def balance(high: float, unit: str = "kg") -> OpcUaTag:
    tag = {"name": "WT-1", "address": "ns=2;s=W", "role": "contents_mass", "engineering_unit": unit, "range": [0, high]}
    return OpcUaTag.model_validate(tag)


@pytest.mark.parametrize(
    ("high", "vessel"),
    [
        (0.5, "lab_1l"),
        (1.0, "lab_1l"),
        (150, "pilot_100l"),
        (1000, "pilot_100l"),
        (1500, "production_1600l"),
        (7500, "production_1600l"),
    ],
)
def test_the_vessel_is_the_one_that_the_balance_is_made_for(high: float, vessel: str) -> None:
    assert vessel_for([balance(high)]) == vessel


def test_without_a_balance_in_kg_it_is_the_largest() -> None:
    assert vessel_for([]) == vessel_for([balance(150, "lb")]) == "production_1600l"


def test_the_practice_plant_has_its_vessels_without_its_scenario() -> None:
    """Written and started again it is the same plant: no reading leaves the range of its tag."""
    with as_file(files("config") / "examples" / "practice-plant.yaml") as file:
        plans = unit_plans(load(file), Scenario(), Path())
    assert {plan.name: plan.parameters.vessel.name for plan in plans} == {"R-201": "production_1600l", "R-301": "pilot_100l"}
