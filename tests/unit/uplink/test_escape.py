"""Spelling: what line protocol can hold comes back as it was, and nothing breaks a line."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.uplink.escape import RESERVED, field_name, name, series, text_field
from tests.line_protocol import parse

ANY_TEXT = st.text(st.characters())
TAG_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\\n\r\t"), min_size=1)


@given(TAG_TEXT, TAG_TEXT)
@example('a,b=c d"é😀', "=, ")
def test_tag_values_come_back(site: str, unit: str) -> None:
    point = parse(series("process", (("site", site), ("unit", unit))) + b"x=1.0 1")
    assert point.tags == {"site": site, "unit": unit}


@given(ANY_TEXT, ANY_TEXT)
@example("\\", "\\,")
@example("a\\ b", "a\\=b\\\\")
@example("\\\n", "a\tb\rc\\")
@example("\ud800", "x")
def test_no_text_breaks_a_line(site: str, unit: str) -> None:
    line = series("process", (("site", site), ("unit", unit), ("phase", "Dose"))) + b"x=1.0 1"
    point = parse(line)
    assert b"\n" not in line
    assert point.tags.keys() == {"phase"} | ({"site"} if site else set()) | ({"unit"} if unit else set())
    assert point.tags["phase"] == "Dose"
    assert point.fields == {"x": 1.0}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("R-201", "R-201"),
        ("a b,c=d", r"a\ b\,c\=d"),
        ("line\nfeed\ttab\rreturn", r"line\nfeed\ttab\rreturn"),
        ("C:\\temp", "C:\\temp"),
        ("ends\\", "ends⧵"),
        ("a\\,b", "a⧵\\,b"),
        ("a\\\\b", "a⧵\\b"),
        ("lone \ud800", r"lone\ \ud800"),
        ('"quoted" é😀', '"quoted"\\ é😀'),
    ],
)
def test_what_a_tag_looks_like(text: str, written: str) -> None:
    assert name(text) == written


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example('"')
@example("\\")
@example('\\"\n,= \r\n\x00')
def test_text_fields_come_back(text: str) -> None:
    assert parse(b"m x=" + text_field(text) + b" 1").fields == {"x": text}


def test_a_lone_surrogate_is_told_not_hidden() -> None:
    assert parse(b"m x=" + text_field("a\ud800b") + b" 1").fields == {"x": r"a\ud800b"}


def test_empty_tags_are_left_out() -> None:
    assert series("process", (("site", "S"), ("batch", ""), ("phase", ""))) == b"process,site=S "


@given(st.lists(st.sampled_from([*RESERVED, "x", "x_value", "phase_value", "phase_value_value", "_value_value"]), unique=True))
def test_no_field_is_reserved_and_no_two_roles_share_one(roles: list[str]) -> None:
    fields = [field_name(role) for role in roles]
    assert not RESERVED.intersection(fields)
    assert len(set(fields)) == len(roles)


def test_an_ordinary_role_is_its_field() -> None:
    assert field_name("product_temperature") == "product_temperature"
    assert field_name("set_value") == "set_value"
    assert field_name("phase") == "phase_value"
