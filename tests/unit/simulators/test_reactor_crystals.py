"""Solubility, seeding, the metastable zone, and the heat that crystals release."""

import math
from dataclasses import replace

import pytest

from simulators.reactor import Inputs, State, TemperatureMode, initial_state, parameters, step
from simulators.reactor.crystals import solubility
from simulators.reactor.state import contents_j_per_k

MODEL = parameters("production_1600l", "crystallisation_22")
STIRRED = Inputs(stirrer_speed_rpm=60.0)


def solution(temperature_c: float) -> State:
    """900 kg, all dissolved: a quarter is solute, saturated at 57 °C."""
    start = initial_state(MODEL, 900.0, temperature_c)
    return replace(start, dissolved_kg=225.0, crystals_kg=0.0, crystal_count_kg=0.0, stirrer_rpm=60.0)


def cooled(state: State, from_c: float, to_c: float, k_per_min: float) -> State:
    for k in range(int((from_c - to_c) / k_per_min * 6)):
        state = step(state, replace(STIRRED, temperature_setpoint_c=from_c - k_per_min * k / 6), 10.0, MODEL)
    return state


def test_a_suspension_dissolves_up_to_its_solubility_and_takes_heat_for_it() -> None:
    start = replace(initial_state(MODEL, 900.0, 20.0), stirrer_rpm=60.0)
    warm = step(start, replace(STIRRED, temperature_setpoint_c=40.0), 2.5 * 3600.0, MODEL)
    assert warm.dissolved_kg == pytest.approx(solubility(warm.product_temperature_c, MODEL) * 675.0, rel=0.01)
    assert warm.crystallisation_j == pytest.approx(-120e3 * warm.dissolved_kg, rel=1e-9)
    hot = step(warm, replace(STIRRED, temperature_setpoint_c=65.0), 2.5 * 3600.0, MODEL)
    assert hot.crystals_kg == pytest.approx(0.0, abs=1e-6)
    assert hot.dissolved_kg + hot.crystals_kg == pytest.approx(225.0)


def test_the_solution_is_saturated_where_solubility_says() -> None:
    saturated_c = math.log(0.25 / 0.75 / 0.0455) / 0.035
    assert saturated_c == pytest.approx(56.9, abs=0.1)
    assert solubility(saturated_c, MODEL) == pytest.approx(1 / 3)


def test_inside_the_metastable_zone_nothing_happens_without_seed() -> None:
    held = step(solution(50.0), replace(STIRRED, temperature_setpoint_c=50.0), 3600.0, MODEL)
    assert held.crystals_kg == 0.0
    seeded = step(solution(50.0), replace(STIRRED, temperature_setpoint_c=50.0, seed_kg_per_h=12.0), 600.0, MODEL)
    grown = step(seeded, replace(STIRRED, temperature_setpoint_c=50.0), 4 * 3600.0, MODEL)
    assert seeded.contents_kg == pytest.approx(902.0)
    assert grown.dissolved_kg == pytest.approx(solubility(50.0, MODEL) * 675.0, rel=0.02)
    assert grown.crystal_count_kg == pytest.approx(2.0), "the seed grows, nothing new is born"


def test_past_the_metastable_zone_many_small_crystals_appear_by_themselves() -> None:
    unseeded = cooled(solution(60.0), 60.0, 40.0, 0.3)
    assert unseeded.crystals_kg > 20.0
    assert unseeded.crystal_count_kg > 4.0


def test_crystals_end_at_the_solubility_of_the_end() -> None:
    seeded = step(solution(53.0), replace(STIRRED, temperature_setpoint_c=53.0, seed_kg_per_h=12.0), 600.0, MODEL)
    end = step(cooled(seeded, 53.0, 5.0, 0.2), replace(STIRRED, temperature_setpoint_c=5.0), 6 * 3600.0, MODEL)
    assert end.dissolved_kg == pytest.approx(solubility(end.product_temperature_c, MODEL) * end.volatile_kg, rel=0.02)
    assert end.crystals_kg + end.dissolved_kg == pytest.approx(227.0)
    assert end.crystallisation_j == pytest.approx(120e3 * (end.crystals_kg - 2.0), rel=1e-9)


def test_the_heat_of_crystallisation_warms_an_insulated_vessel() -> None:
    bare = replace(
        MODEL.vessel,
        film_factor=0.0,
        still_film_w_per_m2_k=1e-12,
        gas_film_w_per_m2_k=0.0,
        lid_loss_w_per_m2_k=0.0,
        stirrer_power_number=0.0,
    )
    insulated = replace(MODEL, vessel=bare)
    start = replace(solution(40.0), crystals_kg=5.0, crystal_count_kg=5.0, contents_kg=905.0)
    end = step(start, Inputs(TemperatureMode.OFF, stirrer_speed_rpm=60.0), 6 * 3600.0, insulated)
    rise_k = 120e3 * (end.crystals_kg - 5.0) / contents_j_per_k(end, insulated)
    assert rise_k > 3.0
    assert end.product_temperature_c - 40.0 == pytest.approx(rise_k, rel=0.01)


def test_without_a_stirrer_crystals_grow_slowly() -> None:
    seeded = step(solution(50.0), replace(STIRRED, temperature_setpoint_c=50.0, seed_kg_per_h=12.0), 600.0, MODEL)
    held = replace(STIRRED, temperature_setpoint_c=50.0)
    stirred, stood = (step(seeded, replace(held, stirrer_available=there), 1200.0, MODEL) for there in (True, False))
    assert stood.crystals_kg - seeded.crystals_kg < 0.5 * (stirred.crystals_kg - seeded.crystals_kg)
