"""What is said of a tag that was read once: contradictions are faults, doubts warnings, and agreement is silent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.survey.judgement import remarks
from collector.survey.reading import Level, Reading
from config.engineering_units import UNITS, EngineeringUnit, conversion, same_unit
from drivers.base import Quality
from tests.unit.survey.readings import reading

BAD_SENSOR_FAILURE, BAD_TYPE_MISMATCH = 0x808C0000, 0x80740000


def said(one: Reading) -> list[tuple[str, str]]:
    return [(remark.level.name.lower(), remark.short) for remark in remarks(one)]


def test_a_tag_that_agrees_is_silent() -> None:
    one = reading(64.9, unit="°C", code="CEL", range_=(-30, 200), engineering_unit="°C", range=[-30, 200])
    assert said(one) == []


@pytest.mark.parametrize(
    ("server", "code", "ours", "expected"),
    [
        ("°F", "FAH", "°C", "fault"),
        ("K", "KEL", "°C", "fault"),
        ("mbar", "MBR", "bar", "fault"),
        ("bar(g)", "BAR", "bar(a)", "fault"),
        ("barg", None, "bara", "fault"),
        ("m³/h", "MQH", "Nm³/h", "fault"),
        ("kg", "KGM", "kg/h", "fault"),
        (None, "FAH", "°C", "fault"),
        ("°C", "FAH", "°C", "fault"),
        ("furlong", None, "kg/h", "warning"),
        ("bar(g)", "BAR", "bar", "warning"),
        ("bar", "BAR", "bar(a)", "note"),
        ("°C", "CEL", None, "note"),
        ("degC", None, "°C", ""),
        (None, "CEL", "°C", ""),
        ("r/min", "RPM", "rpm", ""),
        ("Nm³/h", "MQH", "Nm³/h", ""),
        ("psia", "PS", "psi(a)", ""),
        ("furlong", None, "Furlong", ""),
        ("1", "C62", None, "note"),
    ],
)
def test_units(server: str | None, code: str | None, ours: str | None, expected: str) -> None:
    found = remarks(reading(1.0, unit=server, code=code, engineering_unit=ours))
    assert [remark.level.name.lower() for remark in found] == ([expected] if expected else [])
    for remark in found:
        assert "the server" in remark.text


def test_a_description_tells_absolute_where_the_name_does_not() -> None:
    assert said(reading(1.0, unit="bar", description="bar absolute", engineering_unit="bar(a)")) == []
    assert said(reading(1.0, unit="bar", description="gauge", engineering_unit="bar(a)")) == [("fault", "unit bar")]


def test_the_sentence_says_what_to_write() -> None:
    (remark,) = remarks(reading(148.2, unit="°F", code="FAH", engineering_unit="°C"))
    assert "write engineering_unit: °F, or to convert scale: 0.5555555556 and offset: -17.77777778" in remark.text
    (remark,) = remarks(reading(300.0, unit="K", engineering_unit="°C"))
    assert remark.text.endswith("or to convert offset: -273.15")


@given(st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_a_file_that_converts_is_right_and_one_that_does_not_is_not(theirs: EngineeringUnit, ours: EngineeringUnit) -> None:
    right = conversion(theirs, ours)
    if right is None or same_unit(theirs, ours):
        return
    keys: dict[str, Any] = {"engineering_unit": ours.name, "unit": theirs.name, "code": theirs.code or None}
    assert said(reading(None, quality=Quality.GOOD, scale=right[0], offset=right[1], **keys)) == []
    wrong = said(reading(None, scale=right[0] * 1.5, offset=right[1], **keys))
    assert wrong == [("fault", f"unit {theirs.name}")]


def test_a_unit_that_is_the_same_and_scaled_all_the_same_is_doubted() -> None:
    assert said(reading(20.0, unit="°C", engineering_unit="°C", scale=0.1)) == [("warning", "scaled")]
    assert said(reading(20.0, unit="mA", engineering_unit="°C", scale=14.375)) == [("warning", "unit mA")]


@pytest.mark.parametrize(
    ("kind", "data_type", "fault"),
    [("real", "String", True), ("real", "Boolean", True), ("real", "UInt16", False), ("text", "Double", True),
     ("boolean", "Int32", True), ("text", "LocalizedText", False), ("integer", "DateTime", True),
     ("real", None, False), ("boolean", "Boolean", False)],
)  # fmt: skip
def test_data_types(kind: str, data_type: str | None, *, fault: bool) -> None:
    one = reading("" if kind == "text" else 1, kind=kind, data_type=data_type)
    assert said(one) == ([("fault", f"type {data_type}")] if fault else [])


def test_a_mismatch_is_told_once_with_the_right_kind() -> None:
    (remark,) = remarks(reading(None, quality=Quality.BAD, status=BAD_TYPE_MISMATCH, data_type="String"))
    assert remark.text == "the node is a String, the file says kind real: write kind: text, or another address"
    assert said(reading(None, quality=Quality.BAD, status=BAD_TYPE_MISMATCH, is_array=True)) == [("fault", "type Double[]")]


def test_bad_and_uncertain_values_are_told_with_the_status_and_the_drivers_words() -> None:
    (remark,) = remarks(reading(None, quality=Quality.BAD, status=BAD_SENSOR_FAILURE, advice="look at the sensor"))
    assert (remark.level, remark.text) == (Level.FAULT, "no good value, BadSensorFailure: look at the sensor")
    assert said(reading(1.0, quality=Quality.UNCERTAIN, status=0x40920000)) == [("warning", "uncertain")]


@pytest.mark.parametrize(
    ("theirs", "keys", "expected"),
    [
        ((-30.0, 200.0), {"range": [-30, 200]}, []),
        ((-30.0, 250.0), {"range": [-30, 200]}, [("warning", "range")]),
        ((0.0, 100.0), {"range": [None, 100]}, []),
        ((0.0, 100.0), {"range": [None, 90]}, [("warning", "range")]),
        ((0.0, 100.0), {}, [("note", "range")]),
        ((0.0, 4095.0), {"range": [0, 409.5], "scale": 0.1}, []),
        ((0.0, 4095.0), {"range": [-409.5, 0], "scale": -0.1}, []),
    ],
)
def test_ranges(theirs: tuple[float, float], keys: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert said(reading(None, range_=theirs, **keys)) == expected


def test_a_range_is_compared_in_the_files_unit() -> None:
    """°F of the server against °C of the file: one fault for the unit, none for a range that is the same."""
    one = reading(100.0, unit="°F", range_=(-22, 392), engineering_unit="°C", range=[-30, 200])
    assert said(one) == [("fault", "unit °F")]


def test_values_outside_the_range() -> None:
    assert said(reading(200.1, range=[-30, 200])) == [("warning", "outside")]
    assert said(reading(200.0, range=[-30, 200])) == []
    assert said(reading(800.0, unit="K", engineering_unit="°C", range=[-30, 200])) == [("fault", "unit K")], "the unit is why"


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [(0.1, []), (299.0, []), (301.0, [("warning", "old")]), (None, []), (-1.0, []), (-30.0, [("warning", "ahead")])],
)
def test_ages(age_s: float | None, expected: list[tuple[str, str]]) -> None:
    assert said(reading(1.0, age_s=age_s)) == expected


def test_a_text_may_stay_the_same_for_hours() -> None:
    assert said(reading("B-1", kind="text", data_type="String", age_s=9000.0)) == []


def test_the_worst_comes_first() -> None:
    one = reading(300.0, unit="K", range_=(200, 400), engineering_unit="°C", age_s=9000.0, range=[-30, 200])
    assert [remark.level for remark in remarks(one)] == [Level.FAULT, Level.WARNING, Level.WARNING]
