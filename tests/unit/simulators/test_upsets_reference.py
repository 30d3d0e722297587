"""docs/reference/upsets.md names every kind with its default, and none that is not there; and every key of a scenario."""

from __future__ import annotations

import re
from pathlib import Path

from config.common import Named
from simulators.scenario import Entry, Scenario, UnitScenario
from simulators.upset import KINDS

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "upsets.md").read_text("utf-8")
_ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<rest>.+) \|$", re.MULTILINE)


def rows(heading: str) -> dict[str, list[str]]:
    """Cells after the first, of the rows below the table heading that begins so."""
    text = REFERENCE[: REFERENCE.index("## Scenario")] if heading == "kind" else REFERENCE
    tables = re.findall(rf"^\| {re.escape(heading)} \|.*?(?=^$|\Z)", text, re.MULTILINE | re.DOTALL)
    found = [(match["name"], [cell.strip() for cell in match["rest"].split("|")]) for t in tables for match in _ROW.finditer(t)]
    assert len(found) == len(dict(found)) + 2 * (heading == "kind"), (
        "only restart and reset are told twice: of a unit, of an endpoint"
    )
    return dict(found)


def test_every_kind_is_told_with_its_default() -> None:
    told = rows("kind")
    assert list(told) == list(KINDS)
    for name, (meaning, default, what) in told.items():
        kind = KINDS[name]
        expected = "needed" if kind.needs_value else kind.default
        if name == "flat_line":
            expected = "where it was"
        assert default == ("" if expected is None else f"{expected:g}" if isinstance(expected, float) else expected), name
        assert (meaning == "") == (kind.value == "none"), name
        assert what.endswith("."), name


def test_every_key_of_a_scenario_is_told() -> None:
    keys = [field.alias or name for name, field in Entry.model_fields.items()]
    assert sorted(rows("key of the timeline")) == sorted(keys)
    assert set(rows("key of a unit")) == set(UnitScenario.model_fields) - set(Named.model_fields)
    assert set(Scenario.model_fields) == {"units", "timeline"}
