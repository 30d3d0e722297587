"""The Modbus driver has no write path: nothing in it can name one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import drivers.modbus

SOURCES = sorted(Path(drivers.modbus.__file__).parent.glob("*.py"))
READS = {"read_coils", "read_discrete_inputs", "read_holding_registers", "read_input_registers"}
CLIENT = READS | {"connect", "register", "close"}


def names(tree: ast.AST) -> set[str]:
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imports = (node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))
    return found | {alias.name for node in imports for alias in node.names}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nothing_that_writes_is_named(source: Path) -> None:
    found = names(ast.parse(source.read_text(encoding="utf-8")))
    assert not {name for name in found if "write" in name.lower()}
    assert not found & {"execute", "getattr", "__getattribute__", "eval", "exec", "import_module"}


def test_the_client_is_used_for_reading_alone() -> None:
    (source,) = (path for path in SOURCES if path.name == "connection.py")
    attributes = [node for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)]
    assert {node.attr for node in attributes if ast.unparse(node.value) in ("client", "self._client")} == CLIENT


def test_pymodbus_is_touched_in_one_module() -> None:
    def imports(path: Path) -> set[str]:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    touching = {path.name for path in SOURCES if any(name.split(".")[0] == "pymodbus" for name in imports(path))}
    assert touching == {"connection.py"}
