"""Instruments against closed forms, and that looking or not looking changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.instruments import INSTRUMENTS, PERFECT, Instrument, Instruments, instrument_of
from simulators.overrides import Overrides, status_of
from simulators.source import BAD_NODE_ID_UNKNOWN, BAD_SENSOR_FAILURE, SimulationError
from simulators.upset import Upset


def one(instrument: Instrument, start: float = 0.0, seed: int = 1, unit: str = "R-1") -> Instruments:
    instruments = Instruments(seed, unit)
    instruments.add([("x", instrument, start)])
    return instruments


def step_response(instruments: Instruments, to: float, seconds: int) -> list[float]:
    shown = []
    for second in range(1, seconds + 1):
        instruments.follow(np.array([to]))
        shown.append(float(instruments.shown(second)[0]))
    return shown


@given(lag_s=st.floats(0.2, 500.0), step=st.floats(-200.0, 200.0))
def test_a_step_is_followed_as_a_first_order_lag(lag_s: float, step: float) -> None:
    shown = step_response(one(Instrument(lag_s=lag_s), start=20.0), 20.0 + step, 60)
    for second, value in enumerate(shown, 1):
        assert value == pytest.approx(20.0 + step * (1 - math.exp(-second / lag_s)), abs=1e-9 * (1 + abs(step)))


def test_a_perfect_instrument_shows_the_truth_at_once() -> None:
    assert step_response(one(PERFECT), 64.123456789, 2) == [64.123456789, 64.123456789]


def test_the_lag_upset_adds_to_the_thermowell_and_goes_with_its_end() -> None:
    instruments = one(Instrument(lag_s=10.0))
    end = instruments.disturb(Upset("lag", "x", 60.0), "x", 0)
    slow = step_response(instruments, 100.0, 70)
    assert slow[-1] == pytest.approx(100.0 * (1 - math.exp(-1)))
    end()
    instruments.follow(np.array([100.0]))
    assert instruments.shown(71)[0] == pytest.approx(100.0 - (100.0 - slow[-1]) * math.exp(-0.1))


@given(truth=st.floats(-500.0, 3000.0), resolution=st.sampled_from([0.0001, 0.001, 0.01, 0.1, 0.5, 2.0]))
def test_what_is_shown_lies_on_the_steps_of_the_resolution_nearest_to_the_truth(truth: float, resolution: float) -> None:
    value = float(one(Instrument(resolution=resolution), start=truth).shown(0)[0])
    assert value / resolution == pytest.approx(round(value / resolution), abs=1e-6)
    assert abs(value - truth) <= resolution / 2 + 1e-9


def test_a_hundredth_is_shown_as_people_write_it() -> None:
    assert float(one(Instrument(resolution=0.01), start=65.029).shown(0)[0]) == 65.03


def noise_of(instruments: Instruments, seconds: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([instruments.shown(second)[0] for second in range(seconds)])


def test_noise_is_normal_white_and_as_wide_as_it_says() -> None:
    drawn = noise_of(one(Instrument(noise=0.03)), 8192)
    assert abs(drawn.mean()) < 4 * 0.03 / math.sqrt(8192)
    assert drawn.std() == pytest.approx(0.03, rel=0.04)
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 4 / math.sqrt(8192)
    assert np.mean(np.abs(drawn) < 0.03) == pytest.approx(0.6827, abs=0.02)


def test_the_noise_upset_is_a_factor() -> None:
    instruments = one(Instrument(noise=0.03))
    before = noise_of(instruments, 500)
    end = instruments.disturb(Upset("noise", "x", 5.0), "x", 0)
    assert noise_of(instruments, 500) == pytest.approx(5 * before)
    end()
    assert noise_of(instruments, 500) == pytest.approx(before)


def test_seed_unit_role_and_second_make_the_noise_and_nothing_else() -> None:
    alone = noise_of(one(Instrument(noise=1.0)), 600)
    among = Instruments(1, "R-1")
    among.add([("other", Instrument(noise=2.0), 5.0), ("x", Instrument(noise=1.0), 0.0), ("third", PERFECT, 0.0)])
    backwards = [among.shown(second)[1] for second in range(599, -1, -1)]
    assert backwards[::-1] == alone.tolist()
    for other in (one(Instrument(noise=1.0), seed=2), one(Instrument(noise=1.0), unit="R-2")):
        assert abs(np.corrcoef(noise_of(other, 600), alone)[0, 1]) < 0.2


@given(speed=st.floats(-100.0, 100.0), begun_s=st.integers(0, 10**6), after_s=st.integers(0, 10**5))
def test_drift_goes_by_its_speed_from_where_it_began(speed: float, begun_s: int, after_s: int) -> None:
    instruments = one(PERFECT, start=65.0)
    end = instruments.disturb(Upset("drift", "x", speed), "x", begun_s)
    expected = 65.0 + speed * after_s / 3600
    assert instruments.shown(begun_s + after_s)[0] == pytest.approx(expected, rel=1e-9, abs=1e-7)
    end()
    assert instruments.shown(begun_s + after_s)[0] == 65.0


def test_upsets_add_up_and_each_end_takes_its_own_away_once() -> None:
    instruments = one(PERFECT, start=10.0)
    first = instruments.disturb(Upset("offset", "x", 1.5), "x", 0)
    second = instruments.disturb(Upset("spike", "x", 40.0), "x", 0)
    third = instruments.disturb(Upset("offset", "x", 1.5), "x", 0)
    assert instruments.shown(0)[0] == 53.0
    first()
    first()
    assert instruments.shown(0)[0] == 51.5
    second()
    assert instruments.shown(0)[0] == 11.5
    third()
    assert instruments.shown(0)[0] == 10.0


def test_a_low_cut_off_shows_exactly_nothing_until_the_instrument_is_off() -> None:
    flow = one(Instrument(noise=0.35, silent_at_zero=True), start=1.7)
    assert set(noise_of(flow, 100)) == {0.0}
    flow.disturb(Upset("offset", "x", 1.0), "x", 0)
    assert min(noise_of(flow, 100)) > 0.5


def test_a_balance_never_shows_less_than_nothing() -> None:
    assert min(noise_of(one(INSTRUMENTS["contents_mass"]), 300)) == 0.0


def test_a_probe_in_a_thermowell_is_slow_and_a_setpoint_is_not() -> None:
    assert 8.0 <= instrument_of("product_temperature").lag_s <= 15.0
    assert instrument_of("temperature_setpoint") == PERFECT


def test_of_overrides_the_gravest_is_seen_and_ends_uncover_the_others() -> None:
    overrides = Overrides()
    assert not overrides
    ends = [overrides.begin(Upset(kind, "x"), "x", 65.0) for kind in ("node_gone", "uncertain", "dropout", "flat_line")]
    seen = []
    for end in ends:
        seen.append(overrides.status("x"))
        end()
    assert seen == [BAD_NODE_ID_UNKNOWN, BAD_SENSOR_FAILURE, BAD_SENSOR_FAILURE, 0]
    assert not overrides


def test_of_two_flat_lines_the_last_is_seen() -> None:
    overrides = Overrides()
    overrides.begin(Upset("flat_line", "x"), "x", 65.0)
    end = overrides.begin(Upset("flat_line", "x", 0.0), "x", 0.0)
    assert overrides.held() == {"x": 0.0}
    end()
    assert overrides.held() == {"x": 65.0}


def test_a_dropout_has_the_status_it_is_told() -> None:
    assert status_of(Upset("dropout", "x", "BadNotConnected")) == 0x808A_0000
    assert status_of(Upset("uncertain", "x")) == 0x4093_0000


@pytest.mark.parametrize(
    ("upset", "told"),
    [
        (Upset("dropout", "x", "BadNotConected"), "'BadNotConected' is no Bad status of OPC UA: did you mean 'BadNotConnected'?"),
        (Upset("dropout", "x", "Good"), "'Good' is no Bad status of OPC UA"),
        (Upset("uncertain", "x", "BadSensorFailure"), "is no Uncertain status of OPC UA"),
    ],
)
def test_a_status_of_another_severity_is_refused(upset: Upset, told: str) -> None:
    with pytest.raises(SimulationError, match=told.replace("?", r"\?")):
        status_of(upset)
