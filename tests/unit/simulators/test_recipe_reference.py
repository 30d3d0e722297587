"""docs/reference/recipes.md names every key of a recipe file with its default and unit, every state, and the library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic.fields import FieldInfo

from config.common import Model
from simulators.reactor import CHEMISTRIES, VESSELS
from simulators.recipe import file as written
from simulators.recipe.recipe import STATE_NAMES, BatchState, commands_in, library, load_recipe

DOCS = Path(__file__).parents[3] / "docs"
REFERENCE = (DOCS / "reference" / "recipes.md").read_text("utf-8")
HOW_TO = (DOCS / "how-to" / "write-a-recipe.md").read_text("utf-8")

SECTIONS: dict[type[Model], tuple[str, ...]] = {
    written.RecipeFile: ("Recipe",),
    written.Approval: ("Approval",),
    written.Phase: ("Settings", "Phase"),
    written.Temperature: ("Temperature",),
    written.Feed: ("Flow",),
    written.Condition: ("Condition",),
    written.Idle: ("Settings", "Idle"),
    written.Hold: ("Settings", "Hold"),
    written.Restart: ("Restart",),
    written.Stop: ("Settings", "Stop"),
    written.Abort: ("Settings", "Abort"),
}
UNITS = {"_k_per_min": "K/min", "_rpm": "rpm", "nm3_per_h": "Nm³/h", "kg_per_h": "kg/h", "_bar": "bar(a)", "_c": "°C", "_s": "s"}
TOLD_IN_WORDS = {"restart": "at once, by command", "temperature": "as the phase", "stirrer_speed_rpm": "as the phase"}
_ROW = re.compile(r"^\| `(?P<key>\w+)` \| (?P<default>[^|]+) \| (?P<unit>[^|]+) \| [^|]+ \|$", re.MULTILINE)


def models_in(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def all_models() -> set[type[Model]]:
    found: set[type[Model]] = set()
    waiting: list[type[Model]] = [written.RecipeFile]
    while waiting:
        if (here := waiting.pop()) not in found:
            found.add(here)
            waiting += [inner for field in here.model_fields.values() for inner in models_in(field.annotation)]
    return found


def section(heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert found, f"no section {heading!r}"
    return found[1]


def rows(heading: str) -> dict[str, tuple[str, str]]:
    text = section(heading)
    found = {key: (default, unit) for key, default, unit in _ROW.findall(text)}
    assert text.count("\n| `") == len(found), f"a row of {heading!r} is not key | default | unit | what"
    return found


def default_of(key: str, field: FieldInfo) -> str:
    if key in TOLD_IN_WORDS:
        return TOLD_IN_WORDS[key]
    if field.is_required():
        return "required"
    default = field.get_default()
    if isinstance(default, tuple):
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return "–" if default is None else str(default)


def unit_of(key: str) -> str:
    if key in ("low", "high"):
        return "of the role"
    return next((unit for suffix, unit in UNITS.items() if key.endswith(suffix)), "–")


def test_every_model_has_its_section() -> None:
    assert all_models() == set(SECTIONS)


@pytest.mark.parametrize("described", SECTIONS, ids=lambda described: described.__name__)
def test_a_section_has_the_keys_their_defaults_and_units(described: type[Model]) -> None:
    told = {key: row for heading in SECTIONS[described] for key, row in rows(heading).items()}
    fields = {key: field for key, field in described.model_fields.items() if key != "name"}
    assert told == {key: (default_of(key, field), unit_of(key)) for key, field in fields.items()}


def test_the_states_their_numbers_and_commands_are_told() -> None:
    table = re.findall(r"^\| (\d+) \| (\w+) \| ([^|]*)\|", section("States"), re.MULTILINE)
    assert {int(number): state for number, state, _ in table} == STATE_NAMES
    for number, _, taken in table:
        told = {word.strip() for word in taken.split(",") if word.strip()}
        assert told == {command.value for command in commands_in(BatchState(int(number)))}


def test_the_library_is_told() -> None:
    table = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]+) \| (\w+) \|", section("Library"), re.MULTILINE)
    recipes = {name: load_recipe(name).file for name in library()}
    assert table == [(name, file.product, file.version, file.mode) for name, file in recipes.items()]


def test_vessels_and_chemistries_are_told() -> None:
    assert all(f"`{name}`" in section("Recipe") for name in (*VESSELS, *CHEMISTRIES))


@pytest.mark.parametrize("name", library())
def test_the_how_to_names_the_pilot_recipes_to_copy(name: str) -> None:
    assert (name in HOW_TO) == (load_recipe(name).file.mode == "pilot")


def test_the_examples_of_the_how_to_stand_in_the_library() -> None:
    text = (DOCS.parent / "simulators" / "recipes" / "exothermic-dosing.yaml").read_text("utf-8")
    for example in re.findall(r"```yaml\n(.*?)```", HOW_TO, re.DOTALL):
        for line in example.splitlines():
            assert line.partition(" #")[0].rstrip() in text
