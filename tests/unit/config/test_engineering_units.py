"""Engineering units: known by every spelling, never guessed, and converted without loss."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.engineering_units import (
    UNITS,
    EngineeringUnit,
    Reference,
    by_code,
    conversion,
    same_unit,
    says_less,
    understood,
    unece_code,
    unit_id_of,
)

units = st.sampled_from(UNITS)
pressures = st.sampled_from([unit for unit in UNITS if unit.dimension == "pressure"])
ABSOLUTE = ("(a)", " (a)", "a", " abs", "(abs)", " absolute", "[a]", "-a")
GAUGE = ("(g)", " (g)", "g", " gauge", "(gauge)", "ü", " rel", "[g]", "-g")


def unit_named(name: str) -> EngineeringUnit:
    found = understood(name)
    assert found, name
    return found.unit


@given(units, st.data())
def test_every_spelling_is_understood_whatever_the_spaces(unit: EngineeringUnit, data: st.DataObject) -> None:
    spelling = data.draw(st.sampled_from(unit.spellings))
    spaced = "".join(sign + data.draw(st.sampled_from(["", "", " "])) for sign in spelling)
    found = understood(spaced)
    assert found is not None
    assert (found.unit, found.reference) == (unit, None)


def test_no_spelling_and_no_code_means_two_units() -> None:
    spellings = [spelling for unit in UNITS for spelling in unit.spellings]
    assert len(spellings) == len(set(spellings))
    codes = [unit.code for unit in UNITS if unit.code]
    assert len(codes) == len(set(codes))


@given(
    pressures, st.sampled_from([*((ending, Reference.ABSOLUTE) for ending in ABSOLUTE), *((e, Reference.GAUGE) for e in GAUGE)])
)
def test_a_pressure_says_what_it_is_counted_from(unit: EngineeringUnit, told: tuple[str, Reference]) -> None:
    ending, reference = told
    found = understood(unit.name + ending)
    assert found is not None
    assert (found.unit, found.reference) == (unit, reference)


@pytest.mark.parametrize(
    "text", ["°C(a)", "kg(g)", "furlong", "", "bar(x)", "mW", "mpa", "Mbar", "%%", "b a r g x", "\N{SNOWMAN}"]
)
def test_what_is_not_known_is_not_guessed(text: str) -> None:
    assert understood(text) is None


@given(st.text(max_size=12))
def test_any_text_is_understood_or_not_and_never_an_error(text: str) -> None:
    found = understood(text, text)
    assert found is None or found.unit in UNITS


@pytest.mark.parametrize(
    ("text", "name"),
    [("KG/H", "kg/h"), ("MBAR", "mbar"), ("BAR", "bar"), ("m^3 / h", "m³/h"), ("℃", "°C"), ("ºC", "°C"), ("DEG C", "°C"),
     ("μS/cm", "µS/cm"), ("MW", "MW"), ("kw", "kW"), ("N m", "N·m"), ("% or pct", "%")],
)  # fmt: skip
def test_spellings_of_the_field(text: str, name: str) -> None:
    assert unit_named(text).name == name


@pytest.mark.parametrize(
    ("description", "reference"),
    [("bar absolute", Reference.ABSOLUTE), ("Gauge pressure", Reference.GAUGE), ("bar [unit of pressure]", None), ("", None),
     ("absolute, not gauge", None), ("Überdruck", Reference.GAUGE)],
)  # fmt: skip
def test_a_description_may_tell_what_a_pressure_is_counted_from(description: str, reference: Reference | None) -> None:
    found = understood("bar", description)
    assert found is not None
    assert found.reference is reference


@given(units)
def test_a_code_comes_back_from_the_number_that_opc_ua_packs_it_into(unit: EngineeringUnit) -> None:
    if unit.code:
        assert unece_code(unit_id_of(unit.code)) == unit.code
        assert by_code(unit.code) is unit


def test_codes_as_the_opc_foundation_publishes_them() -> None:
    assert (unit_id_of("CEL"), unit_id_of("FAH"), unit_id_of("BAR"), unit_id_of("P1")) == (4408652, 4604232, 4342098, 20529)


@given(st.integers(-(2**40), 2**40))
def test_a_number_that_is_no_code_is_none(unit_id: int) -> None:
    code = unece_code(unit_id)
    assert code is None or unit_id_of(code) == unit_id


@given(units, units, st.floats(-1e6, 1e6))
def test_a_conversion_there_and_back_gives_the_value(one: EngineeringUnit, other: EngineeringUnit, value: float) -> None:
    there, back = conversion(one, other), conversion(other, one)
    if one.dimension != other.dimension:
        assert there is None
        return
    assert there
    assert back
    again = (value * there[0] + there[1]) * back[0] + back[1]
    assert math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-6)
    assert same_unit(one, other) == same_unit(other, one)


@pytest.mark.parametrize(
    ("value", "one", "other", "expected"),
    [(100, "°C", "°F", 212), (0, "°C", "K", 273.15), (-40, "°F", "°C", -40), (1, "bar", "mbar", 1000),
     (1, "atm", "bar", 1.01325), (1, "psi", "kPa", 6.894757), (760, "Torr", "atm", 1), (60, "l/min", "m³/h", 3.6),
     (2, "t/h", "kg/min", 33.333333), (1, "1", "%", 100)],
)  # fmt: skip
def test_figures_anyone_can_look_up(value: float, one: str, other: str, expected: float) -> None:
    scale_offset = conversion(unit_named(one), unit_named(other))
    assert scale_offset
    scale, offset = scale_offset
    assert value * scale + offset == pytest.approx(expected, rel=1e-6)


def test_the_nearest_code_for_a_unit_without_one() -> None:
    hourly, normal = unit_named("m³/h"), unit_named("Nm³/h")
    assert not same_unit(hourly, normal)
    assert says_less(hourly, normal)
    assert not says_less(normal, hourly)
    assert not says_less(unit_named("l/min"), normal)
