"""The JSON Schema for editors: what loads fits it, what is misspelt does not, and it explains every key."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.parts import PlantFile
from config.schema import json_schema, models_in
from tests.unit.config.json_schema_check import fits

ROOT = Path(__file__).parents[3]
SCHEMA = json_schema()
EXAMPLES = sorted(
    path
    for path in (ROOT / "config" / "examples").rglob("*.yaml")
    if "scenario" not in path.name and "endpoints" in path.read_text("utf-8")
)
NAMED = {"endpoints", "devices", "groups", "tags", "units", "sinks", "states", "templates"}
WHOLE = """\
site: 5
include: [units/*.yaml]
endpoints:
  a:
    url: "opc.tcp://h"
    password: {env: A}
    user_name: u
    devices: {D: {unit: 201, groups: {g: }, tags: [t.csv, {T: {address: i=1, range: [null, 2.5]}}]}}
  b: {url: "modbus://h", devices: {E: {tags: t.csv}}}
units: {R: , S: {recipe_version: 1.10}}
limits: [limits.csv, {role: r, par: {low: 1}, alarm: {hh: 2}}]
sinks: {db: {kind: victoriametrics, url: "http://h"}}
web: null
templates: {t: {units: {"{u}": {mode: "{m}"}}, limits: l.csv, use: [{template: o, rows: [{a: 1}]}]}}
use: [{template: t, table: t.csv}, {template: t, rows: [{u: A, m: gmp}]}]
"""


def is_valid(data: object) -> bool:
    return fits(data, SCHEMA, SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_fits(path: Path) -> None:
    data = yaml.safe_load(path.read_text("utf-8"))
    if "site" in data:
        assert is_valid(data)
    else:
        assert fits(data, json_schema(part=True), json_schema(part=True))


def test_a_file_of_all_forms_fits() -> None:
    assert is_valid(yaml.safe_load(WHOLE))


def _keys(data: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of the keys that the models know."""
    if isinstance(data, dict):
        for key, value in data.items():
            if not (path and path[-1] in NAMED):
                yield (*path, key)
            yield from () if key == "rows" else _keys(value, (*path, key))
    elif isinstance(data, list):
        for n, item in enumerate(data):
            yield from _keys(item, (*path[:-1], path[-1], n)) if path[-1] != "tags" else _keys(item, (*path, n, "tags"))


def _misspelt(data: Any, path: tuple[Any, ...]) -> Any:
    wrong = copy.deepcopy(data)
    inside = wrong
    for step in path[:-1]:
        inside = inside if step == "tags" and step not in inside else inside[step]
    inside[f"{path[-1]}_"] = inside.pop(path[-1])
    return wrong


@pytest.mark.parametrize(
    "text", [WHOLE, (ROOT / "config" / "examples" / "pilot-plant.yaml").read_text("utf-8")], ids=["whole", "pilot"]
)
def test_no_misspelt_key_fits(text: str) -> None:
    data = yaml.safe_load(text)
    paths = [path for path in _keys(data) if path[:1] != ("templates",) or len(path) < 4]
    assert len(paths) > 35
    assert [path for path in paths if is_valid(_misspelt(data, path))] == []


WRONG = [
    ("site: 5", "sites: 5"),
    ("site: 5", "site: ''"),
    ("opc.tcp://h", "tcp://h"),
    ("{env: A}", "hunter2"),
    ("{env: A}", "{env: A, file: b}"),
    ("[null, 2.5]", "[1, 2, 3]"),
    ("[null, 2.5]", "[1, x]"),
    ("kind: victoriametrics", "kind: postgres"),
    ("table: t.csv", "template: t"),
    ("{template: t, rows: [{u: A, m: gmp}]}", "{template: t, rows: [], table: x}"),
    ("{role: r, par: {low: 1}, alarm: {hh: 2}}", "{par: {low: 1}}"),
    ("devices: {E: {tags: t.csv}}", "devices: {}"),
]


@pytest.mark.parametrize(("old", "new"), WRONG)
def test_wrong_values_do_not_fit(old: str, new: str) -> None:
    assert WHOLE.count(old) == 1
    assert not is_valid(yaml.safe_load(WHOLE.replace(old, new)))


def test_an_included_file_has_no_site() -> None:
    schema = json_schema(part=True)
    assert fits({"units": {"R": None}}, schema, schema)
    assert not fits({"site": "W"}, schema, schema)


@pytest.mark.parametrize("model", list(models_in(PlantFile)), ids=lambda model: model.__name__)
def test_every_key_is_explained(model: type[PlantFile]) -> None:
    schema = SCHEMA if model is PlantFile else SCHEMA["$defs"][model.__name__]
    assert schema.get("description")
    assert [key for key, told in schema["properties"].items() if len(told.get("description", "")) < 4] == []


def test_seconds_are_told_as_such() -> None:
    for definition in (*SCHEMA["$defs"].values(), SCHEMA):
        for key, told in definition.get("properties", {}).items():
            assert not key.endswith("_s") or "seconds" in told["description"].lower(), key


def test_it_is_json_and_a_dialect_that_editors_know() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
