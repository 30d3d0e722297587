"""docs/reference/commands.md names every command, argument and option with its default, and none that is not there."""

from __future__ import annotations

import re
import shlex
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import typer

from collector.__main__ import app
from collector.commands.guide import EXAMPLES

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "commands.md").read_text("utf-8")


def commands_of(group: Any, before: str = "") -> dict[str, Any]:
    """Every command by what is typed for it: `check`, `certs init`."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        found |= commands_of(command, f"{before}{name} ") if hasattr(command, "commands") else {f"{before}{name}": command}
    return found


COMMANDS = commands_of(typer.main.get_command(app))
_ROW = re.compile(r"^\| (?P<names>`[^|]+`) \| (?P<default>[^|]+) \| [^|]+ \|$", re.MULTILINE)
TOLD_IN_WORDS = {
    "for_": "until Ctrl-C",
    "data": "a new folder among the temporary files",
    "unit": "all",
    "tags": "all",
    "plant": "required",
    "scenario": "none",
    "farm": "none",
    "write": "none",
    "security": "all; a farm: none",
    "control": "in a private folder",
    "kind": "none",
    "target": "none",
    "value": "the kind's",
    "lasts": "until it is ended",
    "simulator": "the only one that runs",
    "opcua": "none",
    "modbus": "none",
    "uri": "urn:HOST:reactorwatch",
    "url": "required",
    "user_name": "none",
    "user_certificate": "none",
    "user_key": "none",
    "password_env": "none",
    "what": "required",
    "name": "required",
    "sink": "all",
    "registers": "required",
    "old": "required",
    "new": "required",
    "to": "required",
    "until": "all",
    "source": "required",
    "noted": "none",
    "salvaged": "none",
    "folder": "none",
    "read_back": "none",
    "plant_file": "none",
    "note": "none",
    "record": "required",
    "limits": "required",
    "batch": "all",
    "batch_column": "by its name",
    "time_column": "by its name",
    "phase_column": "by its name",
    "period": "by the times, else 1s",
    "time_unit": "by name and size",
    "zone": "UTC",
    "dates": "by all rows",
    "bad": "none",
    "good": "by their names",
    "encoding": "UTF-8, UTF-16",
    "write_to": "none",
    "counts_to": "none",
    "ids": "required",
    "reason": "required",
    "comment": "none",
    "time_limit": "required",
}
"""Parameters without a default of their own."""


def section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert found, f"no section {heading!r}"
    return found[1]


def first_table(text: str) -> dict[frozenset[str], str]:
    """The names in the first column of a section's first table, and the default beside them."""
    start = text.index("\n| ---" if "\n| ---" in text else "\n|---")
    table = re.split(r"\n(?!\|)", text[start:])[0]
    rows = _ROW.findall(table)
    assert len(rows) == table.count("\n| "), f"a row is not `name` | default | what:\n{table}"
    return {frozenset(re.findall(r"`([^`]+)`", names)): default for names, default in rows}


def names_of(parameter: Any) -> frozenset[str]:
    return frozenset(parameter.opts if parameter.param_type_name == "option" else [parameter.metavar])


def default_of(parameter: Any) -> str:
    default = parameter.default
    if default is None or parameter.required:
        optional_plant = parameter.name == "plant" and not parameter.required
        return "the practice plant" if optional_plant else TOLD_IN_WORDS[parameter.name]
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, Enum):
        return str(default.value)
    return str(default).removesuffix(".0")


def test_every_command_has_its_section() -> None:
    exit_codes_first = REFERENCE.index("| exit code |") < REFERENCE.index("\n## ")
    assert exit_codes_first
    assert re.findall(r"^## ([\w -]+)$", REFERENCE, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_has_the_parameters_and_their_defaults(name: str) -> None:
    shown = [parameter for parameter in COMMANDS[name].params if not getattr(parameter, "hidden", False)]
    expected = {names_of(parameter): default_of(parameter) for parameter in shown if parameter.name != "help"}
    assert first_table(section(name)) == expected


def test_the_options_before_the_command_are_named() -> None:
    for parameter in typer.main.get_command(app).params:
        assert all(f"`{name}`" in REFERENCE or f"{name}`" in REFERENCE for name in parameter.opts), parameter.opts


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_ends_with_what_may_be_typed(name: str) -> None:
    typed = [text for text in EXAMPLES[name.split(maxsplit=1)[0]] if f"{text} ".startswith(f"{name} ")]
    assert typed, "an example"
    for text in typed:
        COMMANDS[name].make_context(name, shlex.split(text)[len(name.split()) :])
    assert all(f"reactorwatch {text}" in COMMANDS[name].epilog for text in typed)
