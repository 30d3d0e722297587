"""docs/reference/configuration.md names every key of every model with its default, and no key that is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic.fields import FieldInfo

from config import common, limits, model, parts, plausible, security, sinks, tags
from config.load import load
from config.spreadsheet.columns import LIMIT_COLUMNS, TAG_COLUMNS, Columns

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")

SECTIONS: dict[type[common.Model], tuple[str, ...]] = {
    parts.PlantFile: ("Plant",),
    parts.Template: ("Templates",),
    parts.Use: ("Use",),
    model.OpcUaEndpoint: ("Endpoint", "Endpoint, OPC UA"),
    security.Security: ("Security",),
    model.ModbusEndpoint: ("Endpoint", "Endpoint, Modbus"),
    model.OpcUaDevice: ("Device",),
    model.ModbusDevice: ("Device", "Device, Modbus"),
    model.Group: ("Scan group",),
    model.OpcUaGroup: ("Scan group", "Scan group, OPC UA"),
    tags.OpcUaTag: ("Tag", "Tag, OPC UA"),
    tags.ModbusTag: ("Tag", "Tag, Modbus"),
    plausible.Plausible: ("Plausible",),
    model.Unit: ("Unit",),
    model.Context: ("Context",),
    limits.Limit: ("Limit",),
    limits.AlarmLimits: ("Alarm limits",),
    common.Bounds: ("Bounds",),
    sinks.InfluxDB2Sink: ("Sink", "Sink, influxdb2"),
    sinks.InfluxDB1Sink: ("Sink", "Sink, influxdb1"),
    sinks.VictoriaMetricsSink: ("Sink", "Sink, victoriametrics"),
    model.Disk: ("Disk",),
    model.Web: ("Web",),
    sinks.Secret: ("Secret",),
}
TOLD_IN_WORDS = {
    "role": "its name",
    "groups": "`main`, 1 s",
    "web": "on",
    "disk": "see below",
    "context": "the roles below",
    "security": "none",
}
_ROW = re.compile(r"^\| `(?P<key>\w+)` \| (?P<default>[^|]+) \| [^|]+ \|$", re.MULTILINE)


def models_in(annotation: Any) -> Iterator[type[common.Model]]:
    if isinstance(annotation, type) and issubclass(annotation, common.Model):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def all_models() -> set[type[common.Model]]:
    found: set[type[common.Model]] = set()
    waiting: list[type[common.Model]] = [parts.PlantFile]
    while waiting:
        if (here := waiting.pop()) not in found:
            found.add(here)
            waiting += [inner for field in here.model_fields.values() for inner in models_in(field.annotation)]
    return found


def rows(heading: str) -> dict[str, str]:
    section = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert section, f"no section {heading!r}"
    found = _ROW.findall(section[1])
    assert section[1].count("\n| `") == len(found), f"a row of {heading!r} is not key | default | what"
    return dict(found)


def default_of(key: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if key in TOLD_IN_WORDS and not isinstance(default, str):
        return TOLD_IN_WORDS[key]
    return "–" if default is None else _shown(default)


def _shown(default: object) -> str:
    if isinstance(default, tuple | dict):
        return "none"
    if isinstance(default, Enum):
        return str(default.value)
    return str(default).lower() if isinstance(default, bool) else str(default).removesuffix(".0")


def test_every_model_has_its_section() -> None:
    assert all_models() == set(SECTIONS)


@pytest.mark.parametrize("described", SECTIONS, ids=lambda described: described.__name__)
def test_a_section_has_the_keys_and_their_defaults(described: type[common.Model]) -> None:
    told = {key: default for heading in SECTIONS[described] for key, default in rows(heading).items()}
    fields = {
        key: field for key, field in described.model_fields.items() if key != "name" or not issubclass(described, common.Named)
    }
    expected = {key: default_of(key, field) for key, field in fields.items()}
    if "role" in expected and issubclass(described, tags.Tag):
        expected["role"] = TOLD_IN_WORDS["role"]
    assert told == expected


_COLUMN = re.compile(r"^\| `(?P<name>\w+)` \| (?P<aliases>[^|]+) \| (?:[^|\\]|\\.)+ \|$", re.MULTILINE)


@pytest.mark.parametrize(("heading", "columns"), [("Tag lists as CSV", TAG_COLUMNS), ("Limit tables as CSV", LIMIT_COLUMNS)])
def test_a_table_has_the_columns_and_their_other_names(heading: str, columns: Columns) -> None:
    section = re.search(rf"^### {heading}\n(.*?)(?=^##|\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert section
    told = {name: re.findall("`([^`]+)`", aliases) for name, aliases in _COLUMN.findall(section[1])}
    assert told == {column.name: list(column.aliases) for column in columns.columns}
    assert section[1].count("\n| `") == len(columns.columns)


@pytest.mark.parametrize(
    ("columns", "model_types"), [(TAG_COLUMNS, [tags.OpcUaTag, tags.ModbusTag]), (LIMIT_COLUMNS, [limits.Limit])]
)
def test_every_key_of_a_tag_or_limit_has_a_column(columns: Columns, model_types: list[type[common.Model]]) -> None:
    keys = {key for model_type in model_types for key in model_type.model_fields}
    assert {column.steps[0] for column in columns.columns} == keys


def test_the_example_of_the_reference_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "plant.yaml"
    file.write_text(example, encoding="utf-8")
    assert load(file).limits[0].cpp
