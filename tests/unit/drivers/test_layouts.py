"""A layout as text: what rows of years ago are read by."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from hypothesis import given
from hypothesis import strategies as st

from config.tags import Kind
from drivers.base import Column, Layout

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COLUMNS = st.builds(
    Column,
    name=st.text(max_size=5),
    role=st.text(max_size=5),
    unit=st.text(max_size=5),
    kind=st.sampled_from(Kind),
    engineering_unit=st.none() | st.text(max_size=3),
    address=st.text(max_size=5),
    scale=NUMBERS,
    offset=NUMBERS,
    low=st.none() | NUMBERS,
    high=st.none() | NUMBERS,
    states=st.lists(st.tuples(st.integers(-3, 3), st.text(max_size=3)), max_size=2).map(tuple),
)
LAYOUTS = st.builds(
    Layout, st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.integers(1, 2**50), st.lists(COLUMNS).map(tuple)
)


@given(LAYOUTS)
def test_its_text_has_every_field_and_gives_it_back(layout: Layout) -> None:
    text = layout.to_json()
    assert text == json.dumps(asdict(layout), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert Layout.from_json(text) == layout


def test_its_id_stays_what_it_is() -> None:
    """In every release: rows of years ago name it. A new field of a column needs a place outside of the id."""
    column = Column(
        "TT-201A", "product_temperature", "R-201", Kind.REAL, "°C", "holding:100", 0.1, -5.0, 0.0, 150.0, ((0, "Off"),)
    )
    assert Layout("plc", "R-201", "main", 10**9, (column,)).id == "be1a2ce1dbed1339"
    assert len(fields(Column)) == 11
