"""Heating, cooling and the cascade against closed forms, at all three scales."""

import math
from dataclasses import replace

import numpy as np
import pytest

from simulators.reactor import CHEMISTRIES, VESSELS, Inputs, Parameters, State, TemperatureMode, initial_state, parameters, step
from simulators.reactor.state import contents_j_per_k
from simulators.reactor.transfer import conductances, heat_transfer_w_per_k, of_state

SCALES = list(VESSELS)
TO_80 = Inputs(TemperatureMode.JACKET, jacket_setpoint_c=80.0)


def ideal(scale: str, *, wall_share: float = 1.0) -> Parameters:
    """A vessel without losses whose jacket inlet is where it is asked to be, and contents of constant viscosity."""
    vessel, chemistry = VESSELS[scale], replace(CHEMISTRIES["distillation_31"], viscosity_k=0.0, expansion_per_k=0.0)
    quiet = replace(vessel, lid_loss_w_per_m2_k=0.0, jacket_loss_w_per_m2_k=0.0, stirrer_power_number=0.0, glass_limit_k=200.0)
    strong = replace(quiet, heating_w=1e12, cooling_w=1e12, unit_lag_s=1e-9)
    return Parameters(replace(strong, wall_j_per_k=wall_share * vessel.wall_j_per_k), chemistry)


def filled(ideal: Parameters, temperature_c: float, jacket_c: float) -> State:
    charge_kg = 0.6 * ideal.volume_m3 * 870.0
    return replace(initial_state(ideal, charge_kg, temperature_c), jacket_inlet_c=jacket_c, stirrer_rpm=100.0)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("start_c", "jacket_c"), [(20.0, 80.0), (80.0, 10.0)])
def test_contents_wall_and_jacket_follow_the_matrix_exponential(scale: str, start_c: float, jacket_c: float) -> None:
    parameters = ideal(scale)
    state = filled(parameters, start_c, jacket_c)
    fill, viscosity = of_state(state, parameters)
    inner, outer = conductances(fill, 100.0, viscosity, parameters)
    vessel, flow = parameters.vessel, parameters.vessel.jacket_flow_w_per_k
    held = np.array([contents_j_per_k(state, parameters), vessel.wall_j_per_k, vessel.jacket_j_per_k])
    flows = np.array([[-inner, inner, 0.0], [inner, -inner - outer, outer], [0.0, outer, -outer - flow]])
    rates, vectors = np.linalg.eig(flows / held[:, None])
    weights = np.linalg.solve(vectors, np.full(3, start_c - jacket_c))
    asked = replace(TO_80, jacket_setpoint_c=jacket_c, stirrer_speed_rpm=100.0)
    for k in range(1, 1201):
        state = step(state, asked, 0.25, parameters)
        if k in (120, 480, 1200):
            exact = jacket_c + vectors @ (weights * np.exp(rates * 0.25 * k))
            shown = [state.product_temperature_c, state.wall_c, state.jacket_outlet_c]
            assert shown == pytest.approx(exact, abs=0.003 * abs(start_c - jacket_c))


@pytest.mark.parametrize("scale", SCALES)
def test_without_a_wall_to_warm_the_logarithm_falls_by_one_in_a_time_constant(scale: str) -> None:
    parameters = ideal(scale, wall_share=1e-3)
    parameters = replace(parameters, vessel=replace(parameters.vessel, jacket_flow_w_per_k=1e9, jacket_j_per_k=1.0))
    start = replace(filled(parameters, 20.0, 80.0), jacket_outlet_c=80.0)
    tau_s = contents_j_per_k(start, parameters) / heat_transfer_w_per_k(start, parameters)
    for share in (0.25, 1.0, 3.0):
        reached = step(start, replace(TO_80, stirrer_speed_rpm=100.0), share * tau_s, parameters)
        assert reached.product_temperature_c == pytest.approx(80.0 - 60.0 * math.exp(-share), abs=0.25)


def test_area_per_volume_and_time_constant_go_with_the_scale() -> None:
    area = {scale: VESSELS[scale].area_m2 / VESSELS[scale].volume_m3 for scale in SCALES}
    assert area["lab_1l"] / area["production_1600l"] == pytest.approx(1600 ** (1 / 3), rel=1e-9)
    assert area["lab_1l"] / replace(VESSELS["lab_1l"], volume_m3=1.0).area_m2 == pytest.approx(10.0, rel=1e-9)
    tau_s = {}
    for scale in SCALES:
        model = parameters(scale, "demo_17")
        state = replace(initial_state(model, 0.6 * 870.0 * model.volume_m3), stirrer_rpm=model.vessel.nominal_rpm)
        tau_s[scale] = contents_j_per_k(state, model) / heat_transfer_w_per_k(state, model)
    assert 120 < tau_s["lab_1l"] < 300
    assert 400 < tau_s["pilot_100l"] < 900
    assert 1000 < tau_s["production_1600l"] < 2500


def test_wilson_one_over_u_is_a_line_in_speed_to_the_minus_two_thirds() -> None:
    bare = replace(VESSELS["production_1600l"], still_film_w_per_m2_k=0.0, gas_film_w_per_m2_k=0.0)
    model = Parameters(bare, CHEMISTRIES["demo_17"])
    start = initial_state(model, 900.0)
    speeds = np.array([30.0, 60.0, 90.0, 150.0])
    resistances = [1.0 / heat_transfer_w_per_k(replace(start, stirrer_rpm=float(rpm)), model) for rpm in speeds]
    slope, constant = np.polyfit(speeds ** (-2 / 3), resistances, 1)
    assert slope * speeds ** (-2 / 3) + constant == pytest.approx(resistances, rel=1e-9)
    fill, _ = of_state(start, model)
    wetted_m2 = model.area_m2 * (bare.bottom_share + (1.0 - bare.bottom_share) * fill)
    wall_and_jacket = bare.wall_m2_k_per_w + 1.0 / bare.jacket_film_w_per_m2_k
    assert constant * wetted_m2 == pytest.approx(wall_and_jacket, rel=1e-6)


def test_thicker_contents_take_less_heat_and_more_power() -> None:
    thin = parameters("production_1600l", "demo_17")
    thick = replace(thin, chemistry=replace(thin.chemistry, viscosity_pa_s=0.6))
    state = replace(initial_state(thin, 900.0), stirrer_rpm=100.0)
    assert heat_transfer_w_per_k(state, thick) < 0.5 * heat_transfer_w_per_k(state, thin)
    for model in (thin, thick):
        warmed = step(state, Inputs(TemperatureMode.OFF, stirrer_speed_rpm=100.0), 600.0, model)
        assert warmed.stirrer_j > 0
    assert (
        step(state, Inputs(stirrer_speed_rpm=100.0), 60.0, thick).stirrer_j
        > step(state, Inputs(stirrer_speed_rpm=100.0), 60.0, thin).stirrer_j
    )


@pytest.mark.parametrize("scale", SCALES)
def test_the_cascade_reaches_its_setpoint_keeps_it_and_keeps_the_glass_difference(scale: str) -> None:
    model = parameters(scale, "distillation_31")
    state = initial_state(model, 0.6 * 870.0 * model.volume_m3)
    asked, shown = Inputs(temperature_setpoint_c=80.0, stirrer_speed_rpm=model.vessel.nominal_rpm), []
    for _ in range(5 * 360):
        state = step(state, asked, 10.0, model)
        assert abs(state.jacket_setpoint_c - state.product_temperature_c) < 60.0 + 1.0
        shown.append(state.product_temperature_c)
    assert max(shown) < 88.0, "overshoot"
    assert shown[-720:] == pytest.approx([80.0] * 720, abs=0.1)


def test_no_limit_winds_the_controller_up() -> None:
    """Two hours without heating power: when it is back, the overshoot is no larger than it is without the failure."""
    model = parameters("production_1600l", "distillation_31")
    asked = Inputs(temperature_setpoint_c=60.0, stirrer_speed_rpm=100.0)

    def highest(failed_s: float) -> float:
        state = step(initial_state(model, 900.0), replace(asked, heating_available=0.0), failed_s, model)
        shown = []
        for _ in range(240):
            state = step(state, asked, 60.0, model)
            shown.append(state.product_temperature_c)
        assert shown[-1] == pytest.approx(60.0, abs=0.1)
        return max(shown)

    assert highest(7200.0) == pytest.approx(highest(0.0), abs=0.3)


def test_the_unit_has_no_more_power_than_it_has() -> None:
    model = parameters("production_1600l", "distillation_31")
    start = initial_state(model, 900.0, 60.0)
    for share in (1.0, 0.4, 0.0):
        cooled = step(start, replace(TO_80, jacket_setpoint_c=0.0, cooling_available=share), 120.0, model)
        assert cooled.unit_j == pytest.approx(-share * model.vessel.cooling_w * 120.0, rel=1e-9)
        heated = step(start, replace(TO_80, jacket_setpoint_c=120.0, heating_available=share), 120.0, model)
        assert heated.unit_j == pytest.approx(share * model.vessel.heating_w * 120.0, rel=1e-9)


def test_modes_and_jacket_limit() -> None:
    model = parameters("pilot_100l", "distillation_31")
    start = initial_state(model, 50.0, 40.0)
    off = step(start, Inputs(TemperatureMode.OFF, temperature_setpoint_c=80.0, jacket_setpoint_c=80.0), 3600.0, model)
    assert off.unit_j == 0.0 and off.product_temperature_c < 40.0
    jacket = step(start, Inputs(TemperatureMode.JACKET, 0.0, jacket_setpoint_c=80.0), 3600.0, model)
    assert jacket.jacket_inlet_c == pytest.approx(80.0, abs=0.1)
    limited = step(start, Inputs(TemperatureMode.PRODUCT, 90.0, jacket_limit_c=95.0), 3600.0, model)
    assert limited.jacket_inlet_c == pytest.approx(95.0, abs=0.2)
    assert step(start, replace(TO_80, jacket_setpoint_c=130.0), 3600.0, model).jacket_inlet_c > 96.0


def test_an_empty_vessel_is_brought_to_its_setpoint() -> None:
    model = parameters("production_1600l", "demo_17")
    shown = [
        step(initial_state(model, 0.0, 5.0), Inputs(temperature_setpoint_c=20.0), float(t), model) for t in (600, 1800, 5400)
    ]
    temperatures = [state.product_temperature_c for state in shown]
    assert temperatures == sorted(temperatures) and temperatures[-1] == pytest.approx(20.0, abs=0.5)
