"""Scalars by the core schema of YAML 1.2, with the text they were written with and the line they stand on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from config.load import load
from config.place import Place
from config.text import WrittenFloat, WrittenInt, as_written
from config.yaml_source import parse


def value(text: str) -> object:
    data = parse(f"key: {text}\n", "f").data
    assert isinstance(data, dict)
    return data["key"]


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "no",
        "NO",
        "on",
        "Off",
        "y",
        "12:30",
        "2024-11-22",
        "2024-11-22T06:00:00Z",
        "1_000",
        "0b11",
        "1e",
        "+",
        ".",
        "0x",
        "=",
        "1.2.3",
        "nul",
        "inf",
    ],
)
def test_what_is_a_number_or_a_boolean_in_yaml_1_1_only_is_text(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5),
        ("+5", 5),
        ("-012", -12),
        ("0x1F", 31),
        ("0o17", 15),
        ("3.10", 3.1),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1E-3", -0.001),
        (".inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_numbers_keep_their_spelling(text: str, expected: float) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is (WrittenInt if isinstance(expected, int) else WrittenFloat)
    assert as_written(found) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("''", ""),
        ("!!str 5", "5"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_other_scalars(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_not_a_number_is_one() -> None:
    found = value(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


def test_digits_beyond_python_stay_text() -> None:
    assert value("9" * 5000) == "9" * 5000


def test_anchors_are_followed_and_places_are_those_of_the_keys() -> None:
    source = parse("\n# a comment\na: &x\n  b: [1,\n    2]\nc:\n  *x\n", "f")
    assert source.data == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}
    lines: dict[str, int] = {}

    def walk(place: Place) -> None:
        lines[place.path] = place.line
        for inside in place.inside.values():
            walk(inside)

    walk(source.place)
    assert lines == {"": 3, "a": 3, "a.b": 4, "a.b[1]": 4, "a.b[2]": 5, "c": 6, "c.b": 4, "c.b[1]": 4, "c.b[2]": 5}


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=15,
)


@given(JSON_VALUES)
def test_what_pyyaml_writes_is_read_back(written: object) -> None:
    text = yaml.safe_dump({"key": written}, allow_unicode=True, default_style='"', sort_keys=False)
    source = parse(text, "f")
    assert source.slips == ()
    data = source.data
    assert isinstance(data, dict)
    assert data["key"] == written
    assert repr(data["key"]) == repr(written)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"%YAML 1.2\n---\n"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_marks_of_other_systems_do_no_harm(tmp_path: Path, start: bytes, line_end: bytes) -> None:
    example = Path(__file__).parents[3] / "config" / "examples" / "minimal.yaml"
    file = tmp_path / "plant.yaml"
    file.write_bytes(start.replace(b"\n", line_end) + example.read_bytes().replace(b"\n", line_end))
    assert load(file) == load(example)
