"""Engineering units, ranges and groups of a simulated OPC UA server."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.engineering_units import understood
from config.load import load
from config.model import OpcUaDevice
from config.tags import OpcUaTag
from simulators.opcua.groups import functional_group, tree_of, two_states
from simulators.opcua.units import OWN_UNITS, UN_CEFACT, UNITS, common_code, engineering_unit, served_range, served_unit, unit_id

DEMO = Path(__file__).parents[3] / "config" / "examples" / "demo.yaml"


def tag(**fields: object) -> OpcUaTag:
    return OpcUaTag.model_validate({"name": "T-1", "address": "ns=2;s=T1", **fields})


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("°C", "CEL", 4408652),  # the published example of OPC 10000-8
        ("mm", "MMT", 5066068),
        ("m", "MTR", 5067858),
        ("s", "SEC", 5457219),
        ("Hz", "HTZ", 4740186),
        ("bar(a)", "BAR", 4342098),
        ("barg", "BAR", 4342098),
        ("%", "P1", 20529),
        ("m³/h", "MQH", 5067080),
        ("Nm³/h", "Q40", 5321776),
        ("kg/h", "E93", 4536627),
        ("rpm", "RPM", 5394509),
        ("°F", "FAH", 4604232),
        ("K", "KEL", 4932940),
        ("pH", "Q30", 5321520),
    ],
)
def test_a_unit_has_the_number_of_its_unece_code(text: str, code: str, number: int) -> None:
    told = engineering_unit(text)
    assert (common_code(text), unit_id(code)) == (code, number)
    assert (told.NamespaceUri, told.UnitId, told.DisplayName.Text) == (UN_CEFACT, number, text)


def test_the_number_is_the_code_read_in_base_256() -> None:
    for code in ("CEL", "P1", "E93"):
        assert unit_id(code) == sum(ord(char) * 256**place for place, char in enumerate(reversed(code)))


def test_the_codes_are_those_that_live_checks_know() -> None:
    """Two tables, written apart: one for the simulated servers, one for the check against real ones."""
    compared = 0
    for code, (_, spellings) in UNITS.items():
        for spelling in spellings.split():
            known = understood(spelling)
            if known and known.unit.code:
                assert known.unit.code == code == common_code(spelling), spelling
                compared += 1
    assert compared > 40


def test_an_unknown_unit_keeps_its_text_in_our_namespace() -> None:
    told = engineering_unit("furlong/fortnight")
    assert (told.NamespaceUri, told.UnitId, told.DisplayName.Text) == (OWN_UNITS, -1, "furlong/fortnight")


def test_the_served_unit_is_that_of_the_raw_value() -> None:
    assert served_unit(tag(engineering_unit="°C")) == "°C"
    assert served_unit(tag(engineering_unit="°C", scale=5 / 9, offset=-160 / 9)) == "°F"
    assert served_unit(tag(engineering_unit="bar(a)", offset=1.01325)) == "bar(g)"
    assert served_unit(tag(engineering_unit="°C", scale=0.37)) is None, "nobody can tell"
    assert served_unit(tag()) is None


@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(1e-3, 1e6),
    scale=st.floats(0.001, 1000.0) | st.floats(-1000.0, -0.001),
    offset=st.floats(-1000, 1000),
)
def test_the_served_range_is_the_tags_before_scale_and_offset(low: float, width: float, scale: float, offset: float) -> None:
    high = low + width
    served = served_range(tag(range=[low, high], scale=scale, offset=offset))
    assert served is not None and served[0] < served[1]
    back = sorted(end * scale + offset for end in served)
    assert math.isclose(back[0], low, rel_tol=1e-6, abs_tol=1e-6) and math.isclose(back[1], high, rel_tol=1e-6, abs_tol=1e-6)


def test_a_half_open_range_is_no_eu_range() -> None:
    assert served_range(tag(range=[None, 5.0])) is None
    assert served_range(tag()) is None


@pytest.mark.parametrize(
    ("name", "role", "group"),
    [
        ("TT-201A", "product_temperature", "Temperature"),
        ("XA-1", "interlock_temperature", "Interlocks"),
        ("PT-203", "jacket_pressure", "Pressure"),
        ("ST-201", "stirrer_speed", "Stirrer"),
        ("FT-205", "dosing_rate", "Dosing"),
        ("BATCH_ID", "batch_id", "BatchContext"),
        ("AT-201", "ph", "Analysis"),
        ("TT-7", "x_7", "Temperature"),
        ("ZZ", "x_8", "Other"),
    ],
)
def test_a_tag_stands_in_its_control_loop(name: str, role: str, group: str) -> None:
    assert functional_group(tag(name=name, role=role)) == group


def test_every_tag_of_the_demo_has_a_group_and_stands_in_it_once() -> None:
    device = load(DEMO).endpoints[0].devices[0]
    assert isinstance(device, OpcUaDevice)
    tree = tree_of(device, device.tags)
    assert list(tree) == ["R-201"] and "Other" not in tree["R-201"]
    assert sorted(tag.name for tags in tree["R-201"].values() for tag in tags) == sorted(tag.name for tag in device.tags)


def test_the_two_states_of_a_switch_are_named_for_what_it_is() -> None:
    assert two_states(tag(kind="boolean", role="dosing_valve_open")) == ("Closed", "Open")
    assert two_states(tag(kind="boolean", role="interlock_stirrer")) == ("Healthy", "Tripped")
    assert two_states(tag(kind="boolean", role="stirrer_running")) == ("Stopped", "Running")
    assert two_states(tag(kind="boolean", role="x")) == ("Off", "On")
