"""Dosing, accumulation, mixing and runaway against what they must give."""

import math
from dataclasses import replace

import pytest

from simulators.reactor import CHEMISTRIES, VESSELS, Inputs, Parameters, State, TemperatureMode, initial_state, parameters, step
from simulators.reactor.reaction import rate_constant
from simulators.reactor.state import GAS_CONSTANT, KELVIN, contents_j_per_k
from tests.thorough import THOROUGH

DEMO = parameters("production_1600l", "demo_17")
OFF = Inputs(TemperatureMode.OFF, stirrer_speed_rpm=100.0)
DOSE = Inputs(temperature_setpoint_c=65.0, stirrer_speed_rpm=100.0, dosing_kg_per_h=100.0)


def insulated(chemistry: str = "demo_17") -> Parameters:
    """Nothing passes the wall, the lid or the stirrer, and nothing boils."""
    vessel = replace(
        VESSELS["production_1600l"],
        film_factor=0.0,
        still_film_w_per_m2_k=1e-12,
        gas_film_w_per_m2_k=0.0,
        lid_loss_w_per_m2_k=0.0,
        stirrer_power_number=0.0,
    )
    return Parameters(vessel, replace(CHEMISTRIES[chemistry], charge_volatile=0.0, feed_volatile=0.0))


def stirred(parameters: Parameters, charge_kg: float, temperature_c: float) -> State:
    return replace(initial_state(parameters, charge_kg, temperature_c), stirrer_rpm=100.0)


def test_the_heat_of_reaction_warms_an_insulated_reactor_by_what_it_must() -> None:
    model = replace(insulated(), chemistry=replace(insulated().chemistry, decomposition_per_s=0.0))
    fed = step(stirred(model, 800.0, 20.0), replace(OFF, dosing_kg_per_h=100.0), 5400.0, model)
    done = step(fed, OFF, 4 * 3600.0, model)
    assert done.accumulated_mol < 0.01
    rise_k = done.converted_mol * 100e3 / contents_j_per_k(done, model)
    assert done.converted_mol == pytest.approx(9.0 * done.dosed_kg, rel=1e-5)
    assert rise_k > 50.0
    assert done.product_temperature_c == pytest.approx(20.0 + rise_k, abs=1e-3)


def test_what_was_fed_is_accumulated_or_converted() -> None:
    fed = step(stirred(DEMO, 800.0, 65.0), DOSE, 1800.0, DEMO)
    assert fed.accumulated_mol + fed.converted_mol == pytest.approx(9.0 * fed.dosed_kg)
    assert fed.reactant_mol + fed.converted_mol == pytest.approx(800.0 * 1.82)
    assert fed.contents_kg == pytest.approx(800.0 + fed.dosed_kg)
    assert fed.reaction_j == pytest.approx(100e3 * fed.converted_mol)


def test_an_isothermal_batch_follows_the_second_order_law() -> None:
    """Equal A and B: 1/n = 1/n0 + k·t/V."""
    held = replace(insulated(), chemistry=replace(insulated().chemistry, reaction_heat_j_per_mol=0.0, decomposition_per_s=0.0))
    start = replace(stirred(held, 800.0, 65.0), accumulated_mol=1456.0)
    volume_m3 = 800.0 / (870.0 * (1.0 - 0.045))
    for t_s in (300.0, 3600.0):
        expected = 1.0 / (1.0 / 1456.0 + rate_constant(65.0, held) * t_s / volume_m3)
        assert step(start, OFF, t_s, held).reactant_mol == pytest.approx(expected, rel=1e-6)


def test_cold_feed_accumulates_more_than_warm_feed() -> None:
    def accumulated(temperature_c: float) -> float:
        asked = replace(DOSE, temperature_setpoint_c=temperature_c)
        return step(stirred(DEMO, 800.0, temperature_c), asked, 1800.0, DEMO).accumulated_mol

    assert accumulated(30.0) > 4 * accumulated(65.0)


def test_a_dosing_factor_doses_more_than_is_asked() -> None:
    plain, fast = (step(stirred(DEMO, 800.0, 65.0), replace(DOSE, dosing_factor=f), 840.0, DEMO) for f in (1.0, 2.85))
    assert fast.dosed_kg == pytest.approx(2.85 * plain.dosed_kg)
    assert fast.product_temperature_c > plain.product_temperature_c + 2.0


def test_a_standing_stirrer_hoards_the_feed_and_its_return_sets_it_off() -> None:
    tripped = replace(DOSE, stirrer_available=False)
    before = step(stirred(DEMO, 800.0, 65.0), DOSE, 1200.0, DEMO)
    stood = step(before, tripped, 1200.0, DEMO)
    assert stood.stirrer_rpm < 1.0
    assert stood.reaction_w < 0.2 * before.reaction_w
    assert stood.unmixed_mol > 200.0
    back = step(stood, DOSE, 60.0, DEMO)
    assert back.reaction_w > 3.0 * before.reaction_w
    assert step(back, DOSE, 300.0, DEMO).product_temperature_c > stood.product_temperature_c + 3.0


def test_decomposition_is_negligible_where_the_process_runs() -> None:
    day = step(stirred(DEMO, 900.0, 65.0), Inputs(temperature_setpoint_c=65.0, stirrer_speed_rpm=100.0), 6 * 3600.0, DEMO)
    assert day.decomposition_j / (6 * 3600.0) / 900.0 < 0.002, "W/kg"


def tmr_ad_s(start: State, model: Parameters) -> float:
    chemistry, kelvin = model.chemistry, start.product_temperature_c + KELVIN
    k = chemistry.decomposition_per_s * math.exp(
        -chemistry.decomposition_energy_j_per_mol / GAS_CONSTANT * (1 / kelvin - 1 / 383.15)
    )
    warming = k * 1.82 * 900.0 * chemistry.decomposition_heat_j_per_mol / contents_j_per_k(start, model)
    return GAS_CONSTANT * kelvin**2 / chemistry.decomposition_energy_j_per_mol / warming


def test_the_maximum_rate_at_110_degrees_is_a_day_away() -> None:
    assert 12 * 3600 < tmr_ad_s(stirred(DEMO, 900.0, 110.0), insulated()) < 36 * 3600


@pytest.mark.parametrize("start_c", [*([110.0] if THOROUGH else []), 120.0, 130.0])
def test_time_to_maximum_rate_as_townsend_and_tou_give_it(start_c: float) -> None:
    """TMRad = cp·R·T²/(q0·Ea) is of zero order: depletion makes the true one up to a fifth longer."""
    model = insulated()
    start = replace(stirred(model, 900.0, start_c), stirrer_rpm=0.0)
    tmr_s = tmr_ad_s(start, model)
    state, fastest, fastest_at_s = start, 0.0, 0.0
    for k_step in range(1, int(1.6 * tmr_s / 20.0)):
        after = step(state, Inputs(TemperatureMode.OFF), 20.0, model)
        rate = after.product_temperature_c - state.product_temperature_c
        if rate > fastest:
            fastest, fastest_at_s = rate, 20.0 * k_step
        state = after
    assert 0.95 * tmr_s < fastest_at_s < 1.25 * tmr_s
    assert state.decomposition_j == pytest.approx(1.82 * 900.0 * 250e3, rel=0.02)


def test_a_runaway_outruns_full_cooling_and_blows_the_relief_valve() -> None:
    state = replace(stirred(DEMO, 900.0, 65.0), reactant_mol=0.0)
    asked = Inputs(temperature_setpoint_c=65.0, stirrer_speed_rpm=100.0, decomposition_factor=1e6)
    hottest = 0.0
    for _ in range(240):
        state = step(state, asked, 30.0, DEMO)
        hottest = max(hottest, state.product_temperature_c)
    assert 130.0 < hottest < 400.0
    assert state.relieved_kg > 1.0
    assert state.intact_mol < 0.05 * 900.0 * 1.82
