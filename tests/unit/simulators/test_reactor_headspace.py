"""Inertisation, pressure, boiling and distillation against closed forms."""

import math
from dataclasses import replace

import pytest

from simulators.reactor import VESSELS, Inputs, Parameters, State, TemperatureMode, initial_state, parameters, readings, step
from simulators.reactor.headspace import MOL_PER_NORMAL_M3, headspace_pressure_bar, pure_vapour_bar
from simulators.reactor.state import GAS_CONSTANT, KELVIN

SCALES = list(VESSELS)
STILL = parameters("production_1600l", "distillation_31")


def boiling_c(pressure_bar: float, model: Parameters) -> float:
    """Where Antoine's equation gives this pressure, from the constants as they are printed."""
    a, b, c = model.chemistry.antoine
    return b / (a - math.log10(pressure_bar * 750.062)) - c


def volatile(model: Parameters) -> Parameters:
    """Nothing but solvent."""
    return replace(model, chemistry=replace(model.chemistry, charge_volatile=1.0))


def shown(state: State, model: Parameters, role: str) -> float:
    return float(readings(state, model)[role])


def distilling(jacket_c: float) -> Inputs:
    """In vacuum, into the receiver."""
    return Inputs(
        TemperatureMode.JACKET,
        jacket_setpoint_c=jacket_c,
        stirrer_speed_rpm=80.0,
        pressure_setpoint_bar=0.15,
        receive_distillate=True,
    )


@pytest.mark.parametrize("scale", SCALES)
def test_a_purge_washes_oxygen_out_exponentially(scale: str) -> None:
    model = parameters(scale, "demo_17")
    state, purge = initial_state(model), 12.0 * model.volume_m3
    asked = Inputs(TemperatureMode.OFF, purge_nm3_per_h=purge, pressure_setpoint_bar=1.05)
    state = step(state, asked, 120.0, model)
    before, gas_mol = shown(state, model, "oxygen"), state.inert_mol + state.oxygen_mol
    state = step(state, asked, 600.0, model)
    changes = purge * MOL_PER_NORMAL_M3 / 6.0 / gas_mol
    assert shown(state, model, "oxygen") == pytest.approx(before * math.exp(-changes), rel=0.01)
    assert shown(state, model, "oxygen") < 5.0
    assert shown(state, model, "headspace_pressure") < 1.15


def test_air_comes_back_into_an_empty_vessel_with_an_open_discharge() -> None:
    model = parameters("production_1600l", "demo_17")
    inert = step(initial_state(model), Inputs(purge_nm3_per_h=20.0), 3600.0, model)
    assert shown(inert, model, "oxygen") < 0.1
    assert shown(step(inert, Inputs(), 3600.0, model), model, "oxygen") < 0.1
    aired = step(inert, Inputs(discharge_kg_per_h=6000.0), 3600.0, model)
    assert shown(aired, model, "oxygen") == pytest.approx(20.5, abs=0.5), "air, and what the pressure control adds"


def test_the_headspace_is_an_ideal_gas_over_a_liquid_at_equilibrium() -> None:
    model = volatile(STILL)
    state = initial_state(model, 900.0, 60.0)
    volume_m3 = 1.6 - 900.0 / (870.0 * 0.96)
    gas_bar = (state.inert_mol + state.oxygen_mol) * GAS_CONSTANT * (60.0 + KELVIN) / volume_m3 / 1e5
    assert gas_bar == pytest.approx(1.013, rel=1e-6)
    assert headspace_pressure_bar(state, model) == pytest.approx(gas_bar + pure_vapour_bar(60.0, model))


def test_nitrogen_holds_the_pressure_while_the_contents_cool() -> None:
    model = parameters("production_1600l", "demo_17")
    state = step(initial_state(model, 900.0, 70.0), Inputs(temperature_setpoint_c=70.0, stirrer_speed_rpm=80.0), 600.0, model)
    for _ in range(60):
        state = step(state, Inputs(temperature_setpoint_c=10.0, stirrer_speed_rpm=80.0), 60.0, model)
        assert headspace_pressure_bar(state, model) == pytest.approx(1.05, abs=0.02)
    assert state.product_temperature_c < 40.0
    assert state.nitrogen_nm3_per_h > 0.0


@pytest.mark.parametrize(("chemistry", "boils_c"), [("distillation_31", 110.6), ("crystallisation_22", 82.3)])
def test_solvents_boil_at_their_boiling_points(chemistry: str, boils_c: float) -> None:
    assert pure_vapour_bar(boils_c, parameters("lab_1l", chemistry)) == pytest.approx(1.01325, rel=0.01)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("pressure_bar", [0.15, 0.5, 1.05])
def test_contents_boil_at_the_antoine_temperature_of_the_pressure_that_is_held(scale: str, pressure_bar: float) -> None:
    model = volatile(parameters(scale, "distillation_31"))
    hot_c = boiling_c(pressure_bar, model) + 15.0
    asked = Inputs(TemperatureMode.JACKET, jacket_setpoint_c=hot_c, stirrer_speed_rpm=100.0, pressure_setpoint_bar=pressure_bar)
    state = step(initial_state(model, 0.6 * 870.0 * model.volume_m3, hot_c - 25.0), asked, 2 * 3600.0, model)
    assert headspace_pressure_bar(state, model) == pytest.approx(pressure_bar, abs=0.03)
    at_pressure_c = boiling_c(headspace_pressure_bar(state, model), model)
    assert state.product_temperature_c == pytest.approx(at_pressure_c, abs=0.1)
    assert state.vapour_temperature_c == pytest.approx(state.product_temperature_c, abs=1.0)
    assert state.distillate_kg == 0.0, "total reflux"
    assert state.contents_kg == pytest.approx(0.6 * 870.0 * model.volume_m3)


def test_at_steady_boiling_every_joule_through_the_wall_evaporates_its_share() -> None:
    model = volatile(STILL)
    asked = distilling(90.0)
    start = step(initial_state(model, 1000.0, 50.0), asked, 3600.0, model)
    end = step(start, asked, 600.0, model)
    distilled_kg = end.distillate_kg - start.distillate_kg
    wall_j = 600.0 * (start.wall_w + end.wall_w) / 2.0
    stirrer_j, lost_j = end.stirrer_j - start.stirrer_j, 600.0 * 0.6 * model.area_m2 * (end.product_temperature_c - 20.0)
    cooled_k = start.product_temperature_c - end.product_temperature_c
    expected_j = wall_j + stirrer_j - lost_j + end.contents_kg * 1900.0 * cooled_k
    assert distilled_kg * model.chemistry.latent_j_per_kg == pytest.approx(expected_j, rel=0.005)
    assert end.latent_j - start.latent_j == pytest.approx(distilled_kg * model.chemistry.latent_j_per_kg, rel=1e-9)
    assert end.distillate_kg + end.contents_kg == pytest.approx(1000.0, rel=1e-12)
    assert end.distillate_kg_per_h == pytest.approx(distilled_kg * 6.0, rel=0.04), "it falls with the level"


def test_a_solution_boils_hotter_the_less_solvent_is_left() -> None:
    asked = distilling(95.0)
    early = step(initial_state(STILL, 1000.0, 50.0), asked, 3600.0, STILL)
    late = step(early, asked, 7200.0, STILL)
    assert early.distillate_kg_per_h > late.distillate_kg_per_h > 0.0
    assert late.product_temperature_c > early.product_temperature_c + 1.0
    assert late.contents_kg - late.volatile_kg == pytest.approx(150.0)


def test_a_condenser_takes_no_more_than_it_can() -> None:
    weak = replace(volatile(STILL), vessel=replace(STILL.vessel, condenser_w=10e3))
    asked = distilling(90.0)
    state = step(initial_state(weak, 1000.0, 60.0), asked, 3600.0, weak)
    assert state.distillate_kg * weak.chemistry.latent_j_per_kg <= 10e3 * 3600.0 * (1 + 1e-9)
    assert headspace_pressure_bar(state, weak) > 0.25, "the vapour that nobody condenses"


def test_totals_are_reset_when_asked() -> None:
    state = replace(initial_state(STILL, 100.0), dosed_kg=5.0, distillate_kg=7.0)
    kept, reset = (step(state, Inputs(reset_totals=reset), 1.0, STILL) for reset in (False, True))
    assert (kept.dosed_kg, kept.distillate_kg) == (5.0, 7.0)
    assert (reset.dosed_kg, reset.distillate_kg) == (0.0, 0.0)
