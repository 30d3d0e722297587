"""The reactor against closed forms, and its bounds under any input."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import reactor
from simulators.reactor import Inputs, Parameters, State, TemperatureMode, model

QUIET = replace(Parameters(), loss_w_per_k=0.0)
FULL = State(contents_kg=1000.0, product_temperature_c=20.0, jacket_inlet_c=80.0, jacket_outlet_c=20.0)
TO_80 = Inputs(TemperatureMode.JACKET, jacket_setpoint_c=80.0)


def test_heating_follows_one_time_constant_when_the_jacket_is_uniform() -> None:
    parameters = replace(QUIET, jacket_flow_w_per_k=400e3)
    start = replace(FULL, jacket_outlet_c=80.0)
    tau_s = model.heat_capacity_j_per_k(start, parameters) / model.heat_transfer_w_per_k(start, parameters)
    assert 1500 < tau_s < 3500
    for share in (0.25, 1.0, 3.0):
        reached = reactor.step(start, TO_80, share * tau_s, parameters)
        assert reached.product_temperature_c == pytest.approx(80.0 - 60.0 * math.exp(-share), abs=0.1)


def test_jacket_and_contents_follow_the_exact_solution_of_their_two_balances() -> None:
    ua, flow = model.heat_transfer_w_per_k(FULL, QUIET), QUIET.jacket_flow_w_per_k
    contents, jacket = model.heat_capacity_j_per_k(FULL, QUIET), QUIET.jacket_j_per_k
    matrix = np.array([[-ua / contents, ua / contents], [ua / jacket, -(ua + flow) / jacket]])
    rates, vectors = np.linalg.eig(matrix)
    weights = np.linalg.solve(vectors, np.array([20.0 - 80.0, 20.0 - 80.0]))
    for t_s in (20.0, 300.0, 3600.0):
        exact = 80.0 + vectors @ (weights * np.exp(rates * t_s))
        reached = reactor.step(FULL, TO_80, t_s, QUIET)
        assert [reached.product_temperature_c, reached.jacket_outlet_c] == pytest.approx(exact, abs=0.6 if t_s == 20 else 0.05)


def test_the_heat_of_reaction_warms_an_insulated_reactor_by_what_it_must() -> None:
    insulated = replace(QUIET, heat_transfer_w_per_k=0.0)
    start = replace(FULL, product_temperature_c=20.0, reactant_mol=2000.0, jacket_inlet_c=20.0)
    fed = reactor.step(start, Inputs(TemperatureMode.JACKET, dosing_kg_per_h=100.0), 3600.0, insulated)
    done = reactor.step(fed, Inputs(TemperatureMode.JACKET), 7200.0, insulated)
    heat_j = done.converted_mol * insulated.reaction_heat_j_per_mol
    rise_k = heat_j / model.heat_capacity_j_per_k(done, insulated)
    assert done.converted_mol == pytest.approx(900.0, rel=0.02)
    assert done.product_temperature_c == pytest.approx(insulated.feed_temperature_c + rise_k, abs=1e-6)


def test_what_was_fed_is_accumulated_or_converted() -> None:
    start = replace(FULL, product_temperature_c=65.0, reactant_mol=2000.0)
    fed = reactor.step(start, Inputs(temperature_setpoint_c=65.0, dosing_kg_per_h=100.0), 1800.0, Parameters())
    assert fed.accumulated_mol + fed.converted_mol == pytest.approx(fed.dosed_kg * Parameters().feed_mol_per_kg)
    assert fed.reactant_mol + fed.converted_mol == pytest.approx(2000.0)
    assert fed.contents_kg == pytest.approx(1000.0 + fed.dosed_kg)


def test_cold_feed_accumulates_more_than_warm_feed() -> None:
    def accumulated(temperature_c: float) -> float:
        start = replace(FULL, product_temperature_c=temperature_c, jacket_inlet_c=temperature_c, reactant_mol=2000.0)
        asked = Inputs(temperature_setpoint_c=temperature_c, dosing_kg_per_h=100.0)
        return reactor.step(start, asked, 1800.0, Parameters()).accumulated_mol

    assert accumulated(30.0) > 4 * accumulated(65.0)


def test_the_controller_reaches_its_setpoint_and_keeps_the_glass_difference() -> None:
    state = replace(FULL, jacket_inlet_c=20.0)
    for _ in range(6 * 60):
        state = reactor.step(state, Inputs(temperature_setpoint_c=100.0), 60.0, Parameters())
        assert abs(state.jacket_setpoint_c - state.product_temperature_c) < 60.0 + 1.0
    assert state.product_temperature_c == pytest.approx(100.0, abs=0.5)


def test_nitrogen_holds_the_pressure_while_the_contents_cool() -> None:
    state = reactor.step(replace(FULL, product_temperature_c=80.0), Inputs(temperature_setpoint_c=80.0), 3600.0, Parameters())
    assert model.headspace_pressure_bar(state, Parameters()) == pytest.approx(1.05, abs=0.01)
    for _ in range(60):
        state = reactor.step(state, Inputs(temperature_setpoint_c=10.0), 60.0, Parameters())
        assert model.headspace_pressure_bar(state, Parameters()) == pytest.approx(1.05, abs=0.02)
    assert state.product_temperature_c < 40.0


def test_toluene_boils_at_its_boiling_point() -> None:
    assert model.vapour_pressure_bar(110.6) == pytest.approx(1.013, rel=0.01)


def test_a_minute_is_sixty_seconds() -> None:
    asked = Inputs(temperature_setpoint_c=65.0, dosing_kg_per_h=100.0, stirrer_speed_rpm=80.0)
    by_seconds = replace(FULL, reactant_mol=2000.0)
    for _ in range(60):
        by_seconds = reactor.step(by_seconds, asked, 1.0, Parameters())
    assert reactor.step(replace(FULL, reactant_mol=2000.0), asked, 60.0, Parameters()) == by_seconds


def test_time_goes_forward() -> None:
    assert reactor.step(FULL, Inputs(), 0.0, Parameters()) == FULL
    for dt_s in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="forward"):
            reactor.step(FULL, Inputs(), dt_s, Parameters())


@settings(max_examples=40, deadline=None)
@given(
    dt_s=st.floats(0.1, 60.0),
    setpoint_c=st.floats(-50, 200),
    flows=st.tuples(st.floats(0, 6000), st.floats(0, 300), st.floats(0, 6000), st.floats(0, 40)),
    contents_kg=st.floats(0, 1380),
    start_c=st.floats(-10, 150),
)
def test_no_input_makes_it_unstable(
    dt_s: float, setpoint_c: float, flows: tuple[float, float, float, float], contents_kg: float, start_c: float
) -> None:
    charge, dosing, discharge, purge = flows
    asked = Inputs(
        temperature_setpoint_c=setpoint_c,
        stirrer_speed_rpm=150.0,
        charge_kg_per_h=charge,
        dosing_kg_per_h=dosing,
        discharge_kg_per_h=discharge,
        purge_nm3_per_h=purge,
    )
    state = State(product_temperature_c=start_c, contents_kg=contents_kg, reactant_mol=1.8 * contents_kg, accumulated_mol=100.0)
    for _ in range(40):
        state = reactor.step(state, asked, dt_s, Parameters())
        shown = reactor.readings(state, Parameters())
        assert all(math.isfinite(float(value)) for value in shown.values())
        assert -40.0 < state.product_temperature_c < 400.0
        assert min(state.contents_kg, state.reactant_mol, state.accumulated_mol, state.nitrogen_mol) >= 0.0
        assert 0.0 <= float(shown["jacket_valve_output"]) <= 100.0
