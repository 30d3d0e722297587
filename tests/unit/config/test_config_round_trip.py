"""A plant is the same however it is written: as YAML, as CSV of any habit, through a template, in several files."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.model import Plant
from config.spreadsheet.columns import LIMIT_COLUMNS, TAG_COLUMNS, Columns
from tests.unit.config.plant_files import examined

Data = dict[str, Any]

SIGNS = st.sampled_from("abcXYZ019 _-.;,\"'{}#°³/é=&*!%@:ä")
WORDS = st.text(SIGNS, min_size=1, max_size=8).filter(lambda text: text == text.strip() and text[0] != "#")
TEXTS = WORDS | st.sampled_from(["0101", "1.10", "true", "null", "yes", "1e3", "~", "{unit}", "{{x}}", "1,5", "a\nb"])
NAMES = WORDS | st.sampled_from(["0101", "1.10", "true", "null", "{unit}"])
NUMBERS = st.integers(-99_999, 99_999) | st.integers(-99_999, 99_999).map(lambda n: n / 100)
ROLES = st.sampled_from("abcdefgh").flatmap(lambda first: st.integers(0, 999).map(lambda n: f"{first}{n}"))


@st.composite
def bounds(draw: st.DrawFn) -> list[float | None]:
    """Around 0, so that a limit and the range of its tag have something in common."""
    low, high = -draw(NUMBERS.map(abs)), draw(NUMBERS.filter(bool).map(abs))
    return draw(st.sampled_from([[low, high], [None, high], [low, None]]))


def some(draw: st.DrawFn, **optional: st.SearchStrategy[Any]) -> Data:
    return {key: draw(values) for key, values in optional.items() if draw(st.booleans())}


@st.composite
def opcua_tags(draw: st.DrawFn) -> Data:
    tag = {"address": draw(st.integers(0, 9999).map(lambda n: f"ns=2;s=R.{n}") | WORDS.map(lambda word: f"s={word}"))}
    tag |= some(draw, engineering_unit=TEXTS, range=bounds(), scale=NUMBERS.filter(bool), offset=NUMBERS)
    return tag


@st.composite
def modbus_tags(draw: st.DrawFn, n: int) -> Data:
    """The registers of one `n` are never those of another."""
    wire_type = draw(st.sampled_from(["float32", "int64", "float64"]))
    tag = {"address": f"holding:{24 * draw(st.integers(0, 2700)) + 4 * n}", "type": wire_type}
    tag |= some(draw, word_order=st.sampled_from(["ABCD", "CDAB"]), engineering_unit=TEXTS)
    if wire_type == "int64":
        tag |= some(draw, states=st.dictionaries(st.integers(-5, 99), st.sampled_from(["Idle", "Heat up", "1.10"]), max_size=3))
    return tag


@st.composite
def limits(draw: st.DrawFn, roles: list[str]) -> Data:
    limit = {"role": draw(st.sampled_from(roles)), "recipe_version": draw(NAMES), "par": draw(bounds())}
    limit |= some(draw, product=NAMES, cpp=st.booleans(), rationale=TEXTS, action=TEXTS, min_coverage=st.sampled_from([0.5, 1]))
    return limit | draw(st.sampled_from([{}, {"alarm": {"ll": -1, "hh": 99.5}}, {"statistic": "slope", "window_s": 2.5}]))


@st.composite
def plants(draw: st.DrawFn) -> Data:
    """A plant as data that loads: one device on each protocol."""
    names, roles = (
        draw(st.lists(NAMES, min_size=2, max_size=6, unique=True)),
        draw(st.lists(ROLES, min_size=6, max_size=6, unique=True)),
    )
    tags: list[Data] = [{}, {}]
    for n, name in enumerate(names):
        made = draw(opcua_tags() if n % 2 else modbus_tags(n))
        tags[n % 2][name] = {**made, "role": roles[n]}
    unit = draw(NAMES)
    endpoints = {
        "modbus": {"url": "modbus://h", "devices": {"M": {"unit": unit, "tags": tags[0]}}},
        "opcua": {"url": "opc.tcp://h", "timeout_s": 2.5, "devices": {"O": {"unit": unit, "tags": tags[1]}}},
    }
    rows = draw(
        st.lists(limits(roles[: len(names)]), max_size=3, unique_by=lambda limit: (limit["recipe_version"], limit["role"]))
    )
    return {"site": draw(NAMES), "endpoints": endpoints, "units": {unit: some(draw, description=TEXTS)}, "limits": rows}


def loaded(files: dict[str, str | bytes]) -> Plant:
    with tempfile.TemporaryDirectory() as folder:
        examination = examined(Path(folder), files)
        assert examination.faults == (), (examination.faults, files)
    assert examination.plant
    return examination.plant


def as_yaml(data: object) -> str:
    """JSON is YAML; numbers as keys are written as such."""
    if isinstance(data, dict):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {as_yaml(value)}" for key, value in data.items()) + "}"
    if isinstance(data, list):
        return f"[{', '.join(map(as_yaml, data))}]"
    return json.dumps(data, ensure_ascii=False)


def cell(value: object, comma: bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "No"
    if isinstance(value, dict):
        return "|".join(f"{number}={name}" for number, name in value.items())
    return str(value).replace(".", ",") if isinstance(value, float) and comma else str(value)


def inside(item: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        item = item[0 if step == "low" else 1] if isinstance(item, list) else (item or {}).get(step)
    return item


@st.composite
def tables(draw: st.DrawFn, items: list[Data], columns: Columns) -> bytes:
    """The items as one of the ways in which a spreadsheet may hold them."""
    used = [column for column in columns.columns if any(inside(item, column.steps) is not None for item in items)]
    used = draw(st.permutations(used or [column for column in columns.columns if column.name in columns.required]))
    separator, comma = draw(st.sampled_from(";\t,")), draw(st.booleans())
    stream = io.StringIO()
    writer = csv.writer(
        stream,
        delimiter=separator,
        quoting=draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    empty = [""] * draw(st.integers(0, 2))
    heads = [draw(st.sampled_from([column.name, column.name.upper(), *column.aliases])) for column in used]
    stream.write(draw(st.sampled_from(["", f"sep={separator}\n", "\n", '# a "comment\n'])))
    writer.writerow([*heads, *empty])
    for item in items:
        values = [inside(item, column.steps) for column in used]
        writer.writerow([*("" if value is None else cell(value, comma) for value in values), *empty])
    return stream.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))


@given(data=st.data(), plant=plants())
def test_a_plant_in_tables_is_the_plant_in_yaml(data: st.DataObject, plant: Data) -> None:
    files: dict[str, str | bytes] = {}
    written = json.loads(json.dumps(plant))
    for endpoint in ("modbus", "opcua"):
        (name, device), *_ = plant["endpoints"][endpoint]["devices"].items()
        items = [{"name": tag, **value} for tag, value in device["tags"].items()]
        files[f"{name}.csv"] = data.draw(tables(items, TAG_COLUMNS))
        written["endpoints"][endpoint]["devices"][name]["tags"] = f"{name}.csv"
    if plant["limits"]:
        files["limits.csv"] = data.draw(tables(plant["limits"], LIMIT_COLUMNS))
        written["limits"] = "limits.csv"
    assert loaded({"plant.yaml": as_yaml(written), **files}) == loaded({"plant.yaml": as_yaml(plant)})


def escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def with_placeholders(draw: st.DrawFn, value: Any, parameters: Data) -> Any:
    if isinstance(value, dict):
        pairs = [(key if isinstance(key, int) else escaped(key), inner) for key, inner in value.items()]
        return {key: with_placeholders(draw, inner, parameters) for key, inner in pairs}
    if isinstance(value, list) and (len(value) != 2 or None in value or draw(st.booleans()) or isinstance(value[0], dict)):
        return [with_placeholders(draw, item, parameters) for item in value]
    if value is None or (not isinstance(value, list) and draw(st.booleans())):
        return escaped(value) if isinstance(value, str) else value
    parameters[f"p{len(parameters)}"] = value
    placeholder = f"{{p{len(parameters) - 1}}}"
    if isinstance(value, str) and len(value) > 1 and draw(st.booleans()):
        parameters[f"p{len(parameters) - 1}"] = value[1:]
        return escaped(value[0]) + placeholder
    return draw(st.sampled_from([placeholder, placeholder.upper()]))


@st.composite
def templates(draw: st.DrawFn, plant: Data) -> Data:
    """The plant as a template that is filled once."""
    parameters: Data = {}
    body = {key: with_placeholders(draw, plant[key], parameters) for key in ("endpoints", "units", "limits")}
    body = {key: value for key, value in body.items() if not isinstance(value, str)}
    whole = {key: value for key, value in plant.items() if key not in body}
    kept = {name: value for name, value in parameters.items() if f"{{{name}}}" in json.dumps(body).lower()}
    return {**whole, "templates": {"t": body}, "use": [{"template": "t", "rows": [kept or {"p": 1}]}]}


@given(data=st.data(), plant=plants())
def test_a_plant_through_a_template_is_the_plant(data: st.DataObject, plant: Data) -> None:
    written = data.draw(templates(plant))
    if written["use"][0]["rows"] == [{"p": 1}]:
        written["templates"]["t"]["units"] = {**written["templates"]["t"].get("units", {}), "unit {p}": None}
        plant = {**plant, "units": {**plant["units"], "unit 1": None}}
    assert loaded({"plant.yaml": as_yaml(written)}) == loaded({"plant.yaml": as_yaml(plant)})


@given(data=st.data(), plant=plants())
def test_a_plant_in_several_files_is_the_plant(data: st.DataObject, plant: Data) -> None:
    moved = data.draw(st.sets(st.sampled_from(["endpoints", "units", "limits"])))
    files: dict[str, str | bytes] = {f"parts/{key}.yaml": as_yaml({key: plant[key]}) for key in moved}
    root: Data = {key: value for key, value in plant.items() if key not in moved}
    root |= {"include": ["parts/*.yaml"]} if moved else {}
    assert loaded({"plant.yaml": as_yaml(root), **files}) == loaded({"plant.yaml": as_yaml(plant)})
