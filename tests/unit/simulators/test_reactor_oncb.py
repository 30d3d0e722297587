"""The accident with o-nitrochlorobenzene of 1969, Fogler's worked example, run on the model that everything runs on."""

from dataclasses import replace

import pytest

from simulators.reactor import Inputs, State, initial_state, parameters, step
from simulators.reactor.autoclave import CHARGE_KG, CHARGE_M3, J_PER_KCAL, ONCB_MOL
from simulators.reactor.reaction import heat_release_w
from simulators.reactor.state import KELVIN, contents_j_per_k
from simulators.reactor.transfer import heat_transfer_w_per_k

MODEL = parameters("oncb_autoclave", "oncb")
W_PER_KCAL_MIN = J_PER_KCAL / 60.0
HOLD = Inputs(temperature_setpoint_c=448.0 - KELVIN, stirrer_speed_rpm=100.0)


def held_at_448() -> State:
    """The jacket as warm as it must be for the heat of the first moment."""
    start = initial_state(MODEL, CHARGE_KG, 448.0 - KELVIN)
    jacket_c = 448.0 - KELVIN - heat_release_w(start, CHARGE_M3, MODEL) / heat_transfer_w_per_k(start, MODEL)
    return replace(start, jacket_inlet_c=jacket_c, jacket_outlet_c=jacket_c, controller_bias_c=jacket_c)


def most_removed(state: State) -> float:
    """Q_r with cooling water of 298 K, kcal/min."""
    return heat_transfer_w_per_k(state, MODEL) * (state.product_temperature_c + KELVIN - 298.0) / W_PER_KCAL_MIN


def released(state: State) -> float:
    """Q_g, kcal/min."""
    return heat_release_w(state, CHARGE_M3, MODEL) / W_PER_KCAL_MIN


@pytest.fixture(scope="module")
def isothermal() -> list[State]:
    """Every minute of the first 45."""
    states = [held_at_448()]
    for _ in range(45):
        states.append(step(states[-1], HOLD, 60.0, MODEL))
    return states


@pytest.fixture(scope="module")
def uncooled(isothermal: list[State]) -> State:
    """At 55 min."""
    return step(isothermal[-1], replace(HOLD, cooling_available=0.0), 600.0, MODEL)


def test_the_figures_of_the_charge() -> None:
    start = initial_state(MODEL, CHARGE_KG, 448.0 - KELVIN)
    assert contents_j_per_k(start, MODEL) / J_PER_KCAL == pytest.approx(2504.93, rel=1e-6)
    assert heat_transfer_w_per_k(start, MODEL) / W_PER_KCAL_MIN == pytest.approx(35.85, rel=1e-5)
    assert (start.reactant_mol, start.accumulated_mol) == pytest.approx((9044.8, 33000.0))
    rise_k = ONCB_MOL * MODEL.chemistry.reaction_heat_j_per_mol / contents_j_per_k(start, MODEL)
    assert rise_k == pytest.approx(2130.0, abs=1.0)


def test_the_controller_holds_448_k_for_45_minutes(isothermal: list[State]) -> None:
    assert all(state.product_temperature_c + KELVIN == pytest.approx(448.0, abs=0.01) for state in isothermal)
    assert most_removed(isothermal[-1]) == pytest.approx(5377.5, rel=1e-4)
    assert released(isothermal[-1]) < most_removed(isothermal[-1])


def test_ten_minutes_without_cooling(uncooled: State) -> None:
    assert uncooled.product_temperature_c + KELVIN == pytest.approx(468.0, abs=0.5)
    assert uncooled.converted_mol / ONCB_MOL == pytest.approx(0.0430, rel=0.01)
    assert released(uncooled) == pytest.approx(6571.0, rel=0.01)
    assert most_removed(uncooled) == pytest.approx(6095.0, rel=0.01)


def test_full_cooling_comes_too_late(uncooled: State) -> None:
    cooled = step(uncooled, HOLD, 60.0, MODEL)
    assert -cooled.wall_w / W_PER_KCAL_MIN == pytest.approx(most_removed(cooled), rel=0.001), "cooling is restored, and full"
    shown = [uncooled, cooled]
    for _ in range(70):
        shown.append(step(shown[-1], HOLD, 60.0, MODEL))
        assert shown[-1].product_temperature_c > shown[-2].product_temperature_c
        if shown[-1].converted_mol > 0.99 * ONCB_MOL:
            break
    assert released(shown[30]) > 1.1 * most_removed(shown[30])
    assert 1500.0 < shown[-1].product_temperature_c < 448.0 - KELVIN + 2130.0


def test_five_minutes_without_cooling_would_have_been_survived(isothermal: list[State]) -> None:
    """The point of no return lies between: Q_g meets Q_r at about 461 K."""
    state = step(isothermal[-1], replace(HOLD, cooling_available=0.0), 300.0, MODEL)
    state = step(state, HOLD, 7200.0, MODEL)
    assert state.product_temperature_c + KELVIN == pytest.approx(448.0, abs=0.1)
