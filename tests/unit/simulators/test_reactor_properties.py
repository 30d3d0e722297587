"""Whatever is asked, at whatever scale, in steps of whatever length: finite, inside physical bounds, and the same again."""

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.reactor import (
    CHEMISTRIES,
    VESSELS,
    Inputs,
    Parameters,
    State,
    TemperatureMode,
    initial_state,
    parameters,
    readings,
    step,
)
from simulators.reactor.state import booked_j, stored_j

MODELS = [parameters(vessel, chemistry) for vessel in VESSELS for chemistry in CHEMISTRIES]
NUMBERS = [field.name for field in fields(State) if field.name != "inputs"]
NEVER_NEGATIVE = [name for name in NUMBERS if name.endswith(("_kg", "_mol", "_rpm", "_per_h"))]


def share(most: float) -> st.SearchStrategy[float]:
    return st.one_of(st.just(0.0), st.floats(0.0, most))


INPUTS = st.builds(
    Inputs,
    temperature_mode=st.sampled_from(TemperatureMode),
    temperature_setpoint_c=st.floats(-60, 250),
    jacket_setpoint_c=st.floats(-60, 250),
    jacket_limit_c=st.none() | st.floats(-60, 250),
    stirrer_speed_rpm=share(600),
    charge_kg_per_h=share(6000),
    dosing_kg_per_h=share(300),
    discharge_kg_per_h=share(6000),
    seed_kg_per_h=share(50),
    purge_nm3_per_h=share(40),
    pressure_setpoint_bar=st.floats(0.02, 3.0),
    receive_distillate=st.booleans(),
    cooling_available=st.floats(0, 1),
    heating_available=st.floats(0, 1),
    stirrer_available=st.booleans(),
    dosing_factor=st.floats(0, 5),
    jacket_leak_kg_per_h=share(200),
    decomposition_factor=st.floats(0, 1e7),
)


def scaled(asked: Inputs, model: Parameters) -> Inputs:
    """Flows are for 1.6 m³."""
    size = model.volume_m3 / 1.6
    flows = (
        "charge_kg_per_h",
        "dosing_kg_per_h",
        "discharge_kg_per_h",
        "seed_kg_per_h",
        "jacket_leak_kg_per_h",
        "purge_nm3_per_h",
    )
    return replace(asked, **{name: size * getattr(asked, name) for name in flows})


def begun(model: Parameters, fill: float, start_c: float) -> State:
    density = model.chemistry.density_kg_per_m3
    return initial_state(model, fill * density * model.volume_m3, start_c)


@given(
    model=st.sampled_from(MODELS),
    fill=st.one_of(st.just(0.0), st.floats(0, 0.9)),
    start_c=st.floats(-10, 130),
    asked=st.lists(INPUTS, min_size=1, max_size=3),
    dt_s=st.floats(0.05, 240.0),
)
def test_any_inputs_give_finite_states_inside_physical_bounds(
    model: Parameters, fill: float, start_c: float, asked: list[Inputs], dt_s: float
) -> None:
    state = start = begun(model, fill, start_c)
    hottest_c = 3000.0 if model.chemistry.name == "oncb" else 700.0
    for inputs in asked:
        state = step(state, scaled(inputs, model), dt_s, model)
        shown = readings(state, model)
        assert all(math.isfinite(getattr(state, name)) for name in NUMBERS)
        assert all(math.isfinite(float(value)) for value in shown.values())
        assert [name for name in NEVER_NEGATIVE if getattr(state, name) < 0.0] == []
        assert -60.0 < state.product_temperature_c < hottest_c
        assert -60.0 < state.wall_c < hottest_c
        assert state.unmixed_mol <= state.accumulated_mol * (1 + 1e-9) + 1e-9
        assert state.volatile_kg + state.crystals_kg <= state.contents_kg * (1 + 1e-9) + 1e-9
        assert 0.0 <= float(shown["jacket_valve_output"]) <= 100.0
        assert 0.0 <= float(shown["level"]) <= 98.0 + 1e-9
        assert 0.0 <= float(shown["oxygen"]) <= 20.9 + 1e-9
        assert float(shown["headspace_pressure"]) > 0.0
        assert 0.0 <= float(shown["jacket_pressure"]) <= 2.0
    turnover_j = sum(abs(getattr(state, name)) for name in NUMBERS if name.endswith("_j")) + abs(stored_j(start, model))
    assert stored_j(state, model) - stored_j(start, model) == pytest.approx(booked_j(state), abs=1e-9 * turnover_j + 1e-6)


@settings(max_examples=30, deadline=None)
@given(model=st.sampled_from(MODELS), asked=INPUTS, fill=st.floats(0, 0.9), seconds=st.integers(1, 90))
def test_two_steps_of_an_hour_are_one_of_two(model: Parameters, asked: Inputs, fill: float, seconds: int) -> None:
    start, inputs = begun(model, fill, 60.0), scaled(asked, model)
    once = step(start, inputs, 2.0 * seconds, model)
    assert step(step(start, inputs, float(seconds), model), inputs, float(seconds), model) == once
    assert step(start, inputs, 2.0 * seconds, model) == once, "the same again"


@settings(max_examples=20, deadline=None)
@given(asked=INPUTS, fill=st.floats(0.1, 0.9))
def test_no_time_changes_nothing(asked: Inputs, fill: float) -> None:
    model = MODELS[0]
    assert step(begun(model, fill, 20.0), asked, 0.0, model) == begun(model, fill, 20.0)


@pytest.mark.parametrize("dt_s", [-1.0, math.nan, math.inf])
def test_time_goes_forward(dt_s: float) -> None:
    with pytest.raises(ValueError, match="forward"):
        step(State(), Inputs(), dt_s, MODELS[0])


def test_roles_are_those_of_the_tag_list() -> None:
    shown = readings(initial_state(MODELS[0]), MODELS[0])
    assert set(shown) == {
        "product_temperature", "product_temperature_b", "jacket_inlet_temperature", "jacket_outlet_temperature",
        "temperature_setpoint", "jacket_valve_output", "temperature_mode", "headspace_pressure", "jacket_pressure",
        "stirrer_speed", "stirrer_power", "contents_mass", "level", "dosing_rate", "dosed_mass", "jacket_flow", "ph",
        "vapour_temperature", "nitrogen_flow", "oxygen", "distillate_rate", "distillate_mass", "charge_valve_open",
        "dosing_valve_open", "discharge_valve_open", "nitrogen_valve_open", "vacuum_valve_open", "stirrer_running",
        "interlock_temperature", "interlock_pressure", "interlock_stirrer",
    }  # fmt: skip


def test_instruments_stay_inside_the_ranges_of_the_tag_list() -> None:
    """Those of R-201, in an ordinary dosing hour."""
    model = parameters("production_1600l", "demo_17")
    asked = Inputs(temperature_setpoint_c=65.0, stirrer_speed_rpm=100.0, dosing_kg_per_h=100.0)
    shown = readings(step(begun(model, 0.6, 65.0), asked, 3600.0, model), model)
    ranges = {
        "product_temperature": (-30, 200), "jacket_inlet_temperature": (-40, 220), "headspace_pressure": (0.9, 1.5),
        "jacket_pressure": (1, 6), "stirrer_speed": (99, 150), "stirrer_power": (0.5, 11), "contents_mass": (800, 2500),
        "dosing_rate": (99, 300), "dosed_mass": (99, 101), "jacket_flow": (20, 40), "ph": (5, 9), "level": (50, 80),
    }  # fmt: skip
    assert {role: shown[role] for role, (low, high) in ranges.items() if not low <= float(shown[role]) <= high} == {}


def test_interlocks_show_their_conditions() -> None:
    model = parameters("production_1600l", "demo_17")
    calm = readings(step(begun(model, 0.6, 65.0), Inputs(stirrer_speed_rpm=80.0), 60.0, model), model)
    assert not any(calm[f"interlock_{what}"] for what in ("temperature", "pressure", "stirrer"))
    hot = replace(begun(model, 0.6, 95.0), inert_mol=100.0)
    tripped = readings(
        step(hot, Inputs(stirrer_speed_rpm=80.0, stirrer_available=False, pressure_setpoint_bar=5.0), 60.0, model), model
    )
    assert tripped["interlock_temperature"] and tripped["interlock_pressure"] and tripped["interlock_stirrer"]


def test_a_leaking_jacket_fills_the_vessel_and_loses_pressure() -> None:
    model = parameters("production_1600l", "demo_17")
    start = begun(model, 0.5, 65.0)
    leaking = step(start, Inputs(temperature_setpoint_c=65.0, stirrer_speed_rpm=80.0, jacket_leak_kg_per_h=60.0), 1800.0, model)
    assert leaking.contents_kg - start.contents_kg == pytest.approx(30.0)
    assert 0.5 < float(readings(leaking, model)["jacket_pressure"]) < 1.6
    whole = step(leaking, Inputs(), 60.0, model)
    assert float(readings(whole, model)["jacket_pressure"]) == pytest.approx(1.5), "what was lost is not back"


def test_names_that_do_not_exist_are_told() -> None:
    with pytest.raises(ValueError, match="no vessel 'lab_2l': choose one of lab_1l"):
        parameters("lab_2l", "demo_17")
    with pytest.raises(ValueError, match="no chemistry 'demo_18': choose one of demo_17"):
        parameters("lab_1l", "demo_18")
