"""A recipe in another vessel: what is scaled and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.reactor import VESSELS
from simulators.recipe.recipe import begun, inputs, library, load_recipe
from tests.unit.simulators.recipe_texts import SMALL, recipe_of

IN_PRODUCTION_TO_LAB = 0.001 / 1.6
MORE = """\
        until:
          - {role: contents_mass, low: 800, high: 900}
          - {role: stirrer_speed, low: 40}
          - {role: headspace_pressure, low: 1}
          - {role: stirrer_running, equals: true}
        purge_nm3_per_h: 16
"""


def test_masses_and_flows_go_with_the_volume_and_the_stirrer_with_its_own_speed(tmp_path: Path) -> None:
    text = SMALL.replace("        until: [{role: contents_mass, low: 800}]\n", MORE)
    recipe = recipe_of(tmp_path, text)
    lab = recipe.for_vessel("lab_1l")
    asked = inputs(begun(lab), lab)
    assert asked.charge_kg_per_h == pytest.approx(160 * IN_PRODUCTION_TO_LAB)
    assert asked.purge_nm3_per_h == pytest.approx(16 * IN_PRODUCTION_TO_LAB)
    faster = VESSELS["lab_1l"].nominal_rpm / VESSELS["production_1600l"].nominal_rpm
    assert asked.stirrer_speed_rpm == pytest.approx(50 * faster)
    mass, speed, pressure, running = lab.phases[0].until
    assert (mass.low, mass.high) == pytest.approx((800 * IN_PRODUCTION_TO_LAB, 900 * IN_PRODUCTION_TO_LAB))
    assert speed.low == pytest.approx(40 * faster)
    assert (pressure.low, running.low, running.high) == (1, 1, 1)
    assert asked.temperature_setpoint_c == 20 and lab.phases[0].minimum_s == 20
    assert lab.phases[-1].until[0].high == pytest.approx(0.5 * IN_PRODUCTION_TO_LAB)
    assert lab.hold.until[0].high == pytest.approx(1 * IN_PRODUCTION_TO_LAB)


@pytest.mark.parametrize("name", library())
def test_in_its_own_vessel_a_recipe_is_what_was_written(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.for_vessel(recipe.vessel) == recipe == load_recipe(name, recipe.vessel)
    there_and_back = recipe.for_vessel("pilot_100l").for_vessel(recipe.vessel)
    assert there_and_back == recipe
    assert recipe.parameters.volume_m3 == VESSELS[recipe.vessel].volume_m3


def test_there_is_no_scale_to_a_vessel_that_is_none() -> None:
    with pytest.raises(KeyError):
        load_recipe("distillation").for_vessel("bucket")
