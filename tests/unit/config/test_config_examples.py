"""The examples load, and what is written in them is what the model holds, to the last key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from config.common import Bounds, Named
from config.load import config_hash, examine, load, load_with_warnings
from config.model import ModbusEndpoint, OpcUaEndpoint, Plant
from config.tags import Kind

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
PILOT = EXAMPLES / "pilot-plant.yaml"
NAMED = {"endpoints", "devices", "groups", "tags", "units", "sinks", "states"}
"""Keys of mappings whose keys are names or numbers, chosen by the site."""


PLANTS = sorted(file for file in EXAMPLES.rglob("*.yaml") if "\nsite:" in file.read_text("utf-8"))


def test_there_are_examples_for_both_modes() -> None:
    names = {str(file.relative_to(EXAMPLES)) for file in PLANTS}
    assert {"demo.yaml", "gmp-suite/plant.yaml", "minimal.yaml", "pilot-plant.yaml"} <= names


@pytest.mark.parametrize("file", PLANTS, ids=lambda file: str(file.relative_to(EXAMPLES)))
def test_an_example_loads_without_a_warning(file: Path) -> None:
    plant, warnings = load_with_warnings(file)
    assert warnings == ()
    assert plant.site


def test_the_gmp_suite_is_three_alike_reactors_and_a_filter_dryer() -> None:
    plant = load(EXAMPLES / "gmp-suite" / "plant.yaml")
    assert {unit.name: unit.mode for unit in plant.units} == dict.fromkeys(["R-201", "R-202", "R-203", "FD-301"], "gmp")
    roles: dict[str, list[str]] = {}
    for device, tag in plant.tags():
        roles.setdefault(device.unit_of(tag), []).append(tag.role)
    assert roles["R-201"] == roles["R-202"] == roles["R-203"]
    assert len(roles["R-201"]) > 35
    dose = next(limit for limit in plant.limits if limit.phase == "Dose" and limit.role == "product_temperature")
    assert (dose.nor, dose.par, dose.deadband, dose.cpp) == (Bounds(low=63, high=67), Bounds(low=60, high=70), 0.2, True)
    (charge,) = [limit for limit in plant.limits if limit.phase == "Inert" and limit.role == "headspace_pressure"]
    assert charge.par == Bounds(high=1.15), "a decimal comma"


def test_every_critical_limit_of_the_gmp_suite_says_why_and_what_to_do() -> None:
    plant = load(EXAMPLES / "gmp-suite" / "plant.yaml")
    critical = [limit for limit in plant.limits if limit.cpp]
    assert len(critical) > 8
    assert all(limit.rationale and limit.consequence and limit.action and limit.par for limit in critical)
    known = {tag.role for _, tag in plant.tags()}
    assert {limit.role for limit in plant.limits} <= known


def test_the_pilot_plant_is_two_units_on_two_protocols() -> None:
    plant = load(PILOT)
    opcua, modbus = plant.endpoints
    assert isinstance(opcua, OpcUaEndpoint)
    assert isinstance(modbus, ModbusEndpoint)
    assert [unit.name for unit in plant.units] == ["R-201", "SK-301"]
    assert plant.units[1].recipe_version == "1.10"
    assert {tag.role: tag.value_kind for _, tag in plant.tags()}["pump_running"] is Kind.BOOLEAN
    dose = next(limit for limit in plant.limits if limit.phase == "Dose" and limit.role == "product_temperature")
    assert (dose.nor, dose.par, dose.cpp) == (Bounds(low=63, high=67), Bounds(low=60, high=70), True)


def test_what_is_written_is_what_the_model_holds() -> None:
    written = yaml.load(PILOT.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506  BaseLoader makes nothing but texts
    assert sum(_agree(written, load(PILOT))) > 230


def _agree(written: object, held: object) -> Iterator[int]:
    """One for each scalar that agrees."""
    if isinstance(written, dict):
        for key, value in written.items():
            yield from _agree(value, _inside(held, key))
    elif isinstance(held, Bounds):
        assert isinstance(written, list)
        yield from _agree(written[0], held.low)
        yield from _agree(written[1], held.high)
    elif isinstance(written, list):
        assert isinstance(held, tuple)
        assert len(written) == len(held)
        for value, item in zip(written, held, strict=True):
            yield from _agree(value, item)
    elif isinstance(held, Named):
        assert written == ""
    else:
        assert _same(str(written), held), (written, held)
        yield 1


def _inside(held: object, key: str) -> object:
    if isinstance(held, tuple):
        return next(item for item in held if item.name == key)
    return held[int(key)] if isinstance(held, dict) else getattr(held, key)


def _same(written: str, held: object) -> bool:
    if isinstance(held, bool):
        return written == str(held).lower()
    if isinstance(held, float | int):
        return float(written) == held
    return written == ("null" if held is None else str(held))


def _model_keys(node: yaml.Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], yaml.ScalarNode]]:
    """Every key that the model knows, with its path; of items alike one."""
    if isinstance(node, yaml.MappingNode):
        named = bool(path) and path[-1] in NAMED
        for key, value in node.value:
            if not named:
                yield (*path, key.value), key
            yield from _model_keys(value, (*path, "*" if named else key.value))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _model_keys(item, (*path, "[]"))


_ROOT = yaml.compose(PILOT.read_text("utf-8"))
assert _ROOT is not None
KEYS = dict(_model_keys(_ROOT))


def test_the_example_shows_most_of_the_keys() -> None:
    assert len(KEYS) > 50


@pytest.mark.parametrize("path", KEYS, ids=".".join)
def test_a_misspelt_key_is_never_a_silent_default(tmp_path: Path, path: tuple[str, ...]) -> None:
    text, key = PILOT.read_text("utf-8"), KEYS[path]
    file = tmp_path / "plant.yaml"
    file.write_text(text[: key.start_mark.index] + key.value + "_" + text[key.end_mark.index :], encoding="utf-8")
    examination = examine(file)
    assert examination.plant is None
    assert any(f"{key.value}_" in str(fault) or "secret" in fault.what for fault in examination.faults), examination.faults


def test_the_hash_is_that_of_the_bytes() -> None:
    assert config_hash(PILOT) == hashlib.sha256(PILOT.read_bytes()).hexdigest()


def test_names_and_versions_keep_their_spelling(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(
        "site: 0x10\n"
        "endpoints: {1.0: {url: opc.tcp://h, devices: {2: {unit: 0201, tags: {101: {address: i=1, role: a}}}}}}\n"
        "units: {0201: {recipe_version: 3.10, product: 1e3}}\n"
        "limits: [{role: a, recipe_version: 1.0, product: 007, par: [1, 2.50]}]\n"
    )
    plant = load(file)
    assert isinstance(plant, Plant)
    ((device, tag),) = plant.tags()
    assert (plant.site, plant.endpoints[0].name, device.name, device.unit, tag.name) == ("0x10", "1.0", "2", "0201", "101")
    assert (plant.units[0].name, plant.units[0].recipe_version, plant.units[0].product) == ("0201", "3.10", "1e3")
    assert (plant.limits[0].recipe_version, plant.limits[0].product) == ("1.0", "007")
    assert type(plant.limits[0].par.high if plant.limits[0].par else None) is float


def test_twenty_reactors_come_from_one_template() -> None:
    plant, warnings = load_with_warnings(EXAMPLES / "many-reactors.yaml")
    assert warnings == ()
    assert [unit.name for unit in plant.units] == [f"R-{n}" for n in range(201, 221)]
    assert {endpoint.host for endpoint in plant.endpoints} == {f"10.20.1.{n}" for n in range(11, 31)}
    roles = {device.name: [tag.role for tag in device.tags] for endpoint in plant.endpoints for device in endpoint.devices}
    assert len({tuple(found) for found in roles.values()}) == 1
    levels = [limit.alarm.h for limit in plant.limits if limit.alarm and limit.role == "contents_mass"]
    assert levels == [1450] * 12 + [5800] * 8
    assert {limit.recipe_version for limit in plant.limits if limit.unit is None} == {"1.10"}
