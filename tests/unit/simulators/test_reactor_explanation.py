"""The page on the simulated reactor says what the model has and does."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.reactor import VESSELS, Inputs, initial_state, parameters, step
from simulators.reactor.state import contents_j_per_k
from simulators.reactor.transfer import heat_transfer_w_per_k

PAGE = (Path(__file__).parents[3] / "docs" / "explanation" / "simulated-reactor.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]


def test_the_vessels_figures_are_those_of_the_program() -> None:
    named = {match[1]: row[1:] for row in rows("Scale") if (match := re.match(r"`(\w+)`", row[0]))}
    assert len(named) >= 15
    for name, told in named.items():
        for vessel, figure in zip(VESSELS.values(), told, strict=True):
            assert float(figure) == pytest.approx(getattr(vessel, name), rel=0.003), name


def test_what_follows_from_them_is_too() -> None:
    told = {row[0]: row[1:] for row in rows("Scale")}
    for column, name in enumerate(VESSELS):
        model = parameters(name, "distillation_31")
        start = initial_state(model, 0.6 * 870.0 * model.volume_m3)
        state = replace(start, stirrer_rpm=model.vessel.nominal_rpm)
        ua = heat_transfer_w_per_k(state, model)
        assert float(told["area by volume, m⁻¹"][column]) == pytest.approx(model.area_m2 / model.volume_m3, rel=0.02)
        assert float(told["UA by vessel volume, W/(m³·K)"][column]) == pytest.approx(ua / model.volume_m3, rel=0.02)
        assert float(told["time constant `C/UA`, min"][column]) == pytest.approx(
            contents_j_per_k(state, model) / ua / 60, rel=0.06
        )
        gain, reset = told["controller gain, K/K, and reset, s"][column].split(", ")
        assert (float(gain), float(reset)) == pytest.approx((model.controller_gain, model.controller_reset_s), rel=0.02)


def test_a_feed_that_a_litre_shrugs_off_takes_production_to_its_limit() -> None:
    risen_k = {}
    for name, vessel in VESSELS.items():
        model, size = parameters(name, "demo_17"), vessel.volume_m3 / 1.6
        start = replace(initial_state(model, 820.0 * size, 65.0), stirrer_rpm=vessel.nominal_rpm)
        asked = Inputs(temperature_setpoint_c=65.0, stirrer_speed_rpm=vessel.nominal_rpm, dosing_kg_per_h=285.0 * size)
        hottest_c = 65.0
        for _ in range(28):
            start = step(start, asked, 30.0, model)
            hottest_c = max(hottest_c, start.product_temperature_c)
        risen_k[name] = hottest_c - 65.0
    assert risen_k["lab_1l"] < 1.0
    assert risen_k["lab_1l"] < risen_k["pilot_100l"] < risen_k["production_1600l"]
    assert risen_k["production_1600l"] > 4.0


def test_how_large_a_decomposition_is_held_and_how_large_is_not() -> None:
    model = parameters("production_1600l", "demo_17")
    start = replace(initial_state(model, 900.0, 65.0), stirrer_rpm=100.0)
    asked = Inputs(temperature_setpoint_c=65.0, stirrer_speed_rpm=100.0)
    held, lost = (step(start, replace(asked, decomposition_factor=factor), 900.0, model) for factor in (3e4, 1e5))
    assert held.product_temperature_c < 75.0 and held.intact_mol > 0.8 * start.intact_mol
    assert lost.product_temperature_c > 100.0 and lost.intact_mol < 0.1 * start.intact_mol
